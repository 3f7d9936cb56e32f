//! The raw store: the life of an event on SQLite, with WAL, `synchronous=FULL` and checkpoints on
//! another thread, and nothing else.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::{CachedStatement, Connection, params};
use tokio::sync::{mpsc, oneshot};

use crate::error::{Error, Result, Stored, Tried};

/// Senders that wait for two durable answers per event.
const PRODUCERS: usize = 64;
/// Rows of one transaction of the one-thread life cycle.
const BATCH: u64 = 256;
/// Pages in the log before it is folded into the file: 8 MB.
const CHECKPOINT_PAGES: i64 = 2_000;
/// As large as the payload of the benchmark's events.
const PAYLOAD: &[u8] = br#"{"run":"floor","n":"0000000000","customer":"cus_81","total":129.95,"currency":"EUR","items":[{"sku":"A-1","quantity":2},{"sku":"B-7","quantity":1}],"note":"as large as the measured ones"}"#;

const SCHEMA: &str = "
    CREATE TABLE events (id INTEGER PRIMARY KEY, type TEXT NOT NULL, source TEXT NOT NULL,
                         time INTEGER NOT NULL, data BLOB NOT NULL);
    CREATE TABLE executions (event INTEGER NOT NULL, trigger INTEGER NOT NULL,
                             state INTEGER NOT NULL, due INTEGER NOT NULL, attempts INTEGER NOT NULL,
                             started_at INTEGER, finished_at INTEGER, output BLOB,
                             PRIMARY KEY (event, trigger)) WITHOUT ROWID;";

/// One thing the writer shall do, and whom to tell when it is durable.
struct Order {
    event: u64,
    step: Step,
    durable: oneshot::Sender<()>,
}

#[derive(Clone, Copy)]
enum Step {
    Begin,
    End,
}

/// Events per second with one writer and 64 senders: a row for the event and one for its execution
/// are committed and acknowledged, then the end of the execution is.
///
/// # Errors
/// The store cannot be written.
pub(crate) fn group_commit(folder: &Path, events: u64) -> Result<f64> {
    let file = folder.join("group.db");
    let connection = open(&file, SCHEMA)?;
    let checkpoints = Checkpoints::start(&file)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .build()
        .tried(|| "start a runtime".into())?;
    let (orders, queue) = mpsc::channel(PRODUCERS);
    let writer = thread::spawn(move || write(connection, queue));
    let began = Instant::now();
    let next = Arc::new(AtomicU64::new(0));
    let sent = runtime.block_on(async {
        let mut producers = tokio::task::JoinSet::new();
        for _ in 0..PRODUCERS {
            producers.spawn(produce(orders.clone(), Arc::clone(&next), events));
        }
        drop(orders);
        producers.join_all().await.into_iter().all(std::convert::identity)
    });
    let took = began.elapsed();
    let written = writer.join().map_err(|_| Error::Wrong("the writer panicked".into()))?;
    checkpoints.stop();
    written?;
    if !sent {
        return Err(Error::Wrong("the writer of the floor ended early".into()));
    }
    Ok(events as f64 / took.as_secs_f64())
}

async fn produce(orders: mpsc::Sender<Order>, next: Arc<AtomicU64>, events: u64) -> bool {
    loop {
        let event = next.fetch_add(1, Ordering::Relaxed);
        if event >= events {
            return true;
        }
        for step in [Step::Begin, Step::End] {
            let (durable, told) = oneshot::channel();
            if orders.send(Order { event, step, durable }).await.is_err() || told.await.is_err() {
                return false;
            }
        }
    }
}

fn write(mut connection: Connection, mut queue: mpsc::Receiver<Order>) -> Result<()> {
    let mut orders = Vec::with_capacity(PRODUCERS);
    while queue.blocking_recv_many(&mut orders, PRODUCERS) > 0 {
        let transaction = connection.transaction().stored("begin")?;
        {
            let mut rows = Rows::prepare(&transaction)?;
            for order in &orders {
                match order.step {
                    Step::Begin => rows.begin(order.event)?,
                    Step::End => rows.end(order.event)?,
                }
            }
        }
        transaction.commit().stored("commit")?;
        for order in orders.drain(..) {
            // A sender that went away needs no answer.
            order.durable.send(()).ok();
        }
    }
    Ok(())
}

/// Events per second with one thread and nobody to answer, in batches of 256.
///
/// # Errors
/// The store cannot be written.
pub(crate) fn one_thread(folder: &Path, events: u64) -> Result<f64> {
    let file = folder.join("thread.db");
    let mut connection = open(&file, SCHEMA)?;
    let checkpoints = Checkpoints::start(&file)?;
    let began = Instant::now();
    for first in (0..events).step_by(BATCH as usize) {
        for step in [Step::Begin, Step::End] {
            let transaction = connection.transaction().stored("begin")?;
            {
                let mut rows = Rows::prepare(&transaction)?;
                for event in first..(first + BATCH).min(events) {
                    match step {
                        Step::Begin => rows.begin(event)?,
                        Step::End => rows.end(event)?,
                    }
                }
            }
            transaction.commit().stored("commit")?;
        }
    }
    let took = began.elapsed();
    checkpoints.stop();
    Ok(events as f64 / took.as_secs_f64())
}

/// The three statements of an event's life.
struct Rows<'a> {
    event: CachedStatement<'a>,
    execution: CachedStatement<'a>,
    end: CachedStatement<'a>,
}

impl<'a> Rows<'a> {
    fn prepare(connection: &'a Connection) -> Result<Self> {
        let prepare = |sql| connection.prepare_cached(sql).stored("prepare");
        Ok(Self {
            event: prepare("INSERT INTO events VALUES (?1, 'bench.tick', '/api/events', ?2, ?3)")?,
            execution: prepare(
                "INSERT INTO executions (event, trigger, state, due, attempts)
                 VALUES (?1, 1, 0, ?2, 0)",
            )?,
            end: prepare(
                "UPDATE executions SET state = 2, attempts = 1, started_at = ?2, finished_at = ?2,
                 output = ?3 WHERE event = ?1 AND trigger = 1",
            )?,
        })
    }

    fn begin(&mut self, event: u64) -> Result<()> {
        let now = crate::process::unix_us() as i64;
        self.event.execute(params![event as i64, now, PAYLOAD]).stored("insert an event")?;
        self.execution.execute(params![event as i64, now]).stored("insert an execution")?;
        Ok(())
    }

    fn end(&mut self, event: u64) -> Result<()> {
        let now = crate::process::unix_us() as i64;
        let output: &[u8] = br#"{"n":"0000000000"}"#;
        self.end.execute(params![event as i64, now, output]).stored("end an execution")?;
        Ok(())
    }
}

/// A new store with these tables, set up as the server sets up its own.
pub(super) fn open(file: &Path, schema: &str) -> Result<Connection> {
    for suffix in ["", "-wal", "-shm"] {
        let mut name = file.as_os_str().to_owned();
        name.push(suffix);
        if Path::new(&name).exists() {
            std::fs::remove_file(&name).tried(|| format!("remove {}", name.display()))?;
        }
    }
    let connection = Connection::open(file).stored("open the store")?;
    for (name, value) in [("journal_mode", "WAL"), ("synchronous", "FULL")] {
        connection.pragma_update(None, name, value).stored("set up the store")?;
    }
    connection.pragma_update(None, "wal_autocheckpoint", 0).stored("set up the store")?;
    connection.execute_batch(schema).stored("make the tables")?;
    Ok(connection)
}

/// Folds the log into the file from a thread of its own.
pub(super) struct Checkpoints {
    stop: Arc<AtomicBool>,
    thread: thread::JoinHandle<()>,
}

impl Checkpoints {
    pub(super) fn start(file: &Path) -> Result<Self> {
        let connection = Connection::open(file).stored("open the store")?;
        let wal = {
            let mut name = file.as_os_str().to_owned();
            name.push("-wal");
            std::path::PathBuf::from(name)
        };
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                thread::sleep(Duration::from_millis(20));
                let pages = std::fs::metadata(&wal).map_or(0, |data| data.len() as i64 / 4_096);
                if pages < CHECKPOINT_PAGES {
                    continue;
                }
                // A checkpoint that could not be made is tried again with the next look.
                connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())).ok();
            }
        });
        Ok(Self { stop, thread })
    }

    pub(super) fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        // A thread that panicked has nothing left to stop.
        self.thread.join().ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_floors_end_every_event() {
        let folder = tempfile::tempdir().unwrap();
        assert!(group_commit(folder.path(), 1_000).unwrap() > 0.0);
        assert!(one_thread(folder.path(), 1_000).unwrap() > 0.0);
        for file in ["group.db", "thread.db"] {
            let connection = Connection::open(folder.path().join(file)).unwrap();
            let sql = "SELECT count(*) FROM executions JOIN events ON id = event WHERE state = 2";
            let ended: i64 = connection.query_row(sql, [], |row| row.get(0)).unwrap();
            assert_eq!(ended, 1_000, "{file}");
        }
    }
}
