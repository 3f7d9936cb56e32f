use evoke_model::{Data, Event};
use serde_json::json;

use super::*;
use crate::expression::{Expression, Scope};
use crate::testing;

const ORDER: &str = r#"{"id": "o1", "total": 120, "rate": 9.5, "big": 18446744073709551615,
    "items": [{"sku": "x", "price": 2, "tags": ["a", "b"]}, {"sku": "y", "price": 3.5, "tags": []}]}"#;

fn event(data: String) -> Event {
    Event { data: Data::Json(data.into()), ..testing::event(7, "order.created") }
}

fn of_text(text: &str, data: &str) -> Result<Value, EvalError> {
    let event = event(data.to_owned());
    Expression::compile(text).unwrap().evaluate_json(&Scope::new(&event))
}

#[test]
fn an_expression_makes_what_the_target_gets() {
    for (text, expected) in [
        (
            r#"{"id": event.data.id, "total": event.data.items.map(i, i.price)}"#,
            json!({ "id": "o1", "total": [2, 3.5] }),
        ),
        ("event.data.items[0]", json!({ "sku": "x", "price": 2, "tags": ["a", "b"] })),
        (
            "event.data.items.map(i, i.tags.map(t, t + '-' + i.sku + event.data.id))",
            json!([["a-xo1", "b-xo1"], []]),
        ),
        (
            "event.data.items.filter(i, i.price > 2).map(i, {i.sku: [i.price, i.tags]})",
            json!([{ "y": [3.5, []] }]),
        ),
        (
            "[1, 18446744073709551615u, -2, 1.5, true, null]",
            json!([1, 18_446_744_073_709_551_615_u64, -2, 1.5, true, null]),
        ),
        ("event.data.big", json!(18_446_744_073_709_551_615_u64)),
        ("{1: 'a', true: 'b', 2u: 'c'}", json!({ "1": "a", "2": "c", "true": "b" })),
        ("timestamp('2026-12-01T10:00:00+01:00')", json!("2026-12-01T10:00:00+01:00")),
        ("timestamp('2026-12-01T09:00:00.5Z')", json!("2026-12-01T09:00:00.500Z")),
        (
            "[duration('90s'), duration('1500ms'), duration('-1ms')]",
            json!(["90s", "1.5s", "-0.001s"]),
        ),
        ("b'abc'", json!("YWJj")),
        ("{'a': event.data.?id, 'b': event.data.?none}", json!({ "a": "o1", "b": null })),
        ("event.data.items[0].tags + ['c']", json!(["a", "b", "c"])),
        ("event.type + '/' + string(event.data.total)", json!("order.created/120")),
        ("event.data.total > 100 ? {'large': true} : {}", json!({ "large": true })),
    ] {
        assert_eq!(of_text(text, ORDER), Ok(expected), "{text}");
    }
}

#[test]
fn what_is_no_json_is_told() {
    for (text, why) in [
        ("0.0 / 0.0", "expected a finite number, got double"),
        ("[1.0 / 0.0]", "expected a finite number"),
        ("type(1)", "expected a value that can be written as JSON"),
        ("event", "name the fields"),
        ("{'e': [event]}", "name the fields"),
        ("{1: 'a', '1': 'b'}", "two keys are written \"1\""),
        ("{'id': event.data.missing}", "No such key: missing"),
        ("event.data.items.map(i, i.price + i.sku)", ""),
    ] {
        let error = of_text(text, ORDER).unwrap_err().to_string();
        assert!(error.contains(why), "{text}: {error}");
    }
    let deep = format!(r#"{{"d": {}{}}}"#, "[".repeat(126), "]".repeat(126));
    assert!(of_text("event.data.d", &deep).is_ok());
    let error = of_text("[[[event.data.d]]]", &deep).unwrap_err().to_string();
    assert_eq!(error, "it nests deeper than 127");
}

/// Each of these would take more memory than the machine has, were it not counted.
#[test]
fn no_expression_makes_more_than_it_may() {
    let items: Vec<String> =
        (0..1_000).map(|n| format!(r#"{{"n": {n}, "t": "{n:0>200}"}}"#)).collect();
    let list = format!(r#"{{"l": [{}], "t": "{}"}}"#, items.join(","), "x".repeat(200_000));
    let many = vec!["event.data.t"; 16].join(" + ");
    let square = format!("({many}) + ({many}) + ({many}) + ({many})");
    for text in [
        "event.data.l.map(x, event.data.l)",
        "event.data.l.map(x, {'n': x.n, 'all': event.data.l})",
        "event.data.l.map(x, event.data.l).map(y, y.map(z, z.t))",
        "[event.data.l].map(a, a + a + a + a).map(b, b + b + b + b).map(c, c + c + c + c)",
        "['x'].map(a, event.data.t).map(b, b + b + b + b + b + b + b + b).map(c, c + c + c + c + c)\
         .map(d, d + d + d + d)",
        "event.data.l.map(x, event).size() > 0 ? 1 : 2",
        "event.data.l.exists(x, (event.data.l + event.data.l).size() < 0)",
        square.as_str(),
    ] {
        let refused = of_text(text, &list).unwrap_err();
        assert!(
            matches!(refused, EvalError::TooLarge | EvalError::TooExpensive),
            "{refused}: {text}"
        );
    }
    for text in ["event.data.l", "event.data.l.map(x, x.t)", "event.data.l.filter(x, x.n > 1)"] {
        assert!(of_text(text, &list).is_ok(), "{text}");
    }
    let whole = format!(r#"{{"t": "{}"}}"#, "x".repeat(6 << 20));
    assert!(of_text("event.data", &whole).is_ok());
    assert_eq!(of_text("[event.data.t, event.data.t]", &whole), Err(EvalError::TooLarge));
}
