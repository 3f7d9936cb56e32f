//! Direct calls of a function. Every function has one such trigger; its executions are planned by
//! whoever takes the call.

mod source;

pub(crate) use source::InvokeSource;

use evoke_model::Trigger;
use evoke_ports::{Descriptor, Runs};
use serde_json::json;

fn descriptor() -> Descriptor {
    Descriptor {
        kind: Trigger::INVOKE,
        title: "Direct call",
        summary: "Runs a function for a call through the API, the CLI or an SDK.",
        schema: json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "additionalProperties": false,
            "properties": {},
        }),
        example: json!({}),
        docs: "triggers/invoke.md",
        runs: Runs::EveryNode,
    }
}
