//! The read side. Reads see everything that was committed before they began.

use std::sync::Arc;

use async_trait::async_trait;
use evoke_document::{Collection, Condition, Document, Query};
use evoke_model::function::FunctionRecord;
use evoke_model::{
    Attempt, Cause, Data, Event, EventId, Execution, ExecutionId, Operation, Redirect, SegmentId,
    State, Timestamp, Trigger, TriggerId,
};

use super::Error;
use super::write::{AuditEntry, Cursor, Holds, Key, SegmentInfo, Spent};

/// A part of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// Where the next page begins; `None` at the end. Opaque to callers.
    pub next: Option<String>,
}

/// In which direction a list runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// Newest first.
    #[default]
    NewestFirst,
    /// Oldest first.
    OldestFirst,
}

/// Which events.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct EventQuery {
    /// Exact type, or a prefix that ends in `*`.
    pub kind: Option<String>,
    /// Exact source.
    pub source: Option<String>,
    /// Exact subject.
    pub subject: Option<String>,
    /// Only those this event led to, itself included.
    pub root: Option<EventId>,
    /// Accepted at or after.
    pub since: Option<Timestamp>,
    /// Accepted before.
    pub until: Option<Timestamp>,
    /// The direction.
    pub order: Order,
    /// At most so many, 1 to 1,000.
    pub limit: u32,
    /// From [`Page::next`].
    pub cursor: Option<String>,
}

/// Which executions.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ExecutionQuery {
    /// Only of these triggers; empty means all.
    pub triggers: Vec<TriggerId>,
    /// Only of this event.
    pub event: Option<EventId>,
    /// Only in these states; empty means all.
    pub states: Vec<State>,
    /// Only test runs, or only others.
    pub is_test_run: Option<bool>,
    /// Only those that are part of a replay, or only others.
    pub is_replay: Option<bool>,
    /// Only dead letters.
    pub only_dead_letters: bool,
    /// Only dead letters with this cause.
    pub cause: Option<Cause>,
    /// Whose event was accepted at or after.
    pub since: Option<Timestamp>,
    /// Whose event was accepted before.
    pub until: Option<Timestamp>,
    /// The direction.
    pub order: Order,
    /// At most so many, 1 to 1,000.
    pub limit: u32,
    /// From [`Page::next`].
    pub cursor: Option<String>,
}

/// The event log.
#[async_trait]
pub trait Events: Send + Sync {
    /// One event.
    async fn event(&self, id: EventId) -> Result<Option<Arc<Event>>, Error>;

    /// The event that stands under a key of [`super::OnceKey`].
    async fn by_key(&self, key: &str) -> Result<Option<EventId>, Error>;

    /// A page of the log. A page may hold fewer items than asked for and still have a next one: a
    /// rare filter is looked for a bounded number of rows at a time, and events may be large.
    async fn events(&self, query: EventQuery) -> Result<Page<Arc<Event>>, Error>;

    /// The highest id ever stored, 0 in an empty log.
    async fn newest(&self) -> Result<u64, Error>;
}

/// Where a dispatcher reads on: waiting executions of one trigger as they are queued
/// ([`Waiting::queued`]), then by event; those of one order key by event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// The trigger.
    pub trigger: TriggerId,
    /// Only behind this one, if given.
    pub after: Option<(Timestamp, EventId)>,
    /// Only those queued at or before.
    pub until: Timestamp,
    /// Only with this order key, if given.
    pub order_key: Option<Box<str>>,
    /// At most so many.
    pub limit: u32,
}

/// A waiting execution as the dispatcher needs it.
#[derive(Debug, Clone)]
pub struct Waiting {
    /// The id.
    pub id: ExecutionId,
    /// When it is due.
    pub due: Timestamp,
    /// Where it stands in the queue of its trigger: its due time or, where it has an order key, the
    /// time its event was accepted, whenever it is due. [`Due::after`] goes on from here.
    pub queued: Timestamp,
    /// Attempts that were finished.
    pub attempts: u32,
    /// Its key for first in, first out.
    pub order_key: Option<Box<str>>,
    /// Its key for the concurrency limit.
    pub concurrency_key: Option<Box<str>>,
    /// Where it goes instead of its trigger's target.
    pub redirect: Option<Box<Redirect>>,
    /// What happened; with other data where the payload was edited.
    pub event: Arc<Event>,
}

/// The executions.
#[async_trait]
pub trait Executions: Send + Sync {
    /// One execution.
    async fn execution(&self, id: ExecutionId) -> Result<Option<Execution>, Error>;

    /// The finished attempts of an execution, oldest first, the last included.
    async fn attempts(&self, id: ExecutionId) -> Result<Vec<Attempt>, Error>;

    /// A page of executions, by event. May be short, see [`Events::events`].
    async fn executions(&self, query: ExecutionQuery) -> Result<Page<Execution>, Error>;

    /// Waiting executions of one trigger, as they are queued, then by event.
    async fn due(&self, query: Due) -> Result<Vec<Waiting>, Error>;

    /// The triggers that have waiting executions: how many, and where the first is queued
    /// ([`Waiting::queued`]): it is not due before.
    async fn backlog(&self) -> Result<Vec<(TriggerId, u64, Timestamp)>, Error>;

    /// How many dead letters there are of each trigger and cause.
    async fn dead_letters(&self) -> Result<Vec<DeadLetters>, Error>;

    /// The data an execution gets instead of its event's, where it was edited.
    async fn edited(&self, id: ExecutionId) -> Result<Option<Data>, Error>;

    /// Where waiting executions were sent by hand, each place once.
    async fn redirects(&self) -> Result<Vec<Redirect>, Error>;

    /// What rate limits have spent, as far as it still counts at `now`.
    async fn spent(&self, now: Timestamp) -> Result<Vec<Spent>, Error>;
}

/// Dead letters of one trigger with one cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeadLetters {
    /// The trigger.
    pub trigger: TriggerId,
    /// The cause.
    pub cause: Cause,
    /// How many.
    pub count: u64,
    /// The oldest event among them.
    pub first: EventId,
    /// The newest event among them.
    pub last: EventId,
}

/// What is old enough to leave the record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ripe {
    /// Only behind this event.
    pub after: EventId,
    /// Only events accepted before.
    pub before: Timestamp,
    /// At most so many events.
    pub limit: u32,
}

/// An event with all there is of it.
#[derive(Debug, Clone)]
pub struct Whole {
    /// The event's id.
    pub id: EventId,
    /// The event; `None` where only executions of it are left.
    pub event: Option<Arc<Event>>,
    /// Its executions, each with all its attempts, oldest first.
    pub executions: Vec<(Execution, Vec<Attempt>)>,
}

/// Which parts of the archive.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SegmentQuery {
    /// Only with these contents.
    pub holds: Option<Holds>,
    /// Only those that may be about events from here on.
    pub from: Option<EventId>,
    /// Only those that may be about events up to here.
    pub to: Option<EventId>,
}

/// How large everything is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Size {
    /// Bytes on the disk (or in memory) that are in use, archive included.
    pub used: u64,
    /// Bytes that are taken but not used.
    pub free: u64,
    /// Bytes of the archive's content.
    pub archived: u64,
}

/// The archive, and what becomes of the record as it grows old.
#[async_trait]
pub trait Archive: Send + Sync {
    /// Events and what is left of events, by id, each with all its executions.
    async fn ripe(&self, query: Ripe) -> Result<Vec<Whole>, Error>;

    /// Parts of the archive, oldest first by their first event.
    async fn segments(&self, query: SegmentQuery) -> Result<Vec<SegmentInfo>, Error>;

    /// The content of one part.
    async fn segment(&self, id: SegmentId) -> Result<Option<bytes::Bytes>, Error>;

    /// How large everything is.
    async fn size(&self) -> Result<Size, Error>;

    /// How many events the record holds. It is counted, which takes its time in a large one; `None`
    /// from a store that does not count.
    async fn count_events(&self) -> Result<Option<u64>, Error> {
        Ok(None)
    }
}

/// Which entries of the audit trail; newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditQuery {
    /// Exact action, or a prefix that ends in `*`.
    pub action: Option<String>,
    /// Exact subject.
    pub subject: Option<String>,
    /// At most so many, 1 to 1,000.
    pub limit: u32,
    /// From [`Page::next`].
    pub cursor: Option<String>,
}

/// Functions, triggers and keys: few, read whole.
#[async_trait]
pub trait Definitions: Send + Sync {
    /// All functions, deleted ones included.
    async fn functions(&self) -> Result<Vec<FunctionRecord>, Error>;

    /// All triggers, deleted ones included.
    async fn triggers(&self) -> Result<Vec<Arc<Trigger>>, Error>;

    /// All API keys.
    async fn keys(&self) -> Result<Vec<Key>, Error>;

    /// All operations, oldest first; old ones that ended are removed with time.
    async fn operations(&self) -> Result<Vec<Operation>, Error>;

    /// Where triggers that fire by themselves stand, by trigger.
    async fn cursors(&self) -> Result<Vec<Cursor>, Error>;

    /// A page of the audit trail.
    async fn audit(&self, query: AuditQuery) -> Result<Page<AuditEntry>, Error>;
}

/// The documents of the data services.
#[async_trait]
pub trait Documents: Send + Sync {
    /// All collections, by name.
    async fn collections(&self) -> Result<Vec<Collection>, Error>;

    /// One document; `None` also where there is no such collection.
    async fn document(&self, collection: &str, id: &str) -> Result<Option<Arc<Document>>, Error>;

    /// Documents by their ids, in the order of these; `None` for each that is not there.
    async fn documents(
        &self,
        collection: &str,
        ids: Vec<String>,
    ) -> Result<Vec<Option<Arc<Document>>>, Error> {
        let mut found = Vec::with_capacity(ids.len());
        for id in &ids {
            found.push(self.document(collection, id).await?);
        }
        Ok(found)
    }

    /// A page of documents, which ends early where they are large. A collection that is not there
    /// is empty.
    async fn find(&self, collection: &str, query: Query) -> Result<Page<Arc<Document>>, Error>;

    /// How many documents meet all conditions.
    async fn count(&self, collection: &str, filter: Vec<Condition>) -> Result<u64, Error>;

    /// How a query would be carried out, in the store's own words, one step a line: which index is
    /// used, or that all documents are looked through.
    async fn plan(&self, collection: &str, query: Query) -> Result<Vec<String>, Error>;
}
