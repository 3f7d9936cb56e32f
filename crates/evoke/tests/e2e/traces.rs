//! One trace from the caller through an event to the last function, as a receiver of OTLP sees it
//! that we did not write.

use std::collections::BTreeMap;
use std::process::Stdio;

use crate::support::{BINARY, tool};
use evoke_testkit::server::PATIENCE;
use evoke_testkit::{Options, TestServer};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

const CALLER: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
/// The trace and the span of the caller, in the base64 of JSON protobuf messages.
const TRACE: &str = "CvdlGRbNQ92ESOshHIAxnA==";
const SPAN: &str = "t61rcWkgMzE=";

/// Two functions, the first of which sends an event to the second.
fn files() -> Vec<(&'static str, &'static str)> {
    let first = "export const handler = async (event, context) => {\n  \
         await context.evoke.events.publish('second', { from: event.id });\n};\n";
    vec![
        (
            "functions/first/function.json",
            r#"{"runtime":"node","triggers":[{"type":"event","match":"first"}]}"#,
        ),
        ("functions/first/index.mjs", first),
        (
            "functions/last/function.json",
            r#"{"runtime":"node","triggers":[{"type":"event","match":"second"}]}"#,
        ),
        (
            "functions/last/index.mjs",
            "export const handler = (event, context) => context.traceparent;\n",
        ),
    ]
}

/// The spans of a request to the receiver.
fn spans_of(request: &Value) -> impl Iterator<Item = Value> {
    let resources = request["request"]["resourceSpans"].as_array().cloned().unwrap_or_default();
    resources
        .into_iter()
        .flat_map(|resource| resource["scopeSpans"].as_array().cloned().unwrap_or_default())
        .flat_map(|scope| scope["spans"].as_array().cloned().unwrap_or_default())
}

#[tokio::test]
async fn one_trace_goes_from_the_caller_to_the_last_function() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../telemetry/tests/receiver.py");
    let mut receiver = Command::new(tool("venv/bin/python"))
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("start the receiver");
    let stdout = receiver.stdout.take().expect("its output");
    let mut lines = BufReader::new(stdout).lines();
    let port = lines.next_line().await.expect("a line").expect("oteltest is installed");
    let endpoint = format!("http://127.0.0.1:{port}");
    let env = vec![("OTEL_EXPORTER_OTLP_ENDPOINT".to_owned(), endpoint)];
    let options = Options { env, ..Options::default() };
    let server = TestServer::start(BINARY, &files(), options).await;
    let body = json!({ "type": "first", "data": {} });
    let request = server.request("POST", "/api/events").header("traceparent", CALLER).json(&body);
    server.answer(request).await.expect(202);
    let ended = server.ended("trigger_type=event", 2).await;
    let last = server.execution(ended[0]["id"].as_str().expect("an id")).await;

    let mut spans: BTreeMap<String, Value> = BTreeMap::new();
    let wanted = ["ingest first", "ingest second", "execute event-second", "call last"];
    while !wanted.iter().all(|name| spans.contains_key(*name)) {
        let line = tokio::time::timeout(PATIENCE, lines.next_line()).await;
        let line = line.expect("spans in time").expect("a line").expect("a request");
        let request: Value = serde_json::from_str(&line).expect("JSON");
        for span in spans_of(&request) {
            assert_eq!(span["traceId"], TRACE, "{span}");
            spans.insert(span["name"].as_str().expect("a name").to_owned(), span);
        }
    }
    let chain = [
        ("ingest first", None),
        ("execute event-first", Some("ingest first")),
        ("call first", Some("execute event-first")),
        ("ingest second", Some("call first")),
        ("execute event-second", Some("ingest second")),
        ("call last", Some("execute event-second")),
    ];
    for (name, parent) in chain {
        let parent = parent.map_or(json!(SPAN), |parent| spans[parent]["spanId"].clone());
        assert_eq!(spans[name]["parentSpanId"], parent, "{name}: {spans:#?}");
    }
    assert!(spans.contains_key("match"), "{:?}", spans.keys());
    let seen = last["output"].as_str().expect("a traceparent");
    assert!(seen.starts_with("00-0af7651916cd43dd8448eb211c80319c-"), "{seen}");
}
