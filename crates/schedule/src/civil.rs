//! The calendar, as numbers: days since 1970-01-01 and back (proleptic Gregorian), without a zone.

/// The first year in which a schedule fires, as OCPS 1.2 has it.
pub(crate) const YEAR_MIN: u16 = 1970;
/// The last year in which a schedule fires. It bounds every search.
pub(crate) const YEAR_MAX: u16 = 2199;
pub(crate) const DAY_SECS: i64 = 86_400;
/// The first second of the first year, by the local clock.
pub(crate) const LOCAL_MIN: i64 = 0;
/// The last second of the last year, by the local clock.
pub(crate) const LOCAL_MAX: i64 = days_until(YEAR_MAX + 1, 1) * DAY_SECS - 1;

/// A month of a year within the supported ones; months count from 1.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Month {
    pub year: u16,
    pub month: u8,
}

impl Month {
    /// Days from 1970-01-01 to the first of this month.
    pub(crate) const fn first_day(self) -> i64 {
        days_until(self.year, self.month)
    }

    /// How many days it has.
    pub(crate) const fn days(self) -> u32 {
        match self.month {
            4 | 6 | 9 | 11 => 30,
            2 if is_leap(self.year) => 29,
            2 => 28,
            _ => 31,
        }
    }

    /// The weekday of its first day; Sunday is 0.
    pub(crate) const fn first_weekday(self) -> u32 {
        // 1970-01-01 was a Thursday.
        (self.first_day() + 4).rem_euclid(7) as u32
    }

    /// The month after this one, unless that is beyond the last year.
    pub(crate) const fn next(self) -> Option<Self> {
        match self {
            Self { year: YEAR_MAX, month: 12 } => None,
            Self { year, month: 12 } => Some(Self { year: year + 1, month: 1 }),
            Self { year, month } => Some(Self { year, month: month + 1 }),
        }
    }

    /// The month before this one, unless that is before the first year.
    pub(crate) const fn previous(self) -> Option<Self> {
        match self {
            Self { year: YEAR_MIN, month: 1 } => None,
            Self { year, month: 1 } => Some(Self { year: year - 1, month: 12 }),
            Self { year, month } => Some(Self { year, month: month - 1 }),
        }
    }
}

const fn is_leap(year: u16) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

/// Days from 1970-01-01 to the first of a month. A year is counted from March, so that the leap
/// day is its last and the lengths of the months before it follow one formula.
const fn days_until(year: u16, month: u8) -> i64 {
    let year = year as i64 - (month <= 2) as i64;
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let from_march = (month as i64 + 9) % 12;
    let of_year = (153 * from_march + 2) / 5;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// The month and the day of the month (from 1) of a day since 1970-01-01.
pub(crate) const fn date_of(day: i64) -> (Month, u32) {
    let shifted = day + 719_468;
    let (era, of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let of_month = of_year - (153 * from_march + 2) / 5 + 1;
    let month = (from_march + 2) % 12 + 1;
    let year = era * 400 + year_of_era + (month <= 2) as i64;
    (Month { year: year as u16, month: month as u8 }, of_month as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_day_of_the_supported_years_agrees_with_another_calendar() {
        let mut date = jiff::civil::date(1970, 1, 1);
        for day in 0..=LOCAL_MAX / DAY_SECS {
            let (month, of_month) = date_of(day);
            let expected = (date.year() as u16, date.month() as u8, date.day() as u32);
            assert_eq!((month.year, month.month, of_month), expected);
            assert_eq!(month.first_day() + i64::from(of_month) - 1, day);
            if of_month == 1 {
                assert_eq!(month.days(), date.days_in_month() as u32);
                let weekday = date.weekday().to_sunday_zero_offset();
                assert_eq!(month.first_weekday(), weekday as u32);
            }
            date = date.tomorrow().unwrap();
        }
        assert_eq!(date, jiff::civil::date(2200, 1, 1));
    }

    #[test]
    fn months_follow_one_another_within_the_supported_years() {
        let (mut month, mut count) = (Month { year: YEAR_MIN, month: 1 }, 1);
        assert_eq!(month.previous(), None);
        while let Some(next) = month.next() {
            assert_eq!(next.previous(), Some(month));
            (month, count) = (next, count + 1);
        }
        assert_eq!(count, 230 * 12);
    }
}
