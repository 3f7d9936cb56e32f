//! Whatever is written, memory and SQLite answer the same.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod agreement {
    pub mod documents;
    pub mod operation;
    pub mod reads;
}

use agreement::operation::{Operation, World, operations};
use agreement::{documents, reads};
use evoke_ports::Store;
use evoke_stores::{MemoryStore, SqliteOptions, SqliteStore, Synchronous};
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn memory_and_sqlite_agree(batches in prop::collection::vec(operations(), 1..12)) {
        let folder = tempfile::tempdir().unwrap();
        agree(&batches, &MemoryStore::new(), &sqlite(&folder));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]

    #[test]
    fn memory_and_sqlite_agree_on_documents(
        indexes in documents::first_indexes(),
        batches in documents::batches(),
        queries in prop::collection::vec(documents::query(), 1..12),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let (memory, sqlite) = (MemoryStore::new(), sqlite(&folder));
        let mut writers = [memory.writer().unwrap(), sqlite.writer().unwrap()];
        let mut world = documents::World::new();
        let first = documents::World::begin(indexes);
        let batches = batches.iter().map(|operations| world.batch(operations));
        for batch in std::iter::once(first).chain(batches) {
            let [one, other] = writers.each_mut().map(|writer| {
                writer.commit(&batch).map_err(|error| error.source.to_string())
            });
            prop_assert_eq!(one, other, "{:?}", batch);
        }
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let one = documents::everything(&memory, &queries, &world).await;
            assert_eq!(one, documents::everything(&sqlite, &queries, &world).await);
        });
    }
}

fn sqlite(folder: &tempfile::TempDir) -> SqliteStore {
    SqliteStore::open(SqliteOptions {
        synchronous: Synchronous::Off,
        ..SqliteOptions::at(folder.path().join("evoke.db"))
    })
    .unwrap()
}

fn agree(batches: &[Vec<Operation>], one: &dyn Store, other: &dyn Store) {
    let mut writers = [one.writer().unwrap(), other.writer().unwrap()];
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut world = World::new();
    for operations in batches {
        let batch = world.batch(operations);
        let [one, other] = writers.each_mut().map(|writer| {
            let receipts = writer.commit(&batch).map_err(|error| error.source.to_string());
            writer.housekeep(world.now).unwrap();
            receipts
        });
        assert_eq!(one, other, "{batch:?}");
    }
    runtime.block_on(async {
        assert_eq!(reads::everything(one, &world).await, reads::everything(other, &world).await);
    });
}
