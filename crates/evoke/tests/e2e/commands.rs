//! The command line against a running server: what it prints, and how it ends.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::facts::until;
use crate::support::{BINARY, ECHO, dev, tool};
use evoke_testkit::TestServer;
use serde_json::{Value, json};

/// Runs `evoke` in a folder.
pub fn run(dir: &Path, url: &str, args: &[&str]) -> Output {
    Command::new(BINARY)
        .args(args)
        .current_dir(dir)
        .env("EVOKE_URL", url)
        .env_remove("EVOKE_API_KEY")
        .output()
        .expect("run evoke")
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim().to_owned()
}

/// What a command prints that must work.
pub fn prints(server: &TestServer, args: &[&str]) -> String {
    let output = run(server.dir(), &server.url(""), args);
    assert!(output.status.success(), "{args:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

/// The same as JSON.
pub fn gives(server: &TestServer, args: &[&str]) -> Value {
    let printed = prints(server, &[args, &["-o", "json"]].concat());
    serde_json::from_str(&printed).unwrap_or_else(|error| panic!("{args:?}: {error}: {printed}"))
}

/// The items of a list, however it is wrapped.
fn items(list: &Value) -> &Vec<Value> {
    list.as_array().or_else(|| list["data"].as_array()).unwrap_or_else(|| panic!("a list: {list}"))
}

/// The exit code of a command that must not work, and what it says.
fn fails(server: &TestServer, args: &[&str]) -> (Option<i32>, String) {
    let output = run(server.dir(), &server.url(""), args);
    assert_eq!(text(&output.stdout), "", "{args:?}: talk goes to stderr");
    (output.status.code(), text(&output.stderr))
}

#[tokio::test]
async fn functions_are_listed_shown_called_and_read() {
    let server = dev(&ECHO).await;
    let list = gives(&server, &["functions", "list"]);
    assert_eq!(items(&list)[0]["name"], "echo", "{list}");
    assert!(prints(&server, &["functions", "list"]).contains("echo"));
    assert!(prints(&server, &["functions", "list", "-o", "yaml"]).contains("name: echo"));
    let id = prints(&server, &["functions", "list", "-o", "id"]);
    assert!(id.starts_with("fn_"), "{id}");
    assert_eq!(gives(&server, &["functions", "show", "echo"])["id"], id);
    let answer = prints(&server, &["functions", "invoke", "echo", "--data", r#"{"n": 1}"#]);
    let answer: Value = serde_json::from_str(&answer).expect("JSON");
    assert_eq!(answer, json!({ "got": { "n": 1 }, "attempt": 1 }));
    std::fs::write(server.dir().join("data.json"), r#"{"n": 2}"#).expect("write a file");
    let later =
        prints(&server, &["functions", "invoke", "echo", "--data", "@data.json", "--async"]);
    assert!(later.starts_with("exe_"), "{later}");
    server.ended("function=echo", 2).await;
    assert_eq!(gives(&server, &["executions", "show", &later])["output"]["got"], json!({ "n": 2 }));
    let logs = prints(&server, &["functions", "logs", "echo"]);
    assert_eq!(logs.lines().filter(|line| line.contains("got invoke")).count(), 2, "{logs}");
}

#[tokio::test]
async fn events_are_sent_listed_and_shown() {
    let server = dev(&ECHO).await;
    let id = prints(&server, &["events", "send", "echo.hello", "--data", r#"{"n": 1}"#]);
    assert!(id.starts_with("evt_"), "{id}");
    let ids = prints(&server, &["events", "send", "other", "--count", "3", "-o", "id"]);
    assert_eq!(ids.lines().count(), 3);
    let shown = gives(&server, &["events", "show", &id]);
    assert_eq!((&shown["type"], &shown["data"]), (&json!("echo.hello"), &json!({ "n": 1 })));
    let all = prints(&server, &["events", "list", "-o", "id"]);
    assert_eq!(all.lines().count(), 4);
    assert_eq!(prints(&server, &["events", "list", "--type", "echo.*", "-o", "id"]), id);
}

#[tokio::test]
async fn executions_are_listed_shown_explained_retried_and_cancelled() {
    let manifest = r#"{"runtime": "node", "triggers": [
        {"name": "jobs", "type": "event", "match": "job", "retry": {"attempts": 1}}]}"#;
    let code = "import { existsSync } from 'node:fs';\nexport function handler(event) {\n  \
         if (!existsSync(process.cwd() + '/../../go')) throw new Error('not yet');\n  \
         return 'done';\n}\n";
    let server =
        dev(&[("functions/job/function.json", manifest), ("functions/job/index.mjs", code)]).await;
    prints(&server, &["events", "send", "job"]);
    server.ended("status=failed", 1).await;
    let id = prints(&server, &["executions", "list", "--status", "failed", "-o", "id"]);
    assert!(prints(&server, &["executions", "show", &id]).contains("not yet"));
    std::fs::write(server.dir().join("go"), "").expect("write the file");
    assert_eq!(prints(&server, &["executions", "retry", &id]), id);
    server.ended("status=success", 1).await;
    assert_eq!(gives(&server, &["executions", "show", &id])["output"], "done");

    prints(&server, &["triggers", "disable", "jobs"]);
    prints(&server, &["triggers", "enable", "jobs"]);
    let (code, said) = fails(&server, &["executions", "cancel", &id]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("EX_002"), "{said}");
}

#[tokio::test]
async fn what_waits_is_explained_and_cancelled() {
    let manifest = r#"{"runtime": "node", "triggers": [{"name": "one", "type": "event",
        "match": "wait", "concurrency": {"limit": 1}}]}"#;
    let code = "export const handler = () => new Promise((done) => setTimeout(done, 25_000));";
    let server =
        dev(&[("functions/slow/function.json", manifest), ("functions/slow/index.mjs", code)])
            .await;
    let first = prints(&server, &["events", "send", "wait"]);
    server.metric("evoke_executions_running", |value| value == 1.0).await;
    let event = prints(&server, &["events", "send", "wait"]);
    let id = prints(&server, &["executions", "list", "--event", &event, "-o", "id"]);
    let why = prints(&server, &["executions", "explain", &id]);
    assert!(why.contains("the limit is 1"), "{why}");
    let explained = gives(&server, &["executions", "explain", &id]);
    assert_eq!(explained["status"], "pending", "{explained}");
    assert_eq!(explained["detail"]["why"], "concurrency", "{explained}");
    assert_eq!(prints(&server, &["executions", "cancel", &id]), id);
    assert_eq!(gives(&server, &["executions", "show", &id])["status"], "cancelled");
    let event = first;
    let first = prints(&server, &["executions", "list", "--status", "running", "-o", "id"]);
    assert_eq!(gives(&server, &["executions", "show", &first])["event_id"], event);
    assert_eq!(gives(&server, &["executions", "show", &first])["status"], "running");
    assert_eq!(prints(&server, &["executions", "cancel", &first]), first);
    server.ended("status=cancelled", 2).await;
}

#[tokio::test]
async fn triggers_are_listed_shown_and_switched() {
    let server = dev(&ECHO).await;
    let list = gives(&server, &["triggers", "list", "--type", "event"]);
    let name = items(&list)[0]["name"].as_str().expect("a name").to_owned();
    assert_eq!(gives(&server, &["triggers", "show", &name])["enabled"], true);
    prints(&server, &["triggers", "disable", &name]);
    assert_eq!(gives(&server, &["triggers", "show", &name])["enabled"], false);
    let event = server.emit("echo.one", json!(1)).await;
    prints(&server, &["triggers", "enable", &name]);
    let second = server.emit("echo.two", json!(2)).await;
    server.ended(&format!("event={second}"), 1).await;
    assert_ne!(event, second);
    assert_eq!(gives(&server, &["triggers", "show", &name])["enabled"], true);
}

#[tokio::test]
async fn keys_are_made_listed_and_taken_away() {
    let server = dev(&ECHO).await;
    let made = gives(&server, &["keys", "create", "deploy"]);
    let (id, key) = (made["id"].as_str().expect("an id"), made["key"].as_str().expect("a key"));
    assert!(key.starts_with("evk_"), "{made}");
    let list = prints(&server, &["keys", "list", "-o", "json"]);
    assert!(list.contains(id) && !list.contains(key), "{list}");
    assert_eq!(prints(&server, &["keys", "delete", id]), id);
    assert_eq!(prints(&server, &["keys", "list", "-o", "id"]), "");
    assert_eq!(fails(&server, &["keys", "delete", id]).0, Some(3));
}

#[tokio::test]
async fn the_exit_code_says_whose_fault_it_was() {
    let server = dev(&ECHO).await;
    for (args, code, says) in [
        (&["functions", "shwo"][..], 1, "show"),
        (&["events", "send", "a", "--data", "{broken"], 1, "JSON"),
        (&["functions", "show", "ehco"], 3, "FN_001"),
        (&["functions", "invoke", "ehco"], 3, "FN_001"),
        (&["events", "show", "evt_00000000000000"], 3, "EV_002"),
        (&["executions", "show", "exe_0000000000000000000000000000"], 3, "EX_001"),
        (&["triggers", "show", "nothing"], 3, "TR_001"),
    ] {
        let (seen, said) = fails(&server, args);
        assert_eq!(seen, Some(code), "{args:?}: {said}");
        assert!(said.contains(says), "{args:?}: {said}");
    }
    let nobody = run(server.dir(), "http://127.0.0.1:1", &["functions", "list"]);
    assert_eq!(nobody.status.code(), Some(2), "{}", text(&nobody.stderr));
}

#[test]
fn what_needs_no_server_works_without_one() {
    let dir = tempfile::tempdir().expect("a folder");
    let alone = |args: &[&str]| {
        let output = run(dir.path(), "http://127.0.0.1:1", args);
        assert!(output.status.success(), "{args:?}: {}", text(&output.stderr));
        text(&output.stdout)
    };
    for shell in ["bash", "zsh", "fish"] {
        assert!(alone(&["completions", shell]).contains("executions"), "{shell}");
    }
    let openapi: Value = serde_json::from_str(&alone(&["openapi"])).expect("JSON");
    assert!(openapi["openapi"].as_str().is_some_and(|version| version.starts_with("3.1")));
    assert!(openapi["paths"]["/api/events"].is_object() || openapi["paths"]["/events"].is_object());
    let schema: Value = serde_json::from_str(&alone(&["schema"])).expect("JSON");
    assert!(schema["properties"]["runtime"].is_object(), "{schema}");
    let findings: Value = serde_json::from_str(&alone(&["doctor", "-o", "json"])).expect("JSON");
    let names: Vec<_> =
        items(&findings).iter().filter_map(|finding| finding["name"].as_str()).collect();
    for name in ["nodejs20", "store"] {
        assert!(names.contains(&name), "{names:?}");
    }
}

/// The program that runs the unit tests of a template.
fn unit_test(runtime: &str) -> Command {
    let (program, args): (PathBuf, &[&str]) = match runtime {
        "bun" => (tool("bin/bun"), &["test"]),
        "python" => ("python3".into(), &["-m", "unittest"]),
        _ => (tool("bin/node22"), &["--experimental-strip-types", "--test", "index.test.ts"]),
    };
    let mut command = Command::new(program);
    command.args(args);
    command
}

#[tokio::test]
async fn a_new_function_deploys_and_passes_its_own_test() {
    let server = dev(&ECHO).await;
    for runtime in ["nodejs22", "bun", "python"] {
        let name = format!("new-{runtime}");
        prints(&server, &["functions", "init", &name, "--runtime", runtime]);
        let (code, said) = fails(&server, &["functions", "init", &name, "--runtime", runtime]);
        assert_eq!(code, Some(1), "{said}");
        until(&format!("{name} is ready"), async || {
            let function = server.get(&format!("/api/functions/{name}")).await;
            (function.status == 200 && function.json()["status"] == "ready").then_some(())
        })
        .await;
        let answer =
            prints(&server, &["functions", "invoke", &name, "--data", r#"{"name": "Ada"}"#]);
        assert!(answer.contains("Hello, Ada!"), "{answer}");
        let folder = server.dir().join("functions").join(&name);
        let tested = unit_test(runtime).current_dir(&folder).output().expect("run the unit test");
        assert!(
            tested.status.success(),
            "{runtime}: {}{}",
            text(&tested.stdout),
            text(&tested.stderr)
        );
    }
}
