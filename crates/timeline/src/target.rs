//! What stands in for the targets.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use evoke_model::{Code, Data, Event, ExecutionId, Failure, Millis, Outcome, Problem, Timestamp};
use evoke_ports::{Clock, Delivered, Descriptor, Endpoint, Job, Runs, Target};
use evoke_virtual_time::ManualClock;
use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::run::Behaviour;

/// The kind of the target.
const KIND: &str = "simulated";

/// The field of its configuration: which of the behaviours it has.
const PLACE: &str = "behaviour";

/// As many calls at once as a trigger asks for.
const CAPACITY: usize = 100_000;

/// What happens in the targets.
#[derive(Debug)]
pub(crate) enum Seen {
    Began { job: (ExecutionId, u32), scheduled: Timestamp },
    Ended { job: (ExecutionId, u32), outcome: Outcome },
}

/// What the calls have in common.
pub(crate) struct Stage {
    pub(crate) clock: Arc<ManualClock>,
    behaviours: Vec<Behaviour>,
    seen: Mutex<Vec<(Timestamp, Seen)>>,
    /// When calls under way will end.
    ends: Mutex<BTreeSet<(Timestamp, ExecutionId)>>,
    /// Attempts of each behaviour so far.
    counts: Mutex<Vec<u64>>,
}

impl Stage {
    pub(crate) fn new(clock: Arc<ManualClock>, behaviours: Vec<Behaviour>) -> Arc<Self> {
        let counts = Mutex::new(vec![0; behaviours.len()]);
        let (seen, ends) = (Mutex::default(), Mutex::default());
        Arc::new(Self { clock, behaviours, seen, ends, counts })
    }

    /// What happened since it was asked last.
    pub(crate) fn take(&self) -> Vec<(Timestamp, Seen)> {
        std::mem::take(&mut *self.seen.lock())
    }

    /// When the first call under way ends.
    pub(crate) fn next_end(&self) -> Option<Timestamp> {
        self.ends.lock().first().map(|(at, _)| *at)
    }

    fn see(&self, seen: Seen) {
        self.seen.lock().push((self.clock.now(), seen));
    }

    /// How long the next attempt of a behaviour takes, and whether it fails.
    fn next(&self, place: usize, attempt: u32) -> (Millis, bool) {
        let behaviour = self.behaviours.get(place).copied().unwrap_or_default();
        let mut counts = self.counts.lock();
        let count = counts.get_mut(place).map_or(0, |count| {
            *count += 1;
            *count
        });
        let in_turn = behaviour.fail_every.is_some_and(|every| count.is_multiple_of(every.max(1)));
        (behaviour.takes, in_turn || attempt <= behaviour.fail_first)
    }
}

/// The configuration of a target with this behaviour.
pub(crate) fn config(place: usize) -> evoke_model::Target {
    evoke_model::Target { kind: KIND.to_owned(), config: json!({ PLACE: place }) }
}

/// The kind of target.
pub(crate) struct Simulated {
    descriptor: Descriptor,
    stage: Arc<Stage>,
}

impl Simulated {
    pub(crate) fn new(stage: Arc<Stage>) -> Self {
        let descriptor = Descriptor {
            kind: KIND,
            title: "Simulated",
            summary: "Stands in for a target.",
            schema: json!({}),
            example: json!({}),
            docs: "schedules.md",
            runs: Runs::EveryNode,
        };
        Self { descriptor, stage }
    }
}

impl Target for Simulated {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    fn open(&self, config: &Value) -> Result<Arc<dyn Endpoint>, Vec<Problem>> {
        let place = config[PLACE].as_u64().and_then(|place| usize::try_from(place).ok());
        Ok(Arc::new(Place { place: place.unwrap_or(usize::MAX), stage: self.stage.clone() }))
    }
}

struct Place {
    place: usize,
    stage: Arc<Stage>,
}

#[async_trait]
impl Endpoint for Place {
    fn capacity(&self) -> usize {
        CAPACITY
    }

    async fn deliver(&self, job: Job) -> Delivered {
        let stage = &self.stage;
        let id = (job.execution, job.attempt);
        stage.see(Seen::Began { job: id, scheduled: job.event.time });
        let (takes, fails) = stage.next(self.place, job.attempt);
        let over = stage.clock.now().plus(takes);
        let end = job.deadline.map_or(over, |deadline| over.min(deadline));
        stage.ends.lock().insert((end, job.execution));
        let was_cancelled = tokio::select! {
            biased;
            () = job.cancel.cancelled() => true,
            () = stage.clock.sleep_until(end) => false,
        };
        stage.ends.lock().remove(&(end, job.execution));
        let outcome = match (was_cancelled, end < over, fails) {
            (true, ..) => Outcome::Cancelled,
            (_, true, _) => {
                Outcome::TimedOut(Failure::new(Code::FunctionTimeout, "it takes too long"))
            }
            (_, _, true) => {
                Outcome::Failure(Failure::new(Code::FunctionError, "it fails as it was told"))
            }
            _ => Outcome::Success(Data::None),
        };
        stage.see(Seen::Ended { job: id, outcome: outcome.clone() });
        Delivered { outcome, version: 0 }
    }

    async fn deliver_batch(&self, job: Job, _events: &[Arc<Event>]) -> Delivered {
        self.deliver(job).await
    }
}
