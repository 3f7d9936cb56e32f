//! Space that nothing uses goes back to the machine.

use std::time::Duration;

use evoke_model::State;
use evoke_ports::Store;
use evoke_ports::store::{Change, Finish, Next, Receipt, Removal, Size, Write};
use rusqlite::Connection;
use tempfile::TempDir;

use super::{event_id, execution_id, ingest, open, options};
use crate::SqliteStore;
use crate::sqlite::checkpoint::{self, Gates, Limits};

const EVENTS: u64 = 50;
const PAYLOAD: usize = 100_000;

/// What the file has, with its log moved into it.
fn file_bytes(folder: &TempDir) -> u64 {
    let connection = Connection::open(options(folder).path).unwrap();
    let limits = Limits { hold_writer_pages: u32::MAX, hold_readers_pages: u32::MAX };
    // While the store moves it itself, nothing is told of the log.
    let log =
        std::iter::repeat_with(|| checkpoint::checkpoint(&connection, &Gates::default(), &limits))
            .map(Result::unwrap)
            .find(|log| log.pages > 0)
            .unwrap();
    assert_eq!(log.moved, log.pages);
    std::fs::metadata(options(folder).path).unwrap().len()
}

async fn size(store: &SqliteStore) -> Size {
    store.archive().size().await.unwrap()
}

fn removal() -> Write {
    let events = (0..EVENTS).map(event_id).collect();
    let executions = (0..EVENTS).map(execution_id).collect();
    Write::from(Change::Remove(Removal { events, executions }))
}

#[tokio::test]
async fn what_is_removed_makes_the_file_smaller_as_far_as_asked() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let mut writer = store.writer().unwrap();
    let batch: Vec<Write> = (0..EVENTS).map(|n| ingest(n, &[7; PAYLOAD])).collect();
    writer.commit(&batch).unwrap();
    let finish = |n| Finish {
        id: execution_id(n),
        attempt: None,
        next: Next::Done(State::Success),
        cause: None,
    };
    writer.commit(&[Write::Finish((0..EVENTS).map(finish).collect()), removal()]).unwrap();
    let full = size(&store).await;
    assert!(full.free > EVENTS * PAYLOAD as u64, "{full:?}");
    let before = file_bytes(&folder);
    assert_eq!(before, full.used + full.free);

    let mut shrink = |bytes, within| {
        let receipts = writer.commit(&[Write::from(Change::Shrink { bytes, within })]).unwrap();
        receipts == [Receipt::Changed(true)]
    };
    assert!(!shrink(4_000, Duration::MAX), "less than a page");
    assert!(shrink(1_000_000, Duration::ZERO));
    let less = file_bytes(&folder);
    assert!((1..100_000).contains(&(before - less)), "{before} {less}");
    assert!(shrink(1_000_000, Duration::MAX));
    let part = file_bytes(&folder);
    assert!((900_000..=1_010_000).contains(&(less - part)), "{less} {part}");
    assert!(shrink(u64::MAX, Duration::MAX));
    assert!(!shrink(u64::MAX, Duration::MAX));
    let left = size(&store).await;
    assert_eq!((left.free, left.used), (0, file_bytes(&folder)));
    assert!(left.used < 200_000, "{left:?}");
}
