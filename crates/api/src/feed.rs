//! What the live feeds send, one JSON object an SSE message.

use evoke_engine::Notice;
use evoke_model::{ExecutionId, State, Timestamp, execution};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::schemas;

/// An execution came into a state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ExecutionNotice {
    /// The execution.
    #[schema(value_type = String)]
    pub id: ExecutionId,
    /// The function or target it runs.
    pub target: String,
    /// The name of the trigger.
    pub trigger_name: String,
    /// The state.
    #[schema(schema_with = schemas::state)]
    pub status: State,
    /// The attempt, 1 and up.
    pub attempt: u32,
    /// How long the attempt took so far.
    pub duration_ms: f64,
    /// The error, if it failed.
    pub error: Option<String>,
}

/// A line a function printed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LogEntry {
    /// When.
    #[schema(schema_with = schemas::time)]
    pub time: Timestamp,
    /// How loud.
    #[schema(schema_with = schemas::level)]
    pub level: execution::Level,
    /// The text.
    pub message: String,
    /// The function.
    pub function: String,
    /// The execution, if the line belongs to one.
    #[schema(value_type = Option<String>)]
    pub execution_id: Option<ExecutionId>,
}

/// A function was deployed, or could not be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DeploymentNotice {
    /// The function.
    pub function: String,
    /// The version now current, if the deployment worked.
    pub version: Option<u32>,
    /// Why it did not.
    pub error: Option<String>,
}

impl ExecutionNotice {
    /// The body of a notice about an execution; `None` for others.
    pub fn of(notice: &Notice) -> Option<Self> {
        let Notice::Execution { id, target, trigger, state, attempt, duration_us, error } = notice
        else {
            return None;
        };
        Some(Self {
            id: *id,
            target: target.to_string(),
            trigger_name: trigger.to_string(),
            status: *state,
            attempt: *attempt,
            duration_ms: *duration_us as f64 / 1_000.0,
            error: error.as_deref().map(str::to_owned),
        })
    }
}

impl LogEntry {
    /// The body of a notice about a line; `None` for others.
    pub fn of(notice: &Notice) -> Option<Self> {
        let Notice::Log { execution, function, line } = notice else { return None };
        Some(Self::new(*execution, function, line))
    }

    /// A line of an execution.
    pub fn new(
        execution: Option<ExecutionId>,
        function: &str,
        line: &evoke_model::LogLine,
    ) -> Self {
        Self {
            time: line.time,
            level: line.level,
            message: line.message.clone(),
            function: function.to_owned(),
            execution_id: execution,
        }
    }
}

impl DeploymentNotice {
    /// The body of a notice about a deployment; `None` for others.
    pub fn of(notice: &Notice) -> Option<Self> {
        let Notice::Deployed { function, version, error } = notice else { return None };
        Some(Self {
            function: function.to_string(),
            version: *version,
            error: error.as_deref().map(str::to_owned),
        })
    }
}
