//! What a dispatcher reads: what waits, and how much of it.

use evoke_model::{Event, EventId, Millis, State, Timestamp, TriggerId};
use evoke_ports::store::{Due, NewExecution, Next, Waiting};

use super::bench::{Bench, done, due, failed, pending, rich_event, succeeded};
use super::{Harness, bench};

pub(super) async fn run<H: Harness>(harness: &H) {
    what_waits_comes_by_due_time(&mut bench(harness).1).await;
    a_dispatcher_reads_on_where_it_stopped(&mut bench(harness).1).await;
    one_order_key_can_be_asked_for(&mut bench(harness).1).await;
    the_event_comes_along(&mut bench(harness).1).await;
    the_backlog_is_counted(&mut bench(harness).1).await;
}

fn at(bench: &Bench, seconds: u64) -> Timestamp {
    bench.now.plus(Millis::from_secs(seconds))
}

async fn read(bench: &Bench, query: Due) -> Vec<Waiting> {
    bench.store.executions().due(query).await.expect("read due executions")
}

fn events_of(waiting: &[Waiting]) -> Vec<EventId> {
    waiting.iter().map(|waiting| waiting.id.event).collect()
}

/// Four events for one trigger, due 3, 1, 1 and 2 seconds from now; and one for another trigger.
fn four(bench: &mut Bench) -> (TriggerId, Vec<EventId>) {
    let (trigger, other) = (bench.trigger(), bench.trigger());
    let mut ids = Vec::new();
    for seconds in [3, 1, 1, 2] {
        let event = bench.event("due");
        ids.push(event.id);
        let execution = pending(&event, trigger, at(bench, seconds));
        bench.ingest_planned(&[event], vec![execution]);
    }
    let event = bench.event("due");
    bench.ingest(&[event], other);
    (trigger, ids)
}

async fn what_waits_comes_by_due_time(bench: &mut Bench) {
    let (trigger, ids) = four(bench);
    let in_order = [ids[1], ids[2], ids[3], ids[0]];
    assert_eq!(events_of(&bench.due(trigger).await), in_order);
    let until = at(bench, 2);
    let found = read(bench, Due { until, ..due(trigger) }).await;
    assert_eq!(events_of(&found), in_order[..3]);
    let found = read(bench, Due { limit: 2, ..due(trigger) }).await;
    assert_eq!(events_of(&found), in_order[..2]);
    let until = bench.now;
    assert!(read(bench, Due { until, ..due(trigger) }).await.is_empty());
    assert!(bench.due(bench.trigger()).await.is_empty());
}

async fn a_dispatcher_reads_on_where_it_stopped(bench: &mut Bench) {
    let (trigger, ids) = four(bench);
    let mut found = Vec::new();
    let mut query = Due { limit: 1, ..due(trigger) };
    loop {
        let waiting = read(bench, query.clone()).await;
        let Some(last) = waiting.last() else { break };
        query.after = Some((last.due, last.id.event));
        found.extend(events_of(&waiting));
    }
    assert_eq!(found, [ids[1], ids[2], ids[3], ids[0]]);
}

async fn one_order_key_can_be_asked_for(bench: &mut Bench) {
    let trigger = bench.trigger();
    let keys = [Some("a"), Some("b"), None, Some("a")];
    let events: Vec<Event> = keys.iter().map(|_| bench.event("keyed")).collect();
    let keyed = |(event, key): (&Event, Option<&str>)| NewExecution {
        order_key: key.map(Box::from),
        ..pending(event, trigger, event.time)
    };
    let executions = events.iter().zip(keys).map(keyed).collect();
    bench.ingest_planned(&events, executions);
    let of = |key: &str| Due { order_key: Some(key.into()), ..due(trigger) };
    let found = read(bench, of("a")).await;
    assert_eq!(events_of(&found), [events[0].id, events[3].id]);
    assert_eq!(found[0].order_key.as_deref(), Some("a"));
    let found = read(bench, Due { limit: 1, ..of("a") }).await;
    assert_eq!(events_of(&found), [events[0].id]);
    let after = Some((events[0].time, events[0].id));
    let found = read(bench, Due { after, ..of("a") }).await;
    assert_eq!(events_of(&found), [events[3].id]);
    assert!(read(bench, of("c")).await.is_empty());
}

async fn the_event_comes_along(bench: &mut Bench) {
    let event = rich_event(bench.event("whole"));
    let trigger = bench.trigger();
    let execution = NewExecution {
        concurrency_key: Some("tenant".into()),
        ..pending(&event, trigger, bench.now)
    };
    bench.ingest_planned(std::slice::from_ref(&event), vec![execution]);
    let found = bench.due(trigger).await;
    assert_eq!(*found[0].event, event);
    assert_eq!((found[0].due, found[0].attempts), (bench.now, 0));
    assert_eq!(found[0].concurrency_key.as_deref(), Some("tenant"));
    assert_eq!(found[0].order_key, None);
}

async fn the_backlog_is_counted(bench: &mut Bench) {
    let backlog = |bench: &Bench| bench.store.executions();
    assert_eq!(backlog(bench).backlog().await.expect("count"), []);
    let (trigger, ids) = four(bench);
    let other = bench.waiting();
    let found = backlog(bench).backlog().await.expect("count");
    let first = (trigger, 4, at(bench, 1));
    assert_eq!(found.iter().find(|(of, ..)| *of == trigger), Some(&first));
    assert_eq!(found.len(), 3);
    assert!(found.is_sorted_by_key(|(of, ..)| *of), "{found:?}");

    let id = |event| evoke_model::ExecutionId { event, trigger };
    bench.finish(id(ids[1]), Some(succeeded(1)), done(State::Success));
    let retry = Next::Retry { due: at(bench, 9) };
    bench.finish(id(ids[2]), Some(failed(1)), retry);
    bench.finish(other, Some(failed(1)), done(State::Failed));
    let found = backlog(bench).backlog().await.expect("count");
    let first = (trigger, 3, at(bench, 2));
    assert_eq!(found.iter().find(|(of, ..)| *of == trigger), Some(&first));
    assert_eq!(found.len(), 2);
}
