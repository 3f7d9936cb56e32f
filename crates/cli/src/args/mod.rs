//! What can be typed.

mod db;
mod dlq;
mod events;
mod executions;
mod files;
mod functions;
mod keys;
mod local;
mod operations;
mod schedules;
mod simulate;
mod triggers;
mod users;

pub use db::{
    CountDocuments, CreateDocuments, DbCommand, DeleteDocuments, FollowChanges, GetDocument,
    ListDocuments, QueryDocuments, UpdateDocuments, Where,
};
pub use dlq::{
    DeadLettersOf, DlqCommand, EditDeadLetter, ListDeadLetters, OperationArgs, PurgeArgs,
    RedriveArgs, WhichDeadLetters,
};
pub use events::{EventsCommand, ListEvents, ReplayArgs, SendEvent, TailEvents};
pub use executions::{ExecutionsCommand, ListExecutions, TailExecutions};
pub use files::{FilesCommand, GetFile, LinkFor, ListFiles, PutBucket, PutFile, SignFile};
pub use functions::{
    FunctionsCommand, InitArgs, InvokeArgs, LogsArgs, SampleEvent, TestFormat, TestFunction,
    TestSubject,
};
pub use keys::{CreateKey, KeysCommand, LocalKeyArgs};
pub use local::{BenchArgs, DevArgs, ServeArgs};
pub use operations::{
    AuditCommand, ListAudit, ListOperations, OperationsCommand, RetentionCommand,
};
pub use schedules::{
    BackfillArgs, FireArgs, ListSchedules, ScheduleState, SchedulesCommand, UpcomingArgs,
};
pub use simulate::SimulateArgs;
pub use triggers::{ListTriggers, TestTrigger, TriggersCommand};
pub use users::{CreateUser, ListUsers, RolesArgs, UsersCommand};

use std::path::PathBuf;

use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

/// Event-driven functions in one binary.
///
/// Runs your functions when something happens, with retries, ordering, limits and a record of
/// everything.
#[derive(Parser, Debug)]
#[command(
    name = "evoke",
    version,
    propagate_version = true,
    max_term_width = 100,
    arg_required_else_help = true,
    after_help = "Example:\n  evoke functions init hello --runtime nodejs20\n  evoke dev"
)]
pub struct Cli {
    /// Which server, and the key for it.
    #[command(flatten)]
    pub server: ServerArgs,
    /// What shall be done.
    #[command(subcommand)]
    pub command: Command,
}

/// Which server, and the key for it.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Server")]
pub struct ServerArgs {
    /// Address of the server [env: EVOKE_URL] [default: http://127.0.0.1:8090]
    #[arg(long, global = true, value_name = "URL")]
    pub url: Option<String>,
    /// API key [env: EVOKE_API_KEY]
    #[arg(long, global = true, value_name = "KEY")]
    pub api_key: Option<String>,
    /// Take address and key from this profile of the user's config file [env: EVOKE_PROFILE]
    #[arg(long, global = true, value_name = "NAME")]
    pub profile: Option<String>,
}

/// How results are printed.
#[derive(Args, Clone, Copy, Debug, Default)]
pub struct OutputArgs {
    /// How results are printed
    #[arg(short, long, value_enum, default_value_t)]
    pub output: Format,
}

/// How results are printed.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Format {
    /// For people.
    #[default]
    Table,
    /// As the API gives it.
    Json,
    /// The same as YAML.
    Yaml,
    /// Only the ids, one a line.
    Id,
}

/// Where in the life of the record a list looks.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Tier {
    /// What is young.
    #[default]
    Active,
    /// What was moved to the archive.
    Archived,
}

impl Tier {
    /// As the API takes it; nothing for the one it takes by itself.
    pub(crate) fn filter(self) -> Option<String> {
        (self == Self::Archived).then(|| "archived".to_owned())
    }
}

/// One thing.
#[derive(Args, Clone, Debug)]
pub struct Show {
    /// Id or name
    pub id: String,
    /// How it is printed.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// What shall be done.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Run a project in one process, reload on save, show what happens
    #[command(
        after_help = "Example:\n  evoke dev examples/quickstart\n  evoke dev --port 9000 --quiet"
    )]
    Dev(DevArgs),
    /// Run a project for others: asks for API keys, does not watch the folder
    #[command(after_help = "Example:\n  evoke serve --config /srv/shop/evoke.toml")]
    Serve(ServeArgs),
    /// Functions: make, test, list, show, call, read logs
    #[command(subcommand, visible_alias = "fn")]
    Functions(FunctionsCommand),
    /// Events: send, list, show, watch, replay, what they led to
    #[command(subcommand)]
    Events(EventsCommand),
    /// Executions: list, show, watch, retry, cancel, explain
    #[command(subcommand, visible_alias = "exec")]
    Executions(ExecutionsCommand),
    /// Dead letters: list by cause, show, edit, run again, purge
    #[command(subcommand, visible_alias = "dead-letters")]
    Dlq(DlqCommand),
    /// Triggers: list, show, enable, disable, test, fire
    #[command(subcommand)]
    Triggers(TriggersCommand),
    /// Schedules: list, show, fire, backfill, pause, resume, what they will do
    #[command(subcommand, visible_alias = "schedule")]
    Schedules(SchedulesCommand),
    /// Collections of documents: list, get, create, update, delete, query, count
    #[command(subcommand, visible_alias = "database")]
    Db(DbCommand),
    /// Files of buckets: list, upload, download, delete, sign links
    #[command(subcommand)]
    Files(FilesCommand),
    /// Replays and redrives: list, show, follow, cancel
    #[command(subcommand, visible_alias = "ops")]
    Operations(OperationsCommand),
    /// Who changed what by hand
    #[command(subcommand)]
    Audit(AuditCommand),
    /// How large the record is and what becomes of it
    #[command(subcommand)]
    Retention(RetentionCommand),
    /// Users of what the project builds: list, create, roles, delete
    #[command(subcommand)]
    Users(UsersCommand),
    /// API keys: create, list, delete
    #[command(subcommand)]
    Keys(KeysCommand),
    /// What this machine offers, and what to install for what is missing
    #[command(after_help = "Example:\n  evoke doctor\n  evoke doctor -o json")]
    Doctor(OutputArgs),
    /// Measure this machine: the server beside its floors, in ratios
    #[command(
        after_help = "Example:\n  evoke bench\n  evoke bench --full --json bench.json\n  evoke bench --only B1,B6"
    )]
    Bench(BenchArgs),
    /// Completions for a shell
    #[command(
        after_help = "Example:\n  evoke completions bash > ~/.local/share/bash-completion/completions/evoke"
    )]
    Completions {
        /// The shell
        shell: Shell,
    },
    /// The OpenAPI document of this version
    #[command(after_help = "Example:\n  evoke openapi > openapi.json")]
    Openapi,
    /// The JSON Schema of function manifests
    #[command(after_help = "Example:\n  evoke schema > function.schema.json")]
    Schema,
}

/// The whole command line, for completions, manuals and documentation.
pub fn command() -> clap::Command {
    Cli::command()
}

/// The folder of a project.
#[derive(Args, Clone, Debug)]
pub struct ProjectDir {
    /// The project's folder
    #[arg(default_value = ".", value_name = "DIR")]
    pub dir: PathBuf,
}
