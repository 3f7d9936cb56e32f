//! What is there after the store was dropped without a word.

use std::sync::Arc;

use evoke_model::{ExecutionId, Millis, State};
use evoke_ports::store::{Change, EventQuery};

use super::bench::{Bench, done, failed, rich_event};
use super::definitions::function;
use super::{Harness, Keeps, bench};

pub(super) async fn run<H: Harness>(harness: &H) {
    let (place, mut bench) = bench(harness);
    let trigger = bench.trigger();
    let event = rich_event(bench.event("kept"));
    bench.ingest(std::slice::from_ref(&event), trigger);
    let dead = bench.waiting();
    bench.finish(dead, Some(failed(1)), done(State::Failed));
    let keyed = bench.event("keyed");
    let expires = bench.now.plus(Millis::from_secs(60));
    bench.ingest_once(&keyed, &[("key", expires)]);
    let function = function(1, bench.now);
    bench.change(Change::Function(function.clone()));
    let before = bench.execution(dead).await;
    drop(bench);

    let mut bench = Bench::new(harness.open(&place));
    if harness.keeps() == Keeps::Nothing {
        return assert_empty(&bench).await;
    }
    let id = event.id;
    assert_eq!(bench.stored_event(id).await, Some(event));
    assert_eq!(bench.due(trigger).await[0].id, ExecutionId { event: id, trigger });
    assert_eq!(bench.execution(dead).await, before);
    assert_eq!(bench.attempts(dead).await, [failed(1)]);
    assert_eq!(bench.store.events().newest().await.expect("newest"), keyed.id.as_u64());
    let found = bench.store.definitions().functions().await.expect("read functions");
    assert_eq!(found, [function]);
    // Ids go on behind the newest, or the suite itself would make one twice.
    bench.now = bench.now.plus(Millis::from_secs(1));
    let again = bench.event("keyed");
    assert_eq!(bench.ingest_once(&again, &[("key", expires)]), Some(keyed.id));
    many_times(harness, bench, place).await;
}

async fn assert_empty(bench: &Bench) {
    assert_eq!(bench.store.events().newest().await.expect("newest"), 0);
    let query = EventQuery { limit: 1, ..EventQuery::default() };
    assert!(bench.store.events().events(query).await.expect("list").items.is_empty());
}

/// Each round adds to what the rounds before it left.
async fn many_times<H: Harness>(harness: &H, mut bench: Bench, place: H::Place) {
    for round in 1..=5 {
        let now = bench.now.plus(Millis::from_secs(1));
        let readers = Arc::clone(&bench.store);
        drop(bench);
        drop(readers);
        bench = Bench::new(harness.open(&place));
        bench.now = now;
        let event = bench.event("round");
        bench.ingest_planned(&[event], Vec::new());
        let query =
            EventQuery { kind: Some("round".to_owned()), limit: 100, ..EventQuery::default() };
        let found = bench.store.events().events(query).await.expect("list events");
        assert_eq!(found.items.len(), round);
    }
}
