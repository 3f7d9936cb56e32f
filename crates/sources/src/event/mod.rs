//! Events of the log, by their type, source and subject: custom ones, and those other sources made.

mod config;
mod source;
#[cfg(test)]
mod tests;

pub(crate) use source::EventSource;

use evoke_ports::{Descriptor, Runs};
use serde_json::json;

fn descriptor() -> Descriptor {
    let text = json!({ "type": "string", "minLength": 1 });
    let pattern = |what: &str| json!({ "type": "string", "minLength": 1, "description": what });
    Descriptor {
        kind: "event",
        title: "Event",
        summary: "Runs for events whose type, source and subject fit patterns.",
        schema: json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "additionalProperties": false,
            "minProperties": 1,
            "properties": {
                "match": {
                    "description": "Pattern over the type, or a list of which one has to fit. `*` stands \
                                    for one segment, `**` for any number, a final `*` for one or more.",
                    "anyOf": [
                        text,
                        { "type": "array", "minItems": 1, "items": text },
                    ],
                },
                "source": pattern("Pattern over the source; segments end at `/`."),
                "subject": pattern("Pattern over the subject; segments end at `/`."),
            },
        }),
        example: json!({ "match": "order.*" }),
        docs: "triggers/event.md",
        runs: Runs::EveryNode,
    }
}
