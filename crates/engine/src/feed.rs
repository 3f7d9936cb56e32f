//! The live feed: what happens, while it happens, for terminals and pages. It is not the record:
//! who is too slow misses lines and is told so.

use std::sync::Arc;

use evoke_model::{Event, ExecutionId, LogLine, State};
use tokio::sync::broadcast;

/// Notices a listener may be behind before it misses some.
const FEED_BACKLOG_MAX: usize = 1_024;

/// Something that happened.
#[derive(Clone, Debug)]
pub enum Notice {
    /// An event was accepted.
    Event(Arc<Event>),
    /// An execution came into a state.
    Execution {
        /// Which.
        id: ExecutionId,
        /// The function or target it runs.
        target: Arc<str>,
        /// The name of the trigger.
        trigger: Arc<str>,
        /// The state.
        state: State,
        /// The attempt, 1 and up.
        attempt: u32,
        /// How long the attempt took, in microseconds.
        duration_us: u64,
        /// The error, if it failed.
        error: Option<Arc<str>>,
    },
    /// A function printed a line.
    Log {
        /// The execution, if the line belongs to one.
        execution: Option<ExecutionId>,
        /// The function.
        function: Arc<str>,
        /// The line.
        line: LogLine,
    },
    /// A function was deployed, or could not be.
    Deployed {
        /// The function.
        function: Arc<str>,
        /// The version now current, if the deployment worked.
        version: Option<u32>,
        /// Why it did not.
        error: Option<Arc<str>>,
    },
}

/// The sending end.
#[derive(Debug, Clone)]
pub(crate) struct Feed(broadcast::Sender<Notice>);

impl Feed {
    pub(crate) fn new() -> Self {
        Self(broadcast::channel(FEED_BACKLOG_MAX).0)
    }

    /// Whether anybody listens: the hot path makes no notice that nobody reads.
    pub(crate) fn is_watched(&self) -> bool {
        self.0.receiver_count() > 0
    }

    /// Tells everybody who listens.
    pub(crate) fn tell(&self, notice: impl FnOnce() -> Notice) {
        if self.is_watched() && self.0.send(notice()).is_err() {
            tracing::trace!("The last listener of the feed left");
        }
    }

    pub(crate) fn subscribe(&self) -> broadcast::Receiver<Notice> {
        self.0.subscribe()
    }
}
