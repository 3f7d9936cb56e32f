//! A file of the first version is read as if it had been written by this one.

use std::time::Duration;

use evoke_model::{Cause, Data, Event, EventId, ExecutionId, Lineage, State, TriggerId};
use evoke_ports::Store;
use evoke_ports::store::{Change, DeadLetters, Due, EventQuery, ExecutionQuery, Write};
use rusqlite::Connection;
use tempfile::TempDir;

use super::{NOW, event_id, open, options};
use crate::sqlite::schema::MIGRATIONS;

fn trigger(number: u64) -> TriggerId {
    TriggerId::from_u64(number)
}

fn id(event: u64, of: u64) -> ExecutionId {
    ExecutionId { event: event_id(event), trigger: trigger(of) }
}

/// What the first version left: a chain of two events and, of the first, executions that failed,
/// ran out of time, succeeded, wait, and wait with an order key for a retry in a minute.
fn first_version(folder: &TempDir) {
    let file = Connection::open(options(folder).path).unwrap();
    file.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(())).unwrap();
    let first = &MIGRATIONS[0];
    file.execute_batch(first.up).unwrap();
    file.execute_batch(&format!(
        "CREATE TABLE schema_migrations (version INTEGER PRIMARY KEY, name TEXT NOT NULL); \
         INSERT INTO schema_migrations VALUES (1, '{}')",
        first.name
    ))
    .unwrap();
    let now = NOW.as_micros();
    let (root, leaf) = (event_id(1).as_u64(), event_id(2).as_u64());
    let lineage = Lineage { root: Some(event_id(1)), depth: 1, ..Lineage::default() };
    let lineage = serde_json::to_string(&lineage).unwrap();
    let rootless = serde_json::to_string(&Lineage::default()).unwrap();
    let (late, failure) = (now + 60_000_000, "{\"code\":\"FN_004\",\"message\":\"it threw\"}");
    file.execute_batch(&format!(
        "INSERT INTO events (id, type, source, time, lineage) VALUES \
         ({root}, 'a', '/s', {now}, '{rootless}'), ({leaf}, 'b', '/s', {now}, '{lineage}'); \
         INSERT INTO executions (event_id, trigger_id, state, due_at, attempts, version, \
         started_at, finished_at, outcome, error) VALUES \
         ({root}, 1, 3, {now}, 1, 1, {now}, {now}, 3, '{failure}'), \
         ({root}, 2, 4, {now}, 1, 1, {now}, {now}, 4, '{failure}'); \
         INSERT INTO executions (event_id, trigger_id, state, due_at, order_key) VALUES \
         ({root}, 3, 2, {now}, NULL), ({root}, 4, 0, {late}, NULL), ({root}, 5, 0, {late}, 'k'), \
         ({leaf}, 5, 0, {now}, 'k'); \
         UPDATE executions SET is_test_run = 1 WHERE trigger_id = 3"
    ))
    .unwrap();
}

#[tokio::test]
async fn its_dead_letters_are_of_no_known_cause() {
    let folder = tempfile::tempdir().unwrap();
    first_version(&folder);
    let store = open(&folder);
    let group = |of| DeadLetters {
        trigger: trigger(of),
        cause: Cause(0),
        count: 1,
        first: event_id(1),
        last: event_id(1),
    };
    assert_eq!(store.executions().dead_letters().await.unwrap(), [group(1), group(2)]);
    let query = ExecutionQuery { only_dead_letters: true, limit: 9, ..ExecutionQuery::default() };
    let found = store.executions().executions(query).await.unwrap().items;
    assert_eq!(found.iter().map(|found| found.id).collect::<Vec<_>>(), [id(1, 2), id(1, 1)]);
    let done = store.executions().execution(id(1, 3)).await.unwrap().unwrap();
    assert_eq!((done.state, done.cause), (State::Success, None));
    assert!(done.is_test_run);
    assert!(!done.is_replay && !done.is_edited && done.redirect.is_none());
}

#[tokio::test]
async fn its_queues_are_in_the_order_in_which_events_came() {
    let folder = tempfile::tempdir().unwrap();
    first_version(&folder);
    let store = open(&folder);
    let query = Due { trigger: trigger(5), after: None, until: NOW, order_key: None, limit: 9 };
    let found = store.executions().due(query.clone()).await.unwrap();
    assert_eq!(found.iter().map(|found| found.id).collect::<Vec<_>>(), [id(1, 5), id(2, 5)]);
    assert_eq!(found[0].due.since(NOW).as_secs(), 60);
    assert_eq!(found[0].queued, event_id(1).made_at());
    let unordered = Due { trigger: trigger(4), ..query };
    assert!(store.executions().due(unordered).await.unwrap().is_empty(), "it is due in a minute");
}

#[tokio::test]
async fn its_chains_are_known() {
    let folder = tempfile::tempdir().unwrap();
    first_version(&folder);
    let store = open(&folder);
    let of = |root: EventId| EventQuery { root: Some(root), limit: 9, ..EventQuery::default() };
    let found = store.events().events(of(event_id(1))).await.unwrap().items;
    let ids: Vec<EventId> = found.iter().map(|event: &std::sync::Arc<Event>| event.id).collect();
    assert_eq!(ids, [event_id(2), event_id(1)]);
    assert_eq!((found[0].root(), found[0].replay_of), (event_id(1), None));
    assert_eq!(found[0].data, Data::None);
}

#[test]
fn it_does_not_become_smaller() {
    let folder = tempfile::tempdir().unwrap();
    first_version(&folder);
    let mut writer = open(&folder).writer().unwrap();
    let shrink = Write::from(Change::Shrink { bytes: 1 << 20, within: Duration::MAX });
    let receipts = writer.commit(&[shrink]).unwrap();
    assert_eq!(receipts, [evoke_ports::store::Receipt::Changed(false)]);
}

/// What the second version left had a column for each of these.
#[tokio::test]
async fn what_an_execution_is_was_told_by_columns() {
    let folder = tempfile::tempdir().unwrap();
    first_version(&folder);
    let file = Connection::open(options(&folder).path).unwrap();
    file.execute_batch(MIGRATIONS[1].up).unwrap();
    file.execute("INSERT INTO schema_migrations VALUES (2, ?1)", [MIGRATIONS[1].name]).unwrap();
    file.execute_batch(
        "UPDATE executions SET is_replay = 1 WHERE trigger_id IN (1, 3); \
         UPDATE executions SET is_edited = 1 WHERE trigger_id IN (2, 3)",
    )
    .unwrap();
    drop(file);
    let store = open(&folder);
    for (of, expected) in [
        (1, [false, true, false]),
        (2, [false, false, true]),
        (3, [true, true, true]),
        (4, [false; 3]),
    ] {
        let found = store.executions().execution(id(1, of)).await.unwrap().unwrap();
        assert_eq!([found.is_test_run, found.is_replay, found.is_edited], expected, "{of}");
    }
}
