//! Webhooks that come in: requests of other services, verified, checked and made into events of the
//! log. A sender that is not believed leaves no trace in it.

mod config;
mod json;
mod payload;
mod receive;
mod source;
mod table;
#[cfg(test)]
mod tests;
mod verification;

pub(crate) use source::WebhookSource;

use evoke_ports::{Descriptor, Runs};
use serde_json::json;

use crate::http::METHODS;

/// Where the events of webhooks come from, and the beginning of their paths.
const ROOT: &str = "/webhooks";

fn descriptor() -> Descriptor {
    Descriptor {
        kind: "webhook",
        title: "Webhook",
        summary: "Runs for requests of other services that are verified by their signature.",
        schema: json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "additionalProperties": false,
            "properties": {
                "path": {
                    "type": "string",
                    "pattern": "^/webhooks/.",
                    "description": "A path beside /webhooks/{id} and /webhooks/{name}.",
                },
                "methods": {
                    "type": "array",
                    "minItems": 1,
                    "items": { "enum": METHODS },
                    "default": config::METHODS_DEFAULT,
                },
                "verification": verification::schema(),
                "skip_invalid": {
                    "type": "boolean",
                    "default": false,
                    "description": "Lets requests in that are not verified, with `verified: false`.",
                },
                "schema": {
                    "description": "JSON Schema of the body (2020-12, or draft 7 by its `$schema`). \
                                    In a manifest also the path of a file beside it.",
                    "anyOf": [
                        { "type": ["object", "boolean"] },
                        { "type": "string", "contentMediaType": "application/schema+json" },
                    ],
                },
                "delivery_id": {
                    "type": "string",
                    "description": "The header with the sender's id of the delivery, if it is not \
                                    that of the verification.",
                },
            },
        }),
        example: json!({
            "path": "/webhooks/orders",
            "verification": { "type": "hmac-sha256", "header": "X-Signature", "secret": "s3cret" },
        }),
        docs: "triggers/webhook.md",
        runs: Runs::EveryNode,
    }
}
