//! What people do with schedules: fire one now, fill the past, look ahead.

use evoke_engine::Backfill;
use evoke_model::{EventId, ExecutionId, Problem, Timestamp};
use evoke_ports::Fields;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::schemas;

/// How a schedule is fired by hand.
#[derive(ToSchema)]
pub struct FireBody {
    /// What the occurrence carries instead of the schedule's own input.
    #[schema(schema_with = schemas::any, required = false)]
    pub input: Option<Value>,
}

impl FireBody {
    /// Reads it.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn read(body: &Value) -> Result<Self, Vec<Problem>> {
        let fields = Fields::new(body, &["input"]);
        let input = fields.get("input").cloned();
        fields.finish(Self { input })
    }
}

/// What was fired by hand.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Fired {
    /// The event; durable.
    #[schema(value_type = String)]
    pub event_id: EventId,
    /// The execution of the schedule's target.
    #[schema(value_type = String)]
    pub execution_id: ExecutionId,
}

impl From<evoke_engine::Fired> for Fired {
    fn from(fired: evoke_engine::Fired) -> Self {
        Self { event_id: fired.event, execution_id: fired.execution }
    }
}

/// Which occurrences are fired now.
#[derive(ToSchema)]
#[schema(example = json!({
    "from": "2026-12-01T00:00:00Z", "to": "2026-12-08T00:00:00Z", "dry_run": true
}))]
pub struct BackfillBody {
    /// The first instant.
    #[schema(schema_with = schemas::time)]
    pub from: Timestamp,
    /// The first instant that is not meant any more.
    #[schema(schema_with = schemas::time)]
    pub to: Timestamp,
    /// Only count.
    #[schema(required = false)]
    pub dry_run: bool,
}

impl BackfillBody {
    /// Reads it.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn read(body: &Value) -> Result<Backfill, Vec<Problem>> {
        let mut fields = Fields::new(body, &["from", "to", "dry_run"]);
        for name in ["from", "to"] {
            if fields.get(name).is_none() {
                fields.problem(Problem::new(name, "is required"));
            }
        }
        let (from, to) = (fields.read("from"), fields.read("to"));
        let is_dry = fields.read("dry_run").unwrap_or(false);
        let none = Timestamp::EPOCH;
        fields.finish(Backfill { from: from.unwrap_or(none), to: to.unwrap_or(none), is_dry })
    }
}

/// What a backfill fired, or would.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Backfilled {
    /// How many occurrences.
    pub count: u64,
    /// The first of them.
    #[schema(schema_with = schemas::time_or_null)]
    pub first: Option<Timestamp>,
    /// The last of them.
    #[schema(schema_with = schemas::time_or_null)]
    pub last: Option<Timestamp>,
}

impl From<evoke_engine::Backfilled> for Backfilled {
    fn from(filled: evoke_engine::Backfilled) -> Self {
        Self { count: filled.count, first: filled.first, last: filled.last }
    }
}

/// When a schedule fires next.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Upcoming {
    /// The instants, without the jitter.
    #[schema(schema_with = schemas::times)]
    pub data: Vec<Timestamp>,
    /// Always `null`: the instants after the last one are asked for with `after`.
    #[schema(value_type = Option<String>)]
    pub next_cursor: (),
}
