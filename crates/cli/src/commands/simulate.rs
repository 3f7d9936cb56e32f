//! `evoke schedules simulate`.

use serde_json::Value;

use crate::args::Format;
use crate::failure::Outcome;
use crate::output::{self, columns};

/// Prints a timeline and what happened in all.
pub(crate) fn simulated(timeline: &Value, format: Format) -> Outcome {
    if format == Format::Json {
        return output::print(&output::json(timeline)?);
    }
    output::print(&output::timeline(timeline))?;
    output::print("\n")?;
    let totals = timeline["totals"].as_array().map_or(&[][..], Vec::as_slice);
    output::print(&output::table(totals, columns::TOTALS))
}
