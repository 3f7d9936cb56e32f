//! Executions changed by hand: opened again, given up.

use evoke_model::{Code, ExecutionId, Failure, Millis, Outcome, State};
use evoke_ports::store::{Change, Next};

use super::bench::{Bench, attempt, done, failed, rich_attempt, succeeded};
use super::{Harness, bench};

pub(super) async fn run<H: Harness>(harness: &H) {
    a_reopened_execution_begins_again(&mut bench(harness).1).await;
    only_what_is_final_is_reopened(&mut bench(harness).1).await;
    what_is_abandoned_says_why(&mut bench(harness).1).await;
    what_is_abandoned_keeps_its_attempts(&mut bench(harness).1).await;
    only_what_is_open_is_abandoned(&mut bench(harness).1).await;
}

async fn a_reopened_execution_begins_again(bench: &mut Bench) {
    let id = bench.waiting();
    let due = bench.now.plus(Millis::from_secs(9));
    let mut history = vec![failed(1), rich_attempt(failed(2))];
    bench.finish(id, Some(history[0].clone()), Next::Retry { due: bench.now });
    bench.finish(id, Some(history[1].clone()), done(State::Failed));
    for _ in 0..2 {
        assert!(bench.change(Change::Reopen { id, due, redirect: None }));
        let found = bench.execution(id).await;
        assert_eq!((found.state, found.attempts, found.due), (State::Pending, 0, due));
        assert_eq!(found.last, None);
        assert_eq!(bench.attempts(id).await, history);
        assert_eq!(bench.due(id.trigger).await.len(), 1);
        // Numbers begin again; the history stays in order.
        let again = failed(1);
        assert!(!bench.finish(id, Some(again.clone()), done(State::Failed)));
        history.push(again);
        assert_eq!(bench.execution(id).await.attempts, 1);
        assert_eq!(bench.attempts(id).await, history);
    }
    let counts = bench.store.executions().dead_letters().await.expect("count dead letters");
    assert_eq!(counts, [], "it failed, but nobody called it a dead letter");
}

async fn only_what_is_final_is_reopened(bench: &mut Bench) {
    let id = bench.waiting();
    let due = bench.now.plus(Millis::from_secs(9));
    assert!(!bench.change(Change::Reopen { id, due, redirect: None }));
    assert_eq!(bench.execution(id).await.due, bench.now);
    let unknown = ExecutionId { event: bench.event("lost").id, trigger: id.trigger };
    assert!(!bench.change(Change::Reopen { id: unknown, due, redirect: None }));
    for state in [State::Success, State::Cancelled] {
        let id = bench.waiting();
        bench.finish(id, None, done(state));
        assert!(bench.change(Change::Reopen { id, due, redirect: None }));
        assert_eq!(bench.attempts(id).await, [], "nothing ran");
    }
}

fn why() -> Failure {
    Failure::new(Code::ExecutionCancelled, "the trigger was deleted")
}

async fn what_is_abandoned_says_why(bench: &mut Bench) {
    let id = bench.waiting();
    let at = bench.now.plus(Millis::from_secs(1));
    assert!(bench.change(Change::Abandon { id, at, why: why() }));
    let found = bench.execution(id).await;
    assert_eq!((found.state, found.attempts), (State::Cancelled, 0));
    let last = found.last.expect("the reason");
    assert_eq!((last.number, last.started_at, last.finished_at), (0, at, at));
    assert_eq!(last.outcome, Outcome::Failure(why()));
    assert_eq!(bench.attempts(id).await, [last]);
    assert!(bench.due(id.trigger).await.is_empty());
}

async fn what_is_abandoned_keeps_its_attempts(bench: &mut Bench) {
    let id = bench.waiting();
    bench.finish(id, Some(failed(1)), Next::Retry { due: bench.now });
    assert!(bench.change(Change::Abandon { id, at: bench.now, why: why() }));
    let found = bench.execution(id).await;
    assert_eq!((found.state, found.attempts), (State::Cancelled, 1));
    let attempts = bench.attempts(id).await;
    assert_eq!((attempts.len(), &attempts[0]), (2, &failed(1)));
    assert_eq!(attempts[1].outcome, Outcome::Failure(why()));
}

async fn only_what_is_open_is_abandoned(bench: &mut Bench) {
    let id = bench.waiting();
    bench.finish(id, Some(attempt(1, succeeded(1).outcome)), done(State::Success));
    let before = bench.execution(id).await;
    assert!(!bench.change(Change::Abandon { id, at: bench.now, why: why() }));
    assert_eq!(bench.execution(id).await, before);
    let unknown = ExecutionId { event: bench.event("lost").id, trigger: id.trigger };
    assert!(!bench.change(Change::Abandon { id: unknown, at: bench.now, why: why() }));
}
