//! Operations: what somebody asked for and what takes its time, with its progress.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::id::OperationId;
use crate::time::Timestamp;

/// A replay or a redrive. It goes on after a restart.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Operation {
    /// The id.
    pub id: OperationId,
    /// What it does.
    pub kind: OperationKind,
    /// Whether it goes on.
    pub status: OperationStatus,
    /// What was asked for, in the words of the API.
    pub request: Value,
    /// How far it is.
    pub progress: Progress,
    /// Where it goes on after a restart: an id of an event or execution, as text.
    pub cursor: Option<String>,
    /// Who asked.
    pub actor: String,
    /// Why it stopped, where it did not come to its end.
    pub reason: Option<String>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When its progress was last written.
    pub updated_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
}

/// What an operation does.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OperationKind {
    /// Sends events of the log again.
    Replay,
    /// Runs dead letters again.
    Redrive,
}

impl OperationKind {
    /// The word of the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Replay => "replay",
            Self::Redrive => "redrive",
        }
    }
}

/// Whether an operation goes on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OperationStatus {
    /// It goes on.
    Running,
    /// It came to its end.
    Done,
    /// Somebody cancelled it.
    Cancelled,
    /// It stopped by itself; its reason says why.
    Stopped,
}

impl OperationStatus {
    /// The word of the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Done => "done",
            Self::Cancelled => "cancelled",
            Self::Stopped => "stopped",
        }
    }
}

/// How far an operation is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Progress {
    /// Events or dead letters that were looked at.
    pub seen: u64,
    /// Events or dead letters that fitted and were sent or reopened.
    pub taken: u64,
    /// Executions that began with them.
    pub executions: u64,
    /// Of those, the ones that ended well.
    pub succeeded: u64,
    /// Of those, the ones that ended in failure.
    pub failed: u64,
}
