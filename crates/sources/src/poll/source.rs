use std::sync::Arc;

use evoke_model::Problem;
use evoke_model::trigger::Subscription;
use evoke_ports::{Descriptor, Sample, Source, Timing};
use serde_json::{Value, json};

/// Functions that are asked whether something happened.
#[derive(Debug)]
pub(crate) struct PollSource {
    descriptor: Descriptor,
}

impl PollSource {
    pub(crate) fn new() -> Self {
        Self { descriptor: super::descriptor() }
    }
}

impl Source for PollSource {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    fn check(&self, config: &Value) -> Result<Value, Vec<Problem>> {
        super::config::check(config)
    }

    fn subscription(&self, _: &Value) -> Option<Subscription> {
        None
    }

    fn origin(&self) -> Option<&'static str> {
        Some("/polls")
    }

    fn timing(&self, config: &Value) -> Option<Timing> {
        super::config::poll(config).map(|poll| Timing::Poll(Arc::new(poll)))
    }

    fn sample(&self, name: &str, _: &Value) -> Option<Sample> {
        Some(Sample { kind: format!("poll.{name}"), data: json!({}) })
    }
}
