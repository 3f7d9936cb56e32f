//! Ends of attempts.

use bytes::Bytes;
use evoke_model::{Code, Data, ExecutionId, Failure, Millis, Outcome, State};
use evoke_ports::store::{Finish, Next, Receipt, Write};

use super::bench::{Bench, attempt, done, failed, rich_attempt, succeeded};
use super::{Harness, bench};

pub(super) async fn run<H: Harness>(harness: &H) {
    an_attempt_is_read_back(&mut bench(harness).1).await;
    a_retry_keeps_the_failed_attempt(&mut bench(harness).1).await;
    what_is_final_stays(&mut bench(harness).1).await;
    the_stale_ones_of_many_are_named(&mut bench(harness).1).await;
    nothing_needs_to_have_run(&mut bench(harness).1).await;
}

async fn an_attempt_is_read_back(bench: &mut Bench) {
    let json = Data::Json(Bytes::from_static(b"{\"total\": 3}"));
    let late = Failure { stack: Some("at index.js:3".to_owned()), ..failure() };
    let cases = [
        (State::Success, Outcome::Success(Data::None)),
        (State::Success, Outcome::Success(json)),
        (State::Success, Outcome::Success(Data::Text(Bytes::from_static(b"fine")))),
        (State::Success, Outcome::Success(Data::Binary(Bytes::from_static(&[0, 159])))),
        (State::Failed, Outcome::Failure(failure().for_good())),
        (State::TimedOut, Outcome::TimedOut(late)),
        (State::Cancelled, Outcome::Cancelled),
    ];
    for (state, outcome) in cases {
        for last in [attempt(1, outcome.clone()), rich_attempt(attempt(1, outcome.clone()))] {
            let id = bench.waiting();
            assert!(!bench.finish(id, Some(last.clone()), done(state)), "{id} was waiting");
            let found = bench.execution(id).await;
            assert_eq!((found.state, found.attempts, found.due), (state, 1, bench.now));
            assert_eq!(found.last.as_ref(), Some(&last));
            assert_eq!(bench.attempts(id).await, [last]);
            assert!(bench.due(id.trigger).await.is_empty(), "{state:?} waits");
        }
    }
}

fn failure() -> Failure {
    Failure::new(Code::FunctionTimeout, "it took \"too\" long")
}

async fn a_retry_keeps_the_failed_attempt(bench: &mut Bench) {
    let id = bench.waiting();
    let due = bench.now.plus(Millis::from_secs(5));
    let attempts = [rich_attempt(failed(1)), failed(2), rich_attempt(succeeded(3))];

    assert!(!bench.finish(id, Some(attempts[0].clone()), Next::Retry { due }));
    let found = bench.execution(id).await;
    assert_eq!((found.state, found.attempts, found.due), (State::Pending, 1, due));
    assert_eq!(found.last.as_ref(), Some(&attempts[0]));
    assert_eq!(bench.attempts(id).await, attempts[..1]);
    let waiting = bench.due(id.trigger).await;
    assert_eq!((waiting.len(), waiting[0].due, waiting[0].attempts), (1, due, 1));

    assert!(!bench.finish(id, Some(attempts[1].clone()), Next::Retry { due }));
    assert_eq!(bench.attempts(id).await, attempts[..2]);
    assert!(!bench.finish(id, Some(attempts[2].clone()), done(State::Success)));
    let found = bench.execution(id).await;
    assert_eq!((found.state, found.attempts, found.due), (State::Success, 3, due));
    assert_eq!(found.last.as_ref(), Some(&attempts[2]));
    assert_eq!(bench.attempts(id).await, attempts);
}

async fn what_is_final_stays(bench: &mut Bench) {
    for state in [State::Success, State::Failed, State::TimedOut, State::Cancelled] {
        let id = bench.waiting();
        bench.finish(id, Some(succeeded(1)), done(state));
        let before = bench.execution(id).await;
        let due = bench.now.plus(Millis::from_secs(5));
        assert!(bench.finish(id, Some(failed(2)), done(State::Failed)));
        assert!(bench.finish(id, Some(rich_attempt(failed(2))), Next::Retry { due }));
        assert!(bench.finish(id, None, done(State::Cancelled)));
        assert!(bench.finish(id, None, Next::Retry { due }));
        assert_eq!(bench.execution(id).await, before);
        assert_eq!(bench.attempts(id).await.len(), 1);
    }
    let unknown = ExecutionId { event: bench.event("lost").id, trigger: bench.trigger() };
    assert!(bench.finish(unknown, Some(succeeded(1)), done(State::Success)));
    assert!(bench.finish(unknown, None, done(State::Cancelled)));
}

async fn the_stale_ones_of_many_are_named(bench: &mut Bench) {
    let (over, waiting) = (bench.waiting(), bench.waiting());
    let unknown = ExecutionId { event: bench.event("lost").id, trigger: bench.trigger() };
    bench.finish(over, Some(succeeded(1)), done(State::Success));
    let finish =
        |id| Finish { id, attempt: Some(succeeded(1)), next: done(State::Success), cause: None };
    let many = vec![finish(over), finish(waiting), finish(unknown), finish(waiting)];
    let receipt = bench.commit(Write::Finish(many));
    assert_eq!(receipt, Receipt::Finished { stale: vec![over, unknown, waiting] });
}

async fn nothing_needs_to_have_run(bench: &mut Bench) {
    let (cancelled, moved) = (bench.waiting(), bench.waiting());
    assert!(!bench.finish(cancelled, None, done(State::Cancelled)));
    let found = bench.execution(cancelled).await;
    assert_eq!((found.state, found.attempts, found.last), (State::Cancelled, 0, None));
    assert!(bench.finish(cancelled, Some(failed(1)), done(State::Failed)), "it was cancelled");
    assert!(bench.finish(cancelled, Some(succeeded(1)), done(State::Success)));
    assert_eq!(bench.execution(cancelled).await.state, State::Cancelled);
    assert_eq!(bench.attempts(cancelled).await, []);

    let due = bench.now.plus(Millis::from_secs(5));
    bench.finish(moved, Some(failed(1)), Next::Retry { due: bench.now });
    assert!(!bench.finish(moved, None, Next::Retry { due }));
    let found = bench.execution(moved).await;
    assert_eq!((found.state, found.attempts, found.due), (State::Pending, 1, due));
    assert_eq!(found.last, Some(failed(1)));
    assert!(!bench.finish(moved, None, done(State::Cancelled)));
    assert_eq!(bench.execution(moved).await.last, Some(failed(1)));
}
