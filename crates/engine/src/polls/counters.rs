//! What the metrics tell of polls.

use std::sync::atomic::{AtomicUsize, Ordering};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use super::SkipReason;

/// The label `reason`.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(crate) struct ByReason {
    reason: &'static str,
}

/// The counters of all polls.
#[derive(Default)]
pub(crate) struct Counters {
    polls: Counter,
    skips: Family<ByReason, Counter>,
    under_way: AtomicUsize,
}

impl Counters {
    /// Makes them known to Prometheus, each reason from the beginning.
    pub(crate) fn register(&self, registry: &mut Registry) {
        registry.register("polls", "Questions asked of polled functions", self.polls.clone());
        let skips = "Times a poll did not fire, by reason";
        registry.register("poll_skips", skips, self.skips.clone());
        for reason in SkipReason::ALL {
            self.skips.get_or_create(&ByReason { reason: reason.as_str() }).inc_by(0);
        }
    }

    /// How many questions are under way.
    pub(crate) fn under_way(&self) -> usize {
        self.under_way.load(Ordering::Relaxed)
    }

    pub(super) fn asked(&self) {
        self.polls.inc();
    }

    pub(super) fn skipped(&self, reason: SkipReason) {
        self.skips.get_or_create(&ByReason { reason: reason.as_str() }).inc();
    }

    pub(super) fn begins(&self) {
        self.under_way.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn ends(&self) {
        self.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}
