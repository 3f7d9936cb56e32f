//! The fields of an expression: values, ranges, steps and names.

use evoke_model::suggest;

/// What is wrong with a part of an expression, and what would be right.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Fault {
    pub message: String,
    pub suggestion: Option<String>,
}

impl Fault {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), suggestion: None }
    }

    pub(super) fn suggest(mut self, suggestion: impl Into<String>) -> Self {
        self.suggestion = Some(suggestion.into());
        self
    }
}

/// A field: what it is called and what it may say.
pub(super) struct Field {
    pub name: &'static str,
    pub min: u16,
    pub max: u16,
    /// Names of the values, from `min` on.
    pub names: &'static [&'static str],
    wraps: Wraps,
}

/// Whether a range may end before it begins.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wraps {
    Yes,
    No,
}

const MONTHS: [&str; 12] =
    ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

const fn plain(name: &'static str, min: u16, max: u16) -> Field {
    Field { name, min, max, names: &[], wraps: Wraps::Yes }
}

pub(super) const SECOND: Field = plain("second", 0, 59);
pub(super) const MINUTE: Field = plain("minute", 0, 59);
pub(super) const HOUR: Field = plain("hour", 0, 23);
pub(super) const MONTH_DAY: Field = plain("day of the month", 1, 31);
pub(super) const MONTH: Field = Field { names: &MONTHS, ..plain("month", 1, 12) };
/// 7 is Sunday, as 0 is.
pub(super) const WEEKDAY: Field = Field { names: &WEEKDAYS, ..plain("day of the week", 0, 7) };
pub(super) const YEAR: Field =
    Field { wraps: Wraps::No, ..plain("year", crate::civil::YEAR_MIN, crate::civil::YEAR_MAX) };

impl Field {
    /// The values of one part of a list: `*`, `5`, `1-5`, `*/15`, `10-40/5`.
    pub(super) fn values(&self, part: &str) -> Result<Vec<u16>, Fault> {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, Some(step)),
            None => (part, None),
        };
        let values = match range.split_once('-') {
            _ if range == "*" => self.all(),
            Some((start, end)) => self.range(self.value(start)?, self.value(end)?)?,
            None if step.is_some() => return Err(self.bare_step(range, step)),
            None => return Ok(vec![self.fold(self.value(range)?)]),
        };
        let step = step.map_or(Ok(1), |step| self.step(step))?;
        Ok(values.into_iter().step_by(step).collect())
    }

    /// One value, by number or name.
    pub(super) fn value(&self, text: &str) -> Result<u16, Fault> {
        if let Some(at) = self.names.iter().position(|name| name.eq_ignore_ascii_case(text)) {
            return Ok(self.min + at as u16);
        }
        let (min, max) = (self.min, self.max);
        if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
            // A number too long for its type is out of range as well.
            return match text.parse() {
                Ok(value) if (min..=max).contains(&value) => Ok(value),
                _ => Err(Fault::new(format!("{text} is not within {min} to {max}"))),
            };
        }
        let fault = match text {
            "" => Fault::new("a value is missing"),
            "?" => Fault::new("? may only stand for the day of the month or of the week")
                .suggest("write *"),
            _ => Fault::new(format!("{text:?} is not a value from {min} to {max}")),
        };
        Err(match self.nearest_name(text) {
            Some(name) => fault.suggest(format!("did you mean {name}?")),
            None => fault,
        })
    }

    /// The name meant: the one a longer text begins with (`MONDAY`), or the nearest.
    fn nearest_name(&self, text: &str) -> Option<&'static str> {
        let begins =
            |name: &&&str| text.get(..3).is_some_and(|start| start.eq_ignore_ascii_case(name));
        let names = self.names.iter();
        names.clone().find(begins).copied().or_else(|| suggest::nearest(text, names.copied()))
    }

    fn all(&self) -> Vec<u16> {
        // A week has one Sunday, however it is counted.
        let max = if self.is_weekday() { 6 } else { self.max };
        (self.min..=max).collect()
    }

    fn range(&self, start: u16, end: u16) -> Result<Vec<u16>, Fault> {
        if start <= end {
            return Ok((start..=end).map(|value| self.fold(value)).collect());
        }
        if self.wraps == Wraps::No {
            return Err(Fault::new(format!("the range {start}-{end} ends before it begins")));
        }
        let all = self.all();
        let (start, end) = (self.fold(start), self.fold(end));
        let from = all.iter().position(|value| *value == start).unwrap_or_default();
        let length = (end + all.len() as u16 - start) as usize % all.len() + 1;
        Ok(all.iter().cycle().skip(from).take(length).copied().collect())
    }

    fn step(&self, text: &str) -> Result<usize, Fault> {
        let count = self.all().len();
        match text.parse::<usize>() {
            Ok(0) => Err(Fault::new("a step of 0 never arrives").suggest("a step is at least 1")),
            Ok(step) if step < count => Ok(step),
            Ok(step) => Err(self.long_step(step, count)),
            Err(_) => Err(Fault::new(format!("{text:?} is not a step")).suggest("write */5")),
        }
    }

    /// `*/90` minutes does not mean every ninety minutes, but everyone who writes it does.
    fn long_step(&self, step: usize, count: usize) -> Fault {
        let fault = Fault::new(format!("a step of {step} is longer than the {count} values"));
        match self.name {
            "second" => fault.suggest(format!("for an interval write every: {step}s")),
            "minute" => fault.suggest(format!("for an interval write every: {step}m")),
            "hour" => fault.suggest(format!("for an interval write every: {step}h")),
            _ => fault.suggest(format!("at most {}", count - 1)),
        }
    }

    fn bare_step(&self, start: &str, step: Option<&str>) -> Fault {
        let step = step.unwrap_or_default();
        let meant = match start {
            "" => format!("*/{step}"),
            _ => format!("{start}-{}/{step}", self.max),
        };
        Fault::new("a step needs * or a range in front of it").suggest(format!("write {meant}"))
    }

    const fn is_weekday(&self) -> bool {
        self.max == 7
    }

    /// Sunday is 0.
    const fn fold(&self, value: u16) -> u16 {
        if self.is_weekday() && value == 7 { 0 } else { value }
    }
}
