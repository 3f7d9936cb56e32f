//! Several writes as one.

use std::sync::Arc;

use evoke_model::{Event, EventId, State};
use evoke_ports::store::{Change, Finish, Ingest, Receipt, Write};

use super::bench::{Bench, done, ingested, once, pending, succeeded};
use super::definitions::function;
use super::{Harness, bench};

pub(super) async fn run<H: Harness>(harness: &H) {
    all_are_written_and_answered(&mut bench(harness).1).await;
    none_is_written_where_one_is_refused(&mut bench(harness).1).await;
    keys_are_taken_in_the_order_of_the_batch(&mut bench(harness).1).await;
}

fn ingest(bench: &Bench, event: &Event, key: Option<&str>) -> Write {
    let expires = evoke_model::Timestamp::from_micros(i64::MAX);
    let trigger = evoke_model::TriggerId::from_u64(5);
    Write::Ingest(Ingest {
        events: vec![Arc::new(event.clone())],
        executions: vec![pending(event, trigger, bench.now)],
        once: key.map(|key| once(0, key, expires)).into_iter().collect(),
    })
}

async fn all_are_written_and_answered(bench: &mut Bench) {
    let id = bench.waiting();
    let event = bench.event("together");
    let finish =
        Finish { id, attempt: Some(succeeded(1)), next: done(State::Success), cause: None };
    let all = Write::All(vec![
        Write::Finish(vec![finish.clone()]),
        ingest(bench, &event, None),
        Write::from(Change::Function(function(1, bench.now))),
        Write::Finish(vec![finish]),
    ]);
    let receipts = bench.writer.commit(&[all, Write::All(Vec::new())]).expect("two writes");
    let expected = [
        Receipt::All(vec![
            Receipt::Finished { stale: vec![] },
            ingested(),
            Receipt::Changed(true),
            Receipt::Finished { stale: vec![id] },
        ]),
        Receipt::All(Vec::new()),
    ];
    assert_eq!(receipts, expected);
    assert_eq!(bench.execution(id).await.state, State::Success);
    assert!(bench.stored_event(event.id).await.is_some());
}

async fn none_is_written_where_one_is_refused(bench: &mut Bench) {
    let id = bench.waiting();
    let taken = bench.stored_event(id.event).await.expect("the event that was written");
    let fresh = bench.event("fresh");
    let finish =
        Finish { id, attempt: Some(succeeded(1)), next: done(State::Success), cause: None };
    let all = Write::All(vec![
        Write::Finish(vec![finish]),
        ingest(bench, &fresh, Some("key")),
        ingest(bench, &taken, None),
    ]);
    bench.writer.commit(&[all]).expect_err("an event was written twice");
    assert_eq!(bench.execution(id).await.state, State::Pending);
    assert_eq!(bench.stored_event(fresh.id).await, None);
    assert_eq!(bench.store.events().by_key("key").await.expect("read a key"), None);
}

async fn keys_are_taken_in_the_order_of_the_batch(bench: &mut Bench) {
    let events: Vec<Event> = (0..4).map(|_| bench.event("keyed")).collect();
    let batch = [
        Write::All(vec![ingest(bench, &events[0], Some("a"))]),
        ingest(bench, &events[1], Some("b")),
        Write::All(vec![
            ingest(bench, &events[2], Some("b")),
            ingest(bench, &events[3], Some("a")),
        ]),
    ];
    let receipts = bench.writer.commit(&batch).expect("a batch with duplicates");
    let standing = |id: EventId| Receipt::Ingested { duplicates: vec![(0, id)], skipped: vec![] };
    let expected = [
        Receipt::All(vec![ingested()]),
        ingested(),
        Receipt::All(vec![standing(events[1].id), standing(events[0].id)]),
    ];
    assert_eq!(receipts, expected);
}
