//! The fixtures of the suite: a store with its writer, and values to write.

use std::sync::Arc;

use bytes::Bytes;
use evoke_model::event::Attribute;
use evoke_model::execution::Level;
use evoke_model::{
    Attempt, Cause, Code, Data, Event, EventId, Execution, ExecutionId, Failure, IdSource, Lineage,
    LogLine, Millis, Outcome, State, Timestamp, TriggerId,
};
use evoke_ports::store::{
    Change, Due, Finish, Ingest, NewExecution, Next, OnceKey, Receipt, Waiting, Write,
};
use evoke_ports::{Store, Writer};

/// A store, its writer and a clock that stands still until it is moved.
pub struct Bench {
    /// The store.
    pub store: Arc<dyn Store>,
    /// Its writer.
    pub writer: Box<dyn Writer>,
    /// The instant at which events are made.
    pub now: Timestamp,
    ids: IdSource,
}

impl Bench {
    /// Takes the writer of a store. Ids go on from the newest that `now` allows.
    pub fn new(store: Arc<dyn Store>) -> Self {
        let writer = store.writer().expect("the writer of a store that was just opened");
        let now = Timestamp::from_micros(1_795_000_000_000_000);
        Self { store, writer, now, ids: IdSource::new(0, 0) }
    }

    /// A trigger's id.
    pub fn trigger(&self) -> TriggerId {
        self.ids.trigger(self.now)
    }

    /// An event with nothing but what every event has.
    pub fn event(&self, kind: &str) -> Event {
        Event {
            time: self.now,
            data: Data::Json(Bytes::from_static(b"{\"n\":1}")),
            ..crate::plain_event(self.ids.event(self.now), "/suite", kind)
        }
    }

    /// Commits one write.
    pub fn commit(&mut self, write: Write) -> Receipt {
        let mut receipts = self.writer.commit(&[write]).expect("a batch of one write");
        assert_eq!(receipts.len(), 1, "one write was answered {} times", receipts.len());
        receipts.remove(0)
    }

    /// Commits events with one execution each, due now.
    pub fn ingest(&mut self, events: &[Event], trigger: TriggerId) {
        let executions = events.iter().map(|event| pending(event, trigger, self.now)).collect();
        self.ingest_planned(events, executions);
    }

    /// Commits events with these executions.
    pub fn ingest_planned(&mut self, events: &[Event], executions: Vec<NewExecution>) {
        let events = events.iter().cloned().map(Arc::new).collect();
        let receipt = self.commit(Write::Ingest(Ingest { events, executions, once: Vec::new() }));
        assert_eq!(receipt, ingested());
    }

    /// Commits one event under keys, with one execution; answers the event that stands.
    pub fn ingest_once(&mut self, event: &Event, keys: &[(&str, Timestamp)]) -> Option<EventId> {
        let trigger = TriggerId::from_u64(1);
        let write = Write::Ingest(Ingest {
            events: vec![Arc::new(event.clone())],
            executions: vec![pending(event, trigger, self.now)],
            once: keys.iter().map(|(key, expires)| once(0, key, *expires)).collect(),
        });
        match self.commit(write) {
            Receipt::Ingested { duplicates, .. } => match duplicates.as_slice() {
                [] => None,
                [(0, standing)] => Some(*standing),
                other => panic!("one event was answered with {other:?}"),
            },
            other => panic!("an ingest was answered with {other:?}"),
        }
    }

    /// An event with one execution that waits.
    pub fn waiting(&mut self) -> ExecutionId {
        let event = self.event("suite.waiting");
        let trigger = self.trigger();
        self.ingest(std::slice::from_ref(&event), trigger);
        ExecutionId { event: event.id, trigger }
    }

    /// Ends an attempt; answers whether the execution was stale.
    pub fn finish(&mut self, id: ExecutionId, attempt: Option<Attempt>, next: Next) -> bool {
        self.end(Finish { id, attempt, next, cause: None })
    }

    /// Fails an execution for good, which makes a dead letter of it.
    pub fn bury(&mut self, id: ExecutionId, state: State, cause: Cause) {
        let finish = Finish { id, attempt: Some(failed(1)), next: done(state), cause: Some(cause) };
        assert!(!self.end(finish), "{id} was final");
    }

    fn end(&mut self, finish: Finish) -> bool {
        match self.commit(Write::Finish(vec![finish])) {
            Receipt::Finished { stale } => !stale.is_empty(),
            other => panic!("a finish was answered with {other:?}"),
        }
    }

    /// Makes a change; answers whether there was anything to change.
    pub fn change(&mut self, change: Change) -> bool {
        match self.commit(Write::from(change)) {
            Receipt::Changed(changed) => changed,
            other => panic!("a change was answered with {other:?}"),
        }
    }

    /// Reads an execution that must be there.
    pub async fn execution(&self, id: ExecutionId) -> Execution {
        let found = self.store.executions().execution(id).await.expect("read an execution");
        found.unwrap_or_else(|| panic!("execution {id} is not there"))
    }

    /// Reads the attempts of an execution.
    pub async fn attempts(&self, id: ExecutionId) -> Vec<Attempt> {
        self.store.executions().attempts(id).await.expect("read attempts")
    }

    /// Reads an event.
    pub async fn stored_event(&self, id: EventId) -> Option<Event> {
        let found = self.store.events().event(id).await.expect("read an event");
        found.map(|event| Event::clone(&event))
    }

    /// Reads what waits for a trigger, whenever it is due.
    pub async fn due(&self, trigger: TriggerId) -> Vec<Waiting> {
        let query = due(trigger);
        self.store.executions().due(query).await.expect("read due executions")
    }
}

/// Everything that waits for a trigger.
pub fn due(trigger: TriggerId) -> Due {
    let until = Timestamp::from_micros(i64::MAX);
    Due { trigger, after: None, until, order_key: None, limit: 1_000 }
}

/// A key for the event at `index` of its ingest.
pub fn once(index: usize, key: &str, expires: Timestamp) -> OnceKey {
    OnceKey { event: index, key: key.into(), expires }
}

/// An execution of an event that waits.
pub fn pending(event: &Event, trigger: TriggerId, due: Timestamp) -> NewExecution {
    NewExecution {
        id: ExecutionId { event: event.id, trigger },
        due,
        order_key: None,
        concurrency_key: None,
        done: None,
        is_test_run: false,
        is_replay: false,
        once: None,
        redirect: None,
    }
}

/// The answer to an ingest in which everything was new.
pub fn ingested() -> Receipt {
    Receipt::Ingested { duplicates: Vec::new(), skipped: Vec::new() }
}

/// An attempt that ended so, without a word.
pub fn attempt(number: u32, outcome: Outcome) -> Attempt {
    let started_at = Timestamp::from_micros(1_795_000_001_000_000 + i64::from(number));
    let finished_at = started_at.plus(Millis::new(250));
    Attempt { number, started_at, finished_at, outcome, logs: Vec::new(), version: 1 }
}

/// An attempt that failed.
pub fn failed(number: u32) -> Attempt {
    let failure = Failure::new(Code::FunctionError, format!("attempt {number} threw"));
    attempt(number, Outcome::Failure(failure))
}

/// An attempt that worked and gave nothing.
pub fn succeeded(number: u32) -> Attempt {
    attempt(number, Outcome::Success(Data::None))
}

/// The final end of an execution.
pub fn done(state: State) -> Next {
    Next::Done(state)
}

/// `event` with everything an event can have.
pub fn rich_event(event: Event) -> Event {
    let cause = ExecutionId { event: EventId::from_u64(7), trigger: TriggerId::from_u64(8) };
    let extensions = [
        ("flag".into(), Attribute::Bool(true)),
        ("count".into(), Attribute::Int(-3)),
        ("note".into(), Attribute::Text("a \"quoted\" note, ünï".into())),
    ];
    Event {
        sender_id: Some("sender-1".into()),
        subject: Some("users/42".into()),
        content_type: Some("text/plain; charset=utf-8".into()),
        data_schema: Some("https://example.invalid/schema".into()),
        data: Data::Text(Bytes::from_static("line\nüber".as_bytes())),
        extensions: Some(Box::new(extensions.into_iter().collect())),
        lineage: Some(Box::new(Lineage {
            root: Some(EventId::from_u64(7)),
            cause: Some(cause),
            depth: 3,
            chain: vec![TriggerId::from_u64(8), TriggerId::from_u64(9)],
        })),
        traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into()),
        ordering_key: Some("user-42".into()),
        due: Some(event.time.plus(Millis::from_secs(60))),
        is_test_run: true,
        replay_of: Some(EventId::from_u64(5)),
        ..event
    }
}

/// `attempt` with logs and a version.
pub fn rich_attempt(attempt: Attempt) -> Attempt {
    let line = |level, message: &str| LogLine {
        time: attempt.started_at.plus(Millis::new(1)),
        level,
        message: message.to_owned(),
    };
    let logs = vec![line(Level::Info, "begun"), line(Level::Error, "it's \"bad\"\tünï")];
    Attempt { logs, version: 12, ..attempt }
}
