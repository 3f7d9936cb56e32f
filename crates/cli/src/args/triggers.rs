//! `evoke triggers`.

use clap::{Args, Subcommand};

use super::{FireArgs, OutputArgs, Show};

/// Triggers.
#[derive(Subcommand, Debug)]
pub enum TriggersCommand {
    /// List triggers of every kind
    #[command(visible_alias = "ls", after_help = "Example:\n  evoke triggers list --type http")]
    List(ListTriggers),
    /// Show one trigger
    #[command(after_help = "Example:\n  evoke triggers show on-order")]
    Show(Show),
    /// Let triggers fire
    #[command(after_help = "Example:\n  evoke triggers enable on-order")]
    Enable {
        /// Ids or names
        #[arg(required = true)]
        ids: Vec<String>,
    },
    /// Keep triggers from firing; what waits keeps waiting
    #[command(after_help = "Example:\n  evoke triggers disable on-order")]
    Disable {
        /// Ids or names
        #[arg(required = true)]
        ids: Vec<String>,
    },
    /// Run a trigger's target once with an event of your own, marked as a test
    #[command(
        after_help = "Example:\n  evoke triggers test on-order --data '{\"total\": 150}'\n  evoke triggers test on-order --event functions/bill/event.json"
    )]
    Test(TestTrigger),
    /// Fire a schedule now, beside its timetable; prints the execution
    #[command(after_help = "Example:\n  evoke triggers fire nightly --input '{\"days\": 7}'")]
    Fire(FireArgs),
}

/// `evoke triggers test`.
#[derive(Args, Clone, Debug)]
pub struct TestTrigger {
    /// Id or name
    pub id: String,
    /// The payload: JSON, @FILE, or - for stdin
    #[arg(short, long, value_name = "JSON|@FILE|-", conflicts_with = "event")]
    pub data: Option<String>,
    /// An event in a file: its type, subject and data are taken
    #[arg(short, long, value_name = "FILE")]
    pub event: Option<String>,
    /// How the execution is printed.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// `evoke triggers list`.
#[derive(Args, Clone, Debug)]
pub struct ListTriggers {
    /// Only of this kind: event, http, invoke
    #[arg(long = "type", value_name = "KIND")]
    pub kind: Option<String>,
    /// Only of this function
    #[arg(long)]
    pub function: Option<String>,
    /// How they are printed.
    #[command(flatten)]
    pub output: OutputArgs,
}
