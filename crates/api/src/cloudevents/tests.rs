use evoke_model::Data;
use evoke_model::event::Attribute;
use http::{HeaderMap, HeaderName, HeaderValue};
use proptest::prelude::*;

use super::*;

const NOW: Timestamp = Timestamp::from_millis(1_795_000_000_000);

fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    pairs
        .iter()
        .map(|(name, value)| {
            let name = HeaderName::from_bytes(name.as_bytes()).expect("a name");
            (name, HeaderValue::from_bytes(value.as_bytes()).expect("a value"))
        })
        .collect()
}

fn post(content_type: &str, body: &str) -> Result<Vec<Draft>, Box<Rejection>> {
    let body = Bytes::copy_from_slice(body.as_bytes());
    parse(&headers(&[("content-type", content_type)]), &body, NOW)
}

fn plain(body: &str) -> Result<Vec<Draft>, Box<Rejection>> {
    post("application/json", body)
}

/// The problems as `field: message`.
fn problems(result: Result<Vec<Draft>, Box<Rejection>>) -> Vec<String> {
    let rejection = result.expect_err("a refusal");
    rejection.problems.iter().map(|p| format!("{}: {}", p.field, p.message)).collect()
}

#[test]
fn the_short_form_needs_only_a_type() {
    let drafts = plain(r#"{"type":"user.created","data":{"id": 7}}"#).expect("good");
    let expected = Draft {
        kind: "user.created".into(),
        data: Data::Json(Bytes::from_static(br#"{"id": 7}"#)),
        ..Draft::default()
    };
    assert_eq!(drafts, [expected]);
}

#[test]
fn the_short_form_may_say_everything_it_knows() {
    let body = r#"{"id":"a1","type":"t","source":"/s","subject":"x \"y\"","ordering_key":"k",
        "time":"2026-11-21T10:00:00.5+01:00","delay":"5m","data":null}"#;
    let draft = plain(body).expect("good").remove(0);
    assert_eq!(draft.id.as_deref(), Some("a1"));
    assert_eq!(draft.source.as_deref(), Some("/s"));
    assert_eq!(draft.subject.as_deref(), Some("x \"y\""));
    assert_eq!(draft.ordering_key.as_deref(), Some("k"));
    assert_eq!(draft.time.map(|t| t.to_string()).as_deref(), Some("2026-11-21T09:00:00.5Z"));
    assert_eq!(draft.due, Some(NOW.plus(evoke_model::Millis::from_secs(300))));
    assert_eq!(draft.data, Data::Json(Bytes::from_static(b"null")));
}

#[test]
fn a_delay_in_any_form_is_a_due_time() {
    let at = |body: &str| plain(body).expect("good").remove(0).due;
    let due = NOW.plus(evoke_model::Millis::from_secs(5));
    let in_5s = Some(due);
    assert_eq!(at(r#"{"type":"t","delay":5}"#), in_5s);
    assert_eq!(at(r#"{"type":"t","delay":"5000ms"}"#), in_5s);
    assert_eq!(at(r#"{"type":"t","delay":null}"#), None);
    assert_eq!(at(&format!(r#"{{"type":"t","deliver_at":"{}"}}"#, due)), in_5s);
}

#[test]
fn a_cloud_event_is_taken_under_each_json_media_type() {
    let event = r#"{"specversion":"1.0","id":"1","source":"/s","type":"t","datacontenttype":
        "application/json","comexample":"x","count":3,"flag":true,"unset":null,"subject":null,
        "orderingkey":"k","dataschema":"https://x/y","rootid":"evt_1","depth":9,
        "traceparent":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01","data":[1,2]}"#;
    for kind in [
        "application/json",
        "application/json; charset=utf-8",
        "application/cloudevents+json",
        "application/CloudEvents+JSON; charset=\"UTF-8\"",
    ] {
        let draft = post(kind, event).expect(kind).remove(0);
        assert_eq!(draft.id.as_deref(), Some("1"));
        assert_eq!(draft.subject, None);
        assert_eq!(draft.content_type, None);
        assert_eq!(draft.data_schema.as_deref(), Some("https://x/y"));
        assert_eq!(draft.ordering_key.as_deref(), Some("k"));
        assert!(draft.traceparent.is_some());
        assert_eq!(draft.data, Data::Json(Bytes::from_static(b"[1,2]")));
        let extensions = draft.extensions.expect("extensions");
        let expected = [
            ("comexample".into(), Attribute::Text("x".into())),
            ("count".into(), Attribute::Int(3)),
            ("flag".into(), Attribute::Bool(true)),
        ];
        assert_eq!(extensions.into_iter().collect::<Vec<_>>(), expected);
    }
    let batch = format!("[{event},{}]", event.replace("\"1\"", "\"2\""));
    assert_eq!(post("application/cloudevents-batch+json", &batch).expect("good").len(), 2);
    assert_eq!(plain(&batch).expect("good").len(), 2);
    assert_eq!(plain("[]").expect("good").len(), 0);
    assert_eq!(plain(&format!("[{event},{{\"type\":\"t\"}}]")).expect("good").len(), 2);
}

#[test]
fn data_is_json_text_or_bytes_as_the_sender_says() {
    let event = |rest: &str| {
        let body = format!(r#"{{"specversion":"1.0","id":"1","source":"/s","type":"t",{rest}}}"#);
        post("application/cloudevents+json", &body).expect(rest).remove(0).data
    };
    assert_eq!(event(r#""subject":"x""#), Data::None);
    assert_eq!(event(r#""data":"a\nb""#), Data::Json(Bytes::from_static(br#""a\nb""#)));
    let text = Data::Text(Bytes::from_static(b"a\nb"));
    assert_eq!(event(r#""data":"a\nb","datacontenttype":"text/plain""#), text);
    assert_eq!(event(r#""datacontenttype":"application/xml","data":"a\nb""#), text);
    let json = Data::Json(Bytes::from_static(b"{}"));
    assert_eq!(event(r#""datacontenttype":"application/x+json","data":{}"#), json);
    assert_eq!(event(r#""datacontenttype":"image/png","data":{}"#), json);
    let bytes = Data::Binary(Bytes::from_static(b"foo!"));
    assert_eq!(event(r#""data_base64":"Zm9vIQ==""#), bytes);
    assert_eq!(event(r#""data_base64":"Zm9vIQ","datacontenttype":"image/png""#), bytes);
}

#[test]
fn binary_mode_reads_the_headers() {
    let required = [("ce-specversion", "1.0"), ("ce-type", "t"), ("ce-source", "/s")];
    let send = |more: &[(&str, &str)], body: &'static [u8]| {
        let all: Vec<_> = required.iter().chain(more).copied().collect();
        parse(&headers(&all), &Bytes::from_static(body), NOW)
    };
    let draft = send(
        &[
            ("ce-id", "\"quo\\\"ted\""),
            ("ce-subject", "Euro%20%E2%82%AC%20%F0%9F%98%80 100%"),
            ("ce-comexample", "7"),
            ("ce-time", "2026-11-21T10:00:00Z"),
            ("ce-depth", "3"),
            ("content-type", "application/json"),
        ],
        br#"{"a":1}"#,
    )
    .expect("good")
    .remove(0);
    assert_eq!(draft.id.as_deref(), Some("quo\"ted"));
    assert_eq!(draft.subject.as_deref(), Some("Euro € 😀 100%"));
    assert_eq!(draft.data, Data::Json(Bytes::from_static(br#"{"a":1}"#)));
    assert_eq!(draft.content_type, None);
    let extensions = draft.extensions.expect("extensions");
    assert_eq!(extensions.get("comexample"), Some(&Attribute::Text("7".into())));
    assert_eq!(extensions.len(), 1);

    let data = |kind: &str, body| {
        send(&[("ce-id", "1"), ("content-type", kind)], body).expect("good").remove(0).data
    };
    assert_eq!(data("text/plain", b"hi"), Data::Text(Bytes::from_static(b"hi")));
    assert_eq!(data("text/plain", b"\xff"), Data::Binary(Bytes::from_static(b"\xff")));
    assert_eq!(data("image/png", b"hi"), Data::Binary(Bytes::from_static(b"hi")));
    assert_eq!(data("image/png", b""), Data::None);
    let untyped = |body| send(&[("ce-id", "1")], body).expect("good").remove(0).data;
    assert_eq!(untyped(b"[1]"), Data::Json(Bytes::from_static(b"[1]")));
    assert_eq!(untyped(b"hi"), Data::Text(Bytes::from_static(b"hi")));

    let bad = send(
        &[("ce-time", "noon"), ("ce-my-name", "x"), ("content-type", "application/json")],
        b"{",
    );
    let found = problems(bad);
    assert_eq!(found.len(), 4, "{found:?}");
    let twice = problems(send(&[("ce-id", "1"), ("ce-id", "2")], b""));
    assert_eq!(twice, ["ce-id: is given twice"]);
    let undecodable = problems(send(&[("ce-id", "%ff")], b""));
    assert_eq!(undecodable, ["ce-id: is not UTF-8 when decoded"]);
}

/// Bodies with what is wrong with them.
const WRONG: &[(&str, &[&str])] = &[
    (r#"{"data":1}"#, &["type: is required"]),
    (r#"{"type":""}"#, &["type: may not be empty"]),
    (r#"{"type":7}"#, &["type: expected a text, got a number"]),
    (r#"{"type":"a\u0007"}"#, &["type: contains a control character"]),
    (r#"{"type":"\ud800"}"#, &["type: contains half of a surrogate pair"]),
    (r#"{"type":"t","type":"u"}"#, &["type: is given twice"]),
    (r#"{"type":"t","tpye":"u"}"#, &["tpye: is not a field of an event"]),
    (
        r#"{"type":"t","data":"\ud83d"}"#,
        &["data: cannot be read: unexpected end of hex escape at line 1 column 8"],
    ),
    (
        r#"{"type":"t","delay":"soon"}"#,
        &["delay: expected a duration like 250ms, 30s, 5m, 2h or 7d"],
    ),
    (r#"{"type":"t","delay":"400d"}"#, &["delay: is longer than 366d"]),
    (
        r#"{"type":"t","deliver_at":"2999-01-01T00:00:00Z"}"#,
        &["deliver_at: is more than 366d away"],
    ),
    (
        r#"{"type":"t","delay":1,"deliver_at":"2026-01-01T00:00:00Z"}"#,
        &["delay: cannot stand beside deliver_at"],
    ),
    (
        r#"{"type":"t","specversion":1.0}"#,
        &["specversion: expected a text, got a number", "id: is required", "source: is required"],
    ),
    (
        r#"{"type":"t","specversion":"0.3","id":"1","source":"/s"}"#,
        &["specversion: \"0.3\" is not supported"],
    ),
    (
        r#"{"type":"t","specversion":"1.0","id":"1","source":"/s","myExt":"x"}"#,
        &["myExt: is not the name of an attribute"],
    ),
    (
        r#"{"type":"t","specversion":"1.0","id":"1","source":"/s","ext":1.5}"#,
        &["ext: expected a text up to 1,024 bytes, a boolean or a 32-bit integer"],
    ),
    (
        r#"{"type":"t","specversion":"1.0","id":"1","source":"/s","ext":{}}"#,
        &["ext: expected a text up to 1,024 bytes, a boolean or a 32-bit integer"],
    ),
    (
        r#"{"type":"t","specversion":"1.0","id":"1","source":"/s","datacontenttype":"json"}"#,
        &["datacontenttype: is not a media type"],
    ),
    (
        r#"{"type":"t","specversion":"1.0","id":"1","source":"/s","data":1,"data_base64":""}"#,
        &["data_base64: cannot stand beside data"],
    ),
    (
        r#"{"type":"t","specversion":"1.0","id":"1","source":"/s","data_base64":"?"}"#,
        &["data_base64: is not base64"],
    ),
    (
        r#"{"type":"t","specversion":"1.0","id":"1","source":"/s","delay":[]}"#,
        &["delay: expected a text up to 1,024 bytes, a boolean or a 32-bit integer"],
    ),
    (
        r#"[{"type":"t"},{"type":"t","time":"noon"},7]"#,
        &[
            "events[1].time: expected a time like 2026-12-01T09:00:00Z, got \"noon\"",
            "events[2]: expected an event, got a number",
        ],
    ),
    ("7", &[": expected an event, got a number"]),
    ("null", &[": expected an event, got null"]),
];

#[test]
fn what_is_missing_or_wrong_is_named() {
    let nested = |levels: usize| format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
    for (body, expected) in WRONG {
        assert_eq!(problems(plain(body)), *expected, "{body}");
    }
    let deep = format!(r#"{{"type":"t","data":{}}}"#, nested(128));
    assert_eq!(problems(plain(&deep)), ["data: is nested deeper than 128 levels"]);
    assert!(plain(&format!(r#"{{"type":"t","data":{}}}"#, nested(127))).is_ok());
    let long = format!(r#"{{"type":"{}"}}"#, "x".repeat(TEXT_BYTES_MAX + 1));
    assert_eq!(problems(plain(&long)), ["type: is longer than 1,024 bytes"]);
}

#[test]
fn a_slip_gets_the_nearest_name() {
    let suggestion = |body: &str| {
        plain(body).expect_err("a refusal").problems.remove(0).suggestion.unwrap_or_default()
    };
    assert_eq!(suggestion(r#"{"type":"t","soruce":"x"}"#), "did you mean \"source\"?");
    assert_eq!(suggestion(r#"{"typ":"t"}"#), "you wrote \"typ\"");
    assert_eq!(
        suggestion(r#"{"type":"t","dataschema":"x"}"#),
        "add \"specversion\": \"1.0\" to send a CloudEvent"
    );
}

#[test]
fn a_body_that_is_not_json_is_located() {
    let rejection = plain("{\"type\":\n \"t\",}").expect_err("a refusal");
    assert_eq!(rejection.code, Code::InvalidRequest);
    assert!(rejection.message.ends_with("at line 2 column 6"), "{}", rejection.message);
    assert_eq!(plain("").expect_err("a refusal").message, "The body is empty");
    assert!(plain(r#"{"type":"t"} x"#).is_err());
    let body = Bytes::from_static(b"{\"type\":\n\"\xff\"}");
    let rejection = parse(&HeaderMap::new(), &body, NOW).expect_err("a refusal");
    assert_eq!(rejection.message, "The body is not UTF-8: line 2 column 2");
}

#[test]
fn other_media_types_are_refused() {
    for kind in [
        "application/x-www-form-urlencoded",
        "application/cloudevents+avro",
        "application/json; charset=utf-16",
    ] {
        let rejection = post(kind, r#"{"type":"t"}"#).expect_err(kind);
        assert_eq!(rejection.code, Code::MediaType, "{kind}");
    }
    let structured = post("application/cloudevents+json", r#"[{"type":"t"}]"#);
    assert_eq!(problems(structured), [": expected one event, got an array"]);
    let batch = post("application/cloudevents-batch+json", r#"{"type":"t"}"#);
    assert_eq!(problems(batch), [": expected an array of events"]);
}

#[test]
fn too_many_events_are_refused_and_so_are_too_many_problems_listed() {
    let many = |event: &str, count: usize| format!("[{}]", vec![event; count].join(","));
    assert_eq!(plain(&many(r#"{"type":"t"}"#, EVENTS_MAX)).expect("good").len(), EVENTS_MAX);
    let found = problems(plain(&many(r#"{"type":"t"}"#, EVENTS_MAX + 1)));
    assert_eq!(found, ["events: at most 10000 events in one request, got 10001"]);
    assert_eq!(problems(plain(&many("{}", 5_000))).len(), 101);
}

/// JSON near to what events look like, so that many are good and many nearly are.
fn member() -> impl Strategy<Value = String> {
    let name = prop::sample::select(vec![
        "type",
        "source",
        "subject",
        "id",
        "specversion",
        "time",
        "data",
        "data_base64",
        "delay",
        "deliver_at",
        "ordering_key",
        "orderingkey",
        "datacontenttype",
        "dataschema",
        "ext",
        "rootid",
        "bad_name",
        "traceparent",
    ]);
    let value = prop_oneof![
        prop::sample::select(vec![
            "\"1.0\"",
            "\"t\"",
            "\"\"",
            "null",
            "7",
            "-1",
            "1e999",
            "true",
            "[]",
            "{\"a\":[1]}",
            "\"2026-11-21T10:00:00Z\"",
            "\"5m\"",
            "\"text/plain\"",
            "\"Zm8=\"",
            "\"\\ud800\"",
            "\"\\u00e9\"",
            "\"\\u0001\"",
        ])
        .prop_map(str::to_owned),
        "[a-z]{1,8}".prop_map(|text| format!("\"{text}\"")),
    ];
    (name, value).prop_map(|(name, value)| format!("\"{name}\":{value}"))
}

fn event() -> impl Strategy<Value = String> {
    prop::collection::vec(member(), 0..7).prop_map(|members| format!("{{{}}}", members.join(",")))
}

proptest! {
    #[test]
    fn a_refusal_always_says_which_field(body in event(), is_batch: bool, kind in 0..3_usize) {
        let kinds = [
            "application/json",
            "application/cloudevents+json",
            "application/cloudevents-batch+json",
        ];
        let body = if is_batch { format!("[{body},{{\"type\":\"t\"}}]") } else { body };
        if let Err(rejection) = post(kinds[kind], &body) {
            prop_assert!(!rejection.problems.is_empty());
            for problem in &rejection.problems {
                prop_assert!(!problem.message.contains("breaks a rule"), "{body}: {problem}");
            }
        }
    }

    #[test]
    fn no_bytes_make_the_reader_fall_over(body: Vec<u8>, kind in 0..4_usize) {
        let kinds = [
            ("content-type", "application/json"),
            ("content-type", "application/cloudevents+json"),
            ("content-type", "application/cloudevents-batch+json"),
            ("ce-id", "1"),
        ];
        if let Err(rejection) = parse(&headers(&[kinds[kind]]), &Bytes::from(body), NOW) {
            prop_assert!(!rejection.problems.is_empty());
        }
    }

    #[test]
    fn what_an_event_prints_is_read_back(
        kind in "[a-z.]{1,20}", source in "[^\\p{C}]{1,30}", subject in "[^\\p{C}]{1,30}",
    ) {
        let event = evoke_model::Event {
            id: evoke_model::EventId::from_u64(7),
            sender_id: Some("abc".into()),
            source: source.into(),
            kind: kind.into(),
            subject: Some(subject.into()),
            time: NOW,
            content_type: None,
            data_schema: None,
            data: Data::Json(Bytes::from_static(b"{\"a\":1}")),
            extensions: None,
            lineage: None,
            traceparent: None,
            ordering_key: None,
            due: None,
            is_test_run: false,
            replay_of: None,
        };
        let mut text = Vec::new();
        event.write_json(&mut text);
        let draft = parse(&HeaderMap::new(), &Bytes::from(text), NOW).expect("good").remove(0);
        prop_assert_eq!(draft.source.as_ref(), Some(&event.source));
        prop_assert_eq!(&draft.kind, &event.kind);
        prop_assert_eq!(&draft.subject, &event.subject);
        prop_assert_eq!(draft.time, Some(NOW));
        prop_assert_eq!(&draft.data, &event.data);
    }
}
