//! Functions without a language: what they are called with is written down.

use std::sync::Arc;

use async_trait::async_trait;
use evoke_engine::{Deployment, Parts, Registry};
use evoke_model::{
    ByteSize, Data, Failure, FunctionSpec, FunctionVersion, Millis, Outcome, Problem, Scaling,
};
use evoke_ports::runtime::{Call, DeployError, Found, Host, PoolStatus, Reply};
use evoke_ports::{Delivered, Descriptor, Endpoint, Functions, Job, Pool, Runtime, Store, Target};
use parking_lot::Mutex;
use serde_json::Value;

use crate::support::{Script, descriptor, parts};

/// What functions were called with: name, type of the event, data.
pub type Calls = Arc<Mutex<Vec<(String, String, String)>>>;

struct Language(Descriptor);

struct Workers;

#[async_trait]
impl Runtime for Language {
    fn descriptor(&self) -> &Descriptor {
        &self.0
    }
    fn names(&self) -> &[&'static str] {
        &["fake"]
    }
    fn handler_default(&self) -> &'static str {
        "index.handler"
    }
    async fn probe(&self) -> Vec<Found> {
        Vec::new()
    }
    async fn open(&self, _: Arc<FunctionVersion>, _: Host) -> Result<Arc<dyn Pool>, DeployError> {
        Ok(Arc::new(Workers))
    }
    async fn close(&self) {}
}

#[async_trait]
impl Pool for Workers {
    fn capacity(&self) -> usize {
        8
    }
    async fn call(&self, _: Call) -> Result<Reply, Failure> {
        Ok(Reply::Value(Data::None))
    }
    async fn drain(&self, _: Millis) {}
    fn status(&self) -> PoolStatus {
        PoolStatus::default()
    }
}

/// The target that calls functions.
struct ToFunctions {
    descriptor: Descriptor,
    registry: Arc<Registry>,
    calls: Calls,
}

struct ToFunction {
    name: String,
    registry: Arc<Registry>,
    calls: Calls,
}

impl Target for ToFunctions {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }
    fn open(&self, config: &Value) -> Result<Arc<dyn Endpoint>, Vec<Problem>> {
        let name = config["name"].as_str().unwrap_or_default().to_owned();
        let (registry, calls) = (self.registry.clone(), self.calls.clone());
        Ok(Arc::new(ToFunction { name, registry, calls }))
    }
}

#[async_trait]
impl Endpoint for ToFunction {
    fn capacity(&self) -> usize {
        8
    }
    async fn deliver(&self, job: Job) -> Delivered {
        let version = match self.registry.current(&self.name) {
            Ok(deployed) => deployed.version.number,
            Err(failure) => return Delivered { outcome: Outcome::Failure(failure), version: 0 },
        };
        let data = String::from_utf8_lossy(job.event.data.bytes()).into_owned();
        self.calls.lock().push((self.name.clone(), job.event.kind.to_string(), data));
        Delivered { outcome: Outcome::Success(Data::None), version }
    }
    async fn deliver_batch(&self, job: Job, _: &[Arc<evoke_model::Event>]) -> Delivered {
        self.deliver(job).await
    }
}

/// The parts of an engine with functions beside the scripted endpoint, and what they were called
/// with.
pub fn with_functions(store: Arc<dyn Store>, endpoint: Arc<Script>) -> (Parts, Calls) {
    let mut parts = parts(store, endpoint);
    let calls = Calls::default();
    parts.targets.push(Arc::new(ToFunctions {
        descriptor: descriptor("function"),
        registry: parts.registry.clone(),
        calls: calls.clone(),
    }));
    parts.sources.push(Arc::new(Direct(descriptor("invoke"))));
    parts.runtimes.push(Arc::new(Language(descriptor("fake"))));
    (parts, calls)
}

/// The source of direct calls: nothing is matched.
struct Direct(Descriptor);

impl evoke_ports::Source for Direct {
    fn descriptor(&self) -> &Descriptor {
        &self.0
    }
    fn check(&self, config: &Value) -> Result<Value, Vec<Problem>> {
        Ok(config.clone())
    }
    fn subscription(&self, _: &Value) -> Option<evoke_model::trigger::Subscription> {
        None
    }
}

/// A version of a function.
pub fn deployment(name: &str, hash: &str) -> Deployment {
    Deployment {
        spec: FunctionSpec {
            name: name.to_owned(),
            runtime: "fake".to_owned(),
            handler: None,
            memory: ByteSize::from_mb(128),
            timeout: FunctionSpec::TIMEOUT_DEFAULT,
            environment: Default::default(),
            scaling: Scaling::default(),
        },
        code: "/nowhere".into(),
        hash: hash.to_owned(),
        environment: Default::default(),
        triggers: Vec::new(),
    }
}
