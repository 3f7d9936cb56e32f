//! The interface of collections in the built binary: preconditions, queries, schemas, changes.

use std::time::Duration;

use evoke_testkit::server::PATIENCE;
use evoke_testkit::{Options, TestServer};
use serde_json::{Value, json};

use crate::database::{create, manifest, on, send};
use crate::facts::{printed, until};
use crate::support::{BINARY, dev};

const USERS: &str = "/api/collections/users/documents";

#[tokio::test]
async fn preconditions_hold() {
    let server = dev(&[]).await;
    let path = format!("{USERS}/x");
    let put = |name: &'static str, value: String, body: Value| {
        let request = server.request("PUT", &path).header(name, value).json(&body);
        server.answer(request)
    };
    let made = put("if-none-match", "*".to_owned(), json!({ "n": 1 })).await.expect(201);
    let first = made.headers["etag"].to_str().expect("text").to_owned();
    assert_eq!(first, format!("\"{}\"", made.json()["_revision"].as_str().unwrap_or_default()));
    let again = put("if-none-match", "*".to_owned(), json!({ "n": 1 })).await.expect(409);
    assert_eq!(again.code(), "DB_005");
    let second = put("if-match", first.clone(), json!({ "n": 2 })).await.expect(200);
    let late = put("if-match", first.clone(), json!({ "n": 3 })).await.expect(412);
    assert_eq!(late.code(), "DB_004");
    put("if-match", "\"nonsense\"".to_owned(), json!({ "n": 3 })).await.expect(412);
    put("if-match", "*".to_owned(), json!({ "n": 3 })).await.expect(200);
    let request = server.request("DELETE", &path).header("if-match", &first);
    server.answer(request).await.expect(412);
    let now = server.get(&path).await.expect(200);
    assert_ne!(now.headers["etag"], second.headers["etag"]);
    let known = server.request("GET", &path).header("if-none-match", &now.headers["etag"]);
    assert_eq!(server.answer(known).await.expect(304).text, "");
    send(&server, "PUT", &format!("{USERS}/y"), json!({})).await.expect(404);
    send(&server, "PUT", &format!("{USERS}/y?upsert=true"), json!({ "n": 1 })).await.expect(201);
    send(&server, "PUT", &format!("{USERS}/y?upsert=true"), json!({ "n": 2 })).await.expect(200);
    let check = json!({ "operations": [
        { "op": "check", "collection": "users", "id": "x", "if_match": made.json()["_revision"] },
        { "op": "delete", "collection": "users", "id": "y" },
    ] });
    let refused = server.post("/api/transactions", check).await.expect(412);
    assert_eq!(refused.json()["error"]["problems"][0]["field"], "operations[0]");
    server.get(&format!("{USERS}/y")).await.expect(200);
}

/// What is expected to be there is not created, and what is expected to be missing is guarded.
#[tokio::test]
async fn preconditions_hold_of_what_is_not_there() {
    let server = dev(&[]).await;
    create(&server, "users", json!({ "id": "x" })).await;
    let put = async |id: &str, headers: &[(&str, &str)]| {
        let request = server.request("PUT", &format!("{USERS}/{id}?upsert=true"));
        let request =
            headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        server.answer(request.json(&json!({ "n": 1 }))).await.status
    };
    let revision = "\"evt_0000000000001\"";
    for (id, headers, status) in [
        ("new", vec![("if-match", "*")], 412),
        ("new", vec![("if-match", revision)], 412),
        ("new", vec![("if-none-match", "*"), ("if-match", "*")], 412),
        ("x", vec![("if-none-match", "*"), ("if-match", "*")], 412),
        ("x", vec![("if-match", "*"), ("if-match", revision)], 400),
        ("x", vec![("if-match", "*")], 200),
        ("new", vec![("if-none-match", "*")], 201),
    ] {
        assert_eq!(put(id, &headers).await, status, "{id} {headers:?}");
    }
    let guarded = |id: &str| {
        json!({ "operations": [
            { "op": "check", "collection": "users", "id": id, "revision": null },
            { "op": "update", "collection": "users", "id": "x", "document": { "n": 2 } },
        ] })
    };
    let refused = server.post("/api/transactions", guarded("new")).await.expect(412);
    assert_eq!(refused.code(), "DB_004");
    let done = server.post("/api/transactions", guarded("none")).await.expect(200).json();
    assert_eq!(
        (&done["data"][0]["document"], &done["data"][0]["action"]),
        (&json!(null), &json!(null))
    );
    assert_eq!(done["data"][1]["action"], "update");
    server.get(&format!("{USERS}/none")).await.expect(404);
}

/// Each is made from what the one before left.
#[tokio::test]
async fn many_changes_of_one_document_at_once_are_all_made() {
    let server = dev(&[]).await;
    create(&server, "users", json!({ "id": "x" })).await;
    let path = format!("{USERS}/x");
    let server = std::sync::Arc::new(server);
    let mut changes = tokio::task::JoinSet::new();
    for n in 0..64 {
        let (server, path) = (server.clone(), path.clone());
        changes.spawn(async move {
            send(&server, "PATCH", &path, json!({ format!("f{n}"): n })).await.expect(200);
        });
    }
    changes.join_all().await;
    let now = server.get(&path).await.json();
    assert_eq!(now["f0"], 0);
    assert_eq!(now["f63"], 63);
}

#[tokio::test]
async fn queries_find_sort_page_and_use_their_indexes() {
    let schema = r#"{ "indexes": [{ "fields": ["city", "age"] }] }"#;
    let server = dev(&[("schemas/users.json", schema)]).await;
    let cities = ["Rom", "Oslo", "Rom", "Bern", "Rom"];
    let people: Vec<Value> = cities
        .iter()
        .enumerate()
        .map(|(n, city)| json!({ "id": n.to_string(), "city": city, "age": 20 + n, "t": [n] }))
        .collect();
    let made = server.post(USERS, json!(people)).await.expect(201).json();
    assert_eq!(made["data"].as_array().map(Vec::len), Some(5));
    let ids = |page: &Value| -> Vec<String> {
        let data = page["data"].as_array().expect("a list").iter();
        data.map(|one| one["id"].as_str().unwrap_or_default().to_owned()).collect()
    };
    let query = json!({ "where": [["city", "==", "Rom"]], "order_by": ["-age"], "limit": 2 });
    let path = "/api/collections/users/query";
    let page = server.post(path, query.clone()).await.expect(200).json();
    assert_eq!(ids(&page), ["4", "2"]);
    let mut next = query.clone();
    next["cursor"] = page["next_cursor"].clone();
    let page = server.post(path, next.clone()).await.expect(200).json();
    assert_eq!((ids(&page), &page["next_cursor"]), (vec!["0".to_owned()], &Value::Null));
    next["order_by"] = json!(["age"]);
    assert_eq!(server.post(path, next).await.expect(400).code(), "DB_006");
    let path_of = |query: &str| format!("{USERS}?{query}");
    let listed = path_of("where=age,%3E,20&where=city,!=,Rom&order_by=city");
    assert_eq!(ids(&server.get(&listed).await.expect(200).json()), ["3", "1"]);
    let tagged = server.get(&format!("{USERS}?where=[[%22t%22,%22array-contains%22,3]]")).await;
    assert_eq!(ids(&tagged.expect(200).json()), ["3"]);
    let counted = server.post("/api/collections/users/count", query.clone()).await.expect(200);
    assert_eq!(counted.json(), json!({ "count": 3 }));
    let path = "/api/collections/users/explain";
    let plan = server.post(path, query).await.expect(200).json()["plan"].to_string();
    assert!(plan.contains("INDEX") && !plan.contains("SCAN"), "{plan}");
    let other = json!({ "where": [["t", "array-contains", 1]] });
    let plan = server.post(path, other).await.expect(200).json()["plan"].to_string();
    assert!(!plan.contains("city_age"), "{plan}");
    let set = json!({ "where": [["city", "==", "Rom"]], "set": { "eternal": true } });
    let tally = send(&server, "PATCH", USERS, set).await.expect(200).json();
    assert_eq!(tally, json!({ "matched": 3, "changed": 3 }));
    let path = format!("{USERS}?where=eternal,==,true");
    let tally = server.answer(server.request("DELETE", &path)).await.expect(200).json();
    assert_eq!(tally, json!({ "matched": 3, "changed": 3 }));
    assert_eq!(ids(&server.get(USERS).await.json()), ["1", "3"]);
    let events = server.get("/api/events?type=database.users.delete").await.json();
    assert_eq!(events["data"].as_array().map(Vec::len), Some(3));
}

#[tokio::test]
async fn schemas_are_taken_from_the_project_and_read_again_when_they_change() {
    let first =
        r#"{ "required": ["email"], "indexes": [{ "fields": ["email"], "unique": true }] }"#;
    let broken = r#"{ "indexes": [{ "fields": ["a"], "uniqe": true }] }"#;
    let server = dev(&[("schemas/users.json", first), ("schemas/orders.json", broken)]).await;
    printed(&server, "schemas/orders.json: indexes[0].uniqe: unknown field").await;
    printed(&server, "did you mean \"unique\"?").await;
    let refused = server.post(USERS, json!({ "name": "Ada" })).await.expect(400);
    assert_eq!(refused.code(), "DB_003");
    assert!(refused.text.contains("email"), "{}", refused.text);
    create(&server, "users", json!({ "id": "ada", "email": "a@b.c", "name": "Ada" })).await;
    let twice = server.post(USERS, json!({ "email": "a@b.c", "name": "Ada" })).await.expect(409);
    assert_eq!(twice.code(), "DB_005");
    assert_eq!(twice.json()["error"]["problems"][0]["field"], "document.email");
    create(&server, "users", json!({ "id": "eva", "email": "e@b.c", "name": "Ada" })).await;
    // An index that what is there stands against is told of, and the rest goes on.
    let second = r#"{ "indexes": [{ "fields": ["name"], "unique": true }] }"#;
    server.write(&[("schemas/users.json", second), ("schemas/more.json", "{}")]);
    printed(&server, "Collection users stays as it is: DB_007").await;
    until("the other one is declared", async || {
        let known = server.get("/api/collections/more").await;
        (known.status == 200).then_some(())
    })
    .await;
    let users = server.get("/api/collections/users").await.expect(200).json();
    assert_eq!(users["indexes"][0]["name"], "email", "{users}");
    let third = r#"{ "properties": { "name": { "type": "string" } } }"#;
    server.write(&[("schemas/users.json", third)]);
    until("the schema is another", async || {
        let users = server.get("/api/collections/users").await.json();
        (users["indexes"] == json!([])).then_some(())
    })
    .await;
    create(&server, "users", json!({ "name": "Ada" })).await;
    server.post(USERS, json!({ "name": 7 })).await.expect(400);
}

#[tokio::test]
async fn a_server_in_production_knows_only_what_was_declared_and_whom_it_gave_a_key() {
    let trigger = on("users", json!({ "events": ["create"] }));
    let code = "export const handler = async (event, context) => {\n  \
        const answer = await fetch(process.env.EVOKE_URL + '/api/collections/logs/documents', {\n    \
        method: 'POST', body: JSON.stringify({ about: event.subject }),\n    \
        headers: { 'content-type': 'application/json', authorization: `Bearer ${context.token}` },\n  \
        });\n  return answer.status;\n};\n";
    let files = [
        ("evoke.toml", ""),
        ("schemas/users.json", "{}"),
        ("schemas/logs.json", "{}"),
        ("functions/f/function.json", &manifest("node", &[trigger])),
        ("functions/f/index.mjs", code),
    ];
    let options = Options { command: "serve", ..Options::default() };
    let mut server = TestServer::start(BINARY, &files, options).await;
    let refused = server.get("/api/collections").await.expect(401);
    assert_eq!(refused.code(), "FN_009");
    assert_eq!(server.terminate().await, Some(0));
    let key = std::process::Command::new(BINARY)
        .args(["keys", "create", "test", "--local", "-o", "json"])
        .current_dir(server.dir())
        .output()
        .expect("make a key");
    let key: Value = serde_json::from_slice(&key.stdout).expect("a key");
    let key = key["key"].as_str().expect("the key");
    server.restart().await;
    let post = |path: &str, body: Value| {
        server.answer(server.request("POST", path).bearer_auth(key).json(&body))
    };
    let unknown = post("/api/collections/user/documents", json!({})).await.expect(404);
    assert_eq!(unknown.code(), "DB_001");
    assert!(unknown.text.contains("did you mean \\\"users\\\"?"), "{}", unknown.text);
    post(USERS, json!({ "id": "ada" })).await.expect(201);
    until("the function wrote with its token", async || {
        let path = "/api/collections/logs/documents";
        let request = server.request("GET", path).bearer_auth(key);
        let found = server.answer(request).await.expect(200).json();
        (found["data"][0]["about"] == "ada").then_some(())
    })
    .await;
}

/// Reads a stream until so many changes came.
async fn changes(server: &TestServer, query: &str, last: Option<&str>, count: usize) -> Vec<Value> {
    let path = format!("/api/collections/users/changes{query}");
    let mut request = server.request("GET", &path);
    if let Some(last) = last {
        request = request.header("last-event-id", last);
    }
    let mut answer = request.send().await.expect("a stream");
    assert_eq!(answer.status(), 200);
    let mut text = String::new();
    let mut found = Vec::new();
    while found.len() < count {
        let piece = tokio::time::timeout(PATIENCE, answer.chunk()).await.expect("in time");
        let piece = piece.expect("a piece").unwrap_or_default();
        text.push_str(std::str::from_utf8(&piece).expect("UTF-8"));
        while let Some((message, rest)) = text.split_once("\n\n").map(|(a, b)| (a.to_owned(), b)) {
            let field = |name: &str| {
                message.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned)
            };
            if let (Some(id), Some(data)) = (field("id: "), field("data: ")) {
                let mut change: Value = serde_json::from_str(&data).expect("JSON");
                assert_eq!(change["event_id"], id.as_str());
                assert_eq!(field("event: ").as_deref(), Some("change"));
                change["message"] = json!(id);
                found.push(change);
            }
            text = rest.to_owned();
        }
    }
    found
}

/// The id of a message that has nothing else, which comes first.
async fn place(server: &TestServer) -> String {
    let request = server.request("GET", "/api/collections/users/changes");
    let mut answer = request.send().await.expect("a stream");
    let mut text = String::new();
    while !text.contains("\n\n") {
        let piece = tokio::time::timeout(PATIENCE, answer.chunk()).await.expect("in time");
        let piece = piece.expect("a piece").unwrap_or_default();
        text.push_str(std::str::from_utf8(&piece).expect("UTF-8"));
    }
    let id = text.strip_prefix("id: ").and_then(|rest| rest.strip_suffix("\n\n"));
    id.unwrap_or_else(|| panic!("{text:?}")).to_owned()
}

#[tokio::test]
async fn a_reader_that_breaks_off_before_anything_happened_misses_nothing() {
    let server = dev(&[]).await;
    create(&server, "users", json!({ "id": "before" })).await;
    let place = place(&server).await;
    create(&server, "users", json!({ "id": "between" })).await;
    let found = changes(&server, "", Some(&place), 1).await;
    assert_eq!(found[0]["id"], "between");
}

#[tokio::test]
async fn changes_are_followed_from_where_a_reader_left() {
    let mut server = dev(&[]).await;
    let first = create(&server, "users", json!({ "id": "x", "n": 1 })).await;
    let reader = async {
        let found = changes(&server, "", None, 2).await;
        found.iter().map(|one| one["action"].clone()).collect::<Vec<_>>()
    };
    let writer = async {
        // The reader follows from now on.
        tokio::time::sleep(Duration::from_millis(300)).await;
        let path = format!("{USERS}/x");
        send(&server, "PATCH", &path, json!({ "n": 2 })).await.expect(200);
        create(&server, "others", json!({})).await;
        server.answer(server.request("DELETE", &path)).await.expect(204);
    };
    let (seen, ()) = tokio::join!(reader, writer);
    assert_eq!(seen, ["update", "delete"]);
    let revision = first["_revision"].as_str().expect("a revision").to_owned();
    let rest = changes(&server, "", Some(&revision), 2).await;
    assert_eq!((&rest[0]["action"], &rest[0]["changed_fields"]), (&json!("update"), &json!(["n"])));
    assert_eq!(rest[1]["previous_document"], json!({ "id": "x", "n": 2 }));
    assert_eq!((&rest[1]["id"], &rest[1]["document"]), (&json!("x"), &Value::Null));
    let deleted = changes(&server, "?action=delete", Some(&revision), 1).await;
    assert_eq!(deleted[0]["message"], rest[1]["message"]);
    server.kill();
    server.restart().await;
    let again = changes(&server, "", Some(&revision), 2).await;
    assert_eq!(again, rest);
    let refused =
        server.request("GET", "/api/collections/users/changes").header("last-event-id", "x");
    server.answer(refused).await.expect(400);
    // A stream that is open does not keep the server from stopping.
    let open =
        server.request("GET", "/api/collections/users/changes").send().await.expect("a stream");
    assert_eq!(server.terminate().await, Some(0));
    drop(open);
}
