//! What is counted of retention.

use std::time::Instant;

use evoke_ports::store::{Archive, Error, Size};
use parking_lot::Mutex;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::run::Retained;
use super::shelf::Totals;
use crate::committer::Chain;
use crate::start::Inner;

/// Counting the record goes over all of it, so it may take one part in so many of the time.
const COUNT_SHARE: u32 = 1_000;

/// The label `tier`.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ByTier {
    tier: &'static str,
}

/// The label `kind`.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ByKind {
    kind: &'static str,
}

/// The label `use`.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ByUse {
    r#use: &'static str,
}

/// The levels after the last run, and what all runs removed.
#[derive(Default)]
pub(crate) struct Gauges {
    events: Family<ByTier, Gauge>,
    removed: Family<ByKind, Counter>,
    bytes: Family<ByUse, Gauge>,
    active: Mutex<Active>,
}

/// How many events the record holds.
#[derive(Default)]
struct Active {
    count: Option<u64>,
    /// How many had been accepted when it was counted.
    accepted: u64,
    /// When it may be counted again.
    due: Option<Instant>,
}

impl Gauges {
    /// Gauges that are read with all others.
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let gauges = Self::default();
        registry.register(
            "retention_events",
            "Events in the record and in the archive, after the last run of retention",
            gauges.events.clone(),
        );
        registry.register(
            "retention_removed",
            "What retention removed for good",
            gauges.removed.clone(),
        );
        registry.register(
            "store_bytes",
            "Bytes of the store, after the last run of retention",
            gauges.bytes.clone(),
        );
        gauges
    }

    /// How many events the record held after the last run.
    pub(crate) fn active(&self) -> Option<u64> {
        self.active.lock().count
    }

    /// Counts the record. When that was costly and not long ago, what came since is added to the
    /// last count and what the run took out is taken off.
    async fn count(
        &self,
        archive: &dyn Archive,
        accepted: u64,
        done: &Retained,
    ) -> Result<Option<u64>, Error> {
        let started = Instant::now();
        {
            let mut active = self.active.lock();
            if let Some(count) = active.count
                && active.due.is_some_and(|due| started < due)
            {
                let count = count + accepted.saturating_sub(active.accepted);
                let left = done.archived_events + done.removed_events;
                active.count = Some(count.saturating_sub(left));
                active.accepted = accepted;
                return Ok(active.count);
            }
        }
        let count = archive.count_events().await?;
        let due = Some(started + started.elapsed() * COUNT_SHARE);
        *self.active.lock() = Active { count, accepted, due };
        Ok(count)
    }

    fn set(&self, done: &Retained, totals: Totals, size: Size) {
        let tier = |tier| ByTier { tier };
        self.events.get_or_create(&tier("archived")).set(totals.events as i64);
        let removed = [
            ("event", done.removed_events),
            ("execution", done.removed_executions),
            ("segment", done.removed_segments),
        ];
        for (kind, count) in removed {
            self.removed.get_or_create(&ByKind { kind }).inc_by(count);
        }
        for (r#use, bytes) in
            [("used", size.used), ("free", size.free), ("archived", size.archived)]
        {
            self.bytes.get_or_create(&ByUse { r#use }).set(bytes as i64);
        }
    }
}

impl Inner {
    /// Brings the levels up to date after a run.
    pub(super) async fn measure(&self, done: &Retained) {
        if let Err(error) = self.try_measure(done).await {
            tracing::warn!(error = %Chain(&error), "The store could not be measured");
        }
    }

    async fn try_measure(&self, done: &Retained) -> Result<(), Error> {
        let gauges = &self.retention.gauges;
        let accepted = self.metrics.all_accepted();
        let archive = self.store.archive();
        gauges.set(done, self.retention.shelf.totals().await?, archive.size().await?);
        if let Some(active) = gauges.count(&*archive, accepted, done).await? {
            let label = ByTier { tier: "active" };
            gauges.events.get_or_create(&label).set(active as i64);
        }
        Ok(())
    }
}
