//! Hostile input for collections: clear errors, nothing breaks, nothing is left.

use evoke_testkit::TestServer;
use serde_json::{Value, json};

use crate::database::{create, send};
use crate::support::dev;

const USERS: &str = "/api/collections/users/documents";

/// Sends a body as it is.
async fn raw(server: &TestServer, method: &str, path: &str, body: Vec<u8>) -> (u16, String) {
    let request = server.request(method, path).header("content-type", "application/json");
    let answer = server.answer(request.body(body)).await;
    (answer.status, answer.code())
}

#[tokio::test]
async fn operators_where_values_belong_are_values_or_refused() {
    let server = dev(&[]).await;
    create(&server, "users", json!({ "id": "ada", "password": "secret", "n": 1 })).await;
    for given in [
        json!([["password", "==", { "$ne": null }]]),
        json!([["password", "==", { "$gt": "" }]]),
        json!([["password", "==", [1]]]),
        json!([["password", "in", "secret"]]),
        json!([["password", "in", [{ "$ne": 1 }]]]),
        json!([["password", "in", (0..101).collect::<Vec<_>>()]]),
        json!([["password", "$ne", 1]]),
        json!([["password", "regex", ".*"]]),
        json!([["password'; drop table documents; --", "==", 1]]),
        json!([["a".repeat(10_000), "==", 1]]),
        json!([["a\u{0}b", "==", 1]]),
        json!([["_revision", "==", 1]]),
        json!([[["password"], "==", 1]]),
        json!([["password", "=="]]),
        json!([{ "password": { "$ne": null } }]),
        json!({ "password": { "$ne": null } }),
        json!("password"),
        json!(vec![json!(["n", "==", 1]); 101]),
    ] {
        let path = "/api/collections/users/query";
        let refused = server.post(path, json!({ "where": given })).await.expect(400);
        assert_eq!(refused.code(), "DB_006", "{given}: {}", refused.text);
        let problem = &refused.json()["error"]["problems"][0];
        assert!(problem["field"].as_str().is_some_and(|field| field.starts_with("where")));
        assert!(refused.text.len() < 2_000, "{}", refused.text);
    }
    for (given, found) in [
        (json!([["password", "==", "' or 1=1 --"]]), 0),
        (json!([["password", "==", "secret"]]), 1),
        (json!([["password", "contains", "%"]]), 0),
        (json!([["password", "contains", "_ecret"]]), 0),
        (json!([["x' or '1'='1".replace('\'', " "), "==", null]]), 1),
    ] {
        let path = "/api/collections/users/query";
        let answer = server.post(path, json!({ "where": given })).await.expect(200).json();
        assert_eq!(answer["data"].as_array().map(Vec::len), Some(found), "{given}");
    }
    for query in ["where=n,==", "where=n", "order_by=-", "limit=0", "limit=x", "cursor=x", "wher=1"]
    {
        let refused = server.get(&format!("{USERS}?{query}")).await.expect(400);
        assert!(["DB_006", "API_001"].contains(&refused.code().as_str()), "{}", refused.text);
    }
    let refused = server.answer(server.request("DELETE", USERS)).await.expect(400);
    assert_eq!(refused.code(), "DB_006");
    server.get(&format!("{USERS}/ada")).await.expect(200);
}

#[tokio::test]
async fn documents_that_are_none_are_refused() {
    let server = dev(&[]).await;
    let deep = |levels: usize| format!("{{\"a\":{}1{}}}", "[".repeat(levels), "]".repeat(levels));
    let long = "x".repeat(10_000);
    for (body, code) in [
        (deep(40).into_bytes(), "DB_003"),
        (deep(10_000).into_bytes(), "API_001"),
        (b"{\"a\": \"\xff\xfe\"}".to_vec(), "API_001"),
        (b"{\"\\u0000\": 1}".to_vec(), "DB_003"),
        (b"{\"a\": 1e999}".to_vec(), "API_001"),
        (b"{\"a\": NaN}".to_vec(), "API_001"),
        (b"".to_vec(), "API_001"),
        (b"7".to_vec(), "DB_003"),
        (b"\"text\"".to_vec(), "DB_003"),
        (b"null".to_vec(), "DB_003"),
        (b"[7]".to_vec(), "DB_003"),
        (b"[[]]".to_vec(), "DB_003"),
        (b"{\"_id\": 7}".to_vec(), "DB_003"),
        (format!("{{\"{long}\": 1}}").into_bytes(), "DB_003"),
        (format!("{{\"id\": \"{long}\"}}").into_bytes(), "DB_003"),
        (format!("{{\"a\": \"{}\"}}", "x".repeat(2 << 20)).into_bytes(), "DB_003"),
        (b"{\"id\": 7}".to_vec(), "DB_003"),
        (b"{\"id\": null}".to_vec(), "DB_003"),
        (b"{\"id\": \"\"}".to_vec(), "DB_003"),
        (b"{\"id\": \"../../etc/passwd\"}".to_vec(), "DB_003"),
        (b"{\"id\": \"..\"}".to_vec(), "DB_003"),
        (b"{\"id\": \"a\\u0000b\"}".to_vec(), "DB_003"),
        (b"{\"id\": \"a\\nb\"}".to_vec(), "DB_003"),
    ] {
        let shown = String::from_utf8_lossy(&body[..body.len().min(60)]).into_owned();
        let (status, told) = raw(&server, "POST", USERS, body).await;
        assert_eq!((status, told.as_str()), (400, code), "{shown}");
    }
    let many: Vec<Value> = (0..1_001).map(|n| json!({ "n": n })).collect();
    let refused = server.post(USERS, json!(many)).await.expect(400);
    assert_eq!(refused.code(), "API_001");
    let (status, code) = raw(&server, "POST", USERS, vec![b' '; 11 << 20]).await;
    assert_eq!((status, code.as_str()), (413, "API_004"));
    assert_eq!(server.get(USERS).await.expect(200).json()["data"], json!([]));
}

#[tokio::test]
async fn odd_names_are_kept_or_refused_and_lead_nowhere() {
    let server = dev(&[]).await;
    for id in ["ünï", "a b", "100%", "a?b#c", "a\\b", "'; --", "...", "💥"] {
        let made = create(&server, "users", json!({ "id": id, "n": 1 })).await;
        assert_eq!(made["id"], id);
        let mut path = format!("{USERS}/");
        for byte in id.bytes() {
            path.push_str(&format!("%{byte:02X}"));
        }
        assert_eq!(server.get(&path).await.expect(200).json()["id"], id);
        let changed = send(&server, "PATCH", &path, json!({ "n": 2 })).await.expect(200).json();
        assert_eq!(changed["n"], 2);
        server.answer(server.request("DELETE", &path)).await.expect(204);
    }
    let long = "x".repeat(10_000);
    for (method, path, status) in [
        ("GET", format!("{USERS}/%ff%fe"), 400),
        ("GET", format!("{USERS}/a%00b"), 400),
        ("GET", format!("{USERS}/..%2f..%2fkeys"), 404),
        ("PUT", format!("{USERS}/..%2fx?upsert=true"), 400),
        ("PUT", format!("{USERS}/a%00b?upsert=true"), 400),
        ("PUT", format!("{USERS}/{long}?upsert=true"), 400),
        ("GET", "/api/collections/_users/documents".to_owned(), 400),
        ("GET", "/api/collections/_users".to_owned(), 404),
        ("PUT", "/api/collections/_users".to_owned(), 400),
        ("PUT", "/api/collections/a.b".to_owned(), 400),
        ("DELETE", "/api/collections/_users".to_owned(), 404),
        ("POST", "/api/collections/..%2f_users/documents".to_owned(), 400),
        ("POST", format!("/api/collections/{long}/documents"), 400),
        ("GET", "/api/collections/a%00/documents".to_owned(), 400),
    ] {
        let answer = send(&server, method, &path, json!({})).await;
        let shown: String = path.chars().take(60).collect();
        assert_eq!(answer.status, status, "{method} {shown}: {}", answer.text);
        assert!(answer.text.len() < 2_000, "{shown}");
    }
    for (name, value) in [("if-match", "\"a\", \"b\""), ("if-none-match", "\"evt_0000000000007\"")]
    {
        let request = server.request("PUT", &format!("{USERS}/x")).header(name, value);
        let refused = server.answer(request.json(&json!({}))).await.expect(400);
        assert_eq!(refused.code(), "API_001", "{name}");
    }
    assert_eq!(server.get("/api/collections").await.json()["data"][0]["name"], "users");
}
