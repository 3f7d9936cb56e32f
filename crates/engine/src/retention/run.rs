//! One run of retention: what is old goes to the archive or away, the archive's old parts go away,
//! the whole is kept below its limit, and the space is given back.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Instant;

use evoke_model::{AuditId, EventId, Millis, Operation, Rejection, Timestamp};
use evoke_ports::store::{Change, Error, Write};
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use super::metrics::Gauges;
use super::pace::{FIRST, LAP, PERIOD, Pace};
use super::policy::RetentionPolicy;
use super::shelf::Shelf;
use crate::record::unavailable;
use crate::settings::RetentionRuns;
use crate::start::Inner;

/// What retention keeps between its runs.
pub(crate) struct Retention {
    pub(crate) shelf: Shelf,
    pub(crate) gauges: Gauges,
    is_started: AtomicBool,
    stop: CancellationToken,
    progress: tokio::sync::Mutex<Progress>,
    last: Mutex<Option<Retained>>,
}

/// What one run did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Retained {
    /// When it began.
    pub at: Timestamp,
    /// How long it took.
    pub took: Millis,
    /// Events that went to the archive.
    pub archived_events: u64,
    /// Executions that went to the archive.
    pub archived_executions: u64,
    /// Events that were removed from the record.
    pub removed_events: u64,
    /// Executions that were removed from the record.
    pub removed_executions: u64,
    /// Parts of the archive that were removed.
    pub removed_segments: u64,
    /// Bytes that were given back to the machine.
    pub freed_bytes: u64,
}

/// How far the record was gone through.
#[derive(Default)]
struct Progress {
    /// For each age of the policy, the last event that was judged when it had reached it.
    judged: Vec<(Millis, EventId)>,
    /// Whether the youngest age goes from the beginning and not only on.
    is_lap: bool,
    lap_due: Timestamp,
}

impl Progress {
    /// Begins from the oldest event again.
    fn begin_lap(&mut self, policy: &RetentionPolicy, now: Timestamp) {
        self.judged = policy.ages().into_iter().map(|age| (age, EventId::from_u64(0))).collect();
        self.is_lap = true;
        self.lap_due = now.plus(LAP);
    }

    /// After a lap over all that has reached the youngest age, nothing older is left to be judged.
    fn end_lap(&mut self, now: Timestamp) {
        for (age, judged) in &mut self.judged {
            *judged = (*judged).max(last_before(now.minus(*age)));
        }
        self.is_lap = false;
    }
}

/// The highest id an event can have that was accepted before.
fn last_before(instant: Timestamp) -> EventId {
    EventId::from_u64(EventId::first_at(instant).as_u64().saturating_sub(1))
}

/// How much of the record a run goes through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// What has reached an age since the last run; everything once in a while.
    Due,
    /// Everything.
    All,
}

/// A run under way.
pub(super) struct Run<'r> {
    pub(super) inner: &'r Inner,
    pub(super) policy: &'r RetentionPolicy,
    pub(super) now: Timestamp,
    pub(super) pace: Pace,
    pub(super) done: Retained,
}

/// A failed read of the store, as a run reports it.
pub(super) fn failed(error: Error) -> Rejection {
    unavailable(&error)
}

impl Retention {
    pub(crate) fn new(shelf: Shelf, gauges: Gauges) -> Self {
        Self {
            shelf,
            gauges,
            is_started: AtomicBool::new(false),
            stop: CancellationToken::new(),
            progress: tokio::sync::Mutex::default(),
            last: Mutex::new(None),
        }
    }

    /// Ends a run under way at its next pause, and the loop.
    pub(crate) fn stop(&self) {
        self.stop.cancel();
    }

    /// What the last run did.
    pub(crate) fn last(&self) -> Option<Retained> {
        *self.last.lock()
    }
}

impl Inner {
    /// One run. At most one is under way at a time.
    pub(crate) async fn retain(&self, scope: Scope, now: Timestamp) -> Result<Retained, Rejection> {
        let retention = &self.retention;
        let mut progress = retention.progress.lock().await;
        let pace = Pace::new(self, retention.stop.clone());
        let policy = &self.settings.retention;
        let done = Retained { at: now, ..Retained::default() };
        let mut run = Run { inner: self, policy, now, pace, done };
        let started = Instant::now();
        let ended = run.all(&mut progress, scope).await;
        run.done.took = Millis::new(started.elapsed().as_millis() as u64);
        let done = run.done;
        *retention.last.lock() = Some(done);
        self.measure(&done).await;
        if done != (Retained { at: done.at, took: done.took, ..Retained::default() }) {
            tracing::info!(
                archived.events = done.archived_events,
                archived.executions = done.archived_executions,
                removed.events = done.removed_events,
                removed.executions = done.removed_executions,
                removed.segments = done.removed_segments,
                freed_bytes = done.freed_bytes,
                "Retention ran for {}",
                done.took
            );
        }
        ended.map(|()| done)
    }

    /// Starts the loop, once. It ends with the engine.
    pub(crate) fn start_retention(self: &Arc<Self>) {
        if self.settings.retention_runs == RetentionRuns::WhenAsked
            || self.retention.is_started.swap(true, Ordering::Relaxed)
        {
            return;
        }
        let (clock, stop) = (self.clock.clone(), self.retention.stop.clone());
        let inner = Arc::downgrade(self);
        self.tasks.spawn(async move {
            let mut due = clock.now().plus(FIRST);
            loop {
                tokio::select! {
                    biased;
                    () = stop.cancelled() => return,
                    () = clock.sleep_until(due) => {}
                }
                let Some(now) = tick(&inner).await else { return };
                due = now.plus(PERIOD);
            }
        });
    }
}

/// One run of the loop, and when it ended; `None` when the engine is gone.
async fn tick(inner: &Weak<Inner>) -> Option<Timestamp> {
    let inner = inner.upgrade()?;
    if let Err(rejection) = inner.retain(Scope::Due, inner.clock.now()).await
        && !inner.retention.stop.is_cancelled()
    {
        tracing::warn!("Retention stopped early, it goes on later: {rejection}");
    }
    Some(inner.clock.now())
}

impl Run<'_> {
    async fn all(&mut self, progress: &mut Progress, scope: Scope) -> Result<(), Rejection> {
        self.remove_past_segments().await?;
        self.judge_record(progress, scope).await?;
        self.remove_past_segments().await?;
        self.forget_trail().await?;
        self.keep_below_limit().await?;
        self.give_back().await
    }

    /// Removes what the audit trail has from long ago, and operations that ended then.
    async fn forget_trail(&mut self) -> Result<(), Rejection> {
        let past = self.now.minus(self.policy.audit);
        let before = AuditId::first_at(past);
        self.pace.write(Write::from(Change::ForgetAudit { before })).await?;
        let operations = self.inner.store.definitions().operations().await.map_err(failed)?;
        let is_past = |operation: &Operation| operation.ended_at.is_some_and(|at| at < past);
        let ids: Vec<_> = operations.iter().filter(|o| is_past(o)).map(|o| o.id).collect();
        if !ids.is_empty() {
            self.pace.write(Write::from(Change::RemoveOperations(ids))).await?;
        }
        Ok(())
    }

    /// Goes through what has reached an age of the policy since it was judged last.
    async fn judge_record(
        &mut self,
        progress: &mut Progress,
        scope: Scope,
    ) -> Result<(), Rejection> {
        if scope == Scope::All || self.now >= progress.lap_due {
            progress.begin_lap(self.policy, self.now);
        }
        for place in 0..progress.judged.len() {
            let (age, mut judged) = progress.judged[place];
            let before = self.now.minus(age);
            while let Some(last) = self.judge_next(judged, before).await? {
                judged = last;
                progress.judged[place].1 = last;
            }
            if place == 0 && progress.is_lap {
                progress.end_lap(self.now);
            }
        }
        Ok(())
    }
}
