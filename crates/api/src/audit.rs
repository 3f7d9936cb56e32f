//! The audit trail.

use evoke_model::{AuditId, Timestamp};
use evoke_ports::store;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::schemas;

/// Somebody changed something by hand.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AuditEntry {
    /// The id.
    #[schema(value_type = String, example = "aud_01j9z3k5m7n8p")]
    pub id: AuditId,
    /// When.
    #[schema(schema_with = schemas::time)]
    pub time: Timestamp,
    /// Who: the name of an API key, `local` where none is asked for, or the execution whose
    /// function asked.
    #[schema(example = "deploy")]
    pub actor: String,
    /// What.
    #[schema(example = "dead_letter.edit")]
    pub action: String,
    /// To what: an id.
    pub subject: String,
    /// Details, such as what was before and after.
    #[schema(schema_with = schemas::any)]
    pub detail: Value,
}

impl From<store::AuditEntry> for AuditEntry {
    fn from(entry: store::AuditEntry) -> Self {
        Self {
            id: entry.id,
            time: entry.id.made_at(),
            actor: entry.actor,
            action: entry.action,
            subject: entry.subject,
            detail: entry.detail,
        }
    }
}
