//! The times of day of an expression.

/// Sets of hours, minutes and seconds, one bit a value; none is empty.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Clock {
    pub hours: u64,
    pub minutes: u64,
    pub seconds: u64,
}

/// The lowest value of `set` that is at least `from`.
pub(super) const fn at_least(set: u64, from: u32) -> Option<u32> {
    if from > 63 {
        return None;
    }
    let rest = set >> from << from;
    if rest == 0 { None } else { Some(rest.trailing_zeros()) }
}

/// The highest value of `set` that is at most `until`.
pub(super) const fn at_most(set: u64, until: u32) -> Option<u32> {
    let rest = set & (u64::MAX >> (63 - until));
    if rest == 0 { None } else { Some(63 - rest.leading_zeros()) }
}

const fn contains(set: u64, value: u32) -> bool {
    set >> value & 1 == 1
}

/// How many values of `set` are below `value`.
const fn below(set: u64, value: u32) -> u32 {
    (set & !(u64::MAX << value)).count_ones()
}

const fn split(second: u32) -> (u32, u32, u32) {
    (second / 3_600, second / 60 % 60, second % 60)
}

const fn join(hour: u32, minute: u32, second: u32) -> u32 {
    hour * 3_600 + minute * 60 + second
}

impl Clock {
    /// The first second of the day that matches.
    pub(super) const fn first(&self) -> u32 {
        let (hour, minute) = (self.hours.trailing_zeros(), self.minutes.trailing_zeros());
        join(hour, minute, self.seconds.trailing_zeros())
    }

    /// The last second of the day that matches.
    pub(super) const fn last(&self) -> u32 {
        let (hour, minute) = (63 - self.hours.leading_zeros(), 63 - self.minutes.leading_zeros());
        join(hour, minute, 63 - self.seconds.leading_zeros())
    }

    /// How many seconds of a day match.
    pub(super) const fn per_day(&self) -> u64 {
        (self.hours.count_ones() * self.minutes.count_ones() * self.seconds.count_ones()) as u64
    }

    /// The first matching second of the day that is not before `from`.
    pub(super) fn at_least(&self, from: u32) -> Option<u32> {
        let (hour, minute, second) = split(from);
        let (minutes, seconds) = (self.minutes.trailing_zeros(), self.seconds.trailing_zeros());
        if contains(self.hours, hour) {
            if contains(self.minutes, minute)
                && let Some(second) = at_least(self.seconds, second)
            {
                return Some(join(hour, minute, second));
            }
            if let Some(minute) = at_least(self.minutes, minute + 1) {
                return Some(join(hour, minute, seconds));
            }
        }
        at_least(self.hours, hour + 1).map(|hour| join(hour, minutes, seconds))
    }

    /// The last matching second of the day that is not after `until`.
    pub(super) fn at_most(&self, until: u32) -> Option<u32> {
        let (hour, minute, second) = split(until);
        let (minutes, seconds) =
            (63 - self.minutes.leading_zeros(), 63 - self.seconds.leading_zeros());
        if contains(self.hours, hour) {
            if contains(self.minutes, minute)
                && let Some(second) = at_most(self.seconds, second)
            {
                return Some(join(hour, minute, second));
            }
            if let Some(minute) = minute.checked_sub(1).and_then(|top| at_most(self.minutes, top)) {
                return Some(join(hour, minute, seconds));
            }
        }
        let hour = hour.checked_sub(1).and_then(|top| at_most(self.hours, top))?;
        Some(join(hour, minutes, seconds))
    }

    /// How many matching seconds of the day are before `second`.
    pub(super) fn count_before(&self, second: u32) -> u64 {
        let (hour, minute, second) = split(second);
        let (minutes, seconds) = (self.minutes.count_ones(), self.seconds.count_ones());
        let mut count = below(self.hours, hour) * minutes * seconds;
        if contains(self.hours, hour) {
            count += below(self.minutes, minute) * seconds;
            if contains(self.minutes, minute) {
                count += below(self.seconds, second);
            }
        }
        u64::from(count)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A set that is not empty, of values below `end`.
    fn set(end: u32) -> impl Strategy<Value = u64> {
        prop::collection::vec(0..end, 1..6)
            .prop_map(|values| values.into_iter().fold(0, |set, value| set | 1 << value))
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

        #[test]
        fn every_second_of_the_day_is_told_from_its_neighbours(
            (hours, minutes, seconds) in (set(24), set(60), set(60)),
        ) {
            let clock = Clock { hours, minutes, seconds };
            let matches = |second: u32| {
                let (hour, minute, second) = split(second);
                contains(hours, hour) && contains(minutes, minute) && contains(seconds, second)
            };
            let all: Vec<u32> = (0..86_400).filter(|second| matches(*second)).collect();
            prop_assert_eq!((all[0], all[all.len() - 1]), (clock.first(), clock.last()));
            prop_assert_eq!(all.len() as u64, clock.per_day());
            for second in 0..86_400 {
                let before = all.partition_point(|found| *found < second);
                prop_assert_eq!(clock.count_before(second), before as u64);
                prop_assert_eq!(clock.at_least(second), all.get(before).copied());
                let until = all.partition_point(|found| *found <= second);
                let last = until.checked_sub(1).map(|last| all[last]);
                prop_assert_eq!(clock.at_most(second), last);
            }
        }
    }
}
