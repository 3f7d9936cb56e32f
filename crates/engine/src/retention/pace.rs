//! How fast retention works: the numbers, each with its reason, and the pauses. Retention shares
//! the one writer with intake, so what it does is cut into pieces that are short beside a commit
//! of intake, and it rests between them.

use std::time::{Duration, Instant};

use evoke_model::{Code, Millis, Rejection};
use evoke_ports::store::{Receipt, Write};
use tokio_util::sync::CancellationToken;

use crate::committer::Committer;
use crate::settings::CommitterRuns;
use crate::start::Inner;

/// How often it is looked whether something is old.
pub(super) const PERIOD: Millis = Millis::from_secs(60);

/// The first look: not while a server that just started catches up with what waits.
pub(super) const FIRST: Millis = Millis::from_secs(10);

/// How often what stayed in the record when its time came (it was open, or a dead letter) is looked
/// at again. Everything else is looked at when it reaches one of the ages of the policy.
pub(super) const LAP: Millis = Millis::from_secs(3_600);

/// Events in one commit, and in one segment. Removing so many with their executions takes SQLite
/// about a millisecond, for which a commit of intake may have to wait; compression gains little
/// from more.
pub(super) const EVENTS_MAX: u32 = 128;

/// Rows in one commit, for events with many executions.
pub(super) const ROWS_MAX: usize = 512;

/// Bytes in one commit, unpacked. So much is read, packed and written in some 20 ms.
pub(super) const BYTES_MAX: usize = 4 << 20;

/// Events read at first; more and more as far as they are small, see [`Pace::learn`].
const EVENTS_FIRST: u32 = 32;

/// Segments removed in one commit, and their bytes: SQLite walks all pages of what it removes.
pub(super) const SEGMENTS_MAX: usize = 16;
pub(super) const SEGMENT_BYTES_MAX: u64 = 4 << 20;

/// Bytes given back in one commit: each page of the end of the file is moved into a gap.
pub(super) const SHRINK_BYTES: u64 = 512 << 10;

/// And how long that may take: in a file with many gaps a page takes ten times what it takes in one
/// with few.
pub(super) const SHRINK_TIME: Duration = Duration::from_millis(1);

/// Gaps of so much are kept, since new events fill them, and one part in so many of the whole.
pub(super) const FREE_BYTES_MIN: u64 = 16 << 20;
pub(super) const FREE_SHARE: u64 = 10;

/// Retention rests at least as long as its last piece took and at least so long, so that it has at
/// most half of the writer and a commit of intake always finds its turn.
const REST_MIN: Duration = Duration::from_millis(3);

/// Retention waits while more than this waits for the committer: four full pieces of its own.
const QUEUE_LONG: usize = 512;

/// It waits no longer than this: a server that is always busy must not fill its disk.
const PATIENCE: Duration = Duration::from_millis(250);

/// Does work that keeps a thread busy on one that may be kept, but at once where all has to happen
/// in an order that can be repeated.
pub(super) async fn aside<T: Send + 'static>(
    runs: CommitterRuns,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, tokio::task::JoinError> {
    match runs {
        CommitterRuns::Thread => tokio::task::spawn_blocking(work).await,
        CommitterRuns::Task => Ok(work()),
    }
}

/// The rhythm of one run.
pub(super) struct Pace {
    committer: Committer,
    runs: CommitterRuns,
    stop: CancellationToken,
    events: u32,
}

fn stopped() -> Rejection {
    Rejection::new(
        Code::ShuttingDown,
        "retention ends with the server; it goes on at the next start",
    )
}

impl Pace {
    pub(super) fn new(inner: &Inner, stop: CancellationToken) -> Self {
        let (committer, runs) = (inner.committer.clone(), inner.settings.committer);
        Self { committer, runs, stop, events: EVENTS_FIRST }
    }

    /// How many events to read next.
    pub(super) fn events(&self) -> u32 {
        self.events
    }

    /// Learns how large events are, so that a read takes no more memory than a commit may have.
    pub(super) fn learn(&mut self, events: usize, bytes: usize) {
        let each = (bytes / events.max(1)).max(1);
        let fit = u32::try_from(BYTES_MAX / each).unwrap_or(EVENTS_MAX);
        self.events = fit.clamp(1, EVENTS_MAX.min(self.events * 2));
    }

    /// Writes a piece when it is its turn, and rests.
    pub(super) async fn write(&self, write: Write) -> Result<Receipt, Rejection> {
        self.turn().await?;
        let started = Instant::now();
        let receipt = self.committer.change(write).await?;
        self.rest(started.elapsed()).await;
        Ok(receipt)
    }

    async fn turn(&self) -> Result<(), Rejection> {
        let started = Instant::now();
        while self.committer.waiting() > QUEUE_LONG && started.elapsed() < PATIENCE {
            self.pause(REST_MIN).await;
        }
        self.go_on()
    }

    /// Whether the server still runs.
    pub(super) fn go_on(&self) -> Result<(), Rejection> {
        if self.stop.is_cancelled() { Err(stopped()) } else { Ok(()) }
    }

    /// Rests after something that took so long.
    pub(super) async fn rest(&self, took: Duration) {
        self.pause(took.max(REST_MIN)).await;
    }

    /// The pauses are of real time whatever the engine's clock says: what they spare is the disk.
    /// In a simulation there is none to spare and no such time.
    async fn pause(&self, wait: Duration) {
        if self.runs == CommitterRuns::Task {
            return tokio::task::yield_now().await;
        }
        tokio::select! {
            () = self.stop.cancelled() => {}
            () = tokio::time::sleep(wait) => {}
        }
    }
}
