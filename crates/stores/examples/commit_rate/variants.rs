//! The same life of an event on other tables, in plain SQL, to see what a choice costs.

use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::{Connection, params};

const EVENTS: &str =
    "CREATE TABLE events (id INTEGER PRIMARY KEY, type TEXT, source TEXT, time INTEGER, data);";
const COLUMNS: &str = "due_at INTEGER, attempts INTEGER DEFAULT 0, order_key TEXT, \
     version INTEGER, started_at INTEGER, finished_at INTEGER, output, not_before INTEGER, \
     flags INTEGER DEFAULT 0, cause INTEGER, redirect TEXT";
const OPEN: &str =
    "CREATE INDEX open ON executions (trigger_id, due_at, event_id) WHERE state < 2;";
const OPEN_TEXT: &str = "CREATE INDEX open ON executions (trigger_id, due_at, event_id) \
     WHERE state IN ('pending', 'running');";
const DEAD: &str =
    "CREATE INDEX dead ON executions (trigger_id, event_id, cause) WHERE cause IS NOT NULL;";
const BY_KEY: &str = "CREATE INDEX by_key ON executions (trigger_id, order_key, event_id) \
     WHERE order_key IS NOT NULL AND state < 2;";

/// One choice of tables.
pub struct Variant {
    /// What is different.
    pub name: &'static str,
    table: Table,
    state: &'static str,
    pending: &'static str,
    success: &'static str,
    indexes: &'static [&'static str],
    page_size: u32,
    auto_vacuum: &'static str,
}

enum Table {
    WithoutRowid,
    Rowid,
}

const AS_BUILT: Variant = Variant {
    name: "as built",
    table: Table::WithoutRowid,
    state: "INTEGER",
    pending: "0",
    success: "2",
    indexes: &[OPEN, DEAD, BY_KEY],
    page_size: 4_096,
    auto_vacuum: "INCREMENTAL",
};

/// All of them, the built one first.
pub const ALL: &[Variant] = &[
    AS_BUILT,
    Variant { name: "executions with rowid and a unique index", table: Table::Rowid, ..AS_BUILT },
    Variant {
        name: "state as text",
        state: "TEXT",
        pending: "'pending'",
        success: "'success'",
        indexes: &[OPEN_TEXT],
        ..AS_BUILT
    },
    Variant { name: "without giving space back", auto_vacuum: "NONE", ..AS_BUILT },
    Variant { name: "without the index of order keys", indexes: &[OPEN, DEAD], ..AS_BUILT },
    Variant { name: "with the index of what waits alone", indexes: &[OPEN], ..AS_BUILT },
    Variant { name: "without any index", indexes: &[], ..AS_BUILT },
    Variant { name: "pages of 8 KiB", page_size: 8_192, ..AS_BUILT },
    Variant { name: "pages of 16 KiB", page_size: 16_384, ..AS_BUILT },
];

impl Variant {
    fn create(&self, path: &Path) -> Connection {
        let connection = Connection::open(path).unwrap();
        connection.pragma_update(None, "page_size", self.page_size).unwrap();
        connection.pragma_update(None, "auto_vacuum", self.auto_vacuum).unwrap();
        connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(())).unwrap();
        connection.pragma_update(None, "synchronous", "FULL").unwrap();
        connection.pragma_update(None, "wal_autocheckpoint", 0).unwrap();
        let (key, end) = match self.table {
            Table::WithoutRowid => ("PRIMARY KEY (event_id, trigger_id)", "WITHOUT ROWID"),
            Table::Rowid => ("UNIQUE (event_id, trigger_id)", ""),
        };
        let state = self.state;
        let tables = format!(
            "{EVENTS} CREATE TABLE executions (event_id INTEGER NOT NULL, \
             trigger_id INTEGER NOT NULL, state {state} NOT NULL, {COLUMNS}, {key}) {end}; {}",
            self.indexes.concat()
        );
        connection.execute_batch(&tables).unwrap();
        connection
    }
}

/// Events a second with this choice.
pub fn run(variant: &Variant, folder: &Path, size: i64, time: Duration) -> f64 {
    let path = folder.join("variant.db");
    let connection = variant.create(&path);
    let data = super::payload();
    let data = std::str::from_utf8(&data).unwrap();
    let insert = format!(
        "INSERT INTO executions (event_id, trigger_id, state, due_at) VALUES (?1, 1, {}, ?2)",
        variant.pending
    );
    let finish = format!(
        "UPDATE executions SET state = {}, attempts = 1, version = 1, started_at = ?2, \
         finished_at = ?2, output = '{{\"ok\":true}}' WHERE event_id = ?1 AND trigger_id = 1 \
         AND state = {}",
        variant.success, variant.pending
    );
    let began = Instant::now();
    let mut next = 1_i64 << 40;
    let mut committed = 0;
    while began.elapsed() < time {
        let now = 1_795_000_000_000_000 + next;
        connection.prepare_cached("BEGIN IMMEDIATE").unwrap().execute([]).unwrap();
        {
            let mut event = connection
                .prepare_cached(
                    "INSERT INTO events VALUES (?1, 'order.created', '/orders', ?2, ?3)",
                )
                .unwrap();
            let mut insert = connection.prepare_cached(&insert).unwrap();
            let mut finish = connection.prepare_cached(&finish).unwrap();
            for id in next - size..next {
                finish.execute(params![id, now]).unwrap();
            }
            for id in next..next + size {
                event.execute(params![id, now, data]).unwrap();
                insert.execute(params![id, now]).unwrap();
            }
        }
        connection.prepare_cached("COMMIT").unwrap().execute([]).unwrap();
        next += size;
        committed += size;
    }
    let rate = committed as f64 / began.elapsed().as_secs_f64();
    drop(connection);
    std::fs::remove_file(path).unwrap();
    rate
}
