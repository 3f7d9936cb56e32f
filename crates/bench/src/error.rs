//! What keeps a benchmark from being carried out.

use std::io;

/// A benchmark could not be carried out.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file system, a process or a socket.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// Why it failed.
        source: io::Error,
    },
    /// A program did not say that it is ready.
    #[error("{program} did not become ready within {seconds} s; it said:\n{said}")]
    NotReady {
        /// The program.
        program: String,
        /// How long was waited.
        seconds: u64,
        /// The end of what it printed.
        said: String,
    },
    /// The server gave an answer that a benchmark cannot go on with.
    #[error("{what}: {answer}")]
    Answer {
        /// What was asked.
        what: String,
        /// What came back.
        answer: String,
    },
    /// Something was lost, doubled or failed: the figure would be worth nothing.
    #[error("{0}")]
    Wrong(String),
    /// A store, ours or the floor's.
    #[error("{what}: {source}")]
    Store {
        /// What was tried.
        what: &'static str,
        /// Why it failed.
        source: rusqlite::Error,
    },
    /// A part that this machine lacks; the row is left out and says so.
    #[error("{0}")]
    Missing(String),
}

/// The result of a step of a benchmark.
pub(crate) type Result<T> = std::result::Result<T, Error>;

/// Says what was tried when it fails.
pub(crate) trait Tried<T> {
    fn tried(self, what: impl FnOnce() -> String) -> Result<T>;
}

impl<T> Tried<T> for io::Result<T> {
    fn tried(self, what: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|source| Error::Io { what: what(), source })
    }
}

/// Says what was tried with a store when it fails.
pub(crate) trait Stored<T> {
    fn stored(self, what: &'static str) -> Result<T>;
}

impl<T> Stored<T> for rusqlite::Result<T> {
    fn stored(self, what: &'static str) -> Result<T> {
        self.map_err(|source| Error::Store { what, source })
    }
}
