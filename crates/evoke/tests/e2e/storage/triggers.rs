//! Functions that run for files, and functions that are asked first.

use serde_json::{Value, json};

use super::{blobs_until, hash, names, path, put};
use crate::support::dev;

/// A function in one runtime: what it is written in, its code as trigger, and its code as hook.
const RUNTIMES: [(&str, &str, &str, &str); 3] = [
    (
        "node",
        "index.mjs",
        "export const handler = (event) => event;\n",
        "export const handler = ({ data }) =>\n  data.file.name.includes('bad') \
         ? { reject: { message: 'not here', status: 409 } } : undefined;\n",
    ),
    (
        "bun",
        "index.ts",
        "export const handler = async (event: unknown) => event;\n",
        "export const handler = ({ data }: any) =>\n  data.file.name.includes('bad') \
         ? Response.json({ message: 'not here' }, { status: 409 }) : null;\n",
    ),
    (
        "python",
        "main.py",
        "def handler(event, context):\n    return event\n",
        "def handler(event, context):\n    if 'bad' in event['data']['file']['name']:\n        \
         return {'reject': {'message': 'not here', 'status': 409}}\n",
    ),
];

#[tokio::test]
async fn uploads_and_deletions_run_functions_of_each_runtime() {
    let trigger = json!({
        "type": "storage", "bucket": "up-*", "prefix": "in/", "content_type": "text/*",
    });
    let mut files = Vec::new();
    for (runtime, file, code, _) in RUNTIMES {
        let manifest = json!({ "runtime": runtime, "triggers": [trigger] }).to_string();
        files.push((format!("functions/on-{runtime}/function.json"), manifest));
        files.push((format!("functions/on-{runtime}/{file}"), code.to_owned()));
    }
    let files: Vec<_> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    let server = dev(&files).await;
    for (bucket, name) in
        [("other", "in/a.txt"), ("up-1", "a.txt"), ("up-1", "in/a.png"), ("up-1", "in/a.txt")]
    {
        let request = server.request("PUT", &path(bucket, name)).header("x-meta-k", "v");
        server.answer(request.body("hello")).await.expect(201);
    }
    server.answer(server.request("DELETE", &path("up-1", "in/a.txt"))).await.expect(204);
    for (runtime, ..) in RUNTIMES {
        let ended = server.ended(&format!("function=on-{runtime}"), 2).await;
        let mut actions = Vec::new();
        for execution in &ended {
            let execution = server.execution(execution["id"].as_str().expect("an id")).await;
            assert_eq!(execution["status"], "success", "{execution}");
            assert_eq!(execution["trigger_type"], "storage");
            let event = &execution["output"];
            let action = event["data"]["action"].as_str().expect("an action").to_owned();
            assert_eq!(event["type"], format!("storage.up-1.{action}"));
            assert_eq!(event["source"], "/storage/up-1");
            assert_eq!(event["subject"], "in/a.txt");
            assert_eq!(
                event["data"],
                json!({
                    "action": action,
                    "bucket": "up-1",
                    "file": {
                        "name": "in/a.txt",
                        "size_bytes": 5,
                        "content_type": "text/plain; charset=utf-8",
                        "etag": hash(b"hello"),
                        "metadata": { "k": "v" },
                    },
                })
            );
            actions.push(action);
        }
        actions.sort();
        assert_eq!(actions, ["delete", "upload"], "{runtime}");
        assert_eq!(server.executions(&format!("function=on-{runtime}")).await.len(), 2);
    }
}

#[tokio::test]
async fn a_hook_of_each_runtime_refuses_before_anything_is_visible() {
    let mut files = Vec::new();
    for (runtime, file, _, code) in RUNTIMES {
        let trigger = json!({ "type": "storage", "bucket": runtime, "mode": "sync" });
        let manifest = json!({ "runtime": runtime, "triggers": [trigger] }).to_string();
        files.push((format!("functions/guard-{runtime}/function.json"), manifest));
        files.push((format!("functions/guard-{runtime}/{file}"), code.to_owned()));
    }
    let files: Vec<_> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    let server = dev(&files).await;
    for (count, (runtime, ..)) in RUNTIMES.into_iter().enumerate() {
        let refused = put(&server, (runtime, "bad.txt"), "x").await.expect(409);
        assert_eq!(
            (refused.code().as_str(), &refused.json()["error"]["message"]),
            ("HK_001", &json!("not here"))
        );
        assert_eq!(server.get(&path(runtime, "bad.txt")).await.expect(404).code(), "SO_002");
        put(&server, (runtime, "good.txt"), "x").await.expect(201);
        let list = server.get(&format!("/api/buckets/{runtime}/files")).await.json();
        assert_eq!(names(&list), ["good.txt"]);
        blobs_until(&server, count + 1).await;
        let events = server.get(&format!("/api/events?type=storage.{runtime}.*")).await.json();
        let kinds: Vec<&Value> =
            events["data"].as_array().expect("a list").iter().map(|event| &event["type"]).collect();
        assert_eq!(kinds, [&json!(format!("storage.{runtime}.upload"))], "one was refused");
        let told = format!("/api/events?type=rejected.storage.{runtime}.upload");
        let told = server.get(&told).await.expect(200).json();
        assert_eq!(told["data"][0]["data"]["rejection"]["status"], 409, "{told}");
    }
}

#[tokio::test]
async fn hooks_stand_before_copies_forms_parts_and_deletions_too() {
    let guard = "export const handler = ({ data }) =>\n  data.action === 'delete' \
         ? { reject: 'kept' } : data.file.name.includes('bad') ? { reject: 'no' } : null;\n";
    let server = dev(&[
        (
            "functions/guard/function.json",
            r#"{"runtime": "node", "triggers": [{"type": "storage", "bucket": "b", "mode": "sync"}]}"#,
        ),
        ("functions/guard/index.mjs", guard),
    ])
    .await;
    put(&server, ("b", "good"), "x").await.expect(201);
    let copy = json!({ "from": "good", "to": "bad" });
    assert_eq!(server.post("/api/buckets/b/copy", copy).await.expect(422).code(), "HK_001");
    let body = "--e\r\ncontent-disposition: form-data; name=f; filename=fine\r\n\r\n1\r\n\
                --e\r\ncontent-disposition: form-data; name=f; filename=bad\r\n\r\n2\r\n--e--\r\n";
    let form = server.request("POST", "/api/buckets/b/files");
    let form = form.header("content-type", "multipart/form-data; boundary=e").body(body);
    assert_eq!(server.answer(form).await.expect(422).code(), "HK_001");
    let upload = server.post("/api/buckets/b/uploads", json!({ "name": "bad" })).await;
    let upload = upload.expect(201).json()["id"].as_str().expect("an id").to_owned();
    let upload = format!("/api/buckets/b/uploads/{upload}");
    let part = server.request("PUT", &format!("{upload}/parts/1")).body("x");
    server.answer(part).await.expect(200);
    let complete = server.post(&format!("{upload}/complete"), json!({})).await;
    assert_eq!(complete.expect(422).code(), "HK_001");
    server.get(&upload).await.expect(200);
    let doomed = server.request("DELETE", &path("b", "good"));
    assert_eq!(server.answer(doomed).await.expect(422).code(), "HK_001");
    let doomed = server.request("DELETE", "/api/buckets/b/files?prefix=g");
    server.answer(doomed).await.expect(422);
    let list = server.get("/api/buckets/b/files").await.json();
    assert_eq!(names(&list), ["good"]);
    blobs_until(&server, 2).await;
}

#[tokio::test]
async fn a_hook_for_a_type_is_asked_however_the_type_is_spelled_and_comes() {
    let server = dev(&[
        (
            "functions/guard/function.json",
            r#"{"runtime": "node", "triggers": [
                {"type": "storage", "bucket": "b", "content_type": "image/*", "mode": "sync"}]}"#,
        ),
        ("functions/guard/index.mjs", "export const handler = () => ({ reject: 'no' });\n"),
    ])
    .await;
    let file = path("b", "there");
    put(&server, ("b", "there"), "x").await.expect(201);
    for sly in ["image/png", "IMAGE/png", "image/png ;x=y", "Image/PNG;"] {
        let request = server.request("PUT", &path("b", "new")).header("content-type", sly);
        assert_eq!(server.answer(request.body("x")).await.expect(422).code(), "HK_001", "{sly}");
        let begun = json!({ "name": "new", "content_type": sly });
        let upload = server.post("/api/buckets/b/uploads", begun).await.expect(201).json();
        let upload = format!("/api/buckets/b/uploads/{}", upload["id"].as_str().expect("an id"));
        let part = server.request("PUT", &format!("{upload}/parts/1")).body("x");
        server.answer(part).await.expect(200);
        let complete = server.post(&format!("{upload}/complete"), json!({})).await;
        assert_eq!(complete.expect(422).code(), "HK_001", "{sly}");
        let change = server.request("PATCH", &file).json(&json!({ "content_type": sly }));
        assert_eq!(server.answer(change).await.expect(422).code(), "HK_001", "{sly}");
    }
    let form = server.request("POST", "/api/buckets/b/files");
    let form = form.header("content-type", "multipart/form-data; boundary=e").body(
        "--e\r\ncontent-disposition: form-data; name=f; filename=new\r\n\
         content-type: IMAGE/png\r\n\r\n1\r\n--e--\r\n",
    );
    assert_eq!(server.answer(form).await.expect(422).code(), "HK_001");
    let list = server.get("/api/buckets/b/files").await.json();
    assert_eq!(names(&list), ["there"]);
}

#[tokio::test]
async fn a_function_uses_files_with_its_token_and_is_the_cause_of_what_follows() {
    let server = dev(&[
        (
            "functions/thumb/function.json",
            r#"{"runtime": "node", "triggers": [
                {"type": "storage", "bucket": "in", "events": "upload"}]}"#,
        ),
        (
            "functions/thumb/index.mjs",
            "export const handler = async (event, context) => {\n  \
             const base = `${process.env.EVOKE_URL}/api/buckets`;\n  \
             const headers = { authorization: `Bearer ${context.token ?? process.env.EVOKE_TOKEN}` };\n  \
             const file = await fetch(`${base}/in/files/${event.data.file.name}`, { headers });\n  \
             const body = (await file.text()).toUpperCase();\n  \
             const put = await fetch(`${base}/out/files/x`, { method: 'PUT', headers, body });\n  \
             return put.status;\n};\n",
        ),
    ])
    .await;
    put(&server, ("in", "a.txt"), "hello").await.expect(201);
    server.ended("function=thumb&status=success", 1).await;
    assert_eq!(super::get(&server, ("out", "x")).await, b"HELLO");
    let events = server.get("/api/events?type=storage.out.upload").await.json();
    assert!(events["data"][0]["cause_id"].is_string(), "{events}");
}
