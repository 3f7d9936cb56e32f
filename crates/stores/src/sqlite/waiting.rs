//! Reading what a dispatcher wants: executions that wait, with their events.

use std::sync::Arc;

use evoke_model::{Data, Event, EventId, ExecutionId, Timestamp};
use evoke_ports::store::{Due, Waiting};
use rusqlite::{CachedStatement, Connection, Row, Rows, params};

use super::decode::{self, Columns, EVENT, Name, WAITING, WAITING_COLUMNS};
use super::error::Error;
use crate::page::ExecutionPlace;

/// The waiting executions of one trigger behind a place in its queue, with their events.
pub(super) fn due_sql() -> String {
    format!(
        "SELECT {WAITING}, {EVENT} \
         FROM executions AS e LEFT JOIN events ON events.id = e.event_id \
         WHERE e.trigger_id = ?1 AND e.state < 2 AND (e.due_at, e.event_id) > (?2, ?3) \
         AND e.due_at <= ?4 ORDER BY e.due_at, e.event_id LIMIT ?5"
    )
}

/// Those of one order key in a range of events, both ends excluded.
pub(super) fn due_by_key_sql() -> String {
    format!(
        "SELECT {WAITING}, {EVENT} \
         FROM executions AS e LEFT JOIN events ON events.id = e.event_id \
         WHERE e.trigger_id = ?1 AND e.order_key = ?2 AND e.state < 2 AND e.event_id > ?3 \
         AND e.event_id < ?4 ORDER BY e.event_id LIMIT ?5"
    )
}

pub(super) const EDITED: &str =
    "SELECT data_kind, data FROM edits WHERE event_id = ?1 AND trigger_id = ?2";

/// What waits, as a dispatcher reads on.
pub(super) fn due(connection: &Connection, query: &Due) -> Result<Vec<Waiting>, Error> {
    let trigger = query.trigger.as_u64() as i64;
    let event = query.after.map_or(-1, |(_, event)| event.as_u64() as i64);
    let Some(key) = query.order_key.as_deref() else {
        let queued = query.after.map_or(i64::MIN, |(queued, _)| queued.as_micros());
        let until = query.until.as_micros();
        let mut statement = connection.prepare_cached(&due_sql())?;
        let rows = statement.query(params![trigger, queued, event, until, query.limit])?;
        return collect(connection, rows);
    };
    let end = first_after(query.until).as_u64() as i64;
    let mut statement = connection.prepare_cached(&due_by_key_sql())?;
    let rows = statement.query(params![trigger, key, event, end, query.limit])?;
    collect(connection, rows)
}

/// The lowest event id that was made later than `instant`.
fn first_after(instant: Timestamp) -> EventId {
    EventId::first_at(Timestamp::from_micros(instant.as_micros().saturating_add(1)))
}

fn collect(connection: &Connection, mut rows: Rows<'_>) -> Result<Vec<Waiting>, Error> {
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(decode::waiting(row, event(connection, row)?)?);
    }
    Ok(found)
}

/// The event of a waiting execution, with other data where that was edited. The data is looked up
/// by itself: hardly any execution has been edited.
fn event(connection: &Connection, row: &Row<'_>) -> Result<Arc<Event>, Error> {
    let columns = decode::execution_columns(row)?;
    if row.get::<_, Option<i64>>(WAITING_COLUMNS)?.is_none() {
        return Err(columns.corrupt("its event is not in the log"));
    }
    let event = decode::event(row, WAITING_COLUMNS)?;
    if !decode::is_edited(row)? {
        return Ok(event);
    }
    match edited(connection, decode::execution_place(row)?.id())? {
        Some(data) => Ok(Arc::new(Event { data, ..Arc::unwrap_or_clone(event) })),
        None => Err(columns.corrupt("its edited data is not there")),
    }
}

/// The data an execution gets instead of its event's.
pub(super) fn edited(connection: &Connection, id: ExecutionId) -> Result<Option<Data>, Error> {
    let ExecutionPlace(event, trigger) = ExecutionPlace::of(id);
    let mut statement: CachedStatement<'_> = connection.prepare_cached(EDITED)?;
    let mut rows = statement.query([event, trigger])?;
    let Some(row) = rows.next()? else {
        return Ok(None);
    };
    Columns::new(row, "edits", Name::Execution(event, trigger), 0).data(0).map(Some)
}
