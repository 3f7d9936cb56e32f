//! Functions of this server.

mod config;
mod target;
#[cfg(test)]
mod tests;

pub(crate) use target::FunctionTarget;

use evoke_model::Target;
use evoke_ports::{Descriptor, Runs};
use serde_json::json;

fn descriptor() -> Descriptor {
    Descriptor {
        kind: Target::FUNCTION,
        title: "Function",
        summary: "Runs the current version of a function of this server.",
        schema: json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "additionalProperties": false,
            "required": ["name"],
            "properties": {
                "name": { "type": "string", "minLength": 1, "description": "The function's name." },
            },
        }),
        example: json!({ "name": "on-user-created" }),
        docs: "targets/function.md",
        runs: Runs::EveryNode,
    }
}
