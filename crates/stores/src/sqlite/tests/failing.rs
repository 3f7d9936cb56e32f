//! The disk says no: an error with its source, and nothing of the batch.

use evoke_ports::{Store, Writer};

use super::{event_id, ingest, open};
use crate::sqlite::SqliteStore;
use crate::sqlite::writer::SqliteWriter;

fn take(store: &SqliteStore) -> SqliteWriter {
    store.writer.lock().take().unwrap()
}

async fn assert_nothing_of(store: &SqliteStore, n: u64) {
    assert_eq!(store.events().event(event_id(n)).await.unwrap(), None);
}

#[tokio::test]
async fn a_full_disk_keeps_nothing_of_the_batch() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let mut writer = take(&store);
    let pages: i64 =
        writer.connection().pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
    let limit = |writer: &SqliteWriter, pages: i64| {
        writer
            .connection()
            .pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))
            .unwrap();
    };
    limit(&writer, pages + 2);
    let batch = [ingest(1, b"small"), ingest(2, &[7; 100_000])];
    let error = writer.commit(&batch).unwrap_err();
    assert_eq!(error.to_string(), "commit 2 writes");
    assert!(error.source.to_string().contains("full"), "{}", error.source);
    assert_nothing_of(&store, 1).await;
    // With room again the same batch goes through.
    limit(&writer, 1_000_000);
    writer.commit(&batch).unwrap();
    assert!(store.events().event(event_id(2)).await.unwrap().is_some());
}

#[tokio::test]
async fn a_file_that_cannot_be_written_refuses_the_batch() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let mut writer = take(&store);
    writer.connection().pragma_update(None, "query_only", true).unwrap();
    let error = writer.commit(&[ingest(1, b"x")]).unwrap_err();
    assert!(error.source.to_string().contains("readonly"), "{}", error.source);
    writer.connection().pragma_update(None, "query_only", false).unwrap();
    assert_nothing_of(&store, 1).await;
    writer.commit(&[ingest(1, b"x")]).unwrap();
}

#[tokio::test]
async fn a_lost_table_is_told_by_reads_and_writes() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let mut writer = take(&store);
    writer.connection().execute_batch("DROP TABLE events").unwrap();
    let error = writer.commit(&[ingest(1, b"x")]).unwrap_err();
    assert!(error.source.to_string().contains("events"), "{}", error.source);
    let error = store.events().newest().await.unwrap_err();
    assert_eq!(error.to_string(), "read the newest id");
    assert!(error.source.to_string().contains("events"), "{}", error.source);
}
