//! What schedules will do: the engine itself on an empty store in memory and a virtual clock, with
//! targets that take as long and fail as often as they are told to. Months pass in a moment, and
//! what happens in them is told as a timeline: occurrences, retries, what waits for what.
//!
//! Reading order: [`Simulation`] (what is asked), [`Timeline`] (what is told), `run` (how time
//! passes), `target` (what stands in for the targets).

mod entry;
mod run;
mod target;

pub use entry::{Entry, Total, What};
pub use run::{Behaviour, ENTRIES_MAX, Error, Simulation, Timeline, simulate};
