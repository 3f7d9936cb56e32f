//! `evoke functions`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{OutputArgs, Show};

/// Functions.
#[derive(Subcommand, Debug)]
pub enum FunctionsCommand {
    /// Make a function: a manifest, a handler, a test event and a unit test
    #[command(after_help = "Example:\n  evoke functions init on-order --runtime python3.12")]
    Init(InitArgs),
    /// List what is deployed
    #[command(visible_alias = "ls", after_help = "Example:\n  evoke functions list -o json")]
    List(OutputArgs),
    /// Show one function: version, workers, triggers, the error of its last deployment
    #[command(after_help = "Example:\n  evoke functions show on-order")]
    Show(Show),
    /// Call a function and print its answer
    #[command(
        after_help = "Example:\n  evoke functions invoke on-order --data '{\"total\": 150}'\n  evoke functions invoke on-order --data @order.json --async"
    )]
    Invoke(InvokeArgs),
    /// Print what a function printed
    #[command(after_help = "Example:\n  evoke functions logs on-order --level error -f")]
    Logs(LogsArgs),
}

/// `evoke functions init`.
#[derive(Args, Clone, Debug)]
pub struct InitArgs {
    /// Letters, digits, `-` and `_`
    pub name: String,
    /// A runtime as `evoke doctor` lists them [default: the newest Node that is installed]
    #[arg(short, long)]
    pub runtime: Option<String>,
    /// The project's folder
    #[arg(long, default_value = ".", value_name = "DIR")]
    pub dir: PathBuf,
}

/// `evoke functions invoke`.
#[derive(Args, Clone, Debug)]
pub struct InvokeArgs {
    /// The function
    pub name: String,
    /// The payload: JSON, @FILE, or - for stdin
    #[arg(short, long, default_value = "null", value_name = "JSON|@FILE|-")]
    pub data: String,
    /// Do not wait: print the id of the execution
    #[arg(long = "async")]
    pub later: bool,
}

/// `evoke functions logs`.
#[derive(Args, Clone, Debug)]
pub struct LogsArgs {
    /// The function
    pub name: String,
    /// Go on with what it prints from now on, until Ctrl-C
    #[arg(short, long)]
    pub follow: bool,
    /// Only lines as loud as this: debug, info, warn, error
    #[arg(long)]
    pub level: Option<String>,
    /// Only lines with this text
    #[arg(long, value_name = "TEXT")]
    pub grep: Option<String>,
    /// Only lines since this time or this long ago: 2026-12-01T09:00:00Z, 15m
    #[arg(long)]
    pub since: Option<String>,
    /// At most so many lines
    #[arg(short, long, default_value_t = 100)]
    pub limit: u32,
    /// How they are printed.
    #[command(flatten)]
    pub output: OutputArgs,
}
