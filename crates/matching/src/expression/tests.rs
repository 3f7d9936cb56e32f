use evoke_model::event::{Attribute, Extensions};
use evoke_model::{Data, EventId, Timestamp};
use proptest::prelude::*;

use super::*;

fn event(data: &str) -> Event {
    let extensions: Extensions = [
        ("tenant".into(), Attribute::Text("acme".into())),
        ("retries".into(), Attribute::Int(3)),
        ("vip".into(), Attribute::Bool(true)),
    ]
    .into();
    Event {
        id: EventId::from_u64(7),
        sender_id: Some("A-1".into()),
        source: "/shop".into(),
        kind: "order.created".into(),
        subject: None,
        time: Timestamp::from_micros(1_795_000_000_000_000),
        content_type: None,
        data_schema: None,
        data: Data::Json(data.to_owned().into()),
        extensions: Some(Box::new(extensions)),
        lineage: None,
        traceparent: None,
        ordering_key: Some("k1".into()),
        due: None,
        is_test_run: false,
        replay_of: None,
    }
}

const ORDER: &str = r#"{"total": 120, "price": 9.5, "user": {"id": "u\n1", "tags": ["a", "b"]},
    "items": [{"sku": "x", "qty": 2}, {"sku": "y", "qty": 0}], "big": 18446744073709551615, "no": null}"#;

fn condition(text: &str, data: &str) -> Result<bool, EvalError> {
    let event = event(data);
    Expression::compile(text).unwrap().evaluate_bool(&Scope::new(&event))
}

fn key(text: &str, data: &str) -> Result<Option<Box<str>>, EvalError> {
    let event = event(data);
    Expression::compile(text).unwrap().evaluate_key(&Scope::new(&event))
}

fn whole_of(text: &str) -> Result<i64, EvalError> {
    let event = event(ORDER);
    Expression::compile(text).unwrap().evaluate_whole(&Scope::new(&event))
}

#[test]
fn filters_see_the_whole_event() {
    for text in [
        "event.data.total > 100",
        "event.data.total + 1 == 121",
        "event.data.price > 9 && event.data.price < 10.0",
        "event.type == 'order.created' && event.source.startsWith('/shop')",
        "event.id == 'A-1'",
        "timestamp(event.time) > timestamp('2026-01-01T00:00:00Z')",
        "event.tenant == 'acme' && event.retries == 3 && event.vip",
        "event.orderingkey == 'k1'",
        "event['tenant'] in ['acme', 'other']",
        "'tenant' in event && !('nothing' in event)",
        "has(event.data.user) && !has(event.data.account) && !has(event.subject)",
        "event.data.user.id == 'u\\n1'",
        "'b' in event.data.user.tags",
        "event.data.items.exists(item, item.qty == 0)",
        "event.data.items.filter(item, item.qty > 0).map(item, item.sku) == ['x']",
        "event.data.items.all(item, event.data.user.tags.exists(tag, tag == 'a'))",
        "event.data.big > 1u",
        "event.data.no == null",
        "event.data.user.id.matches('^u.1$') || event.data.user.id.matches('(?s)^u.1$')",
        "matches(event.type, '^order[.][a-z]+$') && !event.type.matches('^user')",
        "event.data.user.tags.exists(tag, tag.matches('^[b-z]$'))",
        "size(event.data.items) == 2",
        "event.depth == 0",
    ] {
        assert_eq!(condition(text, ORDER), Ok(true), "{text}");
    }
}

#[test]
fn a_filter_without_an_answer_says_why() {
    for (text, why) in [
        ("event.data.missing > 1", "No such key: missing"),
        ("event.subject == 'x'", "No such key: subject"),
        ("event.data.total > 'x'", "no matching overload"),
        ("event.data.total", "expected bool, got int"),
        ("event.data.total / 0 == 1", "Division by zero"),
    ] {
        let error = condition(text, ORDER).unwrap_err().to_string();
        assert!(error.contains(why), "{text}: {error}");
    }
}

#[test]
fn keys_have_one_text_for_one_value() {
    for (text, expected) in [
        ("event.data.user.id", Some("u\n1")),
        ("event.data.total", Some("120")),
        ("2.0", Some("2")),
        ("-0.0", Some("0")),
        ("event.data.price", Some("9.5")),
        ("event.vip", Some("true")),
        ("event.data.big", Some("18446744073709551615")),
        ("event.data.no", None),
        ("event.data.user.id + '/' + string(event.data.total)", Some("u\n1/120")),
    ] {
        assert_eq!(key(text, ORDER), Ok(expected.map(Box::from)), "{text}");
    }
    for (text, expected) in [
        ("event.data.total", Ok(120)),
        ("2.0", Ok(2)),
        ("event.data.big", Ok(i64::MAX)),
        ("-3", Ok(-3)),
    ] {
        assert_eq!(whole_of(text), expected, "{text}");
    }
    for text in ["9.5", "'1'", "null", "true"] {
        assert!(matches!(whole_of(text), Err(EvalError::WrongType { .. })), "{text}");
    }
    assert!(matches!(key("event.data.user", ORDER), Err(EvalError::WrongType { .. })));
    let long = format!(r#"{{"k": "{}"}}"#, "x".repeat(KEY_LEN_MAX + 1));
    assert_eq!(key("event.data.k", &long), Err(EvalError::KeyTooLong));
}

#[test]
fn mistakes_are_found_when_compiling() {
    for (text, why) in [
        ("", "empty"),
        ("event.data.total >", "Syntax error"),
        ("data.total > 1", "unknown name \"data\""),
        ("event.data.total.foo(1)", "unknown function \"foo\""),
        ("startWith(event.type, 'a')", "unknown function"),
        ("event.data.x.matches(event.data.y)", "must be a text"),
        ("event.type.matches('(a')", "unclosed group"),
        ("event.type.matches('^[\\\\w]{100}$')", "too much memory"),
        ("matches('a')", "a text and a pattern"),
        ("Foo{a: 1}", "messages"),
    ] {
        let problem = Expression::compile(text).unwrap_err().to_string();
        assert!(problem.contains(why), "{text}: {problem}");
    }
    assert!(Expression::compile(&"x".repeat(LEN_MAX + 1)).is_err());
}

/// Runs on a stack smaller than that of a tokio worker: each of these must be refused or
/// answered, whatever it is made of.
#[test]
fn deep_expressions_do_not_end_the_stack() {
    let texts = [
        "(".repeat(1_500) + "1" + &")".repeat(1_500),
        "[".repeat(24) + &"]".repeat(24),
        "!".repeat(4_000) + "true",
        "1".to_owned() + &"+1".repeat(22),
        "1".to_owned() + &"+1".repeat(190),
        "1".to_owned() + &"+1".repeat(2_000),
        "event.data".to_owned() + &".a".repeat(21),
        "event".to_owned() + &".a".repeat(190),
        "event".to_owned() + &".a".repeat(2_000),
        "1".to_owned() + &" in 1".repeat(700),
        "true".to_owned() + &" && true".repeat(90),
        "true ? 1 : ".repeat(23) + "1",
        "true ? 1 : ".repeat(350) + "1",
        "event".to_owned() + &"[0]".repeat(22),
        "true ? ".repeat(22) + "1" + &" : 2".repeat(22),
        "false ? 1 : ".repeat(22) + "1",
        "[".repeat(22) + "1" + &" in [2]]".repeat(22),
        "{1:".repeat(20) + "1" + &"}".repeat(20),
        "[1].map(a,".repeat(24) + "1" + &")".repeat(24),
        "- ".repeat(190) + "1",
        "event.data".to_owned() + &"+event.data".repeat(22),
        "[event.type == ".repeat(11) + "1" + &"]".repeat(11),
        "[event.type + ".repeat(11) + "event.type" + &"]".repeat(11),
        "event.data.map(a,".repeat(4) + &"[a.b + ".repeat(6) + "a" + &"]".repeat(6) + "))))",
    ];
    let thread = std::thread::Builder::new().stack_size(1280 * 1024).spawn(move || {
        let event = event("{}");
        for text in texts {
            if let Ok(expression) = Expression::compile(&text) {
                drop(expression.evaluate_key(&Scope::new(&event)));
            }
        }
    });
    thread.unwrap().join().unwrap();
}

#[test]
fn loops_over_large_lists_are_refused_before_they_run() {
    let list = format!(r#"{{"l": [{}1]}}"#, "1,".repeat(2_000));
    assert_eq!(condition("event.data.l.all(x, x == 1)", &list), Ok(true));
    let nested = "event.data.l.all(x, event.data.l.all(y, x == y))";
    assert_eq!(condition(nested, &list), Err(EvalError::TooExpensive));
    let long = format!(r#"{{"l": [{}1], "t": "{}"}}"#, "1,".repeat(1_000), "x".repeat(1_000_000));
    assert_eq!(
        condition("event.data.l.all(x, event.data.t.contains('y'))", &long),
        Err(EvalError::TooExpensive)
    );
}

#[test]
fn a_payload_that_is_no_json_is_a_text_or_null() {
    let mut event = event("");
    event.data = Data::Text("hello".into());
    let hello = Expression::compile("event.data == 'hello'").unwrap();
    assert_eq!(hello.evaluate_bool(&Scope::new(&event)), Ok(true));
    event.data = Data::Binary(vec![0xff].into());
    let null = Expression::compile("event.data == null").unwrap();
    assert_eq!(null.evaluate_bool(&Scope::new(&event)), Ok(true));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn no_text_panics(text in "[a-z0-9.()\\[\\]{}'\"?:!&|<>=+*/, -]{0,60}") {
        let event = event(ORDER);
        if let Ok(expression) = Expression::compile(&text) {
            drop(expression.evaluate_key(&Scope::new(&event)));
            drop(expression.evaluate_json(&Scope::new(&event)));
        }
    }
}
