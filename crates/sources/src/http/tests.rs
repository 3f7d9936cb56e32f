use std::sync::Arc;

use evoke_model::trigger::{Owner, Target};
use evoke_model::{Policy, Timestamp, Trigger, TriggerId};
use evoke_ports::{Claim, HttpCall, HttpIntake, Identify, Received, Source, Unidentified, User};
use http::Method;
use http::header::AUTHORIZATION;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{HttpSource, conflicts};

fn source() -> HttpSource {
    HttpSource::new(Arc::new(Ada))
}

/// Knows one user by her name.
struct Ada;

impl Identify for Ada {
    fn identify(&self, token: &str, _now: Timestamp) -> Result<User, Unidentified> {
        if token != "ada" {
            return Err(Unidentified("the token is forged".to_owned()));
        }
        Ok(User {
            id: "usr_1".to_owned(),
            email: None,
            email_verified: false,
            roles: vec!["editor".to_owned()],
            issuer: None,
        })
    }
}

fn trigger(id: u64, path: &str, methods: &[&str]) -> Arc<Trigger> {
    let mut config = json!({ "path": path });
    if !methods.is_empty() {
        config["methods"] = json!(methods);
    }
    Arc::new(Trigger {
        id: TriggerId::from_u64(id),
        name: format!("t{id}"),
        kind: "http".to_owned(),
        config: source().check(&config).unwrap(),
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
    let intake = source().intake().unwrap();
    intake.rebuild(triggers);
    intake
}

/// `7 id=3` for trigger 7 with a parameter, `405 GET`, or `404`.
fn ask(intake: &Arc<dyn HttpIntake>, method: Method, path: &str) -> String {
    match intake.claim(&method, path) {
        Claim::None => "404".to_owned(),
        Claim::MethodNotAllowed { allow } => {
            let allow: Vec<&str> = allow.iter().map(Method::as_str).collect();
            format!("405 {}", allow.join(","))
        }
        Claim::Trigger { id, params } => {
            let params = params.iter().map(|(name, value)| format!(" {name}={value}"));
            format!("{}{}", id.as_u64(), params.collect::<String>())
        }
    }
}

#[test]
fn the_most_exact_route_has_the_request() {
    let intake = intake(&[
        trigger(1, "/users/{id}", &[]),
        trigger(2, "/users/me", &["GET"]),
        trigger(3, "/users/{id}/posts/{post}", &["GET"]),
        trigger(4, "/files/{path...}", &["GET"]),
        trigger(5, "/", &["GET"]),
        trigger(6, "/files/special/{x}", &["PUT"]),
        trigger(7, "/{app...}", &["DELETE"]),
        trigger(8, "/a%20b/ü", &["GET"]),
    ]);
    for (method, path, expected) in [
        (Method::GET, "/users/7", "1 id=7"),
        (Method::GET, "/users/me", "2"),
        (Method::POST, "/users/me", "1 id=me"),
        (Method::HEAD, "/users/me", "2"),
        (Method::GET, "/users/a%2Fb%20c", "1 id=a/b c"),
        (Method::GET, "/users/%ff%zz", "1 id=\u{fffd}%zz"),
        (Method::GET, "/users/", "405 DELETE"),
        (Method::GET, "/users/1/posts/2", "3 id=1 post=2"),
        (Method::POST, "/users/1/posts/2", "405 GET,HEAD,DELETE"),
        (Method::GET, "/files/a/b%20c/", "4 path=a/b c/"),
        (Method::GET, "/files/special/1", "4 path=special/1"),
        (Method::PUT, "/files/special/1", "6 x=1"),
        (Method::GET, "/", "5"),
        (Method::DELETE, "/x/y", "7 app=x/y"),
        (Method::GET, "/a%20b/%C3%BC", "8"),
        (Method::DELETE, "/webhooks/x", "404"),
        (Method::DELETE, "/%77ebhooks/x", "404"),
        (Method::DELETE, "/api/v1/webhook/x", "404"),
        (Method::DELETE, "/api/webhook/x", "404"),
        (Method::DELETE, "/api/webhookx", "7 app=api/webhookx"),
        (Method::OPTIONS, "*", "404"),
        (Method::GET, "", "404"),
    ] {
        assert_eq!(ask(&intake, method.clone(), path), expected, "{method} {path}");
    }
}

#[test]
fn a_sample_is_a_request_the_route_has() {
    let source = source();
    for (path, methods, expected) in [
        ("/api/users/{id}", &[][..], "GET /api/users/1"),
        ("/api/users/{id}", &["POST", "GET"], "GET /api/users/1"),
        ("/a b/ü/{rest...}", &["PUT", "DELETE"], "PUT /a%20b/%C3%BC/1"),
        ("/", &["DELETE"], "DELETE /"),
    ] {
        let path = path.replace(' ', "%20");
        let trigger = trigger(7, &path, methods);
        let sample = source.sample("route", &trigger.config).unwrap();
        let text = |name: &str| sample.data[name].as_str().unwrap().to_owned();
        assert_eq!(format!("{} {}", text("method"), text("path")), expected);
        assert_eq!(sample.data["body"].is_object(), text("method") == "PUT", "{expected}");
        let claim = ask(&intake(&[trigger]), text("method").parse().unwrap(), &text("path"));
        assert!(claim.starts_with('7'), "{expected}: {claim}");
    }
}

#[test]
fn a_new_table_forgets_the_old_one() {
    let intake = intake(&[trigger(1, "/a", &[])]);
    assert_eq!(ask(&intake, Method::GET, "/a"), "1");
    intake.rebuild(&[trigger(2, "/b", &[])]);
    assert_eq!(ask(&intake, Method::GET, "/a"), "404");
    assert_eq!(ask(&intake, Method::GET, "/b"), "2");
}

#[test]
fn of_two_that_want_the_same_the_older_has_it_and_the_conflict_is_told() {
    let triggers = [
        trigger(9, "/a/{other}", &["GET", "PUT"]),
        trigger(3, "/a/{id}", &["GET", "POST"]),
        trigger(5, "/a/b", &["GET"]),
    ];
    let found = conflicts(&triggers);
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].winner.as_u64(), found[0].loser.as_u64()), (3, 9));
    assert_eq!(found[0].methods, [Method::GET, Method::HEAD]);
    let intake = intake(&triggers);
    assert_eq!(ask(&intake, Method::GET, "/a/1"), "3 id=1");
    assert_eq!(ask(&intake, Method::PUT, "/a/1"), "9 other=1");
}

#[test]
fn configurations_are_made_canonical() {
    let check = |config: Value| source().check(&config).unwrap();
    let expected = json!({ "path": "/a", "methods": ["GET", "POST"] });
    assert_eq!(check(json!({ "path": "/a", "methods": ["get", "POST", "GET"] })), expected);
    assert_eq!(check(json!({ "path": "/a", "method": "*" })), json!({ "path": "/a" }));
    assert_eq!(check(json!({ "path": "/a", "auth": "none" })), json!({ "path": "/a" }));
    let expected = json!({ "path": "/a", "auth": "role:admin" });
    assert_eq!(check(json!({ "path": "/a", "auth": "role: admin" })), expected);
}

/// `call`, the id of the user who calls, or status, code and challenge of the refusal.
fn asked(rule: &str, authorization: Option<&str>) -> String {
    let mut route = (*trigger(1, "/x", &[])).clone();
    route.config["auth"] = rule.into();
    route.config = source().check(&route.config).unwrap();
    let headers = authorization.map(|value| (AUTHORIZATION, value.parse().unwrap()));
    let call = HttpCall {
        method: Method::GET,
        target: "/x".to_owned(),
        origin: "http://h:1".to_owned(),
        headers: headers.into_iter().collect(),
        params: Vec::new(),
        body: bytes::Bytes::new(),
        user: None,
    };
    let intake = intake(&[Arc::new(route)]);
    match intake.receive(TriggerId::from_u64(1), &call, Timestamp::EPOCH) {
        Received::Call => "call".to_owned(),
        Received::CallBy(user) => user.id,
        Received::Event(_) => "event".to_owned(),
        Received::Refused(denied) => {
            let code = denied.rejection.code;
            format!("{} {code} {}", code.status(), denied.challenge.unwrap_or_default())
        }
    }
}

#[test]
fn who_may_call_is_decided_before_the_function_is_called() {
    const NO_TOKEN: &str = "401 AU_002 Bearer";
    const BAD_TOKEN: &str = "401 AU_002 Bearer error=\"invalid_token\"";
    const NO_ROLE: &str = "403 AU_007 Bearer error=\"insufficient_scope\"";
    for (rule, authorization, expected) in [
        ("none", None, "call"),
        ("none", Some("Bearer eve"), "call"),
        ("optional", None, "call"),
        ("optional", Some("Basic YTpi"), "call"),
        ("optional", Some("Bearer ada"), "usr_1"),
        ("optional", Some("Bearer eve"), BAD_TOKEN),
        ("required", None, NO_TOKEN),
        ("required", Some("Basic YTpi"), NO_TOKEN),
        ("required", Some("bearer  ada"), "usr_1"),
        ("required", Some("Bearer"), BAD_TOKEN),
        ("required", Some("Bearer \u{e4}da"), BAD_TOKEN),
        ("required", Some("Bearer eve"), BAD_TOKEN),
        ("role:editor", Some("Bearer ada"), "usr_1"),
        ("role:admin", Some("Bearer ada"), NO_ROLE),
        ("role:admin", None, NO_TOKEN),
    ] {
        assert_eq!(asked(rule, authorization), expected, "{rule} {authorization:?}");
    }
}

#[test]
fn a_rule_of_another_release_does_not_open_a_route() {
    let mut route = (*trigger(1, "/x", &[])).clone();
    route.config["auth"] = "group:staff".into();
    assert_eq!(ask(&intake(&[Arc::new(route)]), Method::GET, "/x"), "404");
}

#[test]
fn mistakes_are_told_with_their_field() {
    for (config, field, word) in [
        (json!({}), "path", "missing"),
        (json!({ "path": "users" }), "path", "begin with /"),
        (json!({ "path": "/users/:id" }), "path", "{id}"),
        (json!({ "path": "/users/*" }), "path", "{rest...}"),
        (json!({ "path": "/u-{id}" }), "path", "whole segment"),
        (json!({ "path": "/{9}" }), "path", "letters"),
        (json!({ "path": "/{a}/{a}" }), "path", "twice"),
        (json!({ "path": "/{a...}/b" }), "path", "last"),
        (json!({ "path": "/a?b=1" }), "path", "query"),
        (json!({ "path": "/a", "methods": ["GTE"] }), "methods[0]", "GET"),
        (json!({ "path": "/a", "methods": [] }), "methods", "list"),
        (json!({ "path": "/a", "methds": [] }), "methds", "methods"),
        (json!({ "path": "/a", "auth": "requried" }), "auth", "role:NAME"),
        (json!({ "path": "/a", "auth": "role:" }), "auth", "role:NAME"),
        (json!({ "path": "/a", "auth": true }), "auth", "text"),
    ] {
        let problems = source().check(&config).unwrap_err();
        assert_eq!(problems[0].field, field, "{config}");
        assert!(problems[0].to_string().contains(word), "{config}: {}", problems[0]);
    }
}

#[test]
fn the_management_api_cannot_be_shadowed() {
    for path in [
        "/api/functions",
        "/api/functions/x",
        "/api/v1/events",
        "/api/triggers/{id}",
        "/health",
        "/health/{x}",
        "/metrics",
        "/openapi.json",
        "/docs",
        "/schemas/x",
        "/webhooks/stripe",
        "/api/v1/webhook/{id}",
        "/%61pi/events",
        "/api/dead-letters",
        "/api/kinds",
        "/api/v1/doctor",
        "/api/auth/me",
        "/.well-known/jwks.json",
    ] {
        let problems = source().check(&json!({ "path": path })).unwrap_err();
        assert!(problems[0].message.contains("shadow"), "{path}");
    }
    for path in [
        "/api/users/{id}",
        "/api/v1/users",
        "/api",
        "/healthy",
        "/{x}",
        "/app/events",
        "/.well-known/x",
    ] {
        assert!(source().check(&json!({ "path": path })).is_ok(), "{path}");
    }
}

proptest! {
    #[test]
    fn no_path_panics(pattern in "/[a-z{}.*:%/]{0,20}", path in ".{0,40}") {
        if let Ok(config) = source().check(&json!({ "path": pattern })) {
            let mut route = (*trigger(1, "/x", &[])).clone();
            route.config = config;
            let intake = intake(&[Arc::new(route)]);
            drop(intake.claim(&Method::GET, &path));
            drop(intake.claim(&Method::GET, &pattern));
        }
    }
}
