//! The JSON Schema (2020-12) of a manifest, for editors and for everybody who writes manifests by
//! program. It is made of the documented types below; a test keeps it and the reader of one mind,
//! and a golden file shows when it changes.

#![expect(dead_code, reason = "the types are only described, never made")]

use std::collections::BTreeMap;

use evoke_model::policy::{Backoff, DebounceMode, Mode, OnFailure, Overflow};
use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::language::RUNTIMES;
use crate::poll;
use crate::trigger::KINDS;

/// Where the server gives the schema, relative to its own address.
pub const PATH: &str = "/schemas/function.json";

/// The schema of `function.config.ts`, `function.yaml`, `function.toml` and `function.json`.
pub fn manifest_schema() -> Value {
    let settings = SchemaSettings::draft2020_12();
    // A field that may be left out has no default that could be written there.
    let generator = settings.with_transform(RecursiveTransform(no_null_default)).into_generator();
    let mut schema = generator.into_root_schema_for::<Manifest>().to_value();
    if let Some(fields) = schema.as_object_mut() {
        fields.insert("$id".to_owned(), json!(PATH));
        fields.insert("title".to_owned(), json!("Function manifest"));
    }
    schema
}

fn no_null_default(schema: &mut Schema) {
    if schema.get("default").is_some_and(Value::is_null) {
        schema.remove("default");
    }
}

/// A function: its runtime, its limits, its environment and what triggers it.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Manifest {
    /// Name of the function, unique in the project. Default: the name of its folder.
    #[schemars(schema_with = "function_name")]
    #[serde(default)]
    name: Option<String>,
    /// The runtime. Default: chosen by the file that is there.
    #[schemars(schema_with = "runtime")]
    #[serde(default)]
    runtime: Option<String>,
    /// `file.export`, without the file's extension. Default: that of the runtime.
    #[schemars(regex(pattern = r"^[^/].*\.[\w$]+$"), example = "index.handler")]
    #[serde(default)]
    handler: Option<String>,
    /// Memory of one worker, 128mb to 4gb; a bare number is MB. Default: 256mb.
    #[schemars(schema_with = "memory")]
    #[serde(default)]
    memory: Option<Value>,
    /// Time of one attempt, up to 15m; a bare number is seconds. Default: 30s.
    #[schemars(schema_with = "timeout")]
    #[serde(default)]
    timeout: Option<Value>,
    /// Variables. `${secrets.NAME}` and `${NAME}` are filled in when a version is made.
    #[schemars(schema_with = "variables")]
    #[serde(default)]
    environment: Option<BTreeMap<String, Value>>,
    /// Another name of `environment`.
    #[schemars(schema_with = "variables")]
    #[serde(default)]
    env: Option<BTreeMap<String, Value>>,
    /// How many workers there are.
    #[schemars(schema_with = "plain::<Scaling>")]
    #[serde(default)]
    scaling: Option<Scaling>,
    /// What makes the function run.
    #[schemars(schema_with = "plain::<Vec<Trigger>>")]
    #[serde(default)]
    triggers: Option<Vec<Trigger>>,
    /// HTTP triggers in the short form.
    #[schemars(schema_with = "plain::<Vec<Route>>")]
    #[serde(default)]
    routes: Option<Vec<Route>>,
    /// Triggers on changes, sign-ups, webhooks and custom events in the short form.
    #[schemars(schema_with = "plain::<Vec<Hook>>")]
    #[serde(default)]
    hooks: Option<Vec<Hook>>,
    /// Schedules in the short form.
    #[schemars(schema_with = "plain::<Vec<Schedule>>")]
    #[serde(default)]
    schedules: Option<Vec<Schedule>>,
    /// Private networks; not available in this version.
    #[schemars(schema_with = "plain::<Vpc>")]
    #[serde(default)]
    vpc: Option<Vpc>,
}

/// How many workers there are.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Scaling {
    /// Workers kept when nothing is called. Default: 0.
    #[schemars(schema_with = "integer::<0, 1000>")]
    #[serde(default)]
    min_instances: Option<u32>,
    /// Workers at most. Default: 100.
    #[schemars(schema_with = "integer::<1, 1000>")]
    #[serde(default)]
    max_instances: Option<u32>,
    /// Calls one worker takes at once. Default: 10.
    #[schemars(schema_with = "integer::<1, 10000>")]
    #[serde(default)]
    target_concurrency: Option<u32>,
}

/// Private networks; not available in this version.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Vpc {
    /// Whether the function runs in a private network.
    #[schemars(schema_with = "plain::<bool>")]
    #[serde(default)]
    enabled: Option<bool>,
    /// The networks.
    #[schemars(schema_with = "plain::<Vec<String>>")]
    #[serde(default)]
    subnet_ids: Option<Vec<String>>,
}

/// A trigger: a kind, the configuration of that kind (`path`, `match`, `cron`, ...) and a policy.
#[derive(Deserialize, JsonSchema)]
#[schemars(transform = poll::describe)]
struct Trigger {
    /// The kind of source.
    #[serde(rename = "type")]
    #[schemars(schema_with = "kind")]
    kind: String,
    #[serde(flatten)]
    common: Common,
}

/// What every trigger may say beside the configuration of its kind.
#[derive(Deserialize, JsonSchema)]
struct Common {
    /// A name, unique in the function. Default: made of what the trigger listens to.
    #[schemars(schema_with = "trigger_name")]
    #[serde(default)]
    name: Option<String>,
    /// Whether it fires. Default: true.
    #[schemars(schema_with = "plain::<bool>")]
    #[serde(default)]
    enabled: Option<bool>,
    /// `async` (the default) or `sync`: the caller waits for the answer.
    #[schemars(schema_with = "plain::<Mode>")]
    #[serde(default)]
    mode: Option<Mode>,
    /// What happens after a failed attempt.
    #[schemars(schema_with = "plain::<Retry>")]
    #[serde(default)]
    retry: Option<Retry>,
    /// Upper bound of one attempt, up to 15m; a bare number is seconds.
    #[schemars(schema_with = "timeout")]
    #[serde(default)]
    timeout: Option<Value>,
    /// How many executions run at once.
    #[schemars(schema_with = "plain::<Concurrency>")]
    #[serde(default)]
    concurrency: Option<Concurrency>,
    /// An execution does not run while as many run as `max_overlap` says, or any where it is not
    /// given: short for a concurrency that skips.
    #[schemars(schema_with = "plain::<bool>")]
    #[serde(default)]
    skip_if_running: Option<bool>,
    /// How many executions run at once: short for the limit of a concurrency.
    #[schemars(schema_with = "plain::<u32>")]
    #[serde(default)]
    max_overlap: Option<u32>,
    /// What happens to one too many: short for the overflow of a concurrency, whose limit is 1
    /// where `max_overlap` is not given.
    #[schemars(schema_with = "plain::<Overflow>")]
    #[serde(default)]
    overlap: Option<Overflow>,
    /// CEL key: first in, first out per key.
    #[schemars(schema_with = "some_text")]
    #[serde(default)]
    order_by: Option<String>,
    /// Several executions in one call.
    #[schemars(schema_with = "plain::<Batch>")]
    #[serde(default)]
    batch: Option<Batch>,
    /// Waits until no event came for a while; a plain duration says how long.
    #[schemars(schema_with = "debounce")]
    #[serde(default)]
    debounce: Option<Value>,
    /// At most so many per time.
    #[schemars(schema_with = "plain::<Rate>")]
    #[serde(default)]
    rate: Option<Rate>,
    /// Who goes first where places are short: seconds of head start, or a CEL expression that gives
    /// them. Default: 0.
    #[schemars(schema_with = "priority")]
    #[serde(default)]
    priority: Option<Value>,
    /// CEL condition over `event`.
    #[schemars(schema_with = "some_text")]
    #[serde(default)]
    filter: Option<String>,
    /// CEL expression that makes what the function gets.
    #[schemars(schema_with = "some_text")]
    #[serde(default)]
    transform: Option<String>,
    /// Takes an event once per key.
    #[schemars(schema_with = "plain::<Idempotency>")]
    #[serde(default)]
    idempotency: Option<Idempotency>,
    /// Whether an execution that used up its attempts is kept as a dead letter, or the type of an
    /// event that tells of it as well. Default: true.
    #[schemars(schema_with = "dead_letter")]
    #[serde(default)]
    dead_letter: Option<Value>,
    /// What a failing sync hook does to the caller.
    #[schemars(schema_with = "plain::<OnFailure>")]
    #[serde(default)]
    on_failure: Option<OnFailure>,
    /// Whether a sync hook may give back another document than it was shown. Default: false.
    #[serde(default)]
    allow_modify: Option<bool>,
}

/// What happens after a failed attempt.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Retry {
    /// Attempts in all, the first included. Default: 5.
    #[schemars(schema_with = "integer::<1, 100>")]
    #[serde(default)]
    attempts: Option<u32>,
    /// How the wait grows. Default: exponential.
    #[schemars(schema_with = "plain::<Backoff>")]
    #[serde(default)]
    backoff: Option<Backoff>,
    /// The wait after the first failure. Default: 1s.
    #[schemars(schema_with = "duration")]
    #[serde(default)]
    initial: Option<Value>,
    /// The longest wait. Default: 5m.
    #[schemars(schema_with = "duration")]
    #[serde(default)]
    max: Option<Value>,
    /// Full jitter. Default: true.
    #[schemars(schema_with = "plain::<bool>")]
    #[serde(default)]
    jitter: Option<bool>,
}

/// How many executions run at once.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Concurrency {
    /// The number.
    #[schemars(schema_with = "integer::<1, 1000000>")]
    limit: u32,
    /// CEL key: the limit counts per key.
    #[schemars(schema_with = "some_text")]
    #[serde(default)]
    key: Option<String>,
    /// What happens to one too many. Default: queue.
    #[schemars(schema_with = "plain::<Overflow>")]
    #[serde(default)]
    overflow: Option<Overflow>,
}

/// Several executions in one call.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Batch {
    /// At most so many.
    #[schemars(schema_with = "integer::<1, 10000>")]
    size: u32,
    /// Waits at most so long for more.
    #[schemars(schema_with = "duration")]
    #[serde(default)]
    wait: Option<Value>,
    /// At most so many bytes, up to 10mb.
    #[schemars(schema_with = "size")]
    #[serde(default)]
    bytes: Option<Value>,
    /// CEL key: only executions with the same key share a call.
    #[schemars(schema_with = "some_text")]
    #[serde(default)]
    key: Option<String>,
}

/// Waits until no event came for a while.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Debounce {
    /// The quiet time.
    #[schemars(schema_with = "duration")]
    wait: Value,
    /// CEL key: counts per key.
    #[schemars(schema_with = "some_text")]
    #[serde(default)]
    key: Option<String>,
    /// Waits at most so long from the first event on. Default: no bound.
    #[schemars(schema_with = "duration")]
    #[serde(default)]
    max_wait: Option<Value>,
    /// Which of the events the target gets. Default: last.
    #[schemars(schema_with = "plain::<DebounceMode>")]
    #[serde(default)]
    mode: Option<DebounceMode>,
}

/// At most so many per time.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Rate {
    /// The number.
    #[schemars(schema_with = "integer::<1, 1000000>")]
    limit: u32,
    /// The time.
    #[schemars(schema_with = "duration")]
    per: Value,
    /// CEL key: the rate counts per key.
    #[schemars(schema_with = "some_text")]
    #[serde(default)]
    key: Option<String>,
    /// So many may go at once after a pause. Default: `limit`.
    #[schemars(schema_with = "integer::<1, 1000000>")]
    #[serde(default)]
    burst: Option<u32>,
}

/// Takes an event once per key.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Idempotency {
    /// CEL key.
    #[schemars(schema_with = "some_text")]
    key: String,
    /// How long the key is remembered.
    #[schemars(schema_with = "duration")]
    #[serde(default)]
    ttl: Option<Value>,
}

/// An HTTP route; takes what an `http` trigger takes.
#[derive(Deserialize, JsonSchema)]
struct Route {
    /// The path, with `{name}` for parameters.
    path: String,
    #[serde(flatten)]
    common: Common,
}

/// A hook. `config` holds more fields of the trigger.
#[derive(Deserialize, JsonSchema)]
struct Hook {
    /// The kind.
    #[serde(rename = "type")]
    #[schemars(schema_with = "hook_kind")]
    kind: String,
    /// The collection, the bucket, or the first part of the event's type.
    #[schemars(schema_with = "plain::<String>")]
    #[serde(default)]
    source: Option<String>,
    /// What happened: one, a list, or `*`.
    #[schemars(schema_with = "action")]
    #[serde(default)]
    action: Option<Value>,
    /// More fields of the trigger.
    #[schemars(schema_with = "plain::<BTreeMap<String, Value>>")]
    #[serde(default)]
    config: Option<BTreeMap<String, Value>>,
    #[serde(flatten)]
    common: Common,
}

/// A schedule. `config` holds more fields of the trigger.
#[derive(Deserialize, JsonSchema)]
struct Schedule {
    /// What `expression` is.
    #[serde(rename = "type")]
    #[schemars(schema_with = "schedule_kind")]
    kind: String,
    /// A cron expression, an interval, or a time.
    expression: String,
    /// IANA name. Default: UTC.
    #[schemars(schema_with = "plain::<String>")]
    #[serde(default)]
    timezone: Option<String>,
    /// More fields of the trigger.
    #[schemars(schema_with = "plain::<BTreeMap<String, Value>>")]
    #[serde(default)]
    config: Option<BTreeMap<String, Value>>,
    #[serde(flatten)]
    common: Common,
}

/// The type itself: a field may be left out, but not be null.
fn plain<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

fn integer<const MIN: i64, const MAX: i64>(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "integer", "minimum": MIN, "maximum": MAX })
}

fn some_text(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "pattern": r"\S" })
}

fn function_name(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$" })
}

fn trigger_name(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "pattern": "^[A-Za-z0-9_.-]{1,64}$" })
}

fn runtime(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "enum": RUNTIMES })
}

fn kind(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "enum": KINDS })
}

fn hook_kind(_: &mut SchemaGenerator) -> Schema {
    let mut kinds = KINDS.to_vec();
    kinds.push("custom");
    json_schema!({ "enum": kinds })
}

fn schedule_kind(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "enum": ["cron", "interval", "one_time"] })
}

fn action(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" } }]
    })
}

fn debounce(generator: &mut SchemaGenerator) -> Schema {
    let whole = generator.subschema_for::<Debounce>();
    json_schema!({ "anyOf": [duration(generator), whole] })
}

fn priority(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "anyOf": [
            { "type": "integer", "minimum": -1000, "maximum": 1000 },
            { "type": "string", "pattern": r"\S" }
        ],
        "examples": [10, "event.data.vip ? 60 : 0"]
    })
}

fn dead_letter(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "anyOf": [
            { "type": "boolean" },
            {
                "type": "object",
                "properties": { "publish": { "type": "string", "pattern": r"^\S+$" } },
                "required": ["publish"],
                "additionalProperties": false
            }
        ]
    })
}

const DURATION: &str =
    r"^\s*(\d+\.?\d*|\.\d+)\s*(ms|s|secs?|seconds?|m|min|minutes?|h|hours?|d|days?)?\s*$";
const SIZE: &str = r"^\s*(\d+\.?\d*|\.\d+)\s*([bB]|[kKmMgG]([iI]?[bB])?)?\s*$";

fn duration(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "anyOf": [{ "type": "string", "pattern": DURATION }, { "type": "number", "minimum": 0 }],
        "examples": ["250ms", "30s", "5m"]
    })
}

fn timeout(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "anyOf": [
            { "type": "string", "pattern": DURATION },
            { "type": "number", "exclusiveMinimum": 0, "maximum": 900 }
        ],
        "examples": ["30s", "15m", 30]
    })
}

fn size(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "anyOf": [{ "type": "string", "pattern": SIZE }, { "type": "number", "minimum": 0 }],
        "examples": ["64kb", "1mb"]
    })
}

fn memory(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "anyOf": [
            { "type": "string", "pattern": SIZE },
            { "type": "number", "minimum": 128, "maximum": 4096 }
        ],
        "examples": ["256mb", "2gb", 512]
    })
}

fn variables(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "propertyNames": { "pattern": "^(?!EVOKE_)[A-Za-z_][A-Za-z0-9_]*$" },
        "additionalProperties": { "type": ["string", "number", "boolean"] }
    })
}
