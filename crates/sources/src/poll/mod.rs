//! Polls: a function is asked again and again whether something happened, and fires when it says
//! so. The asking itself is the engine's.

mod config;
mod source;
#[cfg(test)]
mod tests;

pub(crate) use source::PollSource;

use evoke_ports::{Descriptor, Runs};
use serde_json::json;

fn descriptor() -> Descriptor {
    let duration = |what: &str| {
        json!({
            "description": what,
            "anyOf": [{ "type": "string", "minLength": 1 }, { "type": "number", "minimum": 0 }],
        })
    };
    Descriptor {
        kind: "poll",
        title: "Poll",
        summary: "Asks a function at an interval whether something happened, and runs when it did.",
        schema: json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "additionalProperties": false,
            "required": ["function", "every"],
            "properties": {
                "function": {
                    "description": "The function that is asked. In a manifest it is the manifest's \
                                    own and is not given.",
                    "type": "string",
                    "minLength": 1,
                },
                "every": duration(
                    "From the beginning of one question to that of the next: 1s to 1d.",
                ),
                "poll_timeout": duration(
                    "How long the function may take to answer, from the beginning of the \
                     question: at most 15m. Default: 10s.",
                ),
                "allow_concurrent": {
                    "description": "Whether it fires while an execution with the same context is \
                                    still open. Default: false.",
                    "type": "boolean",
                },
            },
        }),
        example: json!({ "function": "watch-inbox", "every": "2s" }),
        docs: "triggers/poll.md",
        runs: Runs::OneNode,
    }
}
