//! Tokens: who may call routes, what others make of ours and we of theirs, and what is forged.

use std::process::Command;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use evoke_testkit::TestServer;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::auth::{by, refresh, signup};
use crate::database::dev_on;
use crate::facts::until;
use crate::support::{dev, tool};

const SECRET: &str = "0123456789abcdef0123456789abcdef";

fn part(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

fn now_secs() -> i64 {
    evoke_ports::Clock::now(&evoke_ports::SystemClock).as_millis() / 1_000
}

/// A token signed with a shared secret.
fn shared(claims: &Value) -> String {
    let text = format!("{}.{}", part(&json!({ "alg": "HS256", "typ": "JWT" })), part(claims));
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("any length");
    mac.update(text.as_bytes());
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

fn route(path: &str, auth: &str) -> Value {
    json!({ "type": "http", "path": path, "auth": auth })
}

/// A function in each language with a route for each rule.
fn guarded() -> Vec<(String, String)> {
    let javascript =
        "export const handler = (request, context) => Response.json({ user: context.user });\n";
    let python = "def handler(request, context):\n    return {'user': context.user}\n";
    let languages = [
        ("node", "index.mjs", javascript),
        ("bun", "index.mjs", javascript),
        ("python", "main.py", python),
    ];
    let files = languages.iter().flat_map(|(language, file, code)| {
        let rules = [("open", "none"), ("maybe", "optional"), ("users", "required")];
        let mut triggers: Vec<Value> =
            rules.iter().map(|(path, auth)| route(&format!("/{language}/{path}"), auth)).collect();
        triggers.push(route(&format!("/{language}/admin"), "role:admin"));
        let manifest = json!({ "runtime": language, "triggers": triggers }).to_string();
        [
            (format!("functions/f-{language}/function.json"), manifest),
            (format!("functions/f-{language}/{file}"), (*code).to_owned()),
        ]
    });
    files.collect()
}

async fn call(server: &TestServer, path: &str, token: Option<&str>) -> (u16, Value, String) {
    let mut request = server.request("GET", path);
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    let answer = server.answer(request).await;
    let challenge = answer.headers.get("www-authenticate");
    let challenge = challenge.and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    (answer.status, answer.json(), challenge)
}

#[tokio::test]
async fn routes_ask_who_calls_and_functions_of_each_language_know() {
    let server = dev_on(&guarded()).await;
    let ada = signup(&server, "ada@example.com").await.expect(201).json();
    let id = ada["user"]["id"].as_str().expect("an id");
    let plain = ada["access_token"].as_str().expect("a token").to_owned();
    let change = server.request("PATCH", &format!("/api/auth/users/{id}"));
    let change = change.json(&json!({ "roles": ["admin", "editor"] }));
    server.answer(change).await.expect(200);
    let next = refresh(&server, &ada["refresh_token"]).await.expect(200).json();
    let admin = next["access_token"].as_str().expect("a token").to_owned();
    let user = |roles: Value| {
        json!({ "user": {
            "id": id, "email": "ada@example.com", "email_verified": false, "roles": roles,
            "issuer": null,
        } })
    };
    for language in ["node", "bun", "python"] {
        let call = async |path: &str, token: Option<&str>| {
            call(&server, &format!("/{language}/{path}"), token).await
        };
        let nobody = json!({ "user": null });
        assert_eq!(call("open", Some("rubbish")).await, (200, nobody.clone(), String::new()));
        assert_eq!(call("maybe", None).await, (200, nobody, String::new()));
        assert_eq!(call("maybe", Some(&plain)).await.1, user(json!([])), "{language}");
        assert_eq!(call("users", Some(&plain)).await.1, user(json!([])), "{language}");
        let roles = user(json!(["admin", "editor"]));
        assert_eq!(call("admin", Some(&admin)).await.1, roles, "{language}");
        let refused = async |path: &str, token: Option<&str>| {
            let (status, body, challenge) = call(path, token).await;
            let code = body["error"]["code"].as_str().unwrap_or("?").to_owned();
            assert!(challenge.starts_with("Bearer"), "{challenge}");
            (status, code)
        };
        assert_eq!(refused("users", None).await, (401, "AU_002".to_owned()));
        assert_eq!(refused("users", Some("rubbish")).await, (401, "AU_002".to_owned()));
        assert_eq!(refused("maybe", Some("rubbish")).await, (401, "AU_002".to_owned()));
        assert_eq!(refused("admin", Some(&plain)).await, (403, "AU_007".to_owned()));
        assert_eq!(refused("admin", None).await, (401, "AU_002".to_owned()));
    }
    // Who is refused leaves no execution behind; a token leaves none in the record.
    assert_eq!(server.ended("limit=1000", 3 * 5).await.len(), 3 * 5);
    let events = server.get("/api/events?limit=1000").await.text;
    assert!(!events.contains(&plain) && !events.contains(&admin));
    by(&server, &next["access_token"], "POST", "/api/auth/logout").await.expect(204);
    assert_eq!(call(&server, "/node/users", Some(&plain)).await.0, 401, "its session has ended");
}

#[tokio::test]
async fn others_verify_our_tokens_with_the_published_keys() {
    let server = dev(&[]).await;
    let ada = signup(&server, "ada@example.com").await.expect(201).json();
    let script = "import { createRemoteJWKSet, jwtVerify } from 'jose';\n\
        const [url, token] = process.argv.slice(2);\n\
        const keys = createRemoteJWKSet(new URL(url));\n\
        const options = { issuer: 'evoke', audience: 'evoke', algorithms: ['EdDSA'] };\n\
        const { payload, protectedHeader } = await jwtVerify(token, keys, options);\n\
        let forged = 'refused';\n\
        try { await jwtVerify(token.slice(0, -4) + 'AAAA', keys, options); forged = 'taken'; }\n\
        catch {}\n\
        console.log(JSON.stringify({ payload, alg: protectedHeader.alg, forged }));\n";
    let folder = tool("node_modules").join(".evoke-tests");
    std::fs::create_dir_all(&folder).expect("make a folder");
    let file = folder.join("verify-jwt.mjs");
    std::fs::write(&file, script).expect("write a script");
    let url = server.url("/.well-known/jwks.json");
    let token = ada["access_token"].as_str().expect("a token").to_owned();
    let node = tool("bin/node22");
    let run = move || Command::new(node).arg(file).args([url, token]).output();
    let output = tokio::task::spawn_blocking(run).await.expect("no panic").expect("node runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let read: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!((&read["alg"], &read["forged"]), (&json!("EdDSA"), &json!("refused")));
    assert_eq!(read["payload"]["sub"], ada["user"]["id"]);
    assert_eq!(read["payload"]["email"], "ada@example.com");
}

#[tokio::test]
async fn forged_and_old_tokens_are_refused() {
    let server = dev_on(&guarded()).await;
    let ada = signup(&server, "ada@example.com").await.expect(201).json();
    let token = ada["access_token"].as_str().expect("a token");
    let mut parts = token.split('.');
    let (header, claims, signature) = (
        parts.next().expect("a part"),
        parts.next().expect("a part"),
        parts.next().expect("a part"),
    );
    let read = |part: &str| -> Value {
        let text = URL_SAFE_NO_PAD.decode(part).expect("base64");
        serde_json::from_slice(&text).expect("JSON")
    };
    let with = |part: &str, name: &str, value: Value| {
        let mut changed = read(part);
        changed[name] = value;
        URL_SAFE_NO_PAD.encode(changed.to_string())
    };
    let jwks = server.get("/api/auth/jwks").await.expect(200).json();
    let public = jwks["keys"][0]["x"].as_str().expect("a key");
    // Signed with the public key as if it were a secret we share.
    let confused = format!("{}.{claims}", with(header, "alg", json!("HS256")));
    let mut mac = Hmac::<Sha256>::new_from_slice(public.as_bytes()).expect("any length");
    mac.update(confused.as_bytes());
    let confused = format!("{confused}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()));
    let none = with(header, "alg", json!("none"));
    for forged in [
        confused,
        format!("{none}.{claims}."),
        format!("{none}.{}.", with(claims, "roles", json!(["admin"]))),
        format!("{none}.{claims}.{signature}"),
        format!("{header}.{}.{signature}", with(claims, "roles", json!(["admin"]))),
        format!("{header}.{}.{signature}", with(claims, "exp", json!(now_secs() + 99_999_999))),
        format!("{header}.{claims}."),
        format!("{header}.{claims}"),
        format!("{}.{claims}.{signature}", with(header, "kid", json!("../../etc/passwd"))),
        "x".repeat(20_000),
        "..".to_owned(),
    ] {
        let shown: String = forged.chars().take(120).collect();
        assert_eq!(call(&server, "/node/users", Some(&forged)).await.0, 401, "{shown}");
        let verified = server.post("/api/auth/verify-token", json!({ "token": forged })).await;
        let refused = verified.expect(401);
        assert_eq!(refused.code(), "AU_002", "{shown}");
        assert!(!refused.text.contains(signature), "{}", refused.text);
    }
    let good = json!({ "token": format!("Bearer {token}") });
    let verified = server.post("/api/auth/verify-token", good).await.expect(200).json();
    assert_eq!(verified["user"]["id"], ada["user"]["id"]);
    assert_eq!(verified["user"]["email_verified"], false);
    assert_eq!(verified["user"]["issuer"], Value::Null);
}

#[tokio::test]
async fn an_access_token_expires_and_the_refresh_token_goes_on() {
    let server = dev(&[("evoke.toml", "[users]\naccess_ttl = '1m'\n")]).await;
    let ada = signup(&server, "ada@example.com").await.expect(201).json();
    assert_eq!(ada["expires_in"], 60);
    assert_eq!(ada["token_type"], "Bearer");
    let token = ada["access_token"].as_str().expect("a token");
    let claims = token.split('.').nth(1).expect("a part");
    let claims: Value =
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).expect("base64")).expect("JSON");
    let number = |name: &str| claims[name].as_i64().expect("a number");
    assert_eq!(number("exp") - number("iat"), 60);
    assert!((number("iat") - now_secs()).abs() < 60);
}

#[tokio::test]
async fn tokens_of_other_issuers_are_taken() {
    let publisher = dev(&[("evoke.toml", "[users]\nissuer = 'https://one.test'\n")]).await;
    let ada = signup(&publisher, "ada@example.com").await.expect(201).json();
    let jwks = publisher.url("/api/auth/jwks");
    let settings = format!(
        "[users]\nforeign = [\n  {{ issuer = 'https://one.test', jwks_url = '{jwks}', \
         audience = 'https://one.test' }},\n  {{ issuer = 'two', secret = '{SECRET}', \
         audience = 'shop' }},\n]\n"
    );
    let mut files = guarded();
    files.push(("evoke.toml".to_owned(), settings));
    let server = dev_on(&files).await;
    let theirs = ada["access_token"].as_str().expect("a token");
    let (_, body, _) = until("the keys of the other issuer were fetched", async || {
        let answer = call(&server, "/node/users", Some(theirs)).await;
        (answer.0 == 200).then_some(answer)
    })
    .await;
    // Its ids look like ours, and its users are none of ours.
    let id = ada["user"]["id"].as_str().expect("an id");
    assert_eq!(body["user"]["id"], format!("https://one.test|{id}"));
    assert_eq!(body["user"]["issuer"], "https://one.test");
    let claims = |change: Value| {
        let mut claims = json!({
            "iss": "two", "aud": "shop", "sub": "7", "exp": now_secs() + 600, "roles": ["admin"],
        });
        for (name, value) in change.as_object().expect("an object") {
            claims[name] = value.clone();
        }
        shared(&claims)
    };
    let (status, body, _) = call(&server, "/python/admin", Some(&claims(json!({})))).await;
    let user = json!({ "user": {
        "id": "7", "email": null, "email_verified": false, "roles": ["admin"], "issuer": "two",
    } });
    assert_eq!((status, body), (200, user));
    for change in [
        json!({ "exp": now_secs() - 600 }),
        json!({ "exp": null }),
        json!({ "aud": "elsewhere" }),
        json!({ "iss": "three" }),
        json!({ "iss": "evoke" }),
        json!({ "iss": "https://one.test" }),
        json!({ "nbf": now_secs() + 600 }),
    ] {
        let token = claims(change.clone());
        assert_eq!(call(&server, "/node/users", Some(&token)).await.0, 401, "{change}");
    }
    // They have no account here.
    assert_eq!(by(&server, &json!(claims(json!({}))), "GET", "/api/auth/me").await.status, 401);
}
