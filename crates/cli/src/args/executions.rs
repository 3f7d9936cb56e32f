//! `evoke executions`.

use clap::{Args, Subcommand};

use super::{OutputArgs, Show, Tier};

/// Executions.
#[derive(Subcommand, Debug)]
pub enum ExecutionsCommand {
    /// List executions, newest first
    #[command(
        visible_alias = "ls",
        after_help = "Example:\n  evoke executions list --status failed --function on-order --since 1h\n  evoke executions list --tier archived"
    )]
    List(ListExecutions),
    /// Show one execution: attempts, logs, output, the stack of an error
    #[command(after_help = "Example:\n  evoke executions show exe_01j9z3k5m7n8p01j9z3k5m7n8q")]
    Show(Show),
    /// Print executions as they begin and end, until Ctrl-C
    #[command(after_help = "Example:\n  evoke executions tail --function on-order")]
    Tail(TailExecutions),
    /// Run an execution that is over again, with all its attempts
    #[command(
        after_help = "Example:\n  evoke executions retry ID\n  evoke executions list --status failed -o id | xargs evoke executions retry"
    )]
    Retry {
        /// The executions
        #[arg(required = true)]
        ids: Vec<String>,
    },
    /// Stop executions that are not over
    #[command(after_help = "Example:\n  evoke executions cancel ID")]
    Cancel {
        /// The executions
        #[arg(required = true)]
        ids: Vec<String>,
    },
    /// Say why an execution is where it is
    #[command(after_help = "Example:\n  evoke executions explain ID")]
    Explain(Show),
}

/// `evoke executions list`.
#[derive(Args, Clone, Debug)]
pub struct ListExecutions {
    /// Only in these states: pending, running, success, failed, timed_out, cancelled
    #[arg(long, value_delimiter = ',')]
    pub status: Vec<String>,
    /// Only of this function
    #[arg(long)]
    pub function: Option<String>,
    /// Only of this trigger
    #[arg(long)]
    pub trigger: Option<String>,
    /// Only of this event
    #[arg(long)]
    pub event: Option<String>,
    /// Only of triggers of this kind: event, http, invoke
    #[arg(long, value_name = "KIND")]
    pub trigger_type: Option<String>,
    /// Since this time or this long ago: 2026-12-01T09:00:00Z, 15m
    #[arg(long)]
    pub since: Option<String>,
    /// Before this time or this long ago
    #[arg(long)]
    pub until: Option<String>,
    /// Only those that are part of a replay
    #[arg(long)]
    pub replays: bool,
    /// In the record, or in its archive
    #[arg(long, value_enum, default_value_t)]
    pub tier: Tier,
    /// At most so many
    #[arg(short, long, default_value_t = 50)]
    pub limit: u32,
    /// How they are printed.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// `evoke executions tail`.
#[derive(Args, Clone, Debug)]
pub struct TailExecutions {
    /// Only of this function
    #[arg(long)]
    pub function: Option<String>,
    /// Only in these states
    #[arg(long, value_delimiter = ',')]
    pub status: Vec<String>,
    /// How they are printed; json gives one object a line.
    #[command(flatten)]
    pub output: OutputArgs,
}
