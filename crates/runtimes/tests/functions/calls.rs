//! Ordinary calls on each runtime: values, responses, streams, logs, errors, and what loading a
//! function can fail of.

use std::time::{Duration, Instant};

use crate::support::{Function, House, event, options, request, until, value};
use evoke_model::execution::RetryHint;
use evoke_model::{Code, Data};
use evoke_ports::{Body, Reply};
use evoke_runtimes::Options;
use serde_json::json;

const ECHO: &str = "export async function handler(event, context) {
    console.log('got', event.data.n);
    console.error('loud');
    return { n: event.data.n, kind: event.type, attempt: context.attempt };
}";

#[tokio::test(flavor = "multi_thread")]
async fn every_version_of_node_and_bun_runs_events() {
    for (runtime, file) in [
        ("nodejs18", "index.mjs"),
        ("nodejs20", "index.mjs"),
        ("nodejs22", "index.mjs"),
        ("node", "index.mjs"),
        ("bun", "index.mjs"),
        ("bun", "index.ts"),
    ] {
        let house = House::new(options());
        let pool = house.open(&Function::new(runtime, file, ECHO)).await;
        let sent = event(&json!({"n": 5}));
        let lines = sent.lines;
        let reply = pool.call(sent.call).await.unwrap();
        let Reply::Value(data) = reply else { panic!("{runtime}: {reply:?}") };
        assert_eq!(data.to_value(), json!({"n": 5, "kind": "thing.done", "attempt": 1}));
        assert_eq!(lines.messages(), ["got 5", "loud"], "{runtime}");
        assert_eq!(pool.status().workers, 1);
        pool.drain(evoke_model::Millis::from_secs(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_calls_share_a_worker_and_keep_their_lines() {
    let house = House::new(options());
    let text = "export async function handler(event) {
        console.log('begin', event.data);
        await new Promise(done => setTimeout(done, 20));
        console.log('end', event.data);
        return event.data * 2;
    }";
    let pool = house.open(&Function::node(text).scaled(0, 1, 100)).await;
    let calls = (0..100).map(|n| {
        let pool = pool.clone();
        tokio::spawn(async move {
            let sent = event(&json!(n));
            let Ok(Reply::Value(data)) = pool.call(sent.call).await else { panic!("call {n}") };
            assert_eq!(data.to_value(), json!(n * 2));
            assert_eq!(sent.lines.messages(), [format!("begin {n}"), format!("end {n}")]);
        })
    });
    for call in calls.collect::<Vec<_>>() {
        call.await.unwrap();
    }
    assert_eq!(pool.status().cold_starts, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_get_responses() {
    let house = House::new(options());
    let text = "export async function handler(request, context) {
        const url = new URL(request.url);
        const body = await request.text();
        return new Response(`${request.method} ${url.pathname} ${body} ${request.headers.get('content-type')}`,
            { status: 201, headers: { 'x-made': 'here' } });
    }";
    for runtime in ["nodejs20", "bun"] {
        let pool = house.open(&Function::new(runtime, "index.mjs", text)).await;
        let reply = pool.call(request("/api/users/7?full=1", "hello").call).await.unwrap();
        let Reply::Http(reply) = reply else { panic!("{reply:?}") };
        assert_eq!(reply.status, 201);
        assert_eq!(reply.headers["x-made"], "here");
        let body = reply.body.collect().await.unwrap();
        assert_eq!(body, "POST /api/users/7 hello text/plain");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thrown_error_has_message_stack_and_advice() {
    let house = House::new(options());
    let text = "export function handler(event) {
        if (event.data === 'type') throw new TypeError('not like this');
        const error = new Error('never'); error.retry = false; throw error;
    }";
    let pool = house.open(&Function::node(text)).await;
    let failure = value(&pool, json!("type")).await.unwrap_err();
    assert_eq!(failure.code, Code::FunctionError);
    assert_eq!(failure.message, "TypeError: not like this");
    assert!(failure.stack.is_some_and(|stack| stack.contains("index.mjs:2")));
    let failure = value(&pool, json!("no")).await.unwrap_err();
    assert_eq!(failure.retry, RetryHint::Never);
    assert_eq!(pool.status().deaths, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn stacks_name_the_lines_of_typescript_files() {
    let house = House::new(options());
    let text = "interface Input { n: number }\n\nimport { explode } from './lib/explode.ts';\n\n\
                export function handler(event: { data: Input }): number {\n  return 1 + explode(event.data.n);\n}\n";
    let library = "type Unused = never;\nenum Color { Red = 3 }\n\nexport function explode(n: number): number {\n  \
                   throw new Error(`boom ${n} ${Color.Red}`);\n}\n";
    for runtime in ["nodejs18", "nodejs20", "nodejs22", "bun"] {
        let function = Function::new(runtime, "index.ts", text).file("lib/explode.ts", library);
        let pool = house.open(&function).await;
        let failure = value(&pool, json!({"n": 4})).await.unwrap_err();
        assert_eq!(failure.message, "boom 4 3", "{runtime}");
        let stack = failure.stack.unwrap_or_default();
        assert!(stack.contains("lib/explode.ts:5"), "{runtime}: {stack}");
        assert!(stack.contains("index.ts:6"), "{runtime}: {stack}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn code_that_cannot_be_loaded_fails_the_deployment() {
    let house = House::new(options());
    let table = [
        ("a throw at import", "throw new Error('at import');", "at import"),
        ("no such export", "export const other = 1;", "handler"),
        ("a syntax error", "export function handler( {", "index.mjs"),
        ("an exit at import", "console.error('bye'); process.exit(3);", "code 3"),
    ];
    for (name, text, part) in table {
        let error = house.try_open(&Function::node(text)).await.map(|_| ()).unwrap_err();
        assert_eq!(error.code, Code::DeploymentFailed, "{name}");
        let told = format!("{} {}", error.message, error.stack.clone().unwrap_or_default());
        assert!(told.contains(part), "{name}: {told}");
    }
    let missing = Function { files: vec![("other.mjs", String::new())], ..Function::node("") };
    let error = house.try_open(&missing).await.map(|_| ()).unwrap_err();
    assert_eq!(error.code, Code::DeploymentFailed);
    let typo = Function::new("nodejs20", "index.ts", "export const handler = (: number) => 1;");
    let error = house.try_open(&typo).await.map(|_| ()).unwrap_err();
    assert!(error.message.contains("index.ts"), "{}", error.message);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_interpreter_is_told_with_what_is_there() {
    let mut bare = options();
    bare.tools.clear();
    bare.path.retain(|folder| folder.join("node").exists() || folder.join("bin").exists());
    bare.home = None;
    let house = House::new(bare);
    let error = house.try_open(&Function::new("nodejs18", "index.mjs", ECHO)).await;
    let error = error.map(|_| ()).unwrap_err();
    assert_eq!(error.code, Code::InvalidConfiguration);
    assert!(error.message.contains("20."), "{}", error.message);
    assert!(error.message.contains("install Node.js 18"), "{}", error.message);
    assert_eq!(error.problems[0].field, "runtime");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_probe_tells_what_is_there_and_what_to_do() {
    let house = House::new(options());
    for runtime in &house.runtimes {
        for found in runtime.probe().await {
            assert!(found.path.is_some() && found.version.is_some(), "{found:?}");
            assert_eq!(found.hint, None);
        }
    }
    let nothing = Options { path: Vec::new(), home: None, ..Options::default() };
    let found = House::new(nothing).runtime("bun").probe().await;
    assert_eq!(found[0].path, None);
    assert!(found[0].hint.as_ref().is_some_and(|hint| hint.contains("install Bun")));
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_see_no_variables_of_the_server() {
    let house = House::new(options());
    let text = "export const handler = () => process.env;";
    let mut function = Function::node(text);
    function.environment = vec![("API_KEY", "k1"), ("NODE_ENV", "test")];
    // The first is a process of its own, the second was started ahead.
    for _ in 0..2 {
        let pool = house.open(&function).await;
        let environment = value(&pool, json!(null)).await.unwrap();
        let mut names: Vec<&str> =
            environment.as_object().unwrap().keys().map(String::as_str).collect();
        let inherited = ["PATH", "HOME", "LANG", "TZ", "TMPDIR"];
        names.retain(|name| !inherited.contains(name));
        let ours: Vec<&str> =
            names.iter().copied().filter(|name| !name.starts_with("EVOKE_")).collect();
        assert_eq!(ours, ["API_KEY", "NODE_ENV"]);
        assert!(names.contains(&"EVOKE_URL") && names.contains(&"EVOKE_FUNCTION"), "{names:?}");
        assert_eq!(environment["API_KEY"], "k1");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn blank_workers_are_used_and_replaced() {
    let house = House::new(options());
    let text = "export const handler = () => process.uptime();";
    let mut started_ahead = false;
    for _ in 0..100 {
        let asked = Instant::now();
        let pool = house.open(&Function::node(text)).await;
        let uptime = value(&pool, json!(null)).await.unwrap().as_f64().unwrap();
        started_ahead = uptime > asked.elapsed().as_secs_f64();
        if started_ahead {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(started_ahead, "no worker was older than the wish for it");
    for runtime in &house.runtimes {
        runtime.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_comes_as_it_is_made_and_waits_for_its_reader() {
    let house = House::new(options());
    let text = "let made = 0;
    export function handler(request) {
        if (request.type) return made;
        const body = new ReadableStream({ pull(controller) {
            if (++made > 400) return controller.close();
            controller.enqueue(new Uint8Array(64 * 1024).fill(made));
        }});
        return new Response(body, { headers: { 'content-type': 'text/event-stream' } });
    }";
    for runtime in ["nodejs20", "bun"] {
        let pool = house.open(&Function::new(runtime, "index.mjs", text)).await;
        let Ok(Reply::Http(reply)) = pool.call(request("/", "").call).await else { panic!() };
        let Body::Stream(mut pieces) = reply.body else { panic!("{runtime}: not streamed") };
        tokio::time::sleep(Duration::from_millis(300)).await;
        let made = value(&pool, json!(null)).await.unwrap().as_u64().unwrap();
        assert!(made < 60, "{runtime}: {made} pieces were made without a reader");
        let mut bytes = 0;
        while let Some(piece) = pieces.recv().await {
            bytes += piece.unwrap().len();
        }
        assert_eq!(bytes, 400 * 64 * 1024, "{runtime}");
        assert_eq!(pool.status().calls, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_who_leaves_ends_the_stream() {
    let house = House::new(options());
    let text = "let open = 0;
    export function handler(request) {
        if (request.type) return open;
        open++;
        const body = new ReadableStream({
            async pull(controller) {
                await new Promise(done => setTimeout(done, 5));
                controller.enqueue('tick\\n');
            },
            cancel() { open--; },
        });
        return new Response(body.pipeThrough(new TextEncoderStream()));
    }";
    let pool = house.open(&Function::node(text)).await;
    let Ok(Reply::Http(reply)) = pool.call(request("/", "").call).await else { panic!() };
    let Body::Stream(mut pieces) = reply.body else { panic!("not streamed") };
    assert!(pieces.recv().await.unwrap().unwrap().starts_with(b"tick"));
    drop(pieces);
    until("the call has ended", || pool.status().calls == 0).await;
    assert_eq!(value(&pool, json!(null)).await.unwrap(), json!(0));
    assert_eq!(pool.status().deaths, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_may_be_large_but_not_larger() {
    let house = House::new(options());
    let text = "export const handler = event => event.data
        ? 'x'.repeat(event.data) : new Response('x'.repeat(11 * 1024 * 1024));";
    let pool = house.open(&Function::node(text)).await;
    let large = value(&pool, json!(9_000_000)).await.unwrap();
    assert_eq!(large.as_str().map(str::len), Some(9_000_000));
    let failure = value(&pool, json!(11_000_000)).await.unwrap_err();
    assert_eq!(failure.code, Code::ResponseTooLarge);
    let failure = pool.call(request("/", "").call).await.map(|_| ()).unwrap_err();
    assert_eq!(failure.code, Code::ResponseTooLarge);
    assert_eq!(value(&pool, json!(1)).await.unwrap(), json!("x"), "the worker lives on");
    assert_eq!(pool.status().deaths, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_of_no_call_are_the_hosts() {
    let house = House::new(options());
    let text = "console.log('at import'); export const handler = () => {};";
    house.open(&Function::node(text)).await;
    assert_eq!(house.stray.messages(), ["at import"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn typescript_lives_with_javascript_and_its_files() {
    let house = House::new(options());
    let text = "import { readFileSync } from 'node:fs';
import { double } from './double.js';
import type { Thing } from './types.ts';
import packaged from 'packaged';
const note: string = readFileSync(new URL('./note.txt', import.meta.url), 'utf8');
export const handler = (event: { data: Thing }) => [double(event.data), packaged, note];";
    let function = Function::new("nodejs20", "index.ts", text)
        .file("double.js", "export const double = n => 2 * n;")
        .file("types.ts", "export type Thing = number;")
        .file("note.txt", "noted")
        .file("node_modules/packaged/index.js", "module.exports = 'from a package';")
        .file("node_modules/packaged/package.json", "{\"name\":\"packaged\"}");
    // The second time the build is there already.
    for _ in 0..2 {
        let version = std::sync::Arc::new(house.version(&function));
        for _ in 0..2 {
            let opened = house.runtime("node").open(version.clone(), house.host()).await;
            let result = value(&opened.unwrap(), json!(4)).await.unwrap();
            assert_eq!(result, json!([8, "from a package", "noted"]));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_returned_is_no_data() {
    let house = House::new(options());
    let pool = house.open(&Function::node("export const handler = () => {};")).await;
    let reply = pool.call(event(&json!(1)).call).await;
    assert!(matches!(reply, Ok(Reply::Value(Data::None))));
}
