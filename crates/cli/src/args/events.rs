//! `evoke events`.

use clap::{Args, Subcommand};

use super::{OperationArgs, OutputArgs, Show, Tier};

/// Events.
#[derive(Subcommand, Debug)]
pub enum EventsCommand {
    /// Send an event; prints its id once it is durable
    #[command(
        after_help = "Example:\n  evoke events send order.created --data '{\"total\": 150}'\n  evoke events send order.created --data @order.json --ordering-key A-1\n  cat order.json | evoke events send order.created --data -"
    )]
    Send(SendEvent),
    /// List events, newest first
    #[command(
        visible_alias = "ls",
        after_help = "Example:\n  evoke events list --type 'order.*' --since 1h"
    )]
    List(ListEvents),
    /// Show one event, by our id or the sender's
    #[command(after_help = "Example:\n  evoke events show evt_01j9z3k5m7n8p")]
    Show(Show),
    /// Send events of the log again: to all triggers that want them, to one, or to a function
    #[command(
        after_help = "Example:\n  evoke events replay --type 'order.*' --since 1h --dry-run\n  evoke events replay --type 'order.*' --since 1h --to bill --rate 100/s --follow\n  evoke events replay --trigger on-order --since 2026-12-01T09:00:00Z"
    )]
    Replay(ReplayArgs),
    /// Show what an event led to, from the first event of its chain
    #[command(after_help = "Example:\n  evoke events tree evt_01j9z3k5m7n8p")]
    Tree(Show),
    /// Print events as they come, until Ctrl-C
    #[command(after_help = "Example:\n  evoke events tail --type 'order.*'")]
    Tail(TailEvents),
}

/// `evoke events send`.
#[derive(Args, Clone, Debug)]
pub struct SendEvent {
    /// What happened: order.created
    #[arg(value_name = "TYPE")]
    pub kind: String,
    /// The payload: JSON, @FILE, or - for stdin
    #[arg(short, long, value_name = "JSON|@FILE|-")]
    pub data: Option<String>,
    /// Where it happened
    #[arg(long)]
    pub source: Option<String>,
    /// What it happened to
    #[arg(long)]
    pub subject: Option<String>,
    /// An id of your own: the same source and id are taken only once
    #[arg(long, conflicts_with = "count")]
    pub id: Option<String>,
    /// First in, first out among events with the same key
    #[arg(long, value_name = "KEY")]
    pub ordering_key: Option<String>,
    /// Send it so many times, in one request
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub count: u32,
    /// How the answer is printed.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// `evoke events list`.
#[derive(Args, Clone, Debug)]
pub struct ListEvents {
    /// Exact type, or a prefix that ends in *
    #[arg(long = "type", value_name = "TYPE")]
    pub kind: Option<String>,
    /// Exact source
    #[arg(long)]
    pub source: Option<String>,
    /// Exact subject
    #[arg(long)]
    pub subject: Option<String>,
    /// Since this time or this long ago: 2026-12-01T09:00:00Z, 15m
    #[arg(long)]
    pub since: Option<String>,
    /// Before this time or this long ago
    #[arg(long)]
    pub until: Option<String>,
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

/// `evoke events tail`.
#[derive(Args, Clone, Debug)]
pub struct TailEvents {
    /// Exact type, or a prefix that ends in *
    #[arg(long = "type", value_name = "TYPE")]
    pub kind: Option<String>,
    /// How they are printed; json gives one object a line.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// `evoke events replay`.
#[derive(Args, Clone, Debug)]
pub struct ReplayArgs {
    /// Pattern over the type: order.*
    #[arg(long = "type", value_name = "PATTERN")]
    pub kind: Option<String>,
    /// Pattern over the source
    #[arg(long, value_name = "PATTERN")]
    pub source: Option<String>,
    /// Pattern over the subject
    #[arg(long, value_name = "PATTERN")]
    pub subject: Option<String>,
    /// Since this time or this long ago: 2026-12-01T09:00:00Z, 15m
    #[arg(long)]
    pub since: Option<String>,
    /// Before this time or this long ago
    #[arg(long)]
    pub until: Option<String>,
    /// That fit this CEL condition: 'event.data.total > 100'
    #[arg(long, value_name = "CEL")]
    pub filter: Option<String>,
    /// To this function, whatever its triggers want
    #[arg(long, value_name = "FUNCTION[@VERSION]")]
    pub to: Option<String>,
    /// To this trigger, as far as it wants them
    #[arg(long, conflicts_with = "to")]
    pub trigger: Option<String>,
    /// How it is carried out.
    #[command(flatten)]
    pub how: OperationArgs,
}
