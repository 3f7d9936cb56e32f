use evoke_model::Millis;
use evoke_ports::{Poll, Repeats, Source, Timing};
use serde_json::{Value, json};

use super::PollSource;

fn asked(config: &Value) -> Poll {
    let source = PollSource::new();
    let config = source.check(config).unwrap_or_else(|problems| panic!("{problems:?}"));
    match source.timing(&config) {
        Some(Timing::Poll(poll)) => poll.as_ref().clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_poll_asks_its_function_at_its_interval() {
    let small = asked(&json!({ "function": "watch", "every": 2 }));
    let expected = Poll {
        function: "watch".into(),
        every: Millis::from_secs(2),
        timeout: Millis::from_secs(10),
        repeats: Repeats::Skip,
    };
    assert_eq!(small, expected);
    for (timeout, allow) in
        [("poll_timeout", "allow_concurrent"), ("pollTimeout", "allowConcurrent")]
    {
        let whole = asked(&json!({
            "function": "watch", "every": "1d", timeout: "500ms", allow: true,
        }));
        let expected = Poll {
            function: "watch".into(),
            every: Millis::from_secs(86_400),
            timeout: Millis::new(500),
            repeats: Repeats::Run,
        };
        assert_eq!(whole, expected);
    }
}

#[test]
fn the_canonical_form_names_everything() {
    let config = PollSource::new().check(&json!({ "function": "f", "every": 90 }));
    let expected = json!({
        "function": "f", "every": "90s", "poll_timeout": "10s", "allow_concurrent": false,
    });
    assert_eq!(config, Ok(expected));
}

#[test]
fn mistakes_are_told_with_their_field() {
    let with = |field: &str, value: Value| {
        let mut config = json!({ "function": "f", "every": "2s" });
        config[field] = value;
        config
    };
    for (config, field) in [
        (json!({ "every": "2s" }), "function"),
        (json!({ "function": "f" }), "every"),
        (with("function", json!("")), "function"),
        (with("function", json!(7)), "function"),
        (with("every", json!("soon")), "every"),
        (with("every", json!("999ms")), "every"),
        (with("every", json!("25h")), "every"),
        (with("poll_timeout", json!(0)), "poll_timeout"),
        (with("poll_timeout", json!("16m")), "poll_timeout"),
        (with("allow_concurrent", json!("yes")), "allow_concurrent"),
        (with("evry", json!("2s")), "evry"),
        (json!([]), ""),
    ] {
        let problems = PollSource::new().check(&config).unwrap_err();
        assert_eq!(problems[0].field, field, "{config}: {problems:?}");
    }
}
