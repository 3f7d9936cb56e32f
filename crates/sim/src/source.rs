//! The kind of trigger of the simulation: its configuration is a pattern over types of events.

use evoke_model::Problem;
use evoke_model::trigger::Subscription;
use evoke_ports::{Descriptor, Runs, Source};
use serde_json::{Value, json};

/// The word for the kind of trigger and for the kind of target.
pub(crate) const KIND: &str = "simulated";

/// What a kind of the simulation says of itself.
pub(crate) fn descriptor() -> Descriptor {
    Descriptor {
        kind: KIND,
        title: "Simulated",
        summary: "Does what the seed says.",
        schema: json!({}),
        example: json!({}),
        docs: "",
        runs: Runs::EveryNode,
    }
}

/// The source.
pub(crate) struct Simulated(pub(crate) Descriptor);

impl Source for Simulated {
    fn descriptor(&self) -> &Descriptor {
        &self.0
    }

    fn check(&self, config: &Value) -> Result<Value, Vec<Problem>> {
        Ok(config.clone())
    }

    fn subscription(&self, config: &Value) -> Option<Subscription> {
        let kind = config.get("match").and_then(Value::as_str).map(str::to_owned);
        Some(Subscription { kind, ..Subscription::default() })
    }
}
