//! `evoke operations`, `evoke audit`, `evoke retention`.

use clap::{Args, Subcommand};

use super::{OutputArgs, Show};

/// Replays and redrives.
#[derive(Subcommand, Debug)]
pub enum OperationsCommand {
    /// List operations, newest first
    #[command(visible_alias = "ls", after_help = "Example:\n  evoke operations list")]
    List(ListOperations),
    /// Show one operation and how far it is
    #[command(after_help = "Example:\n  evoke operations show opr_01j9z3k5m7n8p")]
    Show(Show),
    /// End operations before they are done; what they sent runs on
    #[command(after_help = "Example:\n  evoke operations cancel opr_01j9z3k5m7n8p")]
    Cancel {
        /// The operations
        #[arg(required = true)]
        ids: Vec<String>,
    },
    /// Show how far an operation is until it ends
    #[command(after_help = "Example:\n  evoke operations follow opr_01j9z3k5m7n8p")]
    Follow(Show),
}

/// `evoke operations list`.
#[derive(Args, Clone, Debug)]
pub struct ListOperations {
    /// At most so many
    #[arg(short, long, default_value_t = 50)]
    pub limit: u32,
    /// How they are printed.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Who changed what by hand.
#[derive(Subcommand, Debug)]
pub enum AuditCommand {
    /// List the audit trail, newest first
    #[command(
        visible_alias = "ls",
        after_help = "Example:\n  evoke audit list --action 'dead_letter.*'\n  evoke audit list --subject trg_01j9z3k5m7n8p -o json"
    )]
    List(ListAudit),
}

/// `evoke audit list`.
#[derive(Args, Clone, Debug)]
pub struct ListAudit {
    /// Exact action, or a prefix that ends in *
    #[arg(long)]
    pub action: Option<String>,
    /// What was changed: an id
    #[arg(long, value_name = "ID")]
    pub subject: Option<String>,
    /// At most so many
    #[arg(short, long, default_value_t = 50)]
    pub limit: u32,
    /// How they are printed.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// What becomes of the record as it grows old.
#[derive(Subcommand, Debug)]
pub enum RetentionCommand {
    /// Show how large the record is, what is archived, and how long what is kept
    #[command(after_help = "Example:\n  evoke retention show")]
    Show(OutputArgs),
    /// Run retention now, to its end, and say what it did
    #[command(after_help = "Example:\n  evoke retention run")]
    Run(OutputArgs),
}
