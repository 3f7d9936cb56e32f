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
    /// Waits until no event came for a while; a plain duration says how long.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub debounce: Option<Debounce>,
    /// At most so many per time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<Rate>,
    /// Who goes first where places are short; 0 by default.
    #[serde(skip_serializing_if = "Priority::is_default")]
    pub priority: Priority,
    /// CEL condition over `event`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
    /// CEL expression that makes what the target gets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transform: Option<String>,
    /// Takes an event once per key within a window.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idempotency: Option<Idempotency>,
    /// What becomes of an execution that used up its attempts; `true`, kept as a dead letter, by
    /// default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dead_letter: Option<DeadLetter>,
    /// What a failing sync hook does to the caller.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_failure: Option<OnFailure>,
    /// Whether a sync hook may give back another document than it was shown; `false` by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow_modify: Option<bool>,
}

impl Policy {
    /// Whether an execution that used up its attempts is kept as a dead letter.
    pub fn keeps_dead_letters(&self) -> bool {
        self.dead_letter != Some(DeadLetter::Kept(false))
    }

    /// The type of the event that tells of a new dead letter, if one is wanted.
    pub fn dead_letter_event(&self) -> Option<&str> {
        match &self.dead_letter {
            Some(DeadLetter::Published { publish }) => Some(publish),
            _ => None,
        }
    }
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
    /// Waits at most so long for more, from the first one on; default 0: what is there goes.
    #[serde(default)]
    pub wait: Millis,
    /// At most so many bytes of event data in all; one larger event still goes, alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<ByteSize>,
    /// CEL key: only executions with the same key share a call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// Waits until no event came for a while.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(from = "DebounceText")]
pub struct Debounce {
    /// The quiet time before the target is called.
    pub wait: Millis,
    /// CEL key: counts per key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Waits at most so long, from the first event on, however often others come; no bound if not
    /// given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_wait: Option<Millis>,
    /// Which of the events the target gets.
    pub mode: DebounceMode,
}

/// A debounce as it may be written.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
enum DebounceText {
    Wait(Millis),
    Whole(DebounceFields),
}

/// A debounce with everything it may say.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct DebounceFields {
    /// The quiet time before the target is called.
    wait: Millis,
    /// CEL key: counts per key.
    #[serde(default)]
    key: Option<String>,
    /// Waits at most so long, from the first event on; no bound if not given.
    #[serde(default)]
    max_wait: Option<Millis>,
    /// Which of the events the target gets; default `last`.
    #[serde(default)]
    mode: DebounceMode,
}

impl From<DebounceText> for Debounce {
    fn from(text: DebounceText) -> Self {
        match text {
            DebounceText::Wait(wait) => Self::after(wait),
            DebounceText::Whole(DebounceFields { wait, key, max_wait, mode }) => {
                Self { wait, key, max_wait, mode }
            }
        }
    }
}

impl Debounce {
    /// Waits for so long a quiet time; the last event wins.
    pub const fn after(wait: Millis) -> Self {
        Self { wait, key: None, max_wait: None, mode: DebounceMode::Last }
    }
}

/// Which of the events a debounced target gets.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DebounceMode {
    /// The last one; the executions of the others are cancelled with that reason.
    #[default]
    Last,
    /// All of them, in one call: a batch that ends with the quiet time.
    All,
}

/// Who goes first where places are short: among the executions of one trigger, and among triggers
/// that share a target. One point is a head start of one second: an execution goes before another
/// that waits for up to that many seconds longer, so that none waits for ever.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Priority {
    /// The same for all executions of the trigger.
    Fixed(i32),
    /// CEL expression over `event` that gives a whole number.
    By(String),
}

impl Priority {
    /// Priorities are cut to this, either way: more than a quarter of an hour of head start is a
    /// wish for another trigger.
    pub const MAX: i32 = 1_000;

    fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// The priority of the trigger itself; 0 where each execution has its own.
    pub fn fixed(&self) -> i32 {
        match self {
            Self::Fixed(priority) => (*priority).clamp(-Self::MAX, Self::MAX),
            Self::By(_) => 0,
        }
    }
}

impl Default for Priority {
    fn default() -> Self {
        Self::Fixed(0)
    }
}

/// What becomes of an execution that used up its attempts.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum DeadLetter {
    /// Whether it is kept as a dead letter; otherwise it is only in the record, as failed.
    Kept(bool),
    /// It is kept, and an event tells of it.
    Published {
        /// The event's type.
        publish: String,
    },
}

/// At most so many calls per time: a token bucket. A batch is one call.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    /// Tokens that come back within `per`, at least 1.
    pub limit: u32,
    /// The time, at least 1 ms.
    pub per: Millis,
    /// CEL key: the rate counts per key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The size of the bucket: so many may go at once after a pause; default `limit`. 1 spreads
    /// them evenly.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub burst: Option<u32>,
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
