//! Files in buckets: which were uploaded and deleted, and hooks that may say no before they
//! are. The files themselves are kept by the storage service.

mod config;
mod source;
#[cfg(test)]
mod tests;

pub(crate) use source::StorageSource;

use evoke_ports::{Descriptor, Runs};
use serde_json::json;

fn descriptor() -> Descriptor {
    let bucket = json!({
        "type": "string", "minLength": 1, "maxLength": 63,
        "pattern": "^[A-Za-z0-9*][A-Za-z0-9_*-]*$",
    });
    let event = json!({ "enum": ["upload", "delete"] });
    let prefix = json!({ "type": "string", "minLength": 1 });
    let media = json!({ "type": "string", "pattern": "^[^/\\s]+/[^/\\s]+$" });
    Descriptor {
        kind: "storage",
        title: "Storage",
        summary: "Runs when files of a bucket are uploaded or deleted; with `mode: sync` before \
                  that, and may say no.",
        schema: json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "additionalProperties": false,
            "required": ["bucket"],
            "properties": {
                "bucket": {
                    "description": "The bucket, or a list of them. `*` stands for any run of \
                                    characters, alone for all buckets.",
                    "anyOf": [bucket, { "type": "array", "minItems": 1, "items": bucket }],
                },
                "events": {
                    "description": "What happens to a file: `upload`, `delete`. Default: both.",
                    "anyOf": [
                        event,
                        { "const": "*" },
                        { "type": "array", "minItems": 1, "items": event },
                    ],
                },
                "prefix": {
                    "description": "Only files whose name begins so, or with one of these.",
                    "anyOf": [
                        prefix,
                        { "type": "array", "minItems": 1, "items": prefix },
                    ],
                },
                "content_type": {
                    "description": "Only files of this media type, or one of these: `image/png`, \
                                    `image/*`.",
                    "anyOf": [media, { "type": "array", "minItems": 1, "items": media }],
                },
            },
        }),
        example: json!({
            "bucket": "uploads",
            "events": ["upload"],
            "prefix": "images/",
            "content_type": "image/*",
        }),
        docs: "triggers/storage.md",
        runs: Runs::EveryNode,
    }
}
