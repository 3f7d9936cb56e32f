//! Reading durations and instants as people write them.

use evoke_model::{Millis, Timestamp};
use jiff::civil::{Date, DateTime};

use crate::civil::{YEAR_MAX, YEAR_MIN};
use crate::zone::{Zone, begin_of, second_of};

/// A duration: `5m`, or several parts that add up, `1h30m`.
pub(crate) fn duration(text: &str) -> Result<Millis, String> {
    let error = match text.parse::<Millis>() {
        Ok(duration) => return Ok(duration),
        Err(error) => error.to_string(),
    };
    let mut sum = 0_u64;
    let mut rest = text.trim();
    while !rest.is_empty() {
        let unit = rest.find(|c: char| c.is_ascii_alphabetic()).ok_or_else(|| error.clone())?;
        let end = rest[unit..].find(|c: char| !c.is_ascii_alphabetic());
        let (part, after) = rest.split_at(end.map_or(rest.len(), |end| unit + end));
        let part: Millis = part.parse().map_err(|_| error.clone())?;
        sum = sum.saturating_add(part.as_u64());
        rest = after.trim_start();
    }
    if sum == 0 { Err(error) } else { Ok(Millis::new(sum)) }
}

/// Which end of a day is meant where only the day is given.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum DayMeans {
    /// A day alone is not enough.
    Nothing,
    /// Its first instant.
    Begin,
    /// Its last instant.
    End,
}

/// An instant: RFC 3339, or without an offset by the local clock of the zone. A time that the
/// local clock leaves out is the instant right after the gap, one that it shows twice the first.
pub(crate) fn instant(text: &str, zone: &Zone, day: DayMeans) -> Result<Timestamp, String> {
    let text = text.trim();
    let at = match text.parse::<Timestamp>() {
        Ok(at) => at,
        Err(error) => match (text.parse::<Date>(), text.parse::<DateTime>()) {
            (Ok(date), _) if text.len() <= "2026-12-01".len() => whole_day(date, zone, day)?,
            (_, Ok(local)) => by_local_clock(local, zone),
            _ => return Err(error.to_string()),
        },
    };
    let years = begin_of(0)..=Timestamp::from_micros(crate::schedule::LAST_MICROS);
    if years.contains(&at) {
        Ok(at)
    } else {
        Err(format!("{text:?} is not within the years {YEAR_MIN} to {YEAR_MAX}"))
    }
}

fn whole_day(date: Date, zone: &Zone, day: DayMeans) -> Result<Timestamp, String> {
    let midnight = |date: Date| by_local_clock(date.to_datetime(jiff::civil::Time::MIN), zone);
    match (day, date.tomorrow()) {
        (DayMeans::Begin, _) => Ok(midnight(date)),
        (DayMeans::End, Ok(next)) => Ok(Timestamp::from_micros(midnight(next).as_micros() - 1)),
        _ => Err(format!("a time is missing after {date}, like {date}T09:00")),
    }
}

fn by_local_clock(local: DateTime, zone: &Zone) -> Timestamp {
    let as_utc = jiff::tz::Offset::UTC.to_timestamp(local).unwrap_or_default();
    let as_utc = Timestamp::from_micros(as_utc.as_microsecond());
    let second = second_of(as_utc);
    let reached = zone.when_reached(second);
    // Right after a gap means its very end, whatever the fraction of the time left out.
    let fraction = as_utc.as_micros() - begin_of(second).as_micros();
    let shown = zone.stretch(reached).offset + reached == second;
    Timestamp::from_micros(begin_of(reached).as_micros() + if shown { fraction } else { 0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_may_have_several_parts() {
        let table = [
            ("5m", Some(300_000)),
            ("90", Some(90_000)),
            ("1h30m", Some(5_400_000)),
            ("1h 30m", Some(5_400_000)),
            ("1.5h", Some(5_400_000)),
            ("1m500ms", Some(60_500)),
            ("", None),
            ("h", None),
            ("1h30", None),
            ("5 parsecs", None),
            ("-5m", None),
        ];
        for (text, millis) in table {
            assert_eq!(duration(text).ok(), millis.map(Millis::new), "{text}");
        }
    }

    #[test]
    fn instants_are_rfc_3339_or_local() {
        let berlin = Zone::parse("Europe/Berlin").unwrap();
        let table = [
            ("2026-12-01T09:00:00Z", Some("2026-12-01T09:00:00Z")),
            ("2026-12-01T09:00:00+05:30", Some("2026-12-01T03:30:00Z")),
            ("2026-12-01T09:00:00", Some("2026-12-01T08:00:00Z")),
            ("2026-12-01 09:00", Some("2026-12-01T08:00:00Z")),
            ("2026-07-01T09:00:00.25", Some("2026-07-01T07:00:00.25Z")),
            ("2026-03-29T02:30:00.5", Some("2026-03-29T01:00:00Z")),
            ("2026-10-25T02:30:00", Some("2026-10-25T00:30:00Z")),
            ("2026-12-01", None),
            ("tomorrow", None),
            ("2026-13-01T09:00:00Z", None),
            ("1969-12-31T23:59:59Z", None),
            ("2200-01-01T00:00:00Z", None),
        ];
        for (text, expected) in table {
            let read = instant(text, &berlin, DayMeans::Nothing);
            assert_eq!(
                read.clone().ok(),
                expected.map(|at| at.parse().unwrap()),
                "{text} {read:?}"
            );
        }
    }

    #[test]
    fn a_day_alone_is_a_bound() {
        let berlin = Zone::parse("Europe/Berlin").unwrap();
        let begin = instant("2026-10-25", &berlin, DayMeans::Begin).unwrap();
        assert_eq!(begin.to_string(), "2026-10-24T22:00:00Z");
        let end = instant("2026-10-25", &berlin, DayMeans::End).unwrap();
        assert_eq!(end.to_string(), "2026-10-25T22:59:59.999999Z");
    }
}
