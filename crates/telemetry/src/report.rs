//! What the log says of the export: that it fails and why, what was lost, and that it works again.
//! Spans come by the thousand, so it says so now and then instead of each time.

use std::time::{Duration, Instant};

use tracing::{info, warn};

use crate::Counts;

/// The time between two warnings.
const QUIET: Duration = Duration::from_secs(60);

/// Remembers what was said.
#[derive(Debug, Default)]
pub(crate) struct Reporter {
    /// Why the last request went wrong, if it did.
    trouble: Option<String>,
    /// Whether that was said.
    is_told: bool,
    /// The losses that were said.
    told: Counts,
    last: Option<Instant>,
}

impl Reporter {
    /// The last request went wrong.
    pub(crate) fn trouble(&mut self, why: String) {
        self.is_told &= self.trouble.is_some();
        self.trouble = Some(why);
    }

    /// The last request went well.
    pub(crate) fn fine(&mut self) {
        if self.trouble.take().is_some() && self.is_told {
            info!("Spans are exported again");
        }
    }

    /// Says what is new, unless it warned a moment ago.
    pub(crate) fn tell(&mut self, counts: Counts, now: Instant) {
        if self.is_due(counts, now) {
            self.warn(counts);
            self.last = Some(now);
        }
    }

    /// Says what was lost and never told: the last word.
    pub(crate) fn finish(&mut self, counts: Counts) {
        if counts.lost() > self.told.lost() {
            self.warn(counts);
        }
    }

    fn is_due(&self, counts: Counts, now: Instant) -> bool {
        let is_quiet = self.last.is_some_and(|last| now.duration_since(last) < QUIET);
        let has_news = self.trouble.is_some() && !self.is_told;
        !is_quiet && (has_news || counts.lost() > self.told.lost())
    }

    fn warn(&mut self, counts: Counts) {
        let dropped = counts.dropped - self.told.dropped;
        let failed = counts.failed - self.told.failed;
        let why = self.trouble.as_deref().unwrap_or("more were made than the receiver took");
        warn!(
            spans.dropped = dropped,
            spans.failed = failed,
            "Trouble with the export of spans, {} lost: {why}",
            dropped + failed
        );
        self.is_told = self.trouble.is_some();
        self.told = counts;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lost(dropped: u64, failed: u64) -> Counts {
        Counts { dropped, failed, ..Counts::default() }
    }

    #[test]
    fn trouble_and_losses_are_told_once_and_then_only_now_and_then() {
        let mut reporter = Reporter::default();
        let start = Instant::now();
        assert!(!reporter.is_due(lost(0, 0), start));
        reporter.trouble("refused".to_owned());
        assert!(reporter.is_due(lost(0, 0), start));
        reporter.tell(lost(0, 0), start);

        assert!(!reporter.is_due(lost(9, 0), start + QUIET / 2), "it warned a moment ago");
        assert!(!reporter.is_due(lost(0, 0), start + QUIET), "nothing is new");
        assert!(reporter.is_due(lost(9, 0), start + QUIET));
        reporter.tell(lost(9, 0), start + QUIET);
        reporter.trouble("refused".to_owned());
        assert!(!reporter.is_due(lost(9, 0), start + QUIET * 2), "still the same trouble");
        assert!(reporter.is_due(lost(9, 1), start + QUIET * 2));

        reporter.fine();
        assert!(!reporter.is_due(lost(9, 0), start + QUIET * 3));
        reporter.trouble("again".to_owned());
        assert!(reporter.is_due(lost(9, 0), start + QUIET * 3));
    }
}
