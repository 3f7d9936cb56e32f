//! The examples that document 001 prints, word for word but for the names of the packages.

use serde_json::json;

use super::{RUNTIMES, dev_on, everywhere, file};
use crate::auth::signup;
use crate::database::{create, manifest, on};
use crate::facts::{content, invoke, until};

const HTTP: &str = include_str!("document_001/http.ts");
const BACKGROUND: &str = include_str!("document_001/background.ts");
const SCHEDULED: &str = include_str!("document_001/scheduled.ts");
const DATABASE: &str = include_str!("document_001/database.ts");
const STORAGE: &str = include_str!("document_001/storage.ts");
const AUTH: &str = include_str!("document_001/auth.ts");
const MIDDLEWARE: &str = include_str!("document_001/middleware.ts");

/// What the examples call and do not show: they are the reader's own.
const OWN: &str = "import { appendFileSync } from 'node:fs';\n\
    const note = (what: string) => (value: unknown) => appendFileSync(process.env.NOTES!, `${what} ${JSON.stringify(value)}\\n`);\n\
    Object.assign(globalThis, { sendEmail: note('mail'), sendReport: note('report'), generateDailyStats: async () => ({ n: 3 }) });\n";

/// Statements, with their imports, as a handler that answers with `result`.
fn handler(example: &str, result: &str) -> String {
    let (imports, rest): (Vec<_>, Vec<_>) =
        example.lines().partition(|line| line.starts_with("import "));
    format!(
        "{}\nexport async function handler(req) {{\n{}\nreturn {result};\n}}\n",
        imports.join("\n"),
        rest.join("\n")
    )
}

fn route(runtime: &str, name: &str) -> String {
    manifest(runtime, &[json!({ "type": "http", "path": format!("/{name}/{runtime}") })])
}

#[tokio::test]
async fn http_functions_and_the_middleware_run_as_printed() {
    let mut files = everywhere("http", |runtime| {
        vec![("function.json".to_owned(), route(runtime, "http")), file("index.ts", HTTP)]
    });
    files.extend(everywhere("middleware", |runtime| {
        let about = route(runtime, "middleware");
        vec![("function.json".to_owned(), about), file("index.ts", MIDDLEWARE)]
    }));
    files.extend(everywhere("auth", |runtime| {
        let about = route(runtime, "auth");
        vec![("function.json".to_owned(), about), file("index.ts", &handler(AUTH, "user"))]
    }));
    let server = dev_on(&files).await;
    let ada = signup(&server, "ada@example.com").await.expect(201).json();
    let token = ada["access_token"].as_str().expect("a token");
    for runtime in RUNTIMES {
        let path = format!("/http/{runtime}");
        let done = server.post(&path, json!({ "a": 1 })).await.expect(200).json();
        assert_eq!(done, json!({ "success": true, "data": { "a": 1 } }), "{runtime}");
        let refused = server.get(&path).await.expect(405).json();
        assert_eq!(refused, json!({ "error": "Method not allowed" }), "{runtime}");

        let path = format!("/middleware/{runtime}");
        let stranger = server.get(&path).await.expect(401);
        assert_eq!(stranger.code(), "AU_002", "{runtime}");
        assert_eq!(stranger.headers["access-control-allow-origin"], "*");
        let known = server.answer(server.request("GET", &path).bearer_auth(token)).await;
        let known = known.expect(200);
        assert_eq!(known.json(), json!({ "success": true }), "{runtime}");
        assert_eq!(known.headers["ratelimit-limit"], "100");
        assert_eq!(known.headers["ratelimit-remaining"], "99");
        assert_eq!(known.headers["access-control-allow-origin"], "*");

        let path = format!("/auth/{runtime}");
        let user = server.answer(server.request("GET", &path).bearer_auth(token)).await;
        assert_eq!(user.expect(200).json()["id"], ada["user"]["id"], "{runtime}");
    }
}

#[tokio::test]
async fn integrations_run_as_printed() {
    let mut files = everywhere("database", |runtime| {
        let text = handler(DATABASE, "users.map(({ id }) => id)");
        vec![("function.json".to_owned(), manifest(runtime, &[])), file("index.ts", &text)]
    });
    files.extend(everywhere("storage", |runtime| {
        let text = handler(STORAGE, "[...file]");
        vec![("function.json".to_owned(), manifest(runtime, &[])), file("index.ts", &text)]
    }));
    let server = dev_on(&files).await;
    create(&server, "users", json!({ "id": "ada", "active": true })).await;
    create(&server, "users", json!({ "id": "bob", "active": false })).await;
    let image = server.request("PUT", "/api/buckets/uploads/files/image.jpg").body(vec![1, 2, 255]);
    server.answer(image).await.expect(201);
    for runtime in RUNTIMES {
        let users = invoke(&server, &format!("database-{runtime}"), json!({})).await.expect(200);
        assert_eq!(users.json(), json!(["ada"]), "{runtime}");
        let bytes = invoke(&server, &format!("storage-{runtime}"), json!({})).await.expect(200);
        assert_eq!(bytes.json(), json!([1, 2, 255]), "{runtime}");
    }
}

#[tokio::test]
async fn background_and_scheduled_functions_run_as_printed() {
    let notes = tempfile::tempdir().expect("a folder");
    let noted = |name: &str, runtime: &str| notes.path().join(format!("{name}-{runtime}"));
    let about = |name: &str, runtime: &str, trigger| {
        let mut about: serde_json::Value =
            serde_json::from_str(&manifest(runtime, &[trigger])).expect("JSON");
        about["environment"] = json!({ "NOTES": noted(name, runtime) });
        about
    };
    let mut files = everywhere("background", |runtime| {
        let trigger = on(&format!("users_{runtime}"), json!({ "events": ["create"] }));
        let mut about = about("background", runtime, trigger);
        about["handler"] = json!("index.onUserCreate");
        let index = "import './own.ts';\nexport { onUserCreate } from './example.ts';\n";
        let files = [("index.ts", index), ("own.ts", OWN), ("example.ts", BACKGROUND)];
        let files = files.iter().map(|(name, text)| file(name, text));
        files.chain([("function.json".to_owned(), about.to_string())]).collect()
    });
    files.extend(everywhere("scheduled", |runtime| {
        let trigger = json!({ "type": "event", "match": format!("clean.{runtime}") });
        let mut about = about("scheduled", runtime, trigger);
        about["handler"] = json!("index.dailyCleanup");
        let index = "import './own.ts';\nexport { dailyCleanup } from './example.ts';\n";
        let files = [("index.ts", index), ("own.ts", OWN), ("example.ts", SCHEDULED)];
        let files = files.iter().map(|(name, text)| file(name, text));
        files.chain([("function.json".to_owned(), about.to_string())]).collect()
    }));
    let server = dev_on(&files).await;
    for runtime in RUNTIMES {
        let ada =
            json!({ "id": format!("ada-{runtime}"), "email": "ada@example.com", "name": "Ada" });
        create(&server, &format!("users_{runtime}"), ada).await;
        let mail = content(&noted("background", runtime)).await;
        let expected = json!({
            "to": "ada@example.com", "subject": "Welcome!", "template": "welcome",
            "data": { "name": "Ada" },
        });
        let mail: serde_json::Value =
            serde_json::from_str(mail.trim().strip_prefix("mail ").expect("a mail")).expect("JSON");
        assert_eq!(mail, expected, "{runtime}");
        until("there is a profile", async || {
            let path = format!("/api/collections/profiles/documents?where=userId,==,ada-{runtime}");
            let found = server.get(&path).await;
            (found.status == 200 && found.json()["data"][0]["createdAt"].is_string()).then_some(())
        })
        .await;

        create(&server, "sessions", json!({ "id": "old", "expiresAt": "2020-01-01T00:00:00Z" }))
            .await;
        let new = json!({ "id": format!("new-{runtime}"), "expiresAt": "2999-01-01T00:00:00Z" });
        create(&server, "sessions", new).await;
        server.emit(&format!("clean.{runtime}"), json!({})).await;
        let report = content(&noted("scheduled", runtime)).await;
        assert_eq!(report.trim(), "report {\"n\":3}", "{runtime}");
        server.get("/api/collections/sessions/documents/old").await.expect(404);
        server.get(&format!("/api/collections/sessions/documents/new-{runtime}")).await.expect(200);
    }
}
