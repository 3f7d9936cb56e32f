//! Ends of attempts.

use evoke_model::{Attempt, Cause, Data, ExecutionId, Outcome, State};
use evoke_ports::store::{Finish, Next};
use rusqlite::{CachedStatement, OptionalExtension};

use super::{Apply, Changed, Payload, key};
use crate::sqlite::decode::outcome_state;
use crate::sqlite::error::Error;

/// The first attempt succeeded, gave nothing and printed nothing.
const PLAIN_SUCCESS: &str = "UPDATE executions SET state = 2, attempts = ?3, version = ?4, \
     started_at = ?5, finished_at = ?6, outcome = 2, output_kind = 0 \
     WHERE event_id = ?1 AND trigger_id = ?2 AND state < 2 AND finished_at IS NULL";
/// An attempt ended for good and the row holds no earlier one.
const END: &str = "UPDATE executions SET state = ?3, attempts = ?4, version = ?5, started_at = ?6, \
     finished_at = ?7, outcome = ?8, output_kind = ?9, output = ?10, error = ?11, logs = ?12 \
     WHERE event_id = ?1 AND trigger_id = ?2 AND state < 2 AND finished_at IS NULL";
/// The same, of a dead letter.
const BURY: &str = "UPDATE executions SET state = ?3, attempts = ?4, version = ?5, \
     started_at = ?6, finished_at = ?7, outcome = ?8, output_kind = ?9, output = ?10, error = ?11, \
     logs = ?12, cause = ?13 \
     WHERE event_id = ?1 AND trigger_id = ?2 AND state < 2 AND finished_at IS NULL";
/// An attempt ended, another follows, and the row holds no earlier one. With an order key the
/// execution keeps its place in the queue, which is when its event was accepted.
const RETRY: &str = "UPDATE executions SET state = ?3, attempts = ?4, version = ?5, \
     started_at = ?6, finished_at = ?7, outcome = ?8, output_kind = ?9, output = ?10, error = ?11, \
     logs = ?12, due_at = iif(order_key IS NULL, ?13, ?14), \
     not_before = iif(order_key IS NOT NULL AND ?13 > ?14, ?13, NULL) \
     WHERE event_id = ?1 AND trigger_id = ?2 AND state < 2 AND finished_at IS NULL";
/// Nothing ran, and nothing will.
const LEAVE: &str = "UPDATE executions SET state = ?3, cause = ?4 \
     WHERE event_id = ?1 AND trigger_id = ?2 AND state < 2";
/// Nothing ran, and something will later.
const PUT_OFF: &str = "UPDATE executions SET state = 0, due_at = iif(order_key IS NULL, ?3, ?4), \
     not_before = iif(order_key IS NOT NULL AND ?3 > ?4, ?3, NULL) \
     WHERE event_id = ?1 AND trigger_id = ?2 AND state < 2";
const LOOK: &str = "SELECT state, attempts FROM executions WHERE event_id = ?1 AND trigger_id = ?2";
const KEEP: &str = "INSERT INTO attempts (event_id, trigger_id, position, number, version, \
     started_at, finished_at, outcome, output_kind, output, error, logs) \
     SELECT event_id, trigger_id, \
     (SELECT coalesce(max(position), 0) + 1 FROM attempts \
     WHERE event_id = ?1 AND trigger_id = ?2), \
     attempts, version, started_at, finished_at, outcome, output_kind, output, error, logs \
     FROM executions WHERE event_id = ?1 AND trigger_id = ?2 AND finished_at IS NOT NULL";
const FORGET: &str = "UPDATE executions SET version = NULL, started_at = NULL, finished_at = NULL, \
     outcome = NULL, output_kind = NULL, output = NULL, error = NULL, logs = NULL \
     WHERE event_id = ?1 AND trigger_id = ?2";

impl Apply<'_> {
    pub(super) fn finish(&mut self, finish: &Finish) -> Result<Changed, Error> {
        let Some(attempt) = &finish.attempt else {
            return self.move_on(finish);
        };
        if self.try_end(finish, attempt)? == Changed::Yes {
            return Ok(Changed::Yes);
        }
        match self.look(finish.id)? {
            Some(found) if !found.is_final() => {
                self.keep_last(finish.id)?;
                self.try_end(finish, attempt)
            }
            _ => Ok(Changed::No),
        }
    }

    /// Ends an attempt in one update, unless the row is final or holds an earlier attempt.
    fn try_end(&mut self, finish: &Finish, attempt: &Attempt) -> Result<Changed, Error> {
        let id = finish.id;
        if is_plain_success(finish, attempt) {
            let statement = self.plain_success.get(self.connection, PLAIN_SUCCESS)?;
            bind_key(statement, id)?;
            statement.raw_bind_parameter(3, attempt.number)?;
            statement.raw_bind_parameter(4, attempt.version)?;
            statement.raw_bind_parameter(5, attempt.started_at.as_micros())?;
            statement.raw_bind_parameter(6, attempt.finished_at.as_micros())?;
            return Ok(statement.raw_execute()?.into());
        }
        let row = AttemptRow::of(attempt)?;
        let statement = match (&finish.next, finish.cause) {
            (Next::Done(state), None) => {
                let statement = self.end.get(self.connection, END)?;
                statement.raw_bind_parameter(3, *state as u8)?;
                statement
            }
            (Next::Done(state), Some(cause)) => {
                let statement = self.bury.get(self.connection, BURY)?;
                statement.raw_bind_parameter(3, *state as u8)?;
                statement.raw_bind_parameter(13, bits(cause))?;
                statement
            }
            (Next::Retry { due }, _) => {
                let statement = self.retry.get(self.connection, RETRY)?;
                statement.raw_bind_parameter(3, State::Pending as u8)?;
                statement.raw_bind_parameter(13, due.as_micros())?;
                statement.raw_bind_parameter(14, id.event.made_at().as_micros())?;
                statement
            }
        };
        bind_key(statement, id)?;
        bind_attempt(statement, &row)?;
        Ok(statement.raw_execute()?.into())
    }

    /// Changes the state of an execution for which nothing ran.
    fn move_on(&mut self, finish: &Finish) -> Result<Changed, Error> {
        let (event, trigger) = key(finish.id);
        let rows = match finish.next {
            Next::Done(state) => {
                let mut leave = self.connection.prepare_cached(LEAVE)?;
                leave.execute((event, trigger, state as u8, finish.cause.map(bits)))?
            }
            Next::Retry { due } => {
                let accepted = finish.id.event.made_at();
                let mut put_off = self.connection.prepare_cached(PUT_OFF)?;
                put_off.execute((event, trigger, due.as_micros(), accepted.as_micros()))?
            }
        };
        Ok(rows.into())
    }

    /// Moves the last attempt of an execution, if there is one, to the earlier ones.
    pub(super) fn keep_last(&mut self, id: ExecutionId) -> Result<(), Error> {
        if self.connection.prepare_cached(KEEP)?.execute(key(id))? > 0 {
            self.connection.prepare_cached(FORGET)?.execute(key(id))?;
        }
        Ok(())
    }

    /// The state of an execution and how many attempts it counts.
    pub(super) fn look(&mut self, id: ExecutionId) -> Result<Option<Standing>, Error> {
        let mut statement = self.connection.prepare_cached(LOOK)?;
        let row = statement.query_row(key(id), |row| Ok((row.get::<_, u8>(0)?, row.get(1)?)));
        let Some((state, attempts)) = row.optional()? else {
            return Ok(None);
        };
        match State::from_u8(state) {
            Some(state) => Ok(Some(Standing { state, attempts })),
            None => Err(Error::Corrupt {
                table: "executions",
                row: id.to_string(),
                what: format!("no state is {state}"),
            }),
        }
    }
}

/// How an execution stands.
pub(super) struct Standing {
    state: State,
    pub attempts: u32,
}

impl Standing {
    pub fn is_final(&self) -> bool {
        self.state.is_final()
    }
}

fn is_plain_success(finish: &Finish, attempt: &Attempt) -> bool {
    finish.next == Next::Done(State::Success)
        && finish.cause.is_none()
        && matches!(attempt.outcome, Outcome::Success(Data::None))
        && attempt.logs.is_empty()
}

/// A cause as SQLite keeps it: the same 64 bits, with a sign.
pub(super) const fn bits(cause: Cause) -> i64 {
    cause.0 as i64
}

fn bind_key(statement: &mut CachedStatement<'_>, id: ExecutionId) -> Result<(), Error> {
    let (event, trigger) = key(id);
    statement.raw_bind_parameter(1, event)?;
    statement.raw_bind_parameter(2, trigger)?;
    Ok(())
}

/// An attempt with its texts made.
pub(super) struct AttemptRow<'a> {
    attempt: &'a Attempt,
    output: Option<&'a Data>,
    error: Option<String>,
    logs: Option<String>,
}

impl<'a> AttemptRow<'a> {
    pub fn of(attempt: &'a Attempt) -> Result<Self, Error> {
        let (output, error) = match &attempt.outcome {
            Outcome::Success(data) => (Some(data), None),
            Outcome::Failure(failure) | Outcome::TimedOut(failure) => {
                (None, Some(serde_json::to_string(failure)?))
            }
            Outcome::Cancelled => (None, None),
        };
        let has_logs = !attempt.logs.is_empty();
        let logs = has_logs.then(|| serde_json::to_string(&attempt.logs)).transpose()?;
        Ok(Self { attempt, output, error, logs })
    }
}

/// Binds an attempt to the parameters 4 to 12.
pub(super) fn bind_attempt(
    statement: &mut CachedStatement<'_>,
    row: &AttemptRow<'_>,
) -> Result<(), Error> {
    statement.raw_bind_parameter(4, row.attempt.number)?;
    statement.raw_bind_parameter(5, row.attempt.version)?;
    statement.raw_bind_parameter(6, row.attempt.started_at.as_micros())?;
    statement.raw_bind_parameter(7, row.attempt.finished_at.as_micros())?;
    statement.raw_bind_parameter(8, outcome_state(&row.attempt.outcome) as u8)?;
    statement.raw_bind_parameter(9, row.output.map(Data::tag))?;
    statement.raw_bind_parameter(10, row.output.map(Payload))?;
    statement.raw_bind_parameter(11, row.error.as_deref())?;
    statement.raw_bind_parameter(12, row.logs.as_deref())?;
    Ok(())
}
