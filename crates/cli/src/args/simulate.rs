//! `evoke schedules simulate`.

use std::path::PathBuf;

use clap::Args;

use super::OutputArgs;

/// What schedules will do, on a clock that passes months in a moment.
#[derive(Args, Clone, Debug)]
pub struct SimulateArgs {
    /// The project's folder
    #[arg(long, default_value = ".", value_name = "DIR")]
    pub dir: PathBuf,
    /// When it begins: RFC 3339, a day, or without an offset by the clock of the zone [default:
    /// now]
    #[arg(long, value_name = "INSTANT")]
    pub from: Option<String>,
    /// How many days
    #[arg(long, default_value_t = 7, value_name = "N", value_parser = days())]
    pub days: u32,
    /// By whose clock instants are printed, such as Europe/Berlin
    #[arg(long, default_value = "UTC", value_name = "ZONE")]
    pub zone: String,
    /// Only this schedule, or those of this function; may be given several times
    #[arg(long = "schedule", value_name = "NAME")]
    pub schedules: Vec<String>,
    /// How long an attempt takes: of all, or of one as NAME=90s [default: 0s]
    #[arg(long, value_name = "[NAME=]DURATION")]
    pub takes: Vec<String>,
    /// How many attempts of each execution fail before one succeeds: of all, or of one as NAME=2
    #[arg(long, value_name = "[NAME=]N")]
    pub fail_first: Vec<String>,
    /// Every so many attempts one fails: of all, or of one as NAME=10
    #[arg(long, value_name = "[NAME=]N")]
    pub fail_every: Vec<String>,
    /// How it is printed.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// As long as ten years.
fn days() -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(1..=3_660)
}
