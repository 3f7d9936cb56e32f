use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::fake::{Fake, page, text};

fn operation(id: &str, status: &str, taken: u64) -> Value {
    let reason = (status == "stopped").then_some("cause 00ff repeated 5 times");
    json!({ "id": id, "kind": "redrive", "status": status, "actor": "local", "reason": reason,
        "progress": { "seen": 9, "taken": taken, "executions": taken, "succeeded": taken,
            "failed": 0 } })
}

/// The progress of an operation in three messages.
fn progress(path: &str) -> Response {
    let id = path.split('/').nth(3).unwrap_or_default();
    let end = if id == "opr_bad" { "stopped" } else { "done" };
    let messages =
        [operation(id, "running", 0), operation(id, "running", 1), operation(id, end, 2)];
    let text = messages.map(|message| format!("event: progress\ndata: {message}\n\n")).concat();
    ([("content-type", "text/event-stream")], text).into_response()
}

fn answer(method: &str, path: &str, body: &Value) -> Option<Response> {
    let letter = json!({ "id": "exe_1", "status": "failed", "cause": "00ff", "attempts": 2,
        "is_edited": true, "error": { "code": "FN_004", "message": "it broke\nbadly" },
        "history": [{ "number": 1, "status": "failed" }, { "number": 2, "status": "failed" }] });
    let is_dry = body["dry_run"] == true;
    Some(match (method, path) {
        ("GET", "/api/dead-letters/groups") => page(json!([{ "cause": "00ff", "count": 3,
            "function": "bill", "trigger_name": "orders", "sample_id": "exe_1",
            "error": { "code": "FN_004", "message": "it broke\nbadly" } }])),
        ("GET", "/api/dead-letters") => page(json!([letter])),
        ("GET" | "PATCH", "/api/dead-letters/exe_1") => Json(letter).into_response(),
        ("DELETE", "/api/dead-letters") => Json(json!({ "count": 3 })).into_response(),
        ("POST", "/api/dead-letters/redrive") if is_dry => {
            Json(json!({ "count": 3 })).into_response()
        }
        ("POST", "/api/events/replay") if is_dry => Json(json!({ "seen": 9, "events": 4,
            "executions": [{ "trigger_name": "orders", "count": 4 }] }))
        .into_response(),
        ("POST", "/api/dead-letters/redrive" | "/api/events/replay") => {
            (StatusCode::ACCEPTED, Json(operation("opr_1", "running", 0))).into_response()
        }
        ("GET", "/api/operations") => page(json!([operation("opr_1", "done", 2)])),
        ("GET", "/api/operations/opr_1") => Json(operation("opr_1", "done", 2)).into_response(),
        ("POST", "/api/operations/opr_1/cancel") => {
            Json(operation("opr_1", "cancelled", 1)).into_response()
        }
        ("GET", path) if path.ends_with("/progress") => progress(path),
        ("GET", "/api/events/evt_1/tree") => Json(json!({ "truncated": false, "root": {
            "event": { "id": "evt_1", "type": "a", "accepted_at": "2026-12-01T09:00:00Z" },
            "executions": [{ "events": [], "execution": { "id": "exe_1", "function": "bill",
                "status": "success", "duration_ms": 3.0 } }] } }))
        .into_response(),
        ("GET", "/api/audit") => page(json!([{ "id": "aud_1", "time": "2026-12-01T09:00:00Z",
            "actor": "mona", "action": "dead_letter.edit", "subject": "exe_1",
            "detail": { "after": 1 } }])),
        ("GET", "/api/retention") => {
            Json(json!({ "used_bytes": 7, "policy": { "events": "7d" } })).into_response()
        }
        ("POST", "/api/retention/run") => Json(json!({ "archived_events": 5 })).into_response(),
        ("POST", "/api/triggers/orders/test") => {
            (StatusCode::ACCEPTED, Json(json!({ "execution_id": "exe_9" }))).into_response()
        }
        ("GET", "/api/events" | "/api/executions") => page(json!([])),
        _ => return None,
    })
}

#[test]
fn dead_letters_are_listed_by_cause_and_one_by_one() {
    let fake = Fake::new(answer);
    let causes = fake.prints(&["dlq", "list"]);
    assert!(causes.starts_with("CAUSE  COUNT  RUNS  TRIGGER"), "{causes}");
    assert!(causes.contains("00ff   3      bill  orders"), "{causes}");
    assert!(causes.trim_end().ends_with("FN_004 it broke"), "one line an error: {causes}");
    assert_eq!(fake.prints(&["dlq", "list", "-o", "id"]), "00ff\n");
    assert!(fake.prints(&["dlq", "list", "--cause", "00ff"]).contains("exe_1  00ff"));
    assert_eq!(fake.prints(&["dlq", "list", "--letters", "-o", "id"]), "exe_1\n");
    let (sent, _) = fake.sent(&["dlq", "list", "--groups", "--cause", "00ff", "--trigger", "t"]);
    assert_eq!(sent, "GET /api/dead-letters/groups?cause=00ff&trigger=t&limit=1000");
    let shown = fake.prints(&["dlq", "show", "exe_1"]);
    assert!(shown.contains("earlier attempts\n  1  failed"), "{shown}");
    assert!(!shown.contains("history"), "{shown}");
}

#[test]
fn a_dead_letter_is_edited_from_the_command_line_and_from_a_file() {
    let fake = Fake::new(answer);
    let edit = |args: &[&str]| fake.sent(&[&["dlq", "edit", "exe_1"], args].concat());
    let (sent, body) = edit(&["--data", "{\"n\": 1}"]);
    assert_eq!(sent, "PATCH /api/dead-letters/exe_1");
    assert_eq!(body, json!({ "data": { "n": 1 } }));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.json");
    std::fs::write(&file, "[2]").unwrap();
    assert_eq!(edit(&["--file", &file.display().to_string()]).1, json!({ "data": [2] }));
    assert_eq!(fake.evoke(&["dlq", "edit", "exe_1"]).status.code(), Some(1));
}

#[test]
fn dead_letters_are_run_again_as_asked_for() {
    let fake = Fake::new(answer);
    let (sent, body) = fake.sent(&[
        "dlq",
        "redrive",
        "--function",
        "bill",
        "--id",
        "exe_1",
        "--id",
        "exe_2",
        "--filter",
        "true",
        "--since",
        "2026-12-01T09:00:00Z",
        "--to",
        "mend@2",
        "--rate",
        "5/m",
        "--stop-after",
        "0",
        "--limit",
        "9",
    ]);
    assert_eq!(sent, "POST /api/dead-letters/redrive");
    let expected = json!({ "function": "bill", "ids": ["exe_1", "exe_2"], "filter": "true",
        "since": "2026-12-01T09:00:00Z", "to": { "function": "mend", "version": 2 },
        "rate": { "limit": 5, "per": "1m" }, "stop_after": 0, "limit": 9 });
    assert_eq!(body, expected);
    let output = fake.evoke(&["dlq", "redrive"]);
    assert_eq!(text(&output.stdout), "opr_1\n");
    assert!(text(&output.stderr).contains("evoke operations follow opr_1"));
    assert_eq!(fake.prints(&["dlq", "redrive", "--dry-run"]), "count  3\n");
    assert_eq!(fake.evoke(&["dlq", "redrive", "--rate", "fast"]).status.code(), Some(1));
    let output = fake.evoke(&["dlq", "redrive", "--follow"]);
    assert_eq!(text(&output.stdout), "redrive done  2 taken  2 succeeded  0 failed\n");
    let lines = "redrive running  0 taken  0 succeeded  0 failed\n\
                 redrive running  1 taken  1 succeeded  0 failed\n";
    assert_eq!(text(&output.stderr), lines, "talk goes to stderr");
}

#[test]
fn a_purge_says_how_many_and_leaves_the_choice_to_the_server() {
    let fake = Fake::new(answer);
    assert_eq!(fake.prints(&["dlq", "purge", "--all", "--yes"]), "3\n");
    let (sent, _) = fake.sent(&["dlq", "purge", "--cause", "00ff", "--id", "a", "--id", "b"]);
    assert_eq!(sent, "DELETE /api/dead-letters?cause=00ff&ids=a%2Cb");
}

#[test]
fn events_are_replayed_and_counted() {
    let fake = Fake::new(answer);
    let (sent, body) = fake.sent(&[
        "events", "replay", "--type", "order.*", "--source", "/shop", "--to", "bill", "--rate",
        "100/s",
    ]);
    assert_eq!(sent, "POST /api/events/replay");
    let rate = json!({ "limit": 100, "per": "1s" });
    let to = json!({ "function": "bill" });
    assert_eq!(body, json!({ "type": "order.*", "source": "/shop", "to": to, "rate": rate }));
    let (_, body) = fake.sent(&["events", "replay", "--trigger", "orders"]);
    assert_eq!(body, json!({ "to": { "trigger": "orders" } }));
    let counted = fake.prints(&["events", "replay", "--dry-run"]);
    assert_eq!(counted, "events  4\nseen    9\n\nTRIGGER  EXECUTIONS\norders   4\n");
    let both = fake.evoke(&["events", "replay", "--trigger", "a", "--to", "b"]);
    assert_eq!(both.status.code(), Some(1));
}

#[test]
fn an_operation_is_followed_to_its_end_and_a_bad_end_is_told() {
    let fake = Fake::new(answer);
    assert!(fake.prints(&["operations", "list"]).contains("opr_1  redrive  done"));
    assert!(fake.prints(&["operations", "show", "opr_1"]).contains("status  done"));
    assert_eq!(fake.prints(&["operations", "cancel", "opr_1"]), "opr_1\n");
    let json = fake.prints(&["operations", "follow", "opr_1", "-o", "json"]);
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["status"], "done");
    let output = fake.evoke(&["operations", "follow", "opr_bad"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("opr_bad: cause 00ff repeated 5 times"));
}

#[test]
fn the_rest_of_the_record_is_shown() {
    let fake = Fake::new(answer);
    let tree = fake.prints(&["events", "tree", "evt_1"]);
    assert_eq!(tree, "a  evt_1  2026-12-01 09:00:00\n└─ bill  success  3.0ms  exe_1\n");
    assert_eq!(fake.prints(&["events", "tree", "evt_1", "-o", "id"]), "evt_1\n");
    let trail = fake.prints(&["audit", "list", "--action", "dead_letter.*"]);
    assert!(trail.contains("mona  dead_letter.edit  exe_1    after=1"), "{trail}");
    assert!(fake.prints(&["retention", "show"]).contains("used_bytes  7"));
    assert_eq!(fake.prints(&["retention", "run"]), "archived_events  5\n");
    for list in ["events", "executions"] {
        let (sent, _) = fake.sent(&[list, "list", "--tier", "archived"]);
        assert_eq!(sent, format!("GET /api/{list}?tier=archived&limit=50"));
        assert_eq!(fake.sent(&[list, "list"]).0, format!("GET /api/{list}?limit=50"));
    }
    let (sent, _) = fake.sent(&["executions", "list", "--replays"]);
    assert_eq!(sent, "GET /api/executions?is_replay=true&limit=50");
}

#[test]
fn a_trigger_is_tested_with_data_or_an_event() {
    let fake = Fake::new(answer);
    assert_eq!(fake.prints(&["triggers", "test", "orders"]), "exe_9\n");
    let (_, body) = fake.sent(&["triggers", "test", "orders", "--data", "[1]"]);
    assert_eq!(body, json!({ "data": [1] }));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("event.json");
    let file_name = file.display().to_string();
    let event = json!({ "specversion": "1.0", "id": "7", "type": "order.created", "data": 1 });
    std::fs::write(&file, event.to_string()).unwrap();
    let (_, body) = fake.sent(&["triggers", "test", "orders", "--event", &file_name]);
    assert_eq!(body, json!({ "type": "order.created", "data": 1 }));
    std::fs::write(&file, "{\"total\": 1}").unwrap();
    let output = fake.evoke(&["triggers", "test", "orders", "--event", &file_name]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("--data @FILE"), "{}", text(&output.stderr));
}
