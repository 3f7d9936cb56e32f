//! Reading dead letters. They are few among many executions, so they have an index, by trigger; a
//! list over several triggers is merged from the newest of each.

use evoke_model::{Execution, TriggerId};
use evoke_ports::store::{ExecutionQuery, Order, Page};
use rusqlite::Connection;

use super::error::Error;
use super::{decode, executions};
use crate::page::{ExecutionPlace, Fits, Look, Pager, Range};

/// How many there are of each trigger.
pub(super) const COUNT: &str =
    "SELECT trigger_id, count(*) FROM executions WHERE state IN (3, 4) GROUP BY trigger_id";

/// The next trigger behind one that has any: a step instead of a walk over all of them.
pub(super) const NEXT_TRIGGER: &str = "SELECT trigger_id FROM executions \
     WHERE state IN (3, 4) AND trigger_id > ?1 ORDER BY trigger_id LIMIT 1";

pub(super) fn count(connection: &Connection) -> Result<Vec<(TriggerId, u64)>, Error> {
    let mut statement = connection.prepare_cached(COUNT)?;
    let rows = statement
        .query_map([], |row| Ok((decode::trigger_id(row.get(0)?), row.get::<_, i64>(1)? as u64)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Whether the query is for dead letters alone, and asks nothing that is not in their index.
pub(super) fn wanted(query: &ExecutionQuery) -> bool {
    !query.states.is_empty()
        && query.states.iter().all(|state| state.is_dead_letter())
        && query.is_test_run.is_none()
        && query.event.is_none()
}

/// The dead letters of one trigger in a range of events, from the index alone.
pub(super) fn list_sql(order: Order) -> String {
    let direction = match order {
        Order::NewestFirst => "DESC",
        Order::OldestFirst => "ASC",
    };
    format!(
        "SELECT event_id, trigger_id, state FROM executions \
         WHERE trigger_id = ?1 AND state IN (3, 4) AND event_id > ?2 AND event_id < ?3 \
         ORDER BY event_id {direction}"
    )
}

/// A page of dead letters.
pub(super) fn list(
    connection: &Connection,
    query: &ExecutionQuery,
    range: Range<ExecutionPlace>,
) -> Result<Page<Execution>, Error> {
    let mut pager = Pager::new(query.limit);
    let snapshot = connection.unchecked_transaction()?;
    let mut found = Vec::new();
    for trigger in triggers(&snapshot, query)? {
        // One more than the page holds tells whether there is a next one.
        collect(&snapshot, query, (trigger, range), pager.limit() + 1, &mut found)?;
    }
    found.sort_unstable();
    if query.order == Order::NewestFirst {
        found.reverse();
    }
    for place in found {
        match pager.look(place, Fits::Yes) {
            Look::Take => {
                if let Some(execution) = executions::one(&snapshot, place.id())? {
                    pager.push(execution);
                }
            }
            Look::Skip => {}
            Look::Stop => break,
        }
    }
    Ok(pager.finish())
}

fn triggers(connection: &Connection, query: &ExecutionQuery) -> Result<Vec<i64>, Error> {
    if !query.triggers.is_empty() {
        let mut wanted: Vec<i64> = query.triggers.iter().map(|id| id.as_u64() as i64).collect();
        wanted.sort_unstable();
        wanted.dedup();
        return Ok(wanted);
    }
    let mut statement = connection.prepare_cached(NEXT_TRIGGER)?;
    let mut triggers = Vec::new();
    loop {
        let last = triggers.last().copied().unwrap_or(-1);
        let mut rows = statement.query([last])?;
        match rows.next()? {
            Some(row) => triggers.push(row.get(0)?),
            None => return Ok(triggers),
        }
    }
}

fn collect(
    connection: &Connection,
    query: &ExecutionQuery,
    (trigger, range): (i64, Range<ExecutionPlace>),
    limit: usize,
    found: &mut Vec<ExecutionPlace>,
) -> Result<(), Error> {
    let Range { after, before } = range;
    // Within the event at an end of the range only the triggers on the inner side belong to it.
    let after = if trigger > after.1 { after.0 - 1 } else { after.0 };
    let before = if trigger < before.1 { before.0.saturating_add(1) } else { before.0 };
    let mut statement = connection.prepare_cached(&list_sql(query.order))?;
    let mut rows = statement.query([trigger, after, before])?;
    let end = found.len() + limit;
    while found.len() < end
        && let Some(row) = rows.next()?
    {
        let state = decode::execution_columns(row)?.state(2)?;
        if query.states.contains(&state) {
            found.push(decode::execution_place(row)?);
        }
    }
    Ok(())
}
