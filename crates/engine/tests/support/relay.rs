//! Executions that send events.

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use evoke_engine::{Draft, Engine, Parts};
use evoke_model::{Code, Data, Failure, Outcome, Problem};
use evoke_ports::{Delivered, Descriptor, Endpoint, Job, Target};
use serde_json::Value;

use crate::support::descriptor;

/// A target whose executions each send an event of the type it is configured with, before they
/// end.
pub struct Relay {
    descriptor: Descriptor,
    engine: Arc<OnceLock<Engine>>,
}

struct Sender {
    kind: String,
    engine: Arc<OnceLock<Engine>>,
}

impl Target for Relay {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }
    fn open(&self, config: &Value) -> Result<Arc<dyn Endpoint>, Vec<Problem>> {
        let kind = config["sends"].as_str().unwrap_or_default().to_owned();
        Ok(Arc::new(Sender { kind, engine: self.engine.clone() }))
    }
}

#[async_trait]
impl Endpoint for Sender {
    fn capacity(&self) -> usize {
        8
    }
    async fn deliver(&self, job: Job) -> Delivered {
        let kind = self.kind.as_str().into();
        let draft = Draft { kind, cause: Some(job.execution), ..Draft::default() };
        let sent = match self.engine.get() {
            Some(engine) => engine.emit(vec![draft]).await.is_ok(),
            None => false,
        };
        let outcome = match sent {
            true => Outcome::Success(Data::None),
            false => Outcome::Failure(Failure::new(Code::FunctionError, "nobody took it")),
        };
        Delivered { outcome, version: 0 }
    }
    async fn deliver_batch(&self, job: Job, _: &[Arc<evoke_model::Event>]) -> Delivered {
        self.deliver(job).await
    }
}

/// Gives an engine the target whose executions send events.
pub fn with_relay(mut parts: Parts) -> (Parts, Arc<OnceLock<Engine>>) {
    let engine = Arc::<OnceLock<Engine>>::default();
    let relay = Relay { descriptor: descriptor("relay"), engine: engine.clone() };
    parts.targets.push(Arc::new(relay));
    (parts, engine)
}
