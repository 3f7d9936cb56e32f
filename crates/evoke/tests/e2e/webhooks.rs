//! Webhooks that come in: who is believed, what is logged, and what their senders are told.

use std::path::Path;
use std::process::Command;

use crate::facts::until;
use crate::support::{BINARY, dev, tool};
use evoke_ports::{Clock, SystemClock};
use evoke_testkit::{Answer, Options, TestServer};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

const SECRET: &str = "it-s-a-secret-to-everybody";
const OTHER: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const WHSEC: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// A function that gives back what it got, or answers as the body asks, later if it asks for that.
const TAKE: &str = "export const handler = async (event, context) => {\n  \
     const { reply, fail, pause } = event.data.json ?? {};\n  \
     if (pause) await new Promise((over) => setTimeout(over, pause));\n  \
     if (fail) throw new Error(fail);\n  \
     if (reply?.web) return new Response(reply.body, reply);\n  \
     const { length } = event.data.body;\n  return reply ?? (length > 1e6 ? { length } : event);\n\
     };\n";

type Header = (String, String);

fn header(name: &str, value: impl ToString) -> Header {
    (name.to_owned(), value.to_string())
}

/// The code of a text, in hex.
fn code(secret: &str, text: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any length");
    mac.update(text);
    hex::encode(mac.finalize().into_bytes())
}

fn base64(digits: &str) -> String {
    evoke_model::event::base64(&hex::decode(digits).expect("hex"))
}

fn now_secs() -> i64 {
    SystemClock.now().as_millis() / 1_000
}

fn stripe(secret: &str, secs: i64, body: &[u8]) -> Header {
    let text = [format!("{secs}.").as_bytes(), body].concat();
    header("Stripe-Signature", format!("t={secs},v1={},v0=beef", code(secret, &text)))
}

/// A server with one webhook `hook` with these fields.
async fn server(fields: Value) -> TestServer {
    let manifest = manifest(fields);
    dev(&[("functions/take/function.json", manifest.as_str()), ("functions/take/index.mjs", TAKE)])
        .await
}

fn manifest(fields: Value) -> String {
    let mut trigger = json!({ "type": "webhook", "name": "hook" });
    for (name, value) in fields.as_object().expect("fields") {
        trigger[name] = value.clone();
    }
    json!({ "runtime": "node", "triggers": [trigger] }).to_string()
}

async fn send(server: &TestServer, path: &str, headers: &[Header], body: &[u8]) -> Answer {
    let mut request = server.request("POST", path).body(body.to_vec());
    for (name, value) in headers {
        request = request.header(name, value);
    }
    server.answer(request).await
}

async fn events(server: &TestServer) -> usize {
    let page = server.get("/api/events").await.expect(200).json();
    page["data"].as_array().expect("a list").len()
}

/// The event a function got for this answer.
async fn got(server: &TestServer, answer: Answer) -> Value {
    let event = answer.expect(202).json()["event_id"].as_str().expect("an id").to_owned();
    let ended = server.ended(&format!("event={event}"), 1).await;
    let execution = server.execution(ended[0]["id"].as_str().expect("an id")).await;
    assert_eq!(execution["status"], "success", "{execution}");
    assert_eq!(execution["trigger_type"], "webhook");
    execution["output"].clone()
}

#[tokio::test]
async fn a_signed_request_runs_the_function_and_others_are_refused() {
    let verification = json!({ "type": "hmac-sha256", "header": "X-Signature", "secret": SECRET });
    let server = server(json!({ "verification": verification })).await;
    let body = b"{\"type\": \"paid\",  \"n\": 1}\n";
    let right = code(SECRET, body);
    for (headers, word) in [
        (vec![], "the header x-signature is missing"),
        (vec![header("x-signature", "00")], "x-signature"),
        (vec![header("x-signature", code("other", body))], "no signature fits"),
        (vec![header("x-signature", &right), header("x-signature", &right)], "more than once"),
    ] {
        let answer = send(&server, "/webhooks/hook", &headers, body).await.expect(401);
        assert_eq!(answer.code(), "TR_005");
        assert!(answer.text.to_lowercase().contains(word), "{word}: {}", answer.text);
        assert!(!answer.text.contains(SECRET) && !answer.text.contains(&right));
    }
    assert_eq!(events(&server).await, 0, "nothing is logged of a refusal");

    let headers = [header("x-signature", &right), header("authorization", "Bearer secret")];
    let answer = send(&server, "/webhooks/hook?a=1&b=x%20y", &headers, body).await.expect(202);
    let place = format!("/api/events/{}", answer.json()["event_id"].as_str().expect("an id"));
    assert_eq!(answer.headers["location"], place);
    let got = got(&server, answer).await;
    assert_eq!(got["type"], "webhook.hook");
    let data = &got["data"];
    assert_eq!(data["method"], "POST");
    assert_eq!(data["path"], "/webhooks/hook");
    assert_eq!(data["query"], json!({ "a": "1", "b": "x y" }));
    assert_eq!(data["body"].as_str().map(str::as_bytes), Some(&body[..]));
    assert_eq!(data["json"], json!({ "type": "paid", "n": 1 }));
    assert_eq!(data["verified"], true);
    assert_eq!(data["headers"]["x-signature"], right);
    assert_eq!(data["headers"].get("authorization"), None, "credentials are not kept");
    let id = data["webhook_id"].as_str().expect("an id");
    assert_eq!(got["source"], format!("/webhooks/{id}"));
    for path in
        [format!("/webhooks/{id}"), format!("/api/v1/webhook/{id}"), format!("/api/webhook/{id}")]
    {
        send(&server, &path, &headers[..1], body).await.expect(202);
        send(&server, &path, &[], body).await.expect(401);
    }
    assert_eq!(server.get("/webhooks/hook").await.expect(405).headers["allow"], "POST");
    assert_eq!(send(&server, "/webhooks/hoop", &[], b"").await.expect(404).code(), "API_002");
}

/// What each kind of sender gives its message, and the `verification` that goes with it.
fn presets(url: &str, body: &[u8]) -> Vec<(Value, Vec<Header>)> {
    let secs = now_secs();
    let timed = |sign: &str| code(SECRET, &[sign.as_bytes(), body].concat());
    let plain = code(SECRET, body);
    let sha1 = |text: &[u8]| {
        let mut mac = Hmac::<sha1::Sha1>::new_from_slice(SECRET.as_bytes()).expect("any length");
        mac.update(text);
        hex::encode(mac.finalize().into_bytes())
    };
    let sha512 = {
        let mut mac = Hmac::<sha2::Sha512>::new_from_slice(SECRET.as_bytes()).expect("any length");
        mac.update(body);
        hex::encode(mac.finalize().into_bytes())
    };
    let of = |kind: &str| json!({ "type": kind, "secret": SECRET });
    let with = |kind: &str, name: &str, value: &str| {
        let mut verification = of(kind);
        verification[name] = value.into();
        verification
    };
    let hash = hex::encode(<Sha256 as sha2::Digest>::digest(body));
    let twilio = format!("{url}?bodySHA256={hash}");
    vec![
        (with("hmac-sha256", "header", "x-s"), vec![header("x-s", &plain)]),
        (with("hmac-sha1", "header", "x-s"), vec![header("x-s", sha1(body))]),
        (with("hmac_sha512", "header", "x-s"), vec![header("x-s", sha512)]),
        (of("stripe"), vec![stripe(SECRET, secs, body)]),
        (of("github"), vec![header("x-hub-signature-256", format!("sha256={plain}"))]),
        (
            of("slack"),
            vec![
                header("x-slack-request-timestamp", secs),
                header("x-slack-signature", format!("v0={}", timed(&format!("v0:{secs}:")))),
            ],
        ),
        (of("shopify"), vec![header("x-shopify-hmac-sha256", base64(&plain))]),
        (
            with("twilio", "url", url),
            vec![header("x-twilio-signature", base64(&sha1(twilio.as_bytes())))],
        ),
        (of("gitlab"), vec![header("x-gitlab-token", SECRET)]),
        (
            of("paddle"),
            vec![header(
                "paddle-signature",
                format!("ts={secs};h1={}", timed(&format!("{secs}:"))),
            )],
        ),
        (of("vercel"), vec![header("x-vercel-signature", sha1(body))]),
        (of("woocommerce"), vec![header("x-wc-webhook-signature", base64(&plain))]),
        (of("linear"), vec![header("linear-signature", &plain)]),
        (
            json!({ "type": "basic", "username": "u", "password": SECRET }),
            vec![header(
                "authorization",
                format!("Basic {}", evoke_model::event::base64(format!("u:{SECRET}").as_bytes())),
            )],
        ),
    ]
}

#[tokio::test]
async fn each_preset_believes_its_sender_and_nobody_else() {
    let server = dev(&[("functions/take/index.mjs", TAKE)]).await;
    let body = json!({ "webhookTimestamp": SystemClock.now().as_millis() }).to_string();
    let body = body.as_bytes();
    for (at, (verification, headers)) in presets("https://x.test/y", body).iter().enumerate() {
        let kind = verification["type"].as_str().expect("a type").to_owned();
        let webhook = json!({
            "name": format!("hook-{at}"), "function": "take", "verification": verification,
        });
        let made = server.post("/api/webhooks", webhook).await.expect(201);
        assert!(!made.text.contains(SECRET), "{}", made.text);
        // Twilio signs the address, and the hash of the body as part of it.
        let hash = hex::encode(<Sha256 as sha2::Digest>::digest(body));
        let path = format!("/webhooks/hook-{at}?bodySHA256={hash}");
        assert_eq!(send(&server, &path, &[], body).await.status, 401, "{kind}: nothing");
        let mut wrong = headers.clone();
        for (_, value) in &mut wrong {
            *value = value.replace("Basic ", "Basic QQ").replace(SECRET, "wrong");
        }
        let changed = [body, b" "].concat();
        let sent: &[u8] = if wrong == *headers { &changed } else { body };
        assert_eq!(send(&server, &path, &wrong, sent).await.status, 401, "{kind}: wrong");
        let taken = send(&server, &path, headers, body).await;
        assert_eq!(taken.status, 202, "{kind}: {}", taken.text);
        let right = got(&server, taken).await;
        assert_eq!(right["data"]["verified"], true, "{kind}");
    }
    assert_eq!(events(&server).await, 14);
}

/// The headers that the packages of vendors give a message.
fn signed(mut program: Command, kind: &str, secret: &str, url: &str, body: &str) -> Vec<Header> {
    let question = json!([{
        "kind": kind, "secret": secret, "id": format!("msg_{kind}"), "url": url, "body": body,
        "secs": now_secs(),
    }]);
    let output = program.arg(question.to_string()).output().expect("start");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let answers: Value = serde_json::from_slice(&output.stdout).expect("answers");
    let headers = answers[0].as_object().expect("headers");
    headers.iter().map(|(name, value)| header(name, value.as_str().expect("a text"))).collect()
}

#[tokio::test]
async fn what_the_packages_of_vendors_sign_comes_in() {
    let node = || {
        let mut command = Command::new(tool("bin/node22"));
        let script = include_str!("../../../signing/tests/vendors/sign.mjs");
        command.current_dir(tool("")).args(["--input-type=module", "--eval", script]);
        command
    };
    let python = || {
        let mut command = Command::new(tool("venv/bin/python"));
        command.args(["-c", include_str!("../../../signing/tests/vendors/sign.py")]);
        command
    };
    let server = dev(&[("functions/take/index.mjs", TAKE)]).await;
    for (kind, program, body) in [
        ("github", node(), "{\"zen\": \"Zo\u{eb}\\n\"}"),
        ("svix", node(), "{\"a\":  1}\n"),
        ("standard-webhooks", node(), "{}"),
        ("stripe", python(), "{\n  \"id\": \"evt_1\"\n}"),
        ("slack", python(), "{\"event_id\": \"Ev1\"}"),
        ("twilio", python(), "From=%2B14158675309&Body=a+b&Body=%C3%A9"),
    ] {
        let secret = if ["svix", "standard-webhooks"].contains(&kind) { WHSEC } else { SECRET };
        let webhook = json!({
            "path": format!("/webhooks/{kind}"), "function": "take",
            "verification": { "type": kind, "secret": [OTHER, secret] },
        });
        let url = server.post("/api/webhooks", webhook).await.expect(201).json()["url"].clone();
        let url = url.as_str().expect("an address");
        assert_eq!(url, server.url(&format!("/webhooks/{kind}")));
        let path = format!("/webhooks/{kind}");
        let headers = signed(program, kind, secret, url, body);
        let changed = format!("{body}&x=1");
        let refused = send(&server, &path, &headers, changed.as_bytes()).await.expect(401);
        assert_eq!(refused.code(), "TR_005", "{kind}");
        let event = got(&server, send(&server, &path, &headers, body.as_bytes()).await).await;
        assert_eq!(event["data"]["body"], body, "{kind}");
        let id = match kind {
            "stripe" => "evt_1",
            "slack" => "Ev1",
            "twilio" => continue,
            _ => &format!("msg_{kind}"),
        };
        assert_eq!(event["id"], id, "{kind}");
    }
}

/// The pages of providers: name, manifest and the commands behind it.
fn pages() -> Vec<(String, String, String)> {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/webhooks");
    let mut found = Vec::new();
    for page in std::fs::read_dir(docs).expect("the pages") {
        let path = page.expect("a page").path();
        let text = std::fs::read_to_string(&path).expect("a text");
        let mut manifest = None;
        for block in text.split("```").skip(1).step_by(2) {
            match (block.split_once('\n').expect("a language"), &manifest) {
                (("yaml", text), _) => manifest = Some(text.to_owned()),
                (("sh", script), Some(manifest)) => {
                    found.push((path.display().to_string(), manifest.clone(), script.to_owned()));
                }
                _ => {}
            }
        }
    }
    found
}

#[tokio::test]
async fn the_commands_of_the_documentation_are_believed_by_a_server() {
    let mut shown = 0;
    for (page, manifest, script) in pages() {
        let secret =
            script.lines().find_map(|line| line.strip_prefix("secret=")).expect("a secret");
        let secret = secret.trim_matches('\'');
        let name = manifest.split_once("${secrets.").expect("a reference").1;
        let name = name.split_once('}').expect("its end").0;
        let path = script.split_once(":8090").expect("an address").1;
        let path = path.split_once(' ').expect("its end").0;
        let manifest = match manifest.starts_with("triggers:") {
            true => format!("runtime: node\n{manifest}"),
            // A page of several providers shows only what differs.
            false => format!(
                "runtime: node\ntriggers:\n  - type: webhook\n    path: {path}\n    {manifest}"
            ),
        };
        let files = [
            ("functions/take/function.yaml", manifest.as_str()),
            ("functions/take/index.mjs", TAKE),
        ];
        let env = vec![(format!("EVOKE_SECRET_{name}"), secret.to_owned())];
        let options = Options { env, ..Options::default() };
        let server = TestServer::start(BINARY, &files, options).await;
        let here = script.replace("http://127.0.0.1:8090", &server.url(""));
        let status = r#"curl() { command curl -sS -o answer -w '%{http_code}' "$@"; }"#;
        let mut shell = Command::new("bash");
        shell.args(["-euc", &format!("{status}\n{here}")]).current_dir(server.dir());
        let output = shell.output().expect("start a shell");
        let status = String::from_utf8_lossy(&output.stdout).into_owned();
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        let answer = std::fs::read_to_string(server.dir().join("answer")).unwrap_or_default();
        let taken = if manifest.contains("mode: sync") { "200" } else { "202" };
        assert_eq!(status, taken, "{page}: {answer} {told}");
        server.ended("trigger_type=webhook&status=success", 1).await;
        shown += 1;
    }
    assert!(shown >= 14, "{shown} commands");
}

#[tokio::test]
async fn a_message_of_stripe_is_too_old_outside_of_the_tolerance() {
    let verification = json!({ "type": "stripe", "secret": SECRET, "tolerance": "1m" });
    let server = server(json!({ "verification": verification })).await;
    let body = b"{\"id\": \"evt_1\", \"type\": \"charge.succeeded\"}";
    for (age, status, word) in [
        (0, 202, "event_id"),
        (70, 401, "older than"),
        (-70, 401, "future"),
        (50, 202, "duplicate"),
    ] {
        let headers = [stripe(SECRET, now_secs() - age, body)];
        let answer = send(&server, "/webhooks/hook", &headers, body).await.expect(status);
        assert!(answer.text.contains(word), "{age}: {}", answer.text);
    }
    for value in ["", "t=1", "v1=00", "t=x,v1=00", "t=1,t=1,v1=00", &"t=1,".repeat(1_000)] {
        let headers = [header("stripe-signature", value)];
        let answer = send(&server, "/webhooks/hook", &headers, body).await.expect(401);
        assert_eq!(answer.code(), "TR_005", "{value}");
    }
    assert_eq!(events(&server).await, 1);
}

#[tokio::test]
async fn a_delivery_that_is_sent_again_is_answered_with_its_first_event() {
    let server = server(json!({ "verification": { "type": "github", "secret": SECRET } })).await;
    let signed = |body: &[u8], id: &str| {
        vec![
            header("x-hub-signature-256", format!("sha256={}", code(SECRET, body))),
            header("x-github-delivery", id),
        ]
    };
    let first =
        send(&server, "/webhooks/hook", &signed(b"1", "d-1"), b"1").await.expect(202).json();
    assert_eq!(first.get("duplicate"), None);
    let other =
        send(&server, "/webhooks/hook", &signed(b"1", "d-2"), b"1").await.expect(202).json();
    assert_ne!(first["event_id"], other["event_id"]);
    let again =
        send(&server, "/webhooks/hook", &signed(b"1", "d-1"), b"1").await.expect(202).json();
    assert_eq!(again, json!({ "event_id": first["event_id"], "duplicate": true }));
    server.ended("trigger_type=webhook", 2).await;
    assert_eq!(server.executions("").await.len(), 2);
}

#[tokio::test]
async fn a_request_that_is_not_verified_may_be_let_in_and_uses_up_no_id() {
    let server = server(json!({
        "verification": { "type": "github", "secret": SECRET }, "skip_invalid": true,
    }))
    .await;
    let id = header("x-github-delivery", "d-1");
    for _ in 0..2 {
        let stranger = send(&server, "/webhooks/hook", std::slice::from_ref(&id), b"{}").await;
        assert_eq!(got(&server, stranger).await["data"]["verified"], false);
    }
    let signature = header("x-hub-signature-256", format!("sha256={}", code(SECRET, b"{}")));
    let real = got(&server, send(&server, "/webhooks/hook", &[signature, id], b"{}").await).await;
    assert_eq!((&real["data"]["verified"], &real["id"]), (&json!(true), &json!("d-1")));
}

#[tokio::test]
async fn a_body_that_breaks_its_schema_is_refused_with_all_violations_and_not_logged() {
    let manifest = manifest(json!({ "schema": "./order.json" }));
    let order = json!({
        "type": "object", "required": ["id", "total"],
        "properties": {
            "total": { "type": "number", "minimum": 0 },
            "mail": { "type": "string", "format": "email" },
            "lines": { "items": { "required": ["sku"] } },
        },
    });
    let schema = order.to_string();
    let server = dev(&[
        ("functions/take/function.json", manifest.as_str()),
        ("functions/take/order.json", schema.as_str()),
        ("functions/take/index.mjs", TAKE),
    ])
    .await;
    let body = br#"{"total": -1, "mail": "nobody", "lines": [{"sku": 1}, {}]}"#;
    let answer = send(&server, "/webhooks/hook", &[], body).await.expect(400);
    assert_eq!(answer.code(), "EV_005");
    let error = answer.json()["error"].clone();
    let mut fields: Vec<&str> = error["problems"]
        .as_array()
        .expect("problems")
        .iter()
        .map(|problem| problem["field"].as_str().expect("a field"))
        .collect();
    fields.sort_unstable();
    assert_eq!(fields, ["", "/lines/1", "/mail", "/total"], "{error}");
    assert!(!answer.text.contains("nobody"), "values are not repeated");
    send(&server, "/webhooks/hook", &[], b"total=1").await.expect(400);
    assert_eq!(events(&server).await, 0);
    let good = br#"{"id": 1, "total": 1}"#;
    got(&server, send(&server, "/webhooks/hook", &[], good).await).await;

    // What is saved holds at once.
    server.write(&[("functions/take/order.json", r#"{"type": "array"}"#)]);
    until("the schema holds", async || {
        (send(&server, "/webhooks/hook", &[], b"[]").await.status == 202).then_some(())
    })
    .await;
    send(&server, "/webhooks/hook", &[], good).await.expect(400);
}

#[tokio::test]
async fn a_sender_that_waits_gets_what_the_function_returns() {
    let server = server(json!({
        "mode": "sync", "delivery_id": "x-delivery", "filter": "event.data.json.skip != true",
    }))
    .await;
    let answer = send(&server, "/webhooks/hook", &[], br#"{"skip": false}"#).await.expect(200);
    let execution = answer.headers["x-evoke-execution-id"].to_str().expect("text").to_owned();
    let event = answer.json();
    assert_eq!(
        (&event["type"], &event["data"]["verified"]),
        (&json!("webhook.hook"), &json!(false))
    );
    let recorded = server.ended("trigger_type=webhook", 1).await;
    assert_eq!(recorded[0]["id"], execution);
    assert_eq!(server.execution(&execution).await["input"]["body"], r#"{"skip": false}"#);

    let body = json!({ "skip": 0, "reply": {
        "status": 201, "headers": { "X-Own": "yes", "Content-Type": "text/csv" }, "body": "a;b",
    }});
    let answer =
        send(&server, "/webhooks/hook", &[], body.to_string().as_bytes()).await.expect(201);
    assert_eq!(
        (answer.text.as_str(), &answer.headers["x-own"]),
        ("a;b", &"yes".parse().expect("text"))
    );
    assert_eq!(answer.headers["content-type"], "text/csv");
    let body = json!({ "skip": 0, "reply": {
        "web": true, "status": 203, "headers": { "X-Own": "web", "Content-Type": "text/csv" },
        "body": "c;d",
    }});
    let answer =
        send(&server, "/webhooks/hook", &[], body.to_string().as_bytes()).await.expect(203);
    assert_eq!(
        (answer.text.as_str(), &answer.headers["x-own"], &answer.headers["content-type"]),
        ("c;d", &"web".parse().expect("text"), &"text/csv".parse().expect("text"))
    );
    let failed =
        send(&server, "/webhooks/hook", &[], br#"{"skip": 0, "fail": "no"}"#).await.expect(502);
    assert_eq!(failed.code(), "FN_004");
    let skipped =
        send(&server, "/webhooks/hook", &[], br#"{"skip": true}"#).await.expect(202).json();
    let event = skipped["event_id"].as_str().expect("an id");
    assert_eq!(server.executions(&format!("event={event}")).await, Vec::<Value>::new());
}

#[tokio::test]
async fn a_delivery_that_failed_may_be_sent_again_and_one_that_went_well_counts() {
    let server = server(json!({ "mode": "sync", "delivery_id": "x-delivery" })).await;
    let id = [header("x-delivery", "d-1")];
    let deliver = async |body: &str, status| {
        let answer = send(&server, "/webhooks/hook", &id, body.as_bytes()).await.expect(status);
        let execution = answer.headers["x-evoke-execution-id"].to_str().expect("text").to_owned();
        until("the call is recorded", async || {
            (server.get(&format!("/api/executions/{execution}")).await.status == 200).then_some(())
        })
        .await;
        execution
    };
    // The record only describes what is long: the status counts all the same.
    let reply = |reply: Value| json!({ "reply": reply }).to_string();
    deliver(r#"{"fail": "no"}"#, 502).await;
    for body in [
        reply(json!({ "status": 503 })),
        reply(json!({ "status": 503, "body": "x".repeat(1_100_000) })),
        reply(json!({ "web": true, "status": 503 })),
        reply(json!({ "web": true, "status": 503, "body": "x".repeat(70_000) })),
    ] {
        deliver(&body, 503).await;
    }
    let execution = deliver("{}", 200).await;
    let again = send(&server, "/webhooks/hook", &id, b"{}").await.expect(202).json();
    assert_eq!(again["duplicate"], true);
    assert_eq!(server.execution(&execution).await["event_id"], again["event_id"]);
}

#[tokio::test]
async fn a_delivery_that_comes_twice_at_once_runs_once_unless_the_first_fails() {
    let server = server(json!({ "mode": "sync", "delivery_id": "x-delivery" })).await;
    for (delivery, body, expected) in [
        ("d-1", json!({ "pause": 500 }), [200, 202]),
        ("d-2", json!({ "pause": 500, "fail": "no" }), [502, 502]),
    ] {
        let id = [header("x-delivery", delivery)];
        let body = body.to_string();
        let deliver = || send(&server, "/webhooks/hook", &id, body.as_bytes());
        let (one, other) = tokio::join!(deliver(), deliver());
        let mut told = [one.status, other.status];
        told.sort_unstable();
        assert_eq!(told, expected, "{} {}", one.text, other.text);
    }
    assert_eq!(server.ended("trigger_type=webhook", 3).await.len(), 3);
}

#[tokio::test]
async fn other_triggers_see_what_came_in_either_mode() {
    for mode in ["async", "sync"] {
        let manifest = json!({ "runtime": "node", "triggers": [
            { "type": "webhook", "name": "hook", "mode": mode,
              "filter": "event.data.json.type == \"paid\"" },
        ]})
        .to_string();
        let watch = json!({ "runtime": "node", "triggers": [
            { "type": "event", "name": "watch", "match": "webhook.hook" },
        ]})
        .to_string();
        let server = dev(&[
            ("functions/take/function.json", manifest.as_str()),
            ("functions/take/index.mjs", TAKE),
            ("functions/watch/function.json", watch.as_str()),
            ("functions/watch/index.mjs", TAKE),
        ])
        .await;
        let taken = if mode == "sync" { 200 } else { 202 };
        send(&server, "/webhooks/hook", &[], br#"{"type": "paid"}"#).await.expect(taken);
        send(&server, "/webhooks/hook", &[], br#"{"type": "other"}"#).await.expect(202);
        send(&server, "/webhooks/hook", &[], b"no json").await.expect(202);
        assert_eq!(server.ended("trigger=watch", 3).await.len(), 3, "{mode}");
        assert_eq!(server.ended("trigger=hook", 1).await.len(), 1, "{mode}");
        assert_eq!(server.executions("").await.len(), 4, "{mode}");
    }
}

#[tokio::test]
async fn hostile_requests_break_nothing() {
    let server = server(json!({ "methods": ["POST", "GET"], "schema": true })).await;
    let open = json!({ "name": "open", "function": "take" });
    server.post("/api/webhooks", open).await.expect(201);
    let event = got(&server, send(&server, "/webhooks/open", &[], b"\xff\xfe\x00").await).await;
    assert_eq!(event["data"]["body_encoding"], "base64");
    assert_eq!(event["data"]["body"], "//4A");
    send(&server, "/webhooks/hook", &[], b"\xff\xfe\x00").await.expect(400);
    let event = got(&server, send(&server, "/webhooks/open", &[], b"").await).await;
    assert_eq!((&event["data"]["body"], event["data"].get("json")), (&json!(""), None));
    let deep = "[".repeat(100_000);
    let event = got(&server, send(&server, "/webhooks/open", &[], deep.as_bytes()).await).await;
    assert_eq!(event["data"]["body"], deep);

    let limit = 10 << 20;
    let large = vec![b'x'; limit + 1];
    let answer = send(&server, "/webhooks/open", &[], &large).await.expect(413);
    assert_eq!(answer.code(), "API_004");
    let answer = send(&server, "/webhooks/open", &[], &large[..limit]).await.expect(202).json();
    let ended =
        server.ended(&format!("event={}", answer["event_id"].as_str().expect("an id")), 1).await;
    assert_eq!(ended[0]["status"], "success", "{}", ended[0]["error"]);
    let huge = [header("x-huge", "x".repeat(1 << 20))];
    let client = server.request("POST", "/webhooks/open").header("x-huge", &huge[0].1).send().await;
    assert!(client.map_or(true, |answer| answer.status().is_client_error()));
    let many: Vec<Header> = (0..80).map(|at| header(&format!("x-{at}"), "\u{e9}")).collect();
    got(&server, send(&server, "/webhooks/open", &many, b"{}").await).await;
    assert_eq!(server.get("/webhooks/%ff").await.expect(400).code(), "API_001");
    assert_eq!(server.get("/webhooks/../api/keys").await.status, 200, "the client tidies it up");
}

#[tokio::test]
async fn webhooks_are_made_changed_and_deleted_through_the_api() {
    let server = dev(&[("functions/take/index.mjs", TAKE)]).await;
    let verification = json!({ "type": "gitlab", "secret": ["one", "two"] });
    let webhook = json!({
        "path": "/webhooks/git", "function": "take", "verification": verification,
    });
    let made = server.post("/api/webhooks", webhook.clone()).await.expect(201).json();
    let id = made["id"].as_str().expect("an id");
    assert_eq!(made["name"], "git");
    assert_eq!(made["url"], server.url("/webhooks/git"));
    assert_eq!(made["verification"], json!({ "type": "gitlab", "secret": ["***", "***"] }));
    assert_eq!((&made["mode"], &made["methods"]), (&json!("async"), &json!(["POST"])));
    for path in
        [format!("/api/triggers/{id}"), "/api/triggers".to_owned(), "/api/webhooks".to_owned()]
    {
        let text = server.get(&path).await.expect(200).text;
        assert!(text.contains("***") && !text.contains("\"two\""), "{path}: {text}");
    }
    let again = json!({ "name": "other", "path": "/webhooks/git", "function": "take" });
    assert_eq!(server.post("/api/webhooks", again).await.expect(409).code(), "TR_003");
    let wrong = json!({ "function": "take", "mode": "sync", "policy": { "batch": { "size": 2 } },
        "verification": { "type": "stripe" } });
    let answer = server.post("/api/webhooks", wrong).await.expect(400).json();
    let problems = answer["error"]["problems"].as_array().expect("problems");
    let fields: Vec<&str> =
        problems.iter().filter_map(|problem| problem["field"].as_str()).collect();
    assert_eq!(fields, ["verification.secret", "policy.batch"]);

    let token = |token: &str| vec![header("x-gitlab-token", token)];
    for (secret, status) in [("one", 202), ("two", 202), ("***", 401), ("three", 401)] {
        assert_eq!(send(&server, "/webhooks/git", &token(secret), b"{}").await.status, status);
    }
    // What comes back as it was shown stays what it is.
    let patch = |change: Value| {
        server.answer(server.request("PATCH", &format!("/api/webhooks/{id}")).json(&change))
    };
    let secret = json!({ "verification": { "secret": ["***", "three"] } });
    let changed = patch(secret).await.expect(200);
    assert!(!changed.text.contains("three"));
    for (secret, status) in [("one", 202), ("two", 401), ("***", 401), ("three", 202)] {
        assert_eq!(
            send(&server, "/webhooks/git", &token(secret), b"{}").await.status,
            status,
            "{secret}"
        );
    }
    let shown = server.get(&format!("/api/triggers/{id}")).await.expect(200).json();
    let (config, target) = (&shown["config"], &shown["target"]);
    let back = json!({ "name": "git", "type": "webhook", "config": config, "target": target });
    let put = server.request("PUT", &format!("/api/triggers/{id}")).json(&back);
    server.answer(put).await.expect(200);
    send(&server, "/webhooks/git", &token("one"), b"{}").await.expect(202);
    patch(json!({ "verification": { "secret": "***" } })).await.expect(400);
    patch(json!({ "mode": "sync", "verification": null })).await.expect(200);
    send(&server, "/webhooks/git", &[], b"{}").await.expect(200);
    patch(json!({ "enabled": false })).await.expect(200);
    send(&server, "/webhooks/git", &[], b"{}").await.expect(404);
    let delete = server.request("DELETE", "/api/webhooks/git");
    server.answer(delete).await.expect(204);
    assert_eq!(server.get(&format!("/api/webhooks/{id}")).await.expect(404).code(), "TR_001");
    assert_eq!(server.get("/api/v1/webhooks").await.expect(200).json()["data"], json!([]));
}

#[tokio::test]
async fn a_changed_secret_holds_as_soon_as_it_is_saved() {
    let with =
        |secret: &str| manifest(json!({ "verification": { "type": "gitlab", "secret": secret } }));
    let server = server(json!({ "verification": { "type": "gitlab", "secret": "old" } })).await;
    let token = |token: &str| vec![header("x-gitlab-token", token)];
    send(&server, "/webhooks/hook", &token("old"), b"{}").await.expect(202);
    server.write(&[("functions/take/function.json", &with("new"))]);
    until("the secret holds", async || {
        (send(&server, "/webhooks/hook", &token("new"), b"{}").await.status == 202).then_some(())
    })
    .await;
    send(&server, "/webhooks/hook", &token("old"), b"{}").await.expect(401);
}

#[tokio::test]
async fn a_webhook_is_public_and_its_secret_comes_from_the_environment() {
    let verification = json!({ "type": "gitlab", "secret": "${secrets.HOOK}" });
    let manifest = manifest(json!({ "verification": verification }));
    let files = [
        ("evoke.toml", ""),
        ("functions/take/function.json", manifest.as_str()),
        ("functions/take/index.mjs", TAKE),
    ];
    let env = vec![("EVOKE_SECRET_HOOK".to_owned(), "from-outside".to_owned())];
    let token = |token: &str| vec![header("x-gitlab-token", token)];
    for command in ["serve", "dev"] {
        let options = Options { command, env: env.clone(), ..Options::default() };
        let mut server = TestServer::start(BINARY, &files, options).await;
        for _ in 0..2 {
            for (secret, status) in [("from-outside", 202), ("${secrets.HOOK}", 401), ("", 401)] {
                let answer = send(&server, "/webhooks/hook", &token(secret), b"{}").await;
                assert_eq!(answer.status, status, "{command}: {secret:?}: {}", answer.text);
            }
            server.kill();
            server.restart().await;
        }
        let shown = server.get("/api/webhooks/hook").await;
        if command == "serve" {
            assert_eq!(shown.expect(401).code(), "FN_009");
            continue;
        }
        assert_eq!(shown.expect(200).json()["verification"], verification);
        let text = server.get("/api/triggers/hook").await.expect(200).text;
        assert!(!text.contains("from-outside") && !server.output().contains("from-outside"));
    }
}

#[tokio::test]
async fn a_test_run_is_given_a_request_as_the_webhook_takes_it() {
    let schema = json!({ "examples": [{ "total": 7 }] });
    let server =
        server(json!({ "schema": schema, "verification": { "type": "github", "secret": "s" } }))
            .await;
    let run = server.post("/api/triggers/hook/test", json!({})).await.expect(202).json();
    server.ended("is_test_run=true", 1).await;
    let execution = server.execution(run["execution_id"].as_str().expect("an id")).await;
    assert_eq!(execution["output"]["type"], "webhook.hook");
    assert_eq!(execution["output"]["data"]["json"], json!({ "total": 7 }));
    assert_eq!(server.executions("").await.len(), 1);
}
