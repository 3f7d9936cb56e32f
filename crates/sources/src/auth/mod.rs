//! What users do: signing up, logging in and out, proving their address, setting a password. And
//! hooks that may say no before it happens. What happens is decided by the service of users.

mod config;
mod source;
#[cfg(test)]
mod tests;

pub(crate) use source::AuthSource;

use evoke_ports::{Descriptor, Runs};
use serde_json::json;

fn descriptor() -> Descriptor {
    let names = config::ACTIONS.into_iter().chain(config::ALIASES.map(|(alias, _)| alias));
    let event = json!({ "enum": names.collect::<Vec<_>>() });
    Descriptor {
        kind: "auth",
        title: "Users",
        summary: "Runs when users sign up, log in or out, verify their address or reset their \
                  password; with `mode: sync` before that, and may say no.",
        schema: json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "additionalProperties": false,
            "properties": {
                "events": {
                    "description": "What users do. `onUserCreate` is `signup`, `onLogin` is `login`. \
                                    Default: all.",
                    "anyOf": [
                        event,
                        { "const": "*" },
                        { "type": "array", "minItems": 1, "items": event },
                    ],
                },
            },
        }),
        example: json!({ "events": ["signup", "login"] }),
        docs: "triggers/auth.md",
        runs: Runs::EveryNode,
    }
}
