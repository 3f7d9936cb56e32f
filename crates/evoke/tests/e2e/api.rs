//! The REST API as other people's programs use and misuse it.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::path::Path;
use std::process::Command;

use crate::support::{BINARY, ECHO, dev, tool};
use evoke_testkit::TestServer;
use evoke_testkit::server::{Options, PATIENCE};
use serde_json::{Value, json};

/// The largest body the server takes.
const BODY_MAX: usize = 10 * 1024 * 1024;

/// A function that says what event it got.
const WITNESS: [(&str, &str); 2] = [
    (
        "functions/witness/function.json",
        r#"{"runtime": "node", "triggers": [{"name": "orders", "type": "event", "match": "order.*"}]}"#,
    ),
    (
        "functions/witness/index.mjs",
        "export const handler = (event) => ({ type: event.type, source: event.source, \
         subject: event.subject, tenant: event.tenant, data: event.data });\n",
    ),
];

/// Runs a program that must succeed, and gives what it printed.
fn succeeds(command: &mut Command) -> String {
    let output = command.output().expect("start the program");
    let (out, err) = (output.stdout, output.stderr);
    let (out, err) = (String::from_utf8_lossy(&out), String::from_utf8_lossy(&err));
    assert!(output.status.success(), "{command:?}: {}\n{out}{err}", output.status);
    out.into_owned()
}

/// Checks that an event of this id arrived and ran as its sender gave it.
async fn arrived(server: &TestServer, id: &str, subject: &str) {
    // A sender's id is only unique with its source.
    let event = server.get(&format!("/api/events/%2Fshop%23{id}")).await.expect(200).json();
    assert_eq!(event["sender_id"], id, "{event}");
    assert_eq!(event["source"], "/shop", "{event}");
    assert_eq!(event["type"], "order.created", "{event}");
    assert_eq!(event["subject"], subject, "{event}");
    assert_eq!(event["extensions"], json!({ "tenant": "acme" }), "{event}");
    assert_eq!(event["time"], "2026-01-02T03:04:05Z", "{event}");
    let ours = event["id"].as_str().expect("an id");
    let ended = server.ended(&format!("event={ours}"), 1).await;
    let execution = server.execution(ended[0]["id"].as_str().expect("an id")).await;
    let data = json!({ "id": id, "name": "Zoë" });
    assert_eq!(execution["status"], "success", "{execution}");
    assert_eq!(execution["input"], data, "{execution}");
    let seen = json!({
        "type": "order.created", "source": "/shop", "subject": subject, "tenant": "acme",
        "data": data,
    });
    assert_eq!(execution["output"], seen, "{id}");
}

#[tokio::test]
async fn the_cloudevents_package_for_javascript_sends_in_every_mode() {
    let node = tool("bin/node20");
    tool("node_modules/cloudevents");
    let script = r"
        import { CloudEvent, HTTP, Mode, emitterFor } from 'cloudevents';
        const url = process.argv[2];
        const send = async ({ headers, body }) => {
            const answer = await fetch(url, { method: 'POST', headers, body });
            if (answer.status !== 202) throw new Error(`${answer.status} ${await answer.text()}`);
        };
        const event = (id) => new CloudEvent({
            id, source: '/shop', type: 'order.created', subject: 'order 7', tenant: 'acme',
            time: '2026-01-02T03:04:05Z', datacontenttype: 'application/json',
            data: { id, name: 'Zoë' },
        });
        await emitterFor(send)(event('binary'));
        await emitterFor(send, { mode: Mode.STRUCTURED })(event('structured'));
        await send(HTTP.binary(event('binding')));
        const batch = JSON.stringify([event('batch-1'), event('batch-2')]);
        await send({ headers: { 'content-type': 'application/cloudevents-batch+json' }, body: batch });
    ";
    let server = dev(&WITNESS).await;
    server.write(&[("send.mjs", script)]);
    std::os::unix::fs::symlink(tool("node_modules"), server.dir().join("node_modules"))
        .expect("link the packages");
    let url = server.url("/api/events");
    succeeds(Command::new(node).current_dir(server.dir()).args(["send.mjs", &url]));
    for id in ["binary", "structured", "binding", "batch-1", "batch-2"] {
        arrived(&server, id, "order 7").await;
    }
    assert_eq!(server.executions("").await.len(), 5);
}

#[tokio::test]
async fn the_cloudevents_package_for_python_sends_in_every_mode() {
    let python = tool("venv/bin/python");
    let script = r#"
import json, sys, urllib.request
from datetime import datetime, timezone
from cloudevents.core.bindings.http import to_binary_event, to_structured_event
from cloudevents.core.v1.event import CloudEvent
from cloudevents.v1 import http as older

URL = sys.argv[1]

def send(headers, body):
    body = body.encode() if isinstance(body, str) else body
    request = urllib.request.Request(URL, data=body, headers=headers, method="POST")
    with urllib.request.urlopen(request) as answer:
        assert answer.status == 202, answer.status

def parts(id, time):
    attributes = {
        "id": id, "source": "/shop", "type": "order.created", "subject": "größe 7",
        "tenant": "acme", "time": time, "specversion": "1.0", "datacontenttype": "application/json",
    }
    return attributes, {"id": id, "name": "Zoë"}

for id, convert in (("binary", to_binary_event), ("structured", to_structured_event)):
    message = convert(CloudEvent(*parts(id, datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc))))
    send(message.headers, message.body)
older_event = older.CloudEvent(*parts("older-structured", "2026-01-02T03:04:05Z"))
send(*older.to_structured(older_event))
attributes, data = parts("older-binary", "2026-01-02T03:04:05Z")
# The older interface does not encode what headers cannot hold.
send(*older.to_binary(older.CloudEvent({**attributes, "subject": "order 7"}, data)))
"#;
    let server = dev(&WITNESS).await;
    server.write(&[("send.py", script)]);
    let url = server.url("/api/events");
    succeeds(Command::new(python).current_dir(server.dir()).args(["send.py", &url]));
    for id in ["binary", "structured", "older-structured"] {
        arrived(&server, id, "größe 7").await;
    }
    arrived(&server, "older-binary", "order 7").await;
    assert_eq!(server.executions("").await.len(), 4);
}

#[tokio::test]
async fn what_the_openapi_document_allows_or_forbids_makes_no_server_error() {
    let schemathesis = tool("venv/bin/schemathesis");
    let server = dev(&WITNESS).await;
    server.emit("order.created", json!({ "n": 1 })).await;
    server.ended("", 1).await;
    // Live feeds have no end to wait for.
    server.write(&[("schemathesis.toml", "[parameters]\n\"query.follow\" = false\n")]);
    succeeds(
        Command::new(schemathesis)
            .current_dir(server.dir())
            .args(["run", &server.url("/openapi.json"), "--no-color"])
            .args(["--checks", "not_a_server_error", "--phases", "examples,coverage,fuzzing"])
            .args(["--exclude-path", "/api/collections/{name}/changes"])
            .args(["--max-examples", "15", "--request-timeout", "20", "--seed", "1"])
            .args(["--suppress-health-check", "all", "--generation-database", "none"])
            .args(["--warnings", "off"]),
    );
    let event = server.emit("order.after", json!({ "n": 2 })).await;
    server.ended(&format!("event={event}&function=witness"), 1).await;
}

#[tokio::test]
async fn the_documents_served_are_those_of_the_repository() {
    let server = dev(&ECHO).await;
    let kept: Value = serde_json::from_str(include_str!("../../../../docs/openapi.json"))
        .expect("docs/openapi.json is JSON");
    let served = server.get("/openapi.json").await.expect(200).json();
    let printed = succeeds(Command::new(BINARY).arg("openapi"));
    let printed: Value = serde_json::from_str(&printed).expect("evoke openapi prints JSON");
    assert!(served == kept, "docs/openapi.json is stale: run cargo xtask openapi");
    assert!(printed == kept, "evoke openapi prints another document than docs/openapi.json");
    let kept: Value =
        serde_json::from_str(include_str!("../../../project/schemas/function.json")).expect("JSON");
    let served = server.get("/schemas/function.json").await.expect(200);
    assert_eq!(served.headers["content-type"], "application/schema+json");
    assert!(served.json() == kept, "crates/project/schemas/function.json is stale");
}

/// A connection to a server.
fn connect(server: &TestServer) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", server.port())).expect("connect");
    stream.set_read_timeout(Some(PATIENCE)).expect("set a timeout");
    stream
}

/// The head of a request that sends events.
fn head(server: &TestServer, length: usize) -> String {
    let port = server.port();
    format!(
        "POST /api/events HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {length}\r\n\r\n"
    )
}

/// The status and the body of what comes until the server closes.
fn rest(mut stream: TcpStream) -> (u16, String) {
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("read the answer");
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let status = answer.get(9..12).and_then(|status| status.parse().ok()).unwrap_or_default();
    let body = answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default();
    (status, body)
}

/// Sends a body of events and gives the answer.
fn send(server: &TestServer, body: &[u8]) -> (u16, String) {
    let mut stream = connect(server);
    stream.write_all(head(server, body.len()).as_bytes()).expect("send the head");
    // The server may answer and close before it has read everything.
    stream.write_all(body).ok();
    rest(stream)
}

#[tokio::test]
async fn bad_input_is_refused_with_its_reason_and_leaves_nothing_behind() {
    let server = dev(&ECHO).await;
    let nested =
        format!(r#"{{"type": "refused", "data": {}{}}}"#, "[".repeat(10_000), "]".repeat(10_000));
    let many = format!("[{}]", vec![r#"{"type":"refused"}"#; 10_001].join(","));
    let mut large = br#"{"type":"refused","data":""#.to_vec();
    large.resize(BODY_MAX - 1, b'a');
    large.extend_from_slice(b"\"}");
    assert_eq!(large.len(), BODY_MAX + 1);
    for (what, body, status, said) in [
        ("too large", large.as_slice(), 413, "10"),
        ("no body", b"", 400, ""),
        ("malformed", b"{\"type\": \"refused\",\n  \"data\": nul}", 400, "line 2 column"),
        ("cut off", b"{\"type\": \"refused\"", 400, "line 1 column"),
        ("no UTF-8", b"{\"type\": \"refused\", \"data\": \"\xff\xfe\"}", 400, "UTF-8"),
        ("nested", nested.as_bytes(), 400, "nested deeper"),
        ("too many", many.as_bytes(), 400, "10000 events"),
        ("unknown field", b"{\"type\": \"refused\", \"subjet\": \"x\"}", 400, "subject"),
        ("one of two", b"[{\"type\": \"refused\"}, {\"type\": 7}]", 400, "[1]"),
    ] {
        let (got, body) = send(&server, body);
        assert_eq!(got, status, "{what}: {body}");
        assert!(body.contains(said), "{what}: {body}");
        let error: Value = serde_json::from_str(&body).expect("the form of errors");
        assert!(error["error"]["code"].is_string(), "{what}: {body}");
        assert!(error["error"]["request_id"].is_string(), "{what}: {body}");
    }
    // One who leaves in the middle has sent nothing.
    let mut cut = connect(&server);
    cut.write_all(head(&server, 40).as_bytes()).expect("send the head");
    cut.write_all(b"{\"type\": \"refused\"").expect("send a part");
    cut.shutdown(Shutdown::Write).expect("close our half");
    assert_ne!(rest(cut).0, 202);

    let event = server.emit("echo.after", json!({ "n": 1 })).await;
    server.ended(&format!("event={event}"), 1).await;
    let events = server.get("/api/events").await.expect(200).json();
    assert_eq!(events["data"].as_array().expect("a list").len(), 1, "{events}");
    assert_eq!(server.executions("").await.len(), 1);
}

#[tokio::test]
async fn slow_and_half_closed_connections_are_served_beside_the_others() {
    let server = dev(&ECHO).await;
    let body = br#"{"type": "echo.slow", "data": {"n": 1}}"#;
    let mut slow = connect(&server);
    slow.set_nodelay(true).expect("send each byte at once");
    for byte in head(&server, body.len()).as_bytes().iter().chain(body) {
        slow.write_all(&[*byte]).expect("send a byte");
        server.get("/health/live").await.expect(200);
    }
    assert_eq!(rest(slow).0, 202);

    let body = br#"{"type": "echo.half", "data": {"n": 2}}"#;
    let mut half = connect(&server);
    half.write_all(head(&server, body.len()).as_bytes()).expect("send the head");
    half.write_all(body).expect("send the body");
    half.shutdown(Shutdown::Write).expect("close our half");
    assert_eq!(rest(half).0, 202, "the other half still gets its answer");
    server.ended("trigger_type=event&status=success", 2).await;
}

/// The management routes of the document: method and path, with something in place of variables.
fn management() -> Vec<(String, String)> {
    let document: Value =
        serde_json::from_str(include_str!("../../../../docs/openapi.json")).expect("JSON");
    let paths = document["paths"].as_object().expect("paths");
    let is_public = |path: &str| {
        path.starts_with("/health")
            || path.starts_with("/docs/errors/")
            || path == "/schemas/function.json"
            || path.starts_with("/webhooks/")
            || path.starts_with("/storage/")
            || path == "/.well-known/jwks.json"
            || path.starts_with("/api/auth/") && !path.starts_with("/api/auth/users")
    };
    let mut routes = Vec::new();
    for (path, methods) in paths.iter().filter(|(path, _)| !is_public(path)) {
        for method in methods.as_object().expect("methods").keys() {
            let path = path.replace("{id}", "nothing");
            routes.push((method.to_uppercase(), path.clone()));
            if let Some(short) = path.strip_prefix("/api/") {
                routes.push((method.to_uppercase(), format!("/api/v1/{short}")));
            }
        }
    }
    assert!(routes.len() > 40, "{routes:?}");
    routes
}

/// Makes the first key, on the machine itself.
pub fn first_key(dir: &Path) -> (String, String) {
    let mut command = Command::new(BINARY);
    command.current_dir(dir).args(["keys", "create", "first", "--local", "-o", "json"]);
    let made: Value = serde_json::from_str(&succeeds(&mut command)).expect("JSON");
    let text = |name: &str| made[name].as_str().unwrap_or_else(|| panic!("{made}")).to_owned();
    (text("id"), text("key"))
}

#[tokio::test]
async fn a_served_api_asks_for_a_key_and_a_deleted_key_opens_nothing() {
    let files = [
        ("evoke.toml", ""),
        (
            "functions/open/function.json",
            r#"{"runtime": "node", "triggers": [{"type": "http", "path": "/open"}]}"#,
        ),
        ("functions/open/index.mjs", "export const handler = () => Response.json('come in');"),
    ];
    let options = Options { command: "serve", ..Options::default() };
    let mut server = TestServer::start(BINARY, &files, options).await;
    assert_eq!(server.terminate().await, Some(0));
    let (id, key) = first_key(server.dir());
    server.restart().await;

    for (method, path) in management() {
        for wrong in [None, Some("evk_wrong"), Some("")] {
            let mut request = server.request(&method, &path).body("{}");
            if let Some(wrong) = wrong {
                request = request.bearer_auth(wrong);
            }
            let answer = server.answer(request).await;
            assert_eq!(answer.status, 401, "{method} {path}: {}", answer.text);
            assert_eq!(answer.code(), "FN_009", "{method} {path}");
            assert!(answer.headers.contains_key("www-authenticate"), "{method} {path}");
        }
        let request = server.request(&method, &path).header("content-type", "application/json");
        let answer = server.answer(request.header("x-api-key", &key).body("{}")).await;
        assert!(![401, 403, 500].contains(&answer.status), "{method} {path}: {}", answer.text);
    }
    let get = |path: &str| server.answer(server.request("GET", path).bearer_auth(&key));
    for path in ["/api/functions", "/api/triggers", "/api/v1/executions", "/api/events", "/metrics"]
    {
        get(path).await.expect(200);
    }
    for path in ["/open", "/health", "/health/ready", "/schemas/function.json"] {
        server.get(path).await.expect(200);
    }
    let gone = server.request("DELETE", &format!("/api/keys/{id}")).bearer_auth(&key);
    server.answer(gone).await.expect(204);
    assert_eq!(get("/api/functions").await.expect(401).code(), "FN_009");
    server.get("/open").await.expect(200);
}

#[tokio::test]
async fn a_server_told_to_stop_answers_the_calls_that_run() {
    let manifest = r#"{"runtime": "node", "triggers": [{"type": "event", "match": "slow"},
        {"type": "http", "path": "/slow"}]}"#;
    let code = "export const handler = async (input) => {\n  \
         await new Promise((done) => setTimeout(done, 1500));\n  \
         return input instanceof Request ? Response.json('done') : 'done';\n};\n";
    let mut server =
        dev(&[("functions/slow/function.json", manifest), ("functions/slow/index.mjs", code)])
            .await;
    let call = tokio::spawn(server.request("GET", "/slow").send());
    server.emit("slow", json!(1)).await;
    server.metric("evoke_executions_running", |running| running == 2.0).await;
    assert_eq!(server.terminate().await, Some(0));
    let answer = call.await.expect("the task ends").expect("an answer");
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.text().await.expect("the body"), "\"done\"");

    server.restart().await;
    let ended = server.ended("status=success", 2).await;
    assert!(ended.iter().all(|execution| execution["attempts"] == 1), "{ended:#?}");
    assert_eq!(server.executions("").await.len(), 2);
    server.metric("evoke_executions_pending", |pending| pending == 0.0).await;
    server.metric("evoke_executions_running", |running| running == 0.0).await;
    let log = server.output();
    assert!(!log.contains("panicked"), "{log}");
}

#[tokio::test]
async fn a_test_run_of_a_trigger_is_one_execution_and_marked() {
    let server = dev(&WITNESS).await;
    // A second trigger on the same events must see nothing of it.
    let other = json!({
        "name": "other", "type": "event", "config": { "match": "*" },
        "target": { "type": "function", "name": "witness" },
    });
    server.post("/api/triggers", other).await.expect(201);
    let body = json!({ "data": { "n": 1 } });
    let answer = server.post("/api/triggers/orders/test", body).await.expect(202).json();
    let id = answer["execution_id"].as_str().expect("an id");
    server.ended("is_test_run=true", 1).await;
    let execution = server.execution(id).await;
    assert_eq!(execution["is_test_run"], true, "{execution}");
    assert_eq!(execution["status"], "success", "{execution}");
    assert_eq!(execution["input"], json!({ "n": 1 }));
    assert_eq!(execution["output"]["type"], "test.orders");
    assert_eq!(server.executions("").await.len(), 1, "exactly one");

    let body = json!({ "type": "order.created", "subject": "7", "data": 2 });
    let answer = server.post("/api/triggers/orders/test", body).await.expect(202).json();
    server.ended("is_test_run=true", 2).await;
    let execution = server.execution(answer["execution_id"].as_str().expect("an id")).await;
    assert_eq!(execution["output"]["type"], "order.created");
    assert_eq!(execution["output"]["subject"], "7");
    assert!(server.executions("is_test_run=false").await.is_empty());

    let wrong = server.post("/api/triggers/orders/test", json!({ "dat": 1 })).await.expect(400);
    assert!(wrong.text.contains("data"), "{}", wrong.text);
    assert_eq!(server.post("/api/triggers/order/test", json!({})).await.code(), "TR_001");
}

#[tokio::test]
async fn problems_of_a_trigger_name_the_place_in_the_body() {
    let server = dev(&ECHO).await;
    let trigger = json!({
        "name": "wrong", "type": "http", "config": { "path": "/api/kinds", "method": ["GET"] },
        "target": { "type": "function", "name": "echo" },
    });
    let answer = server.post("/api/triggers", trigger).await.expect(400).json();
    let problems = answer["error"]["problems"].as_array().expect("problems");
    let fields: Vec<_> = problems.iter().filter_map(|problem| problem["field"].as_str()).collect();
    assert!(!fields.is_empty(), "{answer}");
    assert!(fields.iter().all(|field| field.starts_with("config.")), "{answer}");
}
