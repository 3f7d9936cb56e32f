//! Changes of documents and of their collections: made whole or refused whole.
//!
//! What is expected of a document is part of the statement that changes it, so that the usual
//! change is one statement; only where it changes nothing is looked for the reason.

use evoke_document::{Collection, Document, Fields};
use evoke_ports::store::{Change, Conflict, DocumentChange, Effect, Expect, Receipt, Why, Write};
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, OptionalExtension, ToSql, ffi, params_from_iter};

use super::{Apply, Changed, number};
use crate::sqlite::documents::select::{self, Select};
use crate::sqlite::documents::{definition, exists, table};
use crate::sqlite::error::Error;
use crate::sqlite::stored::StoredCollection;

const COLLECTION: &str = "INSERT OR REPLACE INTO collections (name, body) VALUES (?1, ?2)";
const REMOVE_COLLECTION: &str = "DELETE FROM collections WHERE name = ?1";

/// Whether a write may be refused although nothing is wrong with the store.
pub(super) fn may_be_refused(write: &Write) -> bool {
    matches!(write, Write::Change(change)
        if matches!(**change, Change::Documents(_) | Change::Collection(_)))
}

/// Something that is done, or that is refused for a reason.
type Outcome<W> = Result<Result<Changed, W>, Error>;

fn receipt(outcome: Result<Changed, Conflict>) -> Receipt {
    match outcome {
        Ok(changed) => Receipt::Changed(changed == Changed::Yes),
        Err(conflict) => Receipt::Refused(vec![conflict]),
    }
}

impl Apply<'_> {
    pub(super) fn put_collection(&mut self, collection: &Collection) -> Result<Receipt, Error> {
        let connection = self.connection;
        let before = definition(connection, &collection.name)?;
        if before.as_ref() == Some(collection) {
            return Ok(Receipt::Changed(false));
        }
        let outcome = all_or_nothing(connection, || define(connection, before, collection))?;
        Ok(receipt(outcome))
    }

    pub(super) fn remove_collection(&mut self, name: &str) -> Result<Changed, Error> {
        let removed = self.connection.prepare_cached(REMOVE_COLLECTION)?.execute([name])?;
        self.connection.execute_batch(&table::drop_table(name))?;
        Ok(removed.into())
    }

    pub(super) fn change_documents(
        &mut self,
        changes: &[DocumentChange],
    ) -> Result<Receipt, Error> {
        let connection = self.connection;
        let outcome = match changes {
            // A single statement is whole or nothing by itself.
            [one] => change_all(connection, std::slice::from_ref(one))?,
            more => all_or_nothing(connection, || change_all(connection, more))?,
        };
        Ok(receipt(outcome))
    }
}

/// Does something of which nothing may stay where it is refused.
pub(super) fn all_or_nothing<T, W>(
    connection: &Connection,
    work: impl FnOnce() -> Result<Result<T, W>, Error>,
) -> Result<Result<T, W>, Error> {
    connection.prepare_cached("SAVEPOINT whole")?.execute([])?;
    // After an error the whole batch is undone, and this with it.
    let outcome = work()?;
    if outcome.is_err() {
        connection.prepare_cached("ROLLBACK TO whole")?.execute([])?;
    }
    connection.prepare_cached("RELEASE whole")?.execute([])?;
    Ok(outcome)
}

fn define(
    connection: &Connection,
    before: Option<Collection>,
    collection: &Collection,
) -> Outcome<Conflict> {
    let name = collection.name.as_str();
    let is_new = before.is_none();
    let before = before.unwrap_or_default();
    if is_new {
        connection.execute_batch(&table::create_table(name))?;
    }
    for index in before.indexes.iter().filter(|index| !collection.indexes.contains(index)) {
        connection.execute_batch(&table::drop_index(name, &index.name))?;
    }
    for index in collection.indexes.iter().filter(|index| !before.indexes.contains(index)) {
        match connection.execute_batch(&table::create_index(name, index)) {
            Err(error) if index.unique && is_doubled(&error) => {
                let why = Why::NotUnique { index: index.name.as_str().into() };
                return Ok(Err(Conflict { change: 0, why }));
            }
            made => made?,
        }
    }
    let body = serde_json::to_string(&StoredCollection::V1(collection.clone()))?;
    connection.prepare_cached(COLLECTION)?.execute((name, body))?;
    Ok(Ok(Changed::Yes))
}

fn change_all(connection: &Connection, changes: &[DocumentChange]) -> Outcome<Conflict> {
    let mut changed = Changed::No;
    for (place, change) in changes.iter().enumerate() {
        match change_one(connection, change)? {
            Ok(Changed::Yes) => changed = Changed::Yes,
            Ok(Changed::No) => {}
            Err(why) => return Ok(Err(Conflict { change: place, why })),
        }
    }
    Ok(Ok(changed))
}

fn change_one(connection: &Connection, change: &DocumentChange) -> Outcome<Why> {
    match try_change(connection, change) {
        Err(_) if !exists(connection, &change.collection)? => Ok(Err(Why::NoCollection)),
        outcome => outcome,
    }
}

fn try_change(connection: &Connection, change: &DocumentChange) -> Outcome<Why> {
    let rows = match (&change.effect, change.expect) {
        (Effect::Put(document), _) => match put(connection, change, document) {
            Err(Error::Sqlite(error)) if is_doubled(&error) => {
                return Ok(Err(conflict(connection, change, document)?.ok_or(error)?));
            }
            rows => rows?,
        },
        (Effect::Remove, Expect::Revision(revision)) => {
            let sql = table::delete_revision(&change.collection);
            connection.prepare_cached(&sql)?.execute((&change.id, number(revision)))?
        }
        (Effect::Remove, Expect::Anything) => {
            let sql = table::delete(&change.collection);
            connection.prepare_cached(&sql)?.execute([&change.id])?
        }
        (Effect::Remove, Expect::Absent) | (Effect::Keep, _) => 0,
    };
    let changed = Changed::from(rows);
    match (changed, change.expect) {
        (Changed::Yes, _) | (Changed::No, Expect::Anything) => {
            // Nothing else tells whether there is such a collection.
            let is_there = changed == Changed::Yes || exists(connection, &change.collection)?;
            Ok(if is_there { Ok(changed) } else { Err(Why::NoCollection) })
        }
        _ => Ok(met(connection, change)?.map(|()| Changed::No)),
    }
}

/// How many rows were written: none where the document is not the one that is expected.
fn put(
    connection: &Connection,
    change: &DocumentChange,
    document: &Document,
) -> Result<usize, Error> {
    let collection = &change.collection;
    let row = (
        &change.id,
        number(document.revision),
        document.created_at.as_micros(),
        document.updated_at.as_micros(),
        Text(&document.body),
    );
    Ok(match change.expect {
        Expect::Absent => connection.prepare_cached(&table::insert(collection))?.execute(row)?,
        Expect::Anything => connection.prepare_cached(&table::upsert(collection))?.execute(row)?,
        Expect::Revision(revision) => {
            let (id, next, created_at, updated_at, body) = row;
            let row = (id, next, created_at, updated_at, body, number(revision));
            connection.prepare_cached(&table::update(collection))?.execute(row)?
        }
    })
}

/// Whether what is expected of a document holds.
fn met(connection: &Connection, change: &DocumentChange) -> Result<Result<(), Why>, Error> {
    let mut find = connection.prepare_cached(&table::revision(&change.collection))?;
    let found: Option<i64> = find.query_row([&change.id], |row| row.get(0)).optional()?;
    Ok(match (change.expect, found) {
        (Expect::Anything, _) | (Expect::Absent, None) => Ok(()),
        (Expect::Absent, Some(_)) => Err(Why::Exists),
        (Expect::Revision(_), None) => Err(Why::Missing),
        (Expect::Revision(wanted), Some(found)) if found != number(wanted) => Err(Why::Changed),
        (Expect::Revision(_), Some(_)) => Ok(()),
    })
}

/// Whether SQLite found a value twice where it may be once.
fn is_doubled(error: &rusqlite::Error) -> bool {
    let code = error.sqlite_extended_error_code();
    code == Some(ffi::SQLITE_CONSTRAINT_UNIQUE) || code == Some(ffi::SQLITE_CONSTRAINT_PRIMARYKEY)
}

/// Why a document could not be put although SQLite has nothing else against it.
fn conflict(
    connection: &Connection,
    change: &DocumentChange,
    document: &Document,
) -> Result<Option<Why>, Error> {
    if let Err(why) = met(connection, change)? {
        return Ok(Some(why));
    }
    let collection = definition(connection, &change.collection)?.unwrap_or_default();
    let body = serde_json::from_slice(&document.body)?;
    let fields = Fields { document, body: &body };
    for index in collection.indexes.iter().filter(|index| index.unique) {
        let Select { sql, values } = select::others(&collection.name, index, fields);
        if connection.prepare_cached(&sql)?.exists(params_from_iter(values))? {
            return Ok(Some(Why::NotUnique { index: index.name.as_str().into() }));
        }
    }
    Ok(None)
}

/// A body as its column.
struct Text<'b>(&'b [u8]);

impl ToSql for Text<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(ValueRef::Text(self.0)))
    }
}
