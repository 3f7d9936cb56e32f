use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::fake::{Fake, evoke, page, text};

fn answer(method: &str, path: &str, _: &Value) -> Option<Response> {
    let ada = json!({ "id": "usr_1", "email": "ada@example.com", "email_verified": true,
        "roles": ["admin", "editor"], "data": {}, "created_at": "2026-12-01T01:00:00Z",
        "updated_at": "2026-12-01T01:00:00Z", "last_login_at": null, "locked_until": null });
    Some(match (method, path) {
        ("GET", "/api/auth/users") => page(json!([ada])),
        ("GET" | "PATCH", "/api/auth/users/usr_1") => Json(ada).into_response(),
        ("POST", "/api/auth/users") => (StatusCode::CREATED, Json(ada)).into_response(),
        ("DELETE", "/api/auth/users/usr_1" | "/api/auth/users/usr_1/sessions") => {
            StatusCode::NO_CONTENT.into_response()
        }
        _ => return None,
    })
}

#[test]
fn users_are_listed_and_shown() {
    let fake = Fake::new(answer);
    let list = fake.prints(&["users", "list"]);
    let lines: Vec<&str> = list.lines().collect();
    assert!(lines[0].starts_with("ID     EMAIL            VERIFIED  ROLES"), "{list}");
    assert!(lines[1].starts_with("usr_1  ada@example.com  yes       admin, editor"), "{list}");
    let (sent, _) = fake.sent(&["users", "ls", "--role", "admin", "-n", "7"]);
    assert_eq!(sent, "GET /api/auth/users?role=admin&limit=7");
    for id in ["usr_1", "ada@example.com"] {
        assert_eq!(fake.prints(&["users", "show", id, "-o", "id"]), "usr_1\n");
    }
    assert_eq!(fake.evoke(&["users", "show", "usr_2"]).status.code(), Some(3));
}

#[test]
fn users_are_made_changed_and_removed() {
    let fake = Fake::new(answer);
    let create = ["users", "create", "ada@example.com", "--role", "admin", "--verified"];
    assert_eq!(fake.prints(&create), "usr_1\n");
    let (sent, body) = fake.sent(&create);
    assert_eq!(sent, "POST /api/auth/users");
    let expected =
        json!({ "email": "ada@example.com", "roles": ["admin"], "email_verified": true });
    assert_eq!(body, expected);
    let (sent, body) = fake.sent(&["users", "roles", "ada@example.com", "editor"]);
    assert_eq!(sent, "PATCH /api/auth/users/usr_1");
    assert_eq!(body, json!({ "roles": ["editor"] }));
    let (_, body) = fake.sent(&["users", "roles", "usr_1"]);
    assert_eq!(body, json!({ "roles": [] }));
    let (sent, _) = fake.sent(&["users", "logout", "ada@example.com"]);
    assert_eq!(sent, "DELETE /api/auth/users/usr_1/sessions");
    let (sent, _) = fake.sent(&["users", "delete", "ada@example.com"]);
    assert_eq!(sent, "DELETE /api/auth/users/usr_1");
    assert_eq!(fake.evoke(&["users", "delete"]).status.code(), Some(1));
}

#[test]
fn a_password_comes_from_the_standard_input_and_is_not_shown() {
    let fake = Fake::new(answer);
    let mut command = evoke(&["users", "create", "ada@example.com", "--password-stdin"]);
    command.env("EVOKE_URL", &fake.url).write_stdin("correct horse\nsecond line\n");
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let (_, body) = fake.last();
    assert_eq!(body["password"], "correct horse");
    assert!(!text(&output.stdout).contains("horse") && !text(&output.stderr).contains("horse"));
}
