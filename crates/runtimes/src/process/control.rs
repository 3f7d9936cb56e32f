//! The power to end a worker, and the reason it was used for: the first reason counts, and decides
//! what the worker's calls are told.

use evoke_model::execution::RetryHint;
use evoke_model::{ByteSize, Code, Failure};
use nix::errno::Errno;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use parking_lot::Mutex;

/// Why a worker was ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Cause {
    /// One of its calls ran over its time limit and did not stop.
    Timeout,
    /// One of its calls was cancelled and did not stop.
    Cancelled,
    /// It sent something that is not the protocol.
    Protocol(String),
    /// It took more memory than it may.
    Memory {
        /// What it may take.
        limit: ByteSize,
        /// What it took, where that could be measured.
        measured: Option<ByteSize>,
    },
    /// It was no longer needed.
    Retired,
    /// The pool is closed.
    Closing,
    /// It ended by itself; how, and its last words.
    Exited(String),
}

impl Cause {
    /// What the worker's other calls failed of.
    pub fn failure(&self) -> Failure {
        let elsewhere = |code, message: &str| {
            let mut failure = Failure::new(code, message);
            failure.retry = RetryHint::Elsewhere;
            failure
        };
        match self {
            Self::Timeout => elsewhere(
                Code::FunctionError,
                "the worker was stopped because another of its calls ran over its time limit",
            ),
            Self::Cancelled => elsewhere(
                Code::FunctionError,
                "the worker was stopped because another of its calls was cancelled and went on",
            ),
            Self::Retired => elsewhere(Code::FunctionError, "the worker was retired"),
            Self::Closing => elsewhere(Code::ShuttingDown, "the function's workers were stopped"),
            Self::Protocol(what) => Failure::new(
                Code::FunctionError,
                format!("the worker broke the protocol and was stopped: {what}"),
            ),
            Self::Memory { limit, measured } => {
                let took = measured.map_or_else(
                    || format!("more than its memory limit of {limit}"),
                    |measured| format!("{}, its memory limit is {limit}", rounded(measured)),
                );
                Failure::new(Code::FunctionMemory, format!("the worker took {took}"))
            }
            Self::Exited(how) => Failure::new(Code::FunctionError, how.clone()),
        }
    }

    /// Whether the worker went because nobody needed it.
    pub const fn is_planned(&self) -> bool {
        matches!(self, Self::Retired | Self::Closing)
    }
}

/// A size for a sentence: whole MB where there are some.
fn rounded(size: ByteSize) -> ByteSize {
    let bytes = size.as_u64();
    if bytes < 10 << 20 { size } else { ByteSize::new((bytes + (1 << 19)) >> 20 << 20) }
}

/// The handle on one worker's process group.
#[derive(Debug)]
pub struct Control {
    group: Pid,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    cause: Option<Cause>,
    /// The leader was reaped and its number may be another's by now.
    gone: bool,
}

impl Control {
    /// For the group whose leader has this number.
    pub fn new(leader: u32) -> Self {
        Self { group: Pid::from_raw(leader as i32), state: Mutex::default() }
    }

    /// The number of the worker's process and of its group.
    pub const fn group(&self) -> i32 {
        self.group.as_raw()
    }

    /// Kills the worker and all its children at once.
    pub fn kill(&self, cause: Cause) {
        let mut state = self.state.lock();
        state.cause.get_or_insert(cause);
        if !state.gone {
            self.signal();
        }
    }

    /// The leader has ended: ends the children it left behind. Nothing is signalled afterwards.
    pub fn bury(&self) {
        let mut state = self.state.lock();
        if !state.gone {
            self.signal();
            state.gone = true;
        }
    }

    /// Remembers a reason without killing; the first one stays.
    pub fn explain(&self, cause: Cause) {
        self.state.lock().cause.get_or_insert(cause);
    }

    /// Why the worker was ended, if it was.
    pub fn cause(&self) -> Option<Cause> {
        self.state.lock().cause.clone()
    }

    fn signal(&self) {
        match killpg(self.group, Signal::SIGKILL) {
            Ok(()) | Err(Errno::ESRCH) => {}
            Err(error) => {
                tracing::warn!(worker.pid = self.group(), %error, "Worker could not be killed");
            }
        }
    }
}
