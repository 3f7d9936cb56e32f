//! Manifests in their forms, projects with mistakes in them, and projects that change while they
//! run.

use crate::facts::{content, invoke, printed, until};
use crate::receiver::{listener, receive};
use crate::support::{BINARY, dev};
use evoke_testkit::{Options, TestServer};
use serde_json::{Value, json};

const CODE: &str = "export const handler = (event) => ({ got: event.data });";

/// Waits until a function answers this.
async fn answers(server: &TestServer, function: &str, expected: Value) {
    until(&format!("{function} answers {expected}"), async || {
        let answer = invoke(server, function, json!(null)).await;
        (answer.status == 200 && answer.json() == expected).then_some(())
    })
    .await;
}

#[tokio::test]
async fn each_form_of_manifest_deploys_and_runs() {
    for (file, manifest) in [
        (
            "function.config.ts",
            "const on: string = 'form.*';\nexport default {\n  runtime: 'node',\n  \
             triggers: [{ type: 'event', match: on }],\n};\n",
        ),
        ("function.yaml", "runtime: node\ntriggers:\n  - { type: event, match: 'form.*' }\n"),
        ("function.toml", "runtime = 'node'\n[[triggers]]\ntype = 'event'\nmatch = 'form.*'\n"),
        (
            "function.json",
            r#"{"runtime": "node", "triggers": [{"type": "event", "match": "form.*"}]}"#,
        ),
    ] {
        let path = format!("functions/form/{file}");
        let server = dev(&[(&path, manifest), ("functions/form/index.mjs", CODE)]).await;
        server.emit("form.filled", json!(7)).await;
        let ended = server.ended("function=form", 1).await;
        let execution = server.execution(ended[0]["id"].as_str().expect("an id")).await;
        assert_eq!(execution["output"], json!({ "got": 7 }), "{file}: {execution}");
    }
}

#[tokio::test]
async fn a_folder_without_a_manifest_is_a_function_with_defaults() {
    let server = dev(&[
        ("functions/plain/index.mjs", CODE),
        ("functions/snake/main.py", "def handler(event, context):\n    return event['data']\n"),
    ])
    .await;
    assert_eq!(invoke(&server, "plain", json!(1)).await.expect(200).json(), json!({ "got": 1 }));
    assert_eq!(invoke(&server, "snake", json!(2)).await.expect(200).json(), json!(2));
}

#[tokio::test]
async fn all_problems_are_said_at_once_and_what_is_right_is_served() {
    let server = dev(&[
        ("functions/one/function.yaml", "runtime: nodjs20\ntimeot: 5s\nmemory: lots\n"),
        ("functions/one/index.mjs", CODE),
        (
            "functions/two/function.yaml",
            "runtime: node\ntriggers:\n  - { type: event, match: 'a.*', filter: 'event..' }\n  \
             - { type: evnt, match: 'a.*' }\n",
        ),
        ("functions/two/index.mjs", CODE),
        ("functions/right/index.mjs", CODE),
    ])
    .await;
    for said in ["nodejs20", "timeout", "memory", "filter", "evnt", "event"] {
        printed(&server, said).await;
    }
    for line in ["one/function.yaml", "two/function.yaml"] {
        printed(&server, line).await;
    }
    assert_eq!(invoke(&server, "right", json!(1)).await.expect(200).json(), json!({ "got": 1 }));
    assert_eq!(invoke(&server, "one", json!(1)).await.expect(404).code(), "FN_001");
}

#[tokio::test]
async fn the_manifests_of_the_documents_deploy_what_is_there_and_warn_of_the_rest() {
    let code = "export const handler = () => 'here';";
    let names =
        ["EVOKE_SECRET_API_KEY", "EVOKE_SECRET_STRIPE", "STRIPE_WEBHOOK_SECRET", "OPENAI_API_KEY"];
    let env: Vec<_> = names.map(|name| (name.to_owned(), "hidden".to_owned())).to_vec();
    for (file, name, manifest, route) in [
        (
            "function.yaml",
            "on-user-created",
            include_str!("../../../project/tests/fixtures/valid/contract.yaml"),
            "/api/users/1",
        ),
        (
            "function.config.ts",
            "seed",
            include_str!("../../../project/tests/fixtures/valid/document-001.config.ts"),
            "/api/users",
        ),
        (
            "function.yaml",
            "on-user-created",
            include_str!("../../../project/tests/fixtures/valid/document-002.yaml"),
            "/api/users/sync",
        ),
    ] {
        let path = format!("functions/seed/{file}");
        let files = [
            (path.as_str(), manifest),
            ("functions/seed/index.mjs", code),
            ("functions/seed/stripe.json", "{}"),
        ];
        let options = Options { env: env.clone(), ..Options::default() };
        let server = TestServer::start(BINARY, &files, options).await;
        let output = server.output();
        let is_missing = |kind: &str| output.contains(&format!("kind \"{kind}\" is not available"));
        assert_eq!(is_missing("queue"), manifest.contains("type: queue"), "{output}");
        let there = ["database", "storage", "auth", "webhook", "schedule", "http", "event"];
        assert!(!there.into_iter().any(is_missing), "{output}");
        let function = server.get(&format!("/api/functions/{name}")).await.expect(200).json();
        assert_eq!(function["status"], "ready", "{function}\n{output}");
        let answer = server.post(route, json!({})).await.expect(200);
        assert_eq!(answer.text, "here", "{file}");
        if manifest.contains("/webhooks/stripe") {
            let refused = server.post("/webhooks/stripe", json!({})).await.expect(401);
            assert_eq!(refused.code(), "TR_005", "{file}");
        }
    }
}

#[tokio::test]
async fn a_saved_file_is_live_and_a_broken_one_is_not() {
    let server = dev(&[("functions/text/index.mjs", "export const handler = () => 'old';")]).await;
    answers(&server, "text", json!("old")).await;
    server.write(&[("functions/text/index.mjs", "export const handler = () => 'new';")]);
    answers(&server, "text", json!("new")).await;
    server.write(&[("functions/text/index.mjs", "export const handler = () => {{{ 'broken';")]);
    printed(&server, "Function text was not deployed").await;
    let shown = server.get("/api/functions/text").await.expect(200).json();
    assert_eq!(shown["status"], "stale", "{shown}");
    assert_eq!(shown["error"]["code"], "FN_005", "{shown}");
    answers(&server, "text", json!("new")).await;
    server.write(&[("functions/text/function.yaml", "runtim: node\n")]);
    printed(&server, "runtim").await;
    answers(&server, "text", json!("new")).await;
    std::fs::remove_file(server.dir().join("functions/text/function.yaml")).expect("remove");
    server.write(&[("functions/text/index.mjs", "export const handler = () => 'repaired';")]);
    answers(&server, "text", json!("repaired")).await;
    let shown = server.get("/api/functions/text").await.expect(200).json();
    assert_eq!(shown["status"], "ready", "{shown}");
    assert!(shown["error"].is_null(), "{shown}");
}

#[tokio::test]
async fn what_is_in_flight_finishes_on_the_old_code() {
    let slow = "import { existsSync, writeFileSync } from 'node:fs';\n\
         export const handler = async (event) => {\n  if (event.data === null) return 'old';\n  \
         writeFileSync(event.data + '/started', 'yes');\n  \
         while (!existsSync(event.data + '/go')) await new Promise((done) => setTimeout(done, 5));\n  \
         return 'old';\n};\n";
    let server = dev(&[("functions/text/index.mjs", slow)]).await;
    let dir = server.dir().to_path_buf();
    let request = server.request("POST", "/api/functions/text/invoke").json(&json!(dir));
    let before = tokio::spawn(request.send());
    content(&dir.join("started")).await;
    server.write(&[("functions/text/index.mjs", "export const handler = () => 'new';")]);
    answers(&server, "text", json!("new")).await;
    std::fs::write(dir.join("go"), "").expect("write the file");
    let answer = before.await.expect("a task").expect("an answer");
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.json::<Value>().await.expect("JSON"), "old");
}

#[tokio::test]
async fn folders_that_come_and_go_are_functions_that_come_and_go() {
    let manifest = r#"{"runtime": "node", "triggers": [{"type": "http", "path": "/first"}]}"#;
    let server = dev(&[
        ("functions/first/function.json", manifest),
        ("functions/first/index.mjs", "export const handler = () => 'first';"),
    ])
    .await;
    server.get("/first").await.expect(200);
    server.write(&[("functions/second/index.mjs", "export const handler = () => 'second';")]);
    answers(&server, "second", json!("second")).await;
    std::fs::remove_dir_all(server.dir().join("functions/first")).expect("remove the folder");
    until("the first is gone", async || {
        (server.get("/api/functions/first").await.status == 404).then_some(())
    })
    .await;
    server.get("/first").await.expect(404);
    answers(&server, "second", json!("second")).await;
}

#[tokio::test]
async fn a_secret_of_a_trigger_works_and_is_neither_stored_nor_shown() {
    let trigger = "type: event\nmatch: deal\ntarget:\n  type: http\n  url: ${CRM_URL}/take\n  \
         headers: { authorization: 'Bearer ${secrets.CRM}' }\n";
    let (listener, url) = listener().await;
    let got = receive(listener);
    let env = vec![
        ("EVOKE_SECRET_CRM".to_owned(), "hunter2-hunter2".to_owned()),
        ("CRM_URL".to_owned(), url),
    ];
    let options = Options { env, ..Options::default() };
    let files = [("triggers/to-crm.yaml", trigger)];
    let server = TestServer::start(BINARY, &files, options).await;
    let triggers = server.get("/api/triggers").await.expect(200).text;
    assert!(triggers.contains("${secrets.CRM}"), "{triggers}");
    assert!(!triggers.contains("hunter2"), "{triggers}");
    server.emit("deal", json!({})).await;
    server.ended("status=success", 1).await;
    assert_eq!(got.lock()[0].header("authorization"), Some("Bearer hunter2-hunter2"));
    let store = std::fs::read_dir(server.dir().join(".evoke")).expect("the state folder");
    for file in store.map(|entry| entry.expect("a file").path()).filter(|path| path.is_file()) {
        let bytes = std::fs::read(&file).expect("readable");
        let has_secret = bytes.windows(15).any(|window| window == b"hunter2-hunter2");
        assert!(!has_secret, "{} holds the secret", file.display());
    }
}
