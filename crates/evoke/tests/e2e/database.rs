//! Collections of the built binary: documents, their events, and the functions that run for them.

use evoke_testkit::{Answer, TestServer};
use serde_json::{Value, json};

use crate::pages::{files, steps, walk};
use crate::support::dev;

/// A function that gives back what it got.
const NODE: &str = "export const handler = (event) => ({ type: event.type, ...event.data });\n";
const PYTHON: &str =
    "def handler(event, context):\n    return dict(event['data'], type=event['type'])\n";

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
    let server = dev(&[
        ("functions/welcome/function.json", &manifest),
        ("functions/welcome/index.mjs", NODE),
    ])
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
    let path = format!("/api/events/{}", ada["_revision"].as_str().unwrap_or("?"));
    let event = server.get(&path).await.expect(200).json();
    assert_eq!((&event["source"], &event["subject"]), (&json!("/database/users"), &json!("ada")));
    assert_eq!(event["data"], expected);
}

/// A project with the same function in three languages.
fn everywhere(triggers: &[Value]) -> Vec<(String, String)> {
    let node = |runtime: &str| (manifest(runtime, triggers), NODE);
    let languages = [
        ("in-node", node("node"), "index.mjs"),
        ("in-bun", node("bun"), "index.mjs"),
        ("in-python", (manifest("python", triggers), PYTHON), "main.py"),
    ];
    let files = |(name, (manifest, code), file): (&str, (String, &str), &str)| {
        [
            (format!("functions/{name}/function.json"), manifest),
            (format!("functions/{name}/{file}"), code.to_owned()),
        ]
    };
    languages.into_iter().flat_map(files).collect()
}

/// A server in dev mode on files whose content was made.
pub async fn dev_on(files: &[(String, String)]) -> TestServer {
    let files: Vec<_> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    dev(&files).await
}

#[tokio::test]
async fn each_action_runs_functions_of_each_language() {
    let triggers = [
        on("*", json!({ "name": "all", "filter": "event.data.collection != 'quiet'" })),
        on("users", json!({ "name": "new", "action": "insert" })),
        on(
            "user*",
            json!({
                "name": "moved", "events": ["update"],
                "filter": "event.data.document.city != event.data.previous_document.city",
            }),
        ),
    ];
    let server = dev_on(&everywhere(&triggers)).await;
    let ada = create(&server, "users", json!({ "id": "ada", "city": "London", "age": 36 })).await;
    create(&server, "quiet", json!({ "id": "x" })).await;
    let path = "/api/collections/users/documents/ada";
    send(&server, "PATCH", path, json!({ "age": 37 })).await.expect(200);
    let same = send(&server, "PATCH", path, json!({ "age": 37 })).await.expect(200).json();
    let moved = send(&server, "PUT", path, json!({ "city": "Paris" })).await.expect(200).json();
    assert_eq!((&moved["age"], &moved["_created_at"]), (&Value::Null, &ada["_created_at"]));
    assert!(same["_revision"].as_str() < moved["_revision"].as_str(), "{same} {moved}");
    server.answer(server.request("DELETE", path)).await.expect(204);
    server.get(path).await.expect(404);
    for function in ["in-node", "in-bun", "in-python"] {
        let all = ran(&server, function, 6).await;
        let told = |execution: &Value| {
            let input = &execution["input"];
            assert_eq!(execution["status"], "success", "{execution}");
            assert_eq!(execution["output"]["action"], input["action"], "{execution}");
            format!(
                "{} {} {}",
                execution["trigger_name"].as_str().unwrap_or("?"),
                input["action"].as_str().unwrap_or("?"),
                input["changed_fields"]
            )
        };
        let mut told: Vec<String> = all.iter().map(told).collect();
        told.sort();
        let expected = [
            "all create [\"age\",\"city\"]",
            "all delete [\"city\"]",
            "all update [\"age\",\"city\"]",
            "all update [\"age\"]",
            "moved update [\"age\",\"city\"]",
            "new create [\"age\",\"city\"]",
        ];
        assert_eq!(told, expected, "{function}");
        let deleted = all.iter().find(|one| one["input"]["action"] == "delete").expect("one");
        let before = json!({ "id": "ada", "city": "Paris" });
        assert_eq!(deleted["input"]["previous_document"], before);
        assert_eq!(deleted["input"]["document"], Value::Null);
    }
}

#[tokio::test]
async fn hooks_of_an_alyx_manifest_are_taken_as_they_stand() {
    let manifest = json!({
        "runtime": "node",
        "hooks": [
            { "type": "database", "source": "users", "action": "insert", "mode": "async" },
            { "type": "database", "source": "users", "action": "delete", "mode": "sync",
              "config": { "on_failure": "reject", "timeout": "5s" } },
        ],
    });
    let code = "export const handler = (event) =>\n  event.data.action === 'delete' \
                && { reject: 'users stay' };\n";
    let manifest = manifest.to_string();
    let server =
        dev(&[("functions/f/function.json", &manifest), ("functions/f/index.mjs", code)]).await;
    create(&server, "users", json!({ "id": "ada" })).await;
    let execution = ran(&server, "f", 1).await.remove(0);
    assert_eq!(execution["input"]["action"], "create");
    let path = "/api/collections/users/documents/ada";
    let refused = server.answer(server.request("DELETE", path)).await.expect(422);
    assert_eq!((refused.code().as_str(), refused.text.contains("users stay")), ("HK_001", true));
    server.get(path).await.expect(200);
}

#[tokio::test]
async fn the_guide_runs_as_it_is_written() {
    let page = include_str!("../../../../docs/database.md");
    let server = dev(&files(page)).await;
    assert_eq!(steps(page).len(), 8);
    walk(&server, page).await;
}
