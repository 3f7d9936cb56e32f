//! Moves the write-ahead log into the file, on a thread of its own: done inside a commit it would
//! cost that commit 20 ms.
//!
//! A passive checkpoint disturbs nobody, but the log begins anew only when a commit finds all of it
//! moved, and under load commits add to it while it is being moved. So once the log is large, what
//! came meanwhile is moved once more, and the rest, a few commits by then, with the writer held
//! back; and once it is far too large, which takes readers that overlap without end, readers are
//! held back too and the log is cut off. Cutting off is the last resort: the machine takes some
//! 200 µs for each MiB to forget its pages, and everybody waits for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::{Mutex, RwLock};
use rusqlite::Connection;

use super::error::Error;
use super::lock::Lock;

/// How much is added to the log before it is moved, in pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stretch(u32);

impl Stretch {
    /// 16 MiB. Less, and pages that change again and again are written to the file again and again.
    pub const NORMAL: Self = Self(4_096);
    /// 4 MiB, for changes all over the file: to write their pages keeps the disk busy, and commits
    /// wait behind all that is written at once.
    pub const SCATTERED: Self = Self(1_024);
}

/// When a checkpoint holds others back, in pages of the log.
pub(super) struct Limits {
    pub hold_writer_pages: u32,
    pub hold_readers_pages: u32,
}

impl Limits {
    /// 32 and 256 MiB.
    const NORMAL: Self = Self { hold_writer_pages: 8_192, hold_readers_pages: 65_536 };
    /// Whatever its length, the log is moved whole and cut off.
    pub const EMPTY: Self = Self { hold_writer_pages: 0, hold_readers_pages: 0 };
}

/// What commits and reads pass through, so that a checkpoint can hold them back.
#[derive(Clone, Default)]
pub(super) struct Gates {
    /// Held by a commit.
    pub commits: Arc<Mutex<()>>,
    /// Shared by reads.
    pub reads: Arc<RwLock<()>>,
}

/// The checkpoint thread. It ends, and the file's lock with it, when the last handle is dropped.
pub(super) struct Checkpointer {
    nudge: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
    failure: Arc<Mutex<Option<rusqlite::Error>>>,
    wants_empty: Arc<AtomicBool>,
    /// Frees the file last, when the thread has closed its connection.
    _lock: Arc<Lock>,
}

impl Checkpointer {
    pub fn start(connection: Connection, gates: Gates, lock: Arc<Lock>) -> Result<Self, Error> {
        // Whoever else holds the file, commits must not wait for a checkpoint that waits for them.
        connection.busy_timeout(Duration::ZERO)?;
        // One waiting nudge says as much as many.
        let (nudge, nudges) = sync_channel(1);
        let failure = Arc::new(Mutex::new(None));
        let loop_failure = Arc::clone(&failure);
        let wants_empty = Arc::new(AtomicBool::new(false));
        let loop_wants_empty = Arc::clone(&wants_empty);
        let thread = std::thread::Builder::new()
            .name("evoke-checkpoint".to_owned())
            .spawn(move || {
                while nudges.recv().is_ok() {
                    let is_whole = loop_wants_empty.swap(false, Ordering::Relaxed);
                    let limits = if is_whole { &Limits::EMPTY } else { &Limits::NORMAL };
                    if let Err(error) = checkpoint(&connection, &gates, limits) {
                        *loop_failure.lock() = Some(error);
                    }
                }
            })
            .map_err(Error::Thread)?;
        let (nudge, thread) = (Some(nudge), Some(thread));
        Ok(Self { nudge, thread, failure, wants_empty, _lock: lock })
    }

    /// Asks for a checkpoint soon.
    pub fn nudge(&self) {
        if let Some(nudge) = &self.nudge {
            // A full channel has a nudge waiting already, and the thread outlives this handle.
            nudge.try_send(()).ok();
        }
    }

    /// Asks for one soon that leaves nothing of the log, not even its file's length.
    pub fn empty(&self) {
        self.wants_empty.store(true, Ordering::Relaxed);
        self.nudge();
    }

    /// What the last checkpoint failed with, once.
    pub fn failure(&self) -> Option<rusqlite::Error> {
        self.failure.lock().take()
    }
}

impl Drop for Checkpointer {
    fn drop(&mut self) {
        self.nudge = None;
        if let Some(thread) = self.thread.take() {
            // A panic of the thread was reported when it happened; all that counts here is that it
            // has closed its connection.
            thread.join().ok();
        }
    }
}

/// The log after a step.
#[derive(Debug, Clone, Copy)]
pub(super) struct Log {
    pub pages: u32,
    /// Pages that are in the file.
    #[cfg_attr(not(test), expect(dead_code, reason = "tests look at it"))]
    pub moved: u32,
}

/// Moves the log, holding others back as far as its length makes it necessary.
pub(super) fn checkpoint(
    connection: &Connection,
    gates: &Gates,
    limits: &Limits,
) -> Result<Log, rusqlite::Error> {
    // What is told is the log as it was when the step began: that all of it was moved does not say
    // that nothing has come since.
    let mut log = step(connection, "PASSIVE")?;
    if log.pages >= limits.hold_writer_pages {
        step(connection, "PASSIVE")?;
        let _commits = gates.commits.lock();
        log = step(connection, "PASSIVE")?;
    }
    if log.pages > limits.hold_readers_pages {
        // Readers first: while the last of them ends, commits go on.
        let _reads = gates.reads.write();
        let _commits = gates.commits.lock();
        log = step(connection, "TRUNCATE")?;
    }
    Ok(log)
}

fn step(connection: &Connection, mode: &str) -> Result<Log, rusqlite::Error> {
    connection.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |row| {
        Ok(Log {
            pages: row.get::<_, i64>(1)?.max(0) as u32,
            moved: row.get::<_, i64>(2)?.max(0) as u32,
        })
    })
}

/// Decides from the length of the log when to ask for a checkpoint.
#[derive(Debug, Default)]
pub(super) struct Meter {
    /// When it was asked for last.
    asked: u32,
}

impl Meter {
    /// Takes the length after a commit; answers whether a checkpoint is wanted.
    pub fn wants(&mut self, pages: u32, stretch: Stretch) -> bool {
        if pages < self.asked {
            self.asked = 0;
        }
        let is_wanted = pages - self.asked >= stretch.0;
        if is_wanted {
            self.asked = pages;
        }
        is_wanted
    }
}
