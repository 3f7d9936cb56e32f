use evoke_model::Problem;
use evoke_model::trigger::Subscription;
use evoke_ports::{Descriptor, Fields, Source};
use serde_json::{Value, json};

/// Direct calls.
#[derive(Debug)]
pub(crate) struct InvokeSource {
    descriptor: Descriptor,
}

impl InvokeSource {
    pub(crate) fn new() -> Self {
        Self { descriptor: super::descriptor() }
    }
}

impl Source for InvokeSource {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    fn check(&self, config: &Value) -> Result<Value, Vec<Problem>> {
        Fields::new(config, &[]).finish(json!({}))
    }

    fn subscription(&self, _config: &Value) -> Option<Subscription> {
        None
    }
}
