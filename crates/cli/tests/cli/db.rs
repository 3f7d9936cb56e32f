use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::fake::{Fake, page, text};

fn ada() -> Value {
    json!({ "id": "ada", "age": 36, "tags": ["a", "b"], "_revision": "evt_1",
        "_created_at": "2026-12-01T09:00:00Z", "_updated_at": "2026-12-01T09:00:00Z" })
}

fn answer(method: &str, path: &str, body: &Value) -> Option<Response> {
    let users = json!({ "name": "users", "schema": {},
        "indexes": [{ "name": "email", "fields": ["email"], "unique": true },
            { "name": "a", "fields": ["city", "age"], "unique": false }] });
    Some(match (method, path) {
        ("GET", "/api/collections") => page(json!([users])),
        ("GET", "/api/collections/users/documents/ada") => Json(ada()).into_response(),
        ("POST", "/api/collections/users/query") => page(json!([ada()])),
        ("POST", "/api/collections/users/count") => Json(json!({ "count": 7 })).into_response(),
        ("POST", "/api/collections/users/explain") => {
            Json(json!({ "plan": ["SEARCH documents USING INDEX x"] })).into_response()
        }
        ("POST", "/api/collections/users/documents") if body.is_array() => {
            (StatusCode::CREATED, Json(json!({ "data": [ada(), ada()] }))).into_response()
        }
        ("POST", "/api/collections/users/documents") => {
            (StatusCode::CREATED, Json(ada())).into_response()
        }
        ("PATCH" | "DELETE", "/api/collections/users/documents") => {
            Json(json!({ "matched": 3, "changed": 2 })).into_response()
        }
        ("PATCH" | "PUT", "/api/collections/users/documents/ada") => Json(ada()).into_response(),
        ("DELETE", _) => StatusCode::NO_CONTENT.into_response(),
        _ => return None,
    })
}

#[test]
fn collections_and_documents_are_listed() {
    let fake = Fake::new(answer);
    let list = fake.prints(&["db", "collections"]);
    assert!(list.contains("users  email (unique), city+age  yes"), "{list}");
    let list = fake.prints(&["db", "list", "users"]);
    assert!(list.contains("ada  2026-12-01 09:00:00  age=36 tags=a,b"), "{list}");
    let filters = ["--where", "age >= 18", "--where", "name == Ada Lovelace"];
    let (sent, body) = fake
        .sent(&[&["db", "ls", "users", "--order-by", "-age", "-l", "5"], &filters[..]].concat());
    assert_eq!(sent, "POST /api/collections/users/query");
    let expected = json!({
        "where": [["age", ">=", 18], ["name", "==", "Ada Lovelace"]],
        "order_by": ["-age"], "limit": 5, "cursor": null,
    });
    assert_eq!(body, expected);
    let wrong = fake.evoke(&["db", "list", "users", "--where", "age"]);
    assert_eq!(wrong.status.code(), Some(1));
    assert!(text(&wrong.stderr).contains("a field, an operator and a value"));
    assert!(fake.prints(&["db", "get", "users", "ada"]).contains("36"));
    assert_eq!(fake.evoke(&["db", "get", "users", "eve"]).status.code(), Some(3));
    assert_eq!(fake.prints(&["db", "count", "users", "--where", "age > 1"]), "7\n");
}

#[test]
fn documents_are_created_changed_and_deleted() {
    let fake = Fake::new(answer);
    assert_eq!(fake.prints(&["db", "create", "users", "-d", "{\"age\": 36}"]), "ada\n");
    assert_eq!(fake.last().1, json!({ "age": 36 }));
    assert_eq!(fake.prints(&["db", "create", "users", "-d", "[{}, {}]"]), "ada\nada\n");
    let update = |more: &[&str]| {
        fake.sent(&[&["db", "update", "users", "ada", "-d", "{\"age\": 37}"], more].concat()).0
    };
    let path = "/api/collections/users/documents/ada";
    assert_eq!(update(&[]), format!("PATCH {path}"));
    assert_eq!(update(&["--replace"]), format!("PUT {path}"));
    assert_eq!(update(&["--replace", "--upsert"]), format!("PUT {path}?upsert=true"));
    assert_eq!(fake.evoke(&["db", "update", "users", "-d", "{}"]).status.code(), Some(1));
    let all = ["db", "update", "users", "--where", "age < 1", "-d", "{\"a\": 1}"];
    assert_eq!(fake.prints(&all), "2 changed\n");
    assert_eq!(fake.last().1, json!({ "where": [["age", "<", 1]], "set": { "a": 1 } }));
    assert_eq!(fake.prints(&["db", "delete", "users", "ada", "eve"]), "ada\neve\n");
    assert_eq!(fake.prints(&["db", "delete", "users", "--where", "a == 1"]), "2 deleted\n");
    let (sent, _) = fake.last();
    assert!(sent.starts_with("DELETE /api/collections/users/documents?where=%5B%5B"), "{sent}");
    assert_eq!(fake.evoke(&["db", "delete", "users"]).status.code(), Some(1));
}

#[test]
fn a_query_is_sent_as_it_is_and_explained() {
    let fake = Fake::new(answer);
    let query = "{\"where\": [[\"age\", \">=\", 18]]}";
    assert_eq!(fake.prints(&["db", "query", "users", query, "-o", "id"]), "ada\n");
    assert_eq!(fake.last().1, json!({ "where": [["age", ">=", 18]] }));
    let plan = fake.prints(&["db", "query", "users", query, "--explain"]);
    assert_eq!(plan, "SEARCH documents USING INDEX x\n");
}
