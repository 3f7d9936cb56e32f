//! Triggers: standing rules that say which events go to which target under which policy.

use serde_json::Value;

use crate::id::TriggerId;
use crate::policy::Policy;
use crate::time::Timestamp;

/// Where the executions of a trigger go. Kinds are data: `function`, `http`, later `workflow`,
/// `queue`; the configuration is checked by the kind's own adapter.
#[derive(Clone, PartialEq, Debug, serde::Serialize, serde::Deserialize)]
pub struct Target {
    /// The kind of target.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind's configuration: `{"name": "resize"}` for a function.
    #[serde(default)]
    pub config: Value,
}

impl Target {
    /// The kind of target that runs a function of this server.
    pub const FUNCTION: &'static str = "function";

    /// The target that runs the function called `name`.
    pub fn function(name: &str) -> Self {
        Self { kind: Self::FUNCTION.to_owned(), config: serde_json::json!({ "name": name }) }
    }

    /// The function this target runs, if it runs one.
    pub fn function_name(&self) -> Option<&str> {
        (self.kind == Self::FUNCTION).then(|| self.config.get("name")?.as_str()).flatten()
    }
}

/// Who keeps a trigger: what a project declares is changed only by the project.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
#[serde(tag = "by", content = "name", rename_all = "snake_case")]
pub enum Owner {
    /// Declared in the manifest of this function.
    Manifest(String),
    /// Declared in `evoke.toml` of the project.
    Project,
    /// Created through the API.
    Api,
    /// Every function has one, for direct invocation.
    Function(String),
}

/// A standing rule.
#[derive(Clone, PartialEq, Debug, serde::Serialize, serde::Deserialize)]
pub struct Trigger {
    /// The id.
    pub id: TriggerId,
    /// A name, unique among the triggers of one owner.
    pub name: String,
    /// The kind of source: `event`, `http`, `invoke`, `schedule`, ...
    pub kind: String,
    /// The kind's configuration, checked by its source.
    pub config: Value,
    /// Where executions go.
    pub target: Target,
    /// How they are carried out.
    pub policy: Policy,
    /// Whether new events are matched and waiting executions are run.
    pub enabled: bool,
    /// Who keeps the trigger.
    pub owner: Owner,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Who changed it last, where that was done by hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated_by: Option<String>,
    /// When it was deleted; its executions stay in the record.
    pub deleted_at: Option<Timestamp>,
}

impl Trigger {
    /// The kind of trigger every function has: direct invocation.
    pub const INVOKE: &'static str = "invoke";

    /// The kind of trigger that fires at instants.
    pub const SCHEDULE: &'static str = "schedule";

    /// Whether it fires at all.
    pub fn is_active(&self) -> bool {
        self.enabled && self.deleted_at.is_none()
    }
}

/// Which events a trigger wants: what its source makes of its configuration. Patterns are segments
/// separated by `.` where `*` stands for one segment and `**` (or a final `*`) for any number; a
/// pattern that is not given matches everything.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Subscription {
    /// Over the event's type. Alternatives are separated by `|`, and each may be found by its whole
    /// text: `database.users.create|database.users.update` wants these two and nothing below them.
    pub kind: Option<String>,
    /// Over the event's source.
    pub source: Option<String>,
    /// Over the event's subject.
    pub subject: Option<String>,
    /// What must hold of the event beside, where patterns cannot say it: CEL, as in the filter of a
    /// trigger, which has to hold as well.
    pub filter: Option<String>,
}
