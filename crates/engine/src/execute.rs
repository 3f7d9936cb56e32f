//! Execute: carries out one attempt of an admitted execution and hands what happened to the
//! committer.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use ahash::AHashMap;
use evoke_delivery::retry::{self, Counted, Tries};
use evoke_model::{Attempt, Code, Event, ExecutionId, Failure, Outcome, State, Timestamp, Trigger};
use evoke_ports::store::{Finish, Next, Write};
use evoke_ports::{Delivered, Job};
use futures_util::FutureExt;
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use crate::call::{bounded, took};
use crate::dispatch::{Item, Lane};
use crate::feed::Notice;
use crate::logs::Lines;
use crate::start::Inner;

/// Parts of the table of running executions, so that threads rarely meet at one lock.
const SHARDS: usize = 16;

/// An execution with an attempt under way.
pub(crate) struct Running {
    pub(crate) id: ExecutionId,
    pub(crate) event: Arc<Event>,
    pub(crate) trigger: Arc<Trigger>,
    pub(crate) attempt: u32,
    pub(crate) started_at: Timestamp,
    pub(crate) cancel: CancellationToken,
    pub(crate) lines: Arc<Lines>,
    pub(crate) token: Arc<str>,
    pub(crate) kind: Arc<str>,
    pub(crate) name: Arc<str>,
    pub(crate) target: Arc<str>,
}

/// The executions with an attempt under way.
#[derive(Default)]
pub(crate) struct RunningTable {
    shards: [Mutex<AHashMap<ExecutionId, Arc<Running>>>; SHARDS],
}

impl RunningTable {
    fn shard(&self, id: ExecutionId) -> &Mutex<AHashMap<ExecutionId, Arc<Running>>> {
        &self.shards[id.event.as_u64() as usize % SHARDS]
    }

    fn insert(&self, running: Arc<Running>) {
        self.shard(running.id).lock().insert(running.id, running);
    }

    pub(crate) fn remove(&self, id: ExecutionId) {
        self.shard(id).lock().remove(&id);
    }

    pub(crate) fn get(&self, id: ExecutionId) -> Option<Arc<Running>> {
        self.shard(id).lock().get(&id).cloned()
    }

    pub(crate) fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().len()).sum()
    }

    pub(crate) fn all(&self) -> Vec<Arc<Running>> {
        let values = |shard: &Mutex<AHashMap<_, Arc<Running>>>| {
            shard.lock().values().cloned().collect::<Vec<_>>()
        };
        self.shards.iter().flat_map(values).collect()
    }
}

/// What listeners are told of an attempt.
pub(crate) fn notice(running: &Running, attempt: &Attempt, state: State) -> Notice {
    let error = match &attempt.outcome {
        Outcome::Failure(failure) | Outcome::TimedOut(failure) => {
            Some(format!("{}: {}", failure.code, failure.message).into())
        }
        _ => None,
    };
    Notice::Execution {
        id: running.id,
        target: running.target.clone(),
        trigger: running.name.clone(),
        state,
        attempt: attempt.number,
        duration_us: took(attempt.started_at, attempt.finished_at).as_micros() as u64,
        error,
    }
}

impl Inner {
    /// Notes that an attempt begins.
    pub(crate) fn begin(
        &self,
        id: ExecutionId,
        event: Arc<Event>,
        trigger: Arc<Trigger>,
        attempt: u32,
    ) -> Arc<Running> {
        let labels = self.labels(&trigger);
        let running = Arc::new(Running {
            id,
            event,
            trigger,
            attempt,
            started_at: self.clock.now(),
            cancel: CancellationToken::new(),
            lines: Arc::new(Lines::new(id, labels.target.clone(), self.feed.clone())),
            token: self.tokens.mint(id),
            kind: labels.kind,
            name: labels.name,
            target: labels.target,
        });
        self.running.insert(running.clone());
        running
    }

    /// Carries out one attempt of an execution the lane has admitted.
    pub(crate) async fn execute(self: Arc<Self>, lane: Arc<Lane>, item: Item) {
        let trigger = lane.trigger();
        let waiting = &item.waiting;
        let running =
            self.begin(waiting.id, waiting.event.clone(), trigger.clone(), waiting.attempts + 1);
        if waiting.attempts == 0 {
            self.metrics.started(took(waiting.due, running.started_at));
        }
        let delivered = self.deliver(&lane, &running).await;
        let attempt = Attempt {
            number: running.attempt,
            started_at: running.started_at,
            finished_at: self.clock.now(),
            outcome: match delivered.outcome {
                Outcome::Success(data) => Outcome::Success(bounded(&data)),
                other => other,
            },
            logs: running.lines.take(),
            version: delivered.version,
        };
        let tries = Tries { attempts: attempt.number, elsewhere: item.elsewhere };
        let policy = trigger.policy.retry.clone().unwrap_or_default();
        let now = attempt.finished_at;
        let next = retry::decide(&attempt.outcome, &policy, tries, now, fastrand::f64());
        self.settle(&lane, item, &running, attempt, next).await;
    }

    async fn deliver(&self, lane: &Lane, running: &Arc<Running>) -> Delivered {
        let timeout = running.trigger.policy.timeout;
        let job = Job {
            execution: running.id,
            attempt: running.attempt,
            event: running.event.clone(),
            trigger: running.trigger.clone(),
            deadline: timeout.map(|timeout| running.started_at.plus(timeout)),
            cancel: running.cancel.clone(),
            logs: running.lines.clone(),
            token: running.token.clone(),
        };
        let endpoint = match lane.endpoint() {
            Ok(endpoint) => endpoint,
            Err(message) => return failed(Failure::new(Code::InvalidTrigger, message).for_good()),
        };
        // A panic in an adapter is that adapter's fault and ends only this attempt.
        match AssertUnwindSafe(endpoint.deliver(job)).catch_unwind().await {
            Ok(delivered) => delivered,
            Err(_) => failed(Failure::new(Code::Internal, "the target panicked")),
        }
    }

    async fn settle(
        self: &Arc<Self>,
        lane: &Arc<Lane>,
        mut item: Item,
        running: &Running,
        attempt: Attempt,
        next: retry::Next,
    ) {
        let id = item.waiting.id;
        let (next, again) = match next {
            retry::Next::Done(state) | retry::Next::Dead(state) => (Next::Done(state), None),
            retry::Next::Retry { due, attempt: Counted::Yes } => {
                item.waiting.attempts += 1;
                (Next::Retry { due }, Some(due))
            }
            // An attempt whose worker went down with another call is not one: nothing is written.
            retry::Next::Retry { due, attempt: Counted::No } => {
                item.elsewhere += 1;
                self.finished(running, &attempt, None);
                return self.dispatcher.finished(lane, item, Some(due));
            }
        };
        let end = match next {
            Next::Done(state) => Some(state),
            Next::Retry { .. } => None,
        };
        self.count_end(end);
        self.finished(running, &attempt, end);
        lane.heard(&attempt.outcome, attempt.finished_at);
        lane.settling(id.event);
        let finish = Finish { id, attempt: Some(attempt), next };
        self.committer.finish(Write::Finish(vec![finish]), vec![id]).await;
        self.dispatcher.finished(lane, item, again);
    }

    fn count_end(&self, end: Option<State>) {
        match end {
            None => self.metrics.retried(),
            Some(state) => {
                self.dispatcher.count_open(-1);
                if state.is_dead_letter() {
                    self.dead_letters.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
    }
}

fn failed(failure: Failure) -> Delivered {
    Delivered { outcome: Outcome::Failure(failure), version: 0 }
}
