//! The SDK inside functions in Node and Bun, against the built binary: nothing is installed.

mod document_001;

use evoke_testkit::{Options, TestServer};
use serde_json::{Value, json};

use crate::api::first_key;
use crate::auth::signup;
use crate::database::{manifest, on};
use crate::facts::{invoke, until};
use crate::pages;
use crate::support::{BINARY, dev};

const RUNTIMES: [&str; 4] = ["nodejs18", "nodejs20", "nodejs22", "bun"];

const SERVICES: &str = include_str!("sdk_node/services.mjs");
const ECHO: &str = "export const handler = (event) => event.data;\n";

/// A project with the files of a function for each runtime, named `name-runtime`.
fn everywhere(name: &str, files: impl Fn(&str) -> Vec<(String, String)>) -> Vec<(String, String)> {
    let of = |runtime: &&str| {
        let folder = format!("functions/{name}-{runtime}");
        files(runtime).into_iter().map(move |(file, text)| (format!("{folder}/{file}"), text))
    };
    RUNTIMES.iter().flat_map(of).collect()
}

/// A server in dev mode on files.
async fn dev_on(files: &[(String, String)]) -> TestServer {
    let files: Vec<_> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    dev(&files).await
}

fn file(name: &str, text: &str) -> (String, String) {
    (name.to_owned(), text.to_owned())
}

#[tokio::test]
async fn every_service_is_there_in_every_runtime() {
    let mut files = everywhere("work", |runtime| {
        let about = json!({ "runtime": runtime, "environment": { "COLOUR": "blue" } });
        vec![("function.json".to_owned(), about.to_string()), file("index.mjs", SERVICES)]
    });
    files.push(file("functions/echo/index.mjs", ECHO));
    let server = dev_on(&files).await;
    let ada = signup(&server, "ada@example.com").await.expect(201).json();
    for runtime in RUNTIMES {
        let run = runtime.to_owned();
        let asked = json!({ "run": run, "accessToken": ada["access_token"] });
        let found = invoke(&server, &format!("work-{runtime}"), asked).await.expect(200).json();
        let expected = json!({
            "database": {
                "same": "2026-01-01T00:00:00.000Z",
                "queried": ["n2", "n3", "a"],
                "first": "n2",
                "none": null,
                "count": 4,
                "changed": [10, false],
                "stale": [true, "DB_004", 412],
                "written": 11,
                "twice": [true, "DB_005", 409],
                "all": ["a", "n5", "n4", "n3", "n2"],
                "updated": { "matched": 2, "changed": 2 },
                "deleted": { "matched": 2, "changed": 2 },
                "gone": [null, false, true],
                "left": ["n4", "n5"],
            },
            "transaction": [90, 10, "late", 2],
            "storage": {
                "info": ["a folder/ä.txt", 6, "text/plain; charset=utf-8", "Adá"],
                "bytes": [true, "héllo"],
                "range": "h",
                "streamed": "héllo",
                "signed": "héllo",
                "known": [true, true, false],
                "names": ["a folder/ä.txt", "bytes", "copy.txt"],
                "below": 1,
                "new": [true, "SO_006", 412],
                "missing": [true, "SO_002", 404],
                "gone": [true, false],
            },
            "auth": ["ada@example.com", true, null],
            "forged": [true, "AU_002", 401],
            "events": [1, 2],
            "invoked": { "run": run },
            "later": "string",
            "unknown": [true, "FN_001", 404],
            "secret": ["blue", [true, "SDK", 0]],
            "fetched": 200,
        });
        for (name, value) in expected.as_object().expect("an object") {
            assert_eq!(&found[name], value, "{runtime}: {name}");
        }
    }
}

/// What an event led to, as `type: function, function`, one line an event, deeper ones indented.
pub fn lineage(node: &Value, depth: usize, out: &mut Vec<String>) {
    let runs = node["executions"].as_array().expect("executions");
    let mut names: Vec<_> =
        runs.iter().filter_map(|run| run["execution"]["function"].as_str()).collect();
    names.sort_unstable();
    let kind = node["event"]["type"].as_str().expect("a type");
    out.push(format!("{}{kind}: {}", "  ".repeat(depth), names.join(", ")).trim_end().to_owned());
    let mut below: Vec<_> =
        runs.iter().flat_map(|run| run["events"].as_array().expect("events")).collect();
    below.sort_by_key(|node| node["event"]["type"].to_string());
    below.iter().for_each(|node| lineage(node, depth + 1, out));
}

#[tokio::test]
async fn what_a_function_does_names_its_cause() {
    let code = "import { db, events, functions, storage } from '@evoke/sdk';\n\
        export async function handler(event) {\n  \
        await events.publish('made.event', {});\n  \
        await db.collection('made').create({ of: event.type });\n  \
        await storage.bucket('made').file('a.txt').upload('a');\n  \
        await functions.invoke('echo', { of: event.type });\n}\n";
    let event = |pattern: &str| json!({ "type": "event", "match": pattern });
    let mut files = everywhere("start", |runtime| {
        let start = event(&format!("start.{runtime}"));
        vec![("function.json".to_owned(), manifest(runtime, &[start])), file("index.mjs", code)]
    });
    let created = on("made", json!({ "events": ["create"] }));
    let uploaded = json!({ "type": "storage", "bucket": "made" });
    let seen = manifest("node", &[event("made.*"), created, uploaded]);
    files.push(file("functions/seen/function.json", &seen));
    files.push(file("functions/seen/index.mjs", ECHO));
    files.push(file("functions/echo/index.mjs", ECHO));
    let server = dev_on(&files).await;
    for (at, runtime) in RUNTIMES.iter().enumerate() {
        let id = server.emit(&format!("start.{runtime}"), json!({})).await;
        server.ended("function=seen&status=success&limit=100", (at + 1) * 3).await;
        let path = format!("/api/events/{id}/tree");
        let tree = until("the function is done and all it did is recorded", async || {
            let tree = server.get(&path).await.expect(200).json()["root"].clone();
            let run = &tree["executions"][0];
            // The invocation is recorded behind its answer.
            let is_whole = run["events"].as_array().is_some_and(|events| events.len() == 4);
            (is_whole && run["execution"]["status"] == "success").then_some(tree)
        })
        .await;
        let mut lines = Vec::new();
        lineage(&tree, 0, &mut lines);
        let expected = [
            format!("start.{runtime}: start-{runtime}"),
            "  database.made.create: seen".to_owned(),
            "  invoke.echo: echo".to_owned(),
            "  made.event: seen".to_owned(),
            "  storage.made.upload: seen".to_owned(),
        ];
        assert_eq!(lines, expected, "{runtime}");
    }
}

#[tokio::test]
async fn in_production_the_token_of_the_call_is_enough() {
    let code = "import { auth, db, storage } from '@evoke/sdk';\n\
        export async function handler(event) {\n  \
        const note = await db.collection('notes').create({ n: event.data.n });\n  \
        await storage.bucket('files').file(`${note.id}.txt`).upload(String(event.data.n));\n  \
        return [(await db.collection('notes').count()) > 0, (await auth.users.list()).length];\n}\n";
    let options = Options { command: "serve", ..Options::default() };
    let about = manifest("node", &[]);
    let files = [
        ("evoke.toml", ""),
        ("schemas/notes.json", "{}"),
        ("functions/note/function.json", about.as_str()),
        ("functions/note/index.ts", code),
    ];
    let mut server = TestServer::start(BINARY, &files, options).await;
    assert_eq!(server.terminate().await, Some(0));
    let (_, key) = first_key(server.dir());
    server.restart().await;
    let bucket = server.request("PUT", "/api/buckets/files").bearer_auth(&key).json(&json!({}));
    server.answer(bucket).await;
    let invoke = || server.request("POST", "/api/functions/note/invoke").json(&json!({ "n": 1 }));
    server.answer(invoke()).await.expect(401);
    let done = server.answer(invoke().bearer_auth(&key)).await.expect(200).json();
    assert_eq!(done, json!([true, 0]));
}

/// A server in production on files; everybody may call its routes, and nothing else.
async fn serve_on(files: &[(String, String)]) -> TestServer {
    let files: Vec<_> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    TestServer::start(BINARY, &files, Options { command: "serve", ..Options::default() }).await
}

#[tokio::test]
async fn what_is_streamed_in_production_has_the_token_of_its_call() {
    let code = "import { db } from '@evoke/sdk';\n\
        async function* written(notes, others) {\n  \
        for (const n of [1, 2]) yield `${(await notes.create({ n })).n} `;\n  \
        for await (const { n } of others.orderBy('n')) yield { n };\n}\n\
        export async function handler(request, { evoke, function: { name } }) {\n  \
        const stream = written(db.collection(name), evoke.db.collection(name));\n  \
        return new URL(request.url).searchParams.has('response') ? new Response(stream) : stream;\n}\n";
    let mut files = everywhere("stream", |runtime| {
        let route = json!({ "type": "http", "path": format!("/stream-{runtime}") });
        vec![("function.json".to_owned(), manifest(runtime, &[route])), file("index.mjs", code)]
    });
    files.push(file("evoke.toml", ""));
    let schema = |runtime| file(&format!("schemas/stream-{runtime}.json"), "{}");
    files.extend(RUNTIMES.map(schema));
    let server = serve_on(&files).await;
    for runtime in RUNTIMES {
        let path = format!("/stream-{runtime}");
        let first = server.get(&path).await.expect(200);
        assert_eq!(first.text, "1 2 data: {\"n\":1}\n\ndata: {\"n\":2}\n\n", "{runtime}");
        let second = server.get(&format!("{path}?response")).await.expect(200);
        assert!(second.text.ends_with("data: {\"n\":2}\n\n"), "{runtime}: {}", second.text);
    }
}

#[tokio::test]
async fn a_function_that_answered_is_not_called_again_whatever_it_answered() {
    let charge = "export const handler = ({ data: { status, code } }) =>\n  \
        Response.json({ error: { code, message: 'not now' } }, { status });\n";
    let shop = "import { functions } from '@evoke/sdk';\n\
        export const handler = ({ data }) => functions.invoke('charge', data, { idempotencyKey: data.key })\n  \
        .then(() => 'paid', ({ status, code }) => [status, code]);\n";
    let mut files = everywhere("shop", |runtime| {
        vec![("function.json".to_owned(), manifest(runtime, &[])), file("index.mjs", shop)]
    });
    files.push(file("functions/charge/index.mjs", charge));
    let server = dev_on(&files).await;
    let mut calls = 0;
    for runtime in RUNTIMES {
        for (status, code) in [(503, "MINE"), (503, "API_007"), (429, "FN_007")] {
            let key = format!("{runtime}-{calls}");
            let asked = json!({ "status": status, "code": code, "key": key });
            let answer = invoke(&server, &format!("shop-{runtime}"), asked).await.expect(200);
            assert_eq!(answer.json(), json!([status, code]), "{runtime}");
            calls += 1;
            let charged = server.ended("function=charge&limit=100", calls).await;
            assert_eq!(charged.len(), calls, "{runtime} {status} {code}");
        }
    }
}

#[tokio::test]
async fn changes_are_followed_and_hooks_say_no_with_the_sdk() {
    let hook = "import { reject } from '@evoke/functions';\n\
        export const handler = (event) => event.data.email?.endsWith('@example.com')\n  \
        ? undefined\n  : reject('not one of ours', { status: 403, problems: [{ field: 'email', message: 'is foreign' }] });\n";
    let watch = "import { db, EvokeError } from '@evoke/sdk';\n\
        export async function handler(event, { signal }) {\n  \
        const people = db.collection('people');\n  \
        await people.create({ id: 'first', email: 'a@example.com' });\n  \
        const { _revision } = await people.doc('first').get();\n  \
        const refused = await people.create({ email: 'a@elsewhere.test' }).catch((error) => error);\n  \
        await people.doc('first').update({ n: 1 });\n  \
        const seen = [];\n  \
        for await (const change of people.changes({ after: _revision, signal })) {\n    \
        seen.push([change.action, change.changed_fields]);\n    \
        if (seen.length === 2) break;\n    \
        await people.doc('first').delete();\n  }\n  \
        return { seen, refused: [refused instanceof EvokeError, refused.status, refused.message, refused.problems[0].field] };\n}\n";
    for runtime in ["nodejs18", "nodejs22", "bun"] {
        let guard =
            manifest(runtime, &[on("people", json!({ "events": ["create"], "mode": "sync" }))]);
        let server = dev(&[
            ("functions/guard/function.json", &guard),
            ("functions/guard/index.mjs", hook),
            ("functions/watch/function.json", &manifest(runtime, &[])),
            ("functions/watch/index.mjs", watch),
        ])
        .await;
        let found = invoke(&server, "watch", json!({})).await.expect(200).json();
        assert_eq!(found["seen"][0], json!(["update", ["n"]]), "{runtime}");
        assert_eq!(found["seen"][1][0], "delete", "{runtime}");
        let expected = json!([true, 403, "not one of ours: email is foreign", "email"]);
        assert_eq!(found["refused"], expected, "{runtime}");
    }
}

#[tokio::test]
async fn the_guide_runs_as_written() {
    let page = include_str!("../../../../docs/sdk/typescript.md");
    let files = pages::files(page);
    assert!(files.len() >= 10, "{files:?}");
    let server = dev(&files).await;
    // What an app installs is what functions have.
    let packages = server.dir().join(".evoke/node_modules");
    std::os::unix::fs::symlink(packages, server.dir().join("node_modules")).expect("a link");
    pages::walk(&server, page).await;
}
