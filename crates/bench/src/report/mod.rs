//! What a run found, and whether it is good enough.

mod row;
mod table;

pub use row::{Figure, Goal, Row, Score, Unit, Verdict};

use serde::Serialize;

use crate::machine::Machine;

/// A run.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Where.
    pub machine: Machine,
    /// `quick` or `full`.
    pub form: &'static str,
    /// When the run began, in seconds of the Unix epoch.
    pub began_at: u64,
    /// How long it took.
    pub seconds: f64,
    /// What was found.
    pub rows: Vec<Row>,
}

impl Report {
    /// Whether no "must" was missed.
    pub fn is_good(&self) -> bool {
        self.rows.iter().all(|row| row.verdict != Verdict::Missed)
    }

    /// The table for a person.
    pub fn table(&self) -> String {
        table::render(self)
    }
}
