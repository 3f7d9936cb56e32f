use serde_json::json;

use crate::world::World;

#[tokio::test]
async fn an_execution_shows_what_happened() {
    let world = World::new().await;
    world.on("echo", "order.*").await;
    let data = json!({ "total": 12.5 });
    world.post("/api/events", &json!({ "type": "order.paid", "data": data })).await;
    let listed = world.ended("echo").await;
    assert!(listed.get("input").is_none() && listed.get("logs").is_none(), "{listed}");
    let path = format!("/api/executions/{}", listed["id"].as_str().expect("an id"));
    let whole = world.get(&path).await.json();
    assert_eq!(whole["status"], "success");
    assert_eq!(whole["function"], "echo");
    assert_eq!(whole["trigger_type"], "event");
    assert_eq!((&whole["input"], &whole["output"]["data"]), (&data, &data));
    assert_eq!(whole["logs"][0]["message"], "echo was called");
    assert_eq!((&whole["attempts"], &whole["is_test_run"]), (&json!(1), &json!(false)));
    assert!(whole["duration_ms"].is_number() && whole["error"].is_null(), "{whole}");
    let attempts = world.get(&format!("{path}/attempts")).await.json();
    assert_eq!(attempts["data"][0]["status"], "success");
    let explained = world.get(&format!("{path}/explain")).await.json();
    assert_eq!(explained["status"], "success");
    assert!(explained["reason"].as_str().is_some_and(|text| text.contains("success")));
}

#[tokio::test]
async fn a_failed_execution_is_a_dead_letter_that_can_be_retried() {
    let world = World::new().await;
    world.on("fails", "t").await;
    world.post("/api/events", &json!({ "type": "t" })).await;
    let failed = world.ended("fails").await;
    assert_eq!(failed["error"], json!({ "code": "FN_004", "message": "it broke" }));
    let letters = world.get("/api/dead-letters").await.json();
    assert_eq!(letters["data"][0]["id"], failed["id"]);
    let path = format!("/api/executions/{}", failed["id"].as_str().expect("an id"));
    assert_eq!(world.get(&path).await.json()["error"]["stack"], "at index.js:7");
    let retried = world.wire.send("POST", &format!("{path}/retry"), &[], b"").await;
    assert_eq!(retried.status, 200, "{retried:?}");
    world.ended("fails").await;
    let attempts = world.get(&format!("{path}/attempts")).await.json();
    assert_eq!(attempts["data"].as_array().map(Vec::len), Some(2));
    let cancelled = world.wire.send("POST", &format!("{path}/cancel"), &[], b"").await;
    assert_eq!((cancelled.status, cancelled.code().as_str()), (409, "EX_002"));
}

#[tokio::test]
async fn a_waiting_execution_can_be_explained_and_cancelled() {
    let world = World::new().await;
    world.on("echo", "t").await;
    world.post("/api/events", &json!({ "type": "t", "delay": "1h" })).await;
    let page = world.get("/api/executions?status=pending&function=echo").await.json();
    let path = format!("/api/executions/{}", page["data"][0]["id"].as_str().expect("an id"));
    let explained = world.get(&format!("{path}/explain")).await.json();
    assert_eq!(explained["status"], "pending");
    let cancelled = world.wire.send("POST", &format!("{path}/cancel"), &[], b"").await;
    assert_eq!(cancelled.json()["status"], "cancelled", "{cancelled:?}");
}

#[tokio::test]
async fn filters_narrow_the_record() {
    let world = World::new().await;
    world.on("echo", "t").await;
    world.on("fails", "t").await;
    let sent = world.post("/api/events", &json!({ "type": "t" })).await.json();
    world.ended("echo").await;
    world.ended("fails").await;
    let count = async |query: &str| {
        let page = world.get(&format!("/api/executions?{query}")).await;
        assert_eq!(page.status, 200, "{query}: {page:?}");
        page.json()["data"].as_array().map(Vec::len)
    };
    let event = sent["ids"][0].as_str().expect("an id");
    assert_eq!(count("").await, Some(2));
    assert_eq!(count("function=echo").await, Some(1));
    assert_eq!(count("trigger=fails%20by%20event").await, Some(1));
    assert_eq!(count("trigger_type=event").await, Some(2));
    assert_eq!(count("trigger_type=invoke").await, Some(0));
    assert_eq!(count("trigger_type=poll").await, Some(0));
    assert_eq!(count(&format!("event={event}&status=success")).await, Some(1));
    assert_eq!(count("is_test_run=true").await, Some(0));
    assert_eq!(count("since=2000-01-01T00:00:00Z&until=2001-01-01T00:00:00Z").await, Some(0));
    let bad = world.get("/api/executions?status=done,failed&limit=5000&functoin=x").await;
    assert_eq!((bad.status, bad.code().as_str()), (400, "API_001"));
    assert_eq!(bad.fields(), ["status", "limit", "functoin"]);
    for path in ["/api/executions/exe_1", "/api/executions/x/explain", "/api/executions/x/attempts"]
    {
        let unknown = world.get(path).await;
        assert_eq!((unknown.status, unknown.code().as_str()), (404, "EX_001"), "{path}");
    }
    assert_eq!(world.get("/api/executions?function=ecco").await.code(), "FN_001");
    assert_eq!(world.get("/api/executions?trigger=ecco").await.code(), "TR_001");
}
