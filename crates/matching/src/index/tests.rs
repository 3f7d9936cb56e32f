use evoke_model::event::Lineage;
use evoke_model::policy::{Concurrency, Priority};
use evoke_model::problem::Code;
use evoke_model::trigger::{Owner, Target};
use evoke_model::{KeySet, Timestamp};
use proptest::prelude::*;

use super::*;
use crate::testing::event;
use crate::{LoopBreak, Plan, PlanLimits, loop_break, plan};

const NOW: Timestamp = Timestamp::from_millis(1_000);
const LIMITS: PlanLimits = PlanLimits { depth_max: 16 };

fn rule(id: u64, kind: &str, policy: Policy) -> Rule {
    let trigger = Trigger {
        id: TriggerId::from_u64(id),
        name: format!("t{id}"),
        kind: "event".to_owned(),
        config: serde_json::Value::Null,
        target: Target::function("f"),
        policy,
        enabled: true,
        owner: Owner::Api,
        created_at: NOW,
        updated_at: NOW,
        updated_by: None,
        deleted_at: None,
    };
    let subscription = Subscription { kind: Some(kind.to_owned()), ..Subscription::default() };
    Rule { trigger: Arc::new(trigger), subscription: Some(subscription) }
}

fn changed(mut rule: Rule, change: impl FnOnce(&mut Trigger)) -> Rule {
    change(Arc::make_mut(&mut rule.trigger));
    rule
}

fn filter(text: &str) -> Policy {
    Policy { filter: Some(text.to_owned()), ..Policy::default() }
}

fn index(rules: &[Rule]) -> Index {
    let (index, broken) = Index::build(rules);
    assert_eq!(broken, []);
    index
}

fn plan_one(rules: &[Rule], event: Event) -> Plan {
    plan(&[Arc::new(event)], &index(rules), LIMITS, NOW)
}

fn triggers(plan: &Plan) -> Vec<u64> {
    plan.executions.iter().map(|planned| planned.trigger.id.as_u64()).collect()
}

#[test]
fn each_kind_of_pattern_finds_its_events_once_and_by_priority() {
    let high = |points| Policy { priority: Priority::Fixed(points), ..Policy::default() };
    let rules = [
        rule(1, "order.created", Policy::default()),
        rule(2, "order.*", high(5)),
        rule(3, "*", Policy::default()),
        rule(4, "*.created", high(-1)),
        rule(5, "user.created", Policy::default()),
        rule(6, "order.created|order.*|*.created", high(9)),
        changed(rule(7, "order.created", Policy::default()), |trigger| trigger.enabled = false),
        changed(rule(8, "*", Policy::default()), |trigger| trigger.deleted_at = Some(NOW)),
    ];
    assert_eq!(triggers(&plan_one(&rules, event(1, "order.created"))), [6, 2, 1, 3, 4]);
    assert_eq!(triggers(&plan_one(&rules, event(1, "user.deleted"))), [3]);
}

/// What triggers of the data services say: some actions of one collection, of all, or of those with
/// a name of a form. What was refused (`database.users.create.rejected`) is none of them.
#[test]
fn a_list_of_actions_is_a_pattern_with_alternatives() {
    let rules = [
        rule(1, "database.users.create|database.users.update", Policy::default()),
        rule(2, "database.*.create|database.*.delete", Policy::default()),
        rule(3, "database.user-*.delete", Policy::default()),
    ];
    for (kind, expected) in [
        ("database.users.create", &[1, 2][..]),
        ("database.users.update", &[1]),
        ("database.users.delete", &[2]),
        ("database.user-7.delete", &[2, 3]),
        ("database.orders.update", &[]),
        ("database.users.create.rejected", &[]),
        ("storage.users.delete", &[]),
    ] {
        assert_eq!(triggers(&plan_one(&rules, event(1, kind))), expected, "{kind}");
    }
}

#[test]
fn the_filter_of_a_subscription_has_to_hold_beside_the_triggers_own() {
    let wants = |asked: &str, own: Option<&str>| {
        let policy = Policy { filter: own.map(Into::into), ..Policy::default() };
        let mut rule = rule(1, "*", policy);
        let filter = Some(asked.to_owned());
        rule.subscription = Some(Subscription { filter, ..Subscription::default() });
        triggers(&plan_one(&[rule], event(1, "a"))).len()
    };
    assert_eq!(wants("event.data.total > 100", None), 1);
    assert_eq!(wants("event.data.total > 200", None), 0);
    assert_eq!(wants("event.data.total > 100", Some("event.type == 'a'")), 1);
    assert_eq!(wants("event.data.total > 100", Some("event.type == 'b'")), 0);
    assert_eq!(wants("event.data.total > 200", Some("event.type == 'a'")), 0);
}

#[test]
fn source_and_subject_have_to_fit_as_well() {
    let wants = |source: Option<&str>, subject: Option<&str>| {
        let mut rule = rule(1, "*", Policy::default());
        rule.subscription = Some(Subscription {
            kind: None,
            source: source.map(Into::into),
            subject: subject.map(Into::into),
            filter: None,
        });
        triggers(&plan_one(&[rule], event(1, "a"))).len()
    };
    assert_eq!(wants(Some("/shop/*"), None), 1);
    assert_eq!(wants(Some("/shop"), None), 0);
    assert_eq!(wants(None, Some("orders/*")), 1);
    assert_eq!(wants(Some("/shop/eu"), Some("orders/8")), 0);
}

#[test]
fn a_filter_without_an_answer_is_no_match_and_is_told() {
    let rules = [
        rule(1, "a", filter("event.data.total > 100")),
        rule(2, "a", filter("event.data.total > 200")),
        rule(3, "a", filter("event.data.sum > 1")),
    ];
    let plan = plan_one(&rules, event(9, "a"));
    assert_eq!(triggers(&plan), [1]);
    assert_eq!(plan.trouble.len(), 1);
    assert_eq!(plan.trouble[0].trigger, TriggerId::from_u64(3));
    assert_eq!(plan.trouble[0].message, "filter: No such key: sum");
}

#[test]
fn a_filter_without_an_answer_keeps_no_guard_from_being_asked() {
    let both = |own: &str, subscribed: &str| {
        let mut rule = rule(1, "a", filter(own));
        if let Some(subscription) = &mut rule.subscription {
            subscription.filter = Some(subscribed.to_owned());
        }
        rule
    };
    for (rule, taken) in [
        (rule(1, "a", filter("event.data.email != ''")), true),
        (rule(1, "a", filter("event.data.total.cents > 1")), true),
        (rule(1, "a", filter("event.data.total")), true),
        (rule(1, "a", filter("event.data.total > 200")), false),
        (rule(1, "b", filter("event.data.email != ''")), false),
        (both("event.data.email != ''", "event.data.total > 200"), false),
        (both("event.data.total > 200", "event.data.email != ''"), false),
        (both("event.data.total > 100", "event.data.email != ''"), true),
    ] {
        let index = index(std::slice::from_ref(&rule)).unanswered(Unanswered::Taken);
        let plan = plan(&[Arc::new(event(9, "a"))], &index, LIMITS, NOW);
        assert_eq!(plan.executions.len(), usize::from(taken), "{rule:?}: {:?}", plan.trouble);
    }
}

#[test]
fn keys_are_computed_for_events_and_for_direct_calls() {
    let policy = Policy {
        order_by: Some("event.data.customer".to_owned()),
        concurrency: Some(Concurrency {
            limit: 1,
            key: Some("event.data.region".to_owned()),
            overflow: evoke_model::policy::Overflow::Queue,
        }),
        ..Policy::default()
    };
    let mut direct = rule(2, "", policy.clone());
    direct.subscription = None;
    let rules = [rule(1, "a", policy), direct];
    let plan = plan_one(&rules, event(9, "a"));
    assert_eq!(triggers(&plan), [1]);
    assert_eq!(plan.executions[0].keys.order.as_deref(), Some("acme"));
    assert_eq!(plan.executions[0].keys.concurrency, None);
    assert_eq!(plan.trouble[0].message, "concurrency.key: No such key: region");
    let keys = index(&rules).keys_for(TriggerId::from_u64(2), &event(9, "any")).keys;
    assert_eq!(keys.order.as_deref(), Some("acme"));
}

#[test]
fn all_keys_and_the_priority_come_from_the_event() {
    let policy = |priority: &str| -> Policy {
        serde_json::from_value(serde_json::json!({
            "rate": { "limit": 1, "per": "1s", "key": "event.data.customer + '/r'" },
            "debounce": { "wait": "1s", "key": "event.subject", "mode": "all" },
            "batch": { "size": 2, "key": "event.source" },
            "idempotency": { "key": "event.data.total" },
            "priority": priority,
        }))
        .unwrap()
    };
    let keys = |policy: Policy| {
        let index = index(&[rule(1, "a", policy)]);
        index.keys_for(TriggerId::from_u64(1), &event(9, "a"))
    };
    let expected = KeySet {
        order: None,
        concurrency: None,
        rate: Some("acme/r".into()),
        debounce: Some("orders/7".into()),
        batch: Some("/shop/eu".into()),
        idempotency: Some("120".into()),
    };
    let expected = Evaluated { keys: expected.into(), priority: 12, trouble: Vec::new() };
    assert_eq!(keys(policy("event.data.total / 10")), expected);
    assert_eq!(keys(policy("event.data.total * -100")).priority, -Priority::MAX);
    let odd = keys(policy("event.data.customer"));
    assert_eq!((odd.priority, odd.keys.rate.as_deref()), (0, Some("acme/r")));
    assert_eq!(odd.trouble, ["priority: expected a whole number, got string"]);
    let fixed = Policy { priority: Priority::Fixed(7), ..Policy::default() };
    assert_eq!(keys(fixed), Evaluated { priority: 7, ..Evaluated::default() });
    let unknown = Index::default().keys_for(TriggerId::from_u64(1), &event(9, "a"));
    assert_eq!(unknown, Evaluated::default());
}

#[test]
fn a_transform_makes_the_data_of_the_target() {
    let transform = |text: &str| Policy { transform: Some(text.to_owned()), ..Policy::default() };
    let rules = [
        rule(1, "a", transform("{'who': event.data.customer}")),
        rule(2, "a", transform("event.data.missing")),
        rule(3, "a", Policy::default()),
    ];
    let index = index(&rules);
    let of = |id| index.transform(TriggerId::from_u64(id), &event(9, "a"));
    assert_eq!(of(1), Some(Ok(serde_json::json!({ "who": "acme" }))));
    assert_eq!(of(2), Some(Err("transform: No such key: missing".to_owned())));
    assert_eq!(of(3), None);
    assert_eq!(of(4), None);
}

#[test]
fn a_delayed_event_is_due_when_it_says() {
    let mut delayed = event(1, "a");
    delayed.due = Some(Timestamp::from_millis(9_000));
    let rules = [rule(1, "a", Policy::default())];
    assert_eq!(plan_one(&rules, delayed).executions[0].due, Timestamp::from_millis(9_000));
    assert_eq!(plan_one(&rules, event(1, "a")).executions[0].due, NOW);
}

#[test]
fn loops_are_broken_and_say_so() {
    let caused = |depth, chain: &[u64]| {
        let mut event = event(1, "a");
        let chain = chain.iter().map(|id| TriggerId::from_u64(*id)).collect();
        event.lineage = Some(Box::new(Lineage { root: None, cause: None, depth, chain }));
        event
    };
    let broken = |depth, chain: &[u64]| {
        let rules = [rule(1, "a", Policy::default())];
        plan_one(&rules, caused(depth, chain)).executions[0].broken
    };
    assert_eq!(broken(16, &[2, 3]), None);
    assert_eq!(broken(2, &[2, 1]), Some(LoopBreak::OwnEffect));
    assert_eq!(broken(17, &[2]), Some(LoopBreak::TooDeep { depth: 17, depth_max: 16 }));
    let direct = loop_break(&caused(17, &[]), TriggerId::from_u64(5), LIMITS);
    let failure = direct.map(LoopBreak::failure).unwrap();
    assert_eq!(failure.code, Code::LoopBroken);
    assert!(failure.message.contains("17"), "{}", failure.message);
}

#[test]
fn one_broken_rule_stops_no_other_and_all_problems_are_told() {
    let mut policy = filter("event.data.total >");
    policy.order_by = Some("nope".to_owned());
    let rules = [rule(1, "a", Policy::default()), rule(2, "a**", policy.clone())];
    let (index, broken) = Index::build(&rules);
    assert_eq!(index.len(), 1);
    let fields: Vec<&str> = broken.iter().map(|(_, problem)| problem.field.as_str()).collect();
    assert_eq!(fields, ["match", "filter", "order_by"]);
    assert_eq!(check(&policy, None).len(), 2);
}

proptest! {
    /// The index finds what going through all rules finds.
    #[test]
    fn the_index_loses_nothing(
        patterns in proptest::collection::vec("[ab*]([.|][ab*]){0,2}|\\*\\*(\\.[ab]){0,2}", 1..20),
        kind in "[abc](\\.[abc]){0,3}",
    ) {
        let rules: Vec<Rule> = (1..).zip(&patterns)
            .map(|(id, pattern)| rule(id, pattern, Policy::default()))
            .collect();
        let expected: Vec<u64> = (1..).zip(&patterns)
            .filter(|(_, pattern)| Pattern::parse(pattern, Separator::Dot).unwrap().matches(&kind))
            .map(|(id, _)| id)
            .collect();
        prop_assert_eq!(triggers(&plan_one(&rules, event(1, &kind))), expected);
    }
}
