//! Changes of documents in collections: what happened to which, and hooks that may say no before it
//! does. The changes themselves are made by the database service.

mod config;
mod source;
#[cfg(test)]
mod tests;

pub(crate) use source::DatabaseSource;

use evoke_ports::{Descriptor, Runs};
use serde_json::json;

fn descriptor() -> Descriptor {
    let collection = json!({
        "type": "string", "minLength": 1, "maxLength": 63, "pattern": "^[A-Za-z*][A-Za-z0-9_*-]*$",
    });
    let event = json!({ "enum": ["create", "update", "delete", "insert"] });
    Descriptor {
        kind: "database",
        title: "Database",
        summary: "Runs when documents of a collection are created, updated or deleted; with \
                  `mode: sync` before that, and may say no.",
        schema: json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "additionalProperties": false,
            "required": ["collection"],
            "properties": {
                "collection": {
                    "description": "The collection, or a list of them. `*` stands for any run of \
                                    characters, alone for all collections.",
                    "anyOf": [
                        collection,
                        { "type": "array", "minItems": 1, "items": collection },
                    ],
                },
                "events": {
                    "description": "What happens to a document: `create` (or `insert`), `update`, \
                                    `delete`. Default: all.",
                    "anyOf": [
                        event,
                        { "const": "*" },
                        { "type": "array", "minItems": 1, "items": event },
                    ],
                },
            },
        }),
        example: json!({ "collection": "users", "events": ["create", "update"] }),
        docs: "triggers/database.md",
        runs: Runs::EveryNode,
    }
}
