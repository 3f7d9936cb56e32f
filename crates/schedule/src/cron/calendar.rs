//! The days of an expression.

use crate::civil::{Month, YEAR_MIN};

/// Which days match. Sets are bits: days of the month 1 to 31, months 1 to 12, weekdays 0 (Sunday)
/// to 6.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Calendar {
    pub years: Years,
    pub months: u64,
    /// Absent where the field is `*` or `?`.
    pub month_days: Option<MonthDays>,
    /// Absent where the field is `*` or `?`.
    pub weekdays: Option<Weekdays>,
    pub join: Join,
}

/// A set of the supported years.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Years {
    All,
    Some([u64; 4]),
}

impl Years {
    pub(super) const fn contains(&self, year: u16) -> bool {
        match self {
            Self::All => true,
            Self::Some(words) => {
                let bit = (year - YEAR_MIN) as usize;
                words[bit / 64] >> (bit % 64) & 1 == 1
            }
        }
    }
}

/// How a day of the month and a weekday that are both given go together.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Join {
    /// One of them is enough, as in Vixie cron.
    Either,
    /// The weekday begins with `+`.
    Both,
}

/// What the day of the month says.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct MonthDays {
    pub days: u64,
    /// `15W`: the weekday nearest to each of these days, within the month.
    pub nearest: u64,
    /// `L` is bit 0, `L-3` is bit 3: so many days before the last.
    pub from_last: u64,
    /// `LW`: the last weekday of the month.
    pub last_weekday: bool,
}

/// What the day of the week says.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Weekdays {
    pub days: u64,
    /// `FRI#2`: for each weekday, bits 1 to 5.
    pub nth: [u8; 7],
    /// `5L`: the last such weekday of the month.
    pub last: u64,
}

impl Calendar {
    /// The matching days of a month, as bits 1 to 31.
    pub(super) fn days_of(&self, month: Month) -> u64 {
        if self.months >> month.month & 1 == 0 || !self.years.contains(month.year) {
            return 0;
        }
        match (&self.month_days, &self.weekdays) {
            (None, None) => all_of(month),
            (Some(days), None) => days.in_month(month),
            (None, Some(weekdays)) => weekdays.in_month(month),
            (Some(days), Some(weekdays)) => {
                let (days, weekdays) = (days.in_month(month), weekdays.in_month(month));
                match self.join {
                    Join::Either => days | weekdays,
                    Join::Both => days & weekdays,
                }
            }
        }
    }
}

/// All days of a month.
const fn all_of(month: Month) -> u64 {
    (2 << month.days()) - 2
}

impl MonthDays {
    fn in_month(&self, month: Month) -> u64 {
        let last = month.days();
        let mut days = self.days & all_of(month);
        days |= each(self.from_last)
            .filter_map(|back| last.checked_sub(back))
            .fold(0, |days, day| days | 1 << day);
        days |= each(self.nearest & all_of(month))
            .fold(0, |days, day| days | 1 << nearest_weekday(month, day));
        if self.last_weekday {
            days |= 1 << nearest_weekday(month, last);
        }
        // `L-30` of a month of thirty days is day 0, which no month has.
        days & all_of(month)
    }
}

/// The weekday nearest to a day without leaving the month. The last day of a month that is a
/// Sunday has its Friday, which is also the last weekday of that month.
const fn nearest_weekday(month: Month, day: u32) -> u32 {
    match (month.first_weekday() + day - 1) % 7 {
        6 if day == 1 => 3,
        6 => day - 1,
        0 if day == month.days() => day - 2,
        0 => day + 1,
        _ => day,
    }
}

impl Weekdays {
    fn in_month(&self, month: Month) -> u64 {
        let first = month.first_weekday();
        let first_of = |weekday: u32| 1 + (weekday + 7 - first) % 7;
        let week = each(self.days).fold(0_u64, |days, weekday| days | 1 << first_of(weekday));
        let mut days = week | week << 7 | week << 14 | week << 21 | week << 28;
        for (weekday, nth) in (0_u32..).zip(self.nth) {
            days |= each(u64::from(nth))
                .fold(0, |days, nth| days | 1 << (first_of(weekday) + 7 * (nth - 1)));
        }
        days |= each(self.last).fold(0, |days, weekday| {
            let first = first_of(weekday);
            days | 1 << (first + (month.days() - first) / 7 * 7)
        });
        days & all_of(month)
    }
}

/// The values of a set, lowest first.
fn each(set: u64) -> impl Iterator<Item = u32> {
    let mut rest = set;
    std::iter::from_fn(move || {
        let value = (rest != 0).then(|| rest.trailing_zeros())?;
        rest &= rest - 1;
        Some(value)
    })
}
