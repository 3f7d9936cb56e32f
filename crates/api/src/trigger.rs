//! Triggers.

mod policy;
mod poll;
mod read;
mod test_run;

use evoke_engine::NewTrigger;
use evoke_model::trigger::Owner;
use evoke_model::{Policy, Problem, State, Target, Timestamp, TriggerId};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use crate::schedule::{ScheduleStanding, ScheduleState};
use crate::schemas;

pub use poll::{PollSkip, PollStanding};
pub use test_run::TestBody;

/// A standing rule: which events, which target, which policy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Trigger {
    /// The id.
    #[schema(value_type = String, example = "trg_01j9z3k5m7n8p")]
    pub id: TriggerId,
    /// The name.
    pub name: String,
    /// The kind of source: `event`, `http`, `invoke`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind's configuration.
    pub config: Value,
    /// Where executions go: `{"type": "function", "name": "resize"}`.
    #[schema(value_type = Object)]
    pub target: Value,
    /// How they are carried out.
    #[schema(schema_with = schemas::policy)]
    pub policy: Policy,
    /// Whether it fires.
    pub enabled: bool,
    /// Who keeps it. Only triggers made through the API are changed through it.
    pub owner: KeptBy,
    /// When it was created.
    #[schema(schema_with = schemas::time)]
    pub created_at: Timestamp,
    /// When it was last changed.
    #[schema(schema_with = schemas::time)]
    pub updated_at: Timestamp,
    /// Who changed it by hand last: the name of an API key, or `local`; `null` where nobody did.
    pub updated_by: Option<String>,
    /// Where it stands, for a poll.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub poll: Option<PollStanding>,
    /// Whether it fires again, for a schedule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<ScheduleState>,
    /// When it fires next, for a schedule; `null` where it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schemas::time_or_null, required = false)]
    pub next_run: Option<Option<Timestamp>>,
    /// The instant of the occurrence that fired last, for a schedule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schemas::time_or_null, required = false)]
    pub last_run: Option<Option<Timestamp>>,
    /// How that one ended, or stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schemas::state_or_null, required = false)]
    pub last_status: Option<Option<State>>,
}

/// Who keeps a trigger.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct KeptBy {
    /// `api`, `project`, `manifest` or `function` (the one for direct invocation).
    pub by: String,
    /// The function, for the last two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// What a trigger is made from. To change one, send what is to change; `null` takes a field of
/// `config` or `policy` away.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TriggerBody {
    /// The name, unique among the triggers made through the API.
    pub name: String,
    /// The kind of source.
    #[serde(rename = "type")]
    #[schema(example = "event")]
    pub kind: String,
    /// The kind's configuration; see `/api/kinds`.
    #[serde(default)]
    #[schema(value_type = Object, required = false, example = json!({ "match": "order.*" }))]
    pub config: Value,
    /// Where executions go; see `/api/kinds`.
    #[schema(value_type = Object, example = json!({ "type": "function", "name": "on-order" }))]
    pub target: Value,
    /// How they are carried out.
    #[serde(default)]
    #[schema(schema_with = schemas::policy, required = false)]
    pub policy: Policy,
    /// Whether it fires; true if not given.
    #[schema(required = false)]
    pub enabled: bool,
}

impl TriggerBody {
    /// Reads the body of a new trigger.
    ///
    /// # Errors
    /// Everything that is wrong with its form; what is wrong with the configuration is for the kind
    /// to say.
    pub fn read(body: Value) -> Result<NewTrigger, Vec<Problem>> {
        read::read(body)
    }

    /// Reads the body of a change: `trigger` with `patch` merged in (RFC 7396).
    ///
    /// # Errors
    /// Everything that is wrong with the form of the result.
    pub fn patch(trigger: &evoke_model::Trigger, patch: Value) -> Result<NewTrigger, Vec<Problem>> {
        read::patch(trigger, patch)
    }
}

impl From<&evoke_model::Trigger> for Trigger {
    fn from(trigger: &evoke_model::Trigger) -> Self {
        let (by, name) = match &trigger.owner {
            Owner::Manifest(function) => ("manifest", Some(function.clone())),
            Owner::Function(function) => ("function", Some(function.clone())),
            Owner::Project => ("project", None),
            Owner::Api => ("api", None),
        };
        Self {
            id: trigger.id,
            name: trigger.name.clone(),
            kind: trigger.kind.clone(),
            config: trigger.config.clone(),
            target: flat_target(&trigger.target),
            policy: trigger.policy.clone(),
            enabled: trigger.enabled,
            owner: KeptBy { by: by.to_owned(), name },
            created_at: trigger.created_at,
            updated_at: trigger.updated_at,
            updated_by: trigger.updated_by.clone(),
            poll: None,
            status: None,
            next_run: None,
            last_run: None,
            last_status: None,
        }
    }
}

impl Trigger {
    /// With where it stands, if it is a schedule.
    #[must_use]
    pub fn standing(self, standing: Option<ScheduleStanding>) -> Self {
        Self {
            status: standing.map(|standing| standing.status),
            next_run: standing.map(|standing| standing.next_run),
            last_run: standing.map(|standing| standing.last_run),
            last_status: standing.map(|standing| standing.last_status),
            ..self
        }
    }
}

/// A target as manifests write it: the kind and its configuration side by side.
fn flat_target(target: &Target) -> Value {
    let mut flat = Map::new();
    flat.insert("type".to_owned(), json!(target.kind));
    if let Value::Object(config) = &target.config {
        flat.extend(config.clone());
    }
    Value::Object(flat)
}
