use evoke_model::Problem;
use evoke_model::trigger::Subscription;
use evoke_ports::{Descriptor, Sample, Source};
use serde_json::{Value, json};

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

    fn sample(&self, _name: &str, config: &Value) -> Option<Sample> {
        Some(Sample { kind: super::config::sample_type(config), data: json!({}) })
    }
}
