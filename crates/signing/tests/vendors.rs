//! Messages that the packages of the providers have signed are believed, and none that was changed.
//! The packages are installed by `cargo xtask setup`.
#![expect(clippy::expect_used, reason = "a test stops at what it did not expect")]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use evoke_model::Timestamp;
use evoke_signing::{Refused, Request, Spec, Verified, Verifier};
use serde_json::{Value, json};

/// What is signed, and by what kind of sender.
#[derive(Clone, Debug)]
struct Message {
    kind: &'static str,
    secret: &'static str,
    id: String,
    url: String,
    body: String,
}

type Headers = BTreeMap<String, String>;

const TEXT_SECRET: &str = "It's a Secret to Everybody: Zoë 山";
const WHSEC_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const OTHER_SECRET: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

const BODIES: [&str; 4] = [
    r#"{"id": "evt_1", "event_id": "evt_1", "name": "Zoë \" 山"}"#,
    "{\r\n  \"id\" : \"evt_2\", \"event_id\": \"evt_2\", \"n\": 1.0\n}\n",
    "[]",
    "not \u{0} JSON.v1=at, all",
];

const FORMS: [&str; 4] = [
    "CallSid=CA1234567890ABCDE&Caller=%2B14158675309&Digits=1234&From=%2B14158675309",
    "b=2&a=1&B=3&A=&%C3%A9=Zo%C3%AB+%E5%B1%B1",
    "MediaUrl=z&MediaUrl=a&MediaUrl=z&Body=a%26b%3Dc%25",
    "",
];

/// The SHA-256 of `{"property": "value", "boolean": true}`.
const HASHED: &str = "https://example.com/hook?x=1&bodySHA256=\
                      0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620";

fn messages(kinds: &[&'static str]) -> Vec<Message> {
    let of = |kind: &'static str| {
        let is_standard = ["svix", "standard-webhooks"].contains(&kind);
        let secret = if is_standard { WHSEC_SECRET } else { TEXT_SECRET };
        let bodies = if kind.starts_with("twilio") { FORMS } else { BODIES };
        let message = move |(at, body): (usize, &str)| Message {
            kind,
            secret,
            id: format!("msg_{at}"),
            url: format!("https://example.com/hook?x={at}&y=%20"),
            body: body.to_owned(),
        };
        bodies.into_iter().enumerate().map(message)
    };
    kinds.iter().copied().flat_map(of).collect()
}

/// A file of the tools that `cargo xtask setup` installs.
fn tool(path: &str) -> PathBuf {
    let folders = std::env::var_os("EVOKE_TOOLS").unwrap_or_default();
    let first = std::env::split_paths(&folders).next().unwrap_or_default();
    let tool = first.join(path);
    let hint = "run cargo xtask setup and name its folder in EVOKE_TOOLS";
    assert!(first.is_absolute() && tool.exists(), "{path} is missing: {hint}");
    tool
}

/// A program for Node; it finds the packages from its working folder.
fn node() -> Command {
    tool("node_modules/@octokit/webhooks-methods");
    let mut command = Command::new(tool("bin/node22"));
    command.current_dir(tool(""));
    command.args(["--input-type=module", "--eval", include_str!("vendors/sign.mjs")]);
    command
}

fn python() -> Command {
    let mut command = Command::new(tool("venv/bin/python"));
    command.args(["-c", include_str!("vendors/sign.py")]);
    command
}

/// The headers that a program gives these messages.
fn sign(mut program: Command, messages: &[Message], secs: i64) -> Vec<Headers> {
    let question = |message: &Message| {
        let Message { kind, secret, id, url, body } = message;
        json!({
            "kind": kind, "secret": secret, "id": id, "url": url, "body": body, "secs": secs,
        })
    };
    let questions: Value = messages.iter().map(question).collect();
    let output = program.arg(questions.to_string()).output().expect("start");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    let answers: Vec<Headers> = serde_json::from_slice(&output.stdout).expect("answers");
    assert_eq!(answers.len(), messages.len());
    answers
}

fn verifier(kind: &str, secrets: &[&str]) -> Verifier {
    let secrets = secrets.iter().map(|secret| (*secret).to_owned()).collect();
    let kind = kind.trim_end_matches("-sha256");
    Verifier::new(kind, Spec { secrets, ..Spec::default() }).expect("a verifier")
}

fn verify(
    verifier: &Verifier,
    message: &Message,
    headers: &Headers,
    secs: i64,
) -> Result<Verified, Refused> {
    let headers: Vec<(&str, &[u8])> =
        headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
    let (url, body) = (message.url.as_str(), message.body.as_bytes());
    let request = Request { method: "POST", url, headers: &headers, body };
    verifier.verify(&request, Timestamp::from_millis(secs * 1_000))
}

/// Believes the message, and nothing that differs in any part of what is signed.
fn holds(message: &Message, headers: &Headers, secs: i64) {
    let Message { kind, secret, .. } = message;
    let ours = verifier(kind, &[OTHER_SECRET, secret]);
    let verified = verify(&ours, message, headers, secs);
    assert!(verified.is_ok(), "{message:?} {headers:?}: {verified:?}");
    let foreign = verify(&verifier(kind, &[OTHER_SECRET]), message, headers, secs);
    assert_eq!(foreign, Err(Refused::Mismatch), "{message:?}");
    let longer = Message { body: format!("{}&x", message.body), ..message.clone() };
    assert_eq!(verify(&ours, &longer, headers, secs), Err(Refused::Mismatch), "{longer:?}");
    for (name, value) in headers {
        let delivery = ["X-GitHub-Delivery", "Content-Type"].contains(&name.as_str());
        for at in (0..value.len()).filter(|_| !delivery) {
            let mut changed = headers.clone();
            let mut bytes = value.clone().into_bytes();
            bytes[at] ^= 1;
            changed.insert(name.clone(), String::from_utf8(bytes).expect("ASCII"));
            let answer = verify(&ours, message, &changed, secs);
            assert!(answer.is_err(), "{name} changed at {at}: {changed:?}");
        }
    }
}

fn now_secs() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock");
    i64::try_from(since.as_secs()).expect("a time")
}

#[test]
fn what_packages_for_javascript_sign_is_believed() {
    let messages = messages(&["github", "standard-webhooks", "svix"]);
    let secs = now_secs();
    for (message, headers) in messages.iter().zip(&sign(node(), &messages, secs)) {
        holds(message, headers, secs);
        let verified = verify(&verifier(message.kind, &[message.secret]), message, headers, secs);
        let delivery = verified.expect("believed").delivery;
        assert_eq!(delivery.as_deref(), Some(message.id.as_str()));
    }
}

#[test]
fn what_packages_for_python_sign_is_believed() {
    let kinds = ["stripe", "slack", "twilio", "twilio-sha256", "standard-webhooks", "svix"];
    let mut messages = messages(&kinds);
    messages.push(Message {
        kind: "twilio",
        secret: TEXT_SECRET,
        id: String::new(),
        url: HASHED.to_owned(),
        body: r#"{"property": "value", "boolean": true}"#.to_owned(),
    });
    let secs = now_secs();
    for (message, headers) in messages.iter().zip(&sign(python(), &messages, secs)) {
        holds(message, headers, secs);
    }
}

#[test]
fn what_is_signed_with_a_time_becomes_too_old() {
    let kinds = ["stripe", "slack", "standard-webhooks", "svix"];
    let messages = messages(&kinds);
    let secs = now_secs();
    for (message, headers) in messages.iter().zip(&sign(python(), &messages, secs)) {
        let ours = verifier(message.kind, &[message.secret]);
        for (now, reason) in [(300, None), (301, Some("too_old")), (-301, Some("too_new"))] {
            let answer = verify(&ours, message, headers, secs + now);
            assert_eq!(answer.err().map(|refused| refused.reason()), reason, "{message:?}");
        }
    }
}
