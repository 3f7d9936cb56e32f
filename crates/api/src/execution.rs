//! Executions and their attempts.

use evoke_engine::ExecutionView;
use evoke_engine::record;
use evoke_model::{
    Code, Data, EventId, ExecutionId, Outcome, Redirect, State, Timestamp, TriggerId, execution,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::{operation, payload, schemas};

/// One event for one trigger: the job, the log entry and the dead letter in one.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Execution {
    /// The id.
    #[schema(value_type = String, example = "exe_01j9z3k5m7n8p01j9z3k5m7n8p")]
    pub id: ExecutionId,
    /// The state.
    #[schema(schema_with = schemas::state)]
    pub status: State,
    /// The event that is handled.
    #[schema(value_type = String)]
    pub event_id: EventId,
    /// The trigger that matched it.
    #[schema(value_type = String)]
    pub trigger_id: TriggerId,
    /// The name of the trigger.
    pub trigger_name: Option<String>,
    /// The kind of trigger: `event`, `http`, `invoke`.
    pub trigger_type: Option<String>,
    /// The function it runs; `null` for other targets.
    pub function: Option<String>,
    /// The version of the function that ran last.
    pub version: Option<u32>,
    /// Attempts that were finished.
    pub attempts: u32,
    /// A test run.
    pub is_test_run: bool,
    /// Its event is part of a replay.
    pub is_replay: bool,
    /// Its payload was edited: it gets other data than its event has.
    pub is_edited: bool,
    /// Where it goes instead of its trigger's target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<operation::Redirect>)]
    pub redirect: Option<Redirect>,
    /// The fingerprint of what it failed of, while it is a dead letter: 16 hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "9f86d081884c7d65")]
    pub cause: Option<String>,
    /// When the event was accepted.
    #[schema(schema_with = schemas::time)]
    pub created_at: Timestamp,
    /// When it is or was due.
    #[schema(schema_with = schemas::time)]
    pub due_at: Timestamp,
    /// When the last attempt began.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub started_at: Option<Timestamp>,
    /// When the last attempt ended.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub finished_at: Option<Timestamp>,
    /// How long the last attempt took.
    pub duration_ms: Option<f64>,
    /// First in, first out among executions of the trigger with the same key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_key: Option<String>,
    /// The key of the concurrency limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency_key: Option<String>,
    /// Why the last attempt failed.
    pub error: Option<Failure>,
    /// What it gets: the event's data, or what it was edited to. Like all that follows, not in
    /// lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schemas::any, required = false)]
    pub input: Option<Box<RawValue>>,
    /// What it gets, where it is not text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_base64: Option<String>,
    /// What the function gave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schemas::any, required = false)]
    pub output: Option<Box<RawValue>>,
    /// What the function gave, where it is not text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_base64: Option<String>,
    /// What the function printed in the last attempt.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub logs: Vec<LogLine>,
    /// All attempts, oldest first; only where a dead letter is shown.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<Attempt>,
}

/// Why an attempt failed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Failure {
    /// The code.
    #[schema(value_type = String, example = "FN_004")]
    pub code: Code,
    /// What went wrong.
    pub message: String,
    /// The stack in the user's lines. Not in lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stack: Option<String>,
}

/// A line a function printed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LogLine {
    /// When.
    #[schema(schema_with = schemas::time)]
    pub time: Timestamp,
    /// How loud.
    #[schema(schema_with = schemas::level)]
    pub level: execution::Level,
    /// The text.
    pub message: String,
}

/// One try.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Attempt {
    /// 1, 2, 3, ...
    pub number: u32,
    /// `success`, `failed`, `timed_out` or `cancelled`.
    #[schema(schema_with = schemas::state)]
    pub status: State,
    /// The version of the function that ran.
    pub version: Option<u32>,
    /// When it began.
    #[schema(schema_with = schemas::time)]
    pub started_at: Timestamp,
    /// When it ended.
    #[schema(schema_with = schemas::time)]
    pub finished_at: Timestamp,
    /// How long it took.
    pub duration_ms: f64,
    /// Why it failed.
    pub error: Option<Failure>,
    /// What the function gave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schemas::any, required = false)]
    pub output: Option<Box<RawValue>>,
    /// What the function gave, where it is not text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_base64: Option<String>,
    /// What it printed.
    pub logs: Vec<LogLine>,
}

/// Why an execution is where it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Explanation {
    /// The execution.
    #[schema(value_type = String)]
    pub execution_id: ExecutionId,
    /// Its state.
    #[schema(schema_with = schemas::state)]
    pub status: State,
    /// One sentence.
    pub reason: String,
    /// The same for machines.
    pub detail: Value,
}

/// The answer to a call nobody waits for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ExecutionAccepted {
    /// The execution; durable.
    #[schema(value_type = String)]
    pub execution_id: ExecutionId,
}

impl Execution {
    /// The execution as lists show it: without what may be large.
    pub fn summary(view: &ExecutionView) -> Self {
        let ExecutionView { execution, trigger, function } = view;
        let last = execution.last.as_ref();
        let mut error = last.and_then(|attempt| failure(&attempt.outcome));
        if let Some(error) = &mut error {
            error.stack = None;
        }
        Self {
            id: execution.id,
            status: execution.state,
            event_id: execution.id.event,
            trigger_id: execution.id.trigger,
            trigger_name: trigger.as_ref().map(|trigger| trigger.name.clone()),
            trigger_type: trigger.as_ref().map(|trigger| trigger.kind.clone()),
            function: function.as_deref().map(str::to_owned),
            version: last.and_then(|attempt| version(attempt.version)),
            attempts: execution.attempts,
            is_test_run: execution.is_test_run,
            is_replay: execution.is_replay,
            is_edited: execution.is_edited,
            redirect: execution.redirect.clone(),
            cause: execution.cause.map(|cause| cause.to_string()),
            created_at: execution.id.event.made_at(),
            due_at: execution.due,
            started_at: last.map(|attempt| attempt.started_at),
            finished_at: last.map(|attempt| attempt.finished_at),
            duration_ms: last.map(duration_ms),
            order_key: execution.order_key.as_deref().map(str::to_owned),
            concurrency_key: execution.concurrency_key.as_deref().map(str::to_owned),
            error,
            input: None,
            input_base64: None,
            output: None,
            output_base64: None,
            logs: Vec::new(),
            history: Vec::new(),
        }
    }

    /// The whole execution, with what it gets if that is still there.
    pub fn whole(view: &ExecutionView, input: Option<&Data>) -> Self {
        let mut body = Self {
            input: input.and_then(payload::json),
            input_base64: input.and_then(payload::bytes),
            ..Self::summary(view)
        };
        if let Some(attempt) = &view.execution.last {
            body.error = failure(&attempt.outcome);
            body.logs = attempt.logs.iter().map(LogLine::from).collect();
            if let Outcome::Success(data) = &attempt.outcome {
                body.output = payload::json(data);
                body.output_base64 = payload::bytes(data);
            }
        }
        body
    }

    /// With all its attempts.
    #[must_use]
    pub fn with_history(mut self, attempts: &[evoke_model::Attempt]) -> Self {
        self.history = attempts.iter().map(Attempt::from).collect();
        self
    }
}

impl From<&evoke_model::Attempt> for Attempt {
    fn from(attempt: &evoke_model::Attempt) -> Self {
        let (status, output) = match &attempt.outcome {
            Outcome::Success(data) => (State::Success, Some(data)),
            Outcome::Failure(_) => (State::Failed, None),
            Outcome::TimedOut(_) => (State::TimedOut, None),
            Outcome::Cancelled => (State::Cancelled, None),
        };
        Self {
            number: attempt.number,
            status,
            version: version(attempt.version),
            started_at: attempt.started_at,
            finished_at: attempt.finished_at,
            duration_ms: duration_ms(attempt),
            error: failure(&attempt.outcome),
            output: output.and_then(payload::json),
            output_base64: output.and_then(payload::bytes),
            logs: attempt.logs.iter().map(LogLine::from).collect(),
        }
    }
}

impl From<&evoke_model::LogLine> for LogLine {
    fn from(line: &evoke_model::LogLine) -> Self {
        Self { time: line.time, level: line.level, message: line.message.clone() }
    }
}

impl From<&evoke_model::Failure> for Failure {
    fn from(failure: &evoke_model::Failure) -> Self {
        Self { code: failure.code, message: failure.message.clone(), stack: failure.stack.clone() }
    }
}

impl Explanation {
    /// The explanation of an execution.
    pub fn new(id: ExecutionId, explanation: record::Explanation) -> Self {
        let record::Explanation { state, reason, detail } = explanation;
        Self { execution_id: id, status: state, reason, detail }
    }
}

fn failure(outcome: &Outcome) -> Option<Failure> {
    match outcome {
        Outcome::Failure(failure) | Outcome::TimedOut(failure) => Some(failure.into()),
        Outcome::Success(_) | Outcome::Cancelled => None,
    }
}

/// Targets without versions have the number 0.
fn version(number: u32) -> Option<u32> {
    (number > 0).then_some(number)
}

fn duration_ms(attempt: &evoke_model::Attempt) -> f64 {
    attempt.finished_at.since(attempt.started_at).as_micros() as f64 / 1_000.0
}
