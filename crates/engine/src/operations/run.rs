//! The task of one operation: it sends what is next as fast as it may, writes down how far it is,
//! and ends when everything it began has ended, when somebody cancels it, or by itself when what
//! failed before fails again.

use std::sync::Arc;

use evoke_model::operation::{OperationKind, OperationStatus};
use evoke_model::{Cause, Code, Execution, ExecutionId, Millis, Operation, Rejection, Timestamp};
use evoke_ports::store::{Change, Write};
use serde::de::DeserializeOwned;
use serde_json::json;

use super::list::Live;
use super::watch::{End, WATCHED_MAX};
use super::{BATCH_MAX, redrive, replay};
use crate::audit::action;
use crate::start::Inner;

/// How often progress is written while an operation goes on.
const WRITE_PERIOD: Millis = Millis::from_secs(1);

/// How long it rests when the store fails, or too much is watched.
const PAUSE: Millis = Millis::from_secs(1);

/// How often the record is asked for ends that nobody told of: an execution may end without an
/// attempt.
const SWEEP_PERIOD: Millis = Millis::from_secs(5);

/// Executions the record is asked for in one sweep.
const SWEEP_MAX: usize = 500;

/// What looking for the next ones brought.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Gathered {
    /// Some that may be sent.
    Some,
    /// None yet.
    None,
    /// Everything was sent.
    All,
}

impl Gathered {
    pub(super) const fn of(is_some: bool) -> Self {
        if is_some { Self::Some } else { Self::None }
    }
}

/// What sending brought.
pub(super) enum Sent {
    /// Some were sent, or turned out not to be there any more.
    Some,
    /// The pace allows none before this.
    Wait(Timestamp),
}

/// How an operation ends.
enum Ending {
    Done,
    Cancelled,
    Stopped(String),
    /// It does not: it goes on after the next start.
    Later,
}

/// What the work of an operation needs.
pub(super) struct Task {
    pub(super) inner: Arc<Inner>,
    pub(super) live: Arc<Live>,
}

impl Task {
    /// The operation with a change, as it is to be written.
    pub(super) fn operation(&self, change: impl FnOnce(&mut Operation)) -> Operation {
        let mut operation = self.live.operation();
        operation.updated_at = self.inner.clock.now();
        change(&mut operation);
        operation
    }

    /// Watches an execution. Called before it can begin.
    pub(super) fn watch(&self, id: ExecutionId, had: Option<Cause>) {
        self.inner.operations.watch.add(id, had, &self.live.tally);
    }
}

/// The request an operation was made from.
pub(super) fn request<T: DeserializeOwned>(operation: &Operation) -> Result<T, Rejection> {
    serde_json::from_value(operation.request.clone())
        .map_err(|error| Rejection::new(Code::InvalidRequest, format!("its request: {error}")))
}

enum Job {
    Redrive(Box<redrive::Job>),
    Replay(Box<replay::Job>),
}

impl Job {
    fn of(task: &Task) -> Result<Self, Rejection> {
        let operation = task.live.operation();
        Ok(match operation.kind {
            OperationKind::Redrive => {
                Self::Redrive(Box::new(redrive::Job::of(&task.inner, &operation)?))
            }
            OperationKind::Replay => Self::Replay(Box::new(replay::Job::of(&operation)?)),
        })
    }

    async fn gather(&mut self, inner: &Inner) -> Result<Gathered, Rejection> {
        match self {
            Self::Redrive(job) => job.gather(inner).await,
            Self::Replay(job) => job.gather(inner).await,
        }
    }

    async fn send(&mut self, task: &Task) -> Result<Sent, Rejection> {
        match self {
            Self::Redrive(job) => job.send(task).await,
            Self::Replay(job) => job.send(task).await,
        }
    }

    fn looked(&self, operation: &mut Operation) {
        match self {
            Self::Redrive(job) => job.looked(operation),
            Self::Replay(job) => job.looked(operation),
        }
    }

    fn stop_after(&self) -> Option<u32> {
        match self {
            Self::Redrive(job) => job.stop_after(),
            Self::Replay(_) => None,
        }
    }
}

impl Inner {
    /// Goes on with the operations that were under way when the engine stopped.
    pub(crate) fn resume_operations(self: &Arc<Self>) {
        for live in self.operations.all() {
            self.begin_operation(live);
        }
    }

    /// Starts the task of an operation, if it has none.
    pub(super) fn begin_operation(self: &Arc<Self>, live: Arc<Live>) {
        if !live.begins() {
            return;
        }
        let over = live.over.clone().drop_guard();
        let task = Task { inner: self.clone(), live };
        self.tasks.spawn(async move {
            run(&task).await;
            // Who waits for its end may want to open the store again.
            drop(task);
            drop(over);
        });
    }
}

async fn run(task: &Task) {
    let (ending, job) = match Job::of(task) {
        Ok(job) => {
            let mut run = Run::new(task, job);
            (run.go().await, Some(run.job))
        }
        Err(rejection) => (Ending::Stopped(rejection.message), None),
    };
    task.inner.operations.watch.forget(&task.live.tally);
    let (status, reason) = match ending {
        Ending::Done => (OperationStatus::Done, None),
        Ending::Cancelled => (OperationStatus::Cancelled, None),
        Ending::Stopped(reason) => (OperationStatus::Stopped, Some(reason)),
        Ending::Later => return,
    };
    let operation = task.operation(|operation| {
        if let Some(job) = job {
            job.looked(operation);
        }
        operation.status = status;
        operation.ended_at = Some(operation.updated_at);
        operation.reason = reason;
    });
    end(task, operation).await;
}

/// Writes the end of an operation, and who wanted it.
async fn end(task: &Task, operation: Operation) {
    let inner = &task.inner;
    let is_cancelled = operation.status == OperationStatus::Cancelled;
    loop {
        let audited = task.live.canceller().filter(|_| is_cancelled);
        let audited = audited.map(|actor| {
            let detail = json!({ "kind": operation.kind, "progress": operation.progress });
            inner.audit_entry(&actor, action::CANCEL, operation.id.to_string(), detail)
        });
        let changes = std::iter::once(Change::Operation(operation.clone())).chain(audited);
        match inner.change_all(changes).await {
            Ok(_) => break task.live.set(operation),
            Err(rejection) => {
                tracing::warn!(operation.id = %task.live.id, "Its end is not written: {rejection}");
            }
        }
        let again = inner.clock.now().plus(PAUSE);
        tokio::select! {
            biased;
            () = inner.operations.stop.cancelled() => return,
            () = inner.clock.sleep_until(again) => {}
        }
    }
}

/// An operation under way.
struct Run<'t> {
    task: &'t Task,
    job: Job,
    /// As it was written last.
    written: Operation,
    write_at: Timestamp,
    sweep_at: Timestamp,
    swept: Option<ExecutionId>,
}

impl<'t> Run<'t> {
    fn new(task: &'t Task, job: Job) -> Self {
        let now = task.inner.clock.now();
        Self {
            task,
            job,
            written: task.live.operation(),
            write_at: now.plus(WRITE_PERIOD),
            sweep_at: now.plus(SWEEP_PERIOD),
            swept: None,
        }
    }

    async fn go(&mut self) -> Ending {
        let Task { inner, live } = self.task;
        loop {
            // Listen before looking, so that an end told meanwhile is not missed.
            let changed = live.tally.changed();
            if let Some(ending) = self.ending() {
                return ending;
            }
            let wait = match self.step().await {
                Ok(Step::Went) => {
                    self.keep_record().await;
                    continue;
                }
                Ok(Step::Sent) if live.tally.open() == 0 => return Ending::Done,
                Ok(Step::Sent) => inner.clock.now().plus(WRITE_PERIOD),
                Ok(Step::Wait(at)) => at,
                Err(rejection) if passes(rejection.code) => {
                    tracing::warn!(operation.id = %live.id, "Its next step failed: {rejection}");
                    inner.clock.now().plus(PAUSE)
                }
                Err(rejection) => return Ending::Stopped(rejection.message),
            };
            self.keep_record().await;
            let wait = wait.min(self.write_at).max(inner.clock.now());
            tokio::select! {
                biased;
                () = self.called_off() => {}
                () = changed => {}
                () = inner.clock.sleep_until(wait) => {}
            }
        }
    }

    /// Whether it ends here.
    fn ending(&self) -> Option<Ending> {
        let Task { inner, live } = self.task;
        if inner.operations.stop.is_cancelled() {
            return Some(Ending::Later);
        }
        if live.cancel.is_cancelled() {
            return Some(Ending::Cancelled);
        }
        let (cause, count) = live.tally.repeated()?;
        (count >= self.job.stop_after()?).then(|| {
            let text = format!("{count} of its executions died again of the same cause, {cause}");
            Ending::Stopped(text)
        })
    }

    /// Completes when it is to end.
    async fn called_off(&self) {
        tokio::select! {
            biased;
            () = self.task.inner.operations.stop.cancelled() => {}
            () = self.task.live.cancel.cancelled() => {}
        }
    }

    /// Looks for what is next and sends it. Looking may be broken off, sending may not: it is over
    /// with the commit.
    async fn step(&mut self) -> Result<Step, Rejection> {
        let Task { inner, live } = self.task;
        if inner.operations.watch.len() + BATCH_MAX > WATCHED_MAX {
            return Ok(Step::Wait(inner.clock.now().plus(PAUSE)));
        }
        let gathered = tokio::select! {
            biased;
            () = inner.operations.stop.cancelled() => return Ok(Step::Went),
            () = live.cancel.cancelled() => return Ok(Step::Went),
            gathered = self.job.gather(inner) => gathered?,
        };
        Ok(match gathered {
            Gathered::None => Step::Went,
            Gathered::All => Step::Sent,
            Gathered::Some => match self.job.send(self.task).await? {
                Sent::Some => Step::Went,
                Sent::Wait(at) => Step::Wait(at),
            },
        })
    }

    /// Once in a while: looks for ends nobody told of, and writes down how far it is.
    async fn keep_record(&mut self) {
        let now = self.task.inner.clock.now();
        if now < self.write_at {
            return;
        }
        self.write_at = now.plus(WRITE_PERIOD);
        if now >= self.sweep_at {
            self.sweep_at = now.plus(SWEEP_PERIOD);
            self.sweep().await;
        }
        let operation = self.task.operation(|operation| self.job.looked(operation));
        let is_known =
            operation.progress == self.written.progress && operation.cursor == self.written.cursor;
        if is_known {
            return;
        }
        let write = Write::from(Change::Operation(operation.clone()));
        match self.task.inner.committer.change(write).await {
            Ok(_) => {
                self.task.live.set(operation.clone());
                self.written = operation;
            }
            Err(rejection) => {
                let id = self.task.live.id;
                tracing::warn!(operation.id = %id, "Its progress is not written: {rejection}");
            }
        }
    }

    /// Asks the record for some of those that are watched.
    async fn sweep(&mut self) {
        let Task { inner, live } = self.task;
        let watch = &inner.operations.watch;
        let ids = watch.some(&live.tally, self.swept, SWEEP_MAX);
        self.swept = ids.last().copied().filter(|_| ids.len() == SWEEP_MAX);
        for id in ids {
            match inner.store.executions().execution(id).await {
                Ok(Some(Execution { state, cause, .. })) if state.is_final() => {
                    watch.ended(id, End { state, cause });
                }
                Ok(Some(_)) => {}
                Ok(None) => watch.remove(id),
                Err(error) => {
                    tracing::warn!(operation.id = %live.id, "A sweep failed: {error}");
                    return;
                }
            }
        }
    }
}

/// Whether a failure passes by itself. Others mean that what was asked for cannot be done any more:
/// its function is gone.
const fn passes(code: Code) -> bool {
    matches!(code, Code::StoreUnavailable | Code::IntakeFull | Code::ShuttingDown)
}

/// What a step brought.
enum Step {
    /// It may go on at once.
    Went,
    /// Not before this.
    Wait(Timestamp),
    /// Everything was sent.
    Sent,
}
