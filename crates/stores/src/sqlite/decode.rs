//! Rows become values. A row that makes no sense is an error that names it.

use std::sync::Arc;

use bytes::Bytes;
use evoke_model::{
    Attempt, Cause, Data, Event, EventId, Execution, ExecutionId, Outcome, Redirect, State,
    Timestamp, TriggerId,
};
use evoke_ports::store::{NewExecution, Order, Waiting};
use rusqlite::Row;
use rusqlite::types::ValueRef;
use serde::de::DeserializeOwned;

use super::error::Error;
use crate::page::ExecutionPlace;

/// What [`event`] reads, from column 0 of its range on.
pub(super) const EVENT: &str = "events.id, events.type, events.source, events.subject, \
     events.time, events.sender_id, events.content_type, events.data_schema, \
     events.ordering_key, events.traceparent, events.lineage, events.extensions, events.due_at, \
     events.is_test_run, events.replay_of, events.data_kind, events.data";

/// What [`execution`] reads.
pub(super) const EXECUTION: &str = "event_id, trigger_id, state, coalesce(not_before, due_at), \
     attempts, flags, order_key, concurrency_key, version, started_at, finished_at, outcome, \
     output_kind, output, error, logs, cause, redirect";

/// What an execution is, as its column has it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Flags(pub i64);

impl Flags {
    pub const TEST_RUN: i64 = 1;
    pub const REPLAY: i64 = 2;
    pub const EDITED: i64 = 4;

    /// Those of a new execution.
    pub const fn of(new: &NewExecution) -> Self {
        Self((new.is_test_run as i64 * Self::TEST_RUN) | (new.is_replay as i64 * Self::REPLAY))
    }

    pub const fn has(self, flag: i64) -> bool {
        self.0 & flag != 0
    }
}

/// What [`attempt`] reads, from column 0 of its range on.
pub(super) const ATTEMPT: &str =
    "number, version, started_at, finished_at, outcome, output_kind, output, error, logs";

/// The order of a list as SQL says it.
pub(super) const fn direction(order: Order) -> &'static str {
    match order {
        Order::NewestFirst => "DESC",
        Order::OldestFirst => "ASC",
    }
}

/// The columns of one row, with what it takes to name the row.
pub(super) struct Columns<'r> {
    row: &'r Row<'r>,
    table: &'static str,
    name: Name,
    first: usize,
}

/// How the row is called.
#[derive(Clone, Copy)]
pub(super) enum Name {
    Event(i64),
    Execution(i64, i64),
    Number(i64),
}

impl Name {
    fn text(self) -> String {
        match self {
            Self::Event(id) => EventId::from_u64(id as u64).to_string(),
            Self::Execution(event, trigger) => ExecutionPlace(event, trigger).id().to_string(),
            Self::Number(id) => id.to_string(),
        }
    }
}

impl<'r> Columns<'r> {
    /// The row of `table` called `name`, its column 0 at `first`.
    pub fn new(row: &'r Row<'r>, table: &'static str, name: Name, first: usize) -> Self {
        Self { row, table, name, first }
    }

    /// An error that says what is wrong with the row.
    pub fn corrupt(&self, what: impl std::fmt::Display) -> Error {
        Error::Corrupt { table: self.table, row: self.name.text(), what: what.to_string() }
    }

    fn value(&self, column: usize) -> Result<ValueRef<'r>, Error> {
        Ok(self.row.get_ref(self.first + column)?)
    }

    fn wrong(&self, column: usize, wanted: &str, found: ValueRef<'_>) -> Error {
        let found = found.data_type();
        match self.row.as_ref().column_name(self.first + column) {
            Ok(name) => self.corrupt(format_args!("{name} is {found}, not {wanted}")),
            Err(_) => self.corrupt(format_args!("column {column} is {found}, not {wanted}")),
        }
    }

    fn optional_int(&self, column: usize) -> Result<Option<i64>, Error> {
        match self.value(column)? {
            ValueRef::Null => Ok(None),
            ValueRef::Integer(number) => Ok(Some(number)),
            other => Err(self.wrong(column, "a number", other)),
        }
    }

    pub fn int(&self, column: usize) -> Result<i64, Error> {
        self.optional_int(column)?.ok_or_else(|| self.wrong(column, "a number", ValueRef::Null))
    }

    pub fn small<T: TryFrom<i64>>(&self, column: usize) -> Result<T, Error> {
        let number = self.int(column)?;
        T::try_from(number).map_err(|_| self.corrupt(format_args!("{number} is out of range")))
    }

    /// What an execution is.
    pub fn flags(&self, column: usize) -> Result<Flags, Error> {
        self.int(column).map(Flags)
    }

    /// A number that is not zero.
    fn flag(&self, column: usize) -> Result<bool, Error> {
        Ok(self.int(column)? != 0)
    }

    pub fn time(&self, column: usize) -> Result<Timestamp, Error> {
        self.int(column).map(Timestamp::from_micros)
    }

    /// Text that may be missing.
    pub fn optional_str(&self, column: usize) -> Result<Option<&'r str>, Error> {
        match self.value(column)? {
            ValueRef::Null => Ok(None),
            ValueRef::Text(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => Ok(Some(text)),
                Err(error) => Err(self.corrupt(error)),
            },
            other => Err(self.wrong(column, "text", other)),
        }
    }

    fn optional_text(&self, column: usize) -> Result<Option<Box<str>>, Error> {
        Ok(self.optional_str(column)?.map(Box::from))
    }

    /// Text that must be there.
    pub fn text(&self, column: usize) -> Result<&'r str, Error> {
        self.optional_str(column)?.ok_or_else(|| self.wrong(column, "text", ValueRef::Null))
    }

    fn optional_json<T: DeserializeOwned>(&self, column: usize) -> Result<Option<T>, Error> {
        match self.optional_str(column)? {
            None => Ok(None),
            Some(text) => serde_json::from_str(text).map(Some).map_err(|error| self.corrupt(error)),
        }
    }

    /// JSON that must be there.
    pub fn json<T: DeserializeOwned>(&self, column: usize) -> Result<T, Error> {
        let text = self.text(column)?;
        serde_json::from_str(text).map_err(|error| self.corrupt(error))
    }

    /// The payload whose kind is in one column and whose bytes are in the next.
    pub fn data(&self, column: usize) -> Result<Data, Error> {
        let kind = self.small::<u8>(column)?;
        match self.value(column + 1)? {
            ValueRef::Null if kind == Data::None.tag() => Ok(Data::None),
            ValueRef::Text(bytes) | ValueRef::Blob(bytes) => {
                Ok(Data::from_tag(kind, Bytes::copy_from_slice(bytes)))
            }
            other => Err(self.wrong(column + 1, "a payload", other)),
        }
    }

    /// The state of a number.
    pub fn state(&self, column: usize) -> Result<State, Error> {
        let number = self.small::<u8>(column)?;
        State::from_u8(number).ok_or_else(|| self.corrupt(format_args!("no state is {number}")))
    }

    /// The cause of a dead letter: its 64 bits, whatever number they make.
    pub fn cause(&self, column: usize) -> Result<Option<Cause>, Error> {
        Ok(self.optional_int(column)?.map(|bits| Cause(bits as u64)))
    }

    /// The columns of an attempt from `version` on.
    fn attempt(&self, number: u32, first: usize) -> Result<Attempt, Error> {
        let failure = || {
            self.optional_json(first + 6)?
                .ok_or_else(|| self.corrupt("a failed attempt without an error"))
        };
        let outcome = match self.state(first + 3)? {
            State::Success => Outcome::Success(self.data(first + 4)?),
            State::Failed => Outcome::Failure(failure()?),
            State::TimedOut => Outcome::TimedOut(failure()?),
            State::Cancelled => Outcome::Cancelled,
            other => {
                return Err(self.corrupt(format_args!("an attempt ended as {}", other.as_str())));
            }
        };
        Ok(Attempt {
            number,
            version: self.small(first)?,
            started_at: self.time(first + 1)?,
            finished_at: self.time(first + 2)?,
            outcome,
            logs: self.optional_json(first + 7)?.unwrap_or_default(),
        })
    }
}

/// The number an attempt's outcome is stored as: the state it would end an execution in.
pub(super) const fn outcome_state(outcome: &Outcome) -> State {
    match outcome {
        Outcome::Success(_) => State::Success,
        Outcome::Failure(_) => State::Failed,
        Outcome::TimedOut(_) => State::TimedOut,
        Outcome::Cancelled => State::Cancelled,
    }
}

/// The event in the columns [`EVENT`] from `first` on.
pub(super) fn event(row: &Row<'_>, first: usize) -> Result<Arc<Event>, Error> {
    let id = row.get::<_, i64>(first)?;
    let columns = Columns::new(row, "events", Name::Event(id), first);
    Ok(Arc::new(Event {
        id: EventId::from_u64(id as u64),
        kind: columns.text(1)?.into(),
        source: columns.text(2)?.into(),
        subject: columns.optional_text(3)?,
        time: columns.time(4)?,
        sender_id: columns.optional_text(5)?,
        content_type: columns.optional_text(6)?,
        data_schema: columns.optional_text(7)?,
        ordering_key: columns.optional_text(8)?,
        traceparent: columns.optional_text(9)?,
        lineage: columns.optional_json(10)?,
        extensions: columns.optional_json(11)?,
        due: columns.optional_int(12)?.map(Timestamp::from_micros),
        is_test_run: columns.flag(13)?,
        replay_of: columns.optional_int(14)?.map(|id| EventId::from_u64(id as u64)),
        data: columns.data(15)?,
    }))
}

/// The id in the first two columns of [`EXECUTION`].
pub(super) fn execution_place(row: &Row<'_>) -> Result<ExecutionPlace, Error> {
    Ok(ExecutionPlace(row.get(0)?, row.get(1)?))
}

/// The columns of an execution, the first two being its id.
pub(super) fn execution_columns<'r>(row: &'r Row<'r>) -> Result<Columns<'r>, Error> {
    let ExecutionPlace(event, trigger) = execution_place(row)?;
    Ok(Columns::new(row, "executions", Name::Execution(event, trigger), 0))
}

/// The execution in the columns [`EXECUTION`].
pub(super) fn execution(row: &Row<'_>) -> Result<Execution, Error> {
    let id = execution_place(row)?.id();
    let columns = execution_columns(row)?;
    let attempts = columns.small(4)?;
    let flags = columns.flags(5)?;
    let last = match columns.optional_int(10)? {
        Some(_) => Some(columns.attempt(attempts, 8)?),
        None => None,
    };
    Ok(Execution {
        id,
        state: columns.state(2)?,
        due: columns.time(3)?,
        attempts,
        is_test_run: flags.has(Flags::TEST_RUN),
        order_key: columns.optional_text(6)?,
        concurrency_key: columns.optional_text(7)?,
        last,
        is_replay: flags.has(Flags::REPLAY),
        cause: columns.cause(16)?,
        redirect: columns.optional_json(17)?,
        is_edited: flags.has(Flags::EDITED),
    })
}

/// The attempt of `id` in the columns [`ATTEMPT`].
pub(super) fn attempt(row: &Row<'_>, id: ExecutionId) -> Result<Attempt, Error> {
    let ExecutionPlace(event, trigger) = ExecutionPlace::of(id);
    let columns = Columns::new(row, "attempts", Name::Execution(event, trigger), 0);
    columns.attempt(columns.small(0)?, 1)
}

/// What [`waiting`] reads, of executions as `e`.
pub(super) const WAITING: &str = "e.event_id, e.trigger_id, coalesce(e.not_before, e.due_at), \
     e.due_at, e.attempts, e.order_key, e.concurrency_key, e.redirect, e.flags";

/// How many columns [`WAITING`] has.
pub(super) const WAITING_COLUMNS: usize = 9;

/// The waiting execution in the columns [`WAITING`], with its event.
pub(super) fn waiting(row: &Row<'_>, event: Arc<Event>) -> Result<Waiting, Error> {
    let columns = execution_columns(row)?;
    Ok(Waiting {
        id: execution_place(row)?.id(),
        due: columns.time(2)?,
        queued: columns.time(3)?,
        attempts: columns.small(4)?,
        order_key: columns.optional_text(5)?,
        concurrency_key: columns.optional_text(6)?,
        redirect: columns.optional_json::<Redirect>(7)?.map(Box::new),
        event,
    })
}

/// Whether the waiting execution in the columns [`WAITING`] gets other data than its event's.
pub(super) fn is_edited(row: &Row<'_>) -> Result<bool, Error> {
    Ok(execution_columns(row)?.flags(8)?.has(Flags::EDITED))
}

/// The number of a trigger as its id.
pub(super) fn trigger_id(number: i64) -> TriggerId {
    TriggerId::from_u64(number as u64)
}
