//! The OpenAPI 3.1 document. The routes say what they are; what all of them share is added here.

use evoke_api::{ErrorBody, schemas};
use serde_json::{Map, Value, json};
use utoipa::{PartialSchema, ToSchema};

use crate::guard;
use crate::routes;

const INTRODUCTION: &str = "Events in, functions run, nothing lost. Everything under `/api` also \
    stands under `/api/v1`. Lists come in pages: send `next_cursor` as `cursor` for the next one. \
    `X-Request-Id` and `traceparent` are taken and given back. Errors always have the form of \
    `ErrorBody`; each code has a page.";

/// The document as JSON text.
pub fn openapi() -> String {
    let document = document();
    serde_json::to_string_pretty(&document).unwrap_or_default()
}

/// The document.
pub(crate) fn document() -> Value {
    let collected = routes::documented().into_openapi();
    let mut document = serde_json::to_value(&collected).unwrap_or_default();
    document["info"] = json!({
        "title": "Evoke",
        "version": env!("CARGO_PKG_VERSION"),
        "description": INTRODUCTION,
        "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
    });
    document["security"] = json!([{ "bearer": [] }, { "api_key": [] }]);
    document["tags"] = json!([
        { "name": "events", "description": "Sending events and reading the log" },
        { "name": "executions", "description": "What became of events" },
        { "name": "dead letters", "description": "What used up its attempts" },
        { "name": "operations", "description": "Replays, redrives, who did what, retention" },
        { "name": "functions", "description": "Functions, calling them, what they print" },
        { "name": "triggers", "description": "Which events go where" },
        { "name": "schedules", "description": "Triggers that fire at instants" },
        { "name": "webhooks", "description": "Requests of other services" },
        { "name": "database", "description": "Collections of documents" },
        { "name": "storage", "description": "Buckets of files" },
        { "name": "users", "description": "Signing up and in, tokens, accounts" },
        { "name": "keys", "description": "Who may call" },
        { "name": "server", "description": "The server itself" },
    ]);
    plain_wildcards(&mut document);
    add_components(&mut document);
    for (path, item) in document["paths"].as_object_mut().into_iter().flatten() {
        for operation in item.as_object_mut().into_iter().flat_map(Map::values_mut) {
            complete(path, operation);
        }
    }
    document
}

/// A parameter that takes slashes has a mark that only the router knows.
fn plain_wildcards(document: &mut Value) {
    let Some(paths) = document["paths"].as_object_mut() else { return };
    let marked: Vec<String> = paths.keys().filter(|path| path.contains("{*")).cloned().collect();
    for path in marked {
        if let Some(item) = paths.remove(&path) {
            paths.insert(path.replace("{*", "{"), item);
        }
    }
}

fn add_components(document: &mut Value) {
    let mut errors = Vec::new();
    <ErrorBody as ToSchema>::schemas(&mut errors);
    errors.push((ErrorBody::name().into_owned(), ErrorBody::schema()));
    let schemas = &mut document["components"]["schemas"];
    for (name, schema) in errors {
        schemas[name] = serde_json::to_value(schema).unwrap_or_default();
    }
    for (name, schema) in schemas::policy_definitions() {
        schemas[name] = schema;
    }
    document["components"]["securitySchemes"] = json!({
        "bearer": { "type": "http", "scheme": "bearer", "description": "An API key: `evk_...`" },
        "api_key": { "type": "apiKey", "in": "header", "name": "X-API-Key" },
    });
}

/// Every operation may be refused, and the public ones need no key.
fn complete(path: &str, operation: &mut Value) {
    if !operation["responses"].is_object() {
        return;
    }
    if path != "/docs" {
        operation["responses"]["default"] = json!({
            "description": "Refused",
            "content": {
                "application/json": { "schema": { "$ref": "#/components/schemas/ErrorBody" } },
            },
        });
    }
    let is_public = path.starts_with("/health")
        || path.starts_with("/schemas")
        || path.starts_with("/webhooks")
        || path.starts_with("/storage/")
        || path.starts_with("/docs/errors")
        || guard::is_for_anybody(path);
    if is_public {
        operation["security"] = json!([]);
    }
}
