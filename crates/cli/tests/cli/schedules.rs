use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::fake::{Fake, page, text};

fn answer(method: &str, path: &str, _: &Value) -> Option<Response> {
    let nightly = json!({ "id": "trg_1", "name": "nightly", "status": "active",
        "expression": "0 2 * * *", "timezone": "Europe/Berlin",
        "next_run": "2026-12-01T01:00:00Z", "last_run": null, "last_status": null,
        "target": { "type": "function", "name": "report" } });
    let fired = json!({ "event_id": "evt_1", "execution_id": "exe_1" });
    Some(match (method, path) {
        ("GET", "/api/schedules") => page(json!([nightly])),
        ("GET", "/api/schedules/nightly") => Json(nightly).into_response(),
        ("POST", "/api/schedules/nightly/pause" | "/api/schedules/nightly/resume") => {
            Json(nightly).into_response()
        }
        ("POST", "/api/schedules/nightly/trigger" | "/api/triggers/nightly/fire") => {
            (StatusCode::ACCEPTED, Json(fired)).into_response()
        }
        ("POST", "/api/schedules/nightly/backfill") => {
            Json(json!({ "count": 2, "first": "2026-12-01T01:00:00Z" })).into_response()
        }
        ("GET", "/api/schedules/nightly/upcoming") => {
            page(json!(["2026-12-01T01:00:00Z", "2026-12-02T01:00:00Z"]))
        }
        _ => return None,
    })
}

#[test]
fn schedules_are_listed_and_shown() {
    let fake = Fake::new(answer);
    let list = fake.prints(&["schedules", "list"]);
    let lines: Vec<&str> = list.lines().collect();
    assert!(lines[0].starts_with("ID     NAME     STATUS  FIRES      ZONE"), "{list}");
    let row = "trg_1  nightly  active  0 2 * * *  Europe/Berlin  2026-12-01 01:00:00";
    assert!(lines[1].starts_with(row), "{list}");
    assert!(lines[1].ends_with("function report"), "{list}");
    let (sent, _) = fake.sent(&["schedules", "ls", "--status", "paused", "--function", "report"]);
    assert_eq!(sent, "GET /api/schedules?function=report&status=paused&limit=1000");
    assert!(fake.prints(&["schedules", "show", "nightly"]).contains("timezone     Europe/Berlin"));
    assert_eq!(fake.prints(&["schedules", "show", "nightly", "-o", "id"]), "trg_1\n");
    assert_eq!(fake.evoke(&["schedules", "show", "daily"]).status.code(), Some(3));
    assert_eq!(fake.evoke(&["schedules", "list", "--status", "off"]).status.code(), Some(1));
}

#[test]
fn a_schedule_is_fired_by_hand() {
    let fake = Fake::new(answer);
    assert_eq!(fake.prints(&["schedules", "trigger", "nightly"]), "exe_1\n");
    let (sent, body) = fake.sent(&["schedules", "trigger", "nightly"]);
    assert_eq!((sent.as_str(), body), ("POST /api/schedules/nightly/trigger", json!({})));
    let (sent, body) = fake.sent(&["triggers", "fire", "nightly", "--input", "{\"days\": 7}"]);
    assert_eq!(sent, "POST /api/triggers/nightly/fire");
    assert_eq!(body, json!({ "input": { "days": 7 } }));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.json");
    std::fs::write(&file, "[2]").unwrap();
    let file = format!("@{}", file.display());
    let (_, body) = fake.sent(&["schedules", "trigger", "nightly", "--input", &file]);
    assert_eq!(body, json!({ "input": [2] }));
    let output = fake.evoke(&["schedules", "trigger", "nightly", "--input", "seven"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("--input '\"seven\"'"), "{}", text(&output.stderr));
}

#[test]
fn schedules_are_paused_and_resumed() {
    let fake = Fake::new(answer);
    assert_eq!(fake.prints(&["schedules", "pause", "nightly", "nightly"]), "nightly\nnightly\n");
    assert_eq!(
        fake.sent(&["schedules", "pause", "nightly"]).0,
        "POST /api/schedules/nightly/pause"
    );
    let (sent, _) = fake.sent(&["schedules", "resume", "nightly"]);
    assert_eq!(sent, "POST /api/schedules/nightly/resume");
}

#[test]
fn the_past_is_filled_and_the_future_told() {
    let fake = Fake::new(answer);
    let from = "2026-12-01T00:00:00Z";
    let command = ["schedules", "backfill", "nightly", "--from", from, "--dry-run"];
    let (sent, body) = fake.sent(&[&command[..], &["--to", "2026-12-03T00:00:00Z"]].concat());
    assert_eq!(sent, "POST /api/schedules/nightly/backfill");
    assert_eq!(body, json!({ "from": from, "to": "2026-12-03T00:00:00Z", "dry_run": true }));
    assert!(fake.prints(&command).starts_with("count  2\n"));
    let (_, body) = fake.sent(&["schedules", "backfill", "nightly", "--from", "7d"]);
    assert!(body["from"].as_str() < body["to"].as_str(), "{body}");
    let output = fake.evoke(&["schedules", "backfill", "nightly", "--from", "last week"]);
    assert_eq!(output.status.code(), Some(1));

    let upcoming = fake.prints(&["schedules", "upcoming", "nightly", "-n", "2"]);
    assert_eq!(upcoming, "2026-12-01T01:00:00Z\n2026-12-02T01:00:00Z\n");
    let (sent, _) = fake.sent(&["schedules", "upcoming", "nightly", "--after", from]);
    assert!(sent.starts_with("GET /api/schedules/nightly/upcoming?limit=10&after=2026-12-01T00"));
    let output = fake.evoke(&["schedules", "upcoming", "nightly", "-n", "1001"]);
    assert_eq!(output.status.code(), Some(1));
}
