//! Events and their executions come in together and are read back as they were.

use std::sync::Arc;

use bytes::Bytes;
use evoke_model::{Data, Event, ExecutionId, Outcome, State, Timestamp, TriggerId};
use evoke_ports::store::{EventQuery, Ingest, NewExecution, Receipt, Write};

use super::bench::{
    Bench, attempt, done, failed, ingested, pending, rich_attempt, rich_event, succeeded,
};
use super::{Harness, bench};

pub(super) async fn run<H: Harness>(harness: &H) {
    an_event_is_read_back_whole(&mut bench(harness).1).await;
    payloads_keep_their_kind(&mut bench(harness).1).await;
    an_execution_is_read_back(&mut bench(harness).1).await;
    an_execution_can_be_written_when_it_is_over(&mut bench(harness).1).await;
    an_execution_is_written_once(&mut bench(harness).1).await;
    every_write_of_a_batch_is_answered_in_its_place(&mut bench(harness).1).await;
    a_refused_batch_leaves_nothing(&mut bench(harness).1).await;
    newest_is_the_highest_id(&mut bench(harness).1).await;
    an_empty_batch_is_committed(&mut bench(harness).1);
}

async fn an_event_is_read_back_whole(bench: &mut Bench) {
    let plain = bench.event("order.paid");
    let rich = rich_event(bench.event("order.shipped"));
    bench.ingest_planned(&[plain.clone(), rich.clone()], Vec::new());
    assert_eq!(bench.stored_event(plain.id).await, Some(plain));
    assert_eq!(bench.stored_event(rich.id).await, Some(rich));
    let unknown = bench.event("order.lost");
    assert_eq!(bench.stored_event(unknown.id).await, None);
}

async fn payloads_keep_their_kind(bench: &mut Bench) {
    let payloads = [
        Data::None,
        Data::Json(Bytes::from_static(b" [1, 2.50, \"\\u0000\"] ")),
        Data::Text(Bytes::from_static(b"")),
        Data::Text(Bytes::from_static(b"nul \0 inside")),
        Data::Binary(Bytes::from_static(&[0, 255, 1, 254])),
        Data::Json(Bytes::from(format!("\"{}\"", "x".repeat(300_000)))),
    ];
    for data in payloads {
        let event = Event { data, ..bench.event("payload") };
        bench.ingest_planned(std::slice::from_ref(&event), Vec::new());
        let id = event.id;
        assert_eq!(bench.stored_event(id).await, Some(event));
    }
}

async fn an_execution_is_read_back(bench: &mut Bench) {
    let event = bench.event("order.paid");
    let (plain, keyed) = (bench.trigger(), bench.trigger());
    let later = Timestamp::from_micros(bench.now.as_micros() + 1);
    let with_keys = NewExecution {
        order_key: Some("user-1".into()),
        concurrency_key: Some("tenant-1".into()),
        is_test_run: true,
        ..pending(&event, keyed, later)
    };
    let executions = vec![pending(&event, plain, bench.now), with_keys];
    bench.ingest_planned(std::slice::from_ref(&event), executions);

    let found = bench.execution(ExecutionId { event: event.id, trigger: plain }).await;
    assert_eq!((found.state, found.due, found.attempts), (State::Pending, bench.now, 0));
    assert_eq!((found.order_key, found.concurrency_key, found.last), (None, None, None));
    assert!(!found.is_test_run);
    let found = bench.execution(ExecutionId { event: event.id, trigger: keyed }).await;
    assert_eq!((found.due, found.is_test_run), (later, true));
    assert_eq!(found.order_key.as_deref(), Some("user-1"));
    assert_eq!(found.concurrency_key.as_deref(), Some("tenant-1"));

    let unknown = ExecutionId { event: event.id, trigger: bench.trigger() };
    let found = bench.store.executions().execution(unknown).await.expect("read an execution");
    assert_eq!(found, None);
    assert_eq!(bench.attempts(unknown).await, Vec::new());
}

async fn an_execution_can_be_written_when_it_is_over(bench: &mut Bench) {
    let output = Outcome::Success(Data::Json(Bytes::from_static(b"{\"ok\":true}")));
    let cases = [
        (State::Success, rich_attempt(attempt(1, output))),
        (State::Success, succeeded(1)),
        (State::Failed, rich_attempt(failed(3))),
        (State::Cancelled, attempt(1, Outcome::Cancelled)),
    ];
    for (state, last) in cases {
        let event = bench.event("called");
        let trigger = bench.trigger();
        let mut execution = pending(&event, trigger, bench.now);
        execution.done = Some(Box::new((state, last.clone())));
        let id = execution.id;
        bench.ingest_planned(&[event], vec![execution]);
        let found = bench.execution(id).await;
        assert_eq!((found.state, found.attempts), (state, last.number));
        assert_eq!(found.last.as_ref(), Some(&last));
        assert_eq!(bench.attempts(id).await, [last]);
        assert!(bench.due(trigger).await.is_empty(), "{state:?} waits");
        assert!(bench.finish(id, Some(succeeded(2)), done(State::Success)), "it was over");
    }
}

async fn an_execution_is_written_once(bench: &mut Bench) {
    let id = bench.waiting();
    bench.finish(id, Some(succeeded(1)), done(State::Success));
    let event = bench.stored_event(id.event).await.expect("the event that was written");
    let again = pending(&event, id.trigger, bench.now);
    bench.ingest_planned(&[], vec![again]);
    assert_eq!(bench.execution(id).await.state, State::Success);

    let other = pending(&event, bench.trigger(), bench.now);
    let replayed = other.id;
    bench.ingest_planned(&[], vec![other]);
    assert_eq!(bench.execution(replayed).await.state, State::Pending);
    assert_eq!(bench.due(replayed.trigger).await[0].event.id, id.event);
}

async fn every_write_of_a_batch_is_answered_in_its_place(bench: &mut Bench) {
    let id = bench.waiting();
    let (first, second) = (bench.event("a"), bench.event("b"));
    let ingest = |event: &Event| {
        let executions = vec![pending(event, TriggerId::from_u64(5), event.time)];
        Write::Ingest(Ingest { events: vec![Arc::new(event.clone())], executions, once: vec![] })
    };
    let finish = evoke_ports::store::Finish {
        id,
        attempt: Some(succeeded(1)),
        next: done(State::Success),
        cause: None,
    };
    let batch = [
        ingest(&first),
        Write::Finish(vec![finish.clone()]),
        Write::Finish(vec![finish]),
        ingest(&second),
    ];
    let receipts = bench.writer.commit(&batch).expect("a batch of four");
    let expected = [
        ingested(),
        Receipt::Finished { stale: vec![] },
        Receipt::Finished { stale: vec![id] },
        ingested(),
    ];
    assert_eq!(receipts, expected);
}

async fn a_refused_batch_leaves_nothing(bench: &mut Bench) {
    let id = bench.waiting();
    let taken = bench.stored_event(id.event).await.expect("the event that was written");
    let fresh = bench.event("fresh");
    let trigger = bench.trigger();
    let ingest = |event: &Event, keys: &[&str]| {
        let once =
            keys.iter().map(|key| super::bench::once(0, key, Timestamp::from_micros(i64::MAX)));
        Write::Ingest(Ingest {
            events: vec![Arc::new(event.clone())],
            executions: vec![pending(event, trigger, event.time)],
            once: once.collect(),
        })
    };
    let finish = evoke_ports::store::Finish {
        id,
        attempt: Some(succeeded(1)),
        next: done(State::Success),
        cause: None,
    };
    let batch = [ingest(&fresh, &["key"]), Write::Finish(vec![finish]), ingest(&taken, &[])];
    let error = bench.writer.commit(&batch).expect_err("an event was written twice");
    assert!(error.source.to_string().contains(&taken.id.to_string()), "{}", error.source);

    assert_eq!(bench.stored_event(fresh.id).await, None);
    assert_eq!(bench.execution(id).await.state, State::Pending);
    assert!(bench.due(trigger).await.is_empty());
    assert_eq!(bench.store.events().by_key("key").await.expect("read a key"), None);
    let all = EventQuery { limit: 10, ..EventQuery::default() };
    assert_eq!(bench.store.events().events(all).await.expect("list").items.len(), 1);
    // The caller has the batch still, and its good parts go through.
    bench.writer.commit(&batch[..2]).expect("the parts that were right");
    assert_eq!(bench.stored_event(fresh.id).await, Some(fresh));
    assert_eq!(bench.execution(id).await.state, State::Success);
}

async fn newest_is_the_highest_id(bench: &mut Bench) {
    let newest = |bench: &Bench| bench.store.events();
    assert_eq!(newest(bench).newest().await.expect("newest of nothing"), 0);
    let events = [bench.event("a"), bench.event("b")];
    bench.ingest_planned(&events, Vec::new());
    assert_eq!(newest(bench).newest().await.expect("newest"), events[1].id.as_u64());
}

fn an_empty_batch_is_committed(bench: &mut Bench) {
    assert_eq!(bench.writer.commit(&[]).expect("an empty batch"), []);
}
