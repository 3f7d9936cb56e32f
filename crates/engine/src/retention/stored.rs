//! The shapes of events and executions in a segment, version 1. They are of their own so that the
//! words of the house may change without a change of what lies on disks; a field more is a new
//! version beside this one.

use std::sync::Arc;

use bytes::Bytes;
use evoke_model::event::{Attribute, Extensions};
use evoke_model::execution::{Level, RetryHint};
use evoke_model::{
    Attempt, Cause, Code, Data, Event, EventId, Execution, ExecutionId, Failure, Lineage, LogLine,
    Millis, Outcome, Redirect, State, Timestamp, TriggerId,
};
use serde::{Deserialize, Serialize};

use super::segment::{Archived, Unreadable};

#[derive(Serialize, Deserialize)]
struct StoredData {
    tag: u8,
    bytes: Bytes,
}

#[derive(Serialize, Deserialize)]
enum StoredAttribute {
    Bool(bool),
    Int(i32),
    Text(Box<str>),
}

#[derive(Serialize, Deserialize)]
struct StoredLineage {
    root: Option<u64>,
    cause: Option<(u64, u64)>,
    depth: u16,
    chain: Vec<u64>,
}

/// An event in a segment.
#[derive(Serialize, Deserialize)]
pub(super) struct StoredEvent {
    id: u64,
    sender_id: Option<Box<str>>,
    source: Box<str>,
    kind: Box<str>,
    subject: Option<Box<str>>,
    time: i64,
    content_type: Option<Box<str>>,
    data_schema: Option<Box<str>>,
    data: StoredData,
    extensions: Option<Vec<(Box<str>, StoredAttribute)>>,
    lineage: Option<StoredLineage>,
    traceparent: Option<Box<str>>,
    ordering_key: Option<Box<str>>,
    due: Option<i64>,
    is_test_run: bool,
    replay_of: Option<u64>,
}

#[derive(Serialize, Deserialize)]
struct StoredLine {
    time: i64,
    level: u8,
    message: String,
}

#[derive(Serialize, Deserialize)]
enum StoredRetry {
    Policy,
    After(u64),
    Never,
    Elsewhere,
}

#[derive(Serialize, Deserialize)]
struct StoredFailure {
    code: String,
    message: String,
    stack: Option<String>,
    retry: StoredRetry,
}

#[derive(Serialize, Deserialize)]
enum StoredOutcome {
    Success(StoredData),
    Failure(StoredFailure),
    TimedOut(StoredFailure),
    Cancelled,
}

#[derive(Serialize, Deserialize)]
struct StoredAttempt {
    number: u32,
    started_at: i64,
    finished_at: i64,
    outcome: StoredOutcome,
    logs: Vec<StoredLine>,
    version: u32,
}

/// The last attempt of an execution, which nearly always is the last of its attempts.
#[derive(Serialize, Deserialize)]
enum StoredLast {
    None,
    OfAttempts,
    Other(StoredAttempt),
}

/// An execution in a segment.
#[derive(Serialize, Deserialize)]
pub(super) struct StoredExecution {
    event: u64,
    trigger: u64,
    state: u8,
    due: i64,
    attempts: u32,
    order_key: Option<Box<str>>,
    concurrency_key: Option<Box<str>>,
    history: Vec<StoredAttempt>,
    last: StoredLast,
    is_test_run: bool,
    is_replay: bool,
    cause: Option<u64>,
    redirect: Option<(Box<str>, Option<u32>)>,
    is_edited: bool,
    edited: Option<StoredData>,
}

impl From<&Data> for StoredData {
    fn from(data: &Data) -> Self {
        let bytes = match data {
            Data::None => Bytes::new(),
            Data::Json(bytes) | Data::Text(bytes) | Data::Binary(bytes) => bytes.clone(),
        };
        Self { tag: data.tag(), bytes }
    }
}

impl From<StoredData> for Data {
    fn from(stored: StoredData) -> Self {
        Self::from_tag(stored.tag, stored.bytes)
    }
}

impl From<&Attribute> for StoredAttribute {
    fn from(attribute: &Attribute) -> Self {
        match attribute {
            Attribute::Bool(flag) => Self::Bool(*flag),
            Attribute::Int(number) => Self::Int(*number),
            Attribute::Text(text) => Self::Text(text.clone()),
        }
    }
}

impl From<StoredAttribute> for Attribute {
    fn from(stored: StoredAttribute) -> Self {
        match stored {
            StoredAttribute::Bool(flag) => Self::Bool(flag),
            StoredAttribute::Int(number) => Self::Int(number),
            StoredAttribute::Text(text) => Self::Text(text),
        }
    }
}

fn pair(id: ExecutionId) -> (u64, u64) {
    (id.event.as_u64(), id.trigger.as_u64())
}

fn unpair((event, trigger): (u64, u64)) -> ExecutionId {
    ExecutionId { event: EventId::from_u64(event), trigger: TriggerId::from_u64(trigger) }
}

impl From<&Lineage> for StoredLineage {
    fn from(lineage: &Lineage) -> Self {
        Self {
            root: lineage.root.map(EventId::as_u64),
            cause: lineage.cause.map(pair),
            depth: lineage.depth,
            chain: lineage.chain.iter().map(|id| id.as_u64()).collect(),
        }
    }
}

impl From<StoredLineage> for Lineage {
    fn from(stored: StoredLineage) -> Self {
        Self {
            root: stored.root.map(EventId::from_u64),
            cause: stored.cause.map(unpair),
            depth: stored.depth,
            chain: stored.chain.into_iter().map(TriggerId::from_u64).collect(),
        }
    }
}

impl From<&Event> for StoredEvent {
    fn from(event: &Event) -> Self {
        let extensions = event.extensions.as_ref().map(|extensions| {
            extensions.iter().map(|(name, value)| (name.clone(), value.into())).collect()
        });
        Self {
            id: event.id.as_u64(),
            sender_id: event.sender_id.clone(),
            source: event.source.clone(),
            kind: event.kind.clone(),
            subject: event.subject.clone(),
            time: event.time.as_micros(),
            content_type: event.content_type.clone(),
            data_schema: event.data_schema.clone(),
            data: (&event.data).into(),
            extensions,
            lineage: event.lineage.as_deref().map(Into::into),
            traceparent: event.traceparent.clone(),
            ordering_key: event.ordering_key.clone(),
            due: event.due.map(Timestamp::as_micros),
            is_test_run: event.is_test_run,
            replay_of: event.replay_of.map(EventId::as_u64),
        }
    }
}

impl From<StoredEvent> for Event {
    fn from(stored: StoredEvent) -> Self {
        let extensions = stored.extensions.map(|extensions| {
            let pairs = extensions.into_iter().map(|(name, value)| (name, value.into()));
            Box::new(pairs.collect::<Extensions>())
        });
        Self {
            id: EventId::from_u64(stored.id),
            sender_id: stored.sender_id,
            source: stored.source,
            kind: stored.kind,
            subject: stored.subject,
            time: Timestamp::from_micros(stored.time),
            content_type: stored.content_type,
            data_schema: stored.data_schema,
            data: stored.data.into(),
            extensions,
            lineage: stored.lineage.map(|lineage| Box::new(lineage.into())),
            traceparent: stored.traceparent,
            ordering_key: stored.ordering_key,
            due: stored.due.map(Timestamp::from_micros),
            is_test_run: stored.is_test_run,
            replay_of: stored.replay_of.map(EventId::from_u64),
        }
    }
}

const LEVELS: [Level; 4] = [Level::Debug, Level::Info, Level::Warn, Level::Error];

impl From<&LogLine> for StoredLine {
    fn from(line: &LogLine) -> Self {
        let level = match line.level {
            Level::Debug => 0,
            Level::Info => 1,
            Level::Warn => 2,
            Level::Error => 3,
        };
        Self { time: line.time.as_micros(), level, message: line.message.clone() }
    }
}

impl TryFrom<StoredLine> for LogLine {
    type Error = Unreadable;
    fn try_from(stored: StoredLine) -> Result<Self, Unreadable> {
        let level = LEVELS.get(usize::from(stored.level)).copied();
        Ok(Self {
            time: Timestamp::from_micros(stored.time),
            level: level.ok_or_else(|| Unreadable::word("level", stored.level))?,
            message: stored.message,
        })
    }
}

impl From<&Failure> for StoredFailure {
    fn from(failure: &Failure) -> Self {
        Self {
            code: failure.code.as_str().to_owned(),
            message: failure.message.clone(),
            stack: failure.stack.clone(),
            retry: match failure.retry {
                RetryHint::Policy => StoredRetry::Policy,
                RetryHint::After(wait) => StoredRetry::After(wait.as_u64()),
                RetryHint::Never => StoredRetry::Never,
                RetryHint::Elsewhere => StoredRetry::Elsewhere,
            },
        }
    }
}

impl TryFrom<StoredFailure> for Failure {
    type Error = Unreadable;
    fn try_from(stored: StoredFailure) -> Result<Self, Unreadable> {
        let code = stored.code.parse::<Code>();
        Ok(Self {
            code: code.map_err(|()| Unreadable::word("error code", &stored.code))?,
            message: stored.message,
            stack: stored.stack,
            retry: match stored.retry {
                StoredRetry::Policy => RetryHint::Policy,
                StoredRetry::After(wait) => RetryHint::After(Millis::new(wait)),
                StoredRetry::Never => RetryHint::Never,
                StoredRetry::Elsewhere => RetryHint::Elsewhere,
            },
        })
    }
}

impl From<&Attempt> for StoredAttempt {
    fn from(attempt: &Attempt) -> Self {
        Self {
            number: attempt.number,
            started_at: attempt.started_at.as_micros(),
            finished_at: attempt.finished_at.as_micros(),
            outcome: match &attempt.outcome {
                Outcome::Success(data) => StoredOutcome::Success(data.into()),
                Outcome::Failure(failure) => StoredOutcome::Failure(failure.into()),
                Outcome::TimedOut(failure) => StoredOutcome::TimedOut(failure.into()),
                Outcome::Cancelled => StoredOutcome::Cancelled,
            },
            logs: attempt.logs.iter().map(Into::into).collect(),
            version: attempt.version,
        }
    }
}

impl TryFrom<StoredAttempt> for Attempt {
    type Error = Unreadable;
    fn try_from(stored: StoredAttempt) -> Result<Self, Unreadable> {
        Ok(Self {
            number: stored.number,
            started_at: Timestamp::from_micros(stored.started_at),
            finished_at: Timestamp::from_micros(stored.finished_at),
            outcome: match stored.outcome {
                StoredOutcome::Success(data) => Outcome::Success(data.into()),
                StoredOutcome::Failure(failure) => Outcome::Failure(failure.try_into()?),
                StoredOutcome::TimedOut(failure) => Outcome::TimedOut(failure.try_into()?),
                StoredOutcome::Cancelled => Outcome::Cancelled,
            },
            logs: stored.logs.into_iter().map(TryInto::try_into).collect::<Result<_, _>>()?,
            version: stored.version,
        })
    }
}

impl From<&Archived> for StoredExecution {
    fn from(archived: &Archived) -> Self {
        let Archived { execution, attempts, edited } = archived;
        let last = match &execution.last {
            None => StoredLast::None,
            last if last.as_ref() == attempts.last() => StoredLast::OfAttempts,
            Some(other) => StoredLast::Other(other.into()),
        };
        let (event, trigger) = pair(execution.id);
        let redirect = execution.redirect.as_ref();
        Self {
            event,
            trigger,
            state: execution.state as u8,
            due: execution.due.as_micros(),
            attempts: execution.attempts,
            order_key: execution.order_key.clone(),
            concurrency_key: execution.concurrency_key.clone(),
            history: attempts.iter().map(Into::into).collect(),
            last,
            is_test_run: execution.is_test_run,
            is_replay: execution.is_replay,
            cause: execution.cause.map(|cause| cause.0),
            redirect: redirect.map(|redirect| (redirect.function.clone(), redirect.version)),
            is_edited: execution.is_edited,
            edited: edited.as_ref().map(Into::into),
        }
    }
}

impl TryFrom<StoredExecution> for Archived {
    type Error = Unreadable;
    fn try_from(stored: StoredExecution) -> Result<Self, Unreadable> {
        let attempts: Vec<Attempt> =
            stored.history.into_iter().map(TryInto::try_into).collect::<Result<_, _>>()?;
        let last = match stored.last {
            StoredLast::None => None,
            StoredLast::OfAttempts => attempts.last().cloned(),
            StoredLast::Other(other) => Some(other.try_into()?),
        };
        let state = State::from_u8(stored.state);
        let execution = Execution {
            id: unpair((stored.event, stored.trigger)),
            state: state.ok_or_else(|| Unreadable::word("state", stored.state))?,
            due: Timestamp::from_micros(stored.due),
            attempts: stored.attempts,
            order_key: stored.order_key,
            concurrency_key: stored.concurrency_key,
            last,
            is_test_run: stored.is_test_run,
            is_replay: stored.is_replay,
            cause: stored.cause.map(Cause),
            redirect: stored.redirect.map(|(function, version)| Redirect { function, version }),
            is_edited: stored.is_edited,
        };
        Ok(Self { execution, attempts, edited: stored.edited.map(Into::into) })
    }
}

/// Events as they are stored.
pub(super) fn store_events(events: &[Arc<Event>]) -> Vec<StoredEvent> {
    events.iter().map(|event| StoredEvent::from(&**event)).collect()
}

/// Executions as they are stored.
pub(super) fn store_executions(executions: &[Arc<Archived>]) -> Vec<StoredExecution> {
    executions.iter().map(|archived| StoredExecution::from(&**archived)).collect()
}
