//! Operations: replays and redrives, what is asked for and how far it is.

mod read;

use evoke_engine::{Redrive, Replay};
use evoke_model::{EventId, OperationId, Problem, Timestamp, TriggerId, operation};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::schemas;

/// A replay or a redrive.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Operation {
    /// The id.
    #[schema(value_type = String, example = "opr_01j9z3k5m7n8p")]
    pub id: OperationId,
    /// `replay` or `redrive`.
    #[schema(example = "redrive")]
    pub kind: String,
    /// `running`, `done`, `cancelled`, or `stopped` where it stopped by itself.
    #[schema(example = "running")]
    pub status: String,
    /// What was asked for.
    #[schema(value_type = Object)]
    pub request: Value,
    /// How far it is.
    #[schema(value_type = Progress)]
    pub progress: operation::Progress,
    /// Who asked: the name of an API key, or `local`.
    #[schema(example = "local")]
    pub actor: String,
    /// Why it stopped, where it did not come to its end.
    pub reason: Option<String>,
    /// When it was asked for.
    #[schema(schema_with = schemas::time)]
    pub created_at: Timestamp,
    /// When its progress was last written.
    #[schema(schema_with = schemas::time)]
    pub updated_at: Timestamp,
    /// When it ended.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ended_at: Option<Timestamp>,
}

/// How far an operation is.
#[derive(ToSchema)]
pub struct Progress {
    /// Events or dead letters that were looked at.
    pub seen: u64,
    /// Those that fitted and were sent or run again.
    pub taken: u64,
    /// Executions that began with them.
    pub executions: u64,
    /// Of those, the ones that ended well.
    pub succeeded: u64,
    /// Of those, the ones that ended in failure.
    pub failed: u64,
}

impl From<evoke_model::Operation> for Operation {
    fn from(operation: evoke_model::Operation) -> Self {
        Self {
            id: operation.id,
            kind: operation.kind.as_str().to_owned(),
            status: operation.status.as_str().to_owned(),
            request: operation.request,
            progress: operation.progress,
            actor: operation.actor,
            reason: operation.reason,
            created_at: operation.created_at,
            updated_at: operation.updated_at,
            ended_at: operation.ended_at,
        }
    }
}

/// What was asked for, well-formed; the trigger it names is still to be looked up.
#[derive(Clone, Debug, PartialEq)]
pub struct Asked<T> {
    /// The request, without its trigger.
    pub request: T,
    /// Id or name of the trigger it names.
    pub trigger: Option<String>,
    /// Only a count is wanted.
    pub is_dry_run: bool,
}

/// Which dead letters are run again, and how. Without any filter it is all of them.
#[derive(ToSchema)]
#[schema(example = json!({
    "function": "bill", "cause": "9f86d081884c7d65", "rate": { "limit": 10, "per": "1s" },
}))]
pub struct RedriveBody {
    /// Of this cause: 16 hexadecimal digits.
    pub cause: Option<String>,
    /// Of this trigger, by name or id.
    pub trigger: Option<String>,
    /// Of the triggers that run this function, by name or id.
    pub function: Option<String>,
    /// These executions, at most 1,000.
    pub ids: Option<Vec<String>>,
    /// Whose event was accepted at or after.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub since: Option<Timestamp>,
    /// Whose event was accepted before.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub until: Option<Timestamp>,
    /// CEL condition over `event`, as it stands in the log.
    #[schema(example = "event.data.total > 100")]
    pub filter: Option<String>,
    /// The function they go to; the target of their trigger if not given.
    pub to: Option<Redirect>,
    /// How fast; 50 a second if not given.
    pub rate: Option<OperationRate>,
    /// Stops when so many died again of the cause they had; 5 if not given, 0 is never.
    pub stop_after: Option<u32>,
    /// At most so many.
    #[schema(minimum = 1)]
    pub limit: Option<u64>,
    /// Only count them.
    pub dry_run: Option<bool>,
}

/// Which events of the log are sent again, to whom, and how fast.
#[derive(ToSchema)]
#[schema(example = json!({
    "type": "order.*", "since": "2026-12-01T00:00:00Z", "to": { "function": "bill" },
}))]
pub struct ReplayBody {
    /// Pattern over the type, as in triggers: `order.*`.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// Pattern over the source.
    pub source: Option<String>,
    /// Pattern over the subject.
    pub subject: Option<String>,
    /// Accepted at or after.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub since: Option<Timestamp>,
    /// Accepted before.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub until: Option<Timestamp>,
    /// CEL condition over `event`.
    pub filter: Option<String>,
    /// Who gets them; all triggers that want them if not given.
    pub to: Option<ReplayTarget>,
    /// How fast; 100 events a second if not given.
    pub rate: Option<OperationRate>,
    /// At most so many events.
    #[schema(minimum = 1)]
    pub limit: Option<u64>,
    /// Only count them.
    pub dry_run: Option<bool>,
}

/// Who gets replayed events: one trigger or one function.
#[derive(ToSchema)]
#[schema(example = json!({ "function": "bill", "version": 3 }))]
pub struct ReplayTarget {
    /// This trigger, by name or id, as far as it wants them.
    pub trigger: Option<String>,
    /// This function, whatever its triggers want.
    pub function: Option<String>,
    /// Its version, which must be the one that is deployed.
    pub version: Option<u32>,
}

/// A function an execution goes to instead of its trigger's target.
#[derive(ToSchema)]
pub struct Redirect {
    /// The function's name.
    #[schema(example = "bill")]
    pub function: String,
    /// The version, which must be the one that is deployed.
    pub version: Option<u32>,
}

/// How fast an operation goes.
#[derive(ToSchema)]
#[schema(example = json!({ "limit": 50, "per": "1s" }))]
pub struct OperationRate {
    /// So many...
    #[schema(minimum = 1)]
    pub limit: u32,
    /// ... in this time.
    #[schema(example = "1s")]
    pub per: String,
    /// So many may go at once; `limit` if not given.
    #[schema(minimum = 1)]
    pub burst: Option<u32>,
}

/// How many dead letters there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Counted {
    /// So many.
    pub count: u64,
}

/// What a replay would send.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReplayCount {
    /// Events that were looked at.
    pub seen: u64,
    /// Events that would be sent.
    pub events: u64,
    /// The executions that would begin with them, by trigger, most first.
    pub executions: Vec<TriggerCount>,
    /// The oldest event that would be sent.
    #[schema(value_type = Option<String>)]
    pub first: Option<EventId>,
    /// The newest event that would be sent.
    #[schema(value_type = Option<String>)]
    pub last: Option<EventId>,
}

/// How many executions of a trigger a replay would begin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TriggerCount {
    /// The trigger.
    #[schema(value_type = String)]
    pub trigger_id: TriggerId,
    /// Its name.
    pub trigger_name: String,
    /// So many.
    pub count: u64,
}

impl From<evoke_engine::ReplayCount> for ReplayCount {
    fn from(count: evoke_engine::ReplayCount) -> Self {
        let executions = count.executions.into_iter();
        Self {
            seen: count.seen,
            events: count.events,
            executions: executions
                .map(|(trigger_id, trigger_name, count)| TriggerCount {
                    trigger_id,
                    trigger_name,
                    count,
                })
                .collect(),
            first: count.first,
            last: count.last,
        }
    }
}

impl RedriveBody {
    /// Reads the body of a redrive.
    ///
    /// # Errors
    /// Everything that is wrong with its form.
    pub fn read(body: &Value) -> Result<Asked<Redrive>, Vec<Problem>> {
        read::redrive(body)
    }
}

impl ReplayBody {
    /// Reads the body of a replay.
    ///
    /// # Errors
    /// Everything that is wrong with its form.
    pub fn read(body: &Value) -> Result<Asked<Replay>, Vec<Problem>> {
        read::replay(body)
    }
}
