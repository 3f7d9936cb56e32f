//! How the executions of a trigger are carried out.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::units::{ByteSize, Millis};

/// Everything a trigger may say about delivery. What is left out takes the default.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Policy {
    /// `async` (the default) or `sync`: the caller waits for the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
    /// What happens after a failed attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
    /// Upper bound of one attempt; the function's own timeout applies where it is shorter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Millis>,
    /// How many executions run at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<Concurrency>,
    /// CEL key: first in, first out per key, without blocking other keys.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order_by: Option<String>,
    /// Several executions in one call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch: Option<Batch>,
    /// Waits until no event came for this long.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub debounce: Option<Millis>,
    /// At most so many per time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<Rate>,
    /// Higher runs first among the triggers of one event; 0 by default.
    #[serde(skip_serializing_if = "is_zero")]
    pub priority: i32,
    /// CEL condition over `event`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
    /// CEL expression that makes what the target gets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transform: Option<String>,
    /// Takes an event once per key within a window.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idempotency: Option<Idempotency>,
    /// Whether an execution that used up its attempts is kept as a dead letter; true by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dead_letter: Option<bool>,
    /// What a failing sync hook does to the caller.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_failure: Option<OnFailure>,
}

fn is_zero(number: &i32) -> bool {
    *number == 0
}

/// Whether the caller waits.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Accepted durably, run later.
    Async,
    /// Run now, the answer goes back to the caller.
    Sync,
}

/// What happens after a failed attempt.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Retry {
    /// Attempts in all, the first included: 1 to 100, default 5.
    pub attempts: u32,
    /// How the wait grows; default `exponential`.
    pub backoff: Backoff,
    /// The wait after the first failure; default 1s.
    pub initial: Millis,
    /// The longest wait; default 5m.
    pub max: Millis,
    /// Full jitter: the wait is chosen evenly between zero and its bound; default true.
    pub jitter: bool,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            attempts: 5,
            backoff: Backoff::Exponential,
            initial: Millis::from_secs(1),
            max: Millis::from_secs(300),
            jitter: true,
        }
    }
}

impl Retry {
    /// Attempts may not exceed this: a larger number is a loop, not a retry.
    pub const ATTEMPTS_MAX: u32 = 100;
}

/// How the wait between attempts grows.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Backoff {
    /// Doubles with each attempt.
    #[default]
    Exponential,
    /// Grows by `initial` with each attempt.
    Linear,
    /// Always `initial`.
    Fixed,
}

/// How many executions run at once.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Concurrency {
    /// The number, at least 1.
    pub limit: u32,
    /// CEL key: the limit counts per key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// What happens to one too many; default `queue`.
    #[serde(default)]
    pub overflow: Overflow,
}

/// What happens to an execution over the limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Overflow {
    /// It waits.
    #[default]
    Queue,
    /// It is not run.
    Skip,
    /// The one that runs is cancelled for it.
    Cancel,
}

/// Several executions in one call.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Batch {
    /// At most so many.
    pub size: u32,
    /// Waits at most so long for more.
    #[serde(default)]
    pub wait: Millis,
    /// At most so many bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<ByteSize>,
}

/// At most so many per time.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    /// The number.
    pub limit: u32,
    /// The time.
    pub per: Millis,
    /// CEL key: the rate counts per key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// Takes an event once per key.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Idempotency {
    /// CEL key.
    pub key: String,
    /// How long the key is remembered; default 24h.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<Millis>,
}

/// What a failing sync hook does to the caller.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OnFailure {
    /// The change is refused.
    Reject,
    /// The failure is logged and the change goes on.
    Continue,
}
