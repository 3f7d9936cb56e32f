//! HTTP endpoints anywhere.

mod client;
mod config;
mod exchange;
mod guard;
mod target;
mod template;
#[cfg(test)]
mod tests;

pub(crate) use target::HttpTarget;

use evoke_ports::{Descriptor, Runs};
use serde_json::json;

fn descriptor() -> Descriptor {
    Descriptor {
        kind: "http",
        title: "HTTP endpoint",
        summary: "Sends each event as an HTTP request. Without `body` it is a CloudEvent in structured \
                  mode (application/cloudevents+json).",
        schema: json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "additionalProperties": false,
            "required": ["url"],
            "properties": {
                "url": { "type": "string", "pattern": "^https?://" },
                "method": { "enum": config::METHODS, "default": "POST" },
                "headers": {
                    "type": "object",
                    "additionalProperties": { "type": "string" },
                    "description": "Sent with each request; they replace ours of the same name.",
                },
                "body": {
                    "type": "string",
                    "description": "A template (Jinja) over `event`, `execution` and `trigger`. Values \
                                    inside quotes are escaped for JSON unless the Content-Type header \
                                    says that the body is something else.",
                },
                "timeout": {
                    "type": ["string", "number"],
                    "default": "30s",
                    "description": "From the first byte out to the last byte in; at most 15m.",
                },
                "concurrency": {
                    "type": "integer",
                    "minimum": 1,
                    "maximum": config::CONCURRENCY_MAX,
                    "default": config::CONCURRENCY_DEFAULT,
                    "description": "Requests under way at once.",
                },
                "follow_redirects": {
                    "type": "boolean",
                    "default": false,
                    "description": "Follows up to 3 redirects; otherwise a redirect is a failure.",
                },
            },
        }),
        example: json!({
            "url": "https://hooks.example.com/orders",
            "headers": { "authorization": "Bearer ${secrets.HOOK}" },
            "body": "{\"text\": \"Order {{ event.data.id }} over {{ event.data.total }}\"}",
            "timeout": "10s",
        }),
        docs: "targets/http.md",
        runs: Runs::EveryNode,
    }
}
