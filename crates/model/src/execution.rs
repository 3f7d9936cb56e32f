//! Executions: one event for one trigger. The row of an execution is the job, the log entry and the
//! dead letter in one.

use crate::data::Data;
use crate::id::ExecutionId;
use crate::problem::Code;
use crate::time::Timestamp;
use crate::units::Millis;

/// The state of an execution.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum State {
    /// Waiting: for its time, its key, a worker, or the end of a backoff.
    Pending = 0,
    /// An attempt is under way.
    Running = 1,
    /// Done.
    Success = 2,
    /// Used up its attempts, or was refused for good.
    Failed = 3,
    /// Used up its attempts, the last by running out of time.
    TimedOut = 4,
    /// Stopped before it was done.
    Cancelled = 5,
}

impl State {
    /// All states, in the order of their numbers.
    pub const ALL: [Self; 6] = [
        Self::Pending,
        Self::Running,
        Self::Success,
        Self::Failed,
        Self::TimedOut,
        Self::Cancelled,
    ];

    /// The state of a stored number.
    pub fn from_u8(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }

    /// The word of the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Success => "success",
            Self::Failed => "failed",
            Self::TimedOut => "timed_out",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether nothing more will happen by itself.
    pub const fn is_final(self) -> bool {
        !matches!(self, Self::Pending | Self::Running)
    }

    /// Whether it ended in failure, which makes a dead letter of it unless its trigger or its
    /// caller wants none.
    pub const fn is_failure(self) -> bool {
        matches!(self, Self::Failed | Self::TimedOut)
    }
}

impl std::str::FromStr for State {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|state| state.as_str() == text).ok_or(())
    }
}

/// How loud a log line is.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Details for the author.
    Debug,
    /// The normal course.
    Info,
    /// Something to look at.
    Warn,
    /// Something went wrong.
    Error,
}

/// A line a function printed.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
pub struct LogLine {
    /// When it reached us.
    pub time: Timestamp,
    /// How loud it is.
    pub level: Level,
    /// The text, without its line break.
    pub message: String,
}

/// Why an attempt failed.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
pub struct Failure {
    /// The error code.
    pub code: Code,
    /// What went wrong, for the owner of the function.
    pub message: String,
    /// The stack in the user's lines, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stack: Option<String>,
    /// Whether and when to try again.
    #[serde(default)]
    pub retry: RetryHint,
}

impl Failure {
    /// A failure that follows the trigger's retry policy.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), stack: None, retry: RetryHint::Policy }
    }

    /// A failure that no further attempt can mend.
    #[must_use]
    pub fn for_good(mut self) -> Self {
        self.retry = RetryHint::Never;
        self
    }
}

/// What the failed side said of another attempt.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, serde::Serialize, serde::Deserialize)]
#[serde(tag = "when", content = "wait", rename_all = "snake_case")]
pub enum RetryHint {
    /// As the trigger's policy says.
    #[default]
    Policy,
    /// Not before so long (`Retry-After`).
    After(Millis),
    /// Never: the input was refused.
    Never,
    /// At once and without counting as an attempt: the worker went down under a call it was not the
    /// cause of.
    Elsewhere,
}

/// How one attempt ended.
#[derive(Clone, PartialEq, Debug)]
pub enum Outcome {
    /// It worked; this is what it gave.
    Success(Data),
    /// It failed.
    Failure(Failure),
    /// It ran out of time.
    TimedOut(Failure),
    /// It was stopped.
    Cancelled,
}

impl Outcome {
    /// Why it failed, if it did.
    pub const fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Failure(failure) | Self::TimedOut(failure) => Some(failure),
            Self::Success(_) | Self::Cancelled => None,
        }
    }
}

/// One try.
#[derive(Clone, PartialEq, Debug)]
pub struct Attempt {
    /// 1, 2, 3, ...
    pub number: u32,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub finished_at: Timestamp,
    /// How it ended.
    pub outcome: Outcome,
    /// What the function printed.
    pub logs: Vec<LogLine>,
    /// The function's version, 0 for targets that have none.
    pub version: u32,
}

impl Attempt {
    /// What the record shows of an execution that was given up after `attempts`: no further one was
    /// made, so that none is counted, and the reason stands where the last one's failure stands.
    pub const fn not_made(attempts: u32, at: Timestamp, why: Failure) -> Self {
        Self {
            number: attempts,
            started_at: at,
            finished_at: at,
            outcome: Outcome::Failure(why),
            logs: Vec::new(),
            version: 0,
        }
    }
}

/// What the record knows of an execution.
#[derive(Clone, PartialEq, Debug)]
pub struct Execution {
    /// The id.
    pub id: ExecutionId,
    /// The state.
    pub state: State,
    /// When it is or was due.
    pub due: Timestamp,
    /// Attempts that were finished.
    pub attempts: u32,
    /// Its key for first in, first out.
    pub order_key: Option<Box<str>>,
    /// Its key for the concurrency limit.
    pub concurrency_key: Option<Box<str>>,
    /// The last attempt; `None` before the first ended.
    pub last: Option<Attempt>,
    /// Whether it was a test run.
    pub is_test_run: bool,
    /// Whether its event is part of a replay.
    pub is_replay: bool,
    /// The fingerprint of what it failed of, while it is a dead letter.
    pub cause: Option<Cause>,
    /// Where it goes instead of its trigger's target.
    pub redirect: Option<Redirect>,
    /// Whether its payload was edited: it gets other data than its event has.
    pub is_edited: bool,
}

impl Execution {
    /// Whether it is a dead letter: it ended in failure and waits for somebody to do something.
    pub const fn is_dead_letter(&self) -> bool {
        self.cause.is_some()
    }
}

/// The fingerprint of a failure: the same number for failures with the same cause.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Cause(pub u64);

impl std::fmt::Display for Cause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl std::str::FromStr for Cause {
    type Err = std::num::ParseIntError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        u64::from_str_radix(text, 16).map(Self)
    }
}

/// A function an execution goes to instead of its trigger's target.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
pub struct Redirect {
    /// The function's name.
    pub function: Box<str>,
    /// The version; the current one if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
}
