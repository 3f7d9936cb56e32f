//! The write side: values that say what is to be changed, and the writer that commits a batch of
//! them at once.

use std::sync::Arc;

use evoke_model::function::FunctionRecord;
use evoke_model::{
    Attempt, Event, EventId, ExecutionId, Failure, KeyId, State, Timestamp, Trigger,
};

use super::Error;

/// The writing end. Called from one thread of its own; may block.
pub trait Writer: Send {
    /// Commits the whole batch durably, all or nothing, and answers each write in its place. On
    /// failure the caller still has the batch and may try its parts one by one.
    ///
    /// # Errors
    /// Nothing of the batch was kept.
    fn commit(&mut self, batch: &[Write]) -> Result<Vec<Receipt>, Error>;

    /// Does what can wait (checkpoints, forgetting old idempotency keys); called when idle.
    ///
    /// # Errors
    /// Nothing is lost; it is tried again later.
    fn housekeep(&mut self, now: Timestamp) -> Result<(), Error>;
}

/// One thing to write.
#[derive(Debug)]
pub enum Write {
    /// Events with their planned executions: both or neither.
    Ingest(Ingest),
    /// Ends of attempts.
    Finish(Vec<Finish>),
    /// A change of the definitions.
    Change(Change),
}

/// Events with their planned executions.
#[derive(Debug, Default)]
pub struct Ingest {
    /// The events, with rising ids.
    pub events: Vec<Arc<Event>>,
    /// Their executions.
    pub executions: Vec<NewExecution>,
    /// Keys under which events are taken only once.
    pub once: Vec<OnceKey>,
}

/// A key under which an event is taken only once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OnceKey {
    /// Which of the events, by its place in [`Ingest::events`].
    pub event: usize,
    /// The key, scope included: `id\0<source>\0<id>` or `key\0<Idempotency-Key>`.
    pub key: Box<str>,
    /// From when on the key is free again.
    pub expires: Timestamp,
}

/// An execution to be written with its event.
#[derive(Debug, Clone)]
pub struct NewExecution {
    /// The id.
    pub id: ExecutionId,
    /// When it is due.
    pub due: Timestamp,
    /// Its key for first in, first out.
    pub order_key: Option<Box<str>>,
    /// Its key for the concurrency limit.
    pub concurrency_key: Option<Box<str>>,
    /// Already over: a synchronous call that is recorded behind its answer, or a broken loop.
    pub done: Option<Box<(State, Attempt)>>,
    /// A test run.
    pub is_test_run: bool,
}

/// The end of an attempt.
#[derive(Debug, Clone)]
pub struct Finish {
    /// The execution.
    pub id: ExecutionId,
    /// The attempt; `None` when nothing ran (a pending execution was cancelled).
    pub attempt: Option<Attempt>,
    /// What comes next.
    pub next: Next,
}

/// What comes after an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Nothing: this is the final state.
    Done(State),
    /// Another attempt, at this time.
    Retry {
        /// When.
        due: Timestamp,
    },
}

/// A change of the definitions.
#[derive(Debug, Clone)]
pub enum Change {
    /// Puts a function, new or changed (a deleted one has `deleted_at`).
    Function(FunctionRecord),
    /// Puts a trigger, new or changed (a deleted one has `deleted_at`).
    Trigger(Arc<Trigger>),
    /// Puts an API key.
    Key(Key),
    /// Takes an API key away.
    RemoveKey(KeyId),
    /// Makes a final execution pending again, with its attempts counted from zero (the history
    /// stays).
    Reopen {
        /// The execution.
        id: ExecutionId,
        /// When it is due.
        due: Timestamp,
    },
    /// Ends an execution that has not begun, with a reason.
    Abandon {
        /// The execution.
        id: ExecutionId,
        /// When.
        at: Timestamp,
        /// Why.
        why: Failure,
    },
}

/// An API key as it is kept: never the key itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// The id.
    pub id: KeyId,
    /// A name for people.
    pub name: String,
    /// SHA-256 of the key.
    pub hash: [u8; 32],
    /// The first characters, to recognise it by.
    pub hint: String,
    /// When it was made.
    pub created_at: Timestamp,
}

/// The answer to one write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Receipt {
    /// For [`Write::Ingest`]: the events that were there already under their key, by their place,
    /// with the id of the first. They and their executions were not written again.
    Ingested {
        /// Place in [`Ingest::events`] and the id that stands.
        duplicates: Vec<(usize, EventId)>,
    },
    /// For [`Write::Finish`]: the executions that were final already and stayed as they were.
    Finished {
        /// Their ids.
        stale: Vec<ExecutionId>,
    },
    /// For [`Write::Change`]; `false` when there was nothing to change.
    Changed(bool),
}
