//! The time a sender says it has sent a message at.

use evoke_model::{Millis, Timestamp};

use crate::refused::Refused;

/// How far the time may be off unless something else is said: what the libraries of most providers
/// allow.
pub(crate) const TOLERANCE: Millis = Millis::from_secs(5 * 60);

/// What a sender counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Unit {
    /// Whole seconds of the Unix epoch.
    Seconds,
    /// Milliseconds of the Unix epoch.
    Millis,
}

/// A number of units: digits only, so that one moment is written in one way.
pub(crate) fn read(text: &str) -> Option<i64> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_number)
}

/// Whether a message of this moment is neither too old nor too new.
pub(crate) fn is_recent(
    sent: i64,
    unit: Unit,
    now: Timestamp,
    tolerance: Millis,
) -> Result<(), Refused> {
    let now_millis = i128::from(now.as_millis());
    let off_millis = match unit {
        Unit::Seconds => (now_millis.div_euclid(1_000) - i128::from(sent)) * 1_000,
        Unit::Millis => now_millis - i128::from(sent),
    };
    let beyond = off_millis.unsigned_abs().saturating_sub(u128::from(tolerance.as_u64()));
    let by_secs = u64::try_from(beyond.div_ceil(1_000)).unwrap_or(u64::MAX);
    match (by_secs, off_millis > 0) {
        (0, _) => Ok(()),
        (_, true) => Err(Refused::TooOld { by_secs, tolerance }),
        (_, false) => Err(Refused::TooNew { by_secs, tolerance }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_digits() {
        assert_eq!(read("1614265330"), Some(1_614_265_330));
        assert_eq!(read("0"), Some(0));
        for text in ["", "hello", "+1", "-1", " 1", "1 ", "1.0", "1e9", "99999999999999999999", "١"]
        {
            assert_eq!(read(text), None, "{text:?}");
        }
    }

    #[test]
    fn both_units_are_held_against_the_same_clock() {
        let now = Timestamp::from_millis(1_000_000_999);
        let (old, new) = (
            |by_secs| Err(Refused::TooOld { by_secs, tolerance: TOLERANCE }),
            |by_secs| Err(Refused::TooNew { by_secs, tolerance: TOLERANCE }),
        );
        for (sent, unit, expected) in [
            (1_000_000, Unit::Seconds, Ok(())),
            (999_700, Unit::Seconds, Ok(())),
            (999_699, Unit::Seconds, old(1)),
            (1_000_300, Unit::Seconds, Ok(())),
            (1_000_301, Unit::Seconds, new(1)),
            (999_700_999, Unit::Millis, Ok(())),
            (999_700_998, Unit::Millis, old(1)),
            (1_000_300_999, Unit::Millis, Ok(())),
            (1_000_301_000, Unit::Millis, new(1)),
            (i64::MAX, Unit::Seconds, new(9_223_372_036_853_775_507)),
            (0, Unit::Seconds, old(999_700)),
        ] {
            assert_eq!(is_recent(sent, unit, now, TOLERANCE), expected, "{sent}");
        }
    }
}
