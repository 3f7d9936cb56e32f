//! Hooks of collections in the built binary: functions that are asked before a document is written,
//! and what is left where one says no.

use evoke_testkit::TestServer;
use serde_json::{Value, json};

use crate::database::{create, dev_on, manifest, on, send};
use crate::facts::until;
use crate::support::dev;

const USERS: &str = "/api/collections/users/documents";

/// The files of a function in Node with these triggers.
fn node(name: &str, triggers: &[Value], code: &str) -> [(String, String); 2] {
    [
        (format!("functions/{name}/function.json"), manifest("node", triggers)),
        (format!("functions/{name}/index.mjs"), code.to_owned()),
    ]
}

/// A hook of `users`.
fn hook(more: Value) -> Value {
    let mut hook = on("users", more);
    hook["mode"] = json!("sync");
    hook
}

/// A server with one hook.
async fn hooked(more: Value, code: &str) -> TestServer {
    dev_on(&node("guard", &[hook(more)], code)).await
}

async fn count(server: &TestServer) -> Value {
    let counted = server.post("/api/collections/users/count", json!({})).await;
    counted.expect(200).json()["count"].clone()
}

/// The events of a type, as far as they are there.
async fn events(server: &TestServer, kind: &str) -> Vec<Value> {
    let page = server.get(&format!("/api/events?type={kind}")).await.expect(200).json();
    page["data"].as_array().expect("a list").clone()
}

/// Waits until the refusal of a change is recorded, which happens behind the answer.
async fn recorded(server: &TestServer, kind: &str, least: usize) -> Vec<Value> {
    until(&format!("{kind} is recorded"), async || {
        let found = events(server, kind).await;
        (found.len() >= least).then_some(found)
    })
    .await
}

#[tokio::test]
async fn a_hook_says_no_in_each_way_and_nothing_is_left() {
    const CODE: &str = "export const handler = ({ data }) => {\n  \
        switch (data.document.way) {\n    \
        case 'true': return { reject: true };\n    \
        case 'text': return { reject: 'not today' };\n    \
        case 'object': return { reject: { message: 'taken', status: 409,\n      \
          problems: [{ field: 'email', message: 'is taken' }] } };\n    \
        case 'response': return new Response('closed', { status: 403 });\n    \
        case 'throw': throw new Error('out of order');\n  }\n};\n";
    let watcher = on("*", json!({ "name": "seen" }));
    let mut files = node("guard", &[hook(json!({ "events": ["create"] }))], CODE).to_vec();
    files.extend(node("watch", &[watcher], "export const handler = () => 'seen';\n"));
    let server = dev_on(&files).await;
    for (way, status, code, told) in [
        ("true", 422, "HK_001", ""),
        ("text", 422, "HK_001", "not today"),
        ("object", 409, "HK_001", "taken"),
        ("response", 403, "HK_001", "closed"),
        ("throw", 502, "HK_002", "out of order"),
    ] {
        let refused = server.post(USERS, json!({ "id": way, "way": way })).await.expect(status);
        assert_eq!(refused.code(), code, "{}", refused.text);
        assert!(refused.text.contains(told), "{}", refused.text);
        server.get(&format!("{USERS}/{way}")).await.expect(404);
    }
    create(&server, "users", json!({ "id": "fine", "way": "none" })).await;
    let refused = recorded(&server, "rejected.database.users.create", 5).await;
    assert!(refused.iter().all(|event| event["data"]["rejection"]["code"].is_string()));
    let made = events(&server, "database.users.create").await;
    assert_eq!(made.len(), 1, "{made:#?}");
    assert_eq!(made[0]["subject"], "fine");
    assert_eq!(count(&server).await, 1);
    let asked = server.ended("function=guard&limit=100", 6).await;
    let well = asked.iter().filter(|one| one["status"] == "success").count();
    assert_eq!((asked.len(), well), (6, 5), "{asked:#?}");
    let seen = server.ended("function=watch&limit=100", 1).await;
    assert_eq!(seen.len(), 1, "only what was written is seen: {seen:#?}");
}

#[tokio::test]
async fn a_hook_that_takes_too_long_rejects_or_lets_the_change_go_on() {
    const SLOW: &str = "export const handler = () => new Promise(() => {});\n";
    let server = hooked(json!({ "timeout": "200ms" }), SLOW).await;
    let refused = server.post(USERS, json!({ "id": "x" })).await.expect(504);
    assert_eq!(refused.code(), "HK_003", "{}", refused.text);
    server.get(&format!("{USERS}/x")).await.expect(404);
    let server = hooked(json!({ "timeout": "200ms", "on_failure": "continue" }), SLOW).await;
    create(&server, "users", json!({ "id": "x" })).await;
    let asked = server.ended("function=guard", 1).await;
    assert_eq!(asked[0]["status"], "timed_out");
    let broken = "export const handler = () => { throw new Error('no'); };\n";
    let server = hooked(json!({ "on_failure": "continue" }), broken).await;
    create(&server, "users", json!({ "id": "x" })).await;
    assert_eq!(server.ended("function=guard", 1).await[0]["status"], "failed");
}

#[tokio::test]
async fn hooks_are_asked_by_priority_and_see_what_the_one_before_changed() {
    let add = |letter: &str| {
        format!(
            "export const handler = ({{ data }}) => ({{\n  document: {{ ...data.document, \
             way: data.document.way + '{letter}' }},\n}});\n"
        )
    };
    let modify = |priority: i32| hook(json!({ "priority": priority, "allow_modify": true }));
    let mut files = node("second", &[modify(1)], &add("b")).to_vec();
    files.extend(node("first", &[modify(10)], &add("a")));
    files.extend(node("third", &[modify(-5)], &add("c")));
    let quiet = hook(json!({ "priority": -10 }));
    let last = "export const handler = ({ data }) =>\n  \
                data.document.way !== 'abc' && { reject: data.document.way };\n";
    files.extend(node("last", &[quiet], last));
    let server = dev_on(&files).await;
    let made = create(&server, "users", json!({ "id": "x", "way": "" })).await;
    assert_eq!(made["way"], "abc");
    let event = events(&server, "database.users.create").await.remove(0);
    assert_eq!(event["data"]["document"], json!({ "id": "x", "way": "abc" }));
    let updated = send(&server, "PATCH", &format!("{USERS}/x"), json!({ "way": "" })).await;
    assert_eq!(updated.expect(200).json()["way"], "abc");
}

#[tokio::test]
async fn a_document_of_a_hook_is_taken_only_where_that_is_allowed_and_fits() {
    let give =
        |document: &str| format!("export const handler = () => ({{ document: {document} }});\n");
    let server = hooked(json!({}), &give("{ n: 1 }")).await;
    let refused = server.post(USERS, json!({ "id": "x" })).await.expect(502);
    assert!(refused.text.contains("allow_modify"), "{}", refused.text);
    let schema = r#"{ "properties": { "n": { "type": "integer" } } }"#;
    for (document, told) in [("{ n: 'x' }", "document.n"), ("{ id: 'y' }", "document.id")] {
        let mut files =
            node("guard", &[hook(json!({ "allow_modify": true }))], &give(document)).to_vec();
        files.push(("schemas/users.json".to_owned(), schema.to_owned()));
        let server = dev_on(&files).await;
        let refused = server.post(USERS, json!({ "id": "x" })).await.expect(502);
        assert!(refused.text.contains(told), "{}", refused.text);
        assert_eq!(count(&server).await, 0);
    }
}

/// A function calls this server with the token of its execution.
const CALL: &str = "const call = (method, path, body) => fetch(process.env.EVOKE_URL + path, {\n  \
    method, body: JSON.stringify(body),\n  headers: { 'content-type': 'application/json', \
    authorization: `Bearer ${context.token}` },\n});\n";

#[tokio::test]
async fn a_function_that_changes_what_it_watches_does_not_start_itself() {
    let code = "export const handler = async (event, context) => {\n  ".to_owned()
        + CALL
        + "  const answer = await call('POST', '/api/collections/users/documents', { by: 'f' });\n  \
           return answer.status;\n};\n";
    let trigger = on("users", json!({ "events": ["create"] }));
    for mode in ["async", "sync"] {
        let mut trigger = trigger.clone();
        trigger["mode"] = json!(mode);
        let server = dev_on(&node("f", &[trigger], &code)).await;
        create(&server, "users", json!({ "id": "x" })).await;
        let ended = server.ended("function=f", 2).await;
        let told: Vec<_> = ended.iter().map(|one| one["status"].clone()).collect();
        assert_eq!(told, ["cancelled", "success"], "{mode}: {ended:#?}");
        assert_eq!(count(&server).await, 2, "{mode}");
    }
}

/// Two hooks that cause one another: each change is part of what caused it, and that is noticed.
#[tokio::test]
async fn a_chain_of_hooks_is_cut_at_its_depth() {
    let into = |other: &str| {
        "export const handler = async (event, context) => {\n  ".to_owned()
            + CALL
            + &format!(
                "  const answer = await call('POST', '/api/collections/{other}/documents', {{}});\n  \
                 if (!answer.ok) return {{ reject: await answer.text() }};\n}};\n"
            )
    };
    // Each step has a collection and a hook of its own, so that none of them is its own effect.
    let mut files = vec![("evoke.toml".to_owned(), "[events]\ndepth_max = 4\n".to_owned())];
    for step in 0..8 {
        let trigger = on(&format!("step{step}"), json!({ "mode": "sync", "timeout": "60s" }));
        files.extend(node(&format!("f{step}"), &[trigger], &into(&format!("step{}", step + 1))));
    }
    let server = dev_on(&files).await;
    let refused = server.post("/api/collections/step0/documents", json!({})).await.expect(422);
    assert!(refused.text.contains("EV_004"), "{}", refused.text);
    for step in 0..8 {
        let path = format!("/api/collections/step{step}/documents");
        let left = server.get(&path).await.expect(200).json();
        assert_eq!(left["data"], json!([]), "{path}");
    }
}

/// The document is not locked while a hook runs: what was changed meanwhile is not lost.
#[tokio::test]
async fn hooks_are_asked_again_about_a_document_that_was_changed_meanwhile() {
    let code = "export const handler = async (event, context) => {\n  ".to_owned()
        + CALL
        + "  if (event.data.document.n !== 1 || event.data.previous_document.meanwhile) return;\n  \
           await call('PATCH', '/api/collections/users/documents/x', { meanwhile: true });\n};\n";
    let server = hooked(json!({ "events": ["update"], "timeout": "30s" }), &code).await;
    create(&server, "users", json!({ "id": "x", "n": 0 })).await;
    let path = format!("{USERS}/x");
    let changed = send(&server, "PATCH", &path, json!({ "n": 1 })).await.expect(200).json();
    assert_eq!((&changed["n"], &changed["meanwhile"]), (&json!(1), &json!(true)));
    let made = events(&server, "database.users.update").await;
    assert_eq!(made.len(), 2, "{made:#?}");
    assert_eq!(made[0]["data"]["changed_fields"], json!(["n"]));
}

#[tokio::test]
async fn a_transaction_is_refused_whole_by_one_of_its_hooks() {
    let code =
        "export const handler = ({ data }) => data.document.n < 0 && { reject: 'too low' };\n";
    let manifest = manifest("node", &[on("*", json!({ "mode": "sync", "name": "guard" }))]);
    let server =
        dev(&[("functions/f/function.json", &manifest), ("functions/f/index.mjs", code)]).await;
    let create = |collection: &str, n: i64| {
        let document = json!({ "n": n });
        json!({ "op": "create", "collection": collection, "id": "x", "document": document })
    };
    let operations = json!({ "operations": [create("users", 1), create("orders", -1)] });
    let refused = server.post("/api/transactions", operations).await.expect(422);
    assert_eq!(refused.code(), "HK_001");
    assert_eq!(refused.json()["error"]["problems"][0]["field"], "operations[1]");
    for path in ["users", "orders"] {
        server.get(&format!("/api/collections/{path}/documents/x")).await.expect(404);
    }
    assert_eq!(events(&server, "database.*").await.len(), 0);
    let operations = json!({ "operations": [create("users", 1), create("orders", 1)] });
    let done = server.post("/api/transactions", operations).await.expect(200).json();
    assert_eq!(done["data"][1]["action"], "create", "{done}");
    assert_eq!(events(&server, "database.*").await.len(), 2);
}

#[tokio::test]
async fn a_guard_that_never_worked_lets_nobody_pass_until_it_is_gone() {
    let mut server = hooked(json!({}), "export const handler = (=>;\n").await;
    for _ in 0..2 {
        let refused = server.post(USERS, json!({ "id": "x" })).await.expect(502);
        assert_eq!(refused.code(), "HK_002", "{}", refused.text);
        server.kill();
        server.restart().await;
    }
    server.kill();
    std::fs::remove_dir_all(server.dir().join("functions/guard")).expect("removed");
    server.restart().await;
    create(&server, "users", json!({ "id": "x" })).await;
    server.get("/api/functions/guard").await.expect(404);
}
