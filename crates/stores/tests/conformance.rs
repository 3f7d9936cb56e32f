//! Every store of the family passes the suite of its contract.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use evoke_ports::Store;
use evoke_stores::{MemoryStore, SqliteOptions, SqliteStore, Synchronous};
use evoke_testkit::conformance::store::{self, Harness, Keeps};
use tempfile::TempDir;

struct Memory;

impl Harness for Memory {
    type Place = ();

    fn place(&self) {}

    fn open(&self, (): &()) -> Arc<dyn Store> {
        Arc::new(MemoryStore::new())
    }

    fn keeps(&self) -> Keeps {
        Keeps::Nothing
    }
}

struct Sqlite;

impl Harness for Sqlite {
    type Place = TempDir;

    fn place(&self) -> TempDir {
        tempfile::tempdir().unwrap()
    }

    fn open(&self, place: &TempDir) -> Arc<dyn Store> {
        let options = SqliteOptions {
            synchronous: Synchronous::Off,
            ..SqliteOptions::at(place.path().join("evoke.db"))
        };
        Arc::new(SqliteStore::open(options).unwrap())
    }

    fn keeps(&self) -> Keeps {
        Keeps::Everything
    }
}

#[tokio::test]
async fn memory_conforms() {
    store::run(&Memory).await;
}

#[tokio::test]
async fn sqlite_conforms() {
    store::run(&Sqlite).await;
}
