use evoke_matching::{Pattern, Separator};
use evoke_ports::Source;
use serde_json::{Value, json};

use super::AuthSource;

fn kinds(config: &Value) -> Option<String> {
    let source = AuthSource::new();
    source.subscription(&source.check(config).ok()?)?.kind
}

#[test]
fn each_way_to_say_an_action_means_the_same() {
    for config in [
        json!({ "events": ["signup", "login"] }),
        json!({ "events": ["onLogin", "onUserCreate", "login"] }),
        json!({ "action": ["login", "signup"] }),
    ] {
        assert_eq!(kinds(&config).as_deref(), Some("auth.signup|auth.login"), "{config}");
    }
    assert_eq!(kinds(&json!({ "event": "onUserCreate" })).as_deref(), Some("auth.signup"));
    let all = kinds(&json!({})).unwrap();
    assert_eq!(all.split('|').count(), 5);
    assert_eq!(kinds(&json!({ "events": "*" })), Some(all.clone()));
    let pattern = Pattern::parse(&all, Separator::Dot).unwrap();
    assert!(pattern.matches("auth.email_verify") && !pattern.matches("rejected.auth.signup"));
}

#[test]
fn mistakes_are_told_with_their_field() {
    for (config, field, hint) in [
        (json!({ "events": ["signup", "singup"] }), "events[1]", "signup"),
        (json!({ "event": "onUserCreated" }), "event", "onUserCreate"),
        (json!({ "events": [] }), "events", "list"),
        (json!({ "events": ["*", "login"] }), "events[0]", ""),
        (json!({ "events": "login", "action": "login" }), "action", "events"),
        (json!({ "evnts": "login" }), "evnts", "events"),
    ] {
        let problems = AuthSource::new().check(&config).unwrap_err();
        assert_eq!(problems[0].field, field, "{config}");
        assert!(problems[0].to_string().contains(hint), "{config}: {}", problems[0]);
    }
}

#[test]
fn a_sample_is_an_event_the_trigger_wants() {
    let source = AuthSource::new();
    let config = source.check(&json!({ "events": ["logout", "email_verify"] })).unwrap();
    let sample = source.sample("any", &config).unwrap();
    assert_eq!((sample.kind.as_str(), &sample.data["action"]), ("auth.logout", &json!("logout")));
}
