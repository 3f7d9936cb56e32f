//! Reading an expression. The grammar is that of the Open Cron Pattern Specification, increments
//! 1.0 to 1.4, with ranges that wrap, `L-3`, `LW` and `?` beside it.

use evoke_model::Problem;

use super::Cron;
use super::calendar::{Calendar, Join, MonthDays, Weekdays, Years};
use super::clock::Clock;
use super::field::{Fault, Field, HOUR, MINUTE, MONTH, MONTH_DAY, SECOND, WEEKDAY, YEAR};
use crate::civil::{LOCAL_MIN, YEAR_MIN};

/// What the problems of an expression name.
const FIELD: &str = "cron";
/// Above this a text is no expression, and is not repeated in a message.
const TEXT_MAX: usize = 1_000;

const NICKNAMES: [(&str, &str); 7] = [
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
    ("@monthly", "0 0 1 * *"),
    ("@weekly", "0 0 * * 0"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@hourly", "0 * * * *"),
];

impl Cron {
    /// Reads an expression.
    ///
    /// # Errors
    /// One problem for each field that is not understood, or one that says why the whole is not.
    /// An expression that never matches is refused.
    pub(crate) fn parse(text: &str) -> Result<Self, Vec<Problem>> {
        if text.len() > TEXT_MAX {
            let message = format!("an expression has at most {TEXT_MAX} characters");
            return Err(vec![Problem::new(FIELD, message)]);
        }
        let text = text.split_ascii_whitespace().collect::<Vec<_>>().join(" ");
        let fields = if text.starts_with('@') { nickname(&text)? } else { &text };
        let fields = Fields::split(fields)?;
        let cron = fields.compile(text.clone())?;
        if cron.local_from(LOCAL_MIN).is_none() {
            let message = "never fires: no month has the days it asks for";
            return Err(vec![Problem::new(FIELD, message)]);
        }
        Ok(cron)
    }
}

fn nickname(text: &str) -> Result<&'static str, Vec<Problem>> {
    if let Some((_, fields)) = NICKNAMES.iter().find(|(name, _)| *name == text) {
        return Ok(fields);
    }
    let problem = match text {
        "@reboot" => Problem::new(FIELD, "@reboot is not a time: a server of many nodes has none"),
        _ => Problem::new(FIELD, format!("{text:?} is not a nickname")).suggest(
            evoke_model::suggest::did_you_mean(text, NICKNAMES.iter().map(|(name, _)| *name)),
        ),
    };
    Err(vec![problem])
}

/// The texts of the fields.
struct Fields<'a> {
    second: &'a str,
    minute: &'a str,
    hour: &'a str,
    month_day: &'a str,
    month: &'a str,
    weekday: &'a str,
    year: &'a str,
}

impl<'a> Fields<'a> {
    fn split(text: &'a str) -> Result<Self, Vec<Problem>> {
        let parts: Vec<&str> = text.split_ascii_whitespace().collect();
        let (second, [minute, hour, month_day, month, weekday], year) = match *parts.as_slice() {
            [a, b, c, d, e] => ("0", [a, b, c, d, e], "*"),
            [second, a, b, c, d, e] => (second, [a, b, c, d, e], "*"),
            [second, a, b, c, d, e, year] => (second, [a, b, c, d, e], year),
            _ => return Err(vec![wrong_count(&parts)]),
        };
        Ok(Self { second, minute, hour, month_day, month, weekday, year })
    }

    fn compile(&self, text: String) -> Result<Cron, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut note = |field: &Field, fault: Fault| problems.push(problem(field, fault));
        let mut set = |field: &Field, text: &str| {
            bits(field, text).unwrap_or_else(|fault| {
                note(field, fault);
                0
            })
        };
        let clock = Clock {
            seconds: set(&SECOND, self.second),
            minutes: set(&MINUTE, self.minute),
            hours: set(&HOUR, self.hour),
        };
        let months = set(&MONTH, self.month);
        let month_days = month_days(self.month_day).unwrap_or_else(|fault| {
            note(&MONTH_DAY, fault);
            None
        });
        let weekdays = weekdays(self.weekday).unwrap_or_else(|fault| {
            note(&WEEKDAY, fault);
            None
        });
        let years = years(self.year).unwrap_or_else(|fault| {
            note(&YEAR, fault);
            Years::All
        });
        if !problems.is_empty() {
            return Err(problems);
        }
        let join = if self.weekday.starts_with('+') { Join::Both } else { Join::Either };
        let runs_through = self.hour.contains(['*', '/']) || clock.hours.count_ones() == 24;
        let calendar = Calendar { years, months, month_days, weekdays, join };
        Ok(Cron { text, clock, calendar, runs_through })
    }
}

fn wrong_count(parts: &[&str]) -> Problem {
    let count = parts.len();
    let problem = Problem::new(FIELD, format!("expected five to seven fields, got {count}"));
    match parts.first() {
        Some(first) if first.starts_with("CRON_TZ=") || first.starts_with("TZ=") => {
            problem.suggest("name the time zone in timezone")
        }
        _ => problem.suggest(
            "minute, hour, day of the month, month, day of the week; seconds before, a year after",
        ),
    }
}

fn problem(field: &Field, fault: Fault) -> Problem {
    let problem = Problem::new(FIELD, format!("{}: {}", field.name, fault.message));
    match fault.suggestion {
        Some(suggestion) => problem.suggest(suggestion),
        None => problem,
    }
}

/// A field that is a list of values and ranges.
fn bits(field: &Field, text: &str) -> Result<u64, Fault> {
    text.split(',').try_fold(0, |set, part| Ok(set | part_bits(field, part)?))
}

fn part_bits(field: &Field, part: &str) -> Result<u64, Fault> {
    Ok(field.values(part)?.into_iter().fold(0, |set, value| set | 1 << value))
}

fn years(text: &str) -> Result<Years, Fault> {
    if text == "*" {
        return Ok(Years::All);
    }
    let mut words = [0_u64; 4];
    for part in text.split(',') {
        for year in YEAR.values(part)? {
            let bit = usize::from(year - YEAR_MIN);
            words[bit / 64] |= 1 << (bit % 64);
        }
    }
    Ok(Years::Some(words))
}

/// The day of the month; nothing where it is not restricted.
fn month_days(text: &str) -> Result<Option<MonthDays>, Fault> {
    if matches!(text, "*" | "?") {
        return Ok(None);
    }
    let mut days = MonthDays::default();
    for part in text.split(',') {
        if part == "L" {
            days.from_last |= 1;
        } else if part == "LW" {
            days.last_weekday = true;
        } else if let Some(back) = part.strip_prefix("L-") {
            days.from_last |= 1 << before_last(back)?;
        } else if let Some(day) = part.strip_suffix('W') {
            days.nearest |= 1 << nearest(day)?;
        } else {
            days.days |= part_bits(&MONTH_DAY, part).map_err(|fault| in_capitals(part, fault))?;
        }
    }
    Ok(Some(days))
}

fn before_last(text: &str) -> Result<u16, Fault> {
    match text.parse() {
        Ok(days @ 1..=30) => Ok(days),
        _ => Err(Fault::new(format!("L-{text} is not 1 to 30 days before the last one"))),
    }
}

fn nearest(day: &str) -> Result<u16, Fault> {
    if day.contains(['-', '/', '*']) {
        return Err(Fault::new("W goes with one day, not with a range").suggest("write 15W"));
    }
    MONTH_DAY.value(day)
}

/// The day of the week; nothing where it is not restricted.
fn weekdays(text: &str) -> Result<Option<Weekdays>, Fault> {
    let text = text.strip_prefix('+').unwrap_or(text);
    if matches!(text, "*" | "?") {
        return Ok(None);
    }
    let mut weekdays = Weekdays::default();
    for part in text.split(',') {
        if let Some((day, nth)) = part.split_once('#') {
            let day = weekday(day)?;
            match nth.parse() {
                Ok(nth @ 1..=5_u8) => weekdays.nth[usize::from(day)] |= 1 << nth,
                _ if nth == "L" => weekdays.last |= 1 << day,
                _ => return Err(Fault::new(format!("#{nth} is not #1 to #5 or #L"))),
            }
        } else if let Some(day) = part.strip_suffix('L') {
            weekdays.last |= 1 << weekday(day)?;
        } else {
            weekdays.days |= part_bits(&WEEKDAY, part).map_err(|fault| in_capitals(part, fault))?;
        }
    }
    Ok(Some(weekdays))
}

fn weekday(text: &str) -> Result<u16, Fault> {
    match text {
        "" => Err(Fault::new("L needs a day in front of it").suggest("write FRI#L")),
        _ => Ok(WEEKDAY.value(text)? % 7),
    }
}

/// L and W are capitals, so that they are told from other letters.
fn in_capitals(part: &str, fault: Fault) -> Fault {
    let upper = part.to_ascii_uppercase();
    let marked = upper != part && upper.contains(['L', 'W']);
    let readable = marked && (month_days(&upper).is_ok() || weekdays(&upper).is_ok());
    if readable { fault.suggest(format!("write {upper}")) } else { fault }
}
