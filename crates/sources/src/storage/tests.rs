use evoke_matching::{Pattern, Separator, filter};
use evoke_model::{Data, Event, EventId, Timestamp};
use evoke_ports::Source;
use serde_json::{Value, json};

use super::StorageSource;

fn checked(config: Value) -> Value {
    StorageSource::new().check(&config).unwrap()
}

#[test]
fn each_way_to_say_it_has_one_canonical_form() {
    let expected = json!({ "bucket": "uploads", "events": ["upload"] });
    for config in [
        json!({ "bucket": "uploads", "events": ["upload"] }),
        json!({ "source": "uploads", "action": "upload" }),
        json!({ "buckets": ["uploads", "uploads"], "event": ["upload", "upload"] }),
    ] {
        assert_eq!(checked(config), expected);
    }
    let all = json!({ "bucket": "*", "events": ["upload", "delete"] });
    assert_eq!(checked(json!({ "bucket": "*" })), all);
    assert_eq!(checked(json!({ "bucket": "*", "action": "*" })), all);
    let narrow = checked(json!({ "bucket": "a", "prefixes": ["x/"], "contentType": ["image/*"] }));
    assert_eq!((&narrow["prefix"], &narrow["content_type"]), (&json!("x/"), &json!("image/*")));
}

#[test]
fn mistakes_are_told_with_their_field_all_at_once() {
    for (config, fields) in [
        (json!({}), vec!["bucket"]),
        (json!({ "bucket": 7, "event": "uplod" }), vec!["bucket", "event"]),
        (json!({ "bucket": "a.b" }), vec!["bucket"]),
        (json!({ "bucket": "_a" }), vec!["bucket"]),
        (json!({ "bucket": "a**" }), vec!["bucket"]),
        (json!({ "bucket": ["a", "../b"] }), vec!["bucket[1]"]),
        (json!({ "bucket": "a", "source": "a" }), vec!["source"]),
        (json!({ "bucket": "a", "events": ["upload", "create"] }), vec!["events[1]"]),
        (json!({ "bucket": "a", "prefix": "" }), vec!["prefix"]),
        (json!({ "bucket": "a", "prefix": ["a", "b\0"] }), vec!["prefix[1]"]),
        (json!({ "bucket": "a", "content_type": "image" }), vec!["content_type"]),
        (json!({ "bucket": "a", "content_type": "*/png" }), vec!["content_type"]),
        (json!({ "bucket": "a", "perfix": "b" }), vec!["perfix"]),
    ] {
        let problems = StorageSource::new().check(&config).unwrap_err();
        let told: Vec<&str> = problems.iter().map(|problem| problem.field.as_str()).collect();
        assert_eq!(told, fields, "{config}");
    }
}

/// Whether a trigger takes the upload of a file.
fn takes(config: &Value, bucket: &str, name: &str, content_type: &str) -> bool {
    let wanted = StorageSource::new().subscription(&checked(config.clone())).unwrap();
    let kind = Pattern::parse(wanted.kind.as_deref().unwrap(), Separator::Dot).unwrap();
    let source = Pattern::parse(wanted.source.as_deref().unwrap(), Separator::Slash).unwrap();
    let event = Event {
        id: EventId::from_u64(1),
        sender_id: None,
        source: format!("/storage/{bucket}").into(),
        kind: format!("storage.{bucket}.upload").into(),
        subject: Some(name.into()),
        time: Timestamp::EPOCH,
        content_type: None,
        data_schema: None,
        data: Data::from_value(&json!({ "file": { "name": name, "content_type": content_type } })),
        extensions: None,
        lineage: None,
        traceparent: None,
        ordering_key: None,
        due: None,
        is_test_run: false,
        replay_of: None,
    };
    kind.matches(&event.kind)
        && source.matches(&event.source)
        && wanted.filter.is_none_or(|text| filter(&text).unwrap().takes(&event).unwrap())
}

#[test]
fn files_are_picked_by_bucket_prefix_and_type() {
    let images = json!({ "bucket": "up-*", "prefix": ["a/", "b\"\\'"], "content_type": "Image/*" });
    for (bucket, name, content_type, expected) in [
        ("up-1", "a/x", "image/png", true),
        ("up-1", "b\"\\'x", "image/png", true),
        ("up-1", "b/x", "image/png", false),
        ("up-1", "a/x", "text/html", false),
        ("other", "a/x", "image/png", false),
    ] {
        assert_eq!(takes(&images, bucket, name, content_type), expected, "{bucket} {name}");
    }
    let exact = json!({ "bucket": ["a", "b"], "content_type": ["text/plain", "a/b"] });
    for (content_type, expected) in
        [("text/plain", true), ("text/plain; charset=utf-8", true), ("text/plainx", false)]
    {
        assert_eq!(takes(&exact, "b", "x", content_type), expected, "{content_type}");
    }
    assert!(takes(&json!({ "bucket": "*", "content_type": "*/*" }), "x", "y", "z/z"));
    assert!(!takes(&json!({ "bucket": "*", "events": "delete" }), "x", "y", "z/z"));
}

#[test]
fn a_sample_is_an_event_the_trigger_wants() {
    let source = StorageSource::new();
    for (config, kind, name) in [
        (json!({ "bucket": "uploads" }), "storage.uploads.upload", "hello.txt"),
        (json!({ "bucket": "*", "events": "delete" }), "storage.uploads.delete", "hello.txt"),
        (
            json!({ "bucket": "up-*", "prefix": "a/", "content_type": "image/*" }),
            "storage.up-sample.upload",
            "a/hello.png",
        ),
    ] {
        let config = checked(config);
        let sample = source.sample("t", &config).unwrap();
        assert_eq!((sample.kind.as_str(), &sample.data["file"]["name"]), (kind, &json!(name)));
        let wanted = source.subscription(&config).and_then(|wanted| wanted.kind).unwrap();
        assert!(Pattern::parse(&wanted, Separator::Dot).unwrap().matches(kind), "{kind}");
    }
}
