//! What may take long keeps nobody waiting, and ends with whoever waits for it.

use std::sync::mpsc::{Receiver, channel};

use tokio::task::JoinHandle;

use super::{open, options};
use crate::SqliteStore;
use crate::sqlite::error::Error;

const ENDLESS: &str = "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers) \
     SELECT count(*) FROM numbers";

/// A search without an end, and its beginning.
fn endless(store: &SqliteStore) -> (JoinHandle<()>, Receiver<()>) {
    let pool = store.pool.clone();
    let (begun, has_begun) = channel();
    let search = tokio::spawn(async move {
        let found = pool.search("count without an end", move |connection| {
            begun.send(()).unwrap();
            connection.query_row(ENDLESS, [], |_| Ok(())).map_err(Error::from)
        });
        found.await.unwrap();
    });
    (search, has_begun)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn searches_without_an_end_keep_no_read_waiting_and_end_with_their_callers() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let places = options(&folder).readers;
    for _ in 0..2 {
        let searches: Vec<_> = (0..places).map(|_| endless(&store)).collect();
        for (_, has_begun) in &searches {
            has_begun.recv().unwrap();
        }
        let one = |connection: &rusqlite::Connection| {
            connection.query_row("SELECT 1", [], |row| row.get(0)).map_err(Error::from)
        };
        let read: i64 = store.pool.read("read beside them", one).await.unwrap();
        assert_eq!(read, 1);
        for (search, _) in searches {
            search.abort();
            assert!(search.await.unwrap_err().is_cancelled());
        }
        let found: i64 = store.pool.search("search after them", one).await.unwrap();
        assert_eq!(found, 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_left_before_its_turn_is_searched_for_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let places = options(&folder).readers;
    let busy: Vec<_> = (0..places).map(|_| endless(&store)).collect();
    for (_, has_begun) in &busy {
        has_begun.recv().unwrap();
    }
    let (waiting, has_begun) = endless(&store);
    waiting.abort();
    assert!(waiting.await.unwrap_err().is_cancelled());
    for (search, _) in busy {
        search.abort();
    }
    assert!(has_begun.recv().is_err(), "it never began");
}
