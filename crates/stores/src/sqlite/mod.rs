//! The store in one SQLite file: a single writer with group commits into a write-ahead log, readers
//! on their own connections, checkpoints on a thread of their own.
//!
//! Beside the file lie SQLite's own `-wal` and `-shm`, and `<file>.lock`, which keeps a second
//! process out. The tables are in `migrations/`; they are meant to be read with `sqlite3`.

mod apply;
mod archive;
mod checkpoint;
mod dead_letters;
mod decode;
mod definitions;
mod documents;
mod error;
mod events;
mod executions;
mod lock;
mod pool;
mod purge;
mod schema;
mod spent;
mod stored;
mod waiting;
mod writer;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use evoke_ports::Store;
use evoke_ports::store::{self, Archive, Definitions, Documents, Events, Executions, Writer};
use parking_lot::Mutex;
use rusqlite::{Connection, OpenFlags};

use crate::{Kind, WriterTaken};
use checkpoint::{Checkpointer, Gates};
use error::Error;
use lock::Lock;
use pool::Pool;
use writer::SqliteWriter;

/// The kind `sqlite`.
pub(crate) const KIND: Kind = Kind {
    kind: "sqlite",
    summary: "Everything in one file, durable on commit; for one node.",
    example: "sqlite:.evoke/evoke.db",
    open: |path| Ok(Arc::new(SqliteStore::open(SqliteOptions::at(path))?)),
};

/// When a commit is on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Synchronous {
    /// Before it is answered: survives a loss of power.
    #[default]
    Full,
    /// At the next checkpoint: survives a crash of the process, not a loss of power.
    Normal,
    /// When the operating system likes: for tests.
    Off,
}

impl Synchronous {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Full => "FULL",
            Self::Normal => "NORMAL",
            Self::Off => "OFF",
        }
    }
}

/// How a SQLite store is opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqliteOptions {
    /// The file; it and its folder are made where they are missing.
    pub path: PathBuf,
    /// When a commit is on the disk; default [`Synchronous::Full`].
    pub synchronous: Synchronous,
    /// Connections that read at once; default 4. Opened as they are needed.
    pub readers: usize,
    /// Page cache of the writer in KiB; default 16 MiB. Of use while executions wait: their rows
    /// are then written again long after they came.
    pub writer_cache_kib: u32,
}

impl SqliteOptions {
    /// The defaults for this file.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            synchronous: Synchronous::default(),
            readers: 4,
            writer_cache_kib: 16 * 1024,
        }
    }
}

/// The store in one SQLite file.
pub struct SqliteStore {
    writer: Mutex<Option<SqliteWriter>>,
    pool: Pool,
}

impl SqliteStore {
    /// Opens the file, takes its lock and brings its tables up to date. Blocks; takes milliseconds
    /// whatever the size of the file.
    ///
    /// # Errors
    /// When another process has the file, when it was written by a newer version, or when it cannot
    /// be read or written.
    pub fn open(mut options: SqliteOptions) -> Result<Self, store::Error> {
        // Two names of one file must come to one lock.
        if let Ok(path) = options.path.canonicalize() {
            options.path = path;
        }
        let action = || format!("open {}", options.path.display());
        Self::try_open(&options).map_err(|error| store::Error::new(action(), error))
    }

    fn try_open(options: &SqliteOptions) -> Result<Self, Error> {
        make_folder(&options.path)?;
        let lock = Arc::new(Lock::take(&options.path)?);
        let mut connection = connect(options, writing())?;
        set_up_writer(&connection, options)?;
        schema::migrate(&mut connection)?;
        tell_whether_it_can_shrink(&connection, options)?;
        let gates = Gates::default();
        let checkpointer = Arc::new(Checkpointer::start(
            connect(options, writing())?,
            gates.clone(),
            Arc::clone(&lock),
        )?);
        let writer = SqliteWriter::new(connection, gates.clone(), Arc::clone(&checkpointer))?;
        let pool = Pool::new(options.clone(), gates, checkpointer);
        Ok(Self { writer: Mutex::new(Some(writer)), pool })
    }
}

fn make_folder(path: &Path) -> Result<(), Error> {
    match path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        Some(folder) => std::fs::create_dir_all(folder)
            .map_err(|source| Error::Folder { path: folder.to_owned(), source }),
        None => Ok(()),
    }
}

fn writing() -> OpenFlags {
    OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
}

fn reading() -> OpenFlags {
    OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX
}

/// A process that only looks at the file with `sqlite3` may hold it for a moment.
const BUSY_WAIT: std::time::Duration = std::time::Duration::from_secs(5);

fn connect(options: &SqliteOptions, flags: OpenFlags) -> Result<Connection, Error> {
    let open = || {
        let connection = Connection::open_with_flags(&options.path, flags)?;
        connection.busy_timeout(BUSY_WAIT)?;
        connection.pragma_update(None, "synchronous", options.synchronous.as_str())?;
        connection.pragma_update(None, "wal_autocheckpoint", 0)?;
        Ok(connection)
    };
    open().map_err(|source| Error::Open { path: options.path.clone(), source })
}

fn set_up_writer(connection: &Connection, options: &SqliteOptions) -> Result<(), Error> {
    let set = || {
        // Of effect only while the file is empty, hence before it is given its log.
        connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
        connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
        connection.pragma_update(None, "cache_size", -i64::from(options.writer_cache_kib))
    };
    set().map_err(|source| Error::Open { path: options.path.clone(), source })
}

/// Whether a file can give space back is decided when it is made.
fn tell_whether_it_can_shrink(
    connection: &Connection,
    options: &SqliteOptions,
) -> Result<(), Error> {
    let mode: i64 = connection.pragma_query_value(None, "auto_vacuum", |row| row.get(0))?;
    if mode == 0 {
        tracing::info!(
            path = %options.path.display(),
            "This file was made by a version whose files never become smaller: space that is freed \
             in it is used again, not given back. VACUUM it with sqlite3 to change that"
        );
    }
    Ok(())
}

impl Store for SqliteStore {
    fn kind(&self) -> &'static str {
        KIND.kind
    }

    fn writer(&self) -> Result<Box<dyn Writer>, store::Error> {
        match self.writer.lock().take() {
            Some(writer) => Ok(Box::new(writer)),
            None => Err(store::Error::new("take the writer", WriterTaken)),
        }
    }

    fn events(&self) -> Arc<dyn Events> {
        Arc::new(self.pool.clone())
    }

    fn executions(&self) -> Arc<dyn Executions> {
        Arc::new(self.pool.clone())
    }

    fn definitions(&self) -> Arc<dyn Definitions> {
        Arc::new(self.pool.clone())
    }

    fn archive(&self) -> Arc<dyn Archive> {
        Arc::new(self.pool.clone())
    }

    fn documents(&self) -> Arc<dyn Documents> {
        Arc::new(self.pool.clone())
    }
}
