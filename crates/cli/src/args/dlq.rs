//! `evoke dlq`.

use clap::{Args, Subcommand};

use super::{OutputArgs, Show};

/// Dead letters.
#[derive(Subcommand, Debug)]
pub enum DlqCommand {
    /// List the causes of dead letters; with --cause or --letters the dead letters themselves
    #[command(
        visible_alias = "ls",
        after_help = "Example:\n  evoke dlq list\n  evoke dlq list --cause 9f86d081884c7d65\n  evoke dlq list --function bill --letters -o id"
    )]
    List(ListDeadLetters),
    /// Show one dead letter: every attempt, and what it gets
    #[command(after_help = "Example:\n  evoke dlq show exe_01j9z3k5m7n8p01j9z3k5m7n8q")]
    Show(Show),
    /// Give a dead letter other data; the event stays as it is
    #[command(
        after_help = "Example:\n  evoke dlq edit exe_01j9z3k5m7n8p01j9z3k5m7n8q --data '{\"total\": 129.95}'\n  evoke dlq edit exe_01j9z3k5m7n8p01j9z3k5m7n8q --file order.json"
    )]
    Edit(EditDeadLetter),
    /// Run dead letters again, with all their attempts; without a filter all of them
    #[command(
        after_help = "Example:\n  evoke dlq redrive --cause 9f86d081884c7d65 --follow\n  evoke dlq redrive --function bill --to bill-by-hand --rate 10/s\n  evoke dlq redrive --since 1h --dry-run"
    )]
    Redrive(RedriveArgs),
    /// Take dead letters off the list; the executions stay in the record
    #[command(
        after_help = "Example:\n  evoke dlq purge --cause 9f86d081884c7d65\n  evoke dlq purge --all --yes"
    )]
    Purge(PurgeArgs),
}

/// Of which cause, trigger and function, and how old.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Which dead letters")]
pub struct DeadLettersOf {
    /// Of this cause, as `evoke dlq list` names it
    #[arg(long)]
    pub cause: Option<String>,
    /// Of this trigger
    #[arg(long)]
    pub trigger: Option<String>,
    /// Of the triggers that run this function
    #[arg(long)]
    pub function: Option<String>,
    /// Since this time or this long ago: 2026-12-01T09:00:00Z, 15m
    #[arg(long)]
    pub since: Option<String>,
    /// Before this time or this long ago
    #[arg(long)]
    pub until: Option<String>,
}

/// Which dead letters something is done with.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Which dead letters")]
pub struct WhichDeadLetters {
    /// Of which cause, trigger and function, and how old.
    #[command(flatten)]
    pub of: DeadLettersOf,
    /// This one; may be given several times
    #[arg(long = "id", value_name = "ID")]
    pub ids: Vec<String>,
    /// Whose event fits this CEL condition: 'event.data.total > 100'
    #[arg(long, value_name = "CEL")]
    pub filter: Option<String>,
}

/// `evoke dlq list`.
#[derive(Args, Clone, Debug)]
pub struct ListDeadLetters {
    /// List the dead letters themselves, not their causes
    #[arg(long, conflicts_with = "groups")]
    pub letters: bool,
    /// List the causes, also with --cause
    #[arg(long)]
    pub groups: bool,
    /// At most so many dead letters
    #[arg(short, long, default_value_t = 50)]
    pub limit: u32,
    /// How they are printed.
    #[command(flatten)]
    pub output: OutputArgs,
    /// Which ones. Last, for its heading would stand over all that follows.
    #[command(flatten)]
    pub of: DeadLettersOf,
}

/// `evoke dlq edit`.
#[derive(Args, Clone, Debug)]
#[group(id = "payload", required = true, multiple = false, args = ["data", "file"])]
pub struct EditDeadLetter {
    /// The dead letter
    pub id: String,
    /// The new data: JSON, @FILE, or - for stdin
    #[arg(short, long, value_name = "JSON|@FILE|-")]
    pub data: Option<String>,
    /// The new data, from a file of JSON
    #[arg(short, long, value_name = "FILE")]
    pub file: Option<String>,
    /// How it is printed as it is then.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// `evoke dlq redrive`.
#[derive(Args, Clone, Debug)]
pub struct RedriveArgs {
    /// To this function instead of their trigger's target
    #[arg(long, value_name = "FUNCTION[@VERSION]")]
    pub to: Option<String>,
    /// Stop when so many died again of the cause they had; 0 is never [default: 5]
    #[arg(long, value_name = "N")]
    pub stop_after: Option<u32>,
    /// Which ones.
    #[command(flatten)]
    pub which: WhichDeadLetters,
    /// How it is carried out.
    #[command(flatten)]
    pub how: OperationArgs,
}

/// How an operation is carried out.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "How")]
pub struct OperationArgs {
    /// How fast: 50/s, 100/m, 1/500ms
    #[arg(long, value_name = "N/TIME")]
    pub rate: Option<String>,
    /// At most so many
    #[arg(long, value_name = "N")]
    pub limit: Option<u64>,
    /// Only count, change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Wait until it is done and show how far it is
    #[arg(short, long, conflicts_with = "dry_run")]
    pub follow: bool,
    /// How the answer is printed.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// `evoke dlq purge`.
#[derive(Args, Clone, Debug)]
pub struct PurgeArgs {
    /// All of them
    #[arg(long)]
    pub all: bool,
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
    /// Which ones.
    #[command(flatten)]
    pub which: WhichDeadLetters,
}
