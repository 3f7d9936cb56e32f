//! A key takes one event within its time.

use std::sync::Arc;

use evoke_model::{Event, EventId, ExecutionId, Millis, Timestamp, TriggerId};
use evoke_ports::store::{Ingest, Receipt, Write};

use super::bench::{Bench, once, pending};
use super::{Harness, bench};

pub(super) async fn run<H: Harness>(harness: &H) {
    a_taken_key_answers_who_stands(&mut bench(harness).1).await;
    the_first_of_a_batch_wins(&mut bench(harness).1).await;
    an_expired_key_is_free(&mut bench(harness).1).await;
    an_event_takes_all_of_its_keys_or_none(&mut bench(harness).1).await;
    housekeeping_forgets_expired_keys_only(&mut bench(harness).1).await;
    a_key_without_an_event_is_refused(&mut bench(harness).1).await;
}

fn hour_after(instant: Timestamp) -> Timestamp {
    instant.plus(Millis::from_secs(3_600))
}

async fn by_key(bench: &Bench, key: &str) -> Option<EventId> {
    bench.store.events().by_key(key).await.expect("read a key")
}

async fn a_taken_key_answers_who_stands(bench: &mut Bench) {
    let key = "id\0/suite\0sender-1";
    let expires = hour_after(bench.now);
    let (first, second) = (bench.event("a"), bench.event("b"));
    assert_eq!(bench.ingest_once(&first, &[(key, expires)]), None);
    assert_eq!(bench.ingest_once(&second, &[(key, expires)]), Some(first.id));
    assert_eq!(bench.stored_event(second.id).await, None);
    let skipped = ExecutionId { event: second.id, trigger: TriggerId::from_u64(1) };
    let found = bench.store.executions().execution(skipped).await.expect("read an execution");
    assert_eq!(found, None, "the execution of a skipped event was written");
    assert_eq!(by_key(bench, key).await, Some(first.id));
    assert_eq!(by_key(bench, "id\0/suite\0sender-2").await, None);
}

async fn the_first_of_a_batch_wins(bench: &mut Bench) {
    let expires = hour_after(bench.now);
    let events: Vec<Event> = ["a", "b", "c", "d"].map(|kind| bench.event(kind)).into();
    let trigger = bench.trigger();
    let ingest = |events: &[Event], keys: &[(usize, &str)]| {
        Write::Ingest(Ingest {
            events: events.iter().cloned().map(Arc::new).collect(),
            executions: events.iter().map(|event| pending(event, trigger, event.time)).collect(),
            // The order of the keys is not that of the events.
            once: keys.iter().rev().map(|(index, key)| once(*index, key, expires)).collect(),
        })
    };
    let batch = [
        ingest(&events[..3], &[(0, "same"), (1, "other"), (2, "same")]),
        ingest(&events[3..], &[(0, "other")]),
    ];
    let receipts = bench.writer.commit(&batch).expect("a batch with duplicates");
    let expected = [
        Receipt::Ingested { duplicates: vec![(2, events[0].id)], skipped: vec![] },
        Receipt::Ingested { duplicates: vec![(0, events[1].id)], skipped: vec![] },
    ];
    assert_eq!(receipts, expected);
    let waiting: Vec<EventId> =
        bench.due(trigger).await.iter().map(|waiting| waiting.id.event).collect();
    assert_eq!(waiting, [events[0].id, events[1].id]);
}

async fn an_expired_key_is_free(bench: &mut Bench) {
    let expires = hour_after(bench.now);
    let first = bench.event("a");
    bench.ingest_once(&first, &[("key", expires)]);

    bench.now = Timestamp::from_millis(expires.as_millis() - 1);
    let early = bench.event("b");
    assert_eq!(bench.ingest_once(&early, &[("key", hour_after(bench.now))]), Some(first.id));
    bench.now = expires;
    let late = bench.event("c");
    assert_eq!(bench.ingest_once(&late, &[("key", hour_after(bench.now))]), None);
    assert_eq!(by_key(bench, "key").await, Some(late.id));
    let last = bench.event("d");
    assert_eq!(bench.ingest_once(&last, &[("key", hour_after(bench.now))]), Some(late.id));
}

async fn an_event_takes_all_of_its_keys_or_none(bench: &mut Bench) {
    let expires = hour_after(bench.now);
    let (first, second, third) = (bench.event("a"), bench.event("b"), bench.event("c"));
    bench.ingest_once(&first, &[("taken", expires)]);
    let keys = [("free", expires), ("taken", expires)];
    assert_eq!(bench.ingest_once(&second, &keys), Some(first.id));
    assert_eq!(by_key(bench, "free").await, None);
    let keys = [("free", expires), ("free", expires), ("too", expires)];
    assert_eq!(bench.ingest_once(&third, &keys), None, "an event is no duplicate of itself");
    assert_eq!(by_key(bench, "too").await, Some(third.id));
}

async fn housekeeping_forgets_expired_keys_only(bench: &mut Bench) {
    let expires = hour_after(bench.now);
    let (old, new) = (bench.event("a"), bench.event("b"));
    bench.ingest_once(&old, &[("old", expires)]);
    bench.ingest_once(&new, &[("new", hour_after(expires))]);
    for _ in 0..2 {
        bench.writer.housekeep(expires).expect("housekeeping");
    }
    assert_eq!(by_key(bench, "old").await, None);
    assert_eq!(by_key(bench, "new").await, Some(new.id));
    assert!(bench.stored_event(old.id).await.is_some(), "the event itself stays");
}

async fn a_key_without_an_event_is_refused(bench: &mut Bench) {
    let event = bench.event("a");
    let write = Write::Ingest(Ingest {
        events: vec![Arc::new(event.clone())],
        executions: Vec::new(),
        once: vec![once(1, "key", hour_after(bench.now))],
    });
    bench.writer.commit(&[write]).expect_err("the key is for event 1 of one");
    assert_eq!(bench.stored_event(event.id).await, None);
}
