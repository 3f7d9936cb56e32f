//! Webhooks that come in: who is believed, what is logged, and what their senders are told.

use crate::support::dev;
use evoke_testkit::server::Answer;
use evoke_testkit::TestServer;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

const SECRET: &str = "it-s-a-secret-to-everybody";

/// A function that gives back what it got.
const TAKE: &str = "export const handler = (event) => event;\n";

fn hmac_hex(secret: &str, text: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any length");
    mac.update(text);
    hex::encode(mac.finalize().into_bytes())
}

/// A server with one webhook `hook` of this configuration and policy.
async fn server(fields: Value) -> TestServer {
    let mut trigger = json!({ "type": "webhook", "name": "hook" });
    for (name, value) in fields.as_object().expect("fields") {
        trigger[name] = value.clone();
    }
    let manifest = json!({ "runtime": "node", "triggers": [trigger] }).to_string();
    let files = [("functions/take/function.json", manifest.as_str()), ("functions/take/index.mjs", TAKE)];
    dev(&files).await
}

async fn send(server: &TestServer, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    let mut request = server.request("POST", path).body(body.to_vec());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    server.answer(request).await
}

async fn events(server: &TestServer) -> Vec<Value> {
    let page = server.get("/api/events").await.expect(200).json();
    page["data"].as_array().expect("a list").clone()
}

#[tokio::test]
async fn a_signed_request_runs_the_function_and_others_are_refused() {
    let verification =
        json!({ "type": "hmac-sha256", "header": "X-Signature", "secret": SECRET });
    let server = server(json!({ "verification": verification })).await;
    let body = b"{\"type\": \"paid\",  \"n\": 1}\n";
    for (headers, word) in [
        (vec![], "the header x-signature is missing"),
        (vec![("x-signature", "00")], "x-signature"),
        (vec![("x-signature", &*hmac_hex("other", body))], "no signature fits"),
    ] {
        let answer = send(&server, "/webhooks/hook", &headers, body).await.expect(401);
        assert_eq!(answer.code(), "TR_005");
        assert!(answer.text.to_lowercase().contains(word), "{word}: {}", answer.text);
        assert!(!answer.text.contains(SECRET));
        assert!(!answer.text.contains(&hmac_hex(SECRET, body)));
    }
    assert_eq!(events(&server).await, Vec::<Value>::new(), "nothing is logged of a refusal");

    let signature = hmac_hex(SECRET, body);
    let headers = [("x-signature", &*signature), ("content-type", "application/json")];
    let answer = send(&server, "/webhooks/hook?a=1&b=x%20y", &headers, body).await.expect(202);
    let event = answer.json()["event_id"].as_str().expect("an id").to_owned();
    assert_eq!(answer.headers["location"], format!("/api/events/{event}"));
    let ended = server.ended(&format!("event={event}"), 1).await;
    let execution = server.execution(ended[0]["id"].as_str().expect("an id")).await;
    assert_eq!(execution["status"], "success", "{execution}");
    assert_eq!(execution["trigger_type"], "webhook");
    let got = &execution["output"];
    assert_eq!(got["type"], "webhook.hook");
    let data = &got["data"];
    assert_eq!(data["method"], "POST");
    assert_eq!(data["path"], "/webhooks/hook");
    assert_eq!(data["query"], json!({ "a": "1", "b": "x y" }));
    assert_eq!(data["body"].as_str().map(str::as_bytes), Some(&body[..]));
    assert_eq!(data["json"], json!({ "type": "paid", "n": 1 }));
    assert_eq!(data["verified"], true);
    assert_eq!(data["headers"]["x-signature"], signature);
    assert!(data["webhook_id"].as_str().is_some_and(|id| id.starts_with("trg_")));
}
