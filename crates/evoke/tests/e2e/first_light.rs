//! The first whole path: an event comes in, a real function runs, and its execution is there to
//! read, for each source, target and runtime.

use crate::support::{ECHO, dev};
use serde_json::json;

#[tokio::test]
async fn a_custom_event_runs_a_node_function_and_is_recorded() {
    let server = dev(&ECHO).await;
    let event = server.emit("echo.hello", json!({ "n": 1 })).await;
    let ended = server.ended(&format!("event={event}"), 1).await;
    let execution = server.execution(ended[0]["id"].as_str().expect("an id")).await;
    assert_eq!(execution["status"], "success");
    assert_eq!(execution["output"], json!({ "got": { "n": 1 }, "attempt": 1 }));
    assert_eq!(execution["function"], "echo");
    assert_eq!(execution["trigger_type"], "event");
    assert_eq!(execution["attempts"], 1);
    assert_eq!(execution["logs"][0]["message"], "got echo.hello");
    assert_eq!(execution["logs"][0]["level"], "info");
    assert_eq!(execution["input"], json!({ "n": 1 }));
    assert!(execution["duration_ms"].is_number(), "{execution}");
}

#[tokio::test]
async fn each_runtime_runs_events_and_routes() {
    let javascript = "export const handler = async (input) => input instanceof Request\n  \
         ? Response.json({ id: input.params.id, said: await input.json() })\n  \
         : { twice: input.data.n * 2 };\n";
    let python = "async def handler(event, context):\n    if hasattr(event, 'method'):\n        \
         return {'id': event.params['id'], 'said': event.json()}\n    \
         return {'twice': event['data']['n'] * 2}\n";
    for (runtime, file, code) in [
        ("nodejs20", "index.mjs", javascript),
        ("nodejs22", "index.mjs", javascript),
        ("nodejs18", "index.mjs", javascript),
        ("bun", "index.ts", javascript),
        ("python", "main.py", python),
    ] {
        let manifest = json!({
            "runtime": runtime,
            "triggers": [
                { "type": "event", "match": "number.came" },
                { "type": "http", "path": "/things/{id}", "methods": ["POST"] },
            ],
        })
        .to_string();
        let path = format!("functions/thing/{file}");
        let server =
            dev(&[("functions/thing/function.json", manifest.as_str()), (&path, code)]).await;
        server.emit("number.came", json!({ "n": 21 })).await;
        let ended = server.ended("trigger_type=event", 1).await;
        let execution = server.execution(ended[0]["id"].as_str().expect("an id")).await;
        assert_eq!(execution["status"], "success", "{runtime}: {execution}");
        assert_eq!(execution["output"], json!({ "twice": 42 }), "{runtime}");

        let answer = server.post("/things/a%20b", json!({ "x": 1 })).await.expect(200);
        assert_eq!(answer.json(), json!({ "id": "a b", "said": { "x": 1 } }), "{runtime}");
        let recorded = server.ended("trigger_type=http", 1).await;
        let id = answer.headers["x-evoke-execution-id"].to_str().expect("text");
        assert_eq!(recorded[0]["id"], id, "{runtime}");
        assert_eq!(server.get("/things/1").await.status, 405, "{runtime}");
        assert_eq!(server.get("/nothing").await.status, 404, "{runtime}");
    }
}

#[tokio::test]
async fn a_function_is_called_directly_and_waited_for_or_not() {
    let server = dev(&ECHO).await;
    let answer = server.post("/api/functions/echo/invoke", json!({ "n": 2 })).await.expect(200);
    assert_eq!(answer.json(), json!({ "got": { "n": 2 }, "attempt": 1 }));
    let later = server
        .request("POST", "/api/functions/echo/invoke")
        .header("prefer", "respond-async")
        .json(&json!({ "n": 3 }));
    let later = server.answer(later).await.expect(202).json();
    let id = later["execution_id"].as_str().expect("an id").to_owned();
    server.ended("trigger_type=invoke", 2).await;
    assert_eq!(server.execution(&id).await["output"]["got"], json!({ "n": 3 }));
    assert_eq!(server.post("/api/functions/ehco/invoke", json!({})).await.code(), "FN_001");
}

#[tokio::test]
async fn an_http_target_gets_the_event() {
    let manifest = r#"{"runtime": "node", "triggers": [{"type": "http", "path": "/sink"}]}"#;
    let code = "export const handler = async (request) => Response.json(await request.json());";
    let server =
        dev(&[("functions/sink/function.json", manifest), ("functions/sink/index.mjs", code)])
            .await;
    let trigger = json!({
        "name": "forward",
        "type": "event",
        "config": { "match": "order.*" },
        "policy": { "filter": "event.data.total > 100" },
        "target": { "type": "http", "config": { "url": server.url("/sink") } },
    });
    server.post("/api/triggers", trigger).await.expect(201);
    server.emit("order.placed", json!({ "total": 5 })).await;
    let event = server.emit("order.placed", json!({ "total": 500 })).await;
    server.ended("trigger_type=event", 1).await;
    let requests = server.ended("trigger_type=http", 1).await;
    assert_eq!(requests.len(), 1, "only the order over 100 was forwarded");
    let request = server.execution(requests[0]["id"].as_str().expect("an id")).await;
    assert_eq!(request["output"]["body"]["id"], event.as_str());
    assert_eq!(request["output"]["body"]["data"], json!({ "total": 500 }));
}

#[tokio::test]
async fn what_fails_is_retried_and_ends_as_a_dead_letter_that_can_be_run_again() {
    let manifest = r#"{"runtime": "node", "triggers": [{"type": "event", "match": "job",
        "retry": {"attempts": 3, "initial": "10ms", "backoff": "fixed", "jitter": false}}]}"#;
    let code = "import { existsSync } from 'node:fs';\nexport function handler(event) {\n  \
         if (!existsSync(event.data.file)) throw new TypeError('not there yet');\n  return 'ok';\n}\n";
    let server =
        dev(&[("functions/job/function.json", manifest), ("functions/job/index.mjs", code)]).await;
    let file = server.dir().join("it-is-there");
    server.emit("job", json!({ "file": file })).await;
    let dead = server.ended("status=failed", 1).await;
    let id = dead[0]["id"].as_str().expect("an id").to_owned();
    let execution = server.execution(&id).await;
    assert_eq!(execution["attempts"], 3);
    assert_eq!(execution["error"]["code"], "FN_004");
    assert!(execution["error"]["message"].as_str().expect("text").contains("not there yet"));
    assert!(execution["error"]["stack"].as_str().expect("text").contains("index.mjs:3"));
    assert_eq!(server.get("/api/dead-letters").await.expect(200).json()["data"][0]["id"], id);
    std::fs::write(&file, "").expect("write the file");
    server.post(&format!("/api/executions/{id}/retry"), json!({})).await.expect(200);
    server.ended("status=success", 1).await;
    assert_eq!(server.execution(&id).await["output"], "ok");
    let letters = server.get("/api/dead-letters").await.expect(200).json();
    assert_eq!(letters["data"], json!([]));
}

#[tokio::test]
async fn an_event_id_and_an_idempotency_key_are_taken_once() {
    let server = dev(&ECHO).await;
    let event = json!({
        "specversion": "1.0", "id": "order-7", "source": "/shop", "type": "echo.order", "data": 1,
    });
    let first = server.post("/api/events", event.clone()).await.expect(202).json();
    let second = server.post("/api/events", event).await.expect(202).json();
    assert_eq!(first["ids"], second["ids"]);
    for _ in 0..2 {
        let request = server
            .request("POST", "/api/events")
            .header("idempotency-key", "k-1")
            .json(&json!({ "type": "echo.key", "data": 2 }));
        server.answer(request).await.expect(202);
    }
    server.ended("trigger_type=event", 2).await;
    assert_eq!(server.executions("").await.len(), 2, "one for each, not two");
}
