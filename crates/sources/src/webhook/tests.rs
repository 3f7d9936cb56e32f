use std::sync::Arc;

use evoke_model::trigger::{Owner, Target};
use evoke_model::{Code, Policy, Timestamp, Trigger, TriggerId};
use evoke_ports::{Arrived, Claim, Denied, HttpCall, HttpIntake, Received, Source};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::WebhookSource;

const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

pub(super) fn trigger(id: u64, name: &str, config: Value) -> Arc<Trigger> {
    Arc::new(Trigger {
        id: TriggerId::from_u64(id),
        name: name.to_owned(),
        kind: "webhook".to_owned(),
        config,
        target: Target::function("f"),
        policy: Policy::default(),
        enabled: true,
        owner: Owner::Api,
        created_at: Timestamp::EPOCH,
        updated_at: Timestamp::EPOCH,
        updated_by: None,
        deleted_at: None,
    })
}

fn intake(triggers: &[Arc<Trigger>]) -> Arc<dyn HttpIntake> {
    let intake = WebhookSource::new().intake().unwrap();
    intake.rebuild(triggers);
    intake
}

fn call(target: &str, headers: &[(&str, &[u8])], body: &[u8]) -> HttpCall {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        let name: HeaderName = name.parse().unwrap();
        map.append(name, HeaderValue::from_bytes(value).unwrap());
    }
    HttpCall {
        method: Method::POST,
        target: target.to_owned(),
        origin: "http://h:1".to_owned(),
        headers: map,
        params: Vec::new(),
        body: body.to_vec().into(),
        user: None,
    }
}

/// What a webhook of this configuration makes of a request.
fn received(config: Value, headers: &[(&str, &[u8])], body: &[u8]) -> Result<Arrived, Denied> {
    let intake = intake(&[trigger(7, "hook", config)]);
    match intake.receive(TriggerId::from_u64(7), &call("/webhooks/hook", headers, body), NOW) {
        Received::Event(arrived) => Ok(*arrived),
        Received::Refused(denied) => Err(*denied),
        Received::Call | Received::CallBy(_) => panic!("a webhook is never a call"),
    }
}

fn ask(intake: &Arc<dyn HttpIntake>, method: Method, path: &str) -> String {
    match intake.claim(&method, path) {
        Claim::None => "404".to_owned(),
        Claim::MethodNotAllowed { allow } => {
            let allow: Vec<&str> = allow.iter().map(Method::as_str).collect();
            format!("405 {}", allow.join(","))
        }
        Claim::Trigger { id, .. } => id.as_u64().to_string(),
    }
}

#[test]
fn a_webhook_is_reached_by_its_id_its_path_and_its_name() {
    let both = json!({ "path": "/webhooks/shop/a%20b", "methods": ["POST", "PUT"] });
    let intake = intake(&[
        trigger(1, "stripe", json!({})),
        trigger(2, "orders", both),
        trigger(3, "other", json!({ "path": "/webhooks/stripe", "method": "get" })),
        trigger(4, "a b/c", json!({})),
        trigger(5, "stripe", json!({ "methods": ["DELETE"] })),
        trigger(6, "waits", json!({ "verification": { "type": "github", "secret": "${X}" } })),
    ]);
    let id = |id: u64| TriggerId::from_u64(id).to_string();
    for (method, path, expected) in [
        (Method::POST, format!("/webhooks/{}", id(1)), "1"),
        (Method::GET, format!("/webhooks/{}", id(1)), "405 POST"),
        (Method::POST, format!("/api/v1/webhook/{}", id(1)), "1"),
        (Method::POST, format!("/api/webhook/{}", id(1)), "1"),
        (Method::POST, format!("/api/webhooks/{}", id(1)), "404"),
        (Method::POST, format!("/webhooks/{}", id(99)), "404"),
        (Method::POST, "/webhooks/stripe".to_owned(), "1"),
        (Method::GET, "/webhooks/stripe".to_owned(), "3"),
        (Method::DELETE, "/webhooks/stripe".to_owned(), "5"),
        (Method::PUT, "/webhooks/stripe".to_owned(), "405 GET,POST,DELETE"),
        (Method::PUT, "/webhooks/shop/a%20b".to_owned(), "2"),
        (Method::PUT, "/webhooks/shop/%61%20b".to_owned(), "2"),
        (Method::PUT, "/webhooks/shop".to_owned(), "404"),
        (Method::PUT, "/api/webhook/shop/a%20b".to_owned(), "404"),
        (Method::POST, "/webhooks/a%20b%2Fc".to_owned(), "4"),
        (Method::POST, "/webhooks/waits".to_owned(), "6"),
        (Method::POST, "/webhooks/".to_owned(), "404"),
        (Method::POST, "/webhooks".to_owned(), "404"),
        (Method::POST, "/webhooksx/stripe".to_owned(), "404"),
        (Method::POST, String::new(), "404"),
    ] {
        assert_eq!(ask(&intake, method.clone(), &path), expected, "{method} {path}");
    }
}

#[test]
fn a_path_and_a_method_belong_to_one_webhook() {
    let intake = intake(&[
        trigger(1, "a", json!({ "path": "/webhooks/x", "methods": ["POST"] })),
        trigger(2, "b", json!({ "path": "/webhooks/x", "methods": ["GET"] })),
    ]);
    let rival = |path: &str, methods: &[&str], own: Option<u64>| {
        let config = json!({ "path": path, "methods": methods });
        intake.rival(&config, own.map(TriggerId::from_u64)).map(TriggerId::as_u64)
    };
    assert_eq!(rival("/webhooks/x", &["PUT", "GET"], None), Some(2));
    assert_eq!(rival("/webhooks/%78", &["POST"], None), Some(1));
    assert_eq!(rival("/webhooks/x", &["POST"], Some(1)), None);
    assert_eq!(rival("/webhooks/x", &["PUT"], None), None);
    assert_eq!(rival("/webhooks/y", &["POST"], None), None);
    assert_eq!(intake.rival(&json!({ "methods": ["POST"] }), None), None);
}

#[test]
fn configurations_are_made_canonical() {
    let check = |config: Value| WebhookSource::new().check(&config).unwrap();
    let open = json!({ "methods": ["POST"], "verification": { "type": "none" } });
    assert_eq!(check(json!({})), open);
    assert_eq!(check(Value::Null), open);
    let alyx = json!({
        "path": "/webhooks/a", "methods": ["post"], "verification": {
            "type": "hmac_sha256", "header": "X-Sig", "secret": "s", "skip_invalid": true,
        },
    });
    let expected = json!({
        "path": "/webhooks/a", "methods": ["POST"], "skip_invalid": true,
        "verification": { "type": "hmac-sha256", "header": "X-Sig", "secret": "s" },
    });
    assert_eq!(check(alyx), expected);
    let several = json!({ "verification": { "type": "stripe", "secrets": ["a", "b"] } });
    assert_eq!(check(several)["verification"]["secret"], json!(["a", "b"]));
}

#[test]
fn mistakes_are_told_with_their_field() {
    let github = |field: &str, value: Value| {
        let mut config = json!({ "verification": { "type": "github", "secret": "s" } });
        config[field] = value;
        config
    };
    for (config, field, word) in [
        (json!({ "path": "/hooks/a" }), "path", "/webhooks/hooks/a"),
        (json!({ "path": "/webhooks/" }), "path", "empty segment"),
        (json!({ "path": "/webhooks/{id}" }), "path", "parameters"),
        (json!({ "path": "/webhooks/a?b" }), "path", "query"),
        (json!({ "path": 7 }), "path", "text"),
        (json!({ "methods": ["PSOT"] }), "methods[0]", "POST"),
        (json!({ "verification": "github" }), "verification", "object"),
        (json!({ "verification": { "type": "github" } }), "verification.secret", "missing"),
        (json!({ "verfication": {} }), "verfication", "verification"),
        (github("skip_invalid", json!("yes")), "skip_invalid", "bool"),
        (github("schema", json!("./a.json")), "schema", "manifests"),
        (github("schema", json!({ "type": "x" })), "schema", "x"),
        (github("delivery_id", json!("a b")), "delivery_id", "header"),
        (
            json!({
                "skip_invalid": false, "verification": { "type": "none", "skip_invalid": true },
            }),
            "verification.skip_invalid",
            "something else",
        ),
    ] {
        let problems = WebhookSource::new().check(&config).unwrap_err();
        assert_eq!(problems[0].field, field, "{config}");
        assert!(problems[0].to_string().contains(word), "{config}: {}", problems[0]);
    }
}

#[test]
fn what_is_not_verified_is_refused_or_marked() {
    let basic = |skip: bool| {
        json!({
            "skip_invalid": skip, "delivery_id": "x-id",
            "verification": { "type": "basic", "username": "u", "password": ["p", "q"] },
        })
    };
    let denied = received(basic(false), &[], b"{}").unwrap_err();
    assert_eq!(denied.rejection.code, Code::WebhookRefused);
    assert_eq!(denied.rejection.code.status(), 401);
    assert!(denied.challenge.is_some_and(|challenge| challenge.starts_with("Basic")));
    // u:q
    let headers: [(&str, &[u8]); 2] = [("authorization", b"Basic dTpx"), ("x-id", b"d-1")];
    let arrived = received(basic(false), &headers, b"{}").unwrap();
    assert_eq!((arrived.id.as_deref(), arrived.kind.as_str()), (Some("d-1"), "webhook.hook"));
    let data = arrived.data.to_value();
    assert_eq!(data["verified"], true);
    assert_eq!(data["headers"], json!({ "x-id": "d-1" }), "credentials are not kept");
    // A stranger may not use up the id of a delivery.
    let headers: [(&str, &[u8]); 2] = [("authorization", b"Basic dTp4"), ("x-id", b"d-1")];
    assert!(received(basic(false), &headers, b"{}").is_err());
    let marked = received(basic(true), &headers, b"{}").unwrap();
    assert_eq!((marked.id, &marked.data.to_value()["verified"]), (None, &json!(false)));
}

#[test]
fn a_webhook_without_verification_passes_everything_on() {
    let headers: [(&str, &[u8]); 3] =
        [("authorization", b"Bearer x"), ("X-Two", b"a"), ("x-two", b"b")];
    let arrived = received(json!({}), &headers, b"a\xff").unwrap();
    let expected = json!({
        "method": "POST", "path": "/webhooks/hook", "query": {}, "verified": false,
        "headers": { "authorization": "Bearer x", "x-two": "a, b" },
        "body": "Yf8=", "body_encoding": "base64",
        "webhook_id": TriggerId::from_u64(7).to_string(),
    });
    assert_eq!(arrived.data.to_value(), expected);
    assert_eq!(arrived.id, None);
}

#[test]
fn the_body_is_kept_byte_for_byte_and_read_where_it_is_json() {
    for (body, json) in [
        ("{\"a\":  1,\r\n\"b\": \"\u{fc}\\u0000\"}", Some(json!({ "a": 1, "b": "\u{fc}\u{0}" }))),
        ("", None),
        ("a=1&b=2", None),
        (" 7 ", Some(json!(7))),
        ("\u{0}\u{1f}\"\\\u{7f}\u{2028}", None),
    ] {
        let data = received(json!({}), &[], body.as_bytes()).unwrap().data.to_value();
        assert_eq!(data["body"], body);
        assert_eq!(data.get("json"), json.as_ref(), "{body}");
    }
    let intake = intake(&[trigger(7, "hook", json!({}))]);
    let call = call("/webhooks/hook?a=1&a=2&b=x+y%20z&c&%zz=%ff&&=e", &[], b"");
    let Received::Event(arrived) = intake.receive(TriggerId::from_u64(7), &call, NOW) else {
        panic!("no event");
    };
    let query = &arrived.data.to_value()["query"];
    let expected = json!({ "a": ["1", "2"], "b": "x y z", "c": "", "%zz": "\u{fffd}", "": "e" });
    assert_eq!(query, &expected);
}

#[test]
fn a_body_that_breaks_the_schema_is_refused_with_everything_wrong() {
    let config =
        json!({ "schema": { "required": ["a"], "properties": { "b": { "type": "string" } } } });
    let denied = received(config.clone(), &[], b"{\"b\": 1}").unwrap_err();
    assert_eq!(denied.rejection.code, Code::PayloadInvalid);
    let mut fields: Vec<&str> =
        denied.rejection.problems.iter().map(|problem| problem.field.as_str()).collect();
    fields.sort_unstable();
    assert_eq!(fields, ["", "/b"]);
    assert!(received(config.clone(), &[], b"{\"a\": 1}").is_ok());
    for body in [&b"a=1"[..], b"", b"\xff"] {
        let denied = received(config.clone(), &[], body).unwrap_err();
        assert!(denied.rejection.message.contains("no JSON"), "{}", denied.rejection);
    }
}

#[test]
fn ids_of_deliveries_have_a_form() {
    let config = json!({ "delivery_id": "X-Delivery" });
    let id = |headers: &[(&str, &[u8])]| {
        received(config.clone(), headers, b"").map(|arrived| arrived.id).map_err(|denied| {
            assert_eq!(denied.rejection.code, Code::InvalidRequest);
        })
    };
    assert_eq!(id(&[("x-delivery", b"7")]), Ok(Some("7".to_owned())));
    assert_eq!(id(&[]), Ok(None));
    assert_eq!(id(&[("x-delivery", b"")]), Ok(None));
    assert_eq!(id(&[("x-delivery", b"1"), ("x-delivery", b"2")]), Err(()));
    assert_eq!(id(&[("x-delivery", b"\xff")]), Err(()));
    assert_eq!(id(&[("x-delivery", &[b'x'; 1_025])]), Err(()));
}

#[test]
fn a_webhook_whose_secret_is_not_filled_in_lets_nobody_in() {
    let config = json!({ "verification": { "type": "gitlab", "secret": "${secrets.GITLAB}" } });
    let literal: [(&str, &[u8]); 1] = [("x-gitlab-token", b"${secrets.GITLAB}")];
    let denied = received(config, &literal, b"{}").unwrap_err();
    assert_eq!(denied.rejection.code, Code::Starting);
    assert!(denied.rejection.retry_after.is_some());
    let gone = intake(&[]).receive(TriggerId::from_u64(7), &call("/x", &[], b""), NOW);
    let Received::Refused(denied) = gone else { panic!("{gone:?}") };
    assert_eq!(denied.rejection.code, Code::TriggerNotFound);
}

#[test]
fn a_sample_is_what_the_webhook_would_make() {
    let source = WebhookSource::new();
    let config = json!({
        "path": "/webhooks/a", "verification": { "type": "github", "secret": "s" },
        "schema": { "examples": [{ "total": 7 }] },
    });
    let sample = source.sample("hook", &config).unwrap();
    assert_eq!(sample.kind, "webhook.hook");
    assert_eq!(sample.data["json"], json!({ "total": 7 }));
    assert_eq!(sample.data["verified"], true);
    assert_eq!(sample.data["path"], "/webhooks/a");
    assert_eq!(source.sample("hook", &json!({})).unwrap().data["path"], "/webhooks/hook");
}

proptest! {
    #[test]
    fn nothing_that_comes_in_panics(
        path in "/(webhooks|api/webhook)?/?.{0,20}",
        query in ".{0,20}",
        body in proptest::collection::vec(any::<u8>(), 0..60),
        value in proptest::collection::vec(0x20_u8..0x7f, 0..20),
    ) {
        let hooks = [
            json!({ "schema": { "type": "object" }, "delivery_id": "x" }),
            json!({ "verification": { "type": "stripe", "secret": "s" }, "skip_invalid": true }),
            json!({ "verification": { "type": "twilio", "secret": "s" } }),
        ];
        let triggers: Vec<_> =
            hooks.into_iter().zip(1..).map(|(hook, id)| trigger(id, "x", hook)).collect();
        let intake = intake(&triggers);
        drop(intake.claim(&Method::POST, &path));
        let headers: [(&str, &[u8]); 3] =
            [("x", &value), ("stripe-signature", &value), ("x-twilio-signature", &value)];
        let call = call(&format!("{path}?{query}"), &headers, &body);
        for id in 0..5 {
            match intake.receive(TriggerId::from_u64(id), &call, NOW) {
                Received::Event(arrived) => prop_assert!(arrived.data.to_value().is_object()),
                Received::Refused(_) => {}
                Received::Call | Received::CallBy(_) => prop_assert!(false),
            }
        }
    }
}
