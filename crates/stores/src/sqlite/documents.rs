//! Reading documents.

pub(super) mod select;
pub(super) mod table;

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use evoke_document::{Collection, Condition, Document, Fields, Query};
use evoke_model::Timestamp;
use evoke_ports::store::{self, Documents, Page};
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, Statement, params_from_iter};

use super::decode::{Columns, Name};
use super::error::Error;
use super::pool::Pool;
use super::stored::StoredCollection;
use crate::cursor;
use select::Select;

#[async_trait]
impl Documents for Pool {
    async fn collections(&self) -> Result<Vec<Collection>, store::Error> {
        self.read("read collections", collections).await
    }

    async fn document(
        &self,
        collection: &str,
        id: &str,
    ) -> Result<Option<Arc<Document>>, store::Error> {
        let (collection, id) = (collection.to_owned(), id.to_owned());
        self.read("read a document", move |connection| {
            or_else_empty(connection, &collection, || one(connection, &collection, &id))
        })
        .await
    }

    async fn documents(
        &self,
        collection: &str,
        ids: Vec<String>,
    ) -> Result<Vec<Option<Arc<Document>>>, store::Error> {
        let collection = collection.to_owned();
        self.read("read documents", move |connection| {
            let all = |ids: &[String]| {
                ids.iter().map(|id| one(connection, &collection, id)).collect::<Result<Vec<_>, _>>()
            };
            let mut found = or_else_empty(connection, &collection, || all(&ids))?;
            found.resize(ids.len(), None);
            Ok(found)
        })
        .await
    }

    async fn find(
        &self,
        collection: &str,
        query: Query,
    ) -> Result<Page<Arc<Document>>, store::Error> {
        const ACTION: &str = "find documents";
        let collection = collection.to_owned();
        let after = cursor::decode(&collection, &query);
        let after = after.map_err(|bad| store::Error::new(ACTION, bad))?;
        let selects = select::page(&collection, &query, after.as_ref());
        self.search(ACTION, move |connection| {
            let items = or_else_empty(connection, &collection, || {
                in_one_view(connection, || found(connection, &selects, &query))
            })?;
            page(&collection, &query, items)
        })
        .await
    }

    async fn count(&self, collection: &str, filter: Vec<Condition>) -> Result<u64, store::Error> {
        let collection = collection.to_owned();
        self.search("count documents", move |connection| {
            or_else_empty(connection, &collection, || {
                let Select { sql, values } = select::count(&collection, &filter);
                prepared(connection, &sql, |count| {
                    let found = count.query_row(params_from_iter(values), |row| row.get(0))?;
                    Ok(i64::unsigned_abs(found))
                })
            })
        })
        .await
    }

    async fn plan(&self, collection: &str, query: Query) -> Result<Vec<String>, store::Error> {
        const ACTION: &str = "plan a query";
        let collection = collection.to_owned();
        let after = cursor::decode(&collection, &query);
        let after = after.map_err(|bad| store::Error::new(ACTION, bad))?;
        self.read(ACTION, move |connection| {
            // Explaining does not look whether there are other indexes by now; reading does.
            if !exists(connection, &collection)? {
                return Ok(Vec::new());
            }
            plan(connection, &select::page(&collection, &query, after.as_ref()))
        })
        .await
    }
}

/// A collection that is not there is empty: then it has no table, and SQLite knows none.
fn or_else_empty<T: Default>(
    connection: &Connection,
    collection: &str,
    read: impl FnOnce() -> Result<T, Error>,
) -> Result<T, Error> {
    match read() {
        Err(_) if !exists(connection, collection)? => Ok(T::default()),
        read => read,
    }
}

/// Whether there is such a collection.
pub(super) fn exists(connection: &Connection, collection: &str) -> Result<bool, Error> {
    let sql = "SELECT 1 FROM collections WHERE name = ?1";
    Ok(connection.prepare_cached(sql)?.exists([collection])?)
}

/// The definition of a collection.
pub(super) fn definition(
    connection: &Connection,
    collection: &str,
) -> Result<Option<Collection>, Error> {
    let sql = "SELECT body FROM collections WHERE name = ?1";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([collection])?;
    rows.next()?.map(collection_of).transpose()
}

fn collections(connection: &Connection) -> Result<Vec<Collection>, Error> {
    let mut statement = connection.prepare_cached("SELECT body FROM collections ORDER BY name")?;
    let mut rows = statement.query([])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(collection_of(row)?);
    }
    Ok(found)
}

fn collection_of(row: &Row<'_>) -> Result<Collection, Error> {
    let columns = Columns::new(row, "collections", Name::Number(0), 0);
    Ok(columns.json::<StoredCollection>(0)?.into())
}

fn one(
    connection: &Connection,
    collection: &str,
    id: &str,
) -> Result<Option<Arc<Document>>, Error> {
    let mut one = connection.prepare_cached(&select::one(collection))?;
    Ok(one.query_row([id], document).optional()?.map(Arc::new))
}

fn document(row: &Row<'_>) -> rusqlite::Result<Document> {
    let body = row.get_ref(4)?.as_bytes()?;
    Ok(Document {
        id: row.get(0)?,
        revision: row.get::<_, i64>(1)? as u64,
        created_at: Timestamp::from_micros(row.get(2)?),
        updated_at: Timestamp::from_micros(row.get(3)?),
        body: Bytes::copy_from_slice(body),
    })
}

/// Several statements must see the same documents.
fn in_one_view<T>(
    connection: &Connection,
    read: impl FnOnce() -> Result<T, Error>,
) -> Result<T, Error> {
    let view = connection.unchecked_transaction()?;
    let answer = read()?;
    view.finish()?;
    Ok(answer)
}

/// The documents of a page and one more, if there is one.
fn found(
    connection: &Connection,
    selects: &[Select],
    query: &Query,
) -> Result<Vec<Arc<Document>>, Error> {
    let limit = cursor::limit(query) + 1;
    let mut found: Vec<Arc<Document>> = Vec::new();
    let mut bytes = 0;
    for Select { sql, values } in selects {
        if found.len() == limit || bytes > cursor::PAGE_BYTES_MAX {
            break;
        }
        let rest = Value::Integer((limit - found.len()) as i64);
        prepared(connection, sql, |select| {
            let mut rows =
                select.query_map(params_from_iter(values.iter().chain([&rest])), document)?;
            while bytes <= cursor::PAGE_BYTES_MAX
                && let Some(row) = rows.next()
            {
                let document = row?;
                bytes += document.body.len();
                found.push(Arc::new(document));
            }
            Ok(())
        })?;
    }
    Ok(found)
}

/// A statement that is longer is not kept prepared: a query may have a hundred conditions, and
/// whoever asks many such should not fill the memory.
const KEPT_BYTES_MAX: usize = 8 * 1024;

/// Carries out a query, which is prepared but once where it is asked again.
fn prepared<T>(
    connection: &Connection,
    sql: &str,
    run: impl FnOnce(&mut Statement<'_>) -> Result<T, Error>,
) -> Result<T, Error> {
    let mut statement = connection.prepare_cached(sql)?;
    let answer = run(&mut statement);
    if sql.len() > KEPT_BYTES_MAX {
        statement.discard();
    }
    answer
}

/// The page of documents of which more were looked for than it may have.
fn page(
    collection: &str,
    query: &Query,
    mut items: Vec<Arc<Document>>,
) -> Result<Page<Arc<Document>>, Error> {
    let count = cursor::page_len(query, items.iter().map(|document| document.body.len()));
    if items.len() <= count {
        return Ok(Page { items, next: None });
    }
    items.truncate(count);
    let next = match items.last() {
        None => None,
        Some(document) => {
            let body = serde_json::from_slice(&document.body)?;
            let place = query.place(Fields { document, body: &body });
            Some(cursor::encode(collection, query, &place))
        }
    };
    Ok(Page { items, next })
}

fn plan(connection: &Connection, selects: &[Select]) -> Result<Vec<String>, Error> {
    let mut steps = Vec::new();
    for Select { sql, values } in selects {
        let mut explain = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}"))?;
        let limit = Value::Integer(1);
        let rows = explain.query_map(params_from_iter(values.iter().chain([&limit])), |row| {
            row.get::<_, String>(3)
        })?;
        for step in rows {
            steps.push(step?);
        }
    }
    Ok(steps)
}
