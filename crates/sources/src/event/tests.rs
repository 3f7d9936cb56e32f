use evoke_matching::{Pattern, Separator};
use evoke_model::trigger::Subscription;
use evoke_ports::Source;
use serde_json::{Value, json};

use super::EventSource;

fn wanted(config: &Value) -> Option<Subscription> {
    let source = EventSource::new();
    source.subscription(&source.check(config).ok()?)
}

#[test]
fn each_way_to_say_a_type_means_the_same() {
    let expected = Some(Subscription { kind: Some("order.*".into()), ..Subscription::default() });
    for name in ["match", "type", "event", "event_type", "eventType"] {
        assert_eq!(wanted(&json!({ name: "order.*" })), expected, "{name}");
    }
    let list = wanted(&json!({ "match": ["a", "b.*"] }));
    assert_eq!(list.and_then(|wanted| wanted.kind).as_deref(), Some("a|b.*"));
    let by_source = wanted(&json!({ "source": "/shop/*", "subject": "orders/7" }));
    assert_eq!(by_source.and_then(|wanted| wanted.kind), None);
}

#[test]
fn mistakes_are_told_with_their_field() {
    for (config, field) in [
        (json!({}), "match"),
        (json!({ "match": 3 }), "match"),
        (json!({ "match": [] }), "match"),
        (json!({ "match": ["a", "b**"] }), "match[1]"),
        (json!({ "match": "" }), "match"),
        (json!({ "match": "a", "type": "b" }), "type"),
        (json!({ "match": "a", "sorce": "b" }), "sorce"),
        (json!({ "match": "a", "source": "**x" }), "source"),
        (json!("order.*"), ""),
    ] {
        let problems = EventSource::new().check(&config).unwrap_err();
        assert_eq!(problems[0].field, field, "{config}");
    }
}

#[test]
fn a_sample_is_an_event_the_trigger_wants() {
    let source = EventSource::new();
    for (pattern, kind) in [
        (json!("order.*"), "order.sample"),
        (json!("order.**"), "order.sample"),
        (json!("*.order.*"), "sample.order.sample"),
        (json!("user-*.created"), "user-sample.created"),
        (json!("**"), "sample"),
        (json!("order.created"), "order.created"),
        (json!(["a.*", "b"]), "a.sample"),
        (json!("x.**.y|z"), "x.sample.y"),
    ] {
        let config = source.check(&json!({ "match": pattern })).unwrap();
        let sample = source.sample("orders", &config).unwrap();
        assert_eq!((sample.kind.as_str(), &sample.data), (kind, &json!({})), "{pattern}");
        let wanted = source.subscription(&config).and_then(|wanted| wanted.kind).unwrap();
        assert!(Pattern::parse(&wanted, Separator::Dot).unwrap().matches(kind), "{pattern}");
    }
    let by_source = source.sample("orders", &json!({ "source": "/shop/*" })).unwrap();
    assert_eq!(by_source.kind, "sample");
}
