//! What a trigger makes of events before its function gets them: its patterns and filter take them
//! or not, its transform makes other data of them.

use std::sync::Arc;

use evoke_cli::{Failure, Outcome};
use evoke_matching::{Index, PlanLimits, Rule, Unanswered, filter, plan};
use evoke_model::policy::{DebounceMode, Mode};
use evoke_model::{Code, Data, Event, Policy, Timestamp, Trigger};

use super::subject::Sources;

/// Whether the function gets lists of events.
pub(super) fn is_batched(policy: &Policy) -> bool {
    policy.batch.is_some()
        || policy.debounce.as_ref().is_some_and(|debounce| debounce.mode == DebounceMode::All)
}

/// What stands between events and the function of a trigger.
pub(super) struct Gate {
    trigger: Arc<Trigger>,
    index: Index,
}

impl Gate {
    /// The gate of one trigger.
    ///
    /// # Errors
    /// An expression of its policy cannot be read.
    pub(super) fn new(trigger: Arc<Trigger>, sources: &Sources) -> Outcome<Self> {
        let source = sources.get(&trigger.kind);
        let wanted = source.and_then(|source| source.subscription(&trigger.config));
        let is_hook = trigger.policy.mode == Some(Mode::Sync)
            && source.is_some_and(|source| source.has_hooks());
        let unanswered = if is_hook { Unanswered::Taken } else { Unanswered::LeftOut };
        // What a source makes for its trigger is for that trigger, whatever its type.
        let subscription = Some(wanted.unwrap_or_default());
        let (index, broken) = Index::build(&[Rule { trigger: trigger.clone(), subscription }]);
        match broken.into_iter().next() {
            Some((_, problem)) => {
                Err(Failure::mistake(format!("trigger {:?}: {problem}", trigger.name)))
            }
            None => Ok(Self { trigger, index: index.unanswered(unanswered) }),
        }
    }

    /// The event as the function gets it.
    ///
    /// # Errors
    /// The trigger does not take it, or its transform gives no answer.
    pub(super) fn through(&self, event: Event) -> Outcome<Event> {
        let Self { trigger, index } = self;
        let event = Arc::new(event);
        let limits = PlanLimits { depth_max: u16::MAX };
        let plan = plan(std::slice::from_ref(&event), index, limits, Timestamp::EPOCH);
        if plan.executions.is_empty() {
            let trouble = plan.trouble.into_iter().next().map(|trouble| trouble.message);
            let why = trouble.unwrap_or_else(|| why(trigger, &event));
            return Err(not_taken(trigger, &event, &why));
        }
        match index.transform(trigger.id, &event) {
            None => Ok(Event::clone(&event)),
            Some(Ok(value)) => {
                let data = Data::from_value(&value);
                Ok(Event { data, content_type: None, ..Event::clone(&event) })
            }
            Some(Err(message)) => {
                let mut failure =
                    Failure::mistake(format!("trigger {:?}: {message}", trigger.name));
                failure.code = Some(Code::TransformFailed.as_str().into());
                Err(failure)
            }
        }
    }
}

/// Why a trigger did not take an event for which all expressions gave an answer.
fn why(trigger: &Trigger, event: &Event) -> String {
    match &trigger.policy.filter {
        Some(text) if filter(text).is_ok_and(|filter| filter.takes(event) == Ok(false)) => {
            format!("its filter is false: {text}")
        }
        _ => {
            let config = &trigger.config;
            format!("its patterns, {config}, do not fit source {:?}", event.source)
        }
    }
}

fn not_taken(trigger: &Trigger, event: &Event, why: &str) -> Failure {
    let (name, kind) = (&trigger.name, &event.kind);
    Failure::mistake(format!("trigger {name:?} does not take the event of type {kind:?}: {why}"))
        .hint("give an event it takes with --event; `evoke functions sample` prints one to edit")
}

#[cfg(test)]
mod tests {
    use evoke_model::trigger::Owner;
    use evoke_model::{EventId, Target, TriggerId};
    use serde_json::{Value, json};

    use super::*;

    fn trigger(policy: Policy) -> Arc<Trigger> {
        Arc::new(Trigger {
            id: TriggerId::from_u64(1),
            name: "orders".to_owned(),
            kind: "event".to_owned(),
            config: json!({ "match": "order.*" }),
            target: Target::function("bill"),
            policy,
            enabled: true,
            owner: Owner::Project,
            created_at: Timestamp::EPOCH,
            updated_at: Timestamp::EPOCH,
            updated_by: None,
            deleted_at: None,
        })
    }

    fn event(kind: &str, data: &Value) -> Event {
        Event {
            id: EventId::from_u64(1),
            sender_id: None,
            source: "/shop".into(),
            kind: kind.into(),
            subject: None,
            time: Timestamp::EPOCH,
            content_type: None,
            data_schema: None,
            data: Data::from_value(data),
            extensions: None,
            lineage: None,
            traceparent: None,
            ordering_key: None,
            due: None,
            is_test_run: true,
            replay_of: None,
        }
    }

    fn passes(policy: Policy, event: Event) -> Outcome<Event> {
        Gate::new(trigger(policy), &Sources::new())?.through(event)
    }

    #[test]
    fn only_what_the_trigger_wants_comes_through_and_it_says_why() {
        let large = Policy { filter: Some("event.data.total > 100".into()), ..Policy::default() };
        for (policy, kind, data, said) in [
            (Policy::default(), "order.created", json!({}), None),
            (large.clone(), "order.created", json!({ "total": 101 }), None),
            (
                large.clone(),
                "order.created",
                json!({ "total": 1 }),
                Some("its filter is false: event.data.total > 100"),
            ),
            (large.clone(), "order.created", json!({}), Some("filter: No such key: total")),
            (large, "user.created", json!({ "total": 101 }), Some("do not fit")),
            (Policy::default(), "order", json!({}), Some("its patterns, {\"match\":\"order.*\"}")),
        ] {
            let refused = passes(policy, event(kind, &data)).err().map(|failure| failure.message);
            match (refused, said) {
                (None, None) => {}
                (Some(message), Some(said)) => assert!(message.contains(said), "{message}"),
                (refused, _) => panic!("{kind} {data}: {refused:?}"),
            }
        }
    }

    #[test]
    fn a_transform_makes_other_data() {
        let policy = |text: &str| Policy { transform: Some(text.to_owned()), ..Policy::default() };
        let given = event("order.created", &json!({ "total": 7 }));
        let made = passes(policy("{'sum': event.data.total}"), given.clone()).unwrap();
        assert_eq!(made.data.to_value(), json!({ "sum": 7 }));
        let refused = passes(policy("event.data.sum"), given).unwrap_err();
        assert_eq!(refused.code.as_deref(), Some("TR_004"));
        assert!(refused.message.contains("No such key: sum"), "{}", refused.message);
    }
}
