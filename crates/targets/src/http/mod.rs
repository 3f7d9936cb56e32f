//! HTTP endpoints anywhere.

mod client;
mod config;
mod exchange;
mod guard;
mod record;
mod request;
mod signature;
mod target;
mod template;
#[cfg(test)]
mod tests;
mod tls;

pub(crate) use target::HttpTarget;

use evoke_ports::{Descriptor, Runs};
use serde_json::{Value, json};

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
                "rate": rate(),
                "follow_redirects": {
                    "type": "boolean",
                    "default": false,
                    "description": "Follows up to 3 redirects; otherwise a redirect is a failure.",
                },
                "signing": signing(),
                "tls": tls(),
                "record_response": {
                    "type": ["string", "number"],
                    "default": "64kb",
                    "description": "So much of an answer's body is kept; at most 1mb, 0 is nothing.",
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

fn rate() -> Value {
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["limit", "per"],
        "properties": {
            "limit": { "type": "integer", "minimum": 1 },
            "per": { "type": ["string", "number"] },
            "burst": { "type": "integer", "minimum": 1 },
        },
        "description": "Requests per time to this scheme, host and port, whichever trigger they \
                        come from; the rest waits.",
    })
}

fn signing() -> Value {
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["secrets"],
        "properties": {
            "secrets": {
                "type": "array",
                "items": { "type": "string" },
                "minItems": 1,
                "maxItems": signature::SECRETS_MAX,
            },
        },
        "description": "Signs each request as Standard Webhooks has it, with each of the secrets: \
                        whsec_ and base64 of 24 to 64 bytes.",
    })
}

fn tls() -> Value {
    json!({
        "type": "object",
        "additionalProperties": false,
        "minProperties": 1,
        "properties": {
            "cert": { "type": "string" },
            "key": { "type": "string" },
            "ca": { "type": "string" },
        },
        "dependentRequired": { "cert": ["key"], "key": ["cert"] },
        "description": "PEM, or the absolute path of a file with it. cert and key are shown to the \
                        endpoint; with ca its own certificate must come from there.",
    })
}
