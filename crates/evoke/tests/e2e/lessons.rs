//! How comparable systems failed: each of these was seen somewhere, and must not be seen here.

use std::path::Path;
use std::process::{Command, Output};

use crate::facts::{content, invoke, printed, until};
use crate::ordering::open;
use crate::support::{BINARY, ECHO, dev};
use evoke_testkit::{Options, TestServer};
use serde_json::{Value, json};

/// A handler that says it started and goes on when a file is there.
const GATED: &str = "import { existsSync, writeFileSync } from 'node:fs';\n\
     const root = process.cwd() + '/../../';\n\
     export const handler = async (event) => {\n  writeFileSync(root + 'started', 'yes');\n  \
     while (!existsSync(root + 'gate')) await new Promise((done) => setTimeout(done, 10));\n  \
     return 'slow';\n};\n";

const QUICK: &str = "export const handler = (event) => event.data;";

#[tokio::test]
async fn a_slow_target_delays_no_other_trigger() {
    let quick = r#"{"runtime": "node", "triggers": [{"type": "event", "match": "go"},
        {"type": "http", "path": "/quick", "methods": ["GET"]}]}"#;
    let server = dev(&[
        (
            "functions/slow/function.json",
            r#"{"runtime": "node", "triggers": [{"type": "event", "match": "go"}]}"#,
        ),
        ("functions/slow/index.mjs", GATED),
        ("functions/quick/function.json", quick),
        ("functions/quick/index.mjs", "export const handler = () => 'quick';"),
    ])
    .await;
    for _ in 0..50 {
        server.emit("go", json!(null)).await;
    }
    content(&server.dir().join("started")).await;
    server.ended("function=quick&limit=100", 50).await;
    assert_eq!(server.get("/quick").await.expect(200).text, "quick");
    invoke(&server, "quick", json!(1)).await.expect(200);
    let slow = server.executions("function=slow&limit=100").await;
    assert_eq!(slow.len(), 50);
    for execution in slow {
        let status = execution["status"].as_str().expect("a status");
        assert!(["pending", "running"].contains(&status), "all slow ones are under way: {status}");
    }
    open(&server, "gate");
    server.ended("function=slow&status=success&limit=100", 50).await;
}

/// Clock ticks of CPU time a process has taken.
fn cpu_ticks(pid: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("the process is there");
    let after = stat.rsplit(')').next().expect("fields");
    let fields: Vec<&str> = after.split_whitespace().collect();
    fields[11..13].iter().map(|ticks| ticks.parse::<u64>().expect("a number")).sum()
}

#[tokio::test]
async fn a_full_pool_serves_what_waits_in_order_and_without_spinning() {
    let manifest = r#"{"runtime": "node",
        "scaling": {"maxInstances": 1, "targetConcurrency": 1}}"#;
    let code = "import { appendFileSync } from 'node:fs';\n\
         const note = (text) => appendFileSync(process.cwd() + '/../../notes', text + '\\n');\n\
         let first = true;\nexport const handler = async (event) => {\n  note(event.data);\n  \
         if (first) {\n    first = false;\n    \
         await new Promise((done) => setTimeout(done, 3000));\n    note('waited');\n  }\n};\n";
    let server =
        dev(&[("functions/one/function.json", manifest), ("functions/one/index.mjs", code)]).await;
    for n in 0..50 {
        let request = server
            .request("POST", "/api/functions/one/invoke")
            .header("prefer", "respond-async")
            .json(&json!(n));
        server.answer(request).await.expect(202);
    }
    let before = cpu_ticks(server.pid());
    let notes = server.dir().join("notes");
    let waited = async || content(&notes).await.contains("waited").then_some(());
    until("the first is done", waited).await;
    let spent = cpu_ticks(server.pid()) - before;
    // A core that spins takes a hundred ticks each second, and this was most of three seconds.
    assert!(spent < 60, "{spent} ticks while waiting");
    server.ended("function=one&status=success&limit=100", 50).await;
    let seen: Vec<String> =
        content(&notes).await.lines().filter(|line| *line != "waited").map(str::to_owned).collect();
    assert_eq!(seen, (0..50).map(|n: u32| n.to_string()).collect::<Vec<_>>());
}

#[tokio::test]
async fn intake_goes_on_while_all_targets_are_down() {
    const EVENTS: usize = 2_500;
    let sink = r#"{"runtime": "node", "triggers": [{"type": "http", "path": "/sink"}]}"#;
    let mut target = dev(&[
        ("functions/sink/function.json", sink),
        ("functions/sink/index.mjs", "export const handler = () => 'ok';"),
    ])
    .await;
    target.kill();
    let server = dev(&ECHO).await;
    let trigger = json!({
        "name": "forward", "type": "event", "config": { "match": "load" },
        "policy": { "retry": { "attempts": 100, "initial": "2s", "backoff": "fixed" } },
        "target": { "type": "http", "config": { "url": target.url("/sink") } },
    });
    server.post("/api/triggers", trigger).await.expect(201);
    let batch: Vec<Value> = (0..100).map(|n| json!({ "type": "load", "data": n })).collect();
    for _ in 0..EVENTS / 100 {
        server.post("/api/events", json!(batch)).await.expect(202);
    }
    server.metric("evoke_retries_total", |value| value >= 1.0).await;
    assert!(server.executions("status=success").await.is_empty(), "the target is down");
    server.metric("evoke_executions_pending", |value| value >= 2_000.0).await;
    assert_eq!(server.get("/health/ready").await.status, 200);
    target.restart().await;
    let done = format!("evoke_executions_total{{{}", "trigger_type=\"event\",status=\"success\"}");
    server.metric(&done, |value| value >= EVENTS as f64).await;
    server.metric("evoke_executions_pending", |value| value == 0.0).await;
    assert!(server.executions("status=failed").await.is_empty());
}

#[tokio::test]
async fn a_broken_subscriber_stops_no_other() {
    let manifest = r#"{"runtime": "node", "triggers": [{"type": "event", "match": "news",
        "retry": {"attempts": 2, "initial": "5ms", "backoff": "fixed"}}]}"#;
    let server = dev(&[
        ("functions/throws/function.json", manifest),
        ("functions/throws/index.mjs", "export const handler = () => { throw new Error('no'); };"),
        ("functions/exits/function.json", manifest),
        ("functions/exits/index.mjs", "export const handler = () => process.exit(1);"),
        ("functions/broken/function.json", manifest),
        ("functions/broken/index.mjs", "this is no program"),
        ("functions/works/function.json", manifest),
        ("functions/works/index.mjs", QUICK),
    ])
    .await;
    let trigger = json!({
        "name": "nobody", "type": "event", "config": { "match": "news" },
        "policy": { "retry": { "attempts": 1 } },
        "target": { "type": "http", "config": { "url": "http://127.0.0.1:1/" } },
    });
    server.post("/api/triggers", trigger).await.expect(201);
    for n in 0..20 {
        server.emit("news", json!(n)).await;
    }
    let done = server.ended("function=works&limit=100", 20).await;
    assert!(done.iter().all(|execution| execution["status"] == "success"), "{done:#?}");
    let failed = server.ended("function=throws&status=failed&limit=100", 20).await;
    assert_eq!(failed.len(), 20);
    server.ended("function=exits&status=failed&limit=100", 20).await;
    // Those that nobody answers are not even tried as often: their trigger is given a pause.
    server.ended("trigger=nobody&status=failed&limit=100", 5).await;
}

#[tokio::test]
async fn health_says_no_while_the_store_cannot_write_and_yes_when_it_can() {
    let dir = tempfile::tempdir().expect("a folder");
    let script = dir.path().join("evoke.sh");
    // Writing beyond the limit is then an error, as on a full disk, and not a signal.
    let text = format!("#!/bin/sh\ntrap '' XFSZ\nexec {BINARY} \"$@\"\n");
    std::fs::write(&script, text).expect("write the script");
    let made = Command::new("chmod").arg("+x").arg(&script).status().expect("run chmod");
    assert!(made.success());
    let server = TestServer::dev(script.to_str().expect("text"), &ECHO).await;
    let limit = |bytes: &str| {
        let (pid, limit) = (server.pid().to_string(), format!("--fsize={bytes}:"));
        let status = Command::new("prlimit").args(["--pid", &pid, &limit]).status();
        assert!(status.expect("run prlimit").success());
    };
    server.emit("echo.one", json!(1)).await;
    server.ended("status=success", 1).await;
    limit("1");
    until("an event is refused", async || {
        let answer = server.post("/api/events", json!({ "type": "echo.two", "data": 2 })).await;
        (answer.status == 503).then_some(())
    })
    .await;
    until("it is not ready", async || {
        (server.get("/health/ready").await.status == 503).then_some(())
    })
    .await;
    assert_eq!(server.get("/health/live").await.status, 200);
    limit("unlimited");
    let event = server.emit("echo.three", json!(3)).await;
    server.ended(&format!("event={event}&status=success"), 1).await;
    until("it is ready again", async || {
        (server.get("/health/ready").await.status == 200).then_some(())
    })
    .await;
}

#[tokio::test]
async fn each_metric_moves_when_its_thing_happens() {
    let manifest = r#"{"runtime": "node", "triggers": [{"type": "event", "match": "count",
        "concurrency": {"limit": 1},
        "retry": {"attempts": 2, "initial": "5ms", "backoff": "fixed"}}]}"#;
    let code = "import { existsSync } from 'node:fs';\nexport const handler = async (event) => {\n  \
         if (event.data === 'fail') throw new Error('as wished');\n  \
         while (event.data === 'wait' && !existsSync(process.cwd() + '/../../gate'))\n    \
         await new Promise((done) => setTimeout(done, 10));\n  \
         for (const end = Date.now() + 50; Date.now() < end;);\n};\n";
    let server =
        dev(&[("functions/count/function.json", manifest), ("functions/count/index.mjs", code)])
            .await;
    for name in [
        "evoke_executions_pending",
        "evoke_executions_running",
        "evoke_dead_letters",
        "evoke_retries_total",
        "evoke_execution_duration_seconds_count",
        "evoke_event_to_start_seconds_count",
    ] {
        assert_eq!(server.metric(name, |_| true).await, 0.0, "{name}");
    }
    server.emit("count", json!("wait")).await;
    server.emit("count", json!("ok")).await;
    server.metric("evoke_executions_running", |value| value == 1.0).await;
    server.metric("evoke_executions_pending", |value| value == 1.0).await;
    server.metric("evoke_workers{", |value| value >= 1.0).await;
    server.metric("evoke_worker_memory_bytes", |value| value > 1e6).await;
    open(&server, "gate");
    server.ended("status=success", 2).await;
    server.metric("evoke_executions_running", |value| value == 0.0).await;
    server.emit("count", json!("fail")).await;
    server.ended("status=failed", 1).await;
    for (name, least) in [
        ("evoke_events_ingested_total{", 3.0),
        ("evoke_executions_total{", 3.0),
        ("evoke_retries_total", 1.0),
        ("evoke_dead_letters", 1.0),
        ("evoke_execution_duration_seconds_count", 4.0),
        ("evoke_event_to_start_seconds_count", 3.0),
        ("evoke_cold_starts_total", 1.0),
        ("evoke_cold_start_seconds_count", 1.0),
        ("evoke_triggers{", 1.0),
        ("evoke_worker_cpu_seconds_total", 0.05),
        ("evoke_http_requests_total", 3.0),
        ("evoke_store_commit_seconds_count", 1.0),
        ("evoke_store_batch_size_count", 1.0),
    ] {
        server.metric(name, |value| value >= least).await;
    }
}

/// Runs `evoke` in a folder to its end.
fn run(dir: &Path, args: &[&str], env: &[(&str, &str)]) -> Output {
    let mut command = Command::new(BINARY);
    command.args(args).current_dir(dir).envs(env.iter().copied());
    command.output().expect("run evoke")
}

fn said(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text)).concat()
}

#[tokio::test]
async fn a_server_for_others_wants_a_key_from_its_first_moment() {
    let files = [("evoke.toml", ""), ECHO[0], ECHO[1]];
    let options = Options { command: "serve", ..Options::default() };
    let mut server = TestServer::start(BINARY, &files, options).await;
    for (method, path) in [
        ("GET", "/api/functions"),
        ("GET", "/api/executions"),
        ("POST", "/api/events"),
        ("POST", "/api/keys"),
        ("POST", "/api/functions/echo/invoke"),
    ] {
        let request = server.request(method, path).json(&json!({ "type": "a" }));
        let refused = server.answer(request).await.expect(401);
        assert_eq!(refused.code(), "FN_009", "{path}");
    }
    assert_eq!(server.get("/health/live").await.status, 200);
    printed(&server, "evoke keys create").await;
    assert_eq!(server.terminate().await, Some(0), "{}", server.output());
    let made = run(server.dir(), &["keys", "create", "first", "--local", "-o", "json"], &[]);
    assert!(made.status.success(), "{}", said(&made));
    let made: Value = serde_json::from_slice(&made.stdout).expect("JSON");
    server.restart().await;
    let key = made["key"].as_str().expect("a key");
    let answer = server.answer(server.request("GET", "/api/functions").bearer_auth(key)).await;
    assert_eq!(answer.expect(200).json()["data"][0]["name"], "echo");
    let other = server.request("GET", "/api/functions").bearer_auth("evk_wrong");
    assert!([401, 403].contains(&server.answer(other).await.status));
    server.get("/api/functions").await.expect(401);
}

#[tokio::test]
async fn development_on_loopback_asks_for_no_key() {
    let server = dev(&ECHO).await;
    server.get("/api/functions").await.expect(200);
}

#[test]
fn a_typo_in_a_setting_refuses_to_start_and_names_the_nearest() {
    for (toml, env, nearest) in [
        ("[server]\nprot = 1\n", ("PATH_UNUSED", ""), "port"),
        ("[sevrer]\nport = 1\n", ("PATH_UNUSED", ""), "server"),
        ("[auth]\nrequird = true\n", ("PATH_UNUSED", ""), "required"),
        ("", ("EVOKE_SERVER_PROT", "1"), "EVOKE_SERVER_PORT"),
        ("", ("EVOKE_AUTH_REQUIRD", "true"), "EVOKE_AUTH_REQUIRED"),
        ("[log]\nlevel = \"inof\"\n", ("PATH_UNUSED", ""), "info"),
    ] {
        let dir = tempfile::tempdir().expect("a folder");
        std::fs::write(dir.path().join("evoke.toml"), toml).expect("write the settings");
        for command in [&["dev", "--port", "0"][..], &["serve"]] {
            let output = run(dir.path(), command, &[env]);
            assert_eq!(output.status.code(), Some(1), "{toml}{env:?}: {}", said(&output));
            assert!(said(&output).contains(nearest), "{nearest}: {}", said(&output));
        }
    }
}

#[tokio::test]
async fn a_second_server_on_one_database_refuses() {
    let server = dev(&ECHO).await;
    let dir = server.dir().to_str().expect("text");
    let second = run(Path::new("/"), &["dev", dir, "--port", "0"], &[]);
    assert_eq!(second.status.code(), Some(1), "{}", said(&second));
    let text = said(&second);
    assert!(text.contains("evoke.db") && text.contains("another"), "{text}");
    invoke(&server, "echo", json!(1)).await.expect(200);
}

/// Bytes of the store's files.
fn bytes_on_disk(server: &TestServer) -> u64 {
    let folder = std::fs::read_dir(server.dir().join(".evoke")).expect("the state folder");
    let files = folder.map(|entry| entry.expect("an entry"));
    let is_store = |name: &str| name.starts_with("evoke.db");
    let of_store = files.filter(|file| file.file_name().to_str().is_some_and(is_store));
    of_store.map(|file| file.metadata().expect("its size").len()).sum()
}

#[tokio::test]
async fn the_disk_is_bounded_while_intake_goes_on() {
    const BOUND: u64 = 16 * 1024 * 1024;
    // Gaps that new events fill, and what came in meanwhile.
    const GAPS: u64 = 24 * 1024 * 1024;
    let settings = ("evoke.toml", "[retention]\nmax_bytes = \"16mb\"\n");
    let server = dev(&[ECHO[0], ECHO[1], settings]).await;
    let filler = "x".repeat(2_000);
    let event = json!({ "type": "echo.fill", "data": { "filler": filler } });
    let batch = json!(vec![event; 1_000]);
    for _ in 0..20 {
        server.post("/api/events", batch.clone()).await.expect(202);
    }
    server.metric("evoke_executions_pending", |value| value == 0.0).await;
    assert!(bytes_on_disk(&server) > 2 * BOUND, "there is something to bound");
    let (ran, newest) = tokio::join!(server.post("/api/retention/run", json!({})), async {
        let mut newest = String::new();
        for n in 0..50 {
            newest = server.emit("echo.new", json!({ "n": n })).await;
        }
        newest
    });
    let ran = ran.expect(200).json();
    let gone = ["archived_events", "removed_events"].map(|kind| ran[kind].as_u64());
    assert!(gone.iter().flatten().sum::<u64>() > 0, "{ran}");
    until("the space is given back", async || {
        (bytes_on_disk(&server) < BOUND + GAPS).then_some(())
    })
    .await;
    server.get(&format!("/api/events/{newest}")).await.expect(200);
    server.ended(&format!("event={newest}&status=success"), 1).await;
}
