//! The executions with an attempt under way.

use std::sync::{Arc, OnceLock};

use ahash::AHashMap;
use evoke_model::{Event, ExecutionId, Failure, Timestamp, Trigger};
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use crate::logs::Lines;
use crate::traces::Open;

/// Parts of the table of running executions, so that threads rarely meet at one lock.
const SHARDS: usize = 16;

/// An execution with an attempt under way.
pub(crate) struct Running {
    pub(crate) id: ExecutionId,
    pub(crate) event: Arc<Event>,
    pub(crate) trigger: Arc<Trigger>,
    pub(crate) attempt: u32,
    pub(crate) started_at: Timestamp,
    /// Shared by the executions of one call.
    pub(crate) cancel: CancellationToken,
    /// Why this one of them is to stop.
    stop: OnceLock<Option<Failure>>,
    /// The span of the attempt, where somebody wants it.
    pub(crate) span: Option<Open>,
    pub(crate) lines: Arc<Lines>,
    pub(crate) token: Arc<str>,
    pub(crate) kind: Arc<str>,
    pub(crate) name: Arc<str>,
    pub(crate) target: Arc<str>,
}

/// What an attempt begins with.
pub(crate) struct Beginning {
    pub(crate) id: ExecutionId,
    pub(crate) event: Arc<Event>,
    pub(crate) trigger: Arc<Trigger>,
    pub(crate) attempt: u32,
    pub(crate) cancel: CancellationToken,
}

impl Running {
    pub(crate) fn new(
        beginning: Beginning,
        labels: crate::catalog::Labels,
        lines: Arc<Lines>,
        (started_at, token, span): (Timestamp, Arc<str>, Option<Open>),
    ) -> Self {
        let Beginning { id, event, trigger, attempt, cancel } = beginning;
        Self {
            id,
            event,
            trigger,
            attempt,
            started_at,
            cancel,
            stop: OnceLock::new(),
            span,
            lines,
            token,
            kind: labels.kind,
            name: labels.name,
            target: labels.target,
        }
    }

    /// Makes it stop; without a reason somebody asked for it.
    pub(crate) fn stop(&self, why: Option<Failure>) {
        // The first reason stands.
        self.stop.get_or_init(|| why);
        self.cancel.cancel();
    }

    /// It is not to begin at all. Those that share its call do.
    pub(crate) fn call_off(&self) {
        self.stop.get_or_init(|| None);
    }

    /// Whether it was made to stop, and why.
    pub(crate) fn stopped(&self) -> Option<&Option<Failure>> {
        self.stop.get()
    }
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

    pub(crate) fn insert(&self, running: Arc<Running>) {
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
