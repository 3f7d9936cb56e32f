//! What is signed, what is sent of several events, what is kept of the answers.

use std::fs;

use evoke_model::policy::Rate;
use evoke_model::{Data, Event, EventId};
use evoke_signing::standard_webhooks::{Check, Received, TOLERANCE, verify};
use evoke_signing::{Secret, standard_webhooks};

use super::*;

const OLD: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const NEW: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

fn problems(config: &Value) -> Vec<(String, String)> {
    let problems = target(false).open(config).map(drop).unwrap_err();
    problems.into_iter().map(|problem| (problem.field.clone(), problem.to_string())).collect()
}

/// Whether a request is believed by somebody who knows this secret.
fn fits((parts, body): &(http::request::Parts, Bytes), secret: &str) -> bool {
    let header = |name| parts.headers.get(name).and_then(|value| value.to_str().ok());
    let received = Received {
        id: header(standard_webhooks::ID),
        timestamp: header(standard_webhooks::TIMESTAMP),
        signature: header(standard_webhooks::SIGNATURE),
        body,
    };
    let secrets = [Secret::parse(secret).unwrap()];
    let check = Check { secrets: &secrets, now: clock().now(), tolerance: TOLERANCE };
    verify(received, check).is_ok()
}

fn batch(count: u64) -> Vec<Arc<Event>> {
    let event = |n| Event {
        id: EventId::from_u64(n),
        sender_id: None,
        ..Event::clone(&job(&format!("{{\"n\":{n}}}")).event)
    };
    (7..7 + count).map(|n| Arc::new(event(n))).collect()
}

async fn deliver_batch(config: Value, count: u64) -> Outcome {
    let endpoint = target(true).open(&config).unwrap();
    endpoint.deliver_batch(job("{}"), &batch(count)).await.outcome
}

fn data(outcome: Outcome) -> Data {
    match outcome {
        Outcome::Success(data) => data,
        other => panic!("no success: {other:?}"),
    }
}

#[tokio::test]
async fn what_is_sent_is_signed_with_each_secret() {
    let server = Server::start().await;
    let signed = |more: Value| {
        let mut config = json!({ "url": server.url("/"), "signing": { "secrets": [NEW, OLD] } });
        config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        config
    };
    let body = "{\"ü\": {{ event.data.total }}, \"try\": {{ execution.attempt }}}";
    let mut second = job(r#"{"total": 120}"#);
    second.attempt = 2;
    output(deliver(signed(json!({})), job("{}")).await);
    output(deliver(signed(json!({ "body": body })), second).await);
    output(deliver(signed(json!({ "method": "GET" })), job("{}")).await);
    data(deliver_batch(signed(json!({})), 3).await);
    let seen = server.seen.lock();
    let id = job("{}").execution.to_string();
    for request in seen.iter() {
        assert!(fits(request, OLD) && fits(request, NEW), "{request:?}");
        assert!(!fits(request, "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"));
    }
    for (parts, _) in &seen[..3] {
        assert_eq!(parts.headers["webhook-id"], id, "the same for each attempt");
    }
    let changed = (seen[1].0.clone(), Bytes::from("{\"ü\": 121, \"try\": 2}"));
    assert!(!fits(&changed, OLD));
}

#[tokio::test]
async fn unsigned_targets_send_no_signature_and_may_set_the_headers() {
    let server = Server::start().await;
    output(ask(&server.url("/")).await);
    let config = json!({ "url": server.url("/"), "headers": { "webhook-id": "mine" } });
    output(deliver(config, job("{}")).await);
    let seen = server.seen.lock();
    assert!(standard_webhooks::HEADERS.iter().all(|name| !seen[0].0.headers.contains_key(*name)));
    assert_eq!(seen[1].0.headers["webhook-id"], "mine");
}

#[test]
fn mistakes_in_secrets_are_told_by_place_and_never_repeat_them() {
    let url = "https://example.com/";
    let five: Vec<String> =
        (b'a'..b'g').map(|c| format!("whsec_{}", (c as char).to_string().repeat(32))).collect();
    for (signing, field) in [
        (json!("whsec_x"), "signing"),
        (json!({}), "signing.secrets"),
        (json!({ "secrets": OLD }), "signing.secrets"),
        (json!({ "secrets": [] }), "signing.secrets"),
        (json!({ "secrets": five }), "signing.secrets"),
        (json!({ "secrets": [OLD, 7] }), "signing.secrets[1]"),
        (json!({ "secrets": [OLD, "hunter2"] }), "signing.secrets[1]"),
        (json!({ "secrets": [OLD, NEW, "whsec_aHVudGVyMg=="] }), "signing.secrets[2]"),
        (json!({ "secrets": ["whsec_hunter2!"] }), "signing.secrets[0]"),
        (json!({ "secrets": [OLD, NEW, OLD] }), "signing.secrets[2]"),
        (json!({ "secrets": [OLD], "secret": OLD }), "signing.secret"),
    ] {
        let told = problems(&json!({ "url": url, "signing": signing }));
        assert_eq!(told[0].0, field, "{told:?}");
        for (_, message) in told {
            for secret in ["hunter2", "aHVudGVyMg", "MfKQ9r8", "AAECAw", "aaaa"] {
                assert!(!message.contains(secret), "{message}");
            }
        }
    }
    let config = json!({
        "url": url, "signing": { "secrets": [OLD] },
        "headers": { "Webhook-Id": "a", "WEBHOOK-SIGNATURE": "b", "webhook-timestamp": "1" },
    });
    let told: Vec<String> = problems(&config).into_iter().map(|(field, _)| field).collect();
    assert_eq!(
        told,
        ["headers.webhook-id", "headers.webhook-timestamp", "headers.webhook-signature"]
    );
}

#[test]
fn mistakes_in_certificates_are_told_and_never_repeat_them() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let own = rcgen::generate_simple_self_signed(vec!["a.test".to_owned()]).unwrap();
    let other = rcgen::KeyPair::generate().unwrap().serialize_pem();
    let (cert, key) = (own.cert.pem(), own.signing_key.serialize_pem());
    let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nhunter2\n";
    let broken = "-----BEGIN CERTIFICATE-----\nhunter2!\n-----END CERTIFICATE-----\n";
    let large = file("large", &"x".repeat((1 << 20) + 1));
    let nowhere = folder.path().join("nowhere").to_str().unwrap().to_owned();
    let here = folder.path().to_str().unwrap().to_owned();
    for (tls, field, word) in [
        (json!({}), "tls", "expected cert and key"),
        (json!("hunter2"), "tls", "object"),
        (json!({ "cert": cert }), "tls.key", "missing"),
        (json!({ "key": key }), "tls.cert", "missing"),
        (json!({ "cert": key, "key": key }), "tls.cert", "no certificate"),
        (json!({ "cert": cert, "key": cert }), "tls.key", "no private key"),
        (json!({ "cert": cert, "key": encrypted }), "tls.key", "passphrase"),
        (json!({ "cert": cert, "key": other }), "tls", "key"),
        (json!({ "cert": cert, "key": "hunter2" }), "tls.key", "expected PEM"),
        (json!({ "ca": 7 }), "tls.ca", "text"),
        (json!({ "ca": broken }), "tls.ca", "cannot be read"),
        (json!({ "ca": nowhere }), "tls.ca", "No such file"),
        (json!({ "ca": here }), "tls.ca", "plain file"),
        (json!({ "ca": "/dev/zero" }), "tls.ca", "plain file"),
        (json!({ "ca": large }), "tls.ca", "larger than 1 MB"),
        (json!({ "ca": file("text", "hunter2") }), "tls.ca", "no certificate"),
        (json!({ "ca": cert, "crt": cert }), "tls.crt", "unknown"),
    ] {
        let told = problems(&json!({ "url": "https://example.com/", "tls": tls }));
        let (at, message) = &told[0];
        assert_eq!((at.as_str(), told.len()), (field, 1), "{told:?}");
        assert!(message.contains(word), "{message}");
        assert!(!message.contains("hunter2") && !message.contains("BEGIN PRIVATE KEY-----\n"));
    }
    let plain = json!({ "url": "http://example.com/", "tls": { "ca": cert } });
    assert_eq!(problems(&plain)[0].0, "tls");
    let away = json!({ "url": "https://a.test/", "follow_redirects": true, "tls": { "ca": cert } });
    assert_eq!(problems(&away)[0].0, "follow_redirects");
    let from_files = json!({
        "url": "https://a.test/",
        "tls": { "cert": file("cert", &cert), "key": file("key", &key), "ca": file("ca", &cert) },
    });
    assert!(target(false).open(&from_files).is_ok());
}

#[test]
fn what_is_asked_of_an_endpoint_is_told_to_the_engine() {
    let open = |config: Value| target(false).open(&config).unwrap();
    for (url, group) in [
        ("https://Hooks.Example.com/a?b", "http:https://hooks.example.com:443"),
        ("HTTP://example.com:8080/", "http:http://example.com:8080"),
        ("http://[2606:4700::1111]/", "http:http://[2606:4700::1111]:80"),
    ] {
        assert_eq!(open(json!({ "url": url })).group().as_deref(), Some(group));
    }
    let url = "https://example.com/";
    assert_eq!(open(json!({ "url": url })).rate(), None);
    let rate = json!({ "limit": 100, "per": "1m", "burst": 5 });
    let expected = Rate { limit: 100, per: Millis::from_secs(60), key: None, burst: Some(5) };
    assert_eq!(open(json!({ "url": url, "rate": rate })).rate(), Some(expected));
}

#[tokio::test]
async fn several_events_go_out_as_a_batch() {
    let server = Server::start().await;
    let config = json!({ "url": server.url("/json") });
    assert_eq!(data(deliver_batch(config.clone(), 3).await), Data::Json("{\"ok\":true}".into()));
    for count in [3, 2, 1] {
        data(deliver_batch(config.clone(), count).await);
    }
    let seen = server.seen.lock();
    let (parts, body) = &seen[0];
    let media_type = parts.headers["content-type"].to_str().unwrap();
    assert!(media_type.starts_with("application/cloudevents-batch+json"), "{media_type}");
    let events: Value = serde_json::from_slice(body).unwrap();
    let ids: Vec<_> = events.as_array().unwrap().iter().map(|event| &event["data"]["n"]).collect();
    assert_eq!(ids, [7, 8, 9]);
    let execution = job("{}").execution.to_string();
    assert_eq!(parts.headers["evoke-execution"], execution);
    assert!(!parts.headers.contains_key("evoke-event"));
    let keys: Vec<_> = seen.iter().map(|(parts, _)| &parts.headers["idempotency-key"]).collect();
    assert_eq!(keys[0], keys[1], "the same batch is the same message");
    assert!(keys[1] != keys[2] && keys[2] != keys[3], "another one is not: {keys:?}");
    assert_eq!(keys[3], &execution);
    assert_eq!(serde_json::from_slice::<Value>(&seen[3].1).unwrap().as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_template_gets_the_events_of_a_batch_as_a_list() {
    let server = Server::start().await;
    let with = |body: &str| json!({ "url": server.url("/"), "body": body });
    let body = "[{% for e in events %}{{ e.data.n }}{{ ',' if not loop.last }}{% endfor %}]";
    data(deliver_batch(with(body), 2).await);
    assert_eq!(&server.seen.lock()[0].1[..], b"[7,8]");
    let refused = failure(deliver_batch(with("{{ event.data.n }}"), 2).await);
    assert!(refused.message.contains("`events`"), "{refused:?}");
    assert_eq!(refused.retry, RetryHint::Never);
}

/// The engine reads from the data which events failed, whatever is kept for people.
#[tokio::test]
async fn which_events_of_a_batch_failed_is_read_in_any_case() {
    let server = Server::start().await;
    let failed = "{\"failed\":[\"a\"]}";
    let full = "{\"failed\":[],\"batchItemFailures\":1,\"note\":\"x\"}";
    for (media_type, text, limit, expected) in [
        ("application~json", failed, "64kb", Data::Json(failed.into())),
        ("text~plain", failed, "64kb", Data::Json(failed.into())),
        ("text~plain", "fine", "64kb", Data::Text("fine".into())),
        ("text~plain", "fine", "2b", Data::Text("fi... [cut after 2b]".into())),
        ("text~plain", "fine", "0b", Data::None),
        (
            "application~json",
            full,
            "10b",
            Data::Json("{\"batchItemFailures\":1,\"failed\":[],\"truncated\":true}".into()),
        ),
        ("application~json", "{oops", "64kb", Data::Text("{oops".into())),
    ] {
        let url = server.url(&format!(
            "/say/{media_type}/{}",
            text.replace('"', "%22").replace('{', "%7B").replace('}', "%7D")
        ));
        let config = json!({ "url": url, "record_response": limit });
        assert_eq!(data(deliver_batch(config, 2).await), expected, "{text} {limit}");
    }
    let endless = failure(deliver_batch(json!({ "url": server.url("/bigjson") }), 2).await);
    assert_eq!(endless.retry, RetryHint::Policy);
    assert!(endless.message.contains("larger than 1mb"), "{endless:?}");
    let big = data(deliver_batch(json!({ "url": server.url("/big") }), 2).await);
    assert!(matches!(big, Data::Text(text) if text.ends_with(b"[cut after 64kb]")));
    let refused = deliver_batch(json!({ "url": server.url("/wait/429/7") }), 2).await;
    assert_eq!(failure(refused).retry, RetryHint::After(Millis::from_secs(7)));
}

#[tokio::test]
async fn as_much_of_an_answer_is_kept_as_is_wanted() {
    let server = Server::start().await;
    let record = |path: &str, limit: Value| {
        let config = json!({ "url": server.url(path), "record_response": limit });
        async { output(deliver(config, job("{}")).await) }
    };
    let nothing = record("/json", json!(0)).await;
    assert_eq!((&nothing["status"], &nothing["truncated"]), (&json!(200), &json!(true)));
    assert!(nothing["body"].is_null());
    let nothing = record("/big", json!("0b")).await;
    assert!(nothing["body"].is_null() && nothing["truncated"] == true);
    let none = record("/empty", json!(0)).await;
    assert!(none["truncated"].is_null(), "nothing was cut: {none}");
    let part = record("/json", json!("5b")).await;
    assert_eq!(part["body"], "{\"ok\"... [cut after 5b]");
    let exact = record("/json", json!("11b")).await;
    assert_eq!((&exact["body"], &exact["truncated"]), (&json!({ "ok": true }), &Value::Null));
    let bytes = record("/bytes", json!("1b")).await;
    assert_eq!((&bytes["body_base64"], &bytes["truncated"]), (&json!("/w=="), &json!(true)));
    let much = record("/big", json!("1mb")).await;
    assert!(much["body"].as_str().unwrap().len() > 1_000_000);
    let config = json!({ "url": server.url("/status/500"), "record_response": 0 });
    let told = failure(deliver(config, job("{}")).await).message;
    assert_eq!(told, "the target answered 500 Internal Server Error");
}
