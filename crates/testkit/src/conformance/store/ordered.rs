//! The queue of executions with an order key: in the order in which their events came, whatever
//! each of them waits for.

use evoke_model::{EventId, ExecutionId, Millis, State, Timestamp, TriggerId};
use evoke_ports::store::{Change, Due, NewExecution, Next, Waiting};

use super::bench::{Bench, done, due, failed, pending, succeeded};
use super::{Harness, bench};

pub(super) async fn run<H: Harness>(harness: &H) {
    a_late_one_stands_where_its_event_came(&mut bench(harness).1).await;
    a_retried_head_keeps_its_place(&mut bench(harness).1).await;
    one_that_is_opened_again_gets_its_place_back(&mut bench(harness).1).await;
    a_key_is_read_by_event(&mut bench(harness).1).await;
}

/// Three events of one key, one second apart, due as they come; the time is that of the last.
fn three(bench: &mut Bench) -> (TriggerId, Vec<ExecutionId>) {
    let trigger = bench.trigger();
    let ids = (0..3).map(|_| one(bench, trigger, Millis::new(0))).collect();
    (trigger, ids)
}

fn one(bench: &mut Bench, trigger: TriggerId, wait: Millis) -> ExecutionId {
    bench.now = bench.now.plus(Millis::from_secs(1));
    let event = bench.event("ordered");
    let execution = NewExecution {
        order_key: Some("user-1".into()),
        ..pending(&event, trigger, bench.now.plus(wait))
    };
    let id = execution.id;
    bench.ingest_planned(&[event], vec![execution]);
    id
}

fn ids_of(waiting: &[Waiting]) -> Vec<ExecutionId> {
    waiting.iter().map(|waiting| waiting.id).collect()
}

/// Due and queued.
fn times(waiting: &Waiting) -> (Timestamp, Timestamp) {
    (waiting.due, waiting.queued)
}

async fn a_late_one_stands_where_its_event_came(bench: &mut Bench) {
    let (trigger, other) = (bench.trigger(), bench.trigger());
    let hour = Millis::from_secs(3_600);
    let late = one(bench, trigger, hour);
    let due_late = bench.now.plus(hour);
    let next = one(bench, trigger, Millis::new(0));
    let found = bench.due(trigger).await;
    assert_eq!(ids_of(&found), [late, next]);
    assert_eq!(times(&found[0]), (due_late, late.event.made_at()));
    assert_eq!(times(&found[1]), (bench.now, next.event.made_at()));
    assert_eq!(bench.execution(late).await.due, due_late);
    // It is read although it is not due, so that its followers are seen to wait for it.
    let query = Due { until: bench.now, ..due(trigger) };
    let found = bench.store.executions().due(query).await.expect("read due executions");
    assert_eq!(ids_of(&found), [late, next]);
    let backlog = bench.store.executions().backlog().await.expect("count");
    assert_eq!(backlog, [(trigger, 2, late.event.made_at())]);
    // Due before it came is due as it came.
    let event = bench.event("early");
    let early = NewExecution {
        order_key: Some("user-1".into()),
        ..pending(&event, other, bench.now.minus(hour))
    };
    bench.ingest_planned(&[event], vec![early]);
    let found = bench.due(other).await;
    let accepted = found[0].id.event.made_at();
    assert_eq!(times(&found[0]), (accepted, accepted));
}

async fn a_retried_head_keeps_its_place(bench: &mut Bench) {
    let (trigger, ids) = three(bench);
    let late = bench.now.plus(Millis::from_secs(600));
    for (number, due) in [(1, late), (2, late.plus(Millis::new(1)))] {
        bench.finish(ids[0], Some(failed(number)), Next::Retry { due });
        let found = bench.due(trigger).await;
        assert_eq!(ids_of(&found), ids);
        assert_eq!(times(&found[0]), (due, ids[0].event.made_at()));
        assert_eq!((found[0].attempts, bench.execution(ids[0]).await.due), (number, due));
    }
    // Nothing ran, and it is to be tried at once.
    let now = bench.now;
    bench.finish(ids[0], None, Next::Retry { due: now });
    assert_eq!(times(&bench.due(trigger).await[0]), (now, ids[0].event.made_at()));
    let early = ids[0].event.made_at().minus(Millis::new(5));
    bench.finish(ids[0], None, Next::Retry { due: early });
    assert_eq!(bench.execution(ids[0]).await.due, ids[0].event.made_at());
    bench.finish(ids[0], Some(succeeded(3)), done(State::Success));
    assert_eq!(ids_of(&bench.due(trigger).await), ids[1..]);
}

async fn one_that_is_opened_again_gets_its_place_back(bench: &mut Bench) {
    let (trigger, ids) = three(bench);
    bench.finish(ids[0], Some(failed(1)), done(State::Failed));
    assert_eq!(ids_of(&bench.due(trigger).await), ids[1..]);
    let late = bench.now.plus(Millis::from_secs(600));
    assert!(bench.change(Change::Reopen { id: ids[0], due: late, redirect: None }));
    let found = bench.due(trigger).await;
    assert_eq!(ids_of(&found), ids);
    assert_eq!(times(&found[0]), (late, ids[0].event.made_at()));
}

async fn a_key_is_read_by_event(bench: &mut Bench) {
    let (trigger, ids) = three(bench);
    let late = bench.now.plus(Millis::from_secs(600));
    bench.finish(ids[0], Some(failed(1)), Next::Retry { due: late });
    let of_key = Due { order_key: Some("user-1".into()), ..due(trigger) };
    let executions = bench.store.executions();
    let read = async |query: Due| ids_of(&executions.due(query).await.expect("read a key"));
    assert_eq!(read(of_key.clone()).await, ids);
    assert_eq!(read(Due { limit: 1, ..of_key.clone() }).await, ids[..1]);
    // Only the event tells where to go on: the time does not have to be that of the queue.
    let after = |event: EventId| Some((late, event));
    assert_eq!(read(Due { after: after(ids[0].event), ..of_key.clone() }).await, ids[1..]);
    assert_eq!(read(Due { after: after(ids[2].event), ..of_key.clone() }).await, []);
    let until = ids[1].event.made_at();
    assert_eq!(read(Due { until, ..of_key.clone() }).await, ids[..2]);
    let until = Timestamp::from_micros(until.as_micros() - 1);
    assert_eq!(read(Due { until, ..of_key.clone() }).await, ids[..1]);
    assert_eq!(read(Due { trigger: bench.trigger(), ..of_key }).await, []);
}
