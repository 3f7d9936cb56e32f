//! Reading the definitions, whole, and the audit trail, in pages.

use std::sync::Arc;

use async_trait::async_trait;
use evoke_model::function::FunctionRecord;
use evoke_model::{Operation, Trigger};
use evoke_ports::store::{self, AuditEntry, AuditQuery, Cursor, Definitions, Key, Page};
use rusqlite::Connection;
use serde::de::DeserializeOwned;

use super::decode::{Columns, Name};
use super::error::Error;
use super::pool::Pool;
use super::stored::{
    StoredAudit, StoredCursor, StoredFunction, StoredKey, StoredOperation, StoredTrigger,
};
use crate::page::{self, EventPlace, Fits, Look, Pager, Range};

#[async_trait]
impl Definitions for Pool {
    async fn functions(&self) -> Result<Vec<FunctionRecord>, store::Error> {
        self.read("read functions", |connection| {
            let decode = |stored: StoredFunction| Ok(FunctionRecord::from(stored));
            all(connection, "functions", decode)
        })
        .await
    }

    async fn triggers(&self) -> Result<Vec<Arc<Trigger>>, store::Error> {
        self.read("read triggers", |connection| {
            let decode = |stored: StoredTrigger| Ok(Arc::<Trigger>::from(stored));
            all(connection, "triggers", decode)
        })
        .await
    }

    async fn keys(&self) -> Result<Vec<Key>, store::Error> {
        self.read("read keys", |connection| {
            let decode = |stored: StoredKey| Key::try_from(stored).map_err(|bad| bad.to_string());
            all(connection, "keys", decode)
        })
        .await
    }

    async fn operations(&self) -> Result<Vec<Operation>, store::Error> {
        self.read("read operations", |connection| {
            let decode = |stored: StoredOperation| Ok(Operation::from(stored));
            all(connection, "operations", decode)
        })
        .await
    }

    async fn cursors(&self) -> Result<Vec<Cursor>, store::Error> {
        self.read("read where triggers stand", |connection| {
            all(connection, "cursors", |stored: StoredCursor| Ok(Cursor::from(stored)))
        })
        .await
    }

    async fn audit(&self, query: AuditQuery) -> Result<Page<AuditEntry>, store::Error> {
        const ACTION: &str = "read the trail";
        let range = page::audit_range(&query).map_err(|bad| store::Error::new(ACTION, bad))?;
        self.read(ACTION, move |connection| audit(connection, &query, range)).await
    }
}

fn all<S: DeserializeOwned, T>(
    connection: &Connection,
    table: &'static str,
    decode: impl Fn(S) -> Result<T, String>,
) -> Result<Vec<T>, Error> {
    let sql = format!("SELECT body, id FROM {table} ORDER BY id");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query([])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let columns = Columns::new(row, table, Name::Number(row.get(1)?), 0);
        found.push(decode(columns.json(0)?).map_err(|what| columns.corrupt(what))?);
    }
    Ok(found)
}

/// The audit trail from its newest entry before a place on.
pub(super) const AUDIT: &str =
    "SELECT id, action, subject, body FROM audit WHERE id < ?1 ORDER BY id DESC";

fn audit(
    connection: &Connection,
    query: &AuditQuery,
    range: Range<EventPlace>,
) -> Result<Page<AuditEntry>, Error> {
    let mut pager = Pager::new(query.limit);
    let mut statement = connection.prepare_cached(AUDIT)?;
    let mut rows = statement.query([range.before.0])?;
    while let Some(row) = rows.next()? {
        let id = row.get(0)?;
        let columns = Columns::new(row, "audit", Name::Number(id), 0);
        let fits = page::audit_fits(query, columns.text(1)?, columns.text(2)?);
        match pager.look(EventPlace(id), Fits::from(fits)) {
            Look::Take => pager.push(AuditEntry::from(columns.json::<StoredAudit>(3)?)),
            Look::Skip => {}
            Look::Stop => break,
        }
    }
    Ok(pager.finish())
}
