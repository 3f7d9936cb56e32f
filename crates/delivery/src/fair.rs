//! Who goes next where several lanes share a target.
//!
//! Each waits with a claim that grows with time: how long ago it was served, in seconds, plus its
//! priority. The greatest claim goes first. Lanes of one priority therefore take turns, whatever
//! they hold; one of higher priority goes before others, but only until these have waited for the
//! difference in seconds: nobody starves.

use evoke_model::Timestamp;
use evoke_model::policy::Priority;

/// A lane that has something to start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// The priority of what it would start, cut to [`Priority::MAX`] either way.
    pub priority: i32,
    /// When one of it was started last, or when it began to wait if that is later.
    pub served: Timestamp,
}

/// The place of the one that goes next; the first of several with the same claim. `None` when there
/// is none.
pub fn pick(waiting: &[Waiting], now: Timestamp) -> Option<usize> {
    let claim = |lane: &Waiting| {
        let waited = now.as_micros().saturating_sub(lane.served.as_micros());
        let head_start = i64::from(lane.priority.clamp(-Priority::MAX, Priority::MAX)) * 1_000_000;
        waited.saturating_add(head_start)
    };
    // Of equal claims `max_by_key` would give the last.
    (0..waiting.len()).rev().max_by_key(|place| claim(&waiting[*place]))
}
