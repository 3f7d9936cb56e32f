//! What a person sees of retention, and how one runs it by hand.

use evoke_model::{Rejection, Timestamp};
use evoke_ports::store::Size;

use super::policy::RetentionPolicy;
use super::run::{Retained, Scope, failed};
use crate::start::Engine;

/// How large everything is and what becomes of it.
#[derive(Debug, Clone, PartialEq)]
pub struct RetentionView {
    /// Bytes.
    pub size: Size,
    /// Events in the record when they were counted last, at the end of a run; `None` before, and
    /// where the store does not count them.
    pub active_events: Option<u64>,
    /// Parts of the archive.
    pub segments: u64,
    /// Events in the archive.
    pub archived_events: u64,
    /// Executions in the archive.
    pub archived_executions: u64,
    /// When the oldest event of the archive was accepted.
    pub oldest_archived: Option<Timestamp>,
    /// What was asked for.
    pub policy: RetentionPolicy,
    /// What the last run did; `None` before the first.
    pub last_run: Option<Retained>,
}

impl Engine {
    /// How large everything is and what becomes of it.
    ///
    /// # Errors
    /// ST_001.
    pub async fn retention(&self) -> Result<RetentionView, Rejection> {
        let retention = &self.inner.retention;
        let size = self.inner.store.archive().size().await.map_err(failed)?;
        let totals = retention.shelf.totals().await.map_err(failed)?;
        Ok(RetentionView {
            size,
            active_events: retention.gauges.active(),
            segments: totals.segments,
            archived_events: totals.events,
            archived_executions: totals.executions,
            oldest_archived: totals.oldest.map(|id| id.made_at()),
            policy: self.inner.settings.retention.clone(),
            last_run: retention.last(),
        })
    }

    /// Runs retention once over everything, to its end, and tells what it did.
    ///
    /// # Errors
    /// ST_001; API_007 when the server stops meanwhile.
    pub async fn retain_now(&self) -> Result<Retained, Rejection> {
        self.inner.retain(Scope::All, self.inner.clock.now()).await
    }
}
