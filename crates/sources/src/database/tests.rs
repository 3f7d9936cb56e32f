use evoke_matching::{Pattern, Separator};
use evoke_ports::Source;
use serde_json::{Value, json};

use super::DatabaseSource;

fn checked(config: Value) -> Value {
    DatabaseSource::new().check(&config).unwrap()
}

#[test]
fn each_way_to_say_it_has_one_canonical_form() {
    let expected = json!({ "collection": "users", "events": ["create", "delete"] });
    for config in [
        json!({ "collection": "users", "events": ["create", "delete"] }),
        json!({ "source": "users", "action": ["delete", "insert"] }),
        json!({ "collections": ["users", "users"], "event": ["insert", "create", "delete"] }),
    ] {
        assert_eq!(checked(config), expected);
    }
    let all = json!({ "collection": "*", "events": ["create", "update", "delete"] });
    assert_eq!(checked(json!({ "collection": "*" })), all);
    assert_eq!(checked(json!({ "collection": "*", "action": "*" })), all);
    let one = checked(json!({ "collection": ["a", "b"], "action": "insert" }));
    assert_eq!(one, json!({ "collection": ["a", "b"], "events": ["create"] }));
}

#[test]
fn mistakes_are_told_with_their_field_all_at_once() {
    for (config, fields) in [
        (json!({}), vec!["collection"]),
        (json!({ "events": "create" }), vec!["collection"]),
        (json!({ "collection": 7, "event": "creat" }), vec!["collection", "event"]),
        (json!({ "collection": "" }), vec!["collection"]),
        (json!({ "collection": "_users" }), vec!["collection"]),
        (json!({ "collection": "a.b" }), vec!["collection"]),
        (json!({ "collection": "a**" }), vec!["collection"]),
        (json!({ "collection": "a|b" }), vec!["collection"]),
        (json!({ "collection": ["a", "../b"] }), vec!["collection[1]"]),
        (json!({ "collection": "x".repeat(64) }), vec!["collection"]),
        (json!({ "collection": "a", "source": "a" }), vec!["source"]),
        (json!({ "collection": "a", "events": [] }), vec!["events"]),
        (json!({ "collection": "a", "events": ["create", "*"] }), vec!["events[1]"]),
        (json!({ "collection": "a", "filter": 1 }), vec!["filter"]),
        (json!({ "collection": vec!["x".repeat(63); 1], "evnts": 1 }), vec!["evnts"]),
    ] {
        let problems = DatabaseSource::new().check(&config).unwrap_err();
        let told: Vec<&str> = problems.iter().map(|problem| problem.field.as_str()).collect();
        assert_eq!(told, fields, "{config}");
    }
    let names: Vec<String> = (0..50).map(|name| format!("collection-{name}")).collect();
    let problems = DatabaseSource::new().check(&json!({ "collection": names })).unwrap_err();
    assert_eq!(problems[0].field, "collection");
}

#[test]
fn exactly_the_named_actions_are_wanted() {
    let source = DatabaseSource::new();
    let wanted = |config: Value| source.subscription(&checked(config)).unwrap();
    let users = wanted(json!({ "collection": "users", "events": ["create", "update"] }));
    assert_eq!(users.source.as_deref(), Some("/database/users"));
    assert_eq!(users.kind.as_deref(), Some("database.users.create|database.users.update"));
    let any = wanted(json!({ "collection": "user-*", "events": "delete" }));
    let kind = Pattern::parse(any.kind.as_deref().unwrap(), Separator::Dot).unwrap();
    for (text, fits) in [
        ("database.user-7.delete", true),
        ("database.user-7.create", false),
        ("database.user-7.delete.rejected", false),
        ("database.users.delete", false),
    ] {
        assert_eq!(kind.matches(text), fits, "{text}");
    }
    let place = Pattern::parse(any.source.as_deref().unwrap(), Separator::Slash).unwrap();
    assert!(place.matches("/database/user-7") && !place.matches("/database/users"));
    let two = wanted(json!({ "collection": ["a", "b"], "events": "create" }));
    assert_eq!(two.kind.as_deref(), Some("database.a.create|database.b.create"));
    assert_eq!(two.source.as_deref(), Some("/database/*"));
}

#[test]
fn a_sample_is_an_event_the_trigger_wants() {
    let source = DatabaseSource::new();
    for (config, kind) in [
        (json!({ "collection": "users" }), "database.users.create"),
        (json!({ "collection": "*", "events": "update" }), "database.users.update"),
        (
            json!({ "collection": ["user-*", "b"], "events": "delete" }),
            "database.user-sample.delete",
        ),
    ] {
        let config = checked(config);
        let sample = source.sample("t", &config).unwrap();
        assert_eq!(sample.kind, kind);
        let wanted = source.subscription(&config).and_then(|wanted| wanted.kind).unwrap();
        assert!(Pattern::parse(&wanted, Separator::Dot).unwrap().matches(kind), "{kind}");
        assert_eq!(sample.data["document"].is_null(), kind.ends_with("delete"));
    }
}
