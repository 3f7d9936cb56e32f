use serde_json::json;

use crate::world::World;

#[tokio::test]
async fn an_event_is_accepted_and_can_be_read() {
    let world = World::new().await;
    let body =
        json!({ "type": "order.created", "source": "/shop", "id": "o-7", "data": { "n": 1 } });
    for path in ["/api/events", "/api/v1/events"] {
        let answer = world.post(path, &body).await;
        assert_eq!(answer.status, 202, "{answer:?}");
        assert_eq!(answer.header("content-type"), Some("application/json"));
        let is_again = path.contains("v1");
        assert_eq!(answer.json()["duplicates"].is_array(), is_again, "the id is taken once");
        let id = answer.json()["ids"][0].as_str().expect("an id").to_owned();
        let event = world.get(&format!("/api/events/{id}")).await.json();
        assert_eq!(event["type"], "order.created");
        assert_eq!(event["sender_id"], "o-7");
        assert_eq!(event["data"], json!({ "n": 1 }));
    }
    let unknown = world.get("/api/events/nobody").await;
    assert_eq!((unknown.status, unknown.code().as_str()), (404, "EV_002"));
}

#[tokio::test]
async fn an_event_can_be_had_as_a_cloud_event() {
    let world = World::new().await;
    let headers = [
        ("content-type", "application/json"),
        ("ce-specversion", "1.0"),
        ("ce-id", "b%201"),
        ("ce-source", "/s"),
        ("ce-type", "t"),
        ("ce-ext", "x"),
    ];
    let sent = world.wire.send("POST", "/api/events", &headers, b"[1]").await;
    assert_eq!(sent.status, 202, "{sent:?}");
    let path = format!("/api/events/{}", sent.json()["ids"][0].as_str().expect("an id"));
    let accept = [("accept", "application/cloudevents+json")];
    let event = world.wire.send("GET", &path, &accept, b"").await;
    assert_eq!(event.header("content-type"), Some("application/cloudevents+json"));
    let body = event.json();
    assert_eq!(body["id"], "b 1");
    assert_eq!((&body["ext"], &body["data"]), (&json!("x"), &json!([1])));
    let again = world
        .wire
        .send(
            "POST",
            "/api/events",
            &[("content-type", "application/cloudevents+json")],
            &event.body,
        )
        .await;
    assert_eq!(again.json()["duplicates"], json!([0]), "what we print is what we read");
}

#[tokio::test]
async fn batches_keep_their_order_and_pages_go_through_the_log() {
    let world = World::new().await;
    let batch: Vec<_> = (0..25).map(|n| json!({ "type": format!("t.{n}"), "data": n })).collect();
    let sent = world.post("/api/events", &json!(batch)).await;
    let ids = sent.json()["ids"].as_array().expect("ids").clone();
    assert_eq!(ids.len(), 25);
    let mut seen = Vec::new();
    let mut path = "/api/events?limit=10".to_owned();
    loop {
        let page = world.get(&path).await.json();
        seen.extend(page["data"].as_array().expect("a list").iter().map(|e| e["id"].clone()));
        match page["next_cursor"].as_str() {
            Some(cursor) => path = format!("/api/events?limit=10&cursor={cursor}"),
            None => break,
        }
    }
    seen.reverse();
    assert_eq!(seen, ids);
    let one = world.get("/api/events?type=t.7").await.json();
    assert_eq!(one["data"][0]["data"], 7);
    let tens = world.get("/api/events?type=t.1*").await.json();
    assert_eq!(tens["data"].as_array().map(Vec::len), Some(11));
    let none = world.get("/api/events?source=/elsewhere").await.json();
    assert_eq!(none["data"], json!([]));
}

#[tokio::test]
async fn one_bad_event_refuses_the_batch_and_says_which() {
    let world = World::new().await;
    let batch = json!([{ "type": "ok" }, { "typ": "x" }, { "type": "ok", "time": "noon" }]);
    let answer = world.post("/api/events", &batch).await;
    assert_eq!((answer.status, answer.code().as_str()), (400, "EV_001"));
    assert_eq!(answer.fields(), ["events[1].type", "events[1].typ", "events[2].time"]);
    assert_eq!(world.get("/api/events").await.json()["data"], json!([]));
}

#[tokio::test]
async fn an_idempotency_key_counts_for_the_whole_request() {
    let world = World::new().await;
    let batch = json!([{ "type": "a" }, { "type": "b" }]).to_string();
    let headers = [("idempotency-key", "k-1")];
    let first = world.wire.send("POST", "/api/events", &headers, batch.as_bytes()).await;
    let second = world.wire.send("POST", "/api/events", &headers, batch.as_bytes()).await;
    assert_eq!(first.json()["ids"], second.json()["ids"]);
    assert_eq!(second.json()["duplicates"], json!([0, 1]));
    let bad = world.wire.send("POST", "/api/events", &[("idempotency-key", "")], b"{}").await;
    assert_eq!(bad.fields(), ["Idempotency-Key"]);
}

#[tokio::test]
async fn a_functions_token_makes_its_events_effects() {
    let world = World::new().await;
    world.on("held", "start").await;
    world.post("/api/events", &json!({ "type": "start" })).await;
    world.seen.called.notified().await;
    let token = world.seen.token.lock().clone().expect("a token");
    let authorization = format!("Bearer {token}");
    let headers = [("authorization", authorization.as_str())];
    let body = br#"{"type":"effect"}"#;
    let sent = world.wire.send("POST", "/api/events", &headers, body).await;
    let path = format!("/api/events/{}", sent.json()["ids"][0].as_str().expect("an id"));
    let event = world.get(&path).await.json();
    assert_eq!(event["depth"], 1);
    assert!(event["cause_id"].as_str().is_some_and(|id| id.starts_with("exe_")), "{event}");
    world.seen.release.notify_one();
}

#[tokio::test]
async fn trace_context_and_request_ids_come_back() {
    let world = World::new().await;
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let headers = [("traceparent", trace), ("x-request-id", "mine-7")];
    let sent = world.wire.send("POST", "/api/events", &headers, br#"{"type":"t"}"#).await;
    assert_eq!(sent.header("traceparent"), Some(trace));
    assert_eq!(sent.header("x-request-id"), Some("mine-7"));
    let path = format!("/api/events/{}", sent.json()["ids"][0].as_str().expect("an id"));
    assert_eq!(world.get(&path).await.json()["traceparent"], trace);
    let headers = [("traceparent", "00-nonsense"), ("x-request-id", "not fine")];
    let sent = world.wire.send("POST", "/api/events", &headers, br#"{"type":"t"}"#).await;
    assert_eq!(sent.header("traceparent"), None);
    assert!(sent.header("x-request-id").is_some_and(|id| id.starts_with("req_")));
}
