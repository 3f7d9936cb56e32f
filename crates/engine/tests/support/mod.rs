//! Plug-ins that do what a test tells them, for an engine without languages or servers.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use evoke_engine::{Draft, Engine, NewTrigger, Parts, Registry, Settings};
use evoke_model::trigger::Subscription;
use evoke_model::{Data, Event, Failure, Outcome, Policy, Problem, Target as Where};
use evoke_ports::{
    Delivered, Descriptor, Endpoint, Job, NoTracer, Runs, Source, Store, SystemClock, Target,
};
use parking_lot::Mutex;
use serde_json::{Value, json};

/// A source whose configuration is the pattern.
pub struct Events(Descriptor);

/// A target with one endpoint, whatever it is configured with.
struct Fixed {
    descriptor: Descriptor,
    endpoint: Arc<dyn Endpoint>,
}

/// What the target does with an attempt.
pub type Act = dyn Fn(&Job) -> Result<Data, Failure> + Send + Sync;

/// The scripted endpoint.
pub struct Script {
    act: Box<Act>,
    /// How many may run at once.
    pub capacity: usize,
    /// What was delivered, in order: event type and attempt.
    pub seen: Mutex<Vec<(String, u32)>>,
    /// The types of the events of each batch, in order.
    pub batches: Mutex<Vec<Vec<String>>>,
    /// How many calls were made.
    pub count: AtomicUsize,
}

/// What a kind says of itself.
pub fn descriptor(kind: &'static str) -> Descriptor {
    Descriptor {
        kind,
        title: kind,
        summary: "",
        schema: json!({}),
        example: json!({}),
        docs: "",
        runs: Runs::EveryNode,
    }
}

impl Source for Events {
    fn descriptor(&self) -> &Descriptor {
        &self.0
    }
    fn check(&self, config: &Value) -> Result<Value, Vec<Problem>> {
        Ok(config.clone())
    }
    fn subscription(&self, config: &Value) -> Option<Subscription> {
        let kind = config["match"].as_str().map(str::to_owned);
        Some(Subscription { kind, ..Subscription::default() })
    }
}

impl Target for Fixed {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }
    fn open(&self, _: &Value) -> Result<Arc<dyn Endpoint>, Vec<Problem>> {
        Ok(self.endpoint.clone())
    }
}

#[async_trait]
impl Endpoint for Script {
    fn capacity(&self) -> usize {
        self.capacity
    }
    async fn deliver(&self, job: Job) -> Delivered {
        self.count.fetch_add(1, Ordering::Relaxed);
        let outcome = match (self.act)(&job) {
            Ok(data) => Outcome::Success(data),
            Err(failure) => Outcome::Failure(failure),
        };
        self.seen.lock().push((job.event.kind.to_string(), job.attempt));
        Delivered { outcome, version: 0 }
    }

    async fn deliver_batch(&self, job: Job, events: &[Arc<Event>]) -> Delivered {
        self.batches.lock().push(events.iter().map(|event| event.kind.to_string()).collect());
        self.deliver(job).await
    }
}

/// An endpoint that acts like this.
pub fn script(
    capacity: usize,
    act: impl Fn(&Job) -> Result<Data, Failure> + Send + Sync + 'static,
) -> Arc<Script> {
    Arc::new(Script {
        act: Box::new(act),
        capacity,
        seen: Mutex::default(),
        batches: Mutex::default(),
        count: AtomicUsize::new(0),
    })
}

/// A target of this kind that always leads to this endpoint.
pub fn target(kind: &'static str, endpoint: Arc<dyn Endpoint>) -> Arc<dyn Target> {
    Arc::new(Fixed { descriptor: descriptor(kind), endpoint })
}

/// The parts of an engine on this store whose only target is this endpoint.
pub fn parts(store: Arc<dyn Store>, endpoint: Arc<Script>) -> Parts {
    Parts {
        store,
        sources: vec![Arc::new(Events(descriptor("event")))],
        targets: vec![target("scripted", endpoint)],
        runtimes: Vec::new(),
        clock: Arc::new(SystemClock),
        registry: Registry::new(),
        tracer: Arc::new(NoTracer),
        settings: Settings::default(),
    }
}

/// An engine on this store whose only target is this endpoint.
pub async fn engine(store: Arc<dyn Store>, endpoint: Arc<Script>) -> Engine {
    let engine = Engine::start(parts(store, endpoint)).await.expect("the engine starts");
    engine.admit();
    engine
}

/// A trigger for all events that match.
pub fn trigger(pattern: &str, policy: Policy) -> NewTrigger {
    NewTrigger {
        name: format!("on {pattern}"),
        kind: "event".into(),
        config: json!({ "match": pattern }),
        target: Where { kind: "scripted".into(), config: json!({}) },
        policy,
        enabled: true,
    }
}

/// An event of this type.
pub fn draft(kind: &str) -> Draft {
    Draft { kind: kind.into(), data: Data::from_value(&json!({ "n": 1 })), ..Draft::default() }
}
