//! Stores: the log, the executions, the definitions. One writer takes everything that changes in
//! batches; readers look at what is committed.

mod read;
mod write;

pub use read::{
    Archive, AuditQuery, DeadLetters, Definitions, Documents, Due, EventQuery, Events,
    ExecutionQuery, Executions, Order, Page, Ripe, SegmentQuery, Size, Waiting, Whole,
};
pub use write::{
    AuditEntry, Change, Conflict, Cursor, DocumentChange, Effect, Expect, Finish, Holds, Ingest,
    Key, NewExecution, Next, OnceKey, Receipt, Removal, Segment, SegmentInfo, Spent, TriggerKey,
    Why, Write, Writer,
};

use std::sync::Arc;

/// The store could not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[error("{action}")]
pub struct Error {
    /// What was being done: "commit 12 events".
    pub action: String,
    /// Why it failed.
    #[source]
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

impl Error {
    /// An error of this action.
    pub fn new(
        action: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self { action: action.into(), source: source.into() }
    }
}

/// The source of an [`Error`] whose cause is the caller's cursor: not one this list gave out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the cursor {:?} is not from this list", begin(.0))]
pub struct BadCursor(pub String);

/// The begin of what a caller gave; more of it is not said back.
fn begin(cursor: &str) -> String {
    cursor.chars().take(100).collect()
}

/// A place that keeps everything. Handles are cheap and shared.
pub trait Store: Send + Sync + 'static {
    /// The kind: `memory`, `sqlite`, ...
    fn kind(&self) -> &'static str;

    /// The one writer of this process.
    ///
    /// # Errors
    /// When it was taken already.
    fn writer(&self) -> Result<Box<dyn Writer>, Error>;

    /// The event log.
    fn events(&self) -> Arc<dyn Events>;

    /// The executions.
    fn executions(&self) -> Arc<dyn Executions>;

    /// Functions, triggers, keys, operations, the audit trail.
    fn definitions(&self) -> Arc<dyn Definitions>;

    /// The archive.
    fn archive(&self) -> Arc<dyn Archive>;

    /// The documents of the data services.
    fn documents(&self) -> Arc<dyn Documents>;
}
