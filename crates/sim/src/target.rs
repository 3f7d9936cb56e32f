//! The target of the simulation: a call waits until the run says how it ends, its time is over, or
//! it is cancelled and obeys.

use std::sync::Arc;

use async_trait::async_trait;
use evoke_model::policy::Rate;
use evoke_model::{Code, Event, Failure, Outcome, Problem};
use evoke_ports::{Clock, Delivered, Descriptor, Endpoint, Job, Target};
use serde_json::Value;

use crate::calls::{Begun, Obeys};
use crate::plan::{EndpointPlan, GroupPlan};
use crate::world::World;

/// The name of the group of all endpoints that share something.
const GROUP: &str = "simulated:shared";

/// The target.
pub(crate) struct Simulated {
    pub(crate) descriptor: Descriptor,
    pub(crate) world: Arc<World>,
}

struct Place {
    plan: EndpointPlan,
    world: Arc<World>,
}

impl Target for Simulated {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    fn open(&self, config: &Value) -> Result<Arc<dyn Endpoint>, Vec<Problem>> {
        let number = |value: &Value| value.as_u64().and_then(|number| usize::try_from(number).ok());
        let rate = serde_json::from_value::<Option<Rate>>(config["rate"].clone());
        let rate = rate.map_err(|error| vec![Problem::new("rate", error.to_string())])?;
        let is_shared = config["shared"] == Value::Bool(true);
        let plan = EndpointPlan {
            capacity: number(&config["capacity"]).unwrap_or(1),
            group: is_shared.then(|| GroupPlan { capacity: number(&config["places"]), rate }),
        };
        Ok(Arc::new(Place { plan, world: self.world.clone() }))
    }
}

#[async_trait]
impl Endpoint for Place {
    fn capacity(&self) -> usize {
        self.plan.capacity
    }

    fn group(&self) -> Option<Arc<str>> {
        self.plan.group.is_some().then(|| GROUP.into())
    }

    fn group_capacity(&self) -> Option<usize> {
        self.plan.group.as_ref()?.capacity
    }

    fn rate(&self) -> Option<Rate> {
        self.plan.group.as_ref()?.rate.clone()
    }

    async fn deliver(&self, job: Job) -> Delivered {
        let event = job.event.clone();
        self.call(job, &[event]).await
    }

    async fn deliver_batch(&self, job: Job, events: &[Arc<Event>]) -> Delivered {
        self.call(job, events).await
    }
}

impl Place {
    async fn call(&self, job: Job, events: &[Arc<Event>]) -> Delivered {
        let Begun { number, answer, obeys } = self.world.begin_call(&job, events);
        let (world, cancel) = (&self.world, job.cancel);
        let ends = async {
            match answer.await {
                Ok(outcome) => outcome,
                // Only when the process dies.
                Err(_) => std::future::pending().await,
            }
        };
        let time_out = async {
            match job.deadline {
                Some(deadline) => world.clock.sleep_until(deadline).await,
                None => std::future::pending().await,
            }
        };
        let is_cancelled = async {
            cancel.cancelled().await;
            if obeys == Obeys::No {
                std::future::pending::<()>().await;
            }
        };
        let outcome = tokio::select! {
            biased;
            outcome = ends => outcome,
            () = is_cancelled => Outcome::Cancelled,
            () = time_out => Outcome::TimedOut(Failure::new(Code::FunctionTimeout, "out of time")),
        };
        self.world.end_call(number, &outcome);
        Delivered { outcome, version: 0 }
    }
}
