//! Whatever is written, memory and SQLite answer the same.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod agreement {
    pub mod operation;
    pub mod reads;
}

use agreement::operation::{Operation, World, operations};
use agreement::reads;
use evoke_ports::Store;
use evoke_stores::{MemoryStore, SqliteOptions, SqliteStore, Synchronous};
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn memory_and_sqlite_agree(batches in prop::collection::vec(operations(), 1..12)) {
        let folder = tempfile::tempdir().unwrap();
        let sqlite = SqliteStore::open(SqliteOptions {
            synchronous: Synchronous::Off,
            ..SqliteOptions::at(folder.path().join("evoke.db"))
        })
        .unwrap();
        agree(&batches, &MemoryStore::new(), &sqlite);
    }
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
