//! Connections that read. SQLite reads block, so they run on the threads tokio keeps for that,
//! never more at once than there are connections.

use std::sync::Arc;

use evoke_ports::store;
use parking_lot::Mutex;
use rusqlite::Connection;
use tokio::sync::Semaphore;

use super::checkpoint::{Checkpointer, Gates};
use super::error::Error;
use super::{SqliteOptions, connect, reading};

/// Statements a reader keeps prepared: more than there are beside queries of documents, of which
/// those that are asked again and again stay.
const STATEMENTS_MAX: usize = 128;

/// The readers of a file; clones share them.
#[derive(Clone)]
pub(super) struct Pool {
    inner: Arc<Inner>,
}

struct Inner {
    idle: Mutex<Vec<Connection>>,
    permits: Arc<Semaphore>,
    options: SqliteOptions,
    gates: Gates,
    /// Keeps the lock until the connections above are closed.
    _checkpointer: Arc<Checkpointer>,
}

impl Pool {
    pub fn new(options: SqliteOptions, gates: Gates, checkpointer: Arc<Checkpointer>) -> Self {
        let permits = Arc::new(Semaphore::new(options.readers.max(1)));
        let idle = Mutex::default();
        Self {
            inner: Arc::new(Inner { idle, permits, options, gates, _checkpointer: checkpointer }),
        }
    }

    /// Reads on a connection of its own; `action` names it where it fails.
    pub async fn read<T, F>(&self, action: &'static str, read: F) -> Result<T, store::Error>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, Error> + Send + 'static,
    {
        let failed =
            |source: Box<dyn std::error::Error + Send + Sync>| store::Error::new(action, source);
        let permit = Arc::clone(&self.inner.permits).acquire_owned().await;
        let permit = permit.map_err(|closed| failed(closed.into()))?;
        let inner = Arc::clone(&self.inner);
        let answer = tokio::task::spawn_blocking(move || {
            let answer = inner.read(read);
            drop(permit);
            answer
        });
        answer.await.map_err(|lost| failed(lost.into()))?.map_err(|error| failed(error.into()))
    }
}

impl Inner {
    fn read<T>(&self, read: impl FnOnce(&Connection) -> Result<T, Error>) -> Result<T, Error> {
        let idle = self.idle.lock().pop();
        let connection = match idle {
            Some(connection) => connection,
            None => self.open()?,
        };
        let answer = {
            let _gate = self.gates.reads.read();
            read(&connection)
        };
        self.idle.lock().push(connection);
        answer
    }

    fn open(&self) -> Result<Connection, Error> {
        let connection = connect(&self.options, reading())?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
        Ok(connection)
    }
}
