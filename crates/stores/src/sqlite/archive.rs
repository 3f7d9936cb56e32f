//! Reading the archive, and what is old enough for it.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use async_trait::async_trait;
use bytes::Bytes;
use evoke_model::{EventId, Execution, SegmentId};
use evoke_ports::store::{Archive, Error, Holds, Ripe, SegmentInfo, SegmentQuery, Size, Whole};
use rusqlite::{Connection, OptionalExtension, Row};

use super::decode::{self, ATTEMPT, Columns, EVENT, EXECUTION, Name};
use super::error;
use super::pool::Pool;
use crate::page::ExecutionPlace;

#[async_trait]
impl Archive for Pool {
    async fn ripe(&self, query: Ripe) -> Result<Vec<Whole>, Error> {
        self.read("read what is old", move |connection| ripe(connection, &query)).await
    }

    async fn segments(&self, query: SegmentQuery) -> Result<Vec<SegmentInfo>, Error> {
        self.read("list the archive", move |connection| segments(connection, &query)).await
    }

    async fn segment(&self, id: SegmentId) -> Result<Option<Bytes>, Error> {
        self.read("read from the archive", move |connection| {
            let mut statement = connection.prepare_cached(CONTENT)?;
            let content = statement.query_row([id.as_u64() as i64], |row| row.get::<_, Vec<u8>>(0));
            Ok(content.optional()?.map(Bytes::from))
        })
        .await
    }

    async fn size(&self) -> Result<Size, Error> {
        self.read("measure the file", size).await
    }

    async fn count_events(&self) -> Result<Option<u64>, Error> {
        self.read("count the events", |connection| {
            let mut statement = connection.prepare_cached("SELECT count(*) FROM events")?;
            Ok(Some(statement.query_row([], |row| row.get::<_, i64>(0))? as u64))
        })
        .await
    }
}

/// The last event of the first of a range, at most so many, and of what is left of events there.
pub(super) const LAST_RIPE: &str = "SELECT max(id) FROM (\
     SELECT id FROM events WHERE id > ?1 AND id < ?2 \
     UNION SELECT event_id FROM executions WHERE event_id > ?1 AND event_id < ?2 \
     ORDER BY 1 LIMIT ?3)";

pub(super) fn ripe_events_sql() -> String {
    format!("SELECT {EVENT} FROM events WHERE id > ?1 AND id <= ?2 ORDER BY id")
}

pub(super) fn ripe_executions_sql() -> String {
    format!(
        "SELECT {EXECUTION} FROM executions WHERE event_id > ?1 AND event_id <= ?2 \
         ORDER BY event_id, trigger_id"
    )
}

/// The attempt first, because [`decode::attempt`] reads from column 0.
pub(super) fn ripe_attempts_sql() -> String {
    format!(
        "SELECT {ATTEMPT}, event_id, trigger_id FROM attempts \
         WHERE event_id > ?1 AND event_id <= ?2 ORDER BY event_id, trigger_id, position"
    )
}

fn ripe(connection: &Connection, query: &Ripe) -> Result<Vec<Whole>, error::Error> {
    let snapshot = connection.unchecked_transaction()?;
    let after = query.after.as_u64() as i64;
    let before = EventId::first_at(query.before).as_u64() as i64;
    let last = snapshot
        .prepare_cached(LAST_RIPE)?
        .query_row((after, before, query.limit), |row| row.get::<_, Option<i64>>(0))?;
    let Some(last) = last else {
        return Ok(Vec::new());
    };
    let mut found = BTreeMap::new();
    add_events(&snapshot, (after, last), &mut found)?;
    add_executions(&snapshot, (after, last), &mut found)?;
    Ok(found.into_values().collect())
}

type Found = BTreeMap<i64, Whole>;

fn add_events(
    connection: &Connection,
    (after, last): (i64, i64),
    found: &mut Found,
) -> Result<(), error::Error> {
    let mut statement = connection.prepare_cached(&ripe_events_sql())?;
    let mut rows = statement.query([after, last])?;
    while let Some(row) = rows.next()? {
        let event = decode::event(row, 0)?;
        let whole = Whole { id: event.id, event: Some(event), executions: Vec::new() };
        found.insert(whole.id.as_u64() as i64, whole);
    }
    Ok(())
}

/// Both come in the order of the executions, so that the attempts of one are found by going on.
fn add_executions(
    connection: &Connection,
    (after, last): (i64, i64),
    found: &mut Found,
) -> Result<(), error::Error> {
    const PLACE: usize = 9;
    let place =
        |row: &Row<'_>| Ok::<_, error::Error>(ExecutionPlace(row.get(PLACE)?, row.get(PLACE + 1)?));
    let mut statement = connection.prepare_cached(&ripe_executions_sql())?;
    let mut executions = statement.query([after, last])?;
    let mut statement = connection.prepare_cached(&ripe_attempts_sql())?;
    let mut attempts = statement.query([after, last])?;
    let mut next = attempts.next()?;
    while let Some(row) = executions.next()? {
        let execution = decode::execution(row)?;
        let mut made = Vec::new();
        while let Some(row) = next
            && place(row)? <= ExecutionPlace::of(execution.id)
        {
            if place(row)? == ExecutionPlace::of(execution.id) {
                made.push(decode::attempt(row, execution.id)?);
            }
            next = attempts.next()?;
        }
        made.extend(execution.last.clone());
        whole_of(found, &execution).executions.push((execution, made));
    }
    Ok(())
}

fn whole_of<'f>(found: &'f mut Found, execution: &Execution) -> &'f mut Whole {
    let id = execution.id.event;
    match found.entry(id.as_u64() as i64) {
        Entry::Occupied(entry) => entry.into_mut(),
        Entry::Vacant(entry) => entry.insert(Whole { id, event: None, executions: Vec::new() }),
    }
}

const CONTENT: &str = "SELECT content FROM segments WHERE id = ?1";

/// The parts with one kind of contents that begin in a range, oldest first.
pub(super) const SEGMENTS: &str = "SELECT id, holds, class, first, last, items, bytes \
     FROM segments WHERE holds = ?1 AND first <= ?2 ORDER BY first";

fn segments(
    connection: &Connection,
    query: &SegmentQuery,
) -> Result<Vec<SegmentInfo>, error::Error> {
    let snapshot = connection.unchecked_transaction()?;
    let from = query.from.unwrap_or(EventId::from_u64(0));
    let to = query.to.map_or(i64::MAX, |to| to.as_u64() as i64);
    let mut found = Vec::new();
    for holds in [Holds::Events, Holds::Executions] {
        if query.holds.is_some_and(|wanted| wanted != holds) {
            continue;
        }
        let mut statement = snapshot.prepare_cached(SEGMENTS)?;
        let mut rows = statement.query((holds as u8, to))?;
        while let Some(row) = rows.next()? {
            let info = info(row, holds)?;
            if info.last >= from {
                found.push(info);
            }
        }
    }
    found.sort_by_key(|info| (info.first, info.id));
    Ok(found)
}

fn info(row: &Row<'_>, holds: Holds) -> Result<SegmentInfo, error::Error> {
    let id = row.get::<_, i64>(0)?;
    let columns = Columns::new(row, "segments", Name::Number(id), 0);
    Ok(SegmentInfo {
        id: SegmentId::from_u64(id as u64),
        holds,
        class: columns.text(2)?.into(),
        first: EventId::from_u64(columns.int(3)? as u64),
        last: EventId::from_u64(columns.int(4)? as u64),
        items: columns.small(5)?,
        bytes: columns.int(6)? as u64,
    })
}

/// What the archive's content takes, from the index alone.
pub(super) const ARCHIVED: &str = "SELECT coalesce(sum(bytes), 0) FROM segments";

fn size(connection: &Connection) -> Result<Size, error::Error> {
    let snapshot = connection.unchecked_transaction()?;
    let number = |pragma: &str| {
        snapshot.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0)).map(|n| n as u64)
    };
    let archived = snapshot.prepare_cached(ARCHIVED)?.query_row([], |row| row.get::<_, i64>(0))?;
    let (pages, free) = (number("page_count")?, number("freelist_count")?);
    let page_size = number("page_size")?;
    Ok(Size { used: (pages - free) * page_size, free: free * page_size, archived: archived as u64 })
}
