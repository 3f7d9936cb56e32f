//! A row that makes no sense is an error that names it.

use evoke_model::TriggerId;
use evoke_ports::store::{
    AuditQuery, Due, Error, EventQuery, ExecutionQuery, Finish, Next, Ripe, SegmentQuery, Write,
};
use evoke_ports::{Store, Writer};
use rusqlite::Connection;
use tempfile::TempDir;

use super::{NOW, event_id, execution_id, ingest, open, options};
use crate::SqliteStore;

/// A store with one event and one failed attempt of its execution, damaged by a statement.
fn damaged(folder: &TempDir, damage: &str) -> (SqliteStore, Box<dyn Writer>) {
    let store = open(folder);
    let mut writer = store.writer().unwrap();
    let attempt = |number| evoke_model::Attempt {
        number,
        started_at: NOW,
        finished_at: NOW,
        outcome: evoke_model::Outcome::Cancelled,
        logs: Vec::new(),
        version: 1,
    };
    let retry = |number| Finish {
        id: execution_id(1),
        attempt: Some(attempt(number)),
        next: Next::Retry { due: NOW },
        cause: None,
    };
    writer.commit(&[ingest(1, b"x"), Write::Finish(vec![retry(1), retry(2)])]).unwrap();
    Connection::open(options(folder).path).unwrap().execute_batch(damage).unwrap();
    (store, writer)
}

fn names(error: &Error, row: &str, table: &str) {
    let text = error.source.to_string();
    assert!(text.contains(row) && text.contains(table), "{text} does not name {row} of {table}");
}

#[tokio::test]
async fn a_damaged_event_is_named() {
    let row = event_id(1).to_string();
    for damage in [
        "UPDATE events SET type = x'ff'",
        "UPDATE events SET source = CAST(x'ff' AS TEXT)",
        "UPDATE events SET time = 'noon'",
        "UPDATE events SET data_kind = 700",
        "UPDATE events SET data_kind = NULL",
        "UPDATE events SET data = NULL",
        "UPDATE events SET lineage = '{'",
        "UPDATE events SET extensions = '[1]'",
        "UPDATE events SET due_at = 1.5",
        "UPDATE events SET replay_of = 'evt'",
    ] {
        let damage = damage.replace("data_kind = NULL", "data_kind = 'none'");
        let folder = tempfile::tempdir().unwrap();
        let (store, _writer) = damaged(&folder, &damage);
        let error = store.events().event(event_id(1)).await.expect_err(&damage);
        names(&error, &row, "events");
        let query = EventQuery { limit: 1, ..EventQuery::default() };
        let error = store.events().events(query).await.expect_err(&damage);
        names(&error, &row, "events");
    }
}

#[tokio::test]
async fn a_damaged_execution_is_named() {
    let row = execution_id(1).to_string();
    for damage in [
        "UPDATE executions SET state = 9",
        "UPDATE executions SET state = 'pending'",
        "UPDATE executions SET due_at = 'noon'",
        "UPDATE executions SET attempts = -1",
        "UPDATE executions SET order_key = x'00'",
        "UPDATE executions SET outcome = 0",
        "UPDATE executions SET outcome = 3",
        "UPDATE executions SET outcome = 2",
        "UPDATE executions SET version = NULL",
        "UPDATE executions SET logs = 'none'",
        "UPDATE executions SET not_before = 'noon'",
        "UPDATE executions SET flags = 'replay'",
        "UPDATE executions SET cause = 'timeout'",
        "UPDATE executions SET redirect = 'resize'",
        "UPDATE executions SET flags = 0.5",
    ] {
        let folder = tempfile::tempdir().unwrap();
        let (store, mut writer) = damaged(&folder, damage);
        let error = store.executions().execution(execution_id(1)).await.expect_err(damage);
        names(&error, &row, "executions");
        let query = ExecutionQuery { limit: 1, ..ExecutionQuery::default() };
        let error = store.executions().executions(query).await.expect_err(damage);
        names(&error, &row, "executions");
        // The writer goes on, with an error or with an answer.
        let finish = Finish {
            id: execution_id(1),
            attempt: None,
            next: Next::Retry { due: NOW },
            cause: None,
        };
        writer.commit(&[Write::Finish(vec![finish])]).unwrap();
    }
}

#[tokio::test]
async fn a_damaged_attempt_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _writer) = damaged(&folder, "UPDATE attempts SET outcome = 77");
    let error = store.executions().attempts(execution_id(1)).await.unwrap_err();
    names(&error, &execution_id(1).to_string(), "attempts");
}

#[tokio::test]
async fn a_waiting_execution_without_its_event_or_its_edited_data_is_named() {
    let query = Due {
        trigger: TriggerId::from_u64(1),
        after: None,
        until: NOW,
        order_key: None,
        limit: 10,
    };
    for damage in ["DELETE FROM events", "UPDATE executions SET flags = 4"] {
        let folder = tempfile::tempdir().unwrap();
        let (store, _writer) = damaged(&folder, damage);
        let error = store.executions().due(query.clone()).await.expect_err(damage);
        names(&error, &execution_id(1).to_string(), "executions");
    }
}

#[tokio::test]
async fn what_is_damaged_is_named_on_its_way_to_the_archive() {
    let all = Ripe {
        after: evoke_model::EventId::from_u64(0),
        before: evoke_model::Timestamp::from_micros(i64::MAX),
        limit: 10,
    };
    for (damage, table) in [
        ("UPDATE events SET time = 'noon'", "events"),
        ("UPDATE executions SET state = 9", "executions"),
        ("UPDATE attempts SET outcome = 77", "attempts"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let (store, _writer) = damaged(&folder, damage);
        let error = store.archive().ripe(all.clone()).await.expect_err(damage);
        names(&error, "_", table);
    }
    let folder = tempfile::tempdir().unwrap();
    let damage = "INSERT INTO segments VALUES (7, 0, 'c', 1, 2, -1, 0, '')";
    let (store, _writer) = damaged(&folder, damage);
    let error = store.archive().segments(SegmentQuery::default()).await.unwrap_err();
    names(&error, "row 7", "segments");
}

#[tokio::test]
async fn a_damaged_definition_is_named() {
    let damage = "INSERT INTO triggers VALUES (7, 'n', 'event', 1, NULL, '{\"format\":\"x\"}'); \
         INSERT INTO functions VALUES (7, 'n', 1, NULL, '{}'); \
         INSERT INTO keys VALUES (7, 'n', ''); \
         INSERT INTO operations VALUES (7, '[]'); \
         INSERT INTO audit VALUES (7, 'a', 's', '{}')";
    let folder = tempfile::tempdir().unwrap();
    let (store, _writer) = damaged(&folder, damage);
    let definitions = store.definitions();
    names(&definitions.triggers().await.unwrap_err(), "row 7", "triggers");
    names(&definitions.functions().await.unwrap_err(), "row 7", "functions");
    names(&definitions.keys().await.unwrap_err(), "row 7", "keys");
    names(&definitions.operations().await.unwrap_err(), "row 7", "operations");
    let all = AuditQuery { limit: 1, ..AuditQuery::default() };
    names(&definitions.audit(all).await.unwrap_err(), "row 7", "audit");
}

#[tokio::test]
async fn a_damaged_state_does_not_stop_a_change() {
    let folder = tempfile::tempdir().unwrap();
    let (_store, mut writer) = damaged(&folder, "UPDATE executions SET state = 9");
    let reopen =
        evoke_ports::store::Change::Reopen { id: execution_id(1), due: NOW, redirect: None };
    let error = writer.commit(&[Write::from(reopen)]).unwrap_err();
    names(&error, &execution_id(1).to_string(), "executions");
}
