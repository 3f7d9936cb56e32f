use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::world::World;

#[tokio::test]
async fn the_document_is_complete_in_itself() {
    let world = World::new().await;
    let answer = world.get("/openapi.json").await;
    assert_eq!(answer.text(), evoke_server::openapi());
    let document = answer.json();
    assert!(document["openapi"].as_str().is_some_and(|version| version.starts_with("3.1")));
    let mut ids = BTreeSet::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("operations") {
            assert!(operation["summary"].is_string(), "{method} {path} has no summary");
            let tag = &operation["tags"][0];
            let known = document["tags"].as_array().expect("tags");
            assert!(known.iter().any(|t| t["name"] == *tag), "{method} {path}: {tag}");
            let id = operation["operationId"].as_str().expect("an id").to_owned();
            assert!(ids.insert(id.clone()), "{id} stands twice");
        }
    }
    for path in ["/api/events", "/api/functions/{id}/invoke", "/api/triggers/{id}", "/health"] {
        assert!(document["paths"][path].is_object(), "{path}");
    }
    let mut references = Vec::new();
    collect(&document, &mut references);
    for reference in references {
        let pointer = reference.strip_prefix('#').expect("a local reference");
        assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
}

fn collect(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(object) => {
            found.extend(object.get("$ref").and_then(Value::as_str).map(str::to_owned));
            object.values().for_each(|value| collect(value, found));
        }
        Value::Array(items) => items.iter().for_each(|value| collect(value, found)),
        _ => {}
    }
}

#[tokio::test]
async fn pages_load_and_run_nothing() {
    let world = World::new().await;
    let docs = world.get("/docs").await;
    assert_eq!(docs.header("content-type"), Some("text/html; charset=utf-8"));
    let policy = docs.header("content-security-policy").unwrap_or_default();
    assert!(policy.contains("default-src 'none'"), "{policy}");
    assert!(docs.text().contains("/api/events"));
    let page = world.get("/docs/errors/EV_001").await;
    assert!(page.text().contains("An event is wrong."), "{page:?}");
    assert_eq!(world.get("/docs/errors/FN_002").await.status, 200);
    assert_eq!(world.get("/docs/errors/XX_999").await.code(), "API_002");
    assert_eq!(world.get("/schemas/function.json").await.json(), json!({ "title": "Function" }));
}

#[tokio::test]
async fn health_and_metrics_tell_what_is() {
    let world = World::new().await;
    let health = world.get("/health/ready").await.json();
    assert_eq!(health["status"], "ok");
    let names: Vec<_> =
        health["checks"].as_array().expect("checks").iter().map(|c| c["name"].clone()).collect();
    for name in ["store", "committer", "dispatcher", "server"] {
        assert!(names.contains(&json!(name)), "{names:?}");
    }
    world.post("/api/events", &json!({ "type": "t" })).await;
    world.get("/api/events/nobody").await;
    world.get("/nothing").await;
    let metrics = world.get("/metrics").await;
    assert!(
        metrics
            .header("content-type")
            .is_some_and(|kind| kind.starts_with("application/openmetrics-text"))
    );
    let text = metrics.text();
    assert!(text.contains("evoke_events_ingested_total{source=\"event\"} 1"), "{text}");
    let requests: Vec<&str> =
        text.lines().filter(|line| line.starts_with("evoke_http_requests_total{")).collect();
    let has = |route: &str, status: &str| {
        requests.iter().any(|line| {
            line.contains(&format!("route=\"{route}\""))
                && line.contains(&format!("status=\"{status}\""))
        })
    };
    assert!(has("/api/events", "202"), "{requests:?}");
    assert!(has("/api/events/{id}", "404"), "{requests:?}");
    assert!(has("", "404"), "{requests:?}");
}

#[tokio::test]
async fn the_server_says_what_it_can_do() {
    let world = World::new().await;
    let kinds = world.get("/api/kinds").await.json();
    let of = |family: &str| -> Vec<Value> {
        kinds[family].as_array().expect("a list").iter().map(|kind| kind["type"].clone()).collect()
    };
    let sources =
        ["auth", "database", "event", "http", "invoke", "poll", "schedule", "storage", "webhook"];
    assert_eq!(of("sources"), sources);
    assert_eq!((of("targets"), of("runtimes")), (vec![json!("function")], vec![json!("fake")]));
    let found = world.get("/api/doctor").await.json();
    assert_eq!(found["data"][0]["hint"], "nothing to install");
}
