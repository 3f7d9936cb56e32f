//! The SDK inside functions in Python, against the built binary: nothing is installed. Each test
//! runs with both faces, the synchronous one being what is left without `async` and `await`.

use evoke_testkit::{Options, TestServer};
use serde_json::{Value, json};

use crate::api::first_key;
use crate::auth::signup;
use crate::database::{dev_on, manifest, on};
use crate::facts::{invoke, until};
use crate::pages;
use crate::sdk_node::lineage;
use crate::support::{BINARY, dev};

const RUNTIMES: [&str; 3] = ["python3.10", "python3.11", "python3.12"];
const SERVICES: &str = include_str!("sdk_python/services.py");
const ECHO: &str = "def handler(event):\n    return event[\"data\"]\n";

/// The code of an asynchronous function as a synchronous one.
fn blocking(code: &str) -> String {
    ["async ", "await "]
        .iter()
        .fold(code.to_owned(), |code, word| code.replace(word, ""))
        .replace("evoke.aio", "evoke")
        .replace("_async(", "(")
}

/// The files of a function in each version, with each face: `name-async-312`, `name-plain-312`.
fn everywhere(name: &str, code: &str, about: impl Fn(&str, &str) -> String) -> Files {
    let mut files = Vec::new();
    for runtime in RUNTIMES {
        for (face, code) in [("async", code.to_owned()), ("plain", blocking(code))] {
            let name = named(name, face, runtime);
            files.push((format!("functions/{name}/function.json"), about(runtime, &name)));
            files.push((format!("functions/{name}/main.py"), code));
        }
    }
    files
}

type Files = Vec<(String, String)>;

fn named(name: &str, face: &str, runtime: &str) -> String {
    format!("{name}-{face}-{}", runtime.replace(['.', 'p', 'y', 't', 'h', 'o', 'n'], ""))
}

fn names(name: &str) -> Vec<String> {
    let faces = |runtime| ["async", "plain"].map(|face| named(name, face, runtime));
    RUNTIMES.into_iter().flat_map(faces).collect()
}

fn file(path: &str, text: &str) -> (String, String) {
    (path.to_owned(), text.to_owned())
}

#[tokio::test]
async fn every_service_is_there_in_every_version() {
    let about = |runtime: &str, _: &str| {
        json!({ "runtime": runtime, "environment": { "COLOUR": "blue" } }).to_string()
    };
    let mut files = everywhere("work", SERVICES, about);
    files.push(file("functions/echo/main.py", ECHO));
    let server = dev_on(&files).await;
    let ada = signup(&server, "ada@example.com").await.expect(201).json();
    for (at, name) in names("work").iter().enumerate() {
        let run = format!("r{at}");
        let asked = json!({ "run": run, "access": ada["access_token"] });
        let found = invoke(&server, name, asked).await.expect(200).json();
        let expected = expected(&run);
        for (part, value) in expected.as_object().expect("an object") {
            assert_eq!(&found[part], value, "{name}: {part}");
        }
    }
}

fn expected(run: &str) -> Value {
    json!({
        "database": {
            "same": "2026-01-01T00:00:00.000Z",
            "queried": ["n2", "n3", "a"],
            "first": "n2",
            "none": null,
            "count": 4,
            "changed": [10, false],
            "stale": ["DB_004", 412],
            "written": 11,
            "twice": ["DB_005", 409],
            "all": ["a", "n5", "n4", "n3", "n2"],
            "updated": [2, 2],
            "deleted": 2,
            "gone": [null, false],
            "left": ["a", "n4", "n5"],
        },
        "transaction": [90, 10, true, false],
        "storage": {
            "info": ["a folder/ä.txt", 6, "text/plain; charset=utf-8", "Adá"],
            "bytes": "héllo",
            "range": "h",
            "streamed": "héllo",
            "signed": "héllo",
            "known": [true, { "owner": "Adá" }, true],
            "names": ["a folder/ä.txt", "bytes", "copy.txt"],
            "below": 1,
            "new": ["SO_006", 412],
            "missing": ["SO_002", 404],
            "gone": [true, false],
        },
        "auth": ["ada@example.com", true],
        "stranger": null,
        "forged": ["AU_002", 401],
        "events": [1, 2],
        "invoked": { "run": run },
        "later": "exe_",
        "unknown": ["FN_001", 404],
        "secret": "blue",
        "client": 1,
        "fetched": 200,
    })
}

#[tokio::test]
async fn what_a_function_does_names_its_cause() {
    let code = "from evoke.aio import db, events, functions, storage\n\n\n\
        async def handler(event, context):\n    \
        await events.publish('made.event', {})\n    \
        await db.collection('made').create({'of': event['type']})\n    \
        await storage.bucket('made').file('a.txt').upload('a')\n    \
        await functions.invoke('echo', {'of': event['type']})\n";
    let event = |pattern: &str| json!({ "type": "event", "match": pattern });
    let about = |runtime: &str, name: &str| manifest(runtime, &[event(&format!("start.{name}"))]);
    let mut files = everywhere("start", code, about);
    let created = on("made", json!({ "events": ["create"] }));
    let uploaded = json!({ "type": "storage", "bucket": "made" });
    let seen = manifest("python", &[event("made.*"), created, uploaded]);
    files.push(file("functions/seen/function.json", &seen));
    files.push(file("functions/seen/main.py", ECHO));
    files.push(file("functions/echo/main.py", ECHO));
    let server = dev_on(&files).await;
    for (at, name) in names("start").iter().enumerate() {
        let id = server.emit(&format!("start.{name}"), json!({})).await;
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
            format!("start.{name}: {name}"),
            "  database.made.create: seen".to_owned(),
            "  invoke.echo: echo".to_owned(),
            "  made.event: seen".to_owned(),
            "  storage.made.upload: seen".to_owned(),
        ];
        assert_eq!(lines, expected, "{name}");
    }
}

#[tokio::test]
async fn calls_of_one_worker_keep_their_tokens() {
    let code = "import asyncio\n\nfrom evoke.aio import events\n\n\n\
        async def handler(event, context):\n    \
        for n in range(3):\n        \
        await events.publish('child', {'of': event['id']})\n        \
        await asyncio.sleep(0.01)\n";
    let about = |runtime: &str, name: &str| {
        let on = json!({ "type": "event", "match": format!("parent.{name}") });
        let scaling = json!({ "maxInstances": 1, "targetConcurrency": 20 });
        json!({ "runtime": runtime, "triggers": [on], "scaling": scaling }).to_string()
    };
    let mut files = everywhere("parent", code, about);
    for (path, text) in &mut files {
        if path.contains("-plain-") && path.ends_with(".py") {
            *text = text.replace("import asyncio", "import time").replace("asyncio.", "time.");
        }
    }
    let server = dev_on(&files).await;
    for name in names("parent") {
        for _ in 0..20 {
            server.emit(&format!("parent.{name}"), json!({})).await;
        }
        server.ended(&format!("function={name}&status=success&limit=100"), 20).await;
    }
    let children = server.get("/api/events?type=child&limit=1000").await.expect(200).json();
    let children = children["data"].as_array().expect("a list");
    assert_eq!(children.len(), names("parent").len() * 60);
    for child in children {
        let id = child["id"].as_str().expect("an id");
        let shown = server.get(&format!("/api/events/{id}")).await.expect(200).json();
        assert_eq!(shown["root_id"], shown["data"]["of"], "{shown}");
    }
}

#[tokio::test]
async fn in_production_the_token_of_the_call_is_enough() {
    let code = "from evoke import auth, db, storage\n\n\ndef handler(event):\n    \
        note = db.collection('notes').create({'n': event['data']['n']})\n    \
        storage.bucket('files').file(f'{note.id}.txt').upload('x')\n    \
        return [db.collection('notes').count() > 0, len(list(auth.users.list()))]\n";
    let options = Options { command: "serve", ..Options::default() };
    let files = [
        ("evoke.toml", ""),
        ("schemas/notes.json", "{}"),
        ("functions/note/function.json", r#"{"runtime": "python"}"#),
        ("functions/note/main.py", code),
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

#[tokio::test]
async fn a_function_that_answered_is_not_called_again() {
    let code = "from evoke import EvokeError\nfrom evoke.aio import db, functions\n\n\n\
        async def handler(event, context):\n    \
        refused = []\n    \
        for status in (429, 503):\n        \
        asked = {'by': context.function.name, 'status': status}\n        \
        key = f\"{asked['by']} {status}\"\n        \
        try:\n            \
        await functions.invoke('charge', asked, idempotency_key=key)\n        \
        except EvokeError as error:\n            \
        refused.append(error.status)\n    \
        charges = db.collection('charges').where('by', '==', context.function.name)\n    \
        return [refused, await charges.count()]\n";
    // As the middleware of limits answers, and as the server itself does before a call.
    let charge = "from evoke import Response, db\n\n\n\
        def handler(event):\n    \
        db.collection('charges').create(event['data'])\n    \
        told = {'error': {'code': 'FN_007', 'message': 'no'}}\n    \
        return Response.json(told, event['data']['status'], {'retry-after': '0'})\n";
    let about = |runtime: &str, _: &str| json!({ "runtime": runtime }).to_string();
    let mut files = everywhere("shop", code, about);
    files.push(file("functions/charge/main.py", charge));
    let server = dev_on(&files).await;
    for name in names("shop") {
        let told = invoke(&server, &name, json!(null)).await.expect(200).json();
        assert_eq!(told, json!([[429, 503], 2]), "{name}");
    }
}

#[tokio::test]
async fn a_package_of_the_functions_own_goes_before() {
    let code = "import evoke\n\n\ndef handler(event, context):\n    \
        context.evoke.events.publish('still.there')\n    return evoke.__file__\n";
    let server = dev(&[
        ("functions/own/function.json", r#"{"runtime": "python"}"#),
        ("functions/own/main.py", code),
        ("functions/own/evoke.py", ""),
        ("functions/ours/function.json", r#"{"runtime": "python"}"#),
        ("functions/ours/main.py", code),
    ])
    .await;
    let own = invoke(&server, "own", json!(null)).await.expect(200).json();
    assert!(own.as_str().expect("a path").ends_with("/evoke.py"), "{own}");
    let ours = invoke(&server, "ours", json!(null)).await.expect(200).json();
    assert!(ours.as_str().expect("a path").ends_with("/evoke/__init__.py"), "{ours}");
}

#[tokio::test]
async fn the_guide_runs_as_written() {
    let page = include_str!("../../../../docs/sdk/python.md");
    let files = pages::files(page);
    assert!(files.len() >= 8, "{files:?}");
    let server = dev(&files).await;
    pages::walk(&server, page).await;
}
