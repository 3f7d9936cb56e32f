//! `evoke schedules`.

use clap::{Args, Subcommand, ValueEnum};

use super::{OutputArgs, Show, SimulateArgs};

/// What is done with schedules.
#[derive(Subcommand, Clone, Debug)]
pub enum SchedulesCommand {
    /// List schedules: when each fires next, and how its last occurrence ended
    #[command(
        visible_alias = "ls",
        after_help = "Example:\n  evoke schedules list\n  evoke schedules list --status paused -o id"
    )]
    List(ListSchedules),
    /// Show one schedule
    #[command(after_help = "Example:\n  evoke schedules show nightly")]
    Show(Show),
    /// Fire a schedule now, beside its timetable; prints the execution
    #[command(
        visible_alias = "fire",
        after_help = "Example:\n  evoke schedules trigger nightly\n  evoke schedules trigger nightly --input '{\"days\": 7}'"
    )]
    Trigger(FireArgs),
    /// Fire the occurrences of a span of time, those that fired before too
    #[command(
        after_help = "Example:\n  evoke schedules backfill nightly --from 7d --dry-run\n  evoke schedules backfill nightly --from 2026-12-01T00:00:00Z --to 2026-12-08T00:00:00Z"
    )]
    Backfill(BackfillArgs),
    /// Keep schedules from firing; what waits keeps waiting
    #[command(after_help = "Example:\n  evoke schedules pause nightly")]
    Pause {
        /// Ids or names
        #[arg(required = true)]
        ids: Vec<String>,
    },
    /// Let schedules fire again, from now on
    #[command(after_help = "Example:\n  evoke schedules resume nightly")]
    Resume {
        /// Ids or names
        #[arg(required = true)]
        ids: Vec<String>,
    },
    /// List the next instants of a schedule
    #[command(after_help = "Example:\n  evoke schedules upcoming nightly -n 5")]
    Upcoming(UpcomingArgs),
    /// What they will do: occurrences, retries, overlaps, on a virtual clock
    #[command(
        after_help = "Example:\n  evoke schedules simulate --from 2026-12-01 --days 60 --zone Europe/Berlin\n  evoke schedules simulate --takes nightly=90m --fail-first 2"
    )]
    Simulate(SimulateArgs),
}

/// `evoke schedules list`.
#[derive(Args, Clone, Debug)]
pub struct ListSchedules {
    /// Only of this function
    #[arg(long)]
    pub function: Option<String>,
    /// Only those that fire again, are paused, or have ended
    #[arg(long, value_enum)]
    pub status: Option<ScheduleState>,
    /// How they are printed.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Whether a schedule fires again.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum ScheduleState {
    /// It does.
    Active,
    /// It is off.
    Paused,
    /// It has no occurrence left.
    Ended,
}

/// `evoke schedules trigger`, `evoke triggers fire`.
#[derive(Args, Clone, Debug)]
pub struct FireArgs {
    /// Id or name
    pub id: String,
    /// What the occurrence carries instead of the schedule's own input: JSON, @FILE, or - for stdin
    #[arg(short, long, value_name = "JSON|@FILE|-")]
    pub input: Option<String>,
    /// How the execution is printed.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// `evoke schedules backfill`.
#[derive(Args, Clone, Debug)]
pub struct BackfillArgs {
    /// Id or name
    pub id: String,
    /// The first instant, or how long ago: 2026-12-01T09:00:00Z, 7d
    #[arg(long, value_name = "TIME")]
    pub from: String,
    /// The first instant that is not meant any more, or how long ago [default: now]
    #[arg(long, value_name = "TIME")]
    pub to: Option<String>,
    /// Only count, fire nothing
    #[arg(long)]
    pub dry_run: bool,
    /// How the answer is printed.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// `evoke schedules upcoming`.
#[derive(Args, Clone, Debug)]
pub struct UpcomingArgs {
    /// Id or name
    pub id: String,
    /// How many
    #[arg(short = 'n', long, default_value_t = 10)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub limit: u32,
    /// Later than this [default: now]
    #[arg(long, value_name = "TIME")]
    pub after: Option<String>,
    /// How they are printed.
    #[command(flatten)]
    pub output: OutputArgs,
}
