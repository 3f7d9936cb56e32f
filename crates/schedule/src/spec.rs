//! What a schedule trigger says, as texts, and the schedule made of it.

use evoke_model::{Millis, Problem, Timestamp, suggest};

use crate::cron::Cron;
use crate::due::{MISSED_MAX, Missed, WITHIN_DEFAULT, WITHIN_MAX};
use crate::read::{self, DayMeans};
use crate::schedule::{Schedule, When};
use crate::zone::Zone;

/// The shortest interval: a shorter one is a loop, not a schedule.
const EVERY_MIN: Millis = Millis::from_secs(1);
/// The longest interval: ten years.
const EVERY_MAX: Millis = Millis::from_secs(3_653 * 86_400);
/// The longest jitter: occurrences of a daily schedule stay in order.
const JITTER_MAX: Millis = Millis::from_secs(86_400);

/// How many missed occurrences fire with `missed: all`, unless it says otherwise.
const MISSED_DEFAULT: u32 = 100;

/// What a schedule trigger says. Durations are texts like `5m`; instants are RFC 3339, or without
/// an offset by the local clock of the time zone. Problems name the fields as they are called here;
/// those of `missed_max` and `missed_within` are called `missed.max` and `missed.within`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Spec<'a> {
    /// A cron expression.
    pub cron: Option<&'a str>,
    /// An interval.
    pub every: Option<&'a str>,
    /// A single instant.
    pub at: Option<&'a str>,
    /// A name of the tz database; UTC where none is given.
    pub timezone: Option<&'a str>,
    /// The first instant at which it may fire; of a day alone its beginning.
    pub start: Option<&'a str>,
    /// The last instant at which it may fire; of a day alone its end.
    pub end: Option<&'a str>,
    /// What occurrences are spread over.
    pub jitter: Option<&'a str>,
    /// `skip`, `last` or `all`; `last` where nothing is given.
    pub missed: Option<&'a str>,
    /// How many fire at most, with `all`.
    pub missed_max: Option<u64>,
    /// How far back they may be.
    pub missed_within: Option<&'a str>,
}

impl Schedule {
    /// The schedule of what a trigger says.
    ///
    /// # Errors
    /// Everything that is wrong with it, by field.
    pub fn new(spec: Spec<'_>) -> Result<Self, Vec<Problem>> {
        let mut reader = Reader { problems: Vec::new() };
        let zone = reader.zone(spec.timezone);
        // Without its zone a local time means nothing.
        let local = zone.clone().unwrap_or_else(Zone::utc);
        let when = reader.when(&spec, &local);
        let start = reader.instant("start", spec.start, &local, DayMeans::Begin);
        let end = reader.instant("end", spec.end, &local, DayMeans::End);
        let jitter = reader.jitter(spec.jitter, when.as_ref());
        let missed = reader.missed(&spec);
        if let (Some(start), Some(end)) = (start, end)
            && end < start
        {
            reader.note("end", format!("{end} is before the start, {start}"));
        }
        let (Some(when), true) = (when, reader.problems.is_empty()) else {
            return Err(reader.problems);
        };
        let schedule = Self { when, zone: local, start, end, jitter, missed };
        match schedule.never_fires() {
            Some(problem) => Err(vec![problem]),
            None => Ok(schedule),
        }
    }

    /// A schedule whose bounds leave it nothing. What an interval has depends on its anchor.
    fn never_fires(&self) -> Option<Problem> {
        let field = match &self.when {
            When::Every(_) if self.start.is_none() => return None,
            When::Every(_) => "every",
            When::Cron(_) => "cron",
            When::At(_) => "at",
        };
        let first = self.first_from(Timestamp::EPOCH, Timestamp::EPOCH);
        first.is_none().then(|| Problem::new(field, "never fires between start and end"))
    }
}

/// Collects what is wrong while everything else is read.
struct Reader {
    problems: Vec<Problem>,
}

impl Reader {
    fn note(&mut self, field: &str, message: impl Into<String>) {
        self.problems.push(Problem::new(field, message));
    }

    fn zone(&mut self, name: Option<&str>) -> Option<Zone> {
        match name.map_or_else(|| Ok(Zone::utc()), Zone::parse) {
            Ok(zone) => Some(zone),
            Err(problem) => {
                self.problems.push(problem);
                None
            }
        }
    }

    fn when(&mut self, spec: &Spec<'_>, zone: &Zone) -> Option<When> {
        match (spec.cron, spec.every, spec.at) {
            (Some(cron), None, None) => self.cron(cron),
            (None, Some(every), None) => self.every("every", every),
            (None, None, Some(at)) => {
                self.instant("at", Some(at), zone, DayMeans::Nothing).map(When::At)
            }
            (None, None, None) => {
                let problem = Problem::new("cron", "a schedule needs one of cron, every and at");
                self.problems.push(problem.suggest("like cron: \"0 9 * * MON-FRI\""));
                None
            }
            (cron, ..) => {
                let field = if cron.is_some() { "cron" } else { "every" };
                self.note(field, "only one of cron, every and at may be given");
                None
            }
        }
    }

    fn cron(&mut self, text: &str) -> Option<When> {
        if let Some(interval) = text.trim().strip_prefix("@every ") {
            return self.every("cron", interval);
        }
        Cron::parse(text).map(When::Cron).map_err(|found| self.problems.extend(found)).ok()
    }

    fn every(&mut self, field: &str, text: &str) -> Option<When> {
        self.duration(field, text, EVERY_MIN..=EVERY_MAX).map(When::Every)
    }

    fn duration(
        &mut self,
        field: &str,
        text: &str,
        bounds: std::ops::RangeInclusive<Millis>,
    ) -> Option<Millis> {
        match read::duration(text) {
            Ok(duration) if bounds.contains(&duration) => return Some(duration),
            Ok(duration) => {
                let (min, max) = (bounds.start(), bounds.end());
                self.note(field, format!("{duration} is not within {min} to {max}"));
            }
            Err(message) => self.note(field, message),
        }
        None
    }

    fn instant(
        &mut self,
        field: &str,
        text: Option<&str>,
        zone: &Zone,
        day: DayMeans,
    ) -> Option<Timestamp> {
        read::instant(text?, zone, day).map_err(|message| self.note(field, message)).ok()
    }

    fn jitter(&mut self, text: Option<&str>, when: Option<&When>) -> Millis {
        let max = match when {
            Some(When::Every(interval)) => JITTER_MAX.min(*interval),
            _ => JITTER_MAX,
        };
        text.and_then(|text| self.duration("jitter", text, Millis::ZERO..=max)).unwrap_or_default()
    }

    fn missed(&mut self, spec: &Spec<'_>) -> Missed {
        let within = spec
            .missed_within
            .and_then(|text| self.duration("missed.within", text, Millis::ZERO..=WITHIN_MAX))
            .unwrap_or(WITHIN_DEFAULT);
        let max = spec.missed_max.map_or(Some(MISSED_DEFAULT), |max| {
            u32::try_from(max).ok().filter(|max| (1..=MISSED_MAX).contains(max))
        });
        if max.is_none() {
            self.note("missed.max", format!("expected 1 to {MISSED_MAX}"));
        }
        match spec.missed {
            None | Some("last") => Missed::Last { within },
            Some("skip") => Missed::Skip,
            Some("all") => Missed::All { max: max.unwrap_or(MISSED_DEFAULT), within },
            Some(other) => {
                let problem = Problem::new("missed", format!("{other:?} is not a policy"));
                let suggestion = suggest::did_you_mean(other, ["skip", "last", "all"]);
                self.problems.push(problem.suggest(suggestion));
                Missed::default()
            }
        }
    }
}
