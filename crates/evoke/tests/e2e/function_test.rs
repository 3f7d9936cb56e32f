//! `evoke functions test` and `sample`: a function run once without a server.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::commands::text;
use crate::facts::is_alive;
use crate::support::BINARY;
use evoke_testkit::server::{PATIENCE, write_files};
use serde_json::{Value, json};
use tempfile::TempDir;

const JAVASCRIPT: &str = "export async function handler(event, context) {\n  \
     console.log('got', event.type);\n  \
     return { type: event.type, data: event.data, test: context.isTestRun, \
     trigger: context.trigger, attempt: context.attempt, key: process.env.KEY ?? null };\n}\n";

const PYTHON: &str = "def handler(event, context):\n    print('got', event['type'])\n    \
     return {'type': event['type'], 'data': event['data'], 'test': context.is_test_run}\n";

/// A function with a trigger of each kind that is there, and one of a kind that is not yet.
const EVERY_KIND: &str = r#"{"runtime": "node", "timeout": "10s", "environment": {"KEY": "${secrets.KEY}"},
    "triggers": [
      {"name": "orders", "type": "event", "match": "order.*"},
      {"name": "large", "type": "event", "match": "order.*", "filter": "event.data.total > 100",
       "transform": "{'sum': event.data.total}"},
      {"name": "several", "type": "event", "match": "item", "batch": {"size": 10}},
      {"name": "shop", "type": "event", "source": "/shop/*", "subject": "orders/*"},
      {"name": "nightly", "type": "schedule", "cron": "0 3 * * *", "input": {"deep": true}},
      {"name": "github", "type": "webhook", "path": "/webhooks/github"},
      {"name": "ask", "type": "poll", "every": "5s"},
      {"name": "users", "type": "database", "collection": "users"}
    ]}"#;

const ROUTE: [(&str, &str); 2] = [
    (
        "functions/users/function.json",
        r#"{"runtime": "node", "triggers": [
            {"type": "http", "path": "/api/users/{id}", "methods": ["GET", "PUT"]}]}"#,
    ),
    (
        "functions/users/index.mjs",
        "export async function handler(request) {\n  const { id } = request.params;\n  \
         if (id === '0') return new Response('no', { status: 503 });\n  \
         const q = new URL(request.url).searchParams.get('q');\n  \
         const body = request.method === 'PUT' ? await request.json() : null;\n  \
         return Response.json({ id, q, body, agent: request.headers.get('x-agent') });\n}\n",
    ),
];

fn project(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    write_files(folder.path(), files);
    folder
}

fn every_kind() -> TempDir {
    project(&[("functions/all/function.json", EVERY_KIND), ("functions/all/index.mjs", JAVASCRIPT)])
}

/// One function with this manifest and code.
fn one(manifest: &str, file: &str, code: &str) -> TempDir {
    let file = format!("functions/one/{file}");
    project(&[("functions/one/function.json", manifest), (&file, code)])
}

fn command(dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(BINARY);
    command.arg("functions").args(args).current_dir(dir);
    // There is no server: whoever calls one fails.
    command.env("EVOKE_URL", "http://127.0.0.1:1").env("EVOKE_SECRET_KEY", "s3cret");
    command
}

fn run(dir: &Path, args: &[&str]) -> Output {
    command(dir, args).output().expect("run evoke")
}

/// What it printed on stdout as JSON, when it worked.
fn gives(dir: &Path, args: &[&str]) -> Value {
    let output = run(dir, args);
    assert!(output.status.success(), "{args:?}: {}", text(&output.stderr));
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{args:?}: {error}: {}", text(&output.stdout)))
}

/// The exit code and what it said on stderr, when it did not work.
fn fails(dir: &Path, args: &[&str]) -> (Option<i32>, String) {
    let output = run(dir, args);
    assert!(!output.status.success(), "{args:?}: {}", text(&output.stdout));
    (output.status.code(), text(&output.stderr))
}

fn write(dir: &TempDir, file: &str, content: &str) {
    write_files(dir.path(), &[(file, content)]);
}

#[test]
fn each_runtime_gets_the_event_of_a_file_and_of_stdin() {
    for (runtime, file, code) in [
        ("node", "index.mjs", JAVASCRIPT),
        ("bun", "index.ts", JAVASCRIPT),
        ("python", "main.py", PYTHON),
    ] {
        let dir = one(&json!({ "runtime": runtime }).to_string(), file, code);
        write(&dir, "event.json", r#"{"type": "order.created", "data": {"total": 150}}"#);
        let args = ["test", "one", "--event", "event.json"];
        let output = run(dir.path(), &args);
        let said = text(&output.stderr);
        assert!(output.status.success(), "{runtime}: {said}");
        assert!(said.contains("got order.created"), "{runtime}: {said}");
        assert!(said.contains("success  one  "), "{runtime}: {said}");
        let answer: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!(answer["data"], json!({ "total": 150 }), "{runtime}");
        assert_eq!(answer["test"], true, "{runtime}");

        let mut child = command(dir.path(), &["test", "one", "--event", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("run evoke");
        let cloud_event = json!({ "specversion": "1.0", "id": "7", "source": "/shop",
            "type": "order.paid", "data": [1] });
        let mut stdin = child.stdin.take().expect("a pipe");
        stdin.write_all(cloud_event.to_string().as_bytes()).expect("write the event");
        drop(stdin);
        let output = child.wait_with_output().expect("wait for evoke");
        let answer: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!((&answer["type"], &answer["data"]), (&json!("order.paid"), &json!([1])));
    }
}

#[test]
fn a_sample_of_each_kind_reaches_the_function() {
    let dir = every_kind();
    for (args, kind, has) in [
        (&[][..], "order.sample", ""),
        (&["--trigger", "orders"], "order.sample", ""),
        (&["--trigger", "shop"], "sample", ""),
        (&["--trigger", "nightly"], "schedule.nightly", "/scheduled_time"),
        (&["--trigger", "github"], "webhook.github", "/body"),
        (&["--trigger", "ask"], "evoke.poll", "/poll"),
        (&["--kind", "schedule"], "schedule.nightly", "/input/deep"),
        (&["--kind", "database"], "database.users.create", "/document"),
        (&["--kind", "storage"], "storage.uploads.upload", "/file/size_bytes"),
        (&["--kind", "auth"], "auth.signup", "/user/email"),
        (&["--kind", "queue"], "queue.kafka.orders", "/body"),
    ] {
        let answer = gives(dir.path(), &[&["test", "all"], args].concat());
        assert_eq!(answer["type"], kind, "{args:?}: {answer}");
        assert_eq!(answer["test"], true, "{args:?}");
        assert_eq!(answer["key"], "s3cret", "{args:?}");
        assert!(answer["data"].pointer(has).is_some_and(|it| !it.is_null()), "{args:?}: {answer}");
        let sample = gives(dir.path(), &[&["sample", "all"], args].concat());
        assert_eq!(sample["type"], kind, "{args:?}: {sample}");
        assert_eq!(sample["data"].to_string().len(), answer["data"].to_string().len(), "{args:?}");
    }
    let answer = gives(dir.path(), &["test", "all", "--trigger", "nightly"]);
    assert_eq!(answer["trigger"], json!({ "kind": "schedule", "name": "nightly" }));
}

#[test]
fn a_trigger_filters_transforms_and_batches_what_it_hands_over() {
    let dir = every_kind();
    write(&dir, "large.json", r#"{"data": {"total": 150}}"#);
    write(&dir, "small.json", r#"{"data": {"total": 15}}"#);
    write(&dir, "other.json", r#"{"type": "user.created", "data": {"total": 150}}"#);
    let large = ["test", "all", "--trigger", "large", "--event"];
    let answer = gives(dir.path(), &[&large[..], &["large.json"]].concat());
    assert_eq!(answer["data"], json!({ "sum": 150 }));
    for (event, said) in [
        ("small.json", "its filter is false: event.data.total > 100"),
        ("other.json", "do not fit"),
    ] {
        let (code, message) = fails(dir.path(), &[&large[..], &[event]].concat());
        assert_eq!(code, Some(1), "{message}");
        assert!(message.contains(said), "{message}");
    }
    let (code, said) = fails(dir.path(), &["test", "all", "--trigger", "large"]);
    assert_eq!(code, Some(1));
    assert!(said.contains("No such key: total") && said.contains("functions sample"), "{said}");
    // Without the trigger the event is handed over as it is, and that is said.
    let output = run(dir.path(), &["test", "all", "--event", "small.json"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("--trigger large"), "{}", text(&output.stderr));

    write(
        &dir,
        "functions/all/index.mjs",
        "export const handler = (events) => \
         ({ count: events.length, failed: events.filter((it) => it.data.bad).map((it) => it.id) });",
    );
    write(&dir, "items.json", r#"[{"type": "item", "data": {}}, {"type": "item", "data": {}}]"#);
    let several = ["test", "all", "--trigger", "several"];
    assert_eq!(gives(dir.path(), &several)["count"], 1);
    let items = gives(dir.path(), &[&several[..], &["--event", "items.json"]].concat());
    assert_eq!(items["count"], 2);
    write(
        &dir,
        "items.json",
        r#"[{"type": "item", "data": {}}, {"type": "item", "data": {"bad": 1}}]"#,
    );
    let (code, said) = fails(dir.path(), &[&several[..], &["--event", "items.json"]].concat());
    assert_eq!(code, Some(1));
    assert!(said.contains("FN_012") && said.contains("event 1"), "{said}");
    let (code, said) = fails(dir.path(), &["test", "all", "--event", "items.json"]);
    assert_eq!(code, Some(1));
    assert!(said.contains("expected one event"), "{said}");
}

#[test]
fn a_route_gets_requests() {
    let dir = project(&ROUTE);
    let sample = gives(dir.path(), &["sample", "users"]);
    assert_eq!((&sample["method"], &sample["path"]), (&json!("GET"), &json!("/api/users/1")));
    assert_eq!(gives(dir.path(), &["test", "users"])["id"], "1");
    write(
        &dir,
        "put.json",
        r#"{"method": "PUT", "path": "/api/users/a%20b", "query": {"q": "x y"},
        "headers": {"X-Agent": "me"}, "body": {"n": 1}}"#,
    );
    let answer = gives(dir.path(), &["test", "users", "--event", "put.json"]);
    assert_eq!(answer, json!({ "id": "a b", "q": "x y", "body": { "n": 1 }, "agent": "me" }));
    let whole = gives(dir.path(), &["test", "users", "--event", "put.json", "-o", "json"]);
    assert_eq!(whole["output"]["status"], 200, "{whole}");
    assert_eq!(whole["output"]["headers"]["content-type"], "application/json", "{whole}");
    assert_eq!(whole["input"]["params"], json!({ "id": "a b" }), "{whole}");
    for (request, said) in [
        (r#"{"path": "/api/users/0"}"#, "users answered 503"),
        (r#"{"path": "/api/user/1"}"#, "no route of the function has /api/user/1"),
        (r#"{"method": "DELETE", "path": "/api/users/1"}"#, "there is GET,PUT /api/users/{id}"),
        (r#"{"methd": "GET", "query": 7}"#, "did you mean \"method\"?"),
    ] {
        write(&dir, "request.json", request);
        let (code, message) = fails(dir.path(), &["test", "users", "--event", "request.json"]);
        assert_eq!(code, Some(1), "{message}");
        assert!(message.contains(said), "{request}: {message}");
    }
}

#[test]
fn a_function_that_fails_exits_with_1_and_shows_its_stack() {
    for (runtime, file, code, line) in [
        ("node", "index.mjs", "export function handler() {\n  throw new Error('boom');\n}\n", ":2"),
        ("bun", "index.ts", "export function handler() {\n  throw new Error('boom');\n}\n", ":2"),
        (
            "python",
            "main.py",
            "def handler(event, context):\n    raise ValueError('boom')\n",
            "line 2",
        ),
    ] {
        let dir = one(&json!({ "runtime": runtime }).to_string(), file, code);
        let output = run(dir.path(), &["test", "one"]);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{runtime}: {said}");
        assert_eq!(text(&output.stdout), "", "{runtime}");
        assert!(said.contains("error[FN_004]: one failed after "), "{runtime}: {said}");
        assert!(said.contains("boom") && said.contains(file), "{runtime}: {said}");
        assert!(said.contains(line), "{runtime}: {said}");
        let output = run(dir.path(), &["test", "one", "--output", "json"]);
        assert_eq!(output.status.code(), Some(1));
        let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!(
            (&report["status"], &report["error"]["code"]),
            (&json!("failed"), &json!("FN_004"))
        );
        assert!(report["error"]["stack"].as_str().is_some_and(|stack| stack.contains(file)));
        assert!(report["duration_ms"].as_f64().is_some_and(|took| took > 0.0));
    }
}

#[test]
fn limits_are_kept() {
    let code = "export const handler = () => { console.log('begun'); for (;;); };";
    let dir = one(r#"{"runtime": "node", "timeout": "1s"}"#, "index.mjs", code);
    let (exit, said) = fails(dir.path(), &["test", "one"]);
    assert_eq!(exit, Some(1), "{said}");
    assert!(said.contains("error[FN_002]: one ran out of time"), "{said}");
    let code = "export const handler = () => new Promise((done) => setTimeout(done, 30_000));";
    let manifest = r#"{"runtime": "node", "triggers": [
        {"name": "quick", "type": "event", "match": "a", "timeout": "500ms"}]}"#;
    let dir = one(manifest, "index.mjs", code);
    let output = run(dir.path(), &["test", "one", "-o", "json"]);
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!((output.status.code(), &report["status"]), (Some(1), &json!("timed_out")));
    let greedy = "const kept = [];\nexport const handler = async () => {\n  for (;;) {\n    \
         kept.push(Buffer.alloc(4 << 20, 1));\n    \
         await new Promise((done) => setTimeout(done, 2));\n  }\n};\n";
    let dir = one(r#"{"runtime": "node", "memory": "128mb"}"#, "index.mjs", greedy);
    let (exit, said) = fails(dir.path(), &["test", "one"]);
    assert_eq!(exit, Some(1), "{said}");
    assert!(said.contains("FN_003") && said.contains("128mb"), "{said}");
}

#[test]
fn what_is_wrong_is_told_with_what_would_be_right() {
    let dir = every_kind();
    write(&dir, "functions/rude/function.json", r#"{"runtime": "nodejs2", "memroy": 1}"#);
    write(&dir, "functions/rude/index.mjs", "");
    write(&dir, "functions/torn/index.mjs", "export const handler = (=> 1;");
    write(&dir, "broken.json", "{\"type\": ");
    write(&dir, "wrong.json", r#"{"subjct": "x", "time": "yesterday", "data": 1}"#);
    for (args, code, said) in [
        (&["test", "al"][..], 3, &["FN_001", "did you mean \"all\"?"][..]),
        (&["test"], 1, &["say which function", "all, torn"]),
        (&["test", "rude"], 1, &["FN_006", "function.json: runtime", "did you mean \"memory\"?"]),
        (&["test", "torn"], 1, &["FN_005", "index.mjs"]),
        (&["test", "all", "--trigger", "order"], 3, &["TR_001", "did you mean \"orders\"?"]),
        (&["test", "all", "--kind", "databse"], 1, &["did you mean \"database\"?"]),
        (&["sample", "--kind", "webhok"], 1, &["did you mean \"webhook\"?"]),
        (&["test", "all", "--event", "none.json"], 1, &["read none.json"]),
        (&["test", "all", "--event", "broken.json"], 1, &["broken.json is not JSON", "line 1"]),
        (
            &["test", "all", "--event", "wrong.json"],
            1,
            &["EV_001", "wrong.json: subjct", "did you mean \"subject\"?", "wrong.json: time"],
        ),
        (&["test", "all", "--dir", "nowhere"], 1, &["nowhere is not a folder"]),
        (&["test", "all", "--kind", "auth", "--trigger", "orders"], 1, &["cannot be used with"]),
    ] {
        let (seen, message) = fails(dir.path(), args);
        assert_eq!(seen, Some(code), "{args:?}: {message}");
        for said in said {
            assert!(message.contains(said), "{args:?}: {said:?}: {message}");
        }
    }
}

#[test]
fn nothing_is_opened_and_nothing_is_left() {
    // The port of the project is taken, so that whoever opens it fails.
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("an address").port();
    let code = "import { readdirSync } from 'node:fs';\n\
         export const handler = () => readdirSync(process.cwd() + '/../../.evoke');\n";
    let dir = one(r#"{"runtime": "node"}"#, "index.mjs", code);
    write(&dir, "evoke.toml", &format!("[server]\nport = {port}\n"));
    let seen = gives(dir.path(), &["test", "one"]);
    let names: Vec<&str> =
        seen.as_array().expect("a list").iter().filter_map(Value::as_str).collect();
    assert!(names.len() == 1 && names[0].starts_with("test-"), "only its own folder: {names:?}");
    assert!(!dir.path().join(".evoke").exists(), "it is gone after the run");
    // What a server keeps there stays, what a killed run has left does not.
    write(&dir, ".evoke/evoke.db", "a database");
    write(&dir, ".evoke/test-4294967295/shims/a", "");
    gives(dir.path(), &["test", "one"]);
    let left: Vec<_> = std::fs::read_dir(dir.path().join(".evoke"))
        .expect("the folder")
        .map(|entry| entry.expect("an entry").file_name())
        .collect();
    assert_eq!(left, ["evoke.db"]);
    assert_eq!(std::fs::read(dir.path().join(".evoke/evoke.db")).expect("the file"), b"a database");
}

#[test]
fn ctrl_c_stops_the_function_and_cleans_up() {
    let code = "import { writeFileSync } from 'node:fs';\n\
         export const handler = () => {\n  writeFileSync('../../pid', String(process.pid));\n  \
         return new Promise((done) => setTimeout(done, 25_000));\n};\n";
    let dir = one(r#"{"runtime": "node"}"#, "index.mjs", code);
    let child = command(dir.path(), &["test", "one"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("run evoke");
    let begun = std::time::Instant::now();
    let worker = loop {
        match std::fs::read_to_string(dir.path().join("pid")) {
            Ok(pid) if !pid.is_empty() => break pid,
            _ => assert!(begun.elapsed() < PATIENCE, "the function does not begin"),
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    };
    let interrupted = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(interrupted.expect("send a signal").success());
    let output = child.wait_with_output().expect("wait for evoke");
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("one was stopped after"), "{}", text(&output.stderr));
    assert!(!dir.path().join(".evoke").exists(), "it is gone after the run");
    assert!(!is_alive(&worker), "the worker is gone");
}

#[test]
fn a_new_function_passes_with_its_own_event() {
    for runtime in ["nodejs22", "python"] {
        let dir = tempfile::tempdir().expect("a folder");
        let made = run(dir.path(), &["init", "hello", "--runtime", runtime]);
        assert!(made.status.success(), "{}", text(&made.stderr));
        let event = "functions/hello/events/created.json";
        let output = run(dir.path(), &["test", "--event", event]);
        assert!(output.status.success(), "{runtime}: {}", text(&output.stderr));
        assert!(text(&output.stdout).contains("Hello, Ada!"), "{}", text(&output.stdout));
    }
}
