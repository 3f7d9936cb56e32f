//! The decisions of a pool, without processes: workers are ends of socket pairs nobody reads.

use std::sync::Arc;

use bytes::Bytes;
use evoke_model::execution::RetryHint;
use evoke_model::{Code, LogLine, Millis, Timestamp};
use evoke_ports::LogSink;
use tokio::net::UnixStream;
use tokio::sync::oneshot;
use tokio::sync::oneshot::error::TryRecvError;

use super::control::{Cause, Control};
use super::frames::Violation;
use super::outbox::Outbox;
use super::state::{
    Admitted, Answer, Answered, Effect, Limits, NEVER, Order, State, Wants, Worker,
};
use crate::protocol::messages::CancelReason;
use crate::protocol::{Decoded, Frame, Kind};

const START: Timestamp = Timestamp::from_millis(1_795_000_000_000);
const LIMITS: Limits = Limits {
    concurrency: 2,
    min: 0,
    max: 2,
    queue: 1,
    idle: Millis::from_secs(60),
    grace: Millis::new(100),
    cancel_grace: Millis::new(5_000),
};

struct Nowhere;

impl LogSink for Nowhere {
    fn log(&self, _line: LogLine) {}
}

fn at(ms: u64) -> Timestamp {
    START.plus(Millis::new(ms))
}

fn worker(id: u64) -> Worker {
    let (ours, _theirs) = UnixStream::pair().unwrap();
    // A number no process has: what is killed here is nobody.
    let control = Arc::new(Control::new(i32::MAX as u32 - id as u32));
    Worker::new(id, Arc::new(Outbox::new(Arc::new(ours))), control, START)
}

struct Fixture {
    state: State,
    effects: Vec<Effect>,
    tickets: u64,
}

impl Fixture {
    fn new(workers: u64) -> Self {
        let mut fixture =
            Self { state: State::new(LIMITS, START), effects: Vec::new(), tickets: 0 };
        for id in 1..=workers {
            fixture.state.starting += 1;
            fixture.state.worker_up(worker(id), &mut fixture.effects);
        }
        fixture
    }

    fn order(&mut self, wants: Wants, deadline: Timestamp) -> (Order, oneshot::Receiver<Answer>) {
        self.tickets += 1;
        let (answer, answered) = oneshot::channel();
        let order = Order {
            ticket: self.tickets,
            frame: crate::protocol::frame::encode(Kind::Event, 0, b"{}"),
            wants,
            deadline,
            limit: Millis::from_secs(1),
            since: START,
            logs: Arc::new(Nowhere),
            answer,
        };
        (order, answered)
    }

    fn admit(&mut self, deadline: Timestamp) -> oneshot::Receiver<Answer> {
        let (order, answered) = self.order(Wants::Value, deadline);
        self.state.admit(order).map(|_| ()).unwrap();
        answered
    }

    /// The numbers of a worker's calls.
    fn calls(&mut self, index: usize) -> Vec<u32> {
        self.state.workers[index].calls.iter_mut().map(|(call, _)| call).collect()
    }

    fn receive(
        &mut self,
        id: u64,
        kind: Kind,
        call: u32,
        payload: &'static [u8],
    ) -> Result<(), Violation> {
        let payload = Bytes::from_static(payload);
        let mut batch = vec![Decoded::Frame(Frame { kind, call, payload })];
        let stray: Arc<dyn LogSink> = Arc::new(Nowhere);
        self.state.receive((id, at(1)), &mut batch, &stray, &mut self.effects)
    }

    fn tick(&mut self, ms: u64) -> Timestamp {
        self.state.tick(at(ms), &mut self.effects)
    }

    /// Answers what is to be answered; the rest is returned by name.
    fn apply(&mut self) -> Vec<&'static str> {
        let mut names = Vec::new();
        for effect in self.effects.drain(..) {
            match effect {
                Effect::Answer(to, answer) => drop(to.send(answer)),
                Effect::Log(..) => names.push("log"),
                Effect::Wake(_) => names.push("wake"),
                Effect::Kill(control, cause) => {
                    control.explain(cause);
                    names.push("kill");
                }
            }
        }
        names
    }
}

fn code(answered: &mut oneshot::Receiver<Answer>) -> Option<Code> {
    answered.try_recv().ok().and_then(Result::err).map(|failure| failure.code)
}

#[tokio::test]
async fn calls_go_to_the_worker_with_the_fewest_and_then_wait() {
    let mut it = Fixture::new(2);
    let places: Vec<String> = (0..6)
        .map(|_| {
            let (order, _) = it.order(Wants::Value, at(1_000));
            match it.state.admit(order) {
                Ok((Admitted::Alone(_), _)) => "alone".to_owned(),
                Ok((Admitted::Sent(_), _)) => "sent".to_owned(),
                Ok((Admitted::Queued, _)) => "queued".to_owned(),
                Err(failure) => failure.code.to_string(),
            }
        })
        .collect();
    assert_eq!(places, ["alone", "alone", "sent", "sent", "queued", "FN_007"]);
}

#[tokio::test]
async fn a_freed_place_goes_to_whoever_waits_and_still_wants() {
    let mut it = Fixture::new(1);
    let mut first = it.admit(at(1_000));
    let _second = it.admit(at(1_000));
    let gone = it.admit(at(1_000));
    let _waiting = it.admit(at(1_000));
    drop(gone);
    let call = it.calls(0)[0];
    assert_eq!(it.receive(1, Kind::Result, call, b"1"), Ok(()));
    it.apply();
    assert!(matches!(first.try_recv(), Ok(Ok(Answered::Value(_)))));
    assert_eq!((it.state.running(), it.state.waiting()), (2, 0));
}

#[tokio::test]
async fn a_late_call_is_answered_at_its_deadline_and_killed_for_after_the_grace() {
    let mut it = Fixture::new(1);
    let mut late = it.admit(at(50));
    let mut other = it.admit(at(10_000));
    assert_eq!(it.tick(0), at(50));
    assert_eq!(it.tick(50), at(150));
    assert_eq!(it.apply(), ["wake"]);
    assert_eq!(code(&mut late), Some(Code::FunctionTimeout));
    assert!(matches!(other.try_recv(), Err(TryRecvError::Empty)));
    let (order, _) = it.order(Wants::Value, at(10_000));
    assert!(matches!(it.state.admit(order), Ok((Admitted::Queued, _))), "it is under suspicion");
    it.tick(150);
    assert_eq!(it.apply(), ["kill"]);
    let failure = Cause::Timeout.failure();
    it.state.worker_down(1, &failure, &mut it.effects);
    it.apply();
    let failure = other.try_recv().unwrap().unwrap_err();
    assert_eq!(failure.retry, RetryHint::Elsewhere);
    assert_eq!(it.state.waiting(), 1, "what waits, waits for another worker");
}

#[tokio::test]
async fn a_late_call_that_ends_in_its_grace_saves_its_worker() {
    let mut it = Fixture::new(1);
    let _late = it.admit(at(50));
    it.tick(50);
    let call = it.calls(0)[0];
    assert_eq!(it.receive(1, Kind::Error, call, br#"{"message":"aborted"}"#), Ok(()));
    it.apply();
    it.tick(150);
    assert_eq!(it.apply(), [""; 0]);
    let (order, _) = it.order(Wants::Value, at(10_000));
    assert!(matches!(it.state.admit(order), Ok((Admitted::Alone(_), _))));
}

#[tokio::test]
async fn an_abandoned_call_keeps_its_place_until_its_deadline() {
    let mut it = Fixture::new(1);
    let _gone = it.admit(at(500));
    it.state.abandon(1, CancelReason::ClientGone, START, &mut it.effects);
    assert_eq!(it.apply(), ["wake"]);
    assert_eq!(it.state.running(), 1);
    it.tick(500);
    assert_eq!(it.apply(), [""; 0], "nobody is left to answer");
    it.tick(600);
    assert_eq!(it.apply(), ["kill"]);
}

#[tokio::test]
async fn a_cancelled_call_that_goes_on_takes_its_worker_with_it() {
    // Its own deadline may come before the end of its grace.
    for (deadline, killed) in [(60_000, 5_010), (1_000, 1_100)] {
        let mut it = Fixture::new(1);
        let _cancelled = it.admit(at(deadline));
        let mut other = it.admit(at(120_000));
        it.tick(0);
        it.state.abandon(1, CancelReason::Cancelled, at(10), &mut it.effects);
        assert_eq!(it.apply(), ["wake"]);
        assert!(it.tick(20) <= at(killed));
        let (order, _answered) = it.order(Wants::Value, at(120_000));
        assert!(matches!(it.state.admit(order), Ok((Admitted::Queued, _))), "it may not live");
        it.tick(killed - 1);
        assert_eq!(it.apply(), [""; 0]);
        it.tick(killed);
        assert_eq!(it.apply(), ["kill"]);
        let cause = it.state.workers[0].control.cause().unwrap();
        assert_eq!(cause, Cause::Cancelled);
        it.state.worker_down(1, &cause.failure(), &mut it.effects);
        it.apply();
        assert_eq!(other.try_recv().unwrap().unwrap_err().retry, RetryHint::Elsewhere);
    }
}

#[tokio::test]
async fn a_cancelled_call_that_stops_leaves_its_worker_as_it_was() {
    let mut it = Fixture::new(1);
    let _cancelled = it.admit(at(60_000));
    it.state.abandon(1, CancelReason::Cancelled, START, &mut it.effects);
    let call = it.calls(0)[0];
    assert_eq!(it.receive(1, Kind::Error, call, br#"{"message":"aborted"}"#), Ok(()));
    it.apply();
    it.tick(5_000);
    assert_eq!(it.apply(), [""; 0]);
    let (order, _) = it.order(Wants::Value, at(60_000));
    assert!(matches!(it.state.admit(order), Ok((Admitted::Alone(_), _))));
}

#[tokio::test]
async fn idle_workers_are_retired_but_for_the_minimum() {
    let mut it = Fixture::new(2);
    assert_eq!(it.tick(0), at(60_000));
    it.tick(60_000);
    assert_eq!(it.apply(), ["wake", "wake"]);
    assert_eq!(it.state.live(), 0);
    let next = it.tick(60_001);
    assert!(next > at(60_001) && next < at(70_000), "one that does not exit is looked at again");
    it.tick(70_000);
    assert_eq!(it.apply(), ["kill", "kill"]);

    let mut it = Fixture::new(2);
    it.state.limits.min = 2;
    assert_eq!(it.tick(60_000), NEVER);
    assert_eq!(it.apply(), [""; 0]);
}

#[tokio::test]
async fn frames_that_cannot_be_meant_are_violations() {
    let table: [(Kind, Wants); 5] = [
        (Kind::Result, Wants::Response),
        (Kind::Head, Wants::Value),
        (Kind::Chunk, Wants::Response),
        (Kind::End, Wants::Response),
        (Kind::Hello, Wants::Value),
    ];
    for (kind, wants) in table {
        let mut it = Fixture::new(1);
        let (order, _answered) = it.order(wants, at(1_000));
        it.state.admit(order).map(|_| ()).unwrap();
        let call = it.calls(0)[0];
        assert_eq!(it.receive(1, kind, call, b""), Err(Violation::Kind(kind)), "{kind:?}");
    }
}

#[tokio::test]
async fn frames_of_ended_calls_are_dropped() {
    let mut it = Fixture::new(1);
    let _answered = it.admit(at(1_000));
    let call = it.calls(0)[0];
    for kind in [Kind::Result, Kind::Result, Kind::Response, Kind::Chunk, Kind::End, Kind::Error] {
        assert_eq!(it.receive(1, kind, call, b""), Ok(()), "{kind:?}");
    }
    assert_eq!(it.state.running(), 0);
}

#[tokio::test]
async fn failed_starts_tell_those_who_wait_and_are_spaced_out() {
    let mut it = Fixture::new(0);
    let mut waiting = it.admit(at(10_000));
    let failure = evoke_model::Failure::new(Code::ColdStartTimeout, "too slow");
    it.state.starting = 1;
    it.state.start_failed(&failure, START, &mut it.effects);
    it.apply();
    assert_eq!(code(&mut waiting), Some(Code::ColdStartTimeout));
    assert!(!it.state.may_start(at(199)) && it.state.may_start(at(200)));
    let _next = it.admit(at(10_000));
    assert_eq!(it.tick(0), at(200), "the next try is at the end of the pause");
}
