//! What planning one event costs: `cargo run --release -p evoke-matching --example match_rate`.

use std::sync::Arc;
use std::time::Instant;

use evoke_matching::{Index, PlanLimits, Rule, plan};
use evoke_model::trigger::{Owner, Subscription, Target};
use evoke_model::{Data, Event, EventId, Policy, Timestamp, Trigger, TriggerId};

const BATCH: usize = 64;

fn event(id: u64, kind: &str) -> Arc<Event> {
    Arc::new(Event {
        id: EventId::from_u64(id),
        sender_id: None,
        source: "/api/events".into(),
        kind: kind.into(),
        subject: None,
        time: Timestamp::EPOCH,
        content_type: None,
        data_schema: None,
        data: Data::Json(r#"{"total":120,"customer":"acme","items":[{"sku":"x","qty":2}]}"#.into()),
        extensions: None,
        lineage: None,
        traceparent: None,
        ordering_key: None,
        due: None,
        is_test_run: false,
        replay_of: None,
    })
}

fn rule(id: u64, kind: String, policy: Policy) -> Rule {
    let now = Timestamp::EPOCH;
    let trigger = Trigger {
        id: TriggerId::from_u64(id),
        name: format!("t{id}"),
        kind: "event".to_owned(),
        config: serde_json::Value::Null,
        target: Target::function("f"),
        policy,
        enabled: true,
        owner: Owner::Api,
        created_at: now,
        updated_at: now,
        updated_by: None,
        deleted_at: None,
    };
    let subscription = Subscription { kind: Some(kind), ..Subscription::default() };
    Rule { trigger: Arc::new(trigger), subscription: Some(subscription) }
}

fn measure(name: &str, rules: &[Rule]) {
    let began = Instant::now();
    let (index, broken) = Index::build(rules);
    let built = began.elapsed();
    let events: Vec<_> = (1..=BATCH as u64).map(|id| event(id, "order.created")).collect();
    let rounds = 4_000;
    let mut executions = 0;
    let began = Instant::now();
    for _ in 0..rounds {
        let plan = plan(&events, &index, PlanLimits { depth_max: 16 }, Timestamp::EPOCH);
        executions += std::hint::black_box(plan).executions.len();
    }
    let nanos = began.elapsed().as_nanos() as f64 / (rounds * BATCH) as f64;
    let each = executions as f64 / (rounds * BATCH) as f64;
    show(&format!(
        "{name:<44} {nanos:>9.0} ns/event, {each} executions, built in {built:?}, {} broken",
        broken.len()
    ));
}

#[expect(clippy::print_stdout, reason = "printing figures is what this example is for")]
fn show(line: &str) {
    println!("{line}");
}

fn main() {
    let exact = |count: u64| -> Vec<Rule> {
        let kind = |id| if id == 1 { "order.created".to_owned() } else { format!("order.t{id}") };
        (1..=count).map(|id| rule(id, kind(id), Policy::default())).collect()
    };
    for count in [1, 100, 10_000] {
        measure(&format!("{count} triggers of exact types, one fits"), &exact(count));
    }
    for count in [1, 100, 10_000] {
        let kind = |id| if id == 1 { "order.*".to_owned() } else { format!("kind{id}.*") };
        let rules: Vec<_> = (1..=count).map(|id| rule(id, kind(id), Policy::default())).collect();
        measure(&format!("{count} triggers with a final wildcard, one fits"), &rules);
    }
    let rules: Vec<_> =
        (1..=100).map(|id| rule(id, format!("*.created{id}"), Policy::default())).collect();
    measure("100 triggers with a leading wildcard, none fits", &rules);
    let filter = |text: &str| Policy { filter: Some(text.to_owned()), ..Policy::default() };
    let yes = rule(1, "order.created".to_owned(), filter("event.data.total > 100"));
    measure("1 trigger with a filter over the payload", &[yes]);
    let rules: Vec<_> = (1..=100)
        .map(|id| rule(id, "order.created".to_owned(), filter("event.data.customer == 'x'")))
        .collect();
    measure("100 triggers with filters, none fits", &rules);
    let ordered = Policy { order_by: Some("event.data.customer".to_owned()), ..Policy::default() };
    measure("1 trigger with a key", &[rule(1, "order.created".to_owned(), ordered)]);
}
