//! Runtimes: how functions of a language are run.

use std::sync::Arc;

use async_trait::async_trait;
use evoke_model::{
    Code, Data, Event, ExecutionId, Failure, FunctionVersion, LogLine, Millis, Problem, Timestamp,
};
use tokio_util::sync::CancellationToken;

use crate::descriptor::Descriptor;
use crate::http::{HttpCall, HttpReply};

/// A language.
#[async_trait]
pub trait Runtime: Send + Sync {
    /// What the kind says of itself.
    fn descriptor(&self) -> &Descriptor;

    /// The names a manifest may use: `nodejs18`, `nodejs20`, `nodejs22`, `nodejs`, `node`.
    fn names(&self) -> &[&'static str];

    /// The handler where the manifest names none: `index.handler`.
    fn handler_default(&self) -> &'static str;

    /// What this machine has for it.
    async fn probe(&self) -> Vec<Found>;

    /// Makes a version ready: finds the interpreter, installs dependencies, checks that the handler
    /// can be loaded and starts `minInstances` workers.
    ///
    /// # Errors
    /// FN_005 with the tool's own words, FN_006 with what to install when no interpreter fits.
    async fn open(
        &self,
        version: Arc<FunctionVersion>,
        host: Host,
    ) -> Result<Arc<dyn Pool>, DeployError>;

    /// Makes a version ready again that was made ready before, from what was kept of it then: what
    /// its folder holds by now does not matter. Runtimes whose code never changes need nothing of
    /// their own for it.
    ///
    /// # Errors
    /// As for [`Runtime::open`]; FN_005 when nothing is kept of it.
    async fn reopen(
        &self,
        version: Arc<FunctionVersion>,
        host: Host,
    ) -> Result<Arc<dyn Pool>, DeployError> {
        self.open(version, host).await
    }

    /// Removes what is kept of the versions of a function, except for those with one of these
    /// hashes. `scratch` is the folder of [`Host::scratch`].
    ///
    /// # Errors
    /// What could not be removed. It is tried again the next time.
    async fn retain(
        &self,
        _function: &str,
        _hashes: &[String],
        _scratch: &std::path::Path,
    ) -> std::io::Result<()> {
        Ok(())
    }

    /// Ends what is kept for quicker starts (blank workers, zygotes).
    async fn close(&self);
}

/// What a pool needs from the server it runs in.
#[derive(Clone)]
pub struct Host {
    /// Base URL of this server, as functions reach it.
    pub url: Arc<str>,
    /// A folder the runtime may write to: shims, sockets, caches.
    pub scratch: Arc<std::path::Path>,
    /// Told what takes time: "installing 3 packages with bun".
    pub progress: Arc<dyn Fn(&str) + Send + Sync>,
    /// Lines printed outside of any call: import time, timers.
    pub stray_logs: Arc<dyn LogSink>,
    /// Told of each worker how long it took from being wanted to being able to take calls.
    pub cold_start: Arc<dyn Fn(std::time::Duration) + Send + Sync>,
}

/// Why a version could not be made ready.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{code}: {message}")]
pub struct DeployError {
    /// FN_005 or FN_006.
    pub code: Code,
    /// One sentence, then the tool's own words.
    pub message: String,
    /// The stack in the user's lines, where loading the code failed.
    pub stack: Option<String>,
    /// Single fields, where the manifest is to blame.
    pub problems: Vec<Problem>,
}

/// An interpreter or tool that was looked for.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
pub struct Found {
    /// What was looked for: `nodejs22`.
    pub name: String,
    /// Where it is.
    pub path: Option<String>,
    /// The version it reports.
    pub version: Option<String>,
    /// What to do when it is missing.
    pub hint: Option<String>,
}

/// The workers of one version.
#[async_trait]
pub trait Pool: Send + Sync {
    /// How many calls may be under way at once: workers at most times calls of one worker.
    fn capacity(&self) -> usize;

    /// Runs one call to its end. For a streamed answer it returns with the head; the body follows
    /// in the reply's stream. Dropping the future or the stream cancels the call.
    ///
    /// # Errors
    /// FN_002, FN_003, FN_004, FN_007 (too many waiting), FN_008, FN_011.
    async fn call(&self, call: Call) -> Result<Reply, Failure>;

    /// Takes no new calls, lets those under way finish for at most `grace`, then ends the workers.
    async fn drain(&self, grace: Millis);

    /// What the pool looks like now.
    fn status(&self) -> PoolStatus;
}

/// The functions that can be called at this moment.
pub trait Functions: Send + Sync {
    /// The current version of a function and its workers.
    ///
    /// # Errors
    /// Why it cannot be called: FN_001 when there is none, or what its deployment failed of.
    fn current(&self, name: &str) -> Result<Deployed, Failure>;
}

/// A version with its workers.
#[derive(Clone)]
pub struct Deployed {
    /// The version.
    pub version: Arc<FunctionVersion>,
    /// Its workers.
    pub pool: Arc<dyn Pool>,
}

/// One call of a function.
pub struct Call {
    /// The execution the call belongs to.
    pub execution: ExecutionId,
    /// 1, 2, 3, ...
    pub attempt: u32,
    /// When the function must be done; the pool enforces it (FN_002).
    pub deadline: Timestamp,
    /// The kind of trigger: `event`, `http`, `invoke`.
    pub trigger_kind: Arc<str>,
    /// The name of the trigger.
    pub trigger_name: Arc<str>,
    /// W3C trace context for the function.
    pub traceparent: Option<Arc<str>>,
    /// Id of the request that caused the call.
    pub request_id: Option<Arc<str>>,
    /// What the function gets.
    pub input: Input,
    /// Where its log lines go.
    pub logs: Arc<dyn LogSink>,
    /// Fires when the caller no longer wants the answer.
    pub cancel: CancellationToken,
    /// The short-lived token with which the function calls back.
    pub token: Arc<str>,
}

/// What a function gets.
pub enum Input {
    /// An event: the handler is called with `(event, context)`.
    Event(Arc<Event>),
    /// Several events: the handler is called with `(events, context)`.
    Batch(Vec<Arc<Event>>),
    /// A request: the handler is called with `(request, context)`.
    Http(Box<HttpCall>),
}

/// What a function gave.
#[derive(Debug)]
pub enum Reply {
    /// The value an event handler returned.
    Value(Data),
    /// The answer to a request.
    Http(HttpReply),
}

/// Takes log lines of one execution. Bounded: lines over the limit are counted and dropped.
pub trait LogSink: Send + Sync {
    /// Takes a line.
    fn log(&self, line: LogLine);
}

/// What a pool looks like.
#[derive(Clone, PartialEq, Eq, Debug, Default, serde::Serialize, serde::Deserialize)]
pub struct PoolStatus {
    /// Workers that take calls.
    pub workers: u32,
    /// Workers that are starting.
    pub starting: u32,
    /// Calls under way.
    pub calls: u32,
    /// Calls waiting for a worker.
    pub waiting: u32,
    /// Starts so far.
    pub cold_starts: u64,
    /// Workers that died or were killed so far.
    pub deaths: u64,
    /// Resident memory of all workers in bytes.
    pub memory_bytes: u64,
    /// CPU time of all workers so far, in milliseconds.
    pub cpu_ms: u64,
    /// How the memory limit is enforced and what the sandbox is made of: `cgroup-v1`, `watch`.
    pub isolation: Vec<String>,
}
