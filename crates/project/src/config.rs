//! The settings of a project and of the server that runs it: one typed tree, `evoke.toml`.
//!
//! Every setting has a default, so an empty file (and no file) is valid. `config.default.toml`
//! beside this crate is the manual; a test keeps it equal to these types. A variable of the
//! environment overrides its setting: `EVOKE_SERVER_PORT` is `[server] port`.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;

use evoke_model::{ByteSize, FunctionSpec, Millis};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::desired::FileProblem;
use crate::settings;

mod or_false;
pub(crate) mod retention;
mod storage;
mod telemetry;
mod users;

pub use retention::{Retention, RetentionRule};
pub use storage::Storage;
pub use telemetry::Telemetry;
pub use users::{ForeignIssuer, Mail, Users};

/// The name of the file in a project's folder.
pub const FILE: &str = "evoke.toml";
/// The manual and the defaults.
pub const DEFAULT_TEXT: &str = include_str!("../config.default.toml");

/// Everything that can be set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ProjectConfig {
    /// Name of the project, shown in listings and in telemetry. Default: empty, the folder's name.
    pub name: String,
    /// Folder of the functions, relative to `evoke.toml`. Default: `functions`.
    pub functions: String,
    /// The door of the server.
    pub server: Server,
    /// Where events, executions and functions are kept.
    pub store: Store,
    /// Where files of buckets are kept.
    pub storage: Storage,
    /// What the server says of itself.
    pub log: Log,
    /// Who may use the API.
    pub auth: Auth,
    /// Who may use what the project builds.
    pub users: Users,
    /// How mail leaves.
    pub mail: Mail,
    /// What is taken in.
    pub events: Events,
    /// How long the record is kept.
    pub retention: Retention,
    /// Where spans go.
    pub telemetry: Telemetry,
    /// How functions are run.
    pub runtimes: Runtimes,
    /// Where executions may go.
    pub targets: Targets,
    /// What a manifest that says nothing means.
    pub defaults: Defaults,
}

impl Default for ProjectConfig {
    fn default() -> Self {
        Self {
            name: String::new(),
            functions: "functions".to_owned(),
            server: Server::default(),
            store: Store::default(),
            storage: Storage::default(),
            log: Log::default(),
            auth: Auth::default(),
            users: Users::default(),
            mail: Mail::default(),
            events: Events::default(),
            retention: Retention::default(),
            telemetry: Telemetry::default(),
            runtimes: Runtimes::default(),
            targets: Targets::default(),
            defaults: Defaults::default(),
        }
    }
}

/// The door of the server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Server {
    /// Address to listen on. Beyond loopback the API asks for keys. Default: `127.0.0.1`.
    pub host: IpAddr,
    /// TCP port; 0 takes a free one. Default: 8090.
    pub port: u16,
    /// Largest request body; a larger one is refused with 413. 1kb to 1gb. Default: `10mb`.
    pub body_max: ByteSize,
    /// How long work under way may take after a stop was asked for. Default: `15s`.
    pub shutdown_grace: Millis,
    /// Header in which a proxy in front says where a request came from, such as `x-forwarded-for`;
    /// its last entry is believed. Default: empty, the other end of the connection.
    pub client_address: String,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            host: IpAddr::from([127, 0, 0, 1]),
            port: 8090,
            body_max: ByteSize::from_mb(10),
            shutdown_grace: Millis::from_secs(15),
            client_address: String::new(),
        }
    }
}

/// Where events, executions and functions are kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Store {
    /// `sqlite:PATH` (relative to the project) or `memory:`. Default: `sqlite:.evoke/evoke.db`.
    pub url: String,
    /// When a commit counts as durable. Default: `full`.
    pub synchronous: Synchronous,
}

impl Default for Store {
    fn default() -> Self {
        Self { url: "sqlite:.evoke/evoke.db".to_owned(), synchronous: Synchronous::Full }
    }
}

/// When a commit counts as durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Synchronous {
    /// When it is on the disk: nothing accepted is lost, whatever happens.
    Full,
    /// When the system has it: a power cut may lose the last moments, a crash of the server does
    /// not.
    Normal,
}

/// What the server says of itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// `error`, `warn`, `info`, `debug` or `trace`. Default: `info`.
    pub level: Level,
    /// `text` for people or `json` for machines. Default: `text`.
    pub format: LogFormat,
}

impl Default for Log {
    fn default() -> Self {
        Self { level: Level::Info, format: LogFormat::Text }
    }
}

/// How much is logged.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Only what needs somebody.
    Error,
    /// And what may need somebody.
    Warn,
    /// And what happens.
    Info,
    /// And why it happens.
    Debug,
    /// And each step.
    Trace,
}

impl Level {
    /// The word of the setting.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

/// The form of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// A line for people.
    Text,
    /// A JSON object a line.
    Json,
}

/// Who may use the API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Auth {
    /// Whether callers need an API key: `"auto"` (in `serve`, and as soon as the server listens
    /// beyond loopback), `true` or `false`. Default: `"auto"`.
    pub required: Required,
}

/// Whether callers need an API key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Required {
    /// In `serve`, and as soon as the server listens beyond loopback.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl Serialize for Required {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Auto => serializer.serialize_str("auto"),
            Self::Always => serializer.serialize_bool(true),
            Self::Never => serializer.serialize_bool(false),
        }
    }
}

impl<'de> Deserialize<'de> for Required {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match serde_json::Value::deserialize(deserializer)? {
            serde_json::Value::Bool(true) => Ok(Self::Always),
            serde_json::Value::Bool(false) => Ok(Self::Never),
            serde_json::Value::String(text) if text == "auto" => Ok(Self::Auto),
            _ => Err(serde::de::Error::custom("expected \"auto\", true or false")),
        }
    }
}

impl JsonSchema for Required {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Required".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "enum": ["auto", true, false] })
    }
}

/// What is taken in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Events {
    /// How long an event id or `Idempotency-Key` is remembered. Default: `24h`.
    pub idempotency_window: Millis,
    /// How many events may cause one another before the chain is cut. 1 to 1000. Default: 16.
    pub depth_max: u32,
}

impl Default for Events {
    fn default() -> Self {
        Self { idempotency_window: Millis::from_secs(24 * 3600), depth_max: 16 }
    }
}

/// How functions are run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Runtimes {
    /// Folders in which interpreters and package managers are looked for before `PATH`, relative
    /// to `evoke.toml`. Default: none.
    pub tools: Vec<String>,
    /// A worker that was not called for this long is ended. Default: `5m`.
    pub idle: Millis,
    /// How many versions of a function are kept and can be run again, the current one included.
    /// Default: 10.
    pub keep_versions: u32,
    /// Whether missing dependencies of functions are installed. Default: true.
    pub install: bool,
}

impl Default for Runtimes {
    fn default() -> Self {
        Self { tools: Vec::new(), idle: Millis::from_secs(300), keep_versions: 10, install: true }
    }
}

/// Where executions may go.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Targets {
    /// Whether HTTP targets may reach private and loopback addresses. `evoke dev` allows it.
    /// Default: false.
    pub allow_private: bool,
}

/// What a manifest that says nothing means.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Defaults {
    /// Runtime of functions in its language. Default: empty, chosen by the file that is there
    /// (`index.ts` or `index.js`: `nodejs`, `main.py`: `python`, `main.go`: `go`).
    pub runtime: String,
    /// Memory of one worker. 128mb to 4gb. Default: `256mb`.
    pub memory: ByteSize,
    /// Time of one attempt, up to 15m. Default: `30s`.
    pub timeout: Millis,
}

impl Default for Defaults {
    fn default() -> Self {
        Self {
            runtime: String::new(),
            memory: FunctionSpec::MEMORY_DEFAULT,
            timeout: FunctionSpec::TIMEOUT_DEFAULT,
        }
    }
}

impl ProjectConfig {
    /// Reads `evoke.toml` and the variables that override it. A file that is not there is an empty
    /// one.
    ///
    /// # Errors
    /// Everything that is wrong: unknown keys with the nearest known one, wrong types, values out
    /// of range, variables that begin like a section (`EVOKE_SERVER_`) or look like a setting.
    pub fn load(
        file: &Path,
        environment: &BTreeMap<String, String>,
    ) -> Result<Self, Vec<FileProblem>> {
        settings::load(file, environment)
    }
}
