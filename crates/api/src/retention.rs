//! Retention: how large the record is and what becomes of it.

use evoke_engine::{RetentionView, retention};
use evoke_model::{ByteSize, Millis, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::schemas;

/// How large the record is and what becomes of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Retention {
    /// Bytes that are in use, the archive included.
    pub used_bytes: u64,
    /// Bytes that are taken but not used.
    pub free_bytes: u64,
    /// Events in the record when retention ran last; `null` before that.
    pub active_events: Option<u64>,
    /// What is archived.
    pub archive: Archive,
    /// How long what is kept.
    pub policy: RetentionPolicy,
    /// What the last run did; `null` before the first.
    pub last_run: Option<Retained>,
}

/// What is archived.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Archive {
    /// Bytes, compressed.
    pub bytes: u64,
    /// Parts it consists of.
    pub segments: u64,
    /// Events in it.
    pub events: u64,
    /// Executions in it.
    pub executions: u64,
    /// When its oldest event was accepted.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub oldest_at: Option<Timestamp>,
}

/// How long what is kept. Ages count from the acceptance of an event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RetentionPolicy {
    /// What is older moves to the archive; `null` where there is none.
    #[schema(value_type = Option<String>, example = "1d")]
    pub archive_after: Option<Millis>,
    /// Events, the archive included.
    #[schema(value_type = String, example = "7d")]
    pub events: Millis,
    /// Executions, the archive included.
    #[schema(value_type = String, example = "30d")]
    pub executions: Millis,
    /// Dead letters.
    #[schema(value_type = String, example = "30d")]
    pub dead_letters: Millis,
    /// The audit trail, and operations that ended.
    #[schema(value_type = String, example = "365d")]
    pub audit: Millis,
    /// What all of it may take on the disk; `null` where there is no limit.
    #[schema(value_type = Option<String>, example = "20gb")]
    pub max_bytes: Option<ByteSize>,
    /// Exceptions; the first that fits wins.
    pub rules: Vec<RetentionRule>,
}

/// Other times for some events and executions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RetentionRule {
    /// Events of these types.
    #[serde(rename = "type")]
    #[schema(example = "debug.*")]
    pub kind: Option<String>,
    /// Executions of this function.
    pub function: Option<String>,
    /// How long its events are kept; as usual if `null`.
    #[schema(value_type = Option<String>, example = "1h")]
    pub events: Option<Millis>,
    /// How long its executions are kept; as usual if `null`.
    #[schema(value_type = Option<String>, example = "1h")]
    pub executions: Option<Millis>,
}

/// What one run of retention did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Retained {
    /// When it began.
    #[schema(schema_with = schemas::time)]
    pub at: Timestamp,
    /// How long it took.
    pub took_ms: u64,
    /// Events that went to the archive.
    pub archived_events: u64,
    /// Executions that went to the archive.
    pub archived_executions: u64,
    /// Events that were removed from the record.
    pub removed_events: u64,
    /// Executions that were removed from the record.
    pub removed_executions: u64,
    /// Parts of the archive that were removed.
    pub removed_segments: u64,
    /// Bytes that were given back to the machine.
    pub freed_bytes: u64,
}

impl From<RetentionView> for Retention {
    fn from(view: RetentionView) -> Self {
        let size = view.size;
        Self {
            used_bytes: size.used,
            free_bytes: size.free,
            active_events: view.active_events,
            archive: Archive {
                bytes: size.archived,
                segments: view.segments,
                events: view.archived_events,
                executions: view.archived_executions,
                oldest_at: view.oldest_archived,
            },
            policy: view.policy.into(),
            last_run: view.last_run.map(Retained::from),
        }
    }
}

impl From<retention::RetentionPolicy> for RetentionPolicy {
    fn from(policy: retention::RetentionPolicy) -> Self {
        let rules = policy.rules.into_iter().map(|rule| RetentionRule {
            kind: rule.kind.map(|kind| kind.as_str().to_owned()),
            function: rule.function.map(String::from),
            events: rule.events,
            executions: rule.executions,
        });
        Self {
            archive_after: policy.archive_after,
            events: policy.events,
            executions: policy.executions,
            dead_letters: policy.dead_letters,
            audit: policy.audit,
            max_bytes: policy.max_bytes,
            rules: rules.collect(),
        }
    }
}

impl From<retention::Retained> for Retained {
    fn from(done: retention::Retained) -> Self {
        Self {
            at: done.at,
            took_ms: done.took.as_u64(),
            archived_events: done.archived_events,
            archived_executions: done.archived_executions,
            removed_events: done.removed_events,
            removed_executions: done.removed_executions,
            removed_segments: done.removed_segments,
            freed_bytes: done.freed_bytes,
        }
    }
}
