use serde_json::{Value, json};

use crate::world::World;

fn body() -> Value {
    json!({
        "name": "orders",
        "type": "event",
        "config": { "match": "order.*" },
        "target": { "type": "function", "name": "echo" },
        "policy": { "retry": { "attempts": 2 } },
    })
}

#[tokio::test]
async fn a_trigger_lives_and_fires_and_goes() {
    let world = World::new().await;
    world.deploy("echo", Vec::new()).await;
    let made = world.post("/api/triggers", &body()).await;
    assert_eq!(made.status, 201, "{made:?}");
    let made = made.json();
    assert_eq!(made["target"], json!({ "type": "function", "name": "echo" }));
    assert_eq!(made["owner"], json!({ "by": "api" }));
    let path = format!("/api/triggers/{}", made["id"].as_str().expect("an id"));
    assert_eq!(world.get(&path).await.json(), made);
    assert_eq!(world.get("/api/triggers/orders").await.json(), made);

    world.post("/api/events", &json!({ "type": "order.paid" })).await;
    assert_eq!(world.ended("echo").await["trigger_id"], made["id"]);

    let patch = json!({ "policy": { "priority": 5, "retry": null } }).to_string();
    let patched = world.wire.send("PATCH", &path, &[], patch.as_bytes()).await.json();
    assert_eq!(patched["policy"], json!({ "priority": 5 }));
    let disabled = world.wire.send("POST", &format!("{path}/disable"), &[], b"").await.json();
    assert_eq!(disabled["enabled"], false);
    let enabled = world.wire.send("POST", &format!("{path}/enable"), &[], b"").await.json();
    assert_eq!(enabled["enabled"], true);
    let replaced = world.wire.send("PUT", &path, &[], body().to_string().as_bytes()).await.json();
    assert_eq!(replaced["policy"]["priority"], Value::Null);

    let gone = world.wire.send("DELETE", &path, &[], b"").await;
    assert_eq!((gone.status, gone.body.len()), (204, 0));
    assert_eq!(world.get(&path).await.code(), "TR_001");
    let history = format!("/api/executions?trigger={}", made["id"].as_str().expect("an id"));
    let history = world.get(&history).await.json();
    assert_eq!(history["data"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn lists_can_be_narrowed_and_paged() {
    let world = World::new().await;
    world.route("echo", "/hello", &[]).await;
    world.post("/api/triggers", &body()).await;
    let count = async |query: &str| {
        let page = world.get(&format!("/api/triggers?{query}")).await;
        page.json()["data"].as_array().map(Vec::len)
    };
    assert_eq!(count("").await, Some(3));
    assert_eq!(count("type=http").await, Some(1));
    assert_eq!(count("function=echo").await, Some(3));
    let first = world.get("/api/triggers?limit=2").await.json();
    let cursor = first["next_cursor"].as_str().expect("a cursor").to_owned();
    let second = world.get(&format!("/api/triggers?limit=2&cursor={cursor}")).await.json();
    assert_eq!(
        (second["data"].as_array().map(Vec::len), &second["next_cursor"]),
        (Some(1), &Value::Null)
    );
}

#[tokio::test]
async fn what_is_wrong_is_said_at_once() {
    let world = World::new().await;
    let wrong = json!({
        "nmae": "x", "type": "event", "config": [], "target": {}, "enabled": 1,
        "policy": { "retry": { "attempts": "many", "jiter": true }, "priority": true },
    });
    let answer = world.post("/api/triggers", &wrong).await;
    assert_eq!((answer.status, answer.code().as_str()), (400, "TR_002"));
    let mut fields = answer.fields();
    fields.sort_unstable();
    let expected = [
        "config",
        "enabled",
        "name",
        "nmae",
        "policy.priority",
        "policy.retry.attempts",
        "policy.retry.jiter",
        "target.type",
    ];
    assert_eq!(fields, expected);
    assert!(answer.text().contains("did you mean \\\"jitter\\\"?"), "{}", answer.text());

    let mut kind = body();
    kind["type"] = json!("evnet");
    let answer = world.post("/api/triggers", &kind).await;
    assert_eq!((answer.status, answer.code().as_str()), (400, "TR_002"));
    let mut config = body();
    config["config"] = json!({ "mtach": "x" });
    let answer = world.post("/api/triggers", &config).await;
    assert!(answer.fields().iter().any(|field| field.contains("mtach")), "{answer:?}");
}

#[tokio::test]
async fn what_a_manifest_declares_is_changed_there() {
    let world = World::new().await;
    world.on("echo", "t").await;
    let page = world.get("/api/triggers?type=event").await.json();
    let path = format!("/api/triggers/{}", page["data"][0]["id"].as_str().expect("an id"));
    for (method, body) in
        [("PUT", body().to_string()), ("PATCH", "{}".into()), ("DELETE", "".into())]
    {
        let answer = world.wire.send(method, &path, &[], body.as_bytes()).await;
        assert_eq!((answer.status, answer.code().as_str()), (409, "TR_003"), "{method}");
    }
    assert_eq!(world.post("/api/triggers", &body()).await.status, 201);
    assert_eq!(world.post("/api/triggers", &body()).await.code(), "TR_003");
}
