//! The audit trail: who changed something by hand. An entry is committed together with what it
//! tells of, so that there is neither a change without its entry nor an entry without its change.

use std::sync::Arc;

use evoke_model::{AuditId, Rejection};
use evoke_ports::store::{AuditEntry, AuditQuery, Change, Page, Receipt, Write};
use serde_json::Value;

use crate::record::unavailable;
use crate::start::{Engine, Inner};

/// Who does something by hand: the name of an API key, `local` where a server asks for none, the
/// execution whose function asks with its token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor(pub Arc<str>);

impl Actor {
    /// Somebody on this machine, or on a server that is open.
    pub fn local() -> Self {
        Self("local".into())
    }
}

/// What is changed by hand, in the words of the trail.
pub(crate) mod action {
    pub(crate) const EDIT: &str = "dead_letter.edit";
    pub(crate) const PURGE: &str = "dead_letter.purge";
    pub(crate) const REDRIVE: &str = "dead_letter.redrive";
    pub(crate) const REPLAY: &str = "event.replay";
    pub(crate) const CANCEL: &str = "operation.cancel";
    pub(crate) const ROLL_BACK: &str = "function.rollback";
    pub(crate) const CREATE_TRIGGER: &str = "trigger.create";
    pub(crate) const UPDATE_TRIGGER: &str = "trigger.update";
    pub(crate) const ENABLE_TRIGGER: &str = "trigger.enable";
    pub(crate) const DISABLE_TRIGGER: &str = "trigger.disable";
    pub(crate) const FIRE_TRIGGER: &str = "trigger.fire";
    pub(crate) const BACKFILL: &str = "trigger.backfill";
    pub(crate) const DELETE_TRIGGER: &str = "trigger.delete";
}

impl Engine {
    /// A page of the audit trail, newest first.
    ///
    /// # Errors
    /// API_001 for a bad cursor, ST_001.
    pub async fn audit(&self, query: AuditQuery) -> Result<Page<AuditEntry>, Rejection> {
        let page = self.inner.store.definitions().audit(query).await;
        page.map_err(|error| unavailable(&error))
    }
}

impl Inner {
    /// Writes changes together, with what the trail tells of them: all of it or nothing.
    pub(crate) async fn change_all(
        &self,
        changes: impl IntoIterator<Item = Change>,
    ) -> Result<Receipt, Rejection> {
        let writes = changes.into_iter().map(Write::from).collect();
        self.committer.change(Write::All(writes)).await
    }

    /// An entry of the trail, to be written with the change it tells of. `subject` is the id of
    /// what is changed.
    pub(crate) fn audit_entry(
        &self,
        actor: &Actor,
        action: &str,
        subject: impl Into<String>,
        detail: Value,
    ) -> Change {
        Change::Audit(AuditEntry {
            id: AuditId::from_u64(self.ids.next(self.clock.now())),
            actor: actor.0.to_string(),
            action: action.to_owned(),
            subject: subject.into(),
            detail,
        })
    }
}
