//! The golden frames: what others implement the protocol against. A file that is missing is written
//! and fails the test once, so that a change of the protocol is a change of files.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use evoke_model::event::Attribute;
use evoke_model::{Data, Event, EventId, ExecutionId, LogLine, Timestamp, TriggerId};
use evoke_ports::{Call, HttpCall, Input, LogSink, User};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::call;
use super::frame::{self, ANSWER_BYTES_MAX, Decoded, Decoder, Frame, FrameError, Kind};
use super::messages::{CancelReason, Hello, Load, LoadFailed, Thrown};

struct Nowhere;

impl LogSink for Nowhere {
    fn log(&self, _line: LogLine) {}
}

fn call_with(input: Input) -> Call {
    Call {
        execution: ExecutionId { event: EventId::from_u64(7), trigger: TriggerId::from_u64(8) },
        attempt: 2,
        deadline: Timestamp::from_millis(1_795_000_030_000),
        trigger_kind: "event".into(),
        trigger_name: "on \"order\"".into(),
        traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into()),
        request_id: Some("req-1".into()),
        input,
        logs: Arc::new(Nowhere),
        cancel: CancellationToken::new(),
        token: "t0ken".into(),
    }
}

fn event() -> Event {
    let flag = ("urgent".into(), Attribute::Bool(true));
    Event {
        id: EventId::from_u64(7),
        sender_id: Some("A-1".into()),
        source: "/shop".into(),
        kind: "order.created".into(),
        subject: Some("order/1".into()),
        time: Timestamp::from_millis(1_795_000_000_000),
        content_type: None,
        data_schema: None,
        data: Data::Json(Bytes::from_static(br#"{"total":17.5,"name":"J\u00f6rg"}"#)),
        extensions: Some(Box::new([flag].into_iter().collect())),
        lineage: None,
        traceparent: None,
        ordering_key: None,
        due: None,
        is_test_run: false,
        replay_of: None,
    }
}

fn event_call() -> Call {
    call_with(Input::Event(Arc::new(event())))
}

/// A repeated event that is a test run too, so that the golden frame has both marks.
fn replay_call() -> Call {
    let replay_of = Some(EventId::from_u64(5));
    let event = Event { sender_id: None, is_test_run: true, replay_of, ..event() };
    call_with(Input::Event(Arc::new(event)))
}

fn batch_call() -> Call {
    let data = Data::Json(Bytes::from_static(br#"{"total":3}"#));
    let second = Event { id: EventId::from_u64(9), sender_id: None, data, ..event() };
    call_with(Input::Batch(vec![Arc::new(event()), Arc::new(second)]))
}

fn request_call(user: Option<User>) -> Call {
    call_with(Input::Http(Box::new(HttpCall {
        method: http::Method::POST,
        target: "/api/users/7?full=1".to_owned(),
        origin: "http://localhost:8090".to_owned(),
        headers: [
            (http::header::CONTENT_TYPE, "text/plain".parse().unwrap()),
            (http::header::ACCEPT, "*/*".parse().unwrap()),
        ]
        .into_iter()
        .collect(),
        params: vec![("id".to_owned(), "7".to_owned())],
        body: Bytes::from_static(b"the body"),
        user: user.map(Box::new),
    })))
}

fn user() -> User {
    User {
        id: "usr_1".to_owned(),
        email: Some("ada@example.test".to_owned()),
        email_verified: true,
        roles: vec!["admin".to_owned(), "beta \"testers\"".to_owned()],
        issuer: Some("https://login.example.test".to_owned()),
    }
}

fn numbered(call: &Call) -> Vec<u8> {
    let mut frame = call::encode(call);
    frame::set_call(&mut frame, 3);
    frame
}

fn load() -> Vec<u8> {
    let environment = [("API_KEY".to_owned(), "k".to_owned())].into_iter().collect();
    let load = Load {
        function: "on-order",
        version: 4,
        code: "/srv/.evoke/versions/on-order.4",
        directory: "/srv/functions/on-order",
        handler: "index.handler",
        environment: &environment,
        url: "http://127.0.0.1:8090",
        timeout_ms: 30_000,
        memory_bytes: 268_435_456,
    };
    frame::encode(Kind::Load, 0, &serde_json::to_vec(&load).unwrap())
}

fn with_head(head: &str, body: &[u8]) -> Vec<u8> {
    [&(head.len() as u32).to_le_bytes(), head.as_bytes(), body].concat()
}

fn golden() -> Vec<(&'static str, Vec<u8>)> {
    let text = |kind, call, text: &str| frame::encode(kind, call, text.as_bytes());
    let hello = r#"{"protocol":1,"runtime":"node","version":"20.1.0","pid":77}"#;
    let head = r#"{"status":200,"headers":[["content-type","text/plain"]]}"#;
    let thrown = r#"{"message":"no","stack":"Error: no\n  at x","type":"TypeError","retry":false,"retryAfterMs":1500}"#;
    vec![
        ("load", load()),
        ("event", numbered(&event_call())),
        ("event_replay", numbered(&replay_call())),
        ("event_batch", numbered(&batch_call())),
        ("request", numbered(&request_call(None))),
        ("request_user", numbered(&request_call(Some(user())))),
        ("cancel", frame::encode(Kind::Cancel, 3, CancelReason::Timeout.payload())),
        ("shutdown", frame::encode(Kind::Shutdown, 0, &[])),
        ("ack", frame::encode(Kind::Ack, 3, &65_536_u32.to_le_bytes())),
        ("hello", text(Kind::Hello, 0, hello)),
        ("loaded", frame::encode(Kind::Loaded, 0, &[])),
        ("load_failed", text(Kind::LoadFailed, 0, r#"{"message":"no","stack":"at x"}"#)),
        ("result", text(Kind::Result, 3, r#"{"ok":true}"#)),
        ("result_empty", frame::encode(Kind::Result, 3, &[])),
        ("error", text(Kind::Error, 3, thrown)),
        ("head", text(Kind::Head, 3, head)),
        ("chunk", frame::encode(Kind::Chunk, 3, b"data: 1\n\n")),
        ("end", frame::encode(Kind::End, 3, &[])),
        ("response", frame::encode(Kind::Response, 3, &with_head(head, b"hello"))),
        ("log", frame::encode(Kind::Log, 3, b"\x02careful: \xc3\xbc")),
    ]
}

fn decode(bytes: &[u8]) -> Vec<Decoded> {
    let mut decoder = Decoder::default();
    let mut all = Vec::new();
    // Byte by byte: a frame may come in any number of reads.
    for byte in bytes {
        decoder.buffer().extend_from_slice(&[*byte]);
        all.extend(decoder.decode().unwrap());
    }
    all
}

#[test]
fn frames_are_the_golden_ones() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden");
    let mut written = Vec::new();
    for (name, frame) in golden() {
        let file = folder.join(format!("{name}.bin"));
        match fs::read(&file) {
            Ok(expected) => assert_eq!(
                String::from_utf8_lossy(&frame),
                String::from_utf8_lossy(&expected),
                "{name}"
            ),
            Err(_) => {
                fs::write(&file, frame).unwrap();
                written.push(name);
            }
        }
    }
    assert!(
        written.is_empty(),
        "these golden frames were missing and are written now: {written:?}"
    );
}

#[test]
fn golden_frames_are_read_back() {
    for (name, bytes) in golden() {
        let decoded = decode(&bytes);
        let [Decoded::Frame(Frame { kind, call, payload })] = &decoded[..] else {
            panic!("{name}: {decoded:?}");
        };
        assert_eq!(frame::encode(*kind, *call, payload), bytes, "{name}");
    }
}

#[test]
fn calls_are_the_json_they_say() {
    let frames = golden();
    let payload = |name: &str| frames.iter().find(|it| it.0 == name).unwrap().1[9..].to_vec();
    let event: Value = serde_json::from_slice(&payload("event")).unwrap();
    assert_eq!(event["event"]["data"]["name"], "Jörg");
    assert_eq!(event["context"]["trigger"], json!({"kind": "event", "name": "on \"order\""}));
    assert_eq!(event["context"]["deadlineMs"], json!(1_795_000_030_000_u64));
    assert!(event["context"].get("isReplay").is_none() && event["context"].get("batch").is_none());
    let replay: Value = serde_json::from_slice(&payload("event_replay")).unwrap();
    assert_eq!(replay["context"]["isReplay"], json!(true));
    assert_eq!(replay["context"]["isTestRun"], json!(true));
    assert_eq!(replay["event"]["replayof"], json!(EventId::from_u64(5).to_string()));
    let batch: Value = serde_json::from_slice(&payload("event_batch")).unwrap();
    assert_eq!(batch["context"]["batch"], json!({"size": 2}));
    assert_eq!(batch["events"][0], event["event"]);
    assert_eq!(batch["events"][1]["data"], json!({"total": 3}));
    let request = payload("request");
    let (length, rest) = request.split_first_chunk::<4>().unwrap();
    let (head, body) = rest.split_at(u32::from_le_bytes(*length) as usize);
    let head: Value = serde_json::from_slice(head).unwrap();
    assert_eq!(head["request"]["url"], "http://localhost:8090/api/users/7?full=1");
    assert_eq!(head["request"]["headers"][0], json!(["content-type", "text/plain"]));
    assert_eq!(head["request"]["params"], json!({"id": "7"}));
    assert!(head["context"].get("user").is_none());
    assert_eq!(body, b"the body");
    let request = payload("request_user");
    let (length, rest) = request.split_first_chunk::<4>().unwrap();
    let (head, _) = rest.split_at(u32::from_le_bytes(*length) as usize);
    let head: Value = serde_json::from_slice(head).unwrap();
    assert_eq!(head["context"]["user"], serde_json::to_value(user()).unwrap());
}

#[test]
fn a_batch_is_a_replay_if_all_of_its_events_are() {
    let repeated = |of: u64| Arc::new(Event { replay_of: Some(EventId::from_u64(of)), ..event() });
    let marked = |events: Vec<Arc<Event>>| {
        let payload = numbered(&call_with(Input::Batch(events))).split_off(9);
        let frame: Value = serde_json::from_slice(&payload).unwrap();
        frame["context"]["isReplay"] == json!(true)
    };
    assert!(marked(vec![repeated(1), repeated(2)]));
    assert!(!marked(vec![repeated(1), Arc::new(event())]));
    assert!(!marked(Vec::new()));
}

#[test]
fn messages_of_workers_are_understood() {
    let frames = golden();
    let payload = |name: &str| frames.iter().find(|it| it.0 == name).unwrap().1[9..].to_vec();
    let hello: Hello = serde_json::from_slice(&payload("hello")).unwrap();
    assert_eq!((hello.protocol, hello.runtime.as_str()), (1, "node"));
    let failed: LoadFailed = serde_json::from_slice(&payload("load_failed")).unwrap();
    assert_eq!(failed.stack.as_deref(), Some("at x"));
    let thrown: Thrown = serde_json::from_slice(&payload("error")).unwrap();
    assert_eq!((thrown.retry, thrown.retry_after_ms), (Some(false), Some(1_500)));
    let bare: Thrown = serde_json::from_str(r#"{"message":"x","new":1}"#).unwrap();
    assert_eq!((bare.message.as_str(), bare.class), ("x", None));
}

#[test]
fn many_frames_of_one_read_come_one_by_one() {
    let bytes: Vec<u8> = golden().into_iter().flat_map(|(_, frame)| frame).collect();
    let mut decoder = Decoder::default();
    decoder.buffer().extend_from_slice(&bytes);
    let mut count = 0;
    while let Some(decoded) = decoder.decode().unwrap() {
        assert!(matches!(decoded, Decoded::Frame(_)));
        count += 1;
    }
    assert_eq!(count, golden().len());
}

#[test]
fn what_is_too_large_is_skipped_not_kept() {
    let mut bytes = frame::encode(Kind::Result, 9, &vec![b'1'; ANSWER_BYTES_MAX + 1]);
    bytes.extend(frame::encode(Kind::Loaded, 0, &[]));
    let mut decoder = Decoder::default();
    let mut seen = Vec::new();
    for piece in bytes.chunks(100_000) {
        decoder.buffer().extend_from_slice(piece);
        while let Some(decoded) = decoder.decode().unwrap() {
            seen.push(decoded);
        }
    }
    let length = ANSWER_BYTES_MAX + 1;
    assert_eq!(seen[0], Decoded::Oversized { kind: Kind::Result, call: 9, length });
    assert!(matches!(&seen[1], Decoded::Frame(Frame { kind: Kind::Loaded, .. })));
}

#[test]
fn garbage_is_an_error() {
    let table: [(&[u8], FrameError); 3] = [
        (&[5, 0, 0, 0, 0xff, 0, 0, 0, 0], FrameError::Kind(0xff)),
        (&[4, 0, 0, 0, 0x84, 0, 0, 0, 0], FrameError::Length(4)),
        (&[0, 0, 0, 0x80, 0x84, 0, 0, 0, 0], FrameError::Length(0x8000_0000)),
    ];
    for (bytes, expected) in table {
        let mut decoder = Decoder::default();
        decoder.buffer().extend_from_slice(bytes);
        assert_eq!(decoder.decode(), Err(expected));
    }
}
