//! Events as triggers make them, where nobody gave one.

use std::collections::BTreeMap;

use evoke_cli::{Failure, Outcome};
use evoke_model::Trigger;
use evoke_model::suggest::did_you_mean;
use serde_json::{Value, json};

use super::subject::{Sources, Subject};

/// The events of kinds whose source is not in this version, by kind.
const TABLE: &str = include_str!("samples.json");

/// Type of the event with which a function is asked whether something happened.
pub(super) const QUESTION: &str = "evoke.poll";

fn table() -> Outcome<BTreeMap<String, Value>> {
    serde_json::from_str(TABLE).map_err(|error| Failure::fault(format!("read samples: {error}")))
}

/// An event or a request of `trigger`, in the form that `--event` takes.
pub(super) fn of_trigger(trigger: &Trigger, subject: &Subject) -> Outcome<Value> {
    let name = &trigger.name;
    if trigger.kind == Trigger::INVOKE {
        let kind = format!("{}.{}", Trigger::INVOKE, subject.function.spec.name);
        return Ok(json!({ "type": kind, "data": {} }));
    }
    if subject.is_asked(trigger) {
        return Ok(question(name));
    }
    match of_source(&subject.sources, &trigger.kind, (name, &trigger.config))? {
        Some(sample) => Ok(sample),
        None => Err(Failure::mistake(format!(
            "there is no sample of trigger {name:?}, of kind {:?}",
            trigger.kind
        ))
        .hint("write an event into a file and give it with --event")),
    }
}

/// An event or a request of a kind, as its example says; nobody's in particular.
pub(super) fn of_kind(kind: &str, sources: &Sources) -> Outcome<Value> {
    match of_source(sources, kind, ("sample", &example(sources, kind)))? {
        Some(sample) => Ok(sample),
        None => Err(unknown_kind(kind, sources)?),
    }
}

fn of_source(
    sources: &Sources,
    kind: &str,
    (name, config): (&str, &Value),
) -> Outcome<Option<Value>> {
    let Some(source) = sources.get(kind) else { return Ok(table()?.remove(kind)) };
    let Some(sample) = source.sample(name, config) else { return Ok(None) };
    if sources.takes_requests(kind) {
        return Ok(Some(sample.data));
    }
    let mut event = json!({ "type": sample.kind, "data": sample.data });
    let wanted = source.subscription(config).unwrap_or_default();
    for (attribute, pattern) in [("source", wanted.source), ("subject", wanted.subject)] {
        if let Some(pattern) = pattern {
            event[attribute] = filled(&pattern).into();
        }
    }
    Ok(Some(event))
}

/// A text that a pattern over sources or subjects takes.
fn filled(pattern: &str) -> String {
    let segments = pattern.split('/').map(|segment| match segment {
        "**" => "sample".to_owned(),
        glob => glob.replace('*', "sample"),
    });
    segments.collect::<Vec<_>>().join("/")
}

fn unknown_kind(kind: &str, sources: &Sources) -> Outcome<Failure> {
    let mut known: Vec<String> = table()?.into_keys().collect();
    let has_sample = |kind: &&String| {
        matches!(of_source(sources, kind, ("sample", &example(sources, kind))), Ok(Some(_)))
    };
    known.extend(sources.kinds().filter(has_sample).cloned());
    known.sort_unstable();
    let hint = did_you_mean(kind, known.iter().map(String::as_str));
    Ok(Failure::mistake(format!("there is no sample of kind {kind:?}")).hint(hint))
}

fn example(sources: &Sources, kind: &str) -> Value {
    sources.get(kind).map(|source| source.descriptor().example.clone()).unwrap_or_default()
}

/// With what a poll asks its function the first time.
fn question(poll: &str) -> Value {
    let data = json!({
        "poll": poll,
        "scheduled_at": "2026-01-01T00:00:00Z",
        "last_poll_at": null,
        "last_fired_at": null,
        "state": null,
    });
    json!({ "type": QUESTION, "data": data })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_sample() {
        let sources = Sources::new();
        for (kind, field, value) in [
            ("database", "type", "database.users.create"),
            ("storage", "type", "storage.uploads.upload"),
            ("auth", "type", "auth.signup"),
            ("queue", "source", "/queues/kafka/orders"),
            ("event", "type", "order.sample"),
            ("schedule", "type", "schedule.sample"),
            ("webhook", "type", "webhook.sample"),
            ("poll", "type", "poll.sample"),
            ("http", "path", "/api/users/1"),
        ] {
            let sample = of_kind(kind, &sources).unwrap();
            assert_eq!(sample[field], value, "{kind}: {sample}");
        }
    }

    #[test]
    fn patterns_over_source_and_subject_are_filled_in() {
        let config = json!({ "source": "/shop/*", "subject": "orders/**" });
        let sample = of_source(&Sources::new(), "event", ("orders", &config)).unwrap().unwrap();
        let expected = json!({ "type": "sample", "source": "/shop/sample",
            "subject": "orders/sample", "data": {} });
        assert_eq!(sample, expected);
    }

    #[test]
    fn an_unknown_kind_names_the_nearest() {
        let refused = of_kind("webhok", &Sources::new()).unwrap_err();
        assert_eq!(refused.hint.as_deref(), Some("did you mean \"webhook\"?"));
        let refused = of_kind("x", &Sources::new()).unwrap_err();
        assert!(refused.hint.unwrap().starts_with("one of: auth, database, event, http"));
    }
}
