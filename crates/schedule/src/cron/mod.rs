//! Cron expressions, in local time: read into sets of bits, asked for the next matching second, the
//! previous one, and how many there are. What that means in a time zone is told by `instants`.

mod calendar;
mod clock;
mod field;
mod parse;
mod walk;

#[cfg(test)]
mod tests;

use std::fmt;

use calendar::Calendar;
use clock::Clock;

/// A cron expression: five fields, or six with seconds first, or seven with a year last.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cron {
    text: String,
    clock: Clock,
    calendar: Calendar,
    runs_through: bool,
}

impl Cron {
    /// Whether it follows the local clock through its changes, firing in both of two repeated
    /// hours and not at all in one that is left out. So do expressions whose hours are a rhythm
    /// (`*`, a step, all of them); those that name their hours have each time of theirs once.
    pub(crate) const fn runs_through(&self) -> bool {
        self.runs_through
    }
}

impl fmt::Display for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
