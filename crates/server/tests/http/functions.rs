use serde_json::json;

use crate::world::World;

#[tokio::test]
async fn a_function_shows_itself_but_not_its_secrets() {
    let world = World::new().await;
    world.route("echo", "/hello", &["GET"]).await;
    let page = world.get("/api/functions").await.json();
    assert_eq!(page["data"].as_array().map(Vec::len), Some(1));
    let function = world.get("/api/functions/echo").await.json();
    assert_eq!(function, page["data"][0]);
    assert_eq!(function["status"], "ready");
    assert_eq!((&function["memory"], &function["timeout"]), (&json!("256mb"), &json!("30s")));
    assert_eq!(function["environment"], json!(["SECRET"]));
    assert_eq!(function["workers"]["ready"], 1);
    let kinds: Vec<_> = function["triggers"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|t| t["type"].clone())
        .collect();
    assert!(kinds.contains(&json!("http")) && kinds.contains(&json!("invoke")), "{kinds:?}");
    let by_id = format!("/api/functions/{}", function["id"].as_str().expect("an id"));
    assert_eq!(world.get(&by_id).await.json()["name"], "echo");
    let unknown = world.get("/api/functions/ecco").await;
    assert_eq!((unknown.status, unknown.code().as_str()), (404, "FN_001"));
    assert!(unknown.text().contains("did you mean"), "{unknown:?}");
}

#[tokio::test]
async fn a_call_gives_what_the_function_gives() {
    let world = World::new().await;
    for name in ["echo", "nothing", "text", "bytes"] {
        world.deploy(name, Vec::new()).await;
    }
    for path in ["/api/functions/echo/invoke", "/api/functions/echo", "/api/v1/functions/echo"] {
        let answer = world.post(path, &json!({ "n": 7 })).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.json()["data"], json!({ "n": 7 }));
        assert_eq!(answer.json()["type"], "invoke.echo");
        assert!(answer.header("x-evoke-execution-id").is_some_and(|id| id.starts_with("exe_")));
    }
    let call = async |name: &str| {
        world.wire.send("POST", &format!("/api/functions/{name}/invoke"), &[], b"").await
    };
    assert_eq!(call("nothing").await.text(), "null");
    let text = call("text").await;
    assert_eq!(
        (text.text().as_str(), text.header("content-type")),
        ("plain", Some("text/plain; charset=utf-8"))
    );
    assert_eq!(call("bytes").await.body, b"\xff\x00");
    let unknown = call("nobody").await;
    assert_eq!((unknown.status, unknown.code().as_str()), (404, "FN_001"));
}

#[tokio::test]
async fn a_failed_call_says_so_with_its_execution() {
    let world = World::new().await;
    world.deploy("fails", Vec::new()).await;
    world.deploy("times-out", Vec::new()).await;
    let failed = world.post("/api/functions/fails/invoke", &json!({})).await;
    assert_eq!((failed.status, failed.code().as_str()), (502, "FN_004"));
    assert_eq!(failed.json()["error"]["stack"], "at index.js:7");
    assert!(failed.header("x-evoke-execution-id").is_some());
    let late = world.post("/api/functions/times-out/invoke", &json!({})).await;
    assert_eq!((late.status, late.code().as_str()), (504, "FN_002"));
}

#[tokio::test]
async fn stacks_stay_here_outside_of_development() {
    let options = evoke_server::ServerOptions {
        stacks: evoke_server::Stacks::Hidden,
        ..crate::world::open()
    };
    let world = World::with(options).await;
    world.deploy("fails", Vec::new()).await;
    let failed = world.post("/api/functions/fails/invoke", &json!({})).await;
    assert!(failed.json()["error"].get("stack").is_none(), "{failed:?}");
}

#[tokio::test]
async fn a_call_nobody_waits_for_is_kept() {
    let world = World::new().await;
    world.deploy("echo", Vec::new()).await;
    let headers = [("prefer", "wait=5, respond-async"), ("idempotency-key", "k")];
    let path = "/api/functions/echo/invoke?is_test_run=true";
    let answer = world.wire.send("POST", path, &headers, b"{}").await;
    assert_eq!(answer.status, 202, "{answer:?}");
    let id = answer.json()["execution_id"].clone();
    assert_eq!(
        answer.header("location"),
        Some(&*format!("/api/executions/{}", id.as_str().expect("an id")))
    );
    let again = world.wire.send("POST", path, &headers, b"{}").await;
    assert_eq!(again.json()["execution_id"], id);
    let ended = world.ended("echo").await;
    assert_eq!((&ended["id"], &ended["is_test_run"]), (&id, &json!(true)));
}

#[tokio::test]
async fn what_a_function_printed_can_be_searched() {
    let world = World::new().await;
    world.on("echo", "t").await;
    world.on("fails", "t").await;
    world.post("/api/events", &json!({ "type": "t" })).await;
    world.ended("echo").await;
    world.ended("fails").await;
    let lines = async |query: &str| {
        let page = world.get(&format!("/api/functions/{query}")).await;
        page.json()["data"].as_array().cloned().unwrap_or_else(|| panic!("{page:?}"))
    };
    let all = lines("echo/logs").await;
    assert_eq!(all.len(), 1);
    assert_eq!((&all[0]["message"], &all[0]["level"]), (&json!("echo was called"), &json!("info")));
    assert!(all[0]["execution_id"].is_string());
    assert_eq!(lines("echo/logs?level=warn").await.len(), 0);
    assert_eq!(lines("fails/logs?level=warn&q=called").await.len(), 1);
    assert_eq!(lines("fails/logs?q=nonsense").await.len(), 0);
    assert_eq!(world.get("/api/functions/echo/logs?level=loud").await.fields(), ["level"]);
    let executions = world.get("/api/functions/echo/executions?status=success").await.json();
    assert_eq!(executions["data"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn a_call_with_a_key_is_made_once_and_answered_again() {
    let world = World::new().await;
    world.deploy("echo", Vec::new()).await;
    world.deploy("fails", Vec::new()).await;
    let call = async |function: &str, key: &str, prefer: &str, body: &[u8]| {
        let headers = [("idempotency-key", key), ("prefer", prefer)];
        let path = format!("/api/functions/{function}/invoke");
        let answer = world.wire.send("POST", &path, &headers, body).await;
        let execution = answer.header("x-evoke-execution-id").map(str::to_owned);
        (answer.status, answer.text(), execution.expect("an execution"))
    };
    let first = call("echo", "k", "", b"1").await;
    assert_eq!(first.0, 200);
    assert_eq!(call("echo", "k", "", b"2").await, first, "answered from the record");
    assert_ne!(call("echo", "other", "", b"1").await.2, first.2);
    let later = call("echo", "later", "respond-async", b"1").await;
    let waited = call("echo", "later", "", b"1").await;
    assert_eq!((later.0, waited.0), (202, 200));
    assert_eq!(waited.2, later.2, "it is waited for");
    let at_once = call("echo", "k", "respond-async", b"1").await;
    assert_eq!((at_once.0, at_once.2), (202, first.2), "the keys are the same");
    let failed = call("fails", "k", "", b"1").await;
    assert_eq!(failed.0, 502);
    assert_eq!(call("fails", "k", "", b"1").await.2, failed.2, "it failed once");
}
