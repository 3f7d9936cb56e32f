//! The read side. Reads see everything that was committed before they began.

use std::sync::Arc;

use async_trait::async_trait;
use evoke_model::function::FunctionRecord;
use evoke_model::{
    Attempt, Event, EventId, Execution, ExecutionId, State, Timestamp, Trigger, TriggerId,
};

use super::{Error, write::Key};

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
    /// rare filter is looked for a bounded number of rows at a time.
    async fn events(&self, query: EventQuery) -> Result<Page<Arc<Event>>, Error>;

    /// The highest id ever stored, 0 in an empty log.
    async fn newest(&self) -> Result<u64, Error>;
}

/// Where a dispatcher reads on: waiting executions of one trigger by due time, then event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// The trigger.
    pub trigger: TriggerId,
    /// Only behind this one, if given.
    pub after: Option<(Timestamp, EventId)>,
    /// Only those due at or before.
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
    /// Attempts that were finished.
    pub attempts: u32,
    /// Its key for first in, first out.
    pub order_key: Option<Box<str>>,
    /// Its key for the concurrency limit.
    pub concurrency_key: Option<Box<str>>,
    /// What happened.
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

    /// Waiting executions of one trigger, by due time, then event.
    async fn due(&self, query: Due) -> Result<Vec<Waiting>, Error>;

    /// The triggers that have waiting executions: how many, and when the first is due.
    async fn backlog(&self) -> Result<Vec<(TriggerId, u64, Timestamp)>, Error>;

    /// How many executions there are of each trigger in a dead letter state.
    async fn dead_letters(&self) -> Result<Vec<(TriggerId, u64)>, Error>;
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
}
