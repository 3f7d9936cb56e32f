//! What goes wrong with a SQLite file. Callers see it as the source of `ports::store::Error`.

use std::path::PathBuf;

use crate::once::Refused;

/// What was being done, with what SQLite or the system said.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("make the folder {path}", path = path.display())]
    Folder {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("take the lock {path}", path = path.display())]
    Lock {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error(
        "{path} is in use by another process ({holder}); stop it, or use another file",
        path = path.display()
    )]
    InUse { path: PathBuf, holder: String },
    #[error("open the database {path}", path = path.display())]
    Open {
        path: PathBuf,
        #[source]
        source: rusqlite::Error,
    },
    #[error("apply migration {name}")]
    Migrate {
        name: &'static str,
        #[source]
        source: rusqlite::Error,
    },
    #[error("the file was written by a newer version: its schema is {found}, known are {known}")]
    Newer { found: u32, known: u32 },
    #[error("row {row} of table {table} is corrupt: {what}")]
    Corrupt { table: &'static str, row: String, what: String },
    #[error("start the checkpoint thread")]
    Thread(#[source] std::io::Error),
    #[error(transparent)]
    Refused(#[from] Refused),
    #[error(transparent)]
    Encode(#[from] serde_json::Error),
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
}
