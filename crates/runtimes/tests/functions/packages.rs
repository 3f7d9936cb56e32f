//! The packages that functions have without installing them.

use std::sync::Arc;

use evoke_model::Millis;
use evoke_ports::runtime::Host;
use evoke_ports::{Body, Pool, Reply};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::support::{Function, House, data_event, event, event_of, options, request, value};

const RUNTIMES: [&str; 4] = ["nodejs18", "nodejs20", "nodejs22", "bun"];

const IMPORTED: &str = "import { db, EvokeError } from '@evoke/sdk';
import { cors, middleware } from '@evoke/functions';
import { more } from './lib/more.js';
export const handler = async () => [typeof db.collection, EvokeError.name, typeof middleware, typeof cors(), more,
    (await import('@evoke/sdk')).db === db];";

const MORE: &str =
    "import { events } from '@evoke/sdk';\nexport const more = typeof events.publish;";

const REQUIRED: &str = "const { db, EvokeError } = require('@evoke/sdk');
const { cors, middleware } = require('@evoke/functions');
exports.handler = async () => [typeof db.collection, EvokeError.name, typeof middleware, typeof cors(),
    typeof require('@evoke/sdk').events.publish, require('@evoke/sdk').db === db];";

#[tokio::test(flavor = "multi_thread")]
async fn they_are_there_for_every_kind_of_module() {
    let house = House::new(options());
    for runtime in RUNTIMES {
        for function in [
            Function::new(runtime, "index.mjs", IMPORTED)
                .file("lib/more.js", MORE)
                .file("lib/package.json", r#"{"type": "module"}"#),
            Function::new(runtime, "index.ts", IMPORTED).file("lib/more.ts", MORE),
            Function::new(runtime, "index.cjs", REQUIRED),
        ] {
            let pool = house.open(&function).await;
            let seen = value(&pool, json!(1)).await.expect("an answer");
            let expected =
                json!(["function", "EvokeError", "function", "function", "function", true]);
            assert_eq!(seen, expected, "{runtime} {}", function.files[0].0);
            pool.drain(Millis::from_secs(5)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_function_installed_goes_before_them() {
    let house = House::new(options());
    let about =
        r#"{"name": "@evoke/sdk", "version": "9.9.9", "type": "module", "exports": "./own.js"}"#;
    for runtime in RUNTIMES {
        for file in ["index.mjs", "index.ts"] {
            let text = "import { db } from '@evoke/sdk';\nimport { cors } from '@evoke/functions';\n\
                export const handler = () => [db, typeof cors];";
            let function = Function::new(runtime, file, text)
                .file("node_modules/@evoke/sdk/package.json", about)
                .file("node_modules/@evoke/sdk/own.js", "export const db = 'own';");
            let pool = house.open(&function).await;
            let seen = value(&pool, json!(1)).await.expect("an answer");
            assert_eq!(seen, json!(["own", "function"]), "{runtime} {file}");
            pool.drain(Millis::from_secs(5)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_services_can_be_used_without_an_import_and_names_of_ones_own_go_before() {
    let house = House::new(options());
    let text = "globalThis.secrets = 'mine';
        export const handler = async () => {
            const events = 'local';
            return [typeof db.collection, typeof storage.bucket, typeof auth.verifyToken, typeof auth({ required: true }),
                typeof functions.invoke, typeof cors({ origin: '*' }), typeof rateLimit(), typeof validate({}), events, secrets,
                Object.keys(globalThis).includes('db')];
        };";
    for runtime in RUNTIMES {
        let pool = house.open(&Function::new(runtime, "index.mjs", text)).await;
        let seen = value(&pool, json!(1)).await.expect("an answer");
        let f = "function";
        assert_eq!(seen, json!([f, f, f, f, f, f, f, f, "local", "mine", false]), "{runtime}");
        pool.drain(Millis::from_secs(5)).await;
    }
}

/// A server that answers every request with what it was sent.
async fn mirror() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(stream));
        }
    });
    url
}

async fn answer(mut stream: TcpStream) {
    let mut seen = Vec::new();
    let mut piece = [0; 4096];
    while let Ok(read @ 1..) = stream.read(&mut piece).await {
        seen.extend_from_slice(&piece[..read]);
        let text = String::from_utf8_lossy(&seen).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let header = |name: &str| {
            let line = head.lines().find(|line| line.to_ascii_lowercase().starts_with(name))?;
            Some(line.split_once(": ")?.1.to_owned())
        };
        let length = header("content-length:").map_or(0, |length| length.parse().unwrap());
        if body.len() < length {
            continue;
        }
        let body: Value = serde_json::from_str(body).unwrap_or_default();
        let told = [header("authorization:"), header("traceparent:"), header("x-request-id:")];
        let told = json!({ "ids": [told[0], told[1], told[2], body["data"]] });
        let told = told.to_string();
        let answer = format!(
            "HTTP/1.1 202 Accepted\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{told}",
            told.len()
        );
        stream.write_all(answer.as_bytes()).await.unwrap();
        seen.clear();
    }
}

async fn open(house: &House, function: &Function, url: &str) -> Arc<dyn Pool> {
    let host = Host { url: url.into(), ..house.host() };
    let version = Arc::new(house.version(function));
    house.runtime(function.runtime).open(version, host).await.expect("the function opens")
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_at_once_in_one_worker_keep_their_tokens_and_traces() {
    let house = House::new(options());
    let url = mirror().await;
    let text = "import { events } from '@evoke/sdk';
        export async function handler(event, { evoke }) {
            await new Promise((done) => setTimeout(done, event.data % 7));
            const first = await events.publish('a', event.data);
            await null;
            return [first.ids, (await evoke.events.publish('b', event.data)).ids];
        }";
    for runtime in RUNTIMES {
        let function = Function::new(runtime, "index.mjs", text).scaled(1, 1, 30);
        let pool = open(&house, &function, &url).await;
        let calls = (0..30).map(|n| {
            let pool = Arc::clone(&pool);
            tokio::spawn(async move {
                let mut call = event(&json!(n)).call;
                call.token = format!("token-{n}").into();
                call.traceparent = Some(format!("trace-{n}").into());
                call.request_id = Some(format!("request-{n}").into());
                let Ok(Reply::Value(data)) = pool.call(call).await else { panic!("call {n}") };
                let seen = json!([
                    format!("Bearer token-{n}"),
                    format!("trace-{n}"),
                    format!("request-{n}"),
                    n
                ]);
                assert_eq!(data.to_value(), json!([seen, seen]));
            })
        });
        for call in calls.collect::<Vec<_>>() {
            call.await.expect(runtime);
        }
        assert_eq!(pool.status().cold_starts, 1);
        pool.drain(Millis::from_secs(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn events_of_the_database_can_be_read_the_short_way() {
    let house = House::new(options());
    let text = "export const handler = (event) => {
        const { data, metadata } = event;
        return { email: data.email, id: metadata.documentId, action: data.action, keys: Object.keys(data), event };
    };";
    let data = json!({
        "document": { "id": "ada", "email": "ada@example.com", "action": "not this" },
        "previous_document": null, "action": "create", "collection": "users", "changed_fields": [],
    });
    for runtime in ["nodejs20", "bun"] {
        let pool = house.open(&Function::new(runtime, "index.mjs", text)).await;
        let mut event = data_event(&data);
        event.kind = "database.users.create".into();
        event.subject = Some("ada".into());
        let reply = pool.call(event_of(event).call).await.unwrap();
        let Reply::Value(seen) = reply else { panic!("{reply:?}") };
        let seen = seen.to_value();
        assert_eq!(seen["email"], "ada@example.com");
        assert_eq!((&seen["id"], &seen["action"]), (&json!("ada"), &json!("create")));
        assert_eq!(seen["event"]["data"], data, "what is added is not copied");
        assert_eq!(seen["keys"].as_array().map(Vec::len), Some(5));
        pool.drain(Millis::from_secs(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_token_of_a_request_can_be_read_as_in_nodes_own_requests() {
    let house = House::new(options());
    let text = "export const handler = (req) => {
        const { method, url, headers, body } = req;
        return `${headers.authorization} ${headers instanceof Headers} ${headers.get('content-type')} ${body !== null}`;
    };";
    for runtime in ["nodejs18", "nodejs22", "bun"] {
        let pool = house.open(&Function::new(runtime, "index.mjs", text)).await;
        let mut sent = request("/a", "x");
        let evoke_ports::Input::Http(http) = &mut sent.call.input else { panic!("a request") };
        http.headers.insert(http::header::AUTHORIZATION, "Bearer x".parse().unwrap());
        let Ok(Reply::Http(reply)) = pool.call(sent.call).await else { panic!("{runtime}") };
        let Body::Full(body) = reply.body else { panic!("{runtime}: a stream") };
        assert_eq!(body, "Bearer x true text/plain true", "{runtime}");
        pool.drain(Millis::from_secs(5)).await;
    }
}
