use evoke_model::Problem;
use evoke_model::trigger::Subscription;
use evoke_ports::{Descriptor, Source};
use serde_json::Value;

/// Events of the log.
#[derive(Debug)]
pub(crate) struct EventSource {
    descriptor: Descriptor,
}

impl EventSource {
    pub(crate) fn new() -> Self {
        Self { descriptor: super::descriptor() }
    }
}

impl Source for EventSource {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    fn check(&self, config: &Value) -> Result<Value, Vec<Problem>> {
        super::config::check(config)
    }

    fn subscription(&self, config: &Value) -> Option<Subscription> {
        Some(super::config::subscription(config))
    }
}
