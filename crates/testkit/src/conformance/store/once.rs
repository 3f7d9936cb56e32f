//! A key takes one event within its time.

use std::sync::Arc;

use evoke_model::{
    Attempt, Code, Event, EventId, ExecutionId, Failure, Millis, Outcome, State, Timestamp,
    TriggerId,
};
use evoke_ports::store::{Ingest, NewExecution, Receipt, TriggerKey, Write};

use super::bench::{Bench, ingested, once, pending, succeeded};
use super::{Harness, bench};

pub(super) async fn run<H: Harness>(harness: &H) {
    a_taken_key_answers_who_stands(&mut bench(harness).1).await;
    the_first_of_a_batch_wins(&mut bench(harness).1).await;
    an_expired_key_is_free(&mut bench(harness).1).await;
    an_event_takes_all_of_its_keys_or_none(&mut bench(harness).1).await;
    housekeeping_forgets_expired_keys_only(&mut bench(harness).1).await;
    a_key_without_an_event_is_refused(&mut bench(harness).1).await;
    a_trigger_takes_a_key_once(&mut bench(harness).1).await;
    the_key_of_a_trigger_expires(&mut bench(harness).1).await;
    a_duplicate_takes_no_key_of_a_trigger(&mut bench(harness).1).await;
    an_execution_written_again_is_not_skipped(&mut bench(harness).1).await;
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

/// What is written of an execution whose key stands already.
fn skipped(at: Timestamp) -> (State, Attempt) {
    let outcome = Outcome::Failure(Failure::new(Code::ExecutionCancelled, "it was taken already"));
    let attempt =
        Attempt { number: 0, started_at: at, finished_at: at, outcome, logs: vec![], version: 0 };
    (State::Cancelled, attempt)
}

/// An execution that its trigger takes once under a key.
fn keyed(bench: &Bench, event: &Event, trigger: TriggerId) -> NewExecution {
    let key = TriggerKey {
        key: format!("trigger\0{trigger}\0order-1").into(),
        expires: hour_after(bench.now),
        skipped: skipped(bench.now),
    };
    NewExecution { once: Some(Box::new(key)), ..pending(event, trigger, bench.now) }
}

fn write(events: &[Event], executions: Vec<NewExecution>) -> Write {
    let events = events.iter().cloned().map(Arc::new).collect();
    Write::Ingest(Ingest { events, executions, once: Vec::new() })
}

fn with_skipped(skipped: Vec<ExecutionId>) -> Receipt {
    Receipt::Ingested { duplicates: Vec::new(), skipped }
}

async fn a_trigger_takes_a_key_once(bench: &mut Bench) {
    let events: Vec<Event> = (0..3).map(|_| bench.event("once")).collect();
    let (one, other, plain) = (bench.trigger(), bench.trigger(), bench.trigger());
    let of = |event: &Event| {
        vec![
            keyed(bench, event, one),
            pending(event, plain, bench.now),
            NewExecution { order_key: Some("k".into()), ..keyed(bench, event, other) },
        ]
    };
    // The second event comes in the same ingest, the third with a later write of the batch, already
    // over.
    let mut third = of(&events[2]);
    third[0].done = Some(Box::new((State::Success, succeeded(1))));
    let batch = [
        write(&events[..2], [of(&events[0]), of(&events[1])].concat()),
        write(&events[2..], third),
    ];
    let receipts = bench.writer.commit(&batch).expect("two ingests");
    let id = |n: usize, trigger| ExecutionId { event: events[n].id, trigger };
    assert_eq!(receipts[0], with_skipped(vec![id(1, one), id(1, other)]));
    assert_eq!(receipts[1], with_skipped(vec![id(2, one), id(2, other)]));
    let (state, attempt) = skipped(bench.now);
    for n in [1, 2] {
        for trigger in [one, other] {
            let found = bench.execution(id(n, trigger)).await;
            assert_eq!((found.state, found.attempts, found.cause), (state, 0, None));
            assert_eq!(bench.attempts(id(n, trigger)).await, std::slice::from_ref(&attempt));
        }
        assert!(bench.stored_event(events[n].id).await.is_some(), "the event itself is taken");
    }
    for (trigger, count) in [(one, 1), (other, 1), (plain, 3)] {
        assert_eq!(bench.due(trigger).await.len(), count);
    }
}

async fn the_key_of_a_trigger_expires(bench: &mut Bench) {
    let trigger = bench.trigger();
    let first = bench.event("once");
    let expires = hour_after(bench.now);
    let execution = keyed(bench, &first, trigger);
    assert_eq!(bench.commit(write(&[first], vec![execution])), ingested());
    bench.now = Timestamp::from_millis(expires.as_millis() - 1);
    let early = bench.event("once");
    let execution = keyed(bench, &early, trigger);
    let id = execution.id;
    assert_eq!(bench.commit(write(&[early], vec![execution])), with_skipped(vec![id]));
    bench.now = expires;
    for _ in 0..2 {
        bench.writer.housekeep(bench.now).expect("housekeeping");
    }
    let late = bench.event("once");
    let execution = keyed(bench, &late, trigger);
    assert_eq!(bench.commit(write(&[late], vec![execution])), ingested());
}

async fn a_duplicate_takes_no_key_of_a_trigger(bench: &mut Bench) {
    let expires = hour_after(bench.now);
    let (first, duplicate, next) = (bench.event("a"), bench.event("b"), bench.event("c"));
    let trigger = bench.trigger();
    bench.ingest_once(&first, &[("key", expires)]);
    let write_keyed = Write::Ingest(Ingest {
        events: vec![Arc::new(duplicate.clone())],
        executions: vec![keyed(bench, &duplicate, trigger)],
        once: vec![once(0, "key", expires)],
    });
    let receipt = Receipt::Ingested { duplicates: vec![(0, first.id)], skipped: Vec::new() };
    assert_eq!(bench.commit(write_keyed), receipt);
    let execution = keyed(bench, &next, trigger);
    assert_eq!(bench.commit(write(&[next], vec![execution])), ingested(), "the key was taken");
}

async fn an_execution_written_again_is_not_skipped(bench: &mut Bench) {
    let (event, trigger) = (bench.event("once"), bench.trigger());
    let execution = keyed(bench, &event, trigger);
    bench.ingest_planned(&[event], vec![execution.clone()]);
    let again = write(&[], vec![execution.clone()]);
    assert_eq!(bench.commit(again), ingested(), "an event is not in its own way");
    assert_eq!(bench.execution(execution.id).await.state, State::Pending);
    // Neither is one that is there under another key, where that stands already: nothing of it was
    // written.
    let other = bench.event("once");
    let mut taken = keyed(bench, &other, trigger);
    taken.once.as_mut().expect("a key").key = "trigger\0other".into();
    bench.ingest_planned(&[other], vec![taken.clone()]);
    let again = NewExecution { once: taken.once, ..execution.clone() };
    assert_eq!(bench.commit(write(&[], vec![again])), ingested());
    assert_eq!(bench.execution(execution.id).await.state, State::Pending);
}
