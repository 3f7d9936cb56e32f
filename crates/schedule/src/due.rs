//! What is due: which occurrences fire when a schedule is looked at, however late that is.

use evoke_model::{Millis, Timestamp};

use crate::schedule::{Schedule, just_after};

/// An occurrence that is at most this old is late and fires; an older one was missed. A restart
/// takes less than this.
pub const LATE_MAX: Millis = Millis::from_secs(10);
/// The most missed occurrences that fire at once: their events are stored in one go.
pub const MISSED_MAX: u32 = 10_000;
/// How far back a missed occurrence may be and still fire, unless the schedule says otherwise.
pub const WITHIN_DEFAULT: Millis = Millis::from_secs(86_400);
/// The most that may be said for how far back a missed occurrence still fires.
pub(crate) const WITHIN_MAX: Millis = Millis::from_secs(31 * 86_400);

/// What becomes of occurrences that were missed because no server ran.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Missed {
    /// None of them fires.
    Skip,
    /// The youngest fires, if it is not further back than `within`.
    Last {
        /// How far back it may be.
        within: Millis,
    },
    /// The youngest `max` fire, oldest first, those that are not further back than `within`.
    All {
        /// How many at most, up to [`MISSED_MAX`].
        max: u32,
        /// How far back they may be.
        within: Millis,
    },
}

impl Default for Missed {
    fn default() -> Self {
        Self::Last { within: WITHIN_DEFAULT }
    }
}

impl Missed {
    /// How many may fire.
    const fn max(self) -> usize {
        match self {
            Self::Skip => 0,
            Self::Last { .. } => 1,
            Self::All { max, .. } => max as usize,
        }
    }

    const fn within(self) -> Millis {
        match self {
            Self::Skip => Millis::ZERO,
            Self::Last { within } | Self::All { within, .. } => within,
        }
    }
}

/// An occurrence that fires now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Occurrence {
    /// When it should have fired.
    pub at: Timestamp,
    /// How many missed occurrences do not fire: told to the oldest missed one that does.
    pub missed: u32,
}

/// What is due.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Due {
    /// What fires, oldest first.
    pub fire: Vec<Occurrence>,
    /// How many missed occurrences do not fire.
    pub skipped: u64,
    /// The occurrence to wait for, later than `now`; nothing when the schedule has ended.
    pub next: Option<Timestamp>,
}

impl Schedule {
    /// What is due at `now`, if `pending` is the occurrence that was waited for. `pending` counts
    /// whatever the schedule says by now: it was announced. Once `next` is waited for, nothing that
    /// fired here fires again, wherever the clock jumps. The work depends on what fires, not on how
    /// long the server was away.
    pub fn due(&self, pending: Timestamp, now: Timestamp, anchor: Timestamp) -> Due {
        if pending > now {
            return Due { next: Some(pending), ..Due::default() };
        }
        let late_from = now.minus(LATE_MAX);
        let missed = Range { pending, end: late_from.max(pending), anchor };
        let mut fire = self.fire_missed(&missed, now);
        let skipped = self.count_missed(&missed) - fire.len() as u64;
        if let Some(oldest) = fire.first_mut() {
            oldest.missed = u32::try_from(skipped).unwrap_or(u32::MAX);
        }
        let at = |at| Occurrence { at, missed: 0 };
        fire.extend((pending >= late_from).then(|| at(pending)));
        let late_from = late_from.max(just_after(pending));
        fire.extend(self.between(late_from, just_after(now), anchor).map(at));
        Due { fire, skipped, next: self.next_after(now, anchor) }
    }

    /// The missed occurrences that fire, oldest first.
    fn fire_missed(&self, missed: &Range, now: Timestamp) -> Vec<Occurrence> {
        let floor = now.minus(self.missed.within());
        let mut fire = Vec::new();
        let mut end = missed.end;
        while fire.len() < self.missed.max()
            && let Some(at) = self.youngest(missed, end).filter(|at| *at >= floor)
        {
            fire.push(Occurrence { at, missed: 0 });
            end = at;
        }
        fire.reverse();
        fire
    }

    /// The youngest missed occurrence before `end`.
    fn youngest(&self, missed: &Range, end: Timestamp) -> Option<Timestamp> {
        self.last_before(end, just_after(missed.pending), missed.anchor)
            .or_else(|| (missed.pending < end).then_some(missed.pending))
    }

    fn count_missed(&self, missed: &Range) -> u64 {
        let pending = u64::from(missed.pending < missed.end);
        pending + self.count(just_after(missed.pending), missed.end, missed.anchor)
    }
}

/// The occurrences that were missed: `pending`, and those after it and before `end`.
struct Range {
    pending: Timestamp,
    end: Timestamp,
    anchor: Timestamp,
}
