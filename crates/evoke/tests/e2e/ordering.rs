//! What runs when: order, concurrency, priority, retries and the brake on loops.

use crate::facts::until;
use crate::support::dev;
use evoke_testkit::TestServer;
use serde_json::{Value, json};

/// A function that notes in a file what it does, with a manifest of this trigger.
pub async fn noting(trigger: Value, code: &str) -> TestServer {
    let manifest = json!({ "runtime": "node", "triggers": [trigger] }).to_string();
    let code = format!(
        "import {{ appendFileSync, existsSync }} from 'node:fs';\n\
         const note = (text) => appendFileSync(process.cwd() + '/../../notes', text + '\\n');\n\
         const is = (name) => existsSync(process.cwd() + '/../../' + name);\n\
         const until = async (name) => {{\n  \
         while (!is(name)) await new Promise((done) => setTimeout(done, 5));\n}};\n{code}"
    );
    dev(&[("functions/note/function.json", &manifest), ("functions/note/index.mjs", &code)]).await
}

pub fn notes(server: &TestServer) -> Vec<String> {
    let text = std::fs::read_to_string(server.dir().join("notes")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

pub fn open(server: &TestServer, gate: &str) {
    std::fs::write(server.dir().join(gate), "open").expect("write the file");
}

#[tokio::test]
async fn order_is_kept_for_each_key_behind_a_failing_head() {
    let trigger = json!({
        "type": "event", "match": "step", "order_by": "event.data.key",
        "retry": { "attempts": 100, "initial": "200ms", "backoff": "fixed", "jitter": false },
    });
    let code = "export const handler = (event) => {\n  const { key, n } = event.data;\n  \
         if (key === 'a' && n === 0 && !is('gate')) {\n    note('failed');\n    \
         throw new Error('not yet');\n  }\n  note(key + n);\n};\n";
    let server = noting(trigger, code).await;
    for n in 0..20 {
        for key in ["a", "b"] {
            server.emit("step", json!({ "key": key, "n": n })).await;
        }
    }
    until("all of b are done while the head of a fails", async || {
        let done = notes(&server);
        let failures = done.iter().filter(|line| *line == "failed").count();
        (done.iter().any(|line| line == "b19") && failures > 1).then_some(())
    })
    .await;
    assert!(!notes(&server).iter().any(|line| line.starts_with('a')), "a waits for its head");
    open(&server, "gate");
    server.ended("trigger_type=event&status=success&limit=100", 40).await;
    for key in ["a", "b"] {
        let seen: Vec<_> =
            notes(&server).into_iter().filter(|line| line.starts_with(key)).collect();
        let expected: Vec<_> = (0..20).map(|n| format!("{key}{n}")).collect();
        assert_eq!(seen, expected);
    }
}

#[tokio::test]
async fn concurrency_is_limited_for_each_key() {
    let trigger = json!({
        "type": "event", "match": "work",
        "concurrency": { "limit": 2, "key": "event.data.key" },
    });
    let code = "const running = {};\nconst most = {};\nexport const handler = async (event) => {\n  \
         const { key } = event.data;\n  running[key] = (running[key] ?? 0) + 1;\n  \
         most[key] = Math.max(most[key] ?? 0, running[key]);\n  \
         const all = Object.values(running).reduce((a, b) => a + b);\n  note(key + ' ' + all);\n  \
         await until('gate');\n  await new Promise((done) => setTimeout(done, 5));\n  \
         running[key] -= 1;\n  return most[key];\n};\n";
    let server = noting(trigger, code).await;
    for n in 0..30 {
        server.emit("work", json!({ "key": (["a", "b", "c"][n % 3]) })).await;
    }
    until("two of each key run", async || (notes(&server).len() >= 6).then_some(())).await;
    open(&server, "gate");
    let ended = server.ended("trigger_type=event&limit=100", 30).await;
    let mut most = 0;
    for execution in ended {
        let execution = server.execution(execution["id"].as_str().expect("an id")).await;
        assert_eq!(execution["status"], "success", "{execution}");
        most = most.max(execution["output"].as_u64().expect("a number"));
    }
    assert_eq!(most, 2, "two of a key at once, and never more");
    assert!(notes(&server).iter().any(|line| line.ends_with(" 6")), "the keys do not share");
}

#[tokio::test]
async fn retry_after_of_an_http_target_is_kept() {
    let trigger = json!({ "type": "http", "path": "/busy" });
    let code = "let calls = 0;\nexport const handler = () => {\n  calls += 1;\n  \
         note(String(Date.now()));\n  return calls === 1\n    \
         ? new Response('busy', { status: 503, headers: { 'retry-after': '2' } })\n    \
         : new Response('ok');\n};\n";
    let server = noting(trigger, code).await;
    let trigger = json!({
        "name": "forward", "type": "event", "config": { "match": "go" },
        "policy": { "retry": {
            "attempts": 3, "initial": "1ms", "backoff": "fixed", "jitter": false,
        } },
        "target": { "type": "http", "config": { "url": server.url("/busy") } },
    });
    server.post("/api/triggers", trigger).await.expect(201);
    server.emit("go", json!({})).await;
    let ended = server.ended("trigger_type=event", 1).await;
    assert_eq!(ended[0]["status"], "success");
    assert_eq!(ended[0]["attempts"], 2);
    let times: Vec<u64> =
        notes(&server).iter().map(|line| line.parse().expect("milliseconds")).collect();
    assert_eq!(times.len(), 2);
    // Not sooner than asked is the promise; how much later is not.
    assert!(times[1] - times[0] >= 1_900, "{times:?}");
}

#[tokio::test]
async fn a_function_does_not_fire_on_its_own_effect() {
    let code = "export const handler = async (event) => {\n  note('ran');\n  \
         const answer = await fetch(process.env.EVOKE_URL + '/api/events', {\n    \
         method: 'POST',\n    headers: { 'content-type': 'application/json', \
         authorization: 'Bearer ' + process.env.EVOKE_TOKEN },\n    \
         body: JSON.stringify({ type: 'echo', data: null }),\n  });\n  return answer.status;\n};\n";
    let server = noting(json!({ "type": "event", "match": "echo" }), code).await;
    server.emit("echo", json!({})).await;
    let ended = server.ended("trigger_type=event", 2).await;
    assert_eq!(ended.len(), 2, "{ended:#?}");
    let cut = server.execution(ended[0]["id"].as_str().expect("an id")).await;
    assert_eq!(cut["status"], "cancelled", "{cut}");
    assert_eq!(cut["error"]["code"], "EV_004", "{cut}");
    let first = server.execution(ended[1]["id"].as_str().expect("an id")).await;
    assert_eq!(first["output"], 202, "{first}");
    assert_eq!(notes(&server), ["ran"]);
}

#[tokio::test]
async fn a_chain_of_functions_is_cut_at_the_depth() {
    let mut files = vec![("evoke.toml".to_owned(), "[events]\ndepth_max = 2\n".to_owned())];
    for n in 0..5 {
        let trigger = json!({ "type": "event", "match": format!("e{n}") });
        let manifest = json!({ "runtime": "node", "triggers": [trigger] });
        files.push((format!("functions/f{n}/function.json"), manifest.to_string()));
        let code = format!(
            "export const handler = async () => {{\n  \
             const answer = await fetch(process.env.EVOKE_URL + '/api/events', {{\n    \
             method: 'POST',\n    headers: {{ 'content-type': 'application/json', \
             authorization: 'Bearer ' + process.env.EVOKE_TOKEN }},\n    \
             body: JSON.stringify({{ type: 'e{}', data: null }}),\n  }});\n  \
             return answer.status;\n}};\n",
            n + 1
        );
        files.push((format!("functions/f{n}/index.mjs"), code));
    }
    let files: Vec<_> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    let server = dev(&files).await;
    server.emit("e0", json!({})).await;
    let cut = server.ended("status=cancelled", 1).await;
    let cut = server.execution(cut[0]["id"].as_str().expect("an id")).await;
    assert_eq!(cut["error"]["code"], "EV_004", "{cut}");
    server.metric("evoke_executions_pending", |value| value == 0.0).await;
    server.metric("evoke_executions_running", |value| value == 0.0).await;
    let ran = server.ended("status=success", 1).await;
    assert!(ran.len() < 5, "the chain was cut: {ran:#?}");
    let events = server.get("/api/events").await.expect(200).json();
    let depths = events["data"].as_array().expect("a list").iter();
    let deepest = depths.filter_map(|event| event["depth"].as_u64()).max();
    assert_eq!(deepest, Some(ran.len() as u64), "each call went one deeper: {events}");
}
