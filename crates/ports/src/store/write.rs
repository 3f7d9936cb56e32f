//! The write side: values that say what is to be changed, and the writer that commits a batch of
//! them at once.

use std::sync::Arc;
use std::time::Duration;

use evoke_document::{Collection, Document};
use evoke_model::function::FunctionRecord;
use evoke_model::{
    Attempt, AuditId, Cause, Data, Event, EventId, ExecutionId, Failure, KeyId, Operation,
    OperationId, Redirect, SegmentId, State, Timestamp, Trigger, TriggerId,
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
    /// A change of the definitions, or of the record by hand.
    Change(Box<Change>),
    /// Several writes: all of them or none. Not nested. A change of documents stands first: where
    /// it is refused, none of the others is made.
    All(Vec<Write>),
}

impl From<Change> for Write {
    fn from(change: Change) -> Self {
        Self::Change(Box::new(change))
    }
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
    /// Part of a replay.
    pub is_replay: bool,
    /// A key under which this trigger takes an event only once. Where it stands already the
    /// execution is written as [`TriggerKey::skipped`] instead.
    pub once: Option<Box<TriggerKey>>,
    /// Where it goes instead of its trigger's target.
    pub redirect: Option<Box<Redirect>>,
}

/// A key under which one trigger takes an event only once.
#[derive(Debug, Clone, PartialEq)]
pub struct TriggerKey {
    /// The key, scope included: `trigger\0<trigger id>\0<key>`.
    pub key: Box<str>,
    /// From when on the key is free again.
    pub expires: Timestamp,
    /// What is written of an execution whose key stands already: `cancelled`, with the reason.
    pub skipped: (State, Attempt),
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
    /// The fingerprint of its failure where it is a dead letter from now on.
    pub cause: Option<Cause>,
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
    /// stays). It is no dead letter any more.
    Reopen {
        /// The execution.
        id: ExecutionId,
        /// When it is due.
        due: Timestamp,
        /// Where it goes from now on; `None` leaves it as it was.
        redirect: Option<Redirect>,
    },
    /// Gives a final execution other data than its event has. The event stays as it is.
    Edit {
        /// The execution.
        id: ExecutionId,
        /// The data.
        data: Data,
    },
    /// Takes dead letters off the list; the executions stay in the record as they ended.
    Discard(Vec<ExecutionId>),
    /// Ends an execution that has not begun, with a reason.
    Abandon {
        /// The execution.
        id: ExecutionId,
        /// When.
        at: Timestamp,
        /// Why.
        why: Failure,
    },
    /// Adds to the audit trail.
    Audit(AuditEntry),
    /// Removes what the audit trail has from before this entry.
    ForgetAudit {
        /// The first that stays.
        before: AuditId,
    },
    /// Puts an operation, new or changed.
    Operation(Operation),
    /// Removes operations.
    RemoveOperations(Vec<OperationId>),
    /// Puts what rate limits have spent.
    Spend(Vec<Spent>),
    /// Puts where triggers that fire by themselves stand.
    Cursors(Vec<Cursor>),
    /// Takes away where triggers stood that fire no more.
    RemoveCursors(Vec<TriggerId>),
    /// Puts a collection, new or changed, and makes its indexes what it says. Refused where
    /// documents that are there already stand against it.
    Collection(Collection),
    /// Removes a collection with all its documents.
    RemoveCollection(Box<str>),
    /// Changes documents: all of them or, where one is refused, none.
    Documents(Vec<DocumentChange>),
    /// Moves a part of the record into the archive: adds the segment and removes what it holds.
    Archive(Segment),
    /// Removes parts of the archive.
    RemoveSegments(Vec<SegmentId>),
    /// Removes from the record: events, and executions with their attempts, whichever are there.
    /// Executions that are not final stay, and so do the events they wait for.
    Remove(Removal),
    /// Gives space that nothing uses back to the machine, at most so many bytes of it; none at all
    /// says that this was the last of it, and that what lies beside the store's file (its log) goes
    /// as well.
    Shrink {
        /// Bytes.
        bytes: u64,
        /// How long that may take; something is given back however short it is. What a byte takes
        /// depends on where the gaps are.
        within: Duration,
    },
}

/// A change of one document.
#[derive(Debug, Clone, PartialEq)]
pub struct DocumentChange {
    /// The collection; it must be there.
    pub collection: Arc<str>,
    /// The document.
    pub id: Box<str>,
    /// What must be there for the change to be made.
    pub expect: Expect,
    /// What becomes of it.
    pub effect: Effect,
}

/// What must be there for a change to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// No document with this id.
    Absent,
    /// The document as it was with this revision.
    Revision(u64),
    /// Whatever is there.
    Anything,
}

/// What becomes of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// This, in place of what is there.
    Put(Arc<Document>),
    /// It is removed.
    Remove,
    /// Nothing; only what is expected must hold.
    Keep,
}

/// Why a change of documents is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// Which of the changes, by its place; 0 for that of a collection.
    pub change: usize,
    /// Why.
    pub why: Why,
}

/// Why a document is not changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// There is no such collection.
    NoCollection,
    /// There is a document with this id already.
    Exists,
    /// There is none.
    Missing,
    /// It has another revision by now.
    Changed,
    /// Another document has the values of a unique index.
    NotUnique {
        /// The name of the index.
        index: Box<str>,
    },
}

/// Where a trigger stands that fires by itself, a schedule or a poll: what it goes on from after a
/// restart. Each has at most one, so that no two of its occurrences can be planned at once.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Cursor {
    /// The trigger.
    pub trigger: TriggerId,
    /// When it fires next; `None` where it never does again.
    pub next: Option<Timestamp>,
    /// What its host remembers beside.
    pub state: serde_json::Value,
}

/// An entry of the audit trail: who did what by hand.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct AuditEntry {
    /// The id; it tells when.
    pub id: AuditId,
    /// Who: the name of an API key, `local`, or the execution whose function asked.
    pub actor: String,
    /// What: `dead_letter.edit`, `trigger.disable`, ...
    pub action: String,
    /// To what: an id as text.
    pub subject: String,
    /// Details: before and after.
    pub detail: serde_json::Value,
}

/// What a rate limit has spent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spent {
    /// The trigger whose limit it is, or the group of an endpoint.
    pub owner: Box<str>,
    /// The key the limit counts for; empty where it counts all.
    pub key: Box<str>,
    /// When the bucket is full again.
    pub until: Timestamp,
}

/// A part of the archive, made by the caller and kept as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// What is known without opening it.
    pub info: SegmentInfo,
    /// The content, compressed.
    pub content: bytes::Bytes,
    /// What it replaces in the record.
    pub removes: Removal,
}

/// What is known of a part of the archive without opening it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentInfo {
    /// The id.
    pub id: SegmentId,
    /// What it holds.
    pub holds: Holds,
    /// The retention class of all it holds, a name of the caller's.
    pub class: Box<str>,
    /// The first event it is about.
    pub first: EventId,
    /// The last event it is about.
    pub last: EventId,
    /// How many items it holds.
    pub items: u32,
    /// Bytes of its content.
    pub bytes: u64,
}

/// What a part of the archive holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Holds {
    /// Events.
    Events = 0,
    /// Executions with their attempts.
    Executions = 1,
}

/// What is to be removed from the record.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Removal {
    /// Events.
    pub events: Vec<EventId>,
    /// Executions.
    pub executions: Vec<ExecutionId>,
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
        /// Executions that were written as skipped, because their [`TriggerKey`] stood already.
        skipped: Vec<ExecutionId>,
    },
    /// For [`Write::Finish`]: the executions that were final already and stayed as they were.
    Finished {
        /// Their ids.
        stale: Vec<ExecutionId>,
    },
    /// For [`Write::Change`]; `false` when there was nothing to change.
    Changed(bool),
    /// For [`Write::All`], one for each.
    All(Vec<Receipt>),
    /// For a change of documents or of a collection, and for a [`Write::All`] with one: nothing of
    /// it was written. At least one conflict; not all that there are need be named.
    Refused(Vec<Conflict>),
}
