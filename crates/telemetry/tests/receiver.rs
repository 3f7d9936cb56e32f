//! Spans as a receiver sees them that we did not write: the one of the Python package `oteltest`,
//! which decodes them with Google's protobuf and OpenTelemetry's own definitions.

#![expect(clippy::expect_used, reason = "a test fails loudly")]

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use evoke_model::Timestamp;
use evoke_model::trace::TraceContext;
use evoke_ports::trace::Attribute;
use evoke_ports::{Span, SpanKind, Tracer as _};
use evoke_telemetry::{Counts, Pace, Settings, Telemetry, TelemetryConfig};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

/// Long for a test that works, short for one that hangs.
const PATIENCE: Duration = Duration::from_secs(60);
const TRACE: u128 = 0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c;
const START: Timestamp = Timestamp::from_micros(1_792_000_000_123_456);

struct PythonReceiver {
    endpoint: String,
    lines: Lines<BufReader<ChildStdout>>,
    _child: Child,
}

impl PythonReceiver {
    async fn start() -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/receiver.py");
        let mut child = Command::new(python())
            .arg(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("start the receiver");
        let stdout = child.stdout.take().expect("the receiver's output");
        let mut lines = BufReader::new(stdout).lines();
        let port = next_line(&mut lines).await;
        Self { endpoint: format!("http://127.0.0.1:{port}"), lines, _child: child }
    }

    /// The next request: its headers and its message.
    async fn next(&mut self) -> Value {
        let line = next_line(&mut self.lines).await;
        serde_json::from_str(&line).expect("a line of JSON")
    }
}

async fn next_line(lines: &mut Lines<BufReader<ChildStdout>>) -> String {
    let line = tokio::time::timeout(PATIENCE, lines.next_line()).await;
    line.expect("a line in time").expect("a line").expect("oteltest is installed in .tools/venv")
}

/// The interpreter that has the package.
fn python() -> PathBuf {
    let folders = std::env::var_os("EVOKE_TOOLS").unwrap_or_default();
    let first = std::env::split_paths(&folders).next().unwrap_or_default();
    let python = first.join("venv/bin/python");
    let hint = "run cargo xtask setup and name its folder in EVOKE_TOOLS";
    assert!(first.is_absolute() && python.exists(), "{} is missing: {hint}", python.display());
    python
}

fn config(endpoint: &str) -> TelemetryConfig {
    let settings = Settings {
        otlp_endpoint: Some(endpoint.to_owned()),
        otlp_headers: BTreeMap::from([("x-tenant".to_owned(), "shop".to_owned())]),
        ..Settings::default()
    };
    let variables = [
        ("OTEL_SERVICE_NAME", "orders"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20k%3D1"),
    ];
    let environment = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    TelemetryConfig::read(&settings, &environment).expect("no problems").expect("an endpoint")
}

fn span(id: u64, parent: Option<u64>, name: Cow<'static, str>) -> Span {
    Span {
        context: TraceContext { trace: TRACE, span: id, sampled: true },
        parent,
        name,
        kind: SpanKind::Internal,
        start: START,
        end: Timestamp::from_micros(START.as_micros() + 1_500),
        attributes: Vec::new(),
        links: Vec::new(),
        error: None,
    }
}

fn execution() -> Span {
    let mut span = span(0xb7ad_6b71_6920_3331, Some(0x1), Cow::Owned("execute ørder".to_owned()));
    span.kind = SpanKind::Consumer;
    span.attributes = vec![
        ("evoke.function", Attribute::Text("on-order".into())),
        ("evoke.attempt", Attribute::Int(i64::MIN)),
        ("evoke.replay", Attribute::Bool(true)),
        ("evoke.empty", Attribute::Text("".into())),
    ];
    span.links = vec![TraceContext { trace: 5, span: 6, sampled: true }];
    span.error = Some("FN_004: boom".to_owned());
    span
}

/// Ids are base64 in the JSON form of protobuf messages.
#[tokio::test]
async fn a_receiver_reads_what_was_recorded() {
    let mut receiver = PythonReceiver::start().await;
    let telemetry = Telemetry::start(&config(&receiver.endpoint), "node-1").expect("an export");
    let tracer = telemetry.tracer();
    tracer.record(span(0x1, None, Cow::Borrowed("ingest")));
    tracer.record(execution());
    let counts = telemetry.stop(PATIENCE).await;
    assert_eq!(counts, Counts { sent: 2, ..Counts::default() });

    let Value::Object(mut got) = receiver.next().await else { panic!("an object") };
    let headers = got.remove("headers").expect("headers");
    assert_eq!(headers["content-type"], "application/x-protobuf");
    assert_eq!(headers["x-tenant"], "shop");
    assert_eq!(headers["authorization"], "Bearer k=1");

    let version = env!("CARGO_PKG_VERSION");
    let text = |key: &str, value: &str| json!({ "key": key, "value": { "stringValue": value } });
    let trace = "CvdlGRbNQ92ESOshHIAxnA==";
    let ingest = json!({
        "traceId": trace,
        "spanId": "AAAAAAAAAAE=",
        "flags": 1,
        "name": "ingest",
        "kind": "SPAN_KIND_INTERNAL",
        "startTimeUnixNano": "1792000000123456000",
        "endTimeUnixNano": "1792000000124956000",
    });
    let execution = json!({
        "traceId": trace,
        "spanId": "t61rcWkgMzE=",
        "parentSpanId": "AAAAAAAAAAE=",
        "flags": 1,
        "name": "execute ørder",
        "kind": "SPAN_KIND_CONSUMER",
        "startTimeUnixNano": "1792000000123456000",
        "endTimeUnixNano": "1792000000124956000",
        "attributes": [
            text("evoke.function", "on-order"),
            { "key": "evoke.attempt", "value": { "intValue": "-9223372036854775808" } },
            { "key": "evoke.replay", "value": { "boolValue": true } },
            text("evoke.empty", ""),
        ],
        "links": [
            { "traceId": "AAAAAAAAAAAAAAAAAAAABQ==", "spanId": "AAAAAAAAAAY=", "flags": 1 },
        ],
        "status": { "message": "FN_004: boom", "code": "STATUS_CODE_ERROR" },
    });
    let expected = json!({ "resourceSpans": [{
        "resource": { "attributes": [
            text("service.name", "orders"),
            text("service.version", version),
            text("service.instance.id", "node-1"),
        ] },
        "scopeSpans": [{
            "scope": { "name": "evoke", "version": version },
            "spans": [ingest, execution],
        }],
    }] });
    assert_eq!(got["request"], expected);
}

#[tokio::test]
async fn many_spans_arrive_whole_in_batches() {
    let mut receiver = PythonReceiver::start().await;
    let pace = Pace { batch: 100, queue: 1_000, ..Pace::default() };
    let config = TelemetryConfig { pace, ..config(&receiver.endpoint) };
    let telemetry = Telemetry::start(&config, "node-1").expect("an export");
    let tracer = telemetry.tracer();
    (1..=950).for_each(|id| tracer.record(span(id, None, Cow::Borrowed("work"))));
    // The receiver prints each request before it answers, so somebody has to read.
    let (counts, lens) = tokio::join!(telemetry.stop(PATIENCE), lens(&mut receiver, 950));
    assert_eq!(counts, Counts { sent: 950, ..Counts::default() });
    assert!(lens.iter().all(|len| *len <= 100), "{lens:?}");
}

/// The spans of each request until there were `total`.
async fn lens(receiver: &mut PythonReceiver, total: usize) -> Vec<usize> {
    let mut lens = Vec::new();
    while lens.iter().sum::<usize>() < total {
        let got = receiver.next().await;
        let spans = got["request"]["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array();
        lens.push(spans.expect("spans").len());
    }
    assert_eq!(lens.iter().sum::<usize>(), total);
    lens
}
