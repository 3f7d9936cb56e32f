//! Signatures against the packages that receivers use: ours are verified there, theirs here.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Bytes;
use evoke_model::{Event, EventId, Timestamp};
use evoke_ports::Clock as _;
use evoke_ports::SystemClock;
use evoke_signing::Secret;
use evoke_signing::standard_webhooks::{self, Check, Error, Received, TOLERANCE};
use http::HeaderMap;
use serde_json::{Value, json};

use crate::support::{FOREIGN, NEW, OLD, Script, Seen, deliver, node, python, serve, target};
use crate::testing::job;

const PACKAGES: [&str; 2] = ["standardwebhooks", "svix"];
const NOBODY: &str = "No matching signature found";

fn languages() -> [(&'static str, Script); 2] {
    let python = python(include_str!("verify.py"));
    [("JavaScript", node(include_str!("verify.mjs"))), ("Python", python)]
}

/// What a program answers to these questions.
fn ask(script: &mut Script, questions: &[Value]) -> Vec<String> {
    let output = script.command.arg(Value::from(questions).to_string()).output().expect("start");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    serde_json::from_slice(&output.stdout).expect("answers")
}

fn question(package: &str, secret: &str, headers: &HeaderMap, body: &Bytes) -> Value {
    let headers: BTreeMap<&str, &str> = headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.to_str().expect("a text")))
        .collect();
    let body = std::str::from_utf8(body).expect("a text");
    json!({ "package": package, "secret": secret, "headers": headers, "body": body })
}

/// Three kinds of bodies, sent with these secrets.
async fn sent_with(secrets: &[&str]) -> Vec<(HeaderMap, Bytes)> {
    let seen = Seen::default();
    let url = format!("http://{}/hook", serve(seen.clone()).await);
    let target = target();
    let config = json!({ "url": url, "signing": { "secrets": secrets } });
    deliver(&target, &config, job(r#"{"name": "Zoë \" 山"}"#)).await;
    let mut own = config.clone();
    own["body"] = "[ \"{{ event.data.name }}\",\n 1.0 ]".into();
    deliver(&target, &own, job(r#"{"name": "Zoë"}"#)).await;
    let job = job("{}");
    let other = Event { id: EventId::from_u64(8), ..Event::clone(&job.event) };
    let events = [Arc::clone(&job.event), Arc::new(other)];
    target.open(&config).expect("valid").deliver_batch(job, &events).await;
    let seen = std::mem::take(&mut *seen.lock());
    assert_eq!(seen.len(), 3);
    seen
}

/// While a secret is exchanged, whoever has one of the two believes what is sent, and nobody else.
#[tokio::test]
async fn our_signatures_are_verified_by_the_packages() {
    let (both, new) = (sent_with(&[NEW, OLD]).await, sent_with(&[NEW]).await);
    for (language, mut script) in languages() {
        let mut questions = Vec::new();
        let mut expected = Vec::new();
        let mut cases = |sent: &[(HeaderMap, Bytes)], secret, answer| {
            for (headers, body) in sent {
                questions.extend(PACKAGES.map(|package| question(package, secret, headers, body)));
                expected.extend([answer; PACKAGES.len()]);
            }
        };
        cases(&both, NEW, "fits");
        cases(&both, OLD, "fits");
        cases(&both, FOREIGN, NOBODY);
        cases(&new, NEW, "fits");
        cases(&new, OLD, NOBODY);
        let changed: Vec<_> =
            both.iter().map(|(headers, _)| (headers.clone(), Bytes::from("{}"))).collect();
        cases(&changed, NEW, NOBODY);
        assert_eq!(ask(&mut script, &questions), expected, "{language}");
    }
}

/// Whether we believe what a package has signed.
fn verified(signature: &str, now: Timestamp, secrets: &[&str]) -> Result<(), Error> {
    let secs = (now.as_millis() / 1_000).to_string();
    let received = Received {
        id: Some("msg_1"),
        timestamp: Some(&secs),
        signature: Some(signature),
        body: BODY.as_bytes(),
    };
    let secrets: Vec<Secret> =
        secrets.iter().map(|text| Secret::parse(text).expect("a secret")).collect();
    standard_webhooks::verify(received, Check { secrets: &secrets, now, tolerance: TOLERANCE })
}

const BODY: &str = "{\"name\": \"Zoë 山\"}\n";

#[test]
fn signatures_of_the_packages_are_verified_by_us() {
    let now = SystemClock.now();
    let secs = now.as_millis() / 1_000;
    for (language, mut script) in languages() {
        let question = |package: &str, secret: &str| {
            json!({
                "package": package, "secret": secret, "id": "msg_1", "secs": secs, "body": BODY,
            })
        };
        let questions: Vec<Value> = PACKAGES
            .iter()
            .flat_map(|package| [OLD, NEW].map(|secret| question(package, secret)))
            .collect();
        for pair in ask(&mut script, &questions).chunks(2) {
            let [old, new] = pair else { panic!("two signatures of each package") };
            assert_eq!(verified(old, now, &[OLD]), Ok(()), "{language}");
            assert_eq!(verified(new, now, &[OLD, NEW]), Ok(()), "{language}");
            assert_eq!(verified(&format!("{new} {old}"), now, &[OLD]), Ok(()), "{language}");
            assert_eq!(verified(new, now, &[OLD, FOREIGN]), Err(Error::Mismatch), "{language}");
        }
    }
}
