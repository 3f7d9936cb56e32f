//! When a schedule fires: what a schedule trigger says, read into a [`Schedule`] that answers
//! "when next" and "what is due". Sources of schedules plan by it, simulations and backfills list
//! its occurrences. It reads no clock and does no I/O: time is an argument, and the rules of the
//! time zones are compiled in, so that every node answers alike.
//!
//! The calculation is our own. Of the maintained cron crates croner comes nearest to what a
//! schedule needs here, but lists and ranges of hours do not go by its rule for gaps and repeated
//! hours, a change by a day ends in an error, and nothing can be counted without being listed. It
//! is a peer in the tests instead, beside those of other languages.

mod civil;
mod cron;
mod due;
mod instants;
mod read;
mod schedule;
mod spec;
mod zone;

pub use cron::Cron;
pub use due::{Due, LATE_MAX, MISSED_MAX, Missed, Occurrence, WITHIN_DEFAULT};
pub use schedule::{Schedule, When};
pub use spec::Spec;
pub use zone::Zone;
