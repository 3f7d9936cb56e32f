//! Connections that read. SQLite reads block, so they run on the threads tokio keeps for that,
//! never more at once than there are connections.
//!
//! What users ask of their documents may go through all of them. It has as many connections of its
//! own, so that nothing else waits for it, and ends when nobody waits for it any more.

use std::sync::Arc;

use evoke_ports::store;
use parking_lot::Mutex;
use rusqlite::{Connection, InterruptHandle, ffi};
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
    searches: Arc<Semaphore>,
    options: SqliteOptions,
    gates: Gates,
    /// Keeps the lock until the connections above are closed.
    _checkpointer: Arc<Checkpointer>,
}

impl Pool {
    pub fn new(options: SqliteOptions, gates: Gates, checkpointer: Arc<Checkpointer>) -> Self {
        let places = || Arc::new(Semaphore::new(options.readers.max(1)));
        let (permits, searches, idle) = (places(), places(), Mutex::default());
        let _checkpointer = checkpointer;
        Self { inner: Arc::new(Inner { idle, permits, searches, options, gates, _checkpointer }) }
    }

    /// Reads on a connection of its own; `action` names it where it fails.
    pub async fn read<T, F>(&self, action: &'static str, read: F) -> Result<T, store::Error>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, Error> + Send + 'static,
    {
        self.place(&self.inner.permits, action, read).await
    }

    /// The same for what may take long. It is broken off when its caller leaves.
    pub async fn search<T, F>(&self, action: &'static str, read: F) -> Result<T, store::Error>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, Error> + Send + 'static,
    {
        let caller = Caller::default();
        let work = caller.0.clone();
        self.place(&self.inner.searches, action, move |connection| {
            if !Caller::waits(&work, connection) {
                let broken_off = ffi::Error::new(ffi::SQLITE_INTERRUPT);
                return Err(rusqlite::Error::SqliteFailure(broken_off, None).into());
            }
            let answer = read(connection);
            *work.lock() = Waiting::ForAPlace;
            answer
        })
        .await
    }

    async fn place<T, F>(
        &self,
        places: &Arc<Semaphore>,
        action: &'static str,
        read: F,
    ) -> Result<T, store::Error>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, Error> + Send + 'static,
    {
        let failed =
            |source: Box<dyn std::error::Error + Send + Sync>| store::Error::new(action, source);
        let permit = Arc::clone(places).acquire_owned().await;
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

/// Who waits for a search.
#[derive(Default)]
struct Caller(Arc<Mutex<Waiting>>);

#[derive(Default)]
enum Waiting {
    /// Nothing runs.
    #[default]
    ForAPlace,
    ForAnAnswer(InterruptHandle),
    /// Nobody waits.
    Left,
}

impl Caller {
    /// Whether somebody waits still; whoever leaves from now on breaks off what runs here.
    fn waits(waiting: &Mutex<Waiting>, connection: &Connection) -> bool {
        let mut waiting = waiting.lock();
        let has_left = matches!(*waiting, Waiting::Left);
        if !has_left {
            *waiting = Waiting::ForAnAnswer(connection.get_interrupt_handle());
        }
        !has_left
    }
}

impl Drop for Caller {
    fn drop(&mut self) {
        let mut waiting = self.0.lock();
        // Under the lock: the connection does nothing else as long as it is told here.
        if let Waiting::ForAnAnswer(running) = &*waiting {
            running.interrupt();
        }
        *waiting = Waiting::Left;
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
