use std::sync::Arc;

use arc_swap::ArcSwap;
use evoke_model::trigger::Subscription;
use evoke_model::{Problem, Timestamp, Trigger, TriggerId};
use evoke_ports::{Claim, Descriptor, HttpCall, HttpIntake, Received, Sample, Source};
use http::Method;
use serde_json::Value;

use super::table::Table;
use super::{ROOT, config, receive, verification};

/// Webhooks.
#[derive(Debug)]
pub(crate) struct WebhookSource {
    descriptor: Descriptor,
    hooks: Arc<Hooks>,
}

/// The table in use; requests read it without waiting for a change.
#[derive(Debug, Default)]
struct Hooks {
    table: ArcSwap<Table>,
}

impl WebhookSource {
    pub(crate) fn new() -> Self {
        Self { descriptor: super::descriptor(), hooks: Arc::default() }
    }
}

impl Source for WebhookSource {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    fn check(&self, config: &Value) -> Result<Value, Vec<Problem>> {
        config::read(config).map(|(canonical, _)| canonical)
    }

    fn subscription(&self, _config: &Value) -> Option<Subscription> {
        None
    }

    fn origin(&self) -> Option<&'static str> {
        Some(ROOT)
    }

    fn sample(&self, name: &str, config: &Value) -> Option<Sample> {
        let (_, hook) = config::read(config).ok()?;
        let data = receive::sample(&hook, name).to_value();
        Some(Sample { kind: receive::kind(name), data })
    }

    fn shown(&self, config: &Value) -> Value {
        let mut shown = config.clone();
        verification::hide(&mut shown);
        shown
    }

    fn intake(&self) -> Option<Arc<dyn HttpIntake>> {
        Some(self.hooks.clone())
    }
}

impl HttpIntake for Hooks {
    fn rebuild(&self, triggers: &[Arc<Trigger>]) {
        self.table.store(Arc::new(self.table.load().rebuilt(triggers)));
    }

    fn claim(&self, method: &Method, path: &str) -> Claim {
        self.table.load().claim(method, path)
    }

    fn rival(&self, config: &Value, own: Option<TriggerId>) -> Option<TriggerId> {
        self.table.load().rival(config, own)
    }

    fn receive(&self, trigger: TriggerId, call: &HttpCall, now: Timestamp) -> Received {
        self.table.load().receive(trigger, call, now)
    }
}
