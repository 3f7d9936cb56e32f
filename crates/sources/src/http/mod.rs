//! Routes at the root of the server: a function answers a request while its caller waits.
//! Executions are planned by whoever takes the request.

mod access;
mod config;
mod path;
mod sample;
mod source;
mod table;
#[cfg(test)]
mod tests;

pub(crate) use config::{METHODS, methods};
pub(crate) use path::decode;
pub(crate) use source::HttpSource;
pub use table::{Conflict, conflicts};

use evoke_ports::{Descriptor, Runs};
use serde_json::json;

fn descriptor() -> Descriptor {
    Descriptor {
        kind: "http",
        title: "HTTP route",
        summary: "Runs for HTTP requests to a path; the function's answer goes back to the caller.",
        schema: json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "additionalProperties": false,
            "required": ["path"],
            "properties": {
                "path": {
                    "type": "string",
                    "pattern": "^/",
                    "description": "`{name}` stands for one segment, a final `{name...}` for the rest.",
                },
                "methods": {
                    "type": "array",
                    "minItems": 1,
                    "items": { "enum": config::METHODS },
                    "description": "All if not given. A route for GET answers HEAD as well.",
                },
                "auth": {
                    "type": "string",
                    "pattern": "^(required|optional|none|role:.+)$",
                    "default": "none",
                    "description": "Who may call: `required` for users who are logged in, `role:NAME` \
                                    for those with a role; with `optional` anybody, and the function \
                                    is told who it is.",
                },
            },
        }),
        example: json!({ "path": "/api/users/{id}", "methods": ["GET", "POST"] }),
        docs: "triggers/http.md",
        runs: Runs::EveryNode,
    }
}
