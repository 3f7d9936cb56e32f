//! Targets: where executions go.

use std::sync::Arc;

use async_trait::async_trait;
use evoke_model::policy::Rate;
use evoke_model::{Event, ExecutionId, Outcome, Problem, Timestamp, Trigger};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::descriptor::Descriptor;
use crate::runtime::{Deployed, LogSink};

/// A kind of target.
pub trait Target: Send + Sync {
    /// What the kind says of itself.
    fn descriptor(&self) -> &Descriptor;

    /// Makes the thing that delivers for a trigger with this configuration. May not block: pools of
    /// connections open when they are first used.
    ///
    /// # Errors
    /// Everything that is wrong, with fields relative to the configuration.
    fn open(&self, config: &Value) -> Result<Arc<dyn Endpoint>, Vec<Problem>>;
}

/// A target made ready for one trigger.
#[async_trait]
pub trait Endpoint: Send + Sync {
    /// How many executions may be under way at once; more wait in the dispatcher. Asked before each
    /// dispatch, so it may change.
    fn capacity(&self) -> usize;

    /// What the endpoint shares with those of other triggers: `function:resize`,
    /// `http:https://example.com:443`. Triggers with the same one share its places, its rate and
    /// its breaker. `None` shares nothing.
    fn group(&self) -> Option<Arc<str>> {
        None
    }

    /// How many calls the group takes at once, those of all its triggers together. `None` where
    /// each trigger's own capacity is all there is to keep to.
    fn group_capacity(&self) -> Option<usize> {
        None
    }

    /// How often the group may be called; `None` is no limit. Of several triggers with different
    /// rates each keeps to its own, on the one bucket they share.
    fn rate(&self) -> Option<Rate> {
        None
    }

    /// Carries out one attempt. Must return soon after `job.cancel` fires or the deadline passes.
    async fn deliver(&self, job: Job) -> Delivered;

    /// Carries out one attempt of several executions in one call. The job is that of the first;
    /// `events` are those of all, the first included, oldest first. Which of them failed while the
    /// call as such went well is read from the outcome's data by the caller.
    async fn deliver_batch(&self, job: Job, events: &[Arc<Event>]) -> Delivered;
}

/// One attempt to carry out.
#[derive(Clone)]
pub struct Job {
    /// The execution.
    pub execution: ExecutionId,
    /// 1, 2, 3, ...
    pub attempt: u32,
    /// What happened.
    pub event: Arc<Event>,
    /// The rule.
    pub trigger: Arc<Trigger>,
    /// The rule's kind, shared by all its executions.
    pub trigger_kind: Arc<str>,
    /// The rule's name, shared by all its executions.
    pub trigger_name: Arc<str>,
    /// The version of a function that runs; `None` is the current one. Other targets know no
    /// versions.
    pub version: Option<Deployed>,
    /// When the attempt runs out of time by the trigger's policy; the function's own limit may be
    /// earlier. `None` leaves it to the target.
    pub deadline: Option<Timestamp>,
    /// Fires when the execution is cancelled.
    pub cancel: CancellationToken,
    /// Where log lines go.
    pub logs: Arc<dyn LogSink>,
    /// The short-lived token with which the function calls back.
    pub token: Arc<str>,
}

/// How an attempt ended.
#[derive(Clone, PartialEq, Debug)]
pub struct Delivered {
    /// How it ended.
    pub outcome: Outcome,
    /// The version of the function that ran; 0 for targets without versions.
    pub version: u32,
}
