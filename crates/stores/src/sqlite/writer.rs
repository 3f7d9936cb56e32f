//! The writing end: one transaction a batch.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use evoke_model::Timestamp;
use evoke_ports::store::{self, Change, Receipt, Write, Writer};
use rusqlite::Connection;

use super::apply::Apply;
use super::checkpoint::{Checkpointer, Gates, Meter, Stretch};
use super::error::Error;
use super::purge::Purge;

/// Statements kept prepared: more than there are beside those of collections, of which each that is
/// written to has a few.
const STATEMENTS_MAX: usize = 256;

/// The one writer of a file.
pub(super) struct SqliteWriter {
    connection: Connection,
    gates: Gates,
    /// Pages of the write-ahead log after the last commit; SQLite's hook puts them here.
    log_pages: Arc<AtomicU32>,
    meter: Meter,
    purge: Purge,
    checkpointer: Arc<Checkpointer>,
}

impl SqliteWriter {
    pub fn new(
        mut connection: Connection,
        gates: Gates,
        checkpointer: Arc<Checkpointer>,
    ) -> Result<Self, Error> {
        connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
        let log_pages = Arc::new(AtomicU32::new(0));
        let seen = Arc::clone(&log_pages);
        connection.wal_hook(Some(move |_: &mut rusqlite::hooks::Wal, pages| {
            seen.store(u32::try_from(pages).unwrap_or(0), Ordering::Relaxed);
            Ok(())
        }))?;
        let (meter, purge) = (Meter::default(), Purge::default());
        Ok(Self { connection, gates, log_pages, meter, purge, checkpointer })
    }

    /// The connection, for tests that need it to fail.
    #[cfg(test)]
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    fn try_commit(&mut self, batch: &[Write]) -> Result<Vec<Receipt>, Error> {
        let _gate = self.gates.commits.lock();
        in_transaction(&self.connection, |connection| {
            let mut apply = Apply::new(connection);
            batch.iter().map(|write| apply.write(write)).collect()
        })
    }

    /// Forgets what has expired in one slice of each table.
    fn purge(&mut self, now: Timestamp) -> Result<(), Error> {
        let _gate = self.gates.commits.lock();
        self.purge.once_keys(&self.connection, now)?;
        self.purge.spent(&self.connection, now)
    }
}

impl Writer for SqliteWriter {
    fn commit(&mut self, batch: &[Write]) -> Result<Vec<Receipt>, store::Error> {
        let receipts = self
            .try_commit(batch)
            .map_err(|error| store::Error::new(format!("commit {} writes", batch.len()), error))?;
        if batch.iter().any(gives_log_back) {
            self.checkpointer.empty();
        } else {
            let stretch =
                if batch.iter().any(scatters) { Stretch::SCATTERED } else { Stretch::NORMAL };
            if self.meter.wants(self.log_pages.load(Ordering::Relaxed), stretch) {
                self.checkpointer.nudge();
            }
        }
        Ok(receipts)
    }

    fn housekeep(&mut self, now: Timestamp) -> Result<(), store::Error> {
        if let Some(failure) = self.checkpointer.failure() {
            return Err(store::Error::new("move the write-ahead log into the file", failure));
        }
        self.purge(now).map_err(|error| store::Error::new("forget what has expired", error))?;
        if self.log_pages.swap(0, Ordering::Relaxed) > 0 {
            self.checkpointer.nudge();
        }
        Ok(())
    }
}

fn gives_log_back(write: &Write) -> bool {
    matches!(write, Write::Change(change) if matches!(**change, Change::Shrink { bytes: 0, .. }))
}

/// Whether it changes many pages that have nothing to do with each other.
fn scatters(write: &Write) -> bool {
    match write {
        Write::Change(change) => {
            matches!(**change, Change::Remove(_) | Change::Archive(_) | Change::Shrink { .. })
        }
        Write::All(writes) => writes.iter().any(scatters),
        _ => false,
    }
}

/// Runs `work` in a transaction: committed when it succeeds, undone whole when it or the commit
/// fails.
pub(super) fn in_transaction<T>(
    connection: &Connection,
    work: impl FnOnce(&Connection) -> Result<T, Error>,
) -> Result<T, Error> {
    connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
    let done = work(connection).and_then(|value| {
        connection.prepare_cached("COMMIT")?.execute([])?;
        Ok(value)
    });
    // After a full disk or a failed write SQLite has undone the transaction itself.
    if done.is_err() && !connection.is_autocommit() {
        connection.prepare_cached("ROLLBACK")?.execute([])?;
    }
    done
}
