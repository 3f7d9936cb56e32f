//! Where the data services commit what they change: together with the news of it, and after those
//! were asked who may say no.

use std::sync::Arc;

use async_trait::async_trait;
use evoke_document::Collection;
use evoke_model::{Event, EventId, ExecutionId, Problem, Rejection, Timestamp};
use serde_json::Value;

use crate::store::{Conflict, DocumentChange, NewExecution};

/// Makes changes with their news: one commit, both or neither.
///
/// A change with news is made in two steps. [`Journal::ask`] lets the hooks say no; nothing is
/// locked while they run. [`Journal::commit`] then writes the changes and the events, and refuses
/// where a document is not the one the hooks saw: then the change is made anew from what is there
/// now, and the hooks are asked again.
#[async_trait]
pub trait Journal: Send + Sync {
    /// The time.
    fn now(&self) -> Timestamp;

    /// An id that was never given out before, for changes without news. Higher than all before.
    fn fresh_id(&self) -> EventId;

    /// Gives news its event and asks the hooks that want it, one after the other, the highest
    /// priority first. Where none wants it, this takes no time.
    ///
    /// # Errors
    /// HK_001 with the status and the problems of the hook that says no, HK_002 or HK_003 of one
    /// that failed or took too long and rejects then, EV_004 where hooks cause one another without
    /// end; API_010 while the server starts and does not know all of its hooks. That the change was
    /// refused is recorded as an event of the type `rejected.` and that of the change.
    async fn ask(&self, news: News) -> Result<Agreed, Rejection>;

    /// Writes changes together with events that were agreed to and the executions they start. When
    /// this returns they are on disk. Once begun it comes to its end, also where nobody waits for
    /// that any more.
    ///
    /// # Errors
    /// See [`Unkept`]; nothing was written then.
    async fn commit(&self, changes: Vec<DocumentChange>, agreed: Vec<Agreed>)
    -> Result<(), Unkept>;

    /// Puts a collection with its indexes.
    ///
    /// # Errors
    /// See [`Unkept`].
    async fn define(&self, collection: Collection) -> Result<(), Unkept>;

    /// Removes a collection with all its documents.
    ///
    /// # Errors
    /// See [`Unkept`].
    async fn drop_collection(&self, name: &str) -> Result<(), Unkept>;
}

/// Who makes a change, as far as it is known.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Origin {
    /// The execution whose function makes it, proved by its token.
    pub cause: Option<ExecutionId>,
    /// W3C trace context.
    pub traceparent: Option<Box<str>>,
    /// Id of the caller's request.
    pub request_id: Option<Arc<str>>,
}

/// News of a change that is about to be made.
pub struct News {
    /// CloudEvents `type`: `database.users.create`.
    pub kind: Box<str>,
    /// CloudEvents `source`: `/database/users`.
    pub source: Box<str>,
    /// CloudEvents `subject`: the id of the document.
    pub subject: Option<Box<str>>,
    /// CloudEvents `data`.
    pub data: Value,
    /// Who makes the change.
    pub origin: Origin,
    /// What becomes of `data` where a hook that may changes the `document` in it: gets the data and
    /// the hook's document, gives the new data. `None` where hooks may change nothing.
    pub revise: Option<Revise>,
}

/// Makes the data of news anew with the document a hook gave back.
///
/// # Errors
/// What is wrong with the document.
pub type Revise = Arc<dyn Fn(&Value, Value) -> Result<Value, Vec<Problem>> + Send + Sync>;

/// News that nobody said no to.
#[derive(Debug)]
pub struct Agreed {
    /// The event as it will be recorded.
    pub event: Arc<Event>,
    /// The hooks that were asked.
    pub hooks: Asked,
    /// The data as hooks left it, where they changed it.
    pub revised: Option<Value>,
}

/// What becomes of the executions of hooks where the change they agreed to is not made.
pub type Unmade = Box<dyn FnOnce(Vec<NewExecution>) + Send + Sync>;

/// The executions of hooks that were asked about a change. They ran, so they are recorded whatever
/// becomes of the change: with it, or else when this is dropped.
#[derive(Default)]
pub struct Asked {
    executions: Vec<NewExecution>,
    unmade: Option<Unmade>,
}

impl Asked {
    /// These executions; `unmade` takes them where nobody else does.
    pub fn new(executions: Vec<NewExecution>, unmade: Unmade) -> Self {
        Self { executions, unmade: Some(unmade) }
    }

    /// Takes them to be recorded.
    #[must_use]
    pub fn take(mut self) -> Vec<NewExecution> {
        self.unmade = None;
        std::mem::take(&mut self.executions)
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        if let Some(unmade) = self.unmade.take() {
            unmade(std::mem::take(&mut self.executions));
        }
    }
}

impl std::fmt::Debug for Asked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Asked").field(&self.executions).finish()
    }
}

/// Why a change was not made.
#[derive(Clone, Debug)]
pub enum Unkept {
    /// What is there is not what was expected.
    Conflict(Vec<Conflict>),
    /// The store cannot take it, or not now.
    Rejected(Rejection),
}

impl From<Rejection> for Unkept {
    fn from(rejection: Rejection) -> Self {
        Self::Rejected(rejection)
    }
}
