//! The numbers of the engine, each with its reason.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use evoke_model::{ByteSize, Code, Millis, Problem};
use evoke_ports::runtime::DeployError;

use crate::retention::RetentionPolicy;

/// What may be set from outside.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How long an event id or idempotency key is remembered; default 24h.
    pub idempotency_window: Millis,
    /// Events deeper than this in a chain of causes start nothing; default 16.
    pub depth_max: u16,
    /// Base URL under which functions reach this server.
    pub url: Arc<str>,
    /// A folder for sockets, shims and caches.
    pub scratch: Arc<Path>,
    /// How many versions of a function can be run, the current one included; default 10.
    pub keep_versions: usize,
    /// The workers of a version that is not current end when it was not called for so long.
    pub version_idle: Millis,
    /// Fills in the references of variables when an old version is opened.
    pub fill: Fill,
    /// The number of this node, 0 to 255.
    pub node: u8,
    /// How long what is kept.
    pub retention: RetentionPolicy,
    /// When what is old is looked for.
    pub retention_runs: RetentionRuns,
    /// Bytes of log lines kept per attempt; what is over is cut with a visible mark. Default
    /// [`LOG_BYTES_MAX`].
    pub log_bytes_max: ByteSize,
    /// Where commits are made.
    pub committer: CommitterRuns,
}

impl Default for Settings {
    /// For one node that nobody reaches: a face sets where it is reached and may write.
    fn default() -> Self {
        Self {
            idempotency_window: Millis::from_secs(86_400),
            depth_max: 16,
            url: "http://127.0.0.1:8090".into(),
            scratch: Path::new(".evoke").into(),
            keep_versions: 10,
            version_idle: Millis::from_secs(60),
            fill: Fill::default(),
            node: 0,
            retention: RetentionPolicy::default(),
            retention_runs: RetentionRuns::default(),
            log_bytes_max: LOG_BYTES_MAX,
            committer: CommitterRuns::default(),
        }
    }
}

/// What fills in the references in the variables of a function (`${secrets.KEY}`). What was filled
/// in is never stored, so it is asked again whenever an old version is opened.
#[derive(Clone)]
pub struct Fill(Arc<Filler>);

type Filler = dyn Fn(&BTreeMap<String, String>) -> Result<BTreeMap<String, String>, Vec<Problem>>
    + Send
    + Sync;

impl Fill {
    /// Fills in with this.
    pub fn with(
        fill: impl Fn(&BTreeMap<String, String>) -> Result<BTreeMap<String, String>, Vec<Problem>>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        Self(Arc::new(fill))
    }

    /// # Errors
    /// FN_006 with all that cannot be filled in.
    pub(crate) fn fill(
        &self,
        written: &BTreeMap<String, String>,
    ) -> Result<BTreeMap<String, String>, DeployError> {
        (self.0)(written).map_err(|problems| {
            let lines: Vec<_> = problems.iter().map(ToString::to_string).collect();
            let (code, message) = (Code::InvalidConfiguration, lines.join("; "));
            DeployError { code, message, stack: None, problems }
        })
    }
}

impl Default for Fill {
    /// Takes variables as they are written.
    fn default() -> Self {
        Self::with(|written| Ok(written.clone()))
    }
}

impl fmt::Debug for Fill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fill")
    }
}

/// When retention looks for what is old.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum RetentionRuns {
    /// Again and again, by itself.
    #[default]
    ByItself,
    /// Never by itself: for engines whose record does not outlive them.
    WhenAsked,
}

/// Where commits are made.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum CommitterRuns {
    /// On a thread of its own: commits block.
    #[default]
    Thread,
    /// As a task among others: for simulations, where all that happens has to happen in an order
    /// that can be repeated, on a store that does not block.
    Task,
}

/// Events waiting for the committer. At 50,000 a second this is a second of work: more would only
/// be latency.
pub(crate) const QUEUE_EVENTS_MAX: usize = 50_000;

/// Results waiting for the committer. Who has one more waits, and with it the place of its
/// execution.
pub(crate) const QUEUE_RESULTS_MAX: usize = 8_192;

/// New events in one commit. Above this the gain of sharing a commit is below 2 % and the first
/// caller of the batch waits for the last.
pub(crate) const COMMIT_EVENTS_MAX: usize = 2_048;

/// Results in one commit. A backlog that is worked off brings thousands at a time, and new events
/// wait for the commit under way: with so many it takes some ten milliseconds, and an fsync is
/// cheap beside them.
pub(crate) const COMMIT_RESULTS_MAX: usize = 1_024;

/// Executions of one trigger kept in memory; the others wait in the store. Half a second of work at
/// full speed, so that a burst of that length is not read back.
pub(crate) const LANE_WINDOW_MAX: usize = 32_768;

/// What the executions of one trigger may take in memory whatever the others take: some thousand
/// small ones.
pub(crate) const LANE_BYTES_MIN: ByteSize = ByteSize::new(4 << 20);

/// What the executions of all triggers may take in memory before each keeps to its own part.
pub(crate) const WINDOW_BYTES_MAX: ByteSize = ByteSize::new(32 << 20);

/// Executions read from the store at a time.
pub(crate) const LOOK_MAX: u32 = 4_096;

/// Executions of a debounced trigger kept in memory: one for each key that waits. Of those over it
/// one may run that a later one would have replaced.
pub(crate) const DEBOUNCE_WINDOW_MAX: usize = 65_536;

/// Executions due later than this are left in the store until their time comes near.
pub(crate) const DUE_HORIZON: Millis = Millis::from_secs(60);

/// Events in one request. A batch is planned and committed as one piece.
pub const EVENTS_PER_REQUEST_MAX: usize = 10_000;

/// Bytes of log lines kept per attempt unless it is set: some thousand lines, more than a person
/// reads, and little enough that a million attempts fit on a disk.
pub const LOG_BYTES_MAX: ByteSize = ByteSize::new(256 * 1024);

/// Bytes of output kept in the record.
pub(crate) const OUTPUT_BYTES_MAX: usize = 1024 * 1024;

/// Bytes of a request's body kept in the record of a synchronous call.
pub(crate) const RECORDED_BODY_BYTES_MAX: usize = 64 * 1024;
