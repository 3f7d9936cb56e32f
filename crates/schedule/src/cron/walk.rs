//! Walking the matching seconds of the local clock, in seconds since 1970-01-01T00:00:00 as the
//! clock on the wall shows it. A search goes month by month and ends with the supported years.

use std::ops::Range;

use super::Cron;
use super::clock::{at_least, at_most};
use crate::civil::{DAY_SECS, LOCAL_MAX, LOCAL_MIN, Month, date_of};

impl Cron {
    /// The first matching second that is not before `from`.
    pub(crate) fn local_from(&self, from: i64) -> Option<i64> {
        let from = from.max(LOCAL_MIN);
        if from > LOCAL_MAX {
            return None;
        }
        let (day, second) = split(from);
        let (month, of_month) = date_of(day);
        let days = self.calendar.days_of(month);
        if days >> of_month & 1 == 1
            && let Some(second) = self.clock.at_least(second)
        {
            return Some(day * DAY_SECS + i64::from(second));
        }
        let day = self.day_after(month, of_month, days)?;
        Some(day * DAY_SECS + i64::from(self.clock.first()))
    }

    /// The last matching second that is not after `until`.
    pub(crate) fn local_until(&self, until: i64) -> Option<i64> {
        let until = until.min(LOCAL_MAX);
        if until < LOCAL_MIN {
            return None;
        }
        let (day, second) = split(until);
        let (month, of_month) = date_of(day);
        let days = self.calendar.days_of(month);
        if days >> of_month & 1 == 1
            && let Some(second) = self.clock.at_most(second)
        {
            return Some(day * DAY_SECS + i64::from(second));
        }
        let day = self.day_before(month, of_month, days)?;
        Some(day * DAY_SECS + i64::from(self.clock.last()))
    }

    /// How many matching seconds there are in the range: whole days are counted by arithmetic.
    pub(crate) fn count_local(&self, range: Range<i64>) -> u64 {
        let start = range.start.max(LOCAL_MIN);
        let end = range.end.min(LOCAL_MAX + 1);
        if start >= end {
            return 0;
        }
        let ((first, from), (last, until)) = (split(start), split(end));
        let days = self.count_days(first..last) * self.clock.per_day();
        days + self.count_in_day(last, until) - self.count_in_day(first, from)
    }

    fn count_in_day(&self, day: i64, before: u32) -> u64 {
        let (month, of_month) = date_of(day);
        // The end of the range may be the first second after the supported years.
        let matches =
            day * DAY_SECS <= LOCAL_MAX && self.calendar.days_of(month) >> of_month & 1 == 1;
        if matches { self.clock.count_before(before) } else { 0 }
    }

    fn count_days(&self, range: Range<i64>) -> u64 {
        let mut count = 0;
        let mut day = range.start;
        while day < range.end {
            let (month, of_month) = date_of(day);
            let left = (range.end - day).min(i64::from(month.days() - of_month) + 1);
            let window = ((1_u64 << left) - 1) << of_month;
            count += u64::from((self.calendar.days_of(month) & window).count_ones());
            day += left;
        }
        count
    }

    /// The next matching day after day `of_month`, `days` being those of that month.
    fn day_after(&self, mut month: Month, of_month: u32, mut days: u64) -> Option<i64> {
        let mut from = of_month + 1;
        loop {
            if let Some(day) = at_least(days, from) {
                return Some(month.first_day() + i64::from(day) - 1);
            }
            month = month.next()?;
            days = self.calendar.days_of(month);
            from = 1;
        }
    }

    fn day_before(&self, mut month: Month, of_month: u32, mut days: u64) -> Option<i64> {
        let mut until = of_month - 1;
        loop {
            if let Some(day) = at_most(days, until) {
                return Some(month.first_day() + i64::from(day) - 1);
            }
            month = month.previous()?;
            days = self.calendar.days_of(month);
            until = 31;
        }
    }
}

/// The day and the second of the day.
const fn split(local: i64) -> (i64, u32) {
    (local.div_euclid(DAY_SECS), local.rem_euclid(DAY_SECS) as u32)
}
