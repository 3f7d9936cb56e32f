//! The instants of an expression in a time zone.
//!
//! One rule covers gaps, repeated hours, changes of half an hour and days left out: an expression
//! with fixed times fires at the first instant at which the local clock has come to the time. What
//! a gap leaves out therefore fires right after it, once however many times were left out, and what
//! the clock shows twice fires once. An expression that runs through fires whenever the clock shows
//! a time of its.

use std::ops::Range;

use crate::cron::Cron;
use crate::zone::{MARGIN, Stretch, Zone};

/// An expression in a time zone. In seconds of the Unix epoch.
#[derive(Clone, Copy)]
pub(crate) struct Instants<'a> {
    pub cron: &'a Cron,
    pub zone: &'a Zone,
}

impl Instants<'_> {
    /// The first instant that is not before `from`.
    pub(crate) fn first_from(&self, from: i64) -> Option<i64> {
        let (mut stretch, mut from) = (self.zone.stretch(from), from);
        loop {
            if from == stretch.from && self.fires_after_gap(&stretch) {
                return Some(from);
            }
            let local = from + stretch.offset;
            let found = self.cron.local_from(local.max(self.lowest(&stretch)));
            if let Some(found) = found.filter(|found| *found < stretch.local_until()) {
                return Some(found - stretch.offset);
            }
            let next = self.zone.after(&stretch)?;
            // Whether the clock shows nothing again of what was looked through.
            let is_past = next.local_from() >= local && next.until - from >= MARGIN;
            (stretch, from) = match found {
                None if is_past => return None,
                // Nothing matches until then, so that changes in between need no look.
                Some(found) if is_past && found - MARGIN > next.until => {
                    (self.zone.stretch(found - MARGIN), found - MARGIN)
                }
                _ => (next, next.from),
            };
        }
    }

    /// The last instant that is not after `until`, unless it is before `floor`.
    pub(crate) fn last_until(&self, until: i64, floor: i64) -> Option<i64> {
        let (mut stretch, mut until) = (self.zone.stretch(until), until);
        while until >= floor {
            let found = self.cron.local_until(until + stretch.offset);
            if let Some(found) = found.filter(|found| *found >= self.lowest(&stretch)) {
                return Some(found - stretch.offset).filter(|at| *at >= floor);
            }
            if self.fires_after_gap(&stretch) {
                return Some(stretch.from).filter(|at| *at >= floor);
            }
            stretch = self.zone.before(&stretch)?;
            until = stretch.until - 1;
        }
        None
    }

    /// How many instants there are in the range.
    pub(crate) fn count(&self, range: Range<i64>) -> u64 {
        let mut count = 0;
        let mut next = (range.start < range.end).then(|| self.zone.stretch(range.start));
        while let Some(stretch) = next.filter(|stretch| stretch.from < range.end) {
            let from = range.start.max(stretch.from) + stretch.offset;
            let until = range.end.min(stretch.until) + stretch.offset;
            count += self.cron.count_local(from.max(self.lowest(&stretch))..until);
            if range.start <= stretch.from && self.fires_after_gap(&stretch) {
                // A time shown by the first second after the gap is the same instant.
                let first = stretch.local_from();
                count += 1 - self.cron.count_local(first..first + 1);
            }
            next = self.zone.after(&stretch);
        }
        count
    }

    /// The lowest time of the local clock that may fire in a stretch.
    fn lowest(&self, stretch: &Stretch) -> i64 {
        if self.cron.runs_through() {
            stretch.local_from()
        } else {
            stretch.local_from().max(stretch.reached)
        }
    }

    /// Whether a time was left out by the change with which a stretch begins.
    fn fires_after_gap(&self, stretch: &Stretch) -> bool {
        let left_out = stretch.reached..stretch.local_from();
        !self.cron.runs_through()
            && !left_out.is_empty()
            && self.cron.local_from(left_out.start).is_some_and(|at| left_out.contains(&at))
    }
}
