//! Random writes that hit one another: few triggers, few keys, executions picked from those there
//! are.

use std::sync::Arc;

use bytes::Bytes;
use evoke_model::execution::Level;
use evoke_model::operation::{OperationKind, OperationStatus, Progress};
use evoke_model::{
    Attempt, AuditId, Cause, Code, Data, Event, EventId, ExecutionId, Failure, IdSource, Lineage,
    LogLine, Millis, OperationId, Outcome, Redirect, SegmentId, State, Timestamp, TriggerId,
};
use evoke_ports::store::{
    AuditEntry, Change, Cursor, Finish, Holds, Ingest, NewExecution, Next, OnceKey, Removal,
    Segment, SegmentInfo, Spent, TriggerKey, Write,
};
use proptest::prelude::*;
use serde_json::json;

/// One write, with the executions it is about picked by number.
#[derive(Debug, Clone)]
pub enum Operation {
    Ingest(Vec<NewEvent>),
    Finish(Vec<(usize, Option<Ended>, Then)>),
    /// Of an execution: when it is due, and where it goes.
    Reopen(usize, u64, Option<u8>),
    Abandon(usize),
    Edit(usize, u8),
    Discard(Vec<usize>),
    /// Events and executions leave the record.
    Remove(Vec<usize>, Vec<usize>),
    /// The same, into the archive.
    Archive(Vec<usize>, Vec<usize>),
    RemoveSegment(u8),
    Audit(u8),
    Ask(u8),
    Spend(Vec<(u8, u64)>),
    Stand(u8, Option<u64>),
    Unstand(u8),
    /// Several as one.
    All(Vec<Operation>),
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
    executions: Vec<Planned>,
    /// Of which event it came, by number.
    root: Option<usize>,
}

#[derive(Debug, Clone)]
pub struct Planned {
    trigger: u8,
    /// In seconds.
    due: u64,
    over: Option<Ended>,
    is_test_run: bool,
    is_replay: bool,
    ordered: Option<u8>,
    /// A key its trigger takes once.
    once: Option<u8>,
    redirect: Option<u8>,
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
    /// With this cause.
    Dead(State, u64),
    Retry(u64),
}

/// A batch of operations.
pub fn operations() -> impl Strategy<Value = Vec<Operation>> {
    let one = operation();
    let all = prop::collection::vec(operation(), 0..4).prop_map(Operation::All);
    prop::collection::vec(prop_oneof![8 => one, 1 => all], 0..8)
}

fn operation() -> impl Strategy<Value = Operation> {
    let some = || prop::collection::vec(0..40_usize, 0..6);
    prop_oneof![
        5 => prop::collection::vec(new_event(), 0..4).prop_map(Operation::Ingest),
        5 => prop::collection::vec((0..40_usize, prop::option::of(ended()), then()), 0..5)
            .prop_map(Operation::Finish),
        2 => (0..40_usize, 0..9_u64, prop::option::of(0..3_u8))
            .prop_map(|(which, due, to)| Operation::Reopen(which, due, to)),
        1 => (0..40_usize, 0..3_u8).prop_map(|(which, data)| Operation::Edit(which, data)),
        1 => some().prop_map(Operation::Discard),
        1 => (some(), some()).prop_map(|(events, of)| Operation::Remove(events, of)),
        1 => (some(), some()).prop_map(|(events, of)| Operation::Archive(events, of)),
        1 => (0..9_u8).prop_map(Operation::RemoveSegment),
        1 => (0..9_u8).prop_map(Operation::Audit),
        1 => (0..4_u8).prop_map(Operation::Ask),
        1 => prop::collection::vec((0..9_u8, 0..60_u64), 0..4).prop_map(Operation::Spend),
        1 => (0..4_u8, prop::option::of(0..60_u64))
            .prop_map(|(trigger, next)| Operation::Stand(trigger, next)),
        1 => (0..4_u8).prop_map(Operation::Unstand),
        2 => (0..40_usize).prop_map(Operation::Abandon),
        1 => (0..400_usize).prop_map(Operation::Collide),
        1 => (1..40_u64).prop_map(Operation::Wait),
    ]
}

fn new_event() -> impl Strategy<Value = NewEvent> {
    let keys = prop::collection::vec(0..4_u8, 0..3);
    let executions = prop::collection::vec(planned(), 0..4);
    let root = prop::option::weighted(0.3, 0..9_usize);
    (0..4_u8, any::<bool>(), keys, 1..60_u64, executions, root).prop_map(
        |(kind, rich, keys, ttl, executions, root)| NewEvent {
            kind,
            rich,
            keys,
            ttl,
            executions,
            root,
        },
    )
}

fn planned() -> impl Strategy<Value = Planned> {
    let over = prop::option::weighted(0.2, ended());
    let flags = (any::<bool>(), any::<bool>());
    let ordered = prop::option::of(0..2_u8);
    let rare = || prop::option::weighted(0.2, 0..2_u8);
    (0..3_u8, 0..9_u64, over, flags, ordered, rare(), rare()).prop_map(
        |(trigger, due, over, (is_test_run, is_replay), ordered, once, redirect)| Planned {
            trigger,
            due,
            over,
            is_test_run,
            is_replay,
            ordered,
            once,
            redirect,
        },
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
    let dead = prop::sample::select(vec![State::Failed, State::TimedOut]);
    prop_oneof![
        prop::sample::select(last).prop_map(Then::Done),
        (dead, 0..3_u64).prop_map(|(state, cause)| Then::Dead(state, cause)),
        (0..9_u64).prop_map(Then::Retry),
    ]
}

/// What was asked for so far: the ids to pick from.
pub struct World {
    pub now: Timestamp,
    pub executions: Vec<ExecutionId>,
    pub events: Vec<EventId>,
    ids: IdSource,
    /// Of the batch that is being made: whether events leave the record in it.
    removes: bool,
}

impl World {
    pub fn new() -> Self {
        let now = Timestamp::from_micros(1_795_000_000_000_000);
        Self {
            now,
            executions: Vec::new(),
            events: Vec::new(),
            ids: IdSource::new(0, 0),
            removes: false,
        }
    }

    /// The trigger of this number.
    pub fn trigger(number: u8) -> TriggerId {
        TriggerId::from_u64(u64::from(number) + 1)
    }

    /// The text of the key of this number.
    pub fn key(number: u8) -> String {
        format!("key\0{number}")
    }

    /// The text of the order key of this number.
    pub fn order_key(number: u8) -> String {
        format!("order-{number}")
    }

    /// The writes of some operations.
    pub fn batch(&mut self, operations: &[Operation]) -> Vec<Write> {
        self.removes = false;
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
            Operation::All(operations) => {
                let writes = operations.iter().filter_map(|operation| self.write(operation));
                Some(Write::All(writes.collect()))
            }
            Operation::Collide(which) => {
                // One store looks at the whole batch before it writes any of it, so that only
                // there an event that leaves is in the way of another.
                let id = *self.events.get(*which).filter(|_| !self.removes)?;
                let event = Event { id, ..self.event(0) };
                Some(Write::Ingest(Ingest { events: vec![Arc::new(event)], ..Ingest::default() }))
            }
            Operation::Wait(seconds) => {
                self.now = self.now.plus(Millis::from_secs(*seconds));
                None
            }
            other => self.change(other).map(Write::from),
        }
    }

    fn change(&mut self, operation: &Operation) -> Option<Change> {
        let id = |which: &usize| self.pick(*which);
        Some(match operation {
            Operation::Reopen(which, due, to) => {
                let due = self.now.plus(Millis::from_secs(*due));
                Change::Reopen { id: id(which), due, redirect: to.map(redirect) }
            }
            Operation::Abandon(which) => {
                let why = Failure::new(Code::ExecutionCancelled, "given up");
                Change::Abandon { id: id(which), at: self.now, why }
            }
            Operation::Edit(which, number) => {
                let data = Data::from_tag(*number, Bytes::from_static(b"7"));
                Change::Edit { id: id(which), data }
            }
            Operation::Discard(which) => Change::Discard(which.iter().map(id).collect()),
            Operation::Remove(events, executions) => {
                Change::Remove(self.removal(events, executions))
            }
            Operation::Archive(events, executions) => {
                let removes = self.removal(events, executions);
                Change::Archive(self.segment(removes))
            }
            Operation::RemoveSegment(number) => {
                Change::RemoveSegments(vec![SegmentId::from_u64(u64::from(*number))])
            }
            Operation::Audit(number) => Change::Audit(self.audit(*number)),
            Operation::Ask(number) => Change::Operation(self.operation(*number)),
            Operation::Stand(trigger, next) => {
                let next = next.map(|seconds| self.now.plus(Millis::from_secs(seconds)));
                let trigger = Self::trigger(*trigger);
                Change::Cursors(vec![Cursor { trigger, next, state: json!({ "at": self.now }) }])
            }
            Operation::Unstand(trigger) => Change::RemoveCursors(vec![Self::trigger(*trigger)]),
            Operation::Spend(spent) => {
                let spent = spent.iter().map(|(number, seconds)| Spent {
                    owner: format!("trg_{}", number % 2).into(),
                    key: format!("{number}").into(),
                    until: self.now.plus(Millis::from_secs(*seconds)),
                });
                Change::Spend(spent.collect())
            }
            _ => return None,
        })
    }

    fn removal(&mut self, events: &[usize], executions: &[usize]) -> Removal {
        self.removes = true;
        Removal {
            events: events.iter().filter_map(|which| self.events.get(*which).copied()).collect(),
            executions: executions.iter().map(|which| self.pick(*which)).collect(),
        }
    }

    fn segment(&self, removes: Removal) -> Segment {
        let number = removes.events.len() as u64 + 3 * (removes.executions.len() as u64 % 3);
        let content = Bytes::from(vec![number as u8; 100 * number as usize]);
        let info = SegmentInfo {
            id: SegmentId::from_u64(number),
            holds: if number.is_multiple_of(2) { Holds::Events } else { Holds::Executions },
            class: format!("{number}").into(),
            first: EventId::from_u64(number % 4),
            last: EventId::from_u64(number),
            items: number as u32,
            bytes: content.len() as u64,
        };
        Segment { info, content, removes }
    }

    fn audit(&self, number: u8) -> AuditEntry {
        AuditEntry {
            id: AuditId::from_u64(u64::from(number)),
            actor: "local".to_owned(),
            action: ["trigger.enable", "trigger.disable"][usize::from(number % 2)].to_owned(),
            subject: format!("trg_{}", number % 3),
            detail: json!({ "at": self.now }),
        }
    }

    fn operation(&self, number: u8) -> evoke_model::Operation {
        evoke_model::Operation {
            id: OperationId::from_u64(u64::from(number)),
            kind: OperationKind::Replay,
            status: OperationStatus::Running,
            request: json!({ "type": "order.*" }),
            progress: Progress::default(),
            cursor: None,
            actor: "local".to_owned(),
            reason: None,
            created_at: self.now,
            updated_at: self.now,
            ended_at: None,
        }
    }

    fn event(&self, kind: u8) -> Event {
        let (source, is_last) = (format!("/source/{}", kind % 2), kind == 3);
        let kind = ["order.paid", "order.sent", "user.created", "order"][usize::from(kind)];
        Event {
            subject: is_last.then(|| "subject".into()),
            time: self.now,
            ..evoke_testkit::plain_event(self.ids.event(self.now), &source, kind)
        }
    }

    fn ingest(&mut self, events: &[NewEvent]) -> Ingest {
        let mut ingest = Ingest::default();
        for (index, new) in events.iter().enumerate() {
            let mut event = self.event(new.kind);
            if new.rich {
                event = evoke_testkit::conformance::store::rich_event(event);
            }
            if let Some(root) = new.root.and_then(|root| self.events.get(root)) {
                let lineage = Lineage { root: Some(*root), ..Lineage::default() };
                event.lineage = Some(Box::new(lineage));
            }
            for planned in &new.executions {
                let execution = self.planned(event.id, planned);
                self.executions.push(execution.id);
                ingest.executions.push(execution);
            }
            let expires = self.now.plus(Millis::from_secs(new.ttl));
            let keys = new.keys.iter().map(|key| Self::key(*key).into());
            ingest.once.extend(keys.map(|key| OnceKey { event: index, key, expires }));
            self.events.push(event.id);
            ingest.events.push(Arc::new(event));
        }
        ingest
    }

    fn planned(&self, event: EventId, planned: &Planned) -> NewExecution {
        let trigger = Self::trigger(planned.trigger);
        let given_up = Failure::new(Code::ExecutionCancelled, "taken already");
        let skipped =
            Attempt { outcome: Outcome::Failure(given_up), ..self.attempt(1, Ended::Badly) };
        let once = planned.once.map(|key| TriggerKey {
            key: format!("trigger\0{trigger}\0{key}").into(),
            expires: self.now.plus(Millis::from_secs(20)),
            skipped: (State::Cancelled, skipped),
        });
        let over = planned.over.map(|ended| self.attempt(1, ended));
        NewExecution {
            id: ExecutionId { event, trigger },
            due: self.now.plus(Millis::from_secs(planned.due)),
            order_key: planned.ordered.map(|key| Self::order_key(key).into()),
            concurrency_key: None,
            done: over.map(|attempt| Box::new((State::Failed, attempt))),
            is_test_run: planned.is_test_run,
            is_replay: planned.is_replay,
            once: once.map(Box::new),
            redirect: planned.redirect.map(|number| Box::new(redirect(number))),
        }
    }

    fn finish(&self, (which, ended, then): &(usize, Option<Ended>, Then)) -> Finish {
        let (next, cause) = match then {
            Then::Done(state) => (Next::Done(*state), None),
            Then::Dead(state, cause) => (Next::Done(*state), Some(Cause(*cause))),
            Then::Retry(due) => {
                (Next::Retry { due: self.now.plus(Millis::from_secs(*due)) }, Some(Cause(9)))
            }
        };
        let number = *which as u32 % 5 + 1;
        let attempt = ended.map(|ended| self.attempt(number, ended));
        Finish { id: self.pick(*which), attempt, next, cause }
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

fn redirect(number: u8) -> Redirect {
    Redirect { function: format!("f{number}").into(), version: None }
}
