//! The raw store under the creation of documents: the rows of a document, of the event that tells
//! of it and of that event's execution in one transaction, the end of the execution in another.

use std::path::Path;
use std::time::Instant;

use rusqlite::{CachedStatement, Connection, params};

use super::sqlite::{Checkpoints, open};
use crate::error::{Result, Stored};

/// The table of a collection is laid out as the server makes it; events have the two columns more
/// that those of documents use.
const SCHEMA: &str = "
    CREATE TABLE doc_orders (id TEXT PRIMARY KEY NOT NULL, revision INTEGER NOT NULL,
                             created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
                             body TEXT NOT NULL);
    CREATE TABLE events (id INTEGER PRIMARY KEY, type TEXT NOT NULL, source TEXT NOT NULL,
                         subject TEXT, time INTEGER NOT NULL, traceparent TEXT, data TEXT NOT NULL);
    CREATE TABLE executions (event INTEGER NOT NULL, trigger INTEGER NOT NULL,
                             state INTEGER NOT NULL, due INTEGER NOT NULL, attempts INTEGER NOT NULL,
                             started_at INTEGER, finished_at INTEGER, output BLOB,
                             PRIMARY KEY (event, trigger)) WITHOUT ROWID;";

/// Documents created per second by one thread with nobody to answer, so many in a transaction; each
/// transaction is synced before the next one begins.
///
/// # Errors
/// The store cannot be written.
pub(crate) fn create_documents(
    folder: &Path,
    (document, size): (&str, usize),
    count: u64,
) -> Result<f64> {
    let file = folder.join("documents.db");
    let mut connection = open(&file, SCHEMA)?;
    let checkpoints = Checkpoints::start(&file)?;
    let began = Instant::now();
    for first in (0..count).step_by(size) {
        let numbers = first..(first + size as u64).min(count);
        in_one(&mut connection, |rows| {
            numbers.clone().try_for_each(|number| rows.begin(number, document))
        })?;
        in_one(&mut connection, |rows| numbers.clone().try_for_each(|number| rows.end(number)))?;
    }
    let took = began.elapsed();
    checkpoints.stop();
    Ok(count as f64 / took.as_secs_f64())
}

fn in_one(
    connection: &mut Connection,
    write: impl FnOnce(&mut Rows<'_>) -> Result<()>,
) -> Result<()> {
    let transaction = connection.transaction().stored("begin")?;
    write(&mut Rows::prepare(&transaction)?)?;
    transaction.commit().stored("commit")
}

/// The statements of a document's creation.
struct Rows<'a> {
    document: CachedStatement<'a>,
    event: CachedStatement<'a>,
    execution: CachedStatement<'a>,
    end: CachedStatement<'a>,
}

impl<'a> Rows<'a> {
    fn prepare(connection: &'a Connection) -> Result<Self> {
        let prepare = |sql| connection.prepare_cached(sql).stored("prepare");
        Ok(Self {
            document: prepare("INSERT INTO doc_orders VALUES (?1, ?2, ?3, ?3, ?4)")?,
            event: prepare(
                "INSERT INTO events VALUES (?1, 'database.orders.create', '/database/orders', ?2,
                                            ?3, ?4, ?5)",
            )?,
            execution: prepare(
                "INSERT INTO executions (event, trigger, state, due, attempts)
                 VALUES (?1, 1, 0, ?2, 0)",
            )?,
            end: prepare(
                "UPDATE executions SET state = 2, attempts = 1, started_at = ?2, finished_at = ?2,
                 output = ?3 WHERE event = ?1 AND trigger = 1",
            )?,
        })
    }

    fn begin(&mut self, number: u64, document: &str) -> Result<()> {
        const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let now = crate::process::unix_us().cast_signed();
        let (row, id) = (number.cast_signed(), format!("doc_{number:013}"));
        let data = format!(
            r#"{{"document":{document},"previous_document":null,"action":"create","collection":"orders","changed_fields":["run","n","customer","total","currency","items","note"]}}"#
        );
        self.document.execute(params![id, row, now, document]).stored("insert a document")?;
        self.event.execute(params![row, id, now, TRACE, data]).stored("insert an event")?;
        self.execution.execute(params![row, now]).stored("insert an execution")?;
        Ok(())
    }

    fn end(&mut self, number: u64) -> Result<()> {
        const OUTPUT: &[u8] = br#"{"n":"0000000000","began":1795000000000000}"#;
        let now = crate::process::unix_us().cast_signed();
        self.end.execute(params![number.cast_signed(), now, OUTPUT]).stored("end an execution")?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_document_has_its_event_and_its_ended_execution() {
        let folder = tempfile::tempdir().unwrap();
        for size in [1, 64, 100] {
            let rate = create_documents(folder.path(), (r#"{"n":"1"}"#, size), 250).unwrap();
            assert!(rate > 0.0);
            let connection = Connection::open(folder.path().join("documents.db")).unwrap();
            let sql = "SELECT count(*) FROM doc_orders AS document
                       JOIN events ON subject = document.id AND events.id = revision
                       JOIN executions ON event = events.id WHERE state = 2
                       AND json_extract(data, '$.document.n') = json_extract(body, '$.n')";
            let whole: i64 = connection.query_row(sql, [], |row| row.get(0)).unwrap();
            assert_eq!(whole, 250, "{size} in a transaction");
        }
    }
}
