//! Reading the log.

use std::sync::Arc;

use async_trait::async_trait;
use evoke_model::{Event, EventId};
use evoke_ports::store::{Error, EventQuery, Events, Order, Page};
use rusqlite::{Connection, OptionalExtension};

use super::decode::{self, Columns, EVENT, Name};
use super::error;
use super::pool::Pool;
use crate::cursor::PAGE_BYTES_MAX;
use crate::page::{self, EventFields, EventPlace, Fits, Look, Pager, Range};

const BY_KEY: &str = "SELECT event_id FROM once_keys WHERE key = ?1";
const NEWEST: &str = "SELECT max(id) FROM events";

#[async_trait]
impl Events for Pool {
    async fn event(&self, id: EventId) -> Result<Option<Arc<Event>>, Error> {
        self.read("read an event", move |connection| {
            let mut statement = connection.prepare_cached(&one_sql())?;
            let mut rows = statement.query([id.as_u64() as i64])?;
            rows.next()?.map(|row| decode::event(row, 0)).transpose()
        })
        .await
    }

    async fn by_key(&self, key: &str) -> Result<Option<EventId>, Error> {
        let key = key.as_bytes().to_vec();
        self.read("read a key", move |connection| {
            let mut statement = connection.prepare_cached(BY_KEY)?;
            let id = statement.query_row([key], |row| row.get::<_, i64>(0)).optional()?;
            Ok(id.map(|id| EventId::from_u64(id as u64)))
        })
        .await
    }

    async fn events(&self, query: EventQuery) -> Result<Page<Arc<Event>>, Error> {
        let range = page::event_range(&query).map_err(|bad| Error::new("list events", bad))?;
        self.read("list events", move |connection| list(connection, &query, range)).await
    }

    async fn newest(&self) -> Result<u64, Error> {
        self.read("read the newest id", |connection| {
            let mut statement = connection.prepare_cached(NEWEST)?;
            let newest = statement.query_row([], |row| row.get::<_, Option<i64>>(0))?;
            Ok(newest.unwrap_or(0) as u64)
        })
        .await
    }
}

fn one_sql() -> String {
    format!("SELECT {EVENT} FROM events WHERE id = ?1")
}

/// Only what a query asks for: SQLite reads every column of a row it steps on, large payloads too.
pub(super) fn list_sql(order: Order) -> String {
    let direction = decode::direction(order);
    format!(
        "SELECT id, type, source, subject FROM events WHERE id > ?1 AND id < ?2 \
         ORDER BY id {direction}"
    )
}

/// The same of a root and of what came of it.
pub(super) fn tree_sql(order: Order) -> String {
    let direction = decode::direction(order);
    format!(
        "SELECT id, type, source, subject FROM events \
         WHERE id = ?3 AND id > ?1 AND id < ?2 \
         UNION ALL SELECT id, type, source, subject FROM events \
         WHERE root_id = ?3 AND id > ?1 AND id < ?2 AND id <> ?3 ORDER BY id {direction}"
    )
}

fn list(
    connection: &Connection,
    query: &EventQuery,
    range: Range<EventPlace>,
) -> Result<Page<Arc<Event>>, error::Error> {
    let mut pager = Pager::new(query.limit);
    let mut bytes = 0;
    let snapshot = connection.unchecked_transaction()?;
    let mut one = snapshot.prepare_cached(&one_sql())?;
    let mut statement;
    let mut rows = match query.root {
        None => {
            statement = snapshot.prepare_cached(&list_sql(query.order))?;
            statement.query([range.after.0, range.before.0])?
        }
        Some(root) => {
            statement = snapshot.prepare_cached(&tree_sql(query.order))?;
            statement.query([range.after.0, range.before.0, root.as_u64() as i64])?
        }
    };
    while let Some(row) = rows.next()? {
        let id = row.get::<_, i64>(0)?;
        let columns = Columns::new(row, "events", Name::Event(id), 0);
        let fields = EventFields {
            kind: columns.text(1)?,
            source: columns.text(2)?,
            subject: columns.optional_str(3)?,
        };
        match pager.look(EventPlace(id), Fits::from(page::event_fits(query, fields))) {
            Look::Take => {
                let mut rows = one.query([id])?;
                if let Some(row) = rows.next()? {
                    let event = decode::event(row, 0)?;
                    bytes += event.data.len();
                    pager.push(event);
                }
                if bytes > PAGE_BYTES_MAX {
                    pager.break_off(EventPlace(id));
                    break;
                }
            }
            Look::Skip => {}
            Look::Stop => break,
        }
    }
    Ok(pager.finish())
}
