//! Users of the built binary: what happens to them, the functions that run for it, and hooks.

use evoke_testkit::{Answer, Options, TestServer};
use serde_json::{Value, json};

use crate::database::{dev_on, manifest};
use crate::facts::until;
use crate::support::{BINARY, dev};

pub const PASSWORD: &str = "correct horse battery";

const NODE: &str = "export const handler = (event) => ({ type: event.type, ...event.data });\n";
const PYTHON: &str =
    "def handler(event, context):\n    return dict(event['data'], type=event['type'])\n";

/// The three languages, with the file their code is in.
const LANGUAGES: [(&str, &str); 3] =
    [("node", "index.mjs"), ("bun", "index.mjs"), ("python", "main.py")];

/// A project with a function in each language.
fn everywhere(triggers: &[Value], javascript: &str, python: &str) -> Vec<(String, String)> {
    let files = LANGUAGES.iter().flat_map(|(language, file)| {
        let code = if *language == "python" { python } else { javascript };
        [
            (format!("functions/in-{language}/function.json"), manifest(language, triggers)),
            (format!("functions/in-{language}/{file}"), code.to_owned()),
        ]
    });
    files.collect()
}

pub async fn signup(server: &TestServer, email: &str) -> Answer {
    let body = json!({ "email": email, "password": PASSWORD });
    server.post("/api/auth/signup", body).await
}

pub async fn login(server: &TestServer, email: &str, password: &str) -> Answer {
    let body = json!({ "email": email, "password": password });
    server.post("/api/auth/login", body).await
}

pub async fn refresh(server: &TestServer, token: &Value) -> Answer {
    server.post("/api/auth/refresh", json!({ "refresh_token": token })).await
}

/// A request of a user: with an access token.
pub async fn by(server: &TestServer, token: &Value, method: &str, path: &str) -> Answer {
    let token = token.as_str().expect("a token");
    server.answer(server.request(method, path).bearer_auth(token)).await
}

/// The tokens of mails that were shown in the terminal, oldest first.
pub fn shown(server: &TestServer) -> Vec<String> {
    let output = server.output();
    let tokens = output.lines().filter(|line| line.starts_with("evm_"));
    tokens.map(str::to_owned).collect()
}

/// Waits for so many mails in the terminal, and gives the token of the last.
pub async fn shown_token(server: &TestServer, count: usize) -> String {
    until("a mail is shown", async || shown(server).get(count - 1).cloned()).await
}

#[tokio::test]
async fn each_action_runs_functions_of_each_language() {
    let triggers = [json!({ "type": "auth", "name": "all" })];
    let server = dev_on(&everywhere(&triggers, NODE, PYTHON)).await;
    let ada = signup(&server, "Ada@Example.com").await.expect(201).json();
    let token = shown_token(&server, 1).await;
    let link = format!("{}/api/auth/verify-email?token={token}", server.url(""));
    assert!(server.output().contains(&link), "{}", server.output());
    let verified = server.post("/api/auth/verify-email", json!({ "token": token })).await;
    assert_eq!(verified.expect(200).json()["email_verified"], true);
    let request = server.request("POST", "/api/auth/login").header("user-agent", "test/1");
    let body = json!({ "email": "ada@example.com", "password": PASSWORD });
    let logged_in = server.answer(request.json(&body)).await.expect(200).json();
    by(&server, &logged_in["access_token"], "POST", "/api/auth/logout").await.expect(204);
    let request = json!({ "email": "ada@example.com" });
    server.post("/api/auth/password-reset/request", request).await.expect(202);
    let token = shown_token(&server, 2).await;
    let reset = json!({ "token": token, "password": "another horse" });
    server.post("/api/auth/password-reset", reset).await.expect(200);
    let id = ada["user"]["id"].as_str().expect("an id");
    for (language, _) in LANGUAGES {
        let mut told = Vec::new();
        for one in server.ended(&format!("function=in-{language}"), 5).await {
            let execution = server.execution(one["id"].as_str().expect("an id")).await;
            assert_eq!(execution["status"], "success", "{execution}");
            let input = &execution["input"];
            assert_eq!(input["user"]["id"], id, "{execution}");
            assert_eq!(input["user"]["email"], "Ada@Example.com", "{execution}");
            assert_eq!(input["user"]["created_at"], ada["user"]["created_at"], "{execution}");
            assert_eq!(input["metadata"]["ip"], "127.0.0.1", "{execution}");
            let action = input["action"].as_str().expect("a text").to_owned();
            assert_eq!(execution["output"]["type"], format!("auth.{action}"), "{execution}");
            if action == "login" {
                assert_eq!(input["metadata"]["user_agent"], "test/1");
            }
            told.push(action);
        }
        told.sort();
        let expected = ["email_verify", "login", "logout", "password_reset", "signup"];
        assert_eq!(told, expected, "{language}");
    }
    let events = server.get("/api/events?type=auth.*").await.expect(200);
    let page = events.json();
    assert!(
        page["data"]
            .as_array()
            .expect("a list")
            .iter()
            .all(|event| { event["source"] == "/auth" && event["subject"] == id })
    );
    for secret in [PASSWORD, "another horse", token.as_str(), "argon2"] {
        assert!(!events.text.contains(secret), "{}", events.text);
    }
}

#[tokio::test]
async fn hooks_of_each_language_keep_users_out() {
    let triggers =
        [json!({ "type": "auth", "events": ["signup", "login"], "mode": "sync", "name": "gate" })];
    let javascript = "export const handler = (event, { function: own }) =>\n  \
        event.data.user.email.startsWith(`${event.data.action}-${own.name}`) && { reject: {\n    \
        message: own.name, status: 403, problems: [{ field: 'email', message: 'not you' }] } };\n";
    let python = "def handler(event, context):\n    own = context.function.name\n    \
        data = event['data']\n    \
        if data['user']['email'].startswith(f\"{data['action']}-{own}\"):\n        \
        return {'reject': {'message': own, 'status': 403,\n            \
        'problems': [{'field': 'email', 'message': 'not you'}]}}\n";
    let server = dev_on(&everywhere(&triggers, javascript, python)).await;
    for (language, _) in LANGUAGES {
        let refused = signup(&server, &format!("signup-in-{language}@example.com")).await;
        let refused = refused.expect(403);
        assert_eq!(refused.code(), "HK_001");
        let error = refused.json()["error"].clone();
        assert!(error["message"].to_string().contains(&format!("in-{language}")), "{error}");
        assert_eq!(error["problems"][0]["field"], "email");
        let email = format!("login-in-{language}@example.com");
        let user = signup(&server, &email).await.expect(201).json();
        assert_eq!(login(&server, &email, PASSWORD).await.expect(403).code(), "HK_001");
        assert_eq!(login(&server, &email, "not it at all").await.expect(401).code(), "AU_001");
        let path = format!("/api/auth/users/{}", user["user"]["id"].as_str().expect("an id"));
        let user = server.get(&path).await.expect(200).json();
        assert_eq!(user["last_login_at"], Value::Null, "no session began");
    }
    let users = server.get("/api/auth/users").await.expect(200).json();
    assert_eq!(users["data"].as_array().map(Vec::len), Some(3), "{users}");
    let signups = server.get("/api/events?type=auth.signup").await.expect(200).json();
    assert_eq!(signups["data"].as_array().map(Vec::len), Some(3));
    let refused = server.get("/api/events?type=rejected.auth.*").await.expect(200).json();
    assert_eq!(refused["data"].as_array().map(Vec::len), Some(6), "{refused}");
}

#[tokio::test]
async fn hooks_of_an_alyx_manifest_are_taken_as_they_stand() {
    let manifest = json!({
        "runtime": "node",
        "hooks": [
            { "type": "auth", "action": "onUserCreate", "mode": "sync",
              "config": { "on_failure": "reject", "timeout": "5s" } },
            { "type": "auth", "action": "onLogin", "mode": "async" },
            { "type": "auth", "action": ["logout", "signup"], "mode": "async" },
        ],
    });
    let code = "export const handler = ({ data }) => {\n  \
        if (data.user.email.startsWith('eve')) throw new Error('no');\n};\n";
    let manifest = manifest.to_string();
    let server =
        dev(&[("functions/f/function.json", &manifest), ("functions/f/index.mjs", code)]).await;
    assert_eq!(signup(&server, "eve@example.com").await.expect(502).code(), "HK_002");
    let users = server.get("/api/auth/users").await.expect(200).json();
    assert_eq!(users["data"], json!([]));
    signup(&server, "ada@example.com").await.expect(201);
    login(&server, "ada@example.com", PASSWORD).await.expect(200);
    // The hook of the one who was let in and of the one who was not, the signup, the login.
    let ended = server.ended("function=f", 4).await;
    let failed: Vec<_> = ended.iter().filter(|one| one["status"] == "failed").collect();
    assert_eq!((ended.len(), failed.len()), (4, 1), "{ended:#?}");
}

#[tokio::test]
async fn what_was_answered_is_there_after_a_crash_and_what_was_not_leaves_no_trace() {
    let manifest = manifest("node", &[json!({ "type": "auth", "events": ["signup", "login"] })]);
    let files = [("functions/f/function.json", manifest.as_str()), ("functions/f/index.mjs", NODE)];
    let mut server = dev(&files).await;
    let mut kept: Vec<Value> = Vec::new();
    for round in 0..4 {
        let first = signup(&server, &format!("user{round}@example.com")).await.expect(201).json();
        let next = refresh(&server, &first["refresh_token"]).await.expect(200).json();
        kept.push(json!({ "old": first, "new": next }));
        // More are under way when it dies.
        let url = server.url("/api/auth/signup");
        let under_way: Vec<_> = (0..4)
            .map(|number| {
                let email = format!("late{round}-{number}@example.com");
                let body = json!({ "email": email, "password": PASSWORD });
                let request = reqwest::Client::new().post(&url).json(&body).send();
                tokio::spawn(async move {
                    let answered = request.await.is_ok_and(|answer| answer.status() == 201);
                    answered.then_some(email)
                })
            })
            .collect();
        tokio::time::sleep(std::time::Duration::from_millis(15 * round)).await;
        server.kill();
        server.restart().await;
        for task in under_way {
            if let Some(email) = task.await.expect("no panic") {
                login(&server, &email, PASSWORD).await.expect(200);
            }
        }
    }
    for tokens in &kept {
        by(&server, &tokens["new"]["access_token"], "GET", "/api/auth/me").await.expect(200);
        let next = refresh(&server, &tokens["new"]["refresh_token"]).await.expect(200).json();
        let reused = refresh(&server, &tokens["old"]["refresh_token"]).await;
        assert_eq!(reused.expect(401).code(), "AU_002");
        assert_eq!(refresh(&server, &next["refresh_token"]).await.expect(401).code(), "AU_002");
        let me = by(&server, &next["access_token"], "GET", "/api/auth/me").await;
        assert_eq!(me.expect(401).code(), "AU_002");
    }
    // Each user has one event of the signup, and each event a user.
    let users = server.get("/api/auth/users?limit=1000").await.expect(200).json();
    let events = server.get("/api/events?type=auth.signup&limit=1000").await.expect(200).json();
    let list = |page: &Value, field: &str| {
        let items = page["data"].as_array().expect("a list");
        let mut ids: Vec<String> =
            items.iter().map(|item| item[field].as_str().expect("a text").to_owned()).collect();
        ids.sort();
        ids
    };
    assert_eq!(list(&users, "id"), list(&events, "subject"));
    server.ended("function=f&limit=1000", users["data"].as_array().map_or(0, Vec::len)).await;
}

#[tokio::test]
async fn an_account_is_locked_and_stays_so_over_a_crash() {
    let settings = "[users]\nlock_after = 3\nlock_for = '1h'\n";
    let mut server = dev(&[("evoke.toml", settings)]).await;
    signup(&server, "ada@example.com").await.expect(201);
    for email in ["ada@example.com", "nobody@example.com"] {
        for _ in 0..3 {
            let wrong = login(&server, email, "not the password").await.expect(401);
            assert_eq!(wrong.code(), "AU_001");
        }
        let locked = login(&server, email, PASSWORD).await.expect(429);
        assert_eq!(locked.code(), "AU_003");
        let wait = locked.headers["retry-after"].to_str().expect("a text").parse::<u64>();
        assert!(wait.is_ok_and(|secs| secs > 600), "{:?}", locked.headers);
    }
    server.kill();
    server.restart().await;
    assert_eq!(login(&server, "ada@example.com", PASSWORD).await.expect(429).code(), "AU_003");
    let found = server.get("/api/auth/users?email=ADA@example.com").await.expect(200).json();
    let user = &found["data"][0];
    assert!(user["locked_until"].is_string(), "{user}");
    let path = format!("/api/auth/users/{}", user["id"].as_str().expect("an id"));
    let unlock = server.request("PATCH", &path).json(&json!({ "locked_until": null }));
    server.answer(unlock).await.expect(200);
    login(&server, "ada@example.com", PASSWORD).await.expect(200);
}

#[tokio::test]
async fn users_need_no_key_and_the_list_of_users_does() {
    let options = Options { command: "serve", ..Options::default() };
    let server = TestServer::start(BINARY, &[("evoke.toml", "")], options).await;
    let ada = signup(&server, "ada@example.com").await.expect(201).json();
    let access = &ada["access_token"];
    by(&server, access, "GET", "/api/auth/me").await.expect(200);
    by(&server, access, "GET", "/api/v1/auth/me").await.expect(200);
    server.get("/.well-known/jwks.json").await.expect(200);
    for (method, path) in [
        ("GET", "/api/auth/users"),
        ("GET", "/api/v1/auth/users/"),
        ("POST", "/api/auth/users"),
        ("DELETE", "/api/auth/users/usr_1"),
        ("DELETE", "/api/auth/users/usr_1/sessions"),
        ("GET", "/api/auth"),
        ("GET", "/api/collections/_users/documents"),
        ("GET", "/api/collections"),
    ] {
        assert_eq!(by(&server, access, method, path).await.expect(401).code(), "FN_009", "{path}");
    }
    for path in ["/api/auth/%75sers", "/api/auth//users", "/api/auth/me/../users"] {
        let status = by(&server, access, "GET", path).await.status;
        assert!([401, 404].contains(&status), "{path}: {status}");
    }
    // There is no mail, and it is said to everybody alike.
    for email in ["ada@example.com", "nobody@example.com"] {
        let refused = server.post("/api/auth/password-reset/request", json!({ "email": email }));
        assert_eq!(refused.await.expect(502).code(), "AU_008");
    }
    assert!(!server.output().contains("evm_"), "{}", server.output());
}

#[tokio::test]
async fn pages_of_other_sites_stay_out_of_a_server_that_is_open() {
    let server = dev(&[]).await;
    let body = json!({ "email": "ada@example.com", "password": PASSWORD });
    for (name, value) in [("origin", "https://evil.test"), ("host", "evil.test")] {
        let request = server.request("POST", "/api/auth/signup").header(name, value).json(&body);
        assert_eq!(server.answer(request).await.expect(403).code(), "FN_009", "{name}");
    }
    let request = server.request("POST", "/api/auth/signup").header("origin", server.url(""));
    server.answer(request.json(&body)).await.expect(201);
    let keys = server.request("GET", "/.well-known/jwks.json").header("origin", "https://a.test");
    server.answer(keys).await.expect(200);
}

#[tokio::test]
async fn the_command_line_makes_users_and_says_their_roles() {
    let server = dev(&[]).await;
    let run = async |args: &[&str], input: &str| {
        let mut command = tokio::process::Command::new(BINARY);
        command.args(args).env("EVOKE_URL", server.url(""));
        command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
        let mut child = command.spawn().expect("start the command line");
        let mut stdin = child.stdin.take().expect("a pipe");
        tokio::io::AsyncWriteExt::write_all(&mut stdin, input.as_bytes()).await.expect("write");
        drop(stdin);
        let output = child.wait_with_output().await.expect("an end");
        assert!(output.status.success(), "{args:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let create = ["users", "create", "ada@example.com", "--password-stdin", "--role", "admin"];
    let id = run(&create, PASSWORD).await;
    let logged_in = login(&server, "ada@example.com", PASSWORD).await.expect(200).json();
    assert_eq!(logged_in["user"]["roles"], json!(["admin"]));
    run(&["users", "roles", "ada@example.com", "editor", "reader"], "").await;
    let list = run(&["users", "list"], "").await;
    assert!(list.contains(id.trim()) && list.contains("editor, reader"), "{list}");
    let next = refresh(&server, &logged_in["refresh_token"]).await.expect(200).json();
    assert_eq!(next["user"]["roles"], json!(["editor", "reader"]));
    // The role that was taken away is in no token that holds.
    let me = async |token: &Value| by(&server, token, "GET", "/api/auth/me").await.status;
    assert_eq!(me(&logged_in["access_token"]).await, 401);
    assert_eq!(me(&next["access_token"]).await, 200);
    run(&["users", "logout", "ada@example.com"], "").await;
    assert_eq!(me(&next["access_token"]).await, 401);
    refresh(&server, &next["refresh_token"]).await.expect(401);
    let next = login(&server, "ada@example.com", PASSWORD).await.expect(200).json();
    run(&["users", "delete", "ada@example.com"], "").await;
    assert_eq!(by(&server, &next["access_token"], "GET", "/api/auth/me").await.status, 401);
    server.get(&format!("/api/auth/users/{}", id.trim())).await.expect(404);
}
