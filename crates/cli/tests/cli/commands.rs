use axum::extract::{Path, Request};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use serde_json::{Value, json};

use crate::fake::{Fake, evoke, text};

fn refusal(status: u16, code: &str, message: &str) -> Response {
    let problems = json!([{"field": "type", "message": "x"}, {"field": "data", "message": "y"}]);
    let error = json!({"error": {"code": code, "message": message, "problems": problems,
        "request_id": "req-1", "docs": "/docs/errors/x"}});
    (StatusCode::from_u16(status).unwrap(), Json(error)).into_response()
}

async fn show_function(Path(name): Path<String>) -> Response {
    match name.as_str() {
        "resize" => {
            let workers = json!({"ready": 1});
            let triggers = json!([{"name": "resize", "type": "http"}]);
            Json(json!({"id": "fn_1", "name": "resize", "status": "ready", "workers": workers,
                "triggers": triggers}))
            .into_response()
        }
        "broken" => refusal(500, "API_006", "it broke"),
        _ => refusal(404, "FN_001", "there is no function \"x\""),
    }
}

async fn invoke(headers: HeaderMap, Json(data): Json<Value>) -> Response {
    if headers.contains_key("prefer") {
        let body = json!({"execution_id": "exe_2"});
        return (StatusCode::ACCEPTED, Json(body)).into_response();
    }
    ([("x-evoke-execution-id", "exe_1")], Json(json!({"got": data}))).into_response()
}

async fn send(Json(body): Json<Value>) -> Response {
    if body["type"] == "bad" {
        return refusal(400, "EV_001", "two things are wrong");
    }
    let events = body.as_array().map_or(1, Vec::len);
    let ids: Vec<String> = (0..events).map(|number| format!("evt_{number}")).collect();
    (StatusCode::ACCEPTED, Json(json!({ "ids": ids }))).into_response()
}

async fn list_events(request: Request) -> Response {
    let query = request.uri().query().unwrap_or_default().to_owned();
    if query.contains("follow=true") {
        let body = "event: event\ndata: {\"id\":\"evt_1\",\"type\":\"a.b\",\"data\":{\"n\":1}}\n\n\
            event: missed\ndata: {\"missed\":3}\n\nevent: event\ndata: gone\n\n";
        return ([("content-type", "text/event-stream")], body).into_response();
    }
    let items = json!([
        {"id": "evt_2", "type": "order.created", "source": "/shop", "subject": query,
         "time": "2026-12-01T09:00:00.5Z"},
        {"id": "evt_1", "type": "order.paid", "source": "/shop", "time": "2026-12-01T08:00:00Z"},
    ]);
    Json(json!({"data": items, "next_cursor": null})).into_response()
}

/// One message, then silence.
async fn follow_executions() -> Response {
    let item = json!({"id": "exe_1", "status": "success", "target": "resize",
        "trigger_name": "on-upload", "attempt": 1, "duration_ms": 1.234, "error": null});
    let first = futures_util::stream::once(async move { Ok(format!("data: {item}\n\n")) });
    let rest = futures_util::stream::pending::<Result<String, std::io::Error>>();
    let body = axum::body::Body::from_stream(futures_util::StreamExt::chain(first, rest));
    ([("content-type", "text/event-stream")], body).into_response()
}

async fn keys(headers: HeaderMap) -> Response {
    match headers.get("authorization").map(|value| value.to_str().unwrap()) {
        Some("Bearer evk_good") => {
            let key = json!({"id": "key_1", "name": "n", "key": "evk_new"});
            (StatusCode::CREATED, Json(key)).into_response()
        }
        Some(_) => refusal(403, "FN_009", "this key may not"),
        None => refusal(401, "FN_009", "a key is needed"),
    }
}

/// A server that knows one of everything.
fn fake() -> Fake {
    let router = Router::new()
        .route("/api/functions/{name}", get(show_function))
        .route("/api/functions/{name}/invoke", post(invoke))
        .route("/api/events", post(send).get(list_events))
        .route("/api/keys", post(keys))
        .route("/api/keys/{id}", delete(|| async { StatusCode::NO_CONTENT }))
        .route("/api/executions", get(follow_executions))
        .route(
            "/api/executions/{id}",
            get(|| async {
                Json(json!({"id": "exe_1", "status": "failed", "attempts": 2,
                "error": {"code": "FN_004", "message": "boom"}}))
            }),
        )
        .route(
            "/api/executions/{id}/attempts",
            get(|| async {
                let attempts = json!([{"number": 1, "status": "failed"}, {"number": 2}]);
                Json(json!({"data": attempts, "next_cursor": null}))
            }),
        );
    Fake::serving(router)
}

#[test]
fn the_exit_code_says_whose_fault_it_was() {
    let fake = fake();
    for (args, code, says) in [
        (&["functions", "show", "resize"][..], 0, ""),
        (&["functions", "show", "x"], 3, "error[FN_001]: there is no function \"x\""),
        (&["functions", "show", "broken"], 5, "the server logged it under request req-1"),
        (
            &["events", "send", "bad"],
            1,
            "error[EV_001]: two things are wrong\n  - type: x\n  - data: y",
        ),
        (&["events", "send", "a", "--data", "hello"], 1, "--data '\"hello\"'"),
        (&["events", "list", "--since", "yesterday"], 1, "not a time"),
        (&["keys", "create", "n"], 4, "EVOKE_API_KEY"),
        (&["keys", "create", "n", "--api-key", "evk_bad"], 4, "error[FN_009]"),
        (&["functions", "shwo"], 1, "a similar subcommand exists: 'show'"),
        (&["--url", "http://127.0.0.1:1", "events", "list"], 2, "`evoke dev`"),
        (&["--url", "nowhere", "events", "list"], 1, "is not the address of a server"),
        (&["--profile", "none", "events", "list"], 1, "there is no profile \"none\""),
    ] {
        let output = fake.evoke(args);
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {stderr}");
        assert!(stderr.contains(says), "{args:?}: {stderr}");
        assert!(!stderr.contains('\u{1b}'), "colours only on a terminal: {stderr:?}");
    }
}

#[test]
fn lists_are_printed_as_asked_for() {
    let fake = fake();
    let table = fake.prints(&["events", "list", "--type", "order.*", "--limit", "2"]);
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines.len(), 3, "{table}");
    assert!(lines[0].starts_with("ID     TYPE           SOURCE"), "{table}");
    assert!(lines[1].contains("2026-12-01 09:00:00"), "{table}");
    assert!(lines[1].contains("type=order.*&limit=2"), "the filters are sent: {table}");
    let json: Value =
        serde_json::from_str(&fake.prints(&["events", "list", "-o", "json"])).unwrap();
    assert_eq!(json[1]["id"], "evt_1");
    assert_eq!(fake.prints(&["events", "list", "-o", "id"]), "evt_2\nevt_1\n");
    assert!(fake.prints(&["events", "list", "-o", "yaml"]).contains("id: evt_2"));
}

#[test]
fn one_thing_is_shown_whole() {
    let fake = fake();
    let shown = fake.prints(&["executions", "show", "exe_1"]);
    assert!(shown.contains("error\n  FN_004: boom"), "{shown}");
    assert!(shown.contains("earlier attempts\n  1  failed"), "{shown}");
    let json = fake.prints(&["executions", "show", "exe_1", "-o", "json"]);
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["history"][1]["number"], 2);
}

#[test]
fn data_goes_to_stdout_and_talk_to_stderr() {
    let fake = fake();
    assert_eq!(fake.prints(&["events", "send", "a", "--data", "{\"n\":1}"]), "evt_0\n");
    assert_eq!(fake.prints(&["events", "send", "a", "--count", "3"]), "evt_0\nevt_1\nevt_2\n");
    let output = fake.evoke(&["functions", "invoke", "resize", "--data", "{\"n\":1}"]);
    assert_eq!(text(&output.stdout), "{\"got\":{\"n\":1}}\n");
    assert_eq!(text(&output.stderr), "execution exe_1\n");
    assert_eq!(fake.prints(&["functions", "invoke", "resize", "--async"]), "exe_2\n");
    let output = fake.evoke(&["keys", "create", "n", "--api-key", "evk_good"]);
    assert_eq!(text(&output.stdout), "evk_new\n");
    assert!(text(&output.stderr).contains("shown this once"));
    assert_eq!(fake.prints(&["keys", "delete", "key_1"]), "key_1\n");
}

#[test]
fn payloads_come_from_files_and_stdin() {
    let fake = fake();
    let mut command = evoke(&["functions", "invoke", "resize", "--data", "-"]);
    let output = command.env("EVOKE_URL", &fake.url).write_stdin("[1, 2]").output().unwrap();
    assert_eq!(text(&output.stdout), "{\"got\":[1,2]}\n");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.json");
    std::fs::write(&file, "{\"a\":1}").unwrap();
    let given = format!("@{}", file.display());
    assert_eq!(
        fake.prints(&["functions", "invoke", "resize", "-d", &given]),
        "{\"got\":{\"a\":1}}\n"
    );
}

#[test]
fn a_tail_prints_what_comes() {
    let fake = fake();
    let output = fake.evoke(&["events", "tail", "-o", "json"]);
    assert_eq!(text(&output.stdout), "{\"data\":{\"n\":1},\"id\":\"evt_1\",\"type\":\"a.b\"}\n");
    assert!(text(&output.stderr).contains("3 were missed"));
    // The fake ends with something that is no JSON, so that the test ends.
    assert_eq!(output.status.code(), Some(5));
}

#[test]
fn ctrl_c_is_the_way_a_tail_ends_well() {
    let fake = fake();
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_evoke-cli-test"))
        .args(["executions", "tail", "--url", &fake.url])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut stdout = std::io::BufReader::new(child.stdout.take().unwrap());
    std::io::BufRead::read_line(&mut stdout, &mut line).unwrap();
    assert_eq!(line, "exe_1  success  resize  on-upload  1.2ms\n");
    let pid = child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_profile_names_the_server() {
    let fake = fake();
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join(".config/evoke");
    std::fs::create_dir_all(&folder).unwrap();
    let profile = format!("[profiles.here]\nurl = '{}'\napi_key = 'evk_good'\n", fake.url);
    std::fs::write(folder.join("config.toml"), profile).unwrap();
    let mut command = evoke(&["keys", "create", "n", "--profile", "here"]);
    let output = command.env("HOME", home.path()).output().unwrap();
    assert_eq!(text(&output.stdout), "evk_new\n", "{}", text(&output.stderr));
}

#[test]
fn what_the_caller_carries_out_is_given_its_arguments() {
    let output = evoke(&["dev", "shop", "--port", "9000"]).output().unwrap();
    assert_eq!(text(&output.stdout), "dev shop Some(9000)\n");
    let output = evoke(&["functions", "init", "a"]).output().unwrap();
    assert_eq!(text(&output.stdout), "functions/a/index.ts\n");
    let output = evoke(&["keys", "create", "a", "--local"]).output().unwrap();
    assert_eq!(text(&output.stdout), "evk_local\n");
    let output = evoke(&["doctor"]).output().unwrap();
    assert!(text(&output.stdout).contains("install Bun"), "{}", text(&output.stdout));
    let output = evoke(&["completions", "bash"]).output().unwrap();
    assert!(text(&output.stdout).contains("complete -F _evoke"));
    let output = evoke(&["functions", "sample", "--kind", "storage"]).output().unwrap();
    assert_eq!(text(&output.stdout), "{\n  \"type\": \"storage\"\n}\n");
    let output = evoke(&["schema"]).output().unwrap();
    assert_eq!(output.status.code(), Some(5));
    assert_eq!(text(&output.stderr), "error: no schema\n");
}

#[test]
fn a_test_of_a_function_prints_its_output_and_ends_as_it_ended() {
    let output = evoke(&["functions", "test", "bill"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(text(&output.stdout), "{\"ok\":true}\n");
    let said = text(&output.stderr);
    assert_eq!(said, "installing\nsuccess  bill  3.0ms  order.created by orders\n");
    let output = evoke(&["functions", "test", "bill", "--event", "bad.json"]).output().unwrap();
    assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(1), ""));
    let said = text(&output.stderr);
    let error = "error[FN_004]: bill failed after 3.0ms: Error: boom\n";
    assert_eq!(said, format!("installing\nat handler\n{error}"));
    let args = ["functions", "test", "bill", "--event", "bad.json", "-o", "json"];
    let output = evoke(&args).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["error"]["stack"], "at handler");
}

#[test]
fn every_command_shows_an_example() {
    fn walk(command: &clap::Command, path: &str) {
        let has_children = command.get_subcommands().any(|child| child.get_name() != "help");
        if !has_children {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains(&format!("Example:\n  evoke{path}")), "{path}: {help:?}");
        }
        for child in command.get_subcommands().filter(|child| child.get_name() != "help") {
            walk(child, &format!("{path} {}", child.get_name()));
        }
    }
    let command = evoke_cli::command();
    command.clone().debug_assert();
    walk(&command, "");
}
