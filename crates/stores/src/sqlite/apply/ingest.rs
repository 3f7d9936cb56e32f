//! New events and their executions.

use evoke_model::{Attempt, Event, EventId, ExecutionId, State, Timestamp};
use evoke_ports::store::{Ingest, NewExecution, Receipt};
use rusqlite::{CachedStatement, ErrorCode};

use super::finish::{AttemptRow, bind_attempt};
use super::{Apply, Changed, Payload, number};
use crate::once::{self, Claim, Ledger, Refused};
use crate::sqlite::decode::Flags;
use crate::sqlite::error::Error;

const PLAIN_EVENT: &str =
    "INSERT INTO events (id, type, source, time, data_kind, data) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
const EVENT: &str = "INSERT INTO events (id, type, source, time, data_kind, data, subject, \
     sender_id, content_type, data_schema, ordering_key, traceparent, lineage, extensions, due_at, \
     is_test_run, root_id, replay_of) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, \
     ?13, ?14, ?15, ?16, ?17, ?18)";
// An execution that is there already, in whatever state, is the one of its event and trigger.
const PLAIN_EXECUTION: &str = "INSERT INTO executions (event_id, trigger_id, due_at) \
     VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";
const EXECUTION: &str = "INSERT INTO executions (event_id, trigger_id, state, attempts, version, \
     started_at, finished_at, outcome, output_kind, output, error, logs, due_at, order_key, \
     concurrency_key, flags, not_before, redirect) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18) \
     ON CONFLICT DO NOTHING";

const STANDING: &str = "SELECT event_id FROM once_keys WHERE key = ?1 AND expires_at > ?2";
const TAKE: &str = "INSERT INTO once_keys (key, event_id, expires_at) VALUES (?1, ?2, ?3) \
     ON CONFLICT DO UPDATE SET event_id = excluded.event_id, expires_at = excluded.expires_at \
     WHERE expires_at <= ?4";

impl Apply<'_> {
    pub(super) fn ingest(&mut self, ingest: &Ingest) -> Result<Receipt, Error> {
        let duplicates = once::duplicates(ingest, self)?;
        let left_out: Vec<EventId> =
            duplicates.iter().map(|(index, _)| ingest.events[*index].id).collect();
        for event in &ingest.events {
            if !left_out.contains(&event.id) {
                self.insert_event(event)?;
            }
        }
        let mut skipped: Vec<ExecutionId> = Vec::new();
        for new in &ingest.executions {
            if left_out.contains(&new.id.event) {
                continue;
            }
            let is_skipped = once::is_skipped(new, self)?;
            let done = match new.once.as_deref() {
                Some(once) if is_skipped => Some(&once.skipped),
                _ => new.done.as_deref(),
            };
            if self.insert_execution(new, done)? == Changed::Yes && is_skipped {
                skipped.push(new.id);
            }
        }
        Ok(Receipt::Ingested { duplicates, skipped })
    }

    fn insert_event(&mut self, event: &Event) -> Result<(), Error> {
        let statement = if is_plain(event) {
            let statement = self.plain_event.get(self.connection, PLAIN_EVENT)?;
            bind_plain_event(statement, event)?;
            statement
        } else {
            let statement = self.event.get(self.connection, EVENT)?;
            bind_plain_event(statement, event)?;
            bind_rest_of_event(statement, event)?;
            statement
        };
        match statement.raw_execute() {
            Ok(_) => Ok(()),
            Err(rusqlite::Error::SqliteFailure(failure, _))
                if failure.code == ErrorCode::ConstraintViolation =>
            {
                Err(Refused::EventTwice(event.id).into())
            }
            Err(error) => Err(error.into()),
        }
    }

    fn insert_execution(
        &mut self,
        new: &NewExecution,
        done: Option<&(State, Attempt)>,
    ) -> Result<Changed, Error> {
        if done.is_none() && is_plain_execution(new) {
            let (event, trigger) = super::key(new.id);
            let statement = self.plain_execution.get(self.connection, PLAIN_EXECUTION)?;
            statement.raw_bind_parameter(1, event)?;
            statement.raw_bind_parameter(2, trigger)?;
            statement.raw_bind_parameter(3, new.due.as_micros())?;
            return Ok(statement.raw_execute()?.into());
        }
        let statement = self.execution.get(self.connection, EXECUTION)?;
        match done {
            Some((state, attempt)) => bind_done(statement, *state, attempt)?,
            None => bind_pending(statement)?,
        }
        bind_execution(statement, new)?;
        Ok(statement.raw_execute()?.into())
    }
}

/// Whether there is nothing about the execution but what every execution has.
fn is_plain_execution(new: &NewExecution) -> bool {
    new.order_key.is_none()
        && new.concurrency_key.is_none()
        && new.redirect.is_none()
        && !new.is_test_run
        && !new.is_replay
}

fn bind_execution(statement: &mut CachedStatement<'_>, new: &NewExecution) -> Result<(), Error> {
    let (event, trigger) = super::key(new.id);
    let (queued, not_before) = match new.order_key {
        Some(_) => {
            let accepted = new.id.event.made_at();
            (accepted, Some(new.due).filter(|due| *due > accepted))
        }
        None => (new.due, None),
    };
    let redirect = new.redirect.as_deref().map(serde_json::to_string).transpose()?;
    statement.raw_bind_parameter(1, event)?;
    statement.raw_bind_parameter(2, trigger)?;
    statement.raw_bind_parameter(13, queued.as_micros())?;
    statement.raw_bind_parameter(14, new.order_key.as_deref())?;
    statement.raw_bind_parameter(15, new.concurrency_key.as_deref())?;
    statement.raw_bind_parameter(16, Flags::of(new).0)?;
    statement.raw_bind_parameter(17, not_before.map(Timestamp::as_micros))?;
    statement.raw_bind_parameter(18, redirect)?;
    Ok(())
}

/// Whether there is nothing about the event but what every event has.
fn is_plain(event: &Event) -> bool {
    event.subject.is_none()
        && event.sender_id.is_none()
        && event.content_type.is_none()
        && event.data_schema.is_none()
        && event.ordering_key.is_none()
        && event.traceparent.is_none()
        && event.lineage.is_none()
        && event.extensions.is_none()
        && event.due.is_none()
        && !event.is_test_run
        && event.replay_of.is_none()
}

fn bind_plain_event(statement: &mut CachedStatement<'_>, event: &Event) -> Result<(), Error> {
    statement.raw_bind_parameter(1, number(event.id.as_u64()))?;
    statement.raw_bind_parameter(2, &*event.kind)?;
    statement.raw_bind_parameter(3, &*event.source)?;
    statement.raw_bind_parameter(4, event.time.as_micros())?;
    statement.raw_bind_parameter(5, event.data.tag())?;
    statement.raw_bind_parameter(6, Payload(&event.data))?;
    Ok(())
}

fn bind_rest_of_event(statement: &mut CachedStatement<'_>, event: &Event) -> Result<(), Error> {
    let lineage = event.lineage.as_ref().map(serde_json::to_string).transpose()?;
    let extensions = event.extensions.as_ref().map(serde_json::to_string).transpose()?;
    statement.raw_bind_parameter(7, event.subject.as_deref())?;
    statement.raw_bind_parameter(8, event.sender_id.as_deref())?;
    statement.raw_bind_parameter(9, event.content_type.as_deref())?;
    statement.raw_bind_parameter(10, event.data_schema.as_deref())?;
    statement.raw_bind_parameter(11, event.ordering_key.as_deref())?;
    statement.raw_bind_parameter(12, event.traceparent.as_deref())?;
    statement.raw_bind_parameter(13, lineage)?;
    statement.raw_bind_parameter(14, extensions)?;
    statement.raw_bind_parameter(15, event.due.map(Timestamp::as_micros))?;
    statement.raw_bind_parameter(16, event.is_test_run)?;
    let root = event.lineage.as_ref().and_then(|lineage| lineage.root);
    statement.raw_bind_parameter(17, root.map(|id| number(id.as_u64())))?;
    statement.raw_bind_parameter(18, event.replay_of.map(|id| number(id.as_u64())))?;
    Ok(())
}

fn bind_done(
    statement: &mut CachedStatement<'_>,
    state: State,
    attempt: &Attempt,
) -> Result<(), Error> {
    statement.raw_bind_parameter(3, state as u8)?;
    bind_attempt(statement, &AttemptRow::of(attempt)?)
}

fn bind_pending(statement: &mut CachedStatement<'_>) -> Result<(), Error> {
    statement.clear_bindings();
    statement.raw_bind_parameter(3, State::Pending as u8)?;
    statement.raw_bind_parameter(4, 0)?;
    Ok(())
}

impl Ledger for Apply<'_> {
    type Error = Error;

    fn standing(&mut self, key: &str, now: Timestamp) -> Result<Option<EventId>, Error> {
        let mut statement = self.connection.prepare_cached(STANDING)?;
        let mut rows = statement.query((key.as_bytes(), now.as_micros()))?;
        match rows.next()? {
            Some(row) => Ok(Some(EventId::from_u64(row.get::<_, i64>(0)? as u64))),
            None => Ok(None),
        }
    }

    fn take(&mut self, claim: Claim<'_>) -> Result<Option<EventId>, Error> {
        let now = claim.event.made_at();
        let taken = self.connection.prepare_cached(TAKE)?.execute((
            claim.key.as_bytes(),
            number(claim.event.as_u64()),
            claim.expires.as_micros(),
            now.as_micros(),
        ))?;
        if taken == 0 { self.standing(claim.key, now) } else { Ok(None) }
    }
}
