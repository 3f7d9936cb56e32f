//! What only this store does: its file, its plans, its formats. The contract itself is tested by
//! the conformance suite.

mod corrupt;
mod documents;
mod failing;
mod files;
mod formats;
mod migrating;
mod plans;
mod purge;
mod searching;
mod space;

use std::sync::Arc;

use bytes::Bytes;
use evoke_model::{Data, Event, EventId, ExecutionId, Timestamp, TriggerId};
use evoke_ports::store::{Ingest, NewExecution, OnceKey, Write};
use tempfile::TempDir;

use super::{SqliteOptions, SqliteStore, Synchronous};

const NOW: Timestamp = Timestamp::from_micros(1_795_000_000_000_000);

fn options(folder: &TempDir) -> SqliteOptions {
    SqliteOptions {
        synchronous: Synchronous::Off,
        ..SqliteOptions::at(folder.path().join("evoke.db"))
    }
}

fn open(folder: &TempDir) -> SqliteStore {
    SqliteStore::open(options(folder)).unwrap()
}

/// The id of the event `n`, made at [`NOW`].
fn event_id(n: u64) -> EventId {
    EventId::from_u64(EventId::first_at(NOW).as_u64() + n)
}

fn execution_id(n: u64) -> ExecutionId {
    ExecutionId { event: event_id(n), trigger: TriggerId::from_u64(1) }
}

/// The event `n` with one execution and this payload.
fn ingest(n: u64, payload: &[u8]) -> Write {
    let event = Event {
        time: NOW,
        data: Data::Binary(Bytes::copy_from_slice(payload)),
        ..evoke_testkit::plain_event(event_id(n), "/tests", "tests.event")
    };
    let execution = NewExecution {
        id: execution_id(n),
        due: NOW,
        order_key: None,
        concurrency_key: None,
        done: None,
        is_test_run: false,
        is_replay: false,
        once: None,
        redirect: None,
    };
    Write::Ingest(Ingest {
        events: vec![Arc::new(event)],
        executions: vec![execution],
        once: Vec::new(),
    })
}

/// The event `n` under a key of its own.
fn ingest_keyed(n: u64, expires: Timestamp) -> Write {
    match ingest(n, b"") {
        Write::Ingest(mut ingest) => {
            ingest.once = vec![OnceKey { event: 0, key: format!("key\0{n}").into(), expires }];
            Write::Ingest(ingest)
        }
        other => other,
    }
}
