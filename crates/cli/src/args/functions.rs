//! `evoke functions`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::{OutputArgs, Show};

/// Functions.
#[derive(Subcommand, Debug)]
pub enum FunctionsCommand {
    /// Make a function: a manifest, a handler, a test event and a unit test
    #[command(after_help = "Example:\n  evoke functions init on-order --runtime python3.12")]
    Init(InitArgs),
    /// Run a function of the project here once, without a server; fails when the function does
    #[command(
        after_help = "Example:\n  evoke functions test on-order\n  evoke functions test on-order --event functions/on-order/events/created.json\n  evoke functions test on-order --trigger nightly -o json"
    )]
    Test(TestFunction),
    /// Print the event `test` makes up, to be edited and given to it with --event
    #[command(
        after_help = "Example:\n  evoke functions sample on-order > event.json\n  evoke functions sample --kind storage"
    )]
    Sample(SampleEvent),
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
    /// List the versions that can be run: dead letters and events can be sent to them
    #[command(after_help = "Example:\n  evoke functions versions on-order")]
    Versions(Show),
    /// Make the code of an older version current again, as a new version
    #[command(
        after_help = "Example:\n  evoke functions rollback on-order\n  evoke functions rollback on-order --to 3"
    )]
    Rollback(RollbackArgs),
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

/// `evoke functions test`.
#[derive(Args, Clone, Debug)]
pub struct TestFunction {
    /// Which function, and which of its triggers.
    #[command(flatten)]
    pub subject: TestSubject,
    /// The event: a file, or - for stdin [default: a sample]
    #[arg(short, long, value_name = "FILE|-")]
    pub event: Option<String>,
    /// How the end is printed
    #[arg(short, long, value_enum, default_value_t)]
    pub output: TestFormat,
}

/// `evoke functions sample`.
#[derive(Args, Clone, Debug)]
pub struct SampleEvent {
    /// Which function, and which of its triggers.
    #[command(flatten)]
    pub subject: TestSubject,
}

/// A function of a project and what causes its run.
#[derive(Args, Clone, Debug)]
pub struct TestSubject {
    /// The function [default: the only one of the project]
    pub name: Option<String>,
    /// As if this trigger fired: its filter, transform and timeout apply [default for a sample: the
    /// first of the function]
    #[arg(short, long, value_name = "NAME")]
    pub trigger: Option<String>,
    /// As if a trigger of this kind fired: schedule, webhook, database, ...
    #[arg(short, long, conflicts_with = "trigger")]
    pub kind: Option<String>,
    /// The project's folder
    #[arg(long, default_value = ".", value_name = "DIR")]
    pub dir: PathBuf,
}

/// How the end of a test is printed.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum TestFormat {
    /// The output on stdout; logs, errors and the rest on stderr.
    #[default]
    Text,
    /// One object with everything on stdout.
    Json,
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

/// `evoke functions rollback`.
#[derive(Args, Clone, Debug)]
pub struct RollbackArgs {
    /// The function
    pub name: String,
    /// The version that has the code [default: the newest of other code than the current one has]
    #[arg(long, value_name = "VERSION")]
    pub to: Option<u32>,
    /// How the function is printed.
    #[command(flatten)]
    pub output: OutputArgs,
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
