//! The stores: one folder a kind. All pass `testkit::conformance::store`.
//!
//! [`memory`] keeps everything in maps, for tests and throw-away servers; [`sqlite`] keeps it in
//! one file. What both must decide alike stands beside them, in `once`, `page`, `cursor` and
//! `groups`.

pub mod memory;
pub mod sqlite;

mod cursor;
mod groups;
mod once;
mod page;

use std::sync::Arc;

use evoke_ports::{Store, store};

pub use memory::MemoryStore;
pub use sqlite::{SqliteOptions, SqliteStore, Synchronous};

/// A kind of store and how it is opened.
#[derive(Debug, Clone, Copy)]
pub struct Kind {
    /// The word before the colon of a location, and [`Store::kind`].
    pub kind: &'static str,
    /// One sentence: what it is for.
    pub summary: &'static str,
    /// A location that works.
    pub example: &'static str,
    open: fn(&str) -> Result<Arc<dyn Store>, store::Error>,
}

/// The kinds of this crate.
pub fn builtin() -> &'static [Kind] {
    &[memory::KIND, sqlite::KIND]
}

/// The location names no kind of store.
#[derive(Debug, thiserror::Error)]
#[error("no kind of store is called {0:?}; there are memory and sqlite:PATH")]
pub struct UnknownKind(String);

/// Opens the store at a location as configuration writes it: `memory`, `sqlite:PATH` or
/// `sqlite://PATH`, with the defaults of its kind. Blocks while it opens.
///
/// # Errors
/// When the kind is unknown or the store cannot be opened.
pub fn open(location: &str) -> Result<Arc<dyn Store>, store::Error> {
    let (kind, rest) = location.split_once(':').unwrap_or((location, ""));
    let rest = rest.strip_prefix("//").unwrap_or(rest);
    match builtin().iter().find(|known| known.kind == kind) {
        Some(known) => (known.open)(rest),
        None => Err(store::Error::new("open the store", UnknownKind(kind.to_owned()))),
    }
}

/// The writer of a store was asked for twice.
#[derive(Debug, thiserror::Error)]
#[error("the one writer of this store was taken already")]
pub(crate) struct WriterTaken;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_says_which_store() {
        assert_eq!(open("memory").unwrap().kind(), "memory");
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("evoke.db");
        assert_eq!(open(&format!("sqlite:{}", file.display())).unwrap().kind(), "sqlite");
        assert_eq!(open(&format!("sqlite://{}", file.display())).unwrap().kind(), "sqlite");
        let error = open("redis:x").err().unwrap();
        assert!(error.source.to_string().contains("redis"), "{}", error.source);
    }

    #[test]
    fn the_examples_of_the_kinds_name_their_kind() {
        for kind in builtin() {
            assert!(kind.example.starts_with(kind.kind), "{kind:?}");
        }
    }
}
