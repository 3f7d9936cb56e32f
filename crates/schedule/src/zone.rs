//! Time zones: stretches of time with one offset, and what the local clock shows in them.

use evoke_model::{Problem, Timestamp, suggest};
use jiff::tz::{TimeZone, TimeZoneDatabase};

use crate::civil::DAY_SECS;

/// In seconds: more than a local clock ever is apart from UTC, or is set forward or back.
pub(crate) const MARGIN: i64 = 2 * DAY_SECS;
/// The bounds of the first and the last stretch.
const FOREVER: i64 = i64::MAX / 4;

/// A time zone of the tz database, by the rules that are compiled in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Zone {
    name: String,
    tz: TimeZone,
}

/// Time during which the local clock runs evenly. In seconds of the Unix epoch; those of the local
/// clock are counted alike.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Stretch {
    /// Its first second.
    pub from: i64,
    /// The second after its last.
    pub until: i64,
    /// What the local clock is ahead of UTC.
    pub offset: i64,
    /// How far the local clock had come before: the second after the last it had shown.
    pub reached: i64,
}

impl Stretch {
    /// What the local clock shows in its first second.
    pub(crate) const fn local_from(&self) -> i64 {
        self.from + self.offset
    }

    /// What the local clock would show in the second after its last.
    pub(crate) const fn local_until(&self) -> i64 {
        self.until + self.offset
    }
}

impl Zone {
    /// UTC.
    pub fn utc() -> Self {
        Self { name: "UTC".to_owned(), tz: TimeZone::UTC }
    }

    /// The zone with this name of the tz database, in any case.
    ///
    /// # Errors
    /// There is none; the nearest name is suggested.
    pub fn parse(name: &str) -> Result<Self, Problem> {
        let name = name.trim();
        let known = TimeZoneDatabase::bundled();
        match known.get(name) {
            Ok(tz) if !tz.is_unknown() => {
                let name = tz.iana_name().unwrap_or(name).to_owned();
                Ok(Self { name, tz })
            }
            _ => Err(unknown(name, &known)),
        }
    }

    /// Its name, as the tz database writes it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The stretch with the second `at`.
    pub(crate) fn stretch(&self, at: i64) -> Stretch {
        let mut earlier = self.tz.preceding(instant(at + 1)).map(|change| change.timestamp());
        let offset = self.offset(at);
        let until = self.tz.following(instant(at)).next();
        let until = until.map_or(FOREVER, |change| change.timestamp().as_second());
        let Some(from) = earlier.next() else {
            return Stretch { from: -FOREVER, until, offset, reached: -FOREVER };
        };
        let from = from.as_second();
        let mut reached = from + self.offset(from - 1);
        for change in earlier.map(|change| change.as_second()) {
            if change + MARGIN < from {
                break;
            }
            reached = reached.max(change + self.offset(change - 1));
        }
        Stretch { from, until, offset, reached }
    }

    /// The stretch after this one.
    pub(crate) fn after(&self, stretch: &Stretch) -> Option<Stretch> {
        (stretch.until < FOREVER).then(|| self.stretch(stretch.until))
    }

    /// The stretch before this one.
    pub(crate) fn before(&self, stretch: &Stretch) -> Option<Stretch> {
        (stretch.from > -FOREVER).then(|| self.stretch(stretch.from - 1))
    }

    /// The first second at which the local clock has come to `local`: the one that shows it, or
    /// the one right after a gap that leaves it out.
    pub(crate) fn when_reached(&self, local: i64) -> i64 {
        let mut stretch = self.stretch(local - MARGIN);
        while stretch.local_until() <= local {
            match self.after(&stretch) {
                Some(next) => stretch = next,
                None => break,
            }
        }
        stretch.from.max(local - stretch.offset)
    }

    fn offset(&self, at: i64) -> i64 {
        i64::from(self.tz.to_offset(instant(at)).seconds())
    }
}

/// Beyond the years that can be told the nearest that can.
fn instant(second: i64) -> jiff::Timestamp {
    let second =
        second.clamp(jiff::Timestamp::MIN.as_second() + 1, jiff::Timestamp::MAX.as_second() - 1);
    jiff::Timestamp::from_second(second).unwrap_or_default()
}

fn unknown(name: &str, known: &TimeZoneDatabase) -> Problem {
    let problem = Problem::new("timezone", format!("there is no time zone {name:?}"));
    let names: Vec<String> = known.available().map(|name| name.as_str().to_owned()).collect();
    let typed = name.replace(' ', "_");
    let is_city = |known: &&str| {
        known.rsplit('/').next().is_some_and(|city| city.eq_ignore_ascii_case(&typed))
    };
    let names = names.iter().map(String::as_str);
    match names.clone().find(is_city).or_else(|| suggest::nearest(&typed, names)) {
        Some(name) => problem.suggest(format!("did you mean \"{name}\"?")),
        None => problem.suggest("a name of the tz database, like Europe/Berlin or UTC"),
    }
}

/// The second that holds an instant.
pub(crate) const fn second_of(at: Timestamp) -> i64 {
    at.as_micros().div_euclid(1_000_000)
}

/// The instant at which a second begins.
pub(crate) const fn begin_of(second: i64) -> Timestamp {
    Timestamp::from_micros(second * 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cron::Cron;
    use crate::instants::Instants;

    /// A zone with rules of its own: on day 100 of each year the clock goes back from midnight to
    /// 23:00, and half an hour later ahead again by one hour.
    fn back_and_ahead() -> Zone {
        let tz = TimeZone::posix("AAA0BBB1,J100/0,J99/23:30").unwrap();
        Zone { name: "Test/Back_And_Ahead".to_owned(), tz }
    }

    #[test]
    fn a_clock_that_goes_back_and_ahead_repeats_only_what_it_had_shown() {
        let zone = back_and_ahead();
        let midnight = second_of("2026-04-10T00:00:00Z".parse().unwrap());
        let back = zone.stretch(midnight);
        assert_eq!((back.from, back.until, back.offset), (midnight, midnight + 1_800, -3_600));
        let ahead = zone.stretch(midnight + 1_800);
        assert_eq!((ahead.local_from(), ahead.reached), (midnight + 1_800, midnight));
        let fires = |text: &str| {
            let cron = Cron::parse(text).unwrap();
            let instants = Instants { cron: &cron, zone: &zone };
            let mut found = Vec::new();
            let mut from = midnight - 7_200;
            while let Some(at) = instants.first_from(from).filter(|at| *at < midnight + 7_200) {
                found.push(at - midnight);
                from = at + 1;
            }
            assert_eq!(instants.count(midnight - 7_200..midnight + 7_200), found.len() as u64);
            found
        };
        // 23:15 had been shown, 00:15 is left out by the second change.
        assert_eq!(fires("15 23 * * *"), [-2_700]);
        assert_eq!(fires("45 23 * * *"), [-900]);
        assert_eq!(fires("15 0 * * *"), [1_800]);
        assert_eq!(fires("15 * * * *"), [-6_300, -2_700, 900, 4_500]);
    }

    #[test]
    fn every_zone_of_the_database_is_known_by_its_name() {
        let known = TimeZoneDatabase::bundled();
        let names: Vec<String> = known.available().map(|name| name.as_str().to_owned()).collect();
        assert!(names.len() > 500);
        for name in names.iter().filter(|name| *name != "Etc/Unknown") {
            assert_eq!(Zone::parse(name).unwrap().name(), name);
            assert_eq!(Zone::parse(&name.to_lowercase()).unwrap().name(), name);
        }
    }
}
