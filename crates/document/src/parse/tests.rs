use evoke_model::Timestamp;
use serde_json::json;

use super::condition::TEXT_BYTES_MAX;
use super::*;
use crate::query::{Op, Scalar};

fn path(text: &str) -> FieldPath {
    FieldPath::parse(text).unwrap()
}

fn text(text: &str) -> Scalar {
    Scalar::Text(text.to_owned())
}

/// The fields of all problems, with their suggestions where they are looked for.
fn problems<T: std::fmt::Debug>(result: Result<T, Vec<Problem>>) -> Vec<String> {
    result.unwrap_err().into_iter().map(|problem| problem.field).collect()
}

#[test]
fn a_query_is_read_from_json() {
    let query = Query::parse(&json!({
        "where": [
            ["age", ">=", 18],
            ["size", "<", 1.5],
            ["big", "==", 18_446_744_073_709_551_615_u64],
            ["address.city", "in", ["Rome", null, true]],
            ["name", "contains", "ann"],
            ["tags", "array-contains", "new"],
            ["born", ">", "2026-01-01T00:00:00Z"],
            ["_created_at", ">", "2026-11-18T11:06:40Z"],
            ["id", "!=", null],
        ],
        "order_by": ["-age", "name", "+_updated_at"],
        "limit": 1000,
        "cursor": "abc",
    }))
    .unwrap();
    let expected = [
        ("age", Op::Ge(Scalar::Int(18))),
        ("size", Op::Lt(Scalar::Float(1.5))),
        ("big", Op::Eq(Scalar::Float(18_446_744_073_709_551_615.0))),
        ("address.city", Op::In(vec![text("Rome"), Scalar::Null, Scalar::Bool(true)])),
        ("name", Op::Contains("ann".to_owned())),
        ("tags", Op::ArrayContains(text("new"))),
        ("born", Op::Gt(text("2026-01-01T00:00:00Z"))),
        ("_created_at", Op::Gt(Scalar::Time(Timestamp::from_micros(1_795_000_000_000_000)))),
        ("id", Op::Ne(Scalar::Null)),
    ];
    let expected = expected.map(|(field, op)| Condition { field: path(field), op });
    assert_eq!(query.filter, expected);
    let order = [("age", true), ("name", false), ("_updated_at", false)];
    let order = order.map(|(field, descending)| Sort { field: path(field), descending });
    assert_eq!(query.order, order);
    assert_eq!((query.limit, query.cursor.as_deref()), (1_000, Some("abc")));
    let all = Query { limit: LIMIT_DEFAULT, ..Query::default() };
    assert_eq!(Query::parse(&json!({})), Ok(all.clone()));
    let nulls = json!({"where": null, "order_by": null, "limit": null, "cursor": null});
    assert_eq!(Query::parse(&nulls), Ok(all));
}

#[test]
fn a_query_is_read_from_parameters() {
    let read = |filter: &[&str]| {
        let filter: Vec<String> = filter.iter().map(|text| (*text).to_owned()).collect();
        parse_filter_parameters(&filter)
    };
    for (given, op) in [
        ("a,==,1", Op::Eq(Scalar::Int(1))),
        ("a,==,\"1\"", Op::Eq(text("1"))),
        ("a,==,one", Op::Eq(text("one"))),
        ("a,==,one, two", Op::Eq(text("one, two"))),
        ("a,==,", Op::Eq(text(""))),
        ("a , == ,null", Op::Eq(Scalar::Null)),
        ("a,in,[1,\"b\"]", Op::In(vec![Scalar::Int(1), text("b")])),
        ("[[\"a\",\"!=\",true]]", Op::Ne(Scalar::Bool(true))),
    ] {
        assert_eq!(read(&[given]), Ok(vec![Condition { field: path("a"), op }]), "{given}");
    }
    assert_eq!(read(&["a,==,1", "b,==,2", "[[\"c\",\">\",1],[\"d\",\">\",1]]"]).unwrap().len(), 4);
    assert_eq!(
        problems(read(&["a", "b,==,1", "c,=,1", "[x"])),
        ["where[0]", "where[2][1]", "where[3]"]
    );
    let given = Parameters {
        filter: &[],
        order_by: Some("-age, name"),
        limit: Some("7"),
        cursor: Some("abc"),
    };
    let query = Query::from_parameters(&given).unwrap();
    assert_eq!((query.order.len(), query.order[0].descending, query.limit), (2, true, 7));
    let wrong = Parameters { order_by: Some("-,a..b"), limit: Some("many"), ..given };
    assert_eq!(problems(Query::from_parameters(&wrong)), ["order_by", "order_by", "limit"]);
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    let given = json!({
        "where": [
            ["a", "=", 1],
            ["_secret", "==", {"$gt": ""}],
            ["a", "==", [1]],
            ["a", "in", "b"],
            ["a", "in", []],
            ["a", "in", [1, {}, []]],
            ["a", "contains", 5],
            ["a", "array-contains", {}],
            ["a", "<", null],
            ["_created_at", ">", "yesterday"],
            ["_created_at", "contains", "2026"],
            ["id", "==", 5],
            ["id", "array-contains", "x"],
            {"a": 1},
            [1, "==", 1],
            ["a", "=="],
            ["a'; DROP TABLE users; --", "==", 1],
        ],
        "order_by": ["a", 7, {}, "-"],
        "limit": 0,
        "cursor": 5,
        "wehre": [],
    });
    let expected = [
        "wehre",
        "where[0][1]",
        "where[1][0]",
        "where[1][2]",
        "where[2][2]",
        "where[3][2]",
        "where[4][2]",
        "where[5][2][1]",
        "where[5][2][2]",
        "where[6][2]",
        "where[7][2]",
        "where[8][2]",
        "where[9][2]",
        "where[10][2]",
        "where[11][2]",
        "where[12][2]",
        "where[13]",
        "where[14]",
        "where[15]",
        "where[16][0]",
        "order_by[1]",
        "order_by[2]",
        "order_by[3]",
        "limit",
        "cursor",
    ];
    assert_eq!(problems(Query::parse(&given)), expected);
}

#[test]
fn what_is_no_query_is_refused() {
    for (given, field) in [
        (json!(null), ""),
        (json!([]), ""),
        (json!("x"), ""),
        (json!({"where": {}}), "where"),
        (json!({"where": "a == 1"}), "where"),
        (json!({"where": ["a", "==", 1]}), "where"),
        (json!({"where": vec![json!(["a", "==", 1]); 101]}), "where"),
        (json!({"where": [["a", "in", vec![1; 101]]]}), "where[0][2]"),
        (json!({"where": [["a", "==", "x".repeat(TEXT_BYTES_MAX + 1)]]}), "where[0][2]"),
        (json!({"order_by": {}}), "order_by"),
        (json!({"order_by": vec!["a"; 9]}), "order_by"),
        (json!({"order_by": "a,b,c,d,e,f,g,h,i"}), "order_by"),
        (json!({"limit": 1001}), "limit"),
        (json!({"limit": -1}), "limit"),
        (json!({"limit": 1.5}), "limit"),
        (json!({"limit": "10"}), "limit"),
    ] {
        assert_eq!(problems(Query::parse(&given)), [field], "{given}");
    }
    let name = "n".repeat(100_000);
    let shown = problems(Query::parse(&json!({ name: 1 })));
    assert_eq!(shown, ["n".repeat(40)]);
}

#[test]
fn a_slip_of_an_operator_is_recognised() {
    for (given, meant) in [
        ("=", Some("==")),
        ("===", Some("==")),
        ("EQ", Some("==")),
        ("<>", Some("!=")),
        ("gte", Some(">=")),
        ("=>", Some(">=")),
        ("array_contains", Some("array-contains")),
        ("contain", Some("contains")),
        ("like", Some("contains")),
        ("$where", None),
    ] {
        let error = parse_filter(&json!([["a", given, 1]]), "where").unwrap_err();
        let hint = error[0].suggestion.clone().unwrap();
        match meant {
            Some(meant) => assert_eq!(hint, format!("did you mean \"{meant}\"?"), "{given}"),
            None => assert!(hint.starts_with("one of: =="), "{given}: {hint}"),
        }
    }
}
