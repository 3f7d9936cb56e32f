//! Functions that are broken, greedy or rude, in each runtime: the error says what happened, and
//! nobody else notices.

use crate::facts::{content, invoke, is_alive, until};
use crate::support::{BINARY, dev};
use evoke_testkit::{Options, TestServer};
use serde_json::{Value, json};

const NODE: &str = r#"{"runtime": "node"}"#;
const BUN: &str = r#"{"runtime": "bun"}"#;
const PYTHON: &str = r#"{"runtime": "python"}"#;

/// A function that works, to be seen working beside the others.
const FINE: [(&str, &str); 2] = [
    ("functions/fine/function.json", NODE),
    ("functions/fine/index.mjs", "export const handler = () => 'fine';"),
];

/// A server with the function `rude` beside one that works.
async fn rude(manifest: &str, file: &str, code: &str) -> TestServer {
    let file = format!("functions/rude/{file}");
    let own = [("functions/rude/function.json", manifest), (file.as_str(), code)];
    dev(&[&own[..], &FINE[..]].concat()).await
}

async fn is_fine(server: &TestServer) {
    assert_eq!(invoke(server, "fine", json!(null)).await.expect(200).json(), "fine");
}

#[tokio::test]
async fn what_cannot_be_loaded_is_a_deployment_error_and_stops_no_other() {
    for (manifest, file, code, said) in [
        (NODE, "index.mjs", "export const handel = () => 1;", "handel"),
        (BUN, "index.ts", "export const handel = () => 1;", "handel"),
        (PYTHON, "main.py", "def handel(event, context):\n    return 1\n", "handel"),
        (NODE, "index.mjs", "throw new Error('no luck today');", "no luck today"),
        (BUN, "index.ts", "throw new Error('no luck today');", "no luck today"),
        (PYTHON, "main.py", "raise RuntimeError('no luck today')\n", "no luck today"),
        (NODE, "index.mjs", "export const handler = (=> 1;", "Unexpected token"),
        (PYTHON, "main.py", "def handler(event, context:\n    return 1\n", "main.py"),
    ] {
        let server = rude(manifest, file, code).await;
        let function = server.get("/api/functions/rude").await.expect(200).json();
        assert_eq!(function["status"], "failed", "{code}: {function}");
        assert_eq!(function["error"]["code"], "FN_005", "{code}: {function}");
        assert!(function["error"].to_string().contains(said), "{code}: {function}");
        let refused = invoke(&server, "rude", json!(null)).await;
        assert_eq!(refused.code(), "FN_005", "{}", refused.text);
        is_fine(&server).await;
    }
}

#[tokio::test]
async fn a_worker_that_exits_is_replaced() {
    let javascript = "export const handler = (event) => {\n  \
         if (event.data === 'exit') process.exit(3);\n  return process.pid;\n};\n";
    let python = "import os, sys\n\ndef handler(event, context):\n    \
         if event['data'] == 'exit':\n        os._exit(3)\n    return os.getpid()\n";
    for (manifest, file, code) in [
        (NODE, "index.mjs", javascript),
        (BUN, "index.ts", javascript),
        (PYTHON, "main.py", python),
    ] {
        let server = rude(manifest, file, code).await;
        let first = invoke(&server, "rude", json!(null)).await.expect(200).json();
        let failed = invoke(&server, "rude", json!("exit")).await.expect(502);
        assert_eq!(failed.code(), "FN_004", "{}", failed.text);
        assert!(failed.text.contains("exited with code 3"), "{}", failed.text);
        let second = invoke(&server, "rude", json!(null)).await.expect(200).json();
        assert_ne!(first, second, "{file}");
        is_fine(&server).await;
    }
}

#[tokio::test]
async fn sys_exit_in_python_fails_the_call_with_its_code() {
    let code = "import sys\n\ndef handler(event, context):\n    if event['data']:\n        \
         sys.exit(3)\n    return 'here'\n";
    let server = rude(PYTHON, "main.py", code).await;
    let failed = invoke(&server, "rude", json!(1)).await.expect(502);
    assert_eq!(failed.code(), "FN_004");
    assert!(failed.text.contains('3'), "{}", failed.text);
    assert_eq!(invoke(&server, "rude", json!(0)).await.expect(200).json(), "here");
}

#[tokio::test]
async fn a_timeout_ends_a_blocked_function_and_its_children() {
    let javascript = "import { spawn } from 'node:child_process';\n\
         import { writeFileSync } from 'node:fs';\n\
         export const handler = (event) => {\n  \
         const child = spawn('sleep', ['1000'], { stdio: 'inherit' });\n  \
         writeFileSync(event.data.file, String(child.pid));\n  for (;;);\n};\n";
    let python = "import subprocess\n\ndef handler(event, context):\n    \
         child = subprocess.Popen(['sleep', '1000'])\n    \
         open(event['data']['file'], 'w').write(str(child.pid))\n    while True:\n        pass\n";
    for (runtime, file, code) in [("node", "index.mjs", javascript), ("python", "main.py", python)]
    {
        let manifest = json!({ "runtime": runtime, "timeout": "1s" }).to_string();
        let server = rude(&manifest, file, code).await;
        let pid_file = server.dir().join("pid");
        let late = invoke(&server, "rude", json!({ "file": pid_file })).await.expect(504);
        assert_eq!(late.code(), "FN_002");
        let ended = server.ended("function=rude", 1).await;
        assert_eq!(ended[0]["status"], "timed_out", "{ended:?}");
        let pid = content(&pid_file).await;
        until("the child is gone", async || (!is_alive(&pid)).then_some(())).await;
        is_fine(&server).await;
    }
}

#[tokio::test]
async fn memory_is_limited_and_said_so() {
    let javascript = "const kept = [];\nexport const handler = async (event) => {\n  \
         while (event.data) {\n    kept.push(Buffer.alloc(4 << 20, 1));\n    \
         await new Promise((done) => setTimeout(done, 2));\n  }\n  return 'small';\n};\n";
    let python = "import time\n\nkept = []\n\ndef handler(event, context):\n    \
         while event['data']:\n        kept.append(bytearray(b'1' * (4 << 20)))\n        \
         time.sleep(0.002)\n    return 'small'\n";
    for (runtime, file, code) in [("node", "index.mjs", javascript), ("python", "main.py", python)]
    {
        let manifest = json!({ "runtime": runtime, "memory": "128mb" }).to_string();
        let server = rude(&manifest, file, code).await;
        let failed = invoke(&server, "rude", json!(true)).await;
        assert_eq!(failed.code(), "FN_003", "{runtime}: {}", failed.text);
        assert!(failed.text.contains("128mb"), "{}", failed.text);
        assert_eq!(invoke(&server, "rude", json!(false)).await.expect(200).json(), "small");
        is_fine(&server).await;
    }
}

#[tokio::test]
async fn a_flood_of_output_is_cut_visibly() {
    let javascript = "export const handler = () => {\n  const line = 'x'.repeat(1000);\n  \
         for (let n = 0; n < 100_000; n++) console.log(line);\n  return 'done';\n};\n";
    let python = "def handler(event, context):\n    line = 'x' * 1000\n    \
         for _ in range(100_000):\n        print(line)\n    return 'done'\n";
    for (manifest, file, code) in [(NODE, "index.mjs", javascript), (PYTHON, "main.py", python)] {
        let server = rude(manifest, file, code).await;
        assert_eq!(invoke(&server, "rude", json!(null)).await.expect(200).json(), "done");
        let ended = server.ended("function=rude", 1).await;
        let execution = server.execution(ended[0]["id"].as_str().expect("an id")).await;
        assert_eq!(execution["status"], "success");
        let logs = execution["logs"].as_array().expect("logs");
        let bytes: usize =
            logs.iter().map(|line| line["message"].as_str().unwrap_or_default().len()).sum();
        assert!((1000..=2 << 20).contains(&bytes), "{file}: {bytes} bytes are kept");
        let last = logs.last().expect("a last line");
        assert_eq!(last["level"], "warn", "{file}: the cut is visible: {last}");
        is_fine(&server).await;
    }
}

#[tokio::test]
async fn an_answer_that_cannot_be_sent_is_an_error_and_the_worker_lives_on() {
    let javascript = "export const handler = (event) => {\n  const circle = {};\n  \
         circle.circle = circle;\n  const answers = { pid: process.pid, bigint: 1n, circle,\n    \
         symbol: Symbol('s'), fn: () => 1, nothing: undefined, big: 'x'.repeat(11 << 20) };\n  \
         return answers[event.data];\n};\n";
    for (manifest, file) in [(NODE, "index.mjs"), (BUN, "index.ts")] {
        let code = if file.ends_with("mjs") {
            javascript.to_owned()
        } else {
            javascript.replace("const circle = {}", "const circle: any = {}")
        };
        let server = rude(manifest, file, &code).await;
        let pid = invoke(&server, "rude", json!("pid")).await.expect(200).json();
        for data in ["bigint", "circle", "symbol", "fn"] {
            let failed = invoke(&server, "rude", json!(data)).await;
            assert_eq!(failed.code(), "FN_004", "{data}: {}", failed.text);
        }
        let nothing = invoke(&server, "rude", json!("nothing")).await;
        assert!([200, 204].contains(&nothing.status), "{nothing:?}");
        assert!(["", "null"].contains(&nothing.text.as_str()), "{nothing:?}");
        assert_eq!(invoke(&server, "rude", json!("big")).await.code(), "FN_011");
        assert_eq!(invoke(&server, "rude", json!("pid")).await.expect(200).json(), pid, "{file}");
    }
}

#[tokio::test]
async fn garbage_from_python_is_an_error_and_the_worker_lives_on() {
    let python = "import os\n\ndef handler(event, context):\n    circle = {}\n    \
         circle['circle'] = circle\n    answers = {'pid': os.getpid(), 'circle': circle, \
         'object': object(), 'nothing': None, 'big': 'x' * (11 << 20)}\n    \
         return answers[event['data']]\n";
    let server = rude(PYTHON, "main.py", python).await;
    let pid = invoke(&server, "rude", json!("pid")).await.expect(200).json();
    for data in ["circle", "object", "there is no such key"] {
        let failed = invoke(&server, "rude", json!(data)).await;
        assert_eq!(failed.code(), "FN_004", "{data}: {}", failed.text);
    }
    let nothing = invoke(&server, "rude", json!("nothing")).await;
    assert!(["", "null"].contains(&nothing.text.as_str()), "{nothing:?}");
    assert_eq!(invoke(&server, "rude", json!("big")).await.code(), "FN_011");
    assert_eq!(invoke(&server, "rude", json!("pid")).await.expect(200).json(), pid);
}

#[tokio::test]
async fn an_unhandled_rejection_costs_nobody_an_answer() {
    let code = "export const handler = () => {\n  \
         Promise.reject(new Error('nobody listens'));\n  return process.pid;\n};\n";
    let server = rude(NODE, "index.mjs", code).await;
    let first = invoke(&server, "rude", json!(null)).await;
    let second = invoke(&server, "rude", json!(null)).await;
    assert_eq!(first.expect(200).json(), second.expect(200).json(), "it is the same worker");
}

#[tokio::test]
async fn a_stack_names_the_line_of_the_typescript_file() {
    let code = "interface Order {\n  id: string;\n}\n\nexport const handler = (order: Order) => {\n  \
         throw new TypeError('wrong ' + (order as unknown as string));\n};\n";
    for manifest in [NODE, BUN] {
        let server = rude(manifest, "index.ts", code).await;
        invoke(&server, "rude", json!(null)).await.expect(502);
        let ended = server.ended("function=rude", 1).await;
        let execution = server.execution(ended[0]["id"].as_str().expect("an id")).await;
        let stack = execution["error"]["stack"].as_str().expect("a stack");
        assert!(stack.contains("index.ts:6"), "{manifest}: {stack}");
    }
}

#[tokio::test]
async fn packages_are_installed_at_the_first_deployment() {
    let server = dev(&[
        ("packages/greet/package.json", r#"{"name": "greet", "version": "1.0.0"}"#),
        ("packages/greet/index.js", "module.exports = (name) => `hello ${name}`;"),
        ("functions/rude/function.json", NODE),
        (
            "functions/rude/package.json",
            r#"{"dependencies": {"greet": "file:../../packages/greet"}}"#,
        ),
        (
            "functions/rude/index.mjs",
            "import greet from 'greet';\nexport const handler = (event) => greet(event.data);",
        ),
        FINE[0],
        FINE[1],
        ("functions/lost/function.json", NODE),
        ("functions/lost/package.json", r#"{"dependencies": {"lost": "file:./not-there.tgz"}}"#),
        ("functions/lost/index.mjs", "export { default as handler } from 'lost';"),
    ])
    .await;
    assert_eq!(invoke(&server, "rude", json!("you")).await.expect(200).json(), "hello you");
    let lost = server.get("/api/functions/lost").await.expect(200).json();
    assert_eq!(lost["error"]["code"], "FN_005", "{lost}");
    assert!(lost["error"].to_string().contains("not-there"), "the tool's own words: {lost}");
    is_fine(&server).await;
}

#[tokio::test]
async fn a_function_sees_its_environment_and_its_context() {
    let javascript = "export const handler = (event, context) => ({\n  \
         said: process.env.SAID, token: process.env.EVOKE_TOKEN === undefined,\n  \
         url: process.env.EVOKE_URL, own: process.env.EVOKE_FUNCTION,\n  \
         execution: context.executionId, attempt: context.attempt, function: context.function,\n  \
         left: context.remainingMs(), trigger: context.trigger, env: context.env.SAID,\n});\n";
    let manifest = r#"{"runtime": "node", "timeout": "20s",
        "environment": {"SAID": "<${WHAT_WAS_SAID}>"}}"#;
    let files =
        [("functions/rude/function.json", manifest), ("functions/rude/index.mjs", javascript)];
    let env = vec![("WHAT_WAS_SAID".to_owned(), "a word".to_owned())];
    let server = TestServer::start(BINARY, &files, Options { env, ..Options::default() }).await;
    let answer = invoke(&server, "rude", json!(null)).await.expect(200);
    let id = answer.headers["x-evoke-execution-id"].to_str().expect("text").to_owned();
    let seen = answer.json();
    assert_eq!(seen["said"], "<a word>", "{seen}");
    assert_eq!(seen["env"], "<a word>", "{seen}");
    assert_eq!(seen["url"], server.url(""), "{seen}");
    assert_eq!(seen["own"], "rude", "{seen}");
    assert_eq!(seen["execution"], id.as_str(), "{seen}");
    assert_eq!(seen["attempt"], 1, "{seen}");
    assert_eq!(seen["function"], json!({ "name": "rude", "version": 1 }), "{seen}");
    let left = seen["left"].as_f64().expect("a number");
    assert!(left > 0.0 && left <= 20_000.0, "{seen}");
    let shown = server.get("/api/functions/rude").await.text;
    assert!(!shown.contains("a word"), "values are never shown: {shown}");
}

#[tokio::test]
async fn a_missing_variable_is_named() {
    let manifest = r#"{"runtime": "node", "environment": {"SAID": "${NOT_SET_ANYWHERE}"}}"#;
    let server = rude(manifest, "index.mjs", "export const handler = () => 1;").await;
    assert!(server.output().contains("NOT_SET_ANYWHERE"), "{}", server.output());
    is_fine(&server).await;
}

/// A route whose answer has a first piece and goes on when a file is there.
fn streamed(runtime: &str) -> (String, &'static str, &'static str) {
    let manifest =
        json!({ "runtime": runtime, "triggers": [{ "type": "http", "path": "/stream" }] });
    let javascript = "import { existsSync } from 'node:fs';\n\
         export async function* handler(request) {\n  yield 'data: first\\n\\n';\n  \
         const file = new URL(request.url).searchParams.get('file');\n  \
         while (!existsSync(file)) await new Promise((done) => setTimeout(done, 5));\n  \
         yield 'data: second\\n\\n';\n}\n";
    let python = "import asyncio, os\n\nasync def handler(request, context):\n    \
         yield 'data: first\\n\\n'\n    while not os.path.exists(request.query['file']):\n        \
         await asyncio.sleep(0.005)\n    yield 'data: second\\n\\n'\n";
    match runtime {
        "python" => (manifest.to_string(), "main.py", python),
        "bun" => (manifest.to_string(), "index.ts", javascript),
        _ => (manifest.to_string(), "index.mjs", javascript),
    }
}

#[tokio::test]
async fn a_streamed_answer_comes_in_pieces() {
    for runtime in ["node", "bun", "python"] {
        let (manifest, file, code) = streamed(runtime);
        let server = rude(&manifest, file, code).await;
        let gate = server.dir().join("go");
        let path = format!("/stream?file={}", gate.display());
        let mut answer = server.request("GET", &path).send().await.expect("an answer");
        assert_eq!(answer.status(), 200, "{runtime}");
        let first = answer.chunk().await.expect("a piece").expect("more than nothing");
        assert_eq!(first, "data: first\n\n", "{runtime}: it came before the end");
        std::fs::write(&gate, "").expect("write the file");
        let mut rest = String::new();
        while let Some(piece) = answer.chunk().await.expect("a piece") {
            rest.push_str(&String::from_utf8_lossy(&piece));
        }
        assert_eq!(rest, "data: second\n\n", "{runtime}");
    }
}

#[tokio::test]
async fn a_client_that_goes_cancels_its_call() {
    let manifest = r#"{"runtime": "node", "triggers": [{"type": "http", "path": "/wait"}]}"#;
    let code = "import { writeFileSync } from 'node:fs';\n\
         export const handler = async (request, context) => {\n  \
         const dir = new URL(request.url).searchParams.get('dir');\n  \
         const aborted = new Promise((done) => context.signal.addEventListener('abort', done));\n  \
         writeFileSync(dir + '/started', 'yes');\n  await aborted;\n  \
         writeFileSync(dir + '/aborted', 'yes');\n  return 'nobody reads this';\n};\n";
    let server = rude(manifest, "index.mjs", code).await;
    let request = server.request("GET", &format!("/wait?dir={}", server.dir().display()));
    let client = tokio::spawn(request.send());
    content(&server.dir().join("started")).await;
    client.abort();
    content(&server.dir().join("aborted")).await;
    let ended = server.ended("function=rude", 1).await;
    assert_eq!(ended[0]["status"], Value::from("cancelled"), "{ended:?}");
    is_fine(&server).await;
}

#[tokio::test]
async fn a_call_with_a_key_is_made_once_however_often_it_is_sent() {
    let manifest = r#"{"runtime": "node", "triggers": []}"#;
    let code = "let made = 0;\nexport const handler = async ({ data }) => {\n  \
                const own = ++made;\n  await new Promise((done) => setTimeout(done, 200));\n  \
                if (data === 'fail') throw new Error(`not the ${own}th time`);\n  \
                return own;\n};\n";
    let files = [("functions/count/function.json", manifest), ("functions/count/index.mjs", code)];
    let server = dev(&files).await;
    let call = async |key: &str, data: &str| {
        let request = server.request("POST", "/api/functions/count/invoke");
        server.answer(request.header("idempotency-key", key).json(&json!(data))).await
    };
    let (first, second) = tokio::join!(call("a", "x"), call("a", "x"));
    assert_eq!((first.expect(200).json(), second.expect(200).json()), (json!(1), json!(1)));
    assert_eq!(call("a", "y").await.expect(200).json(), 1);
    assert_eq!(call("b", "x").await.expect(200).json(), 2);
    assert_eq!(server.ended("function=count", 2).await.len(), 2);
    assert!(call("c", "fail").await.expect(502).text.contains("not the 3th"));
    assert!(call("c", "fail").await.expect(502).text.contains("not the 3th"), "as it was");
}
