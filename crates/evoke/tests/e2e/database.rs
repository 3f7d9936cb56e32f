//! Collections of the built binary: documents, their events, and the functions that run for them.

use evoke_testkit::{Answer, TestServer};
use serde_json::{Value, json};

use crate::facts::{invoke, printed};
use crate::support::dev;

/// A function that gives back what it got.
const NODE: &str = "export const handler = (event) => ({ type: event.type, ...event.data });\n";
const PYTHON: &str = "def handler(event, context):\n    return dict(event.data, type=event.type)\n";

/// A manifest with these triggers.
pub fn manifest(runtime: &str, triggers: &[Value]) -> String {
    json!({ "runtime": runtime, "triggers": triggers }).to_string()
}

/// A trigger of a collection.
pub fn on(collection: &str, more: Value) -> Value {
    let mut trigger = json!({ "type": "database", "collection": collection });
    for (name, value) in more.as_object().expect("an object") {
        trigger[name] = value.clone();
    }
    trigger
}

/// Sends a request with a body.
pub async fn send(server: &TestServer, method: &str, path: &str, body: Value) -> Answer {
    server.answer(server.request(method, path).json(&body)).await
}

/// Creates a document.
pub async fn create(server: &TestServer, collection: &str, document: Value) -> Value {
    let path = format!("/api/collections/{collection}/documents");
    server.post(&path, document).await.expect(201).json()
}

/// The only execution of a function, with everything known of it.
async fn ran(server: &TestServer, function: &str, count: usize) -> Vec<Value> {
    let ended = server.ended(&format!("function={function}&limit=100"), count).await;
    let mut executions = Vec::new();
    for one in ended.iter().rev() {
        executions.push(server.execution(one["id"].as_str().expect("an id")).await);
    }
    executions
}

#[tokio::test]
async fn a_document_is_created_and_a_function_runs() {
    let manifest = manifest("node", &[on("users", json!({ "events": ["create"] }))]);
    let server =
        dev(&[("functions/welcome/function.json", &manifest), ("functions/welcome/index.mjs", NODE)])
            .await;
    let ada = create(&server, "users", json!({ "id": "ada", "email": "ada@example.com" })).await;
    assert_eq!((&ada["id"], &ada["email"]), (&json!("ada"), &json!("ada@example.com")));
    let execution = ran(&server, "welcome", 1).await.remove(0);
    assert_eq!(execution["status"], "success", "{execution}");
    let expected = json!({
        "document": { "id": "ada", "email": "ada@example.com" }, "previous_document": null,
        "action": "create", "collection": "users", "changed_fields": ["email"],
    });
    assert_eq!(execution["input"], expected);
    assert_eq!(execution["output"]["type"], "database.users.create");
    let event = server.get(&format!("/api/events/{}", ada["_revision"].as_str().unwrap_or("?")));
    let event = event.await.expect(200).json();
    assert_eq!((&event["source"], &event["subject"]), (&json!("/database/users"), &json!("ada")));
    assert_eq!(event["data"], expected);
}
