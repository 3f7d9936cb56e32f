//! Calls to HTTP endpoints: what they are signed with, and what their triggers share.

use crate::facts::{explained, until};
use crate::receiver::{listener, receive};
use crate::support::dev;
use evoke_testkit::TestServer;
use serde_json::{Value, json};
use tokio::net::TcpListener;

async fn trigger(server: &TestServer, name: &str, pattern: &str, target: Value) {
    let body = json!({
        "name": name, "type": "event", "config": { "match": pattern },
        "policy": { "retry": { "attempts": 50, "initial": "20ms", "max": "100ms" } },
        "target": { "type": "http", "config": target },
    });
    server.post("/api/triggers", body).await.expect(201);
}

async fn why(server: &TestServer, event: &str) -> Value {
    let found = server.executions(&format!("event={event}")).await;
    explained(server, found[0]["id"].as_str().expect("an id")).await
}

#[tokio::test]
async fn a_call_is_signed_with_each_of_its_secrets() {
    use evoke_signing::standard_webhooks::{Check, Received, TOLERANCE, verify};
    let secrets =
        ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"];
    let (listener, url) = listener().await;
    let got = receive(listener);
    let server = dev(&[]).await;
    trigger(&server, "signed", "s", json!({ "url": url, "signing": { "secrets": secrets } })).await;
    server.emit("s", json!({ "n": 1 })).await;
    let ended = server.ended("trigger=signed", 1).await;
    assert_eq!(ended[0]["status"], "success", "{ended:?}");
    let request = got.lock()[0].clone();
    assert_eq!(request.header("webhook-id"), ended[0]["id"].as_str());
    let now = evoke_ports::Clock::now(&evoke_ports::SystemClock);
    for secret in secrets {
        let secrets = [evoke_signing::Secret::parse(secret).expect("a secret")];
        let received = Received {
            id: request.header("webhook-id"),
            timestamp: request.header("webhook-timestamp"),
            signature: request.header("webhook-signature"),
            body: request.body.as_bytes(),
        };
        let check = Check { secrets: &secrets, now, tolerance: TOLERANCE };
        verify(received, check).expect("either secret verifies");
    }
    let shown = server.get("/api/triggers/signed").await.expect(200).text;
    assert!(shown.contains("\"signing\""), "{shown}");
}

#[tokio::test]
async fn an_endpoint_that_is_down_is_left_alone_by_all_its_triggers_until_it_is_back() {
    let (listener, url) = listener().await;
    let address = listener.local_addr().expect("an address");
    drop(listener);
    let server = dev(&[]).await;
    trigger(&server, "one", "one", json!({ "url": url })).await;
    trigger(&server, "two", "two", json!({ "url": format!("{url}/2") })).await;
    for _ in 0..10 {
        server.emit("one", json!({})).await;
    }
    let waiting = server.emit("two", json!({})).await;
    until("the breaker is open for the other trigger as well", async || {
        let why = why(&server, &waiting).await;
        (why["detail"]["why"] == "target_down").then_some(())
    })
    .await;
    let listener = TcpListener::bind(address).await.expect("the same port");
    let got = receive(listener);
    server.ended("trigger=one&status=success&limit=100", 10).await;
    server.ended("trigger=two&status=success", 1).await;
    assert_eq!(got.lock().len(), 11);
}

#[tokio::test]
async fn triggers_share_the_rate_of_their_endpoint_and_a_restart_does_not_reset_it() {
    let (listener, url) = listener().await;
    let got = receive(listener);
    let mut server = dev(&[]).await;
    let target = json!({ "url": url, "rate": { "limit": 2, "per": "1h" } });
    trigger(&server, "one", "one", target.clone()).await;
    trigger(&server, "two", "two", target).await;
    server.emit("one", json!({})).await;
    server.emit("two", json!({})).await;
    server.ended("status=success", 2).await;
    server.kill();
    server.restart().await;
    let third = server.emit("two", json!({})).await;
    until("the third waits for the endpoint's rate", async || {
        let why = why(&server, &third).await;
        (why["detail"]["why"] == "target_rate").then_some(())
    })
    .await;
    assert_eq!(got.lock().len(), 2);
}
