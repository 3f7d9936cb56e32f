//! Random writes that hit one another: few triggers, few keys, executions picked from those there
//! are.

use std::sync::Arc;

use bytes::Bytes;
use evoke_model::execution::Level;
use evoke_model::{
    Attempt, Code, Data, Event, EventId, ExecutionId, Failure, IdSource, LogLine, Millis, Outcome,
    State, Timestamp, TriggerId,
};
use evoke_ports::store::{Change, Finish, Ingest, NewExecution, Next, OnceKey, Write};
use proptest::prelude::*;

/// One write, with the executions it is about picked by number.
#[derive(Debug, Clone)]
pub enum Operation {
    Ingest(Vec<NewEvent>),
    Finish(Vec<(usize, Option<Ended>, Then)>),
    Reopen(usize, u64),
    Abandon(usize),
    /// An event under an id that is taken: the batch is refused.
    Collide(usize),
    /// Time goes on by so many seconds.
    Wait(u64),
}

#[derive(Debug, Clone)]
pub struct NewEvent {
    kind: u8,
    rich: bool,
    keys: Vec<u8>,
    ttl: u64,
    /// The triggers, the due time in seconds, whether it is over, whether it is a test.
    executions: Vec<(u8, u64, Option<Ended>, bool)>,
}

#[derive(Debug, Clone, Copy)]
pub enum Ended {
    Well,
    WithOutput,
    Badly,
    Late,
    Cancelled,
}

#[derive(Debug, Clone, Copy)]
pub enum Then {
    Done(State),
    Retry(u64),
}

/// A batch of operations.
pub fn operations() -> impl Strategy<Value = Vec<Operation>> {
    let operation = prop_oneof![
        5 => prop::collection::vec(new_event(), 0..4).prop_map(Operation::Ingest),
        5 => prop::collection::vec((0..40_usize, prop::option::of(ended()), then()), 0..5)
            .prop_map(Operation::Finish),
        2 => (0..40_usize, 0..9_u64).prop_map(|(which, due)| Operation::Reopen(which, due)),
        2 => (0..40_usize).prop_map(Operation::Abandon),
        1 => (0..400_usize).prop_map(Operation::Collide),
        1 => (1..40_u64).prop_map(Operation::Wait),
    ];
    prop::collection::vec(operation, 0..8)
}

fn new_event() -> impl Strategy<Value = NewEvent> {
    let execution = (0..3_u8, 0..9_u64, prop::option::weighted(0.2, ended()), any::<bool>());
    let keys = prop::collection::vec(0..4_u8, 0..3);
    (0..4_u8, any::<bool>(), keys, 1..60_u64, prop::collection::vec(execution, 0..4)).prop_map(
        |(kind, rich, keys, ttl, executions)| NewEvent { kind, rich, keys, ttl, executions },
    )
}

fn ended() -> impl Strategy<Value = Ended> {
    prop_oneof![
        Just(Ended::Well),
        Just(Ended::WithOutput),
        Just(Ended::Badly),
        Just(Ended::Late),
        Just(Ended::Cancelled)
    ]
}

fn then() -> impl Strategy<Value = Then> {
    let last = vec![State::Success, State::Failed, State::TimedOut, State::Cancelled];
    prop_oneof![prop::sample::select(last).prop_map(Then::Done), (0..9_u64).prop_map(Then::Retry)]
}

/// What was asked for so far: the ids to pick from.
pub struct World {
    pub now: Timestamp,
    pub executions: Vec<ExecutionId>,
    pub events: Vec<EventId>,
    ids: IdSource,
}

impl World {
    pub fn new() -> Self {
        let now = Timestamp::from_micros(1_795_000_000_000_000);
        Self { now, executions: Vec::new(), events: Vec::new(), ids: IdSource::new(0, 0) }
    }

    /// The trigger of this number.
    pub fn trigger(number: u8) -> TriggerId {
        TriggerId::from_u64(u64::from(number) + 1)
    }

    /// The text of the key of this number.
    pub fn key(number: u8) -> String {
        format!("key\0{number}")
    }

    /// The writes of some operations.
    pub fn batch(&mut self, operations: &[Operation]) -> Vec<Write> {
        operations.iter().filter_map(|operation| self.write(operation)).collect()
    }

    fn pick(&self, which: usize) -> ExecutionId {
        let unknown = ExecutionId { event: EventId::from_u64(1), trigger: TriggerId::from_u64(1) };
        match self.executions.len() {
            0 => unknown,
            // The newest, which are the likeliest to be open.
            len => self.executions[len - 1 - which % len],
        }
    }

    fn write(&mut self, operation: &Operation) -> Option<Write> {
        match operation {
            Operation::Ingest(events) => Some(Write::Ingest(self.ingest(events))),
            Operation::Finish(finishes) => {
                let finishes = finishes.iter().map(|finish| self.finish(finish));
                Some(Write::Finish(finishes.collect()))
            }
            Operation::Reopen(which, due) => {
                let due = self.now.plus(Millis::from_secs(*due));
                Some(Write::Change(Change::Reopen { id: self.pick(*which), due, redirect: None }))
            }
            Operation::Abandon(which) => {
                let why = Failure::new(Code::ExecutionCancelled, "given up");
                let id = self.pick(*which);
                Some(Write::Change(Change::Abandon { id, at: self.now, why }))
            }
            Operation::Collide(which) => {
                let id = *self.events.get(*which)?;
                let event = Event { id, ..self.event(0) };
                Some(Write::Ingest(Ingest { events: vec![Arc::new(event)], ..Ingest::default() }))
            }
            Operation::Wait(seconds) => {
                self.now = self.now.plus(Millis::from_secs(*seconds));
                None
            }
        }
    }

    fn event(&self, kind: u8) -> Event {
        Event {
            id: self.ids.event(self.now),
            sender_id: None,
            source: format!("/source/{}", kind % 2).into(),
            kind: ["order.paid", "order.sent", "user.created", "order"][usize::from(kind)].into(),
            subject: (kind == 3).then(|| "subject".into()),
            time: self.now,
            content_type: None,
            data_schema: None,
            data: Data::None,
            extensions: None,
            lineage: None,
            traceparent: None,
            ordering_key: None,
            due: None,
            is_test_run: false,
            replay_of: None,
        }
    }

    fn ingest(&mut self, events: &[NewEvent]) -> Ingest {
        let mut ingest = Ingest::default();
        for (index, new) in events.iter().enumerate() {
            let mut event = self.event(new.kind);
            if new.rich {
                event = evoke_testkit::conformance::store::rich_event(event);
            }
            for (trigger, due, over, is_test_run) in &new.executions {
                let id = ExecutionId { event: event.id, trigger: Self::trigger(*trigger) };
                let over = over.map(|ended| self.attempt(1, ended));
                let due = self.now.plus(Millis::from_secs(*due));
                self.executions.push(id);
                ingest.executions.push(NewExecution {
                    id,
                    due,
                    order_key: new.rich.then(|| "order".into()),
                    concurrency_key: None,
                    done: over.map(|attempt| Box::new((State::Failed, attempt))),
                    is_test_run: *is_test_run,
                    is_replay: false,
                    once: None,
                    redirect: None,
                });
            }
            let expires = self.now.plus(Millis::from_secs(new.ttl));
            let keys = new.keys.iter().map(|key| Self::key(*key).into());
            ingest.once.extend(keys.map(|key| OnceKey { event: index, key, expires }));
            self.events.push(event.id);
            ingest.events.push(Arc::new(event));
        }
        ingest
    }

    fn finish(&self, (which, ended, then): &(usize, Option<Ended>, Then)) -> Finish {
        let next = match then {
            Then::Done(state) => Next::Done(*state),
            Then::Retry(due) => Next::Retry { due: self.now.plus(Millis::from_secs(*due)) },
        };
        let number = *which as u32 % 5 + 1;
        let attempt = ended.map(|ended| self.attempt(number, ended));
        Finish { id: self.pick(*which), attempt, next, cause: None }
    }

    fn attempt(&self, number: u32, ended: Ended) -> Attempt {
        let failure = || Failure::new(Code::FunctionError, format!("attempt {number}"));
        let outcome = match ended {
            Ended::Well => Outcome::Success(Data::None),
            Ended::WithOutput => Outcome::Success(Data::Json(Bytes::from_static(b"[1]"))),
            Ended::Badly => Outcome::Failure(failure()),
            Ended::Late => Outcome::TimedOut(failure()),
            Ended::Cancelled => Outcome::Cancelled,
        };
        let line = LogLine { time: self.now, level: Level::Warn, message: "so".to_owned() };
        let logs = if number.is_multiple_of(2) { vec![line] } else { Vec::new() };
        let finished_at = self.now.plus(Millis::new(5));
        Attempt { number, started_at: self.now, finished_at, outcome, logs, version: number }
    }
}
