use serde_json::json;
use tokio::io::AsyncWriteExt;

use crate::wire::{read_all, read_until};
use crate::world::World;

#[tokio::test]
async fn a_function_answers_at_its_path() {
    let world = World::new().await;
    world.route("echo", "/api/users/{id}", &["GET", "POST"]).await;
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let headers = [
        ("x-request-id", "r-1"),
        ("traceparent", trace),
        ("connection", "x-secret"),
        ("x-secret", "1"),
        ("x-kept", "2"),
        ("host", "dev.test:1"),
        ("origin", "https://elsewhere.test"),
    ];
    let answer = world.wire.send("POST", "/api/users/a%20b?full=1", &headers, b"hi").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let seen = answer.json();
    assert_eq!((&seen["method"], &seen["body"]), (&json!("POST"), &json!("hi")));
    assert_eq!(seen["target"], "/api/users/a%20b?full=1");
    assert_eq!(seen["origin"], "http://dev.test:1");
    assert_eq!(seen["params"], json!([["id", "a b"]]));
    assert_eq!((&seen["request_id"], &seen["traceparent"]), (&json!("r-1"), &json!(trace)));
    let names = seen["headers"].to_string();
    assert!(names.contains("x-kept") && !names.contains("x-secret"), "{names}");
    assert_eq!(answer.header("x-request-id"), Some("r-1"));
    assert!(answer.header("x-evoke-execution-id").is_some());
    let wrong = world.wire.send("DELETE", "/api/users/7", &[], b"").await;
    assert_eq!((wrong.status, wrong.code().as_str()), (405, "API_003"));
    let allow = wrong.header("allow").unwrap_or_default();
    assert!(allow.contains("GET") && allow.contains("POST"), "{allow}");
}

#[tokio::test]
async fn what_nobody_claims_is_not_there() {
    let world = World::new().await;
    for path in ["/", "/nothing", "/api", "/api/nothing", "/api/events/x/y", "/health/x"] {
        let answer = world.get(path).await;
        assert_eq!((answer.status, answer.code().as_str()), (404, "API_002"), "{path}");
    }
    let wrong = world.wire.send("DELETE", "/api/events", &[], b"").await;
    assert_eq!((wrong.status, wrong.code().as_str()), (405, "API_003"));
    let allow = wrong.header("allow").unwrap_or_default();
    assert!(allow.contains("GET") && allow.contains("POST"), "{allow}");
}

#[tokio::test]
async fn answers_come_in_pieces_and_without_what_is_between_us() {
    let world = World::new().await;
    world.route("streams", "/stream", &[]).await;
    let answer = world.get("/stream").await;
    assert_eq!(answer.text(), "piece 0\npiece 1\npiece 2\n");
    assert_eq!(answer.header("transfer-encoding"), Some("chunked"));
    assert_eq!((answer.header("x-private"), answer.header("content-length")), (None, None));
    let head = world.wire.send("HEAD", "/stream", &[], b"").await;
    assert_eq!((head.status, head.body.len()), (200, 0));
}

#[tokio::test]
async fn a_stream_that_breaks_is_seen_to_break() {
    let world = World::new().await;
    world.route("cut", "/cut", &[]).await;
    let mut stream = world.wire.connect().await;
    stream.write_all(b"GET /cut HTTP/1.1\r\nhost: localhost\r\n\r\n").await.expect("sent");
    read_until(&mut stream, "half of").await;
    world.seen.release.notify_one();
    let rest = String::from_utf8_lossy(&read_all(&mut stream).await).into_owned();
    assert!(!rest.contains("0\r\n\r\n"), "no orderly end: {rest:?}");
}

#[tokio::test]
async fn a_client_that_leaves_cancels_its_call() {
    let world = World::new().await;
    world.route("held", "/held", &[]).await;
    let mut stream = world.wire.connect().await;
    stream.write_all(b"GET /held HTTP/1.1\r\nhost: localhost\r\n\r\n").await.expect("sent");
    world.seen.called.notified().await;
    drop(stream);
    world.seen.cancelled.notified().await;
    assert_eq!(world.ended("held").await["status"], "cancelled");
}

#[tokio::test]
async fn a_client_that_leaves_a_stream_ends_it() {
    let world = World::new().await;
    world.route("never-ends", "/endless", &[]).await;
    let mut stream = world.wire.connect().await;
    stream.write_all(b"GET /endless HTTP/1.1\r\nhost: localhost\r\n\r\n").await.expect("sent");
    read_until(&mut stream, "piece 5").await;
    drop(stream);
    world.seen.cancelled.notified().await;
}

#[tokio::test]
async fn an_answer_that_ends_no_request_is_an_error() {
    let world = World::new().await;
    world.route("switches", "/switch", &[]).await;
    world.route("fails", "/fail", &[]).await;
    let answer = world.get("/switch").await;
    assert_eq!((answer.status, answer.code().as_str()), (502, "FN_004"));
    let answer = world.get("/fail").await;
    assert_eq!((answer.status, answer.code().as_str()), (502, "FN_004"));
    assert!(answer.header("x-evoke-execution-id").is_some());
}

#[tokio::test]
async fn a_panic_is_our_mistake_and_costs_one_request() {
    let world = World::new().await;
    world.route("panics", "/panic", &[]).await;
    let answer = world.get("/panic").await;
    assert_eq!((answer.status, answer.code().as_str()), (500, "API_006"));
    assert_eq!(world.get("/health").await.status, 200);
}
