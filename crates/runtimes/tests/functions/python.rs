//! Functions in Python, on each version, and the limits that are the same for all languages.

use crate::support::{
    Function, House, event, event_within, is_alive, options, request, until, value,
};
use evoke_model::{Code, Millis};
use evoke_ports::{Body, Reply};
use serde_json::json;

fn function(runtime: &'static str, text: &str) -> Function {
    Function::new(runtime, "main.py", text)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_version_runs_events() {
    let text = "import sys\ndef handler(event, context):\n    print('got', event['data']['n'])\n    \
                return {'n': event['data']['n'], 'minor': sys.version_info[1]}\n";
    let house = House::new(options());
    for (runtime, minor) in [("python3.10", 10), ("python3.11", 11), ("python3.12", 12)] {
        let pool = house.open(&function(runtime, text)).await;
        let sent = event(&json!({"n": 5}));
        let lines = sent.lines;
        let Ok(Reply::Value(data)) = pool.call(sent.call).await else { panic!("{runtime}") };
        assert_eq!(data.to_value(), json!({"n": 5, "minor": minor}));
        assert_eq!(lines.messages(), ["got 5"], "{runtime}");
    }
    let pool = house.open(&function("python", text)).await;
    assert!(value(&pool, json!({"n": 1})).await.unwrap()["minor"].as_i64() >= Some(12));
}

#[tokio::test(flavor = "multi_thread")]
async fn async_handlers_share_a_worker() {
    let text = "import asyncio\nasync def handler(event, context):\n    print('begin', event['data'])\n    \
                await asyncio.sleep(0.02)\n    return event['data'] * 2\n";
    let house = House::new(options());
    let pool = house.open(&function("python3.12", text).scaled(0, 1, 50)).await;
    let calls: Vec<_> = (0..50)
        .map(|n| {
            let pool = pool.clone();
            tokio::spawn(async move {
                let sent = event(&json!(n));
                let Ok(Reply::Value(data)) = pool.call(sent.call).await else { panic!("{n}") };
                assert_eq!(data.to_value(), json!(n * 2));
                assert_eq!(sent.lines.messages(), [format!("begin {n}")]);
            })
        })
        .collect();
    for call in calls {
        call.await.unwrap();
    }
    assert_eq!(pool.status().cold_starts, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_and_streams_are_answered() {
    let text = "def handler(request, context):\n    if request.url.endswith('/stream'):\n        \
                return ('tick %d\\n' % n for n in range(3))\n    return {'method': request.method}\n";
    let house = House::new(options());
    let pool = house.open(&function("python3.11", text)).await;
    let Ok(Reply::Http(reply)) = pool.call(request("/x", "").call).await else { panic!() };
    let body = reply.body.collect().await.unwrap();
    assert_eq!(
        serde_json::from_slice::<serde_json::Value>(&body).unwrap(),
        json!({"method": "POST"})
    );
    let Ok(Reply::Http(reply)) = pool.call(request("/stream", "").call).await else { panic!() };
    assert!(matches!(reply.body, Body::Stream(_)));
    let body = reply.body.collect().await.unwrap();
    assert_eq!(body, "tick 0\ntick 1\ntick 2\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_have_their_class_and_line() {
    let house = House::new(options());
    let pool = house
        .open(&function(
            "python3.12",
            "def handler(event, context):\n    raise ValueError('bad')\n",
        ))
        .await;
    let failure = value(&pool, json!(1)).await.unwrap_err();
    assert_eq!(failure.message, "ValueError: bad");
    let stack = failure.stack.unwrap_or_default();
    assert!(stack.contains("main.py") && stack.contains("line 2"), "{stack}");
    let error = house.try_open(&function("python3.12", "import nothing_of_that_name\n")).await;
    let error = error.map(|_| ()).unwrap_err();
    assert_eq!(error.code, Code::DeploymentFailed);
    assert!(error.message.contains("nothing_of_that_name"), "{}", error.message);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blocked_call_is_ended_with_the_processes_it_forked() {
    let text = "import os, time\ndef handler(event, context):\n    child = os.fork()\n    \
                if child == 0:\n        time.sleep(1000)\n    print(child, os.getpid(), flush=True)\n    \
                while True: pass\n";
    let house = House::new(options());
    let pool = house.open(&function("python3.12", text)).await;
    let sent = event_within(&json!(1), 500);
    let lines = sent.lines;
    let failure = pool.call(sent.call).await.map(|_| ()).unwrap_err();
    assert_eq!(failure.code, Code::FunctionTimeout);
    until("the line is there", || !lines.messages().is_empty()).await;
    for pid in lines.messages()[0].split(' ').map(|pid| pid.parse().unwrap()) {
        until("the process is gone", || !is_alive(pid)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_is_limited() {
    let text = "def handler(event, context):\n    kept = []\n    while True:\n        \
                kept.append(bytearray(b'x') * (1 << 22))\n";
    let house = House::new(options());
    let pool = house.open(&function("python3.12", text).memory_mb(128)).await;
    let failure = value(&pool, json!(1)).await.unwrap_err();
    assert_eq!(failure.code, Code::FunctionMemory, "{failure:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exit_is_told() {
    let text = "import os\ndef handler(event, context):\n    os._exit(7)\n";
    let house = House::new(options());
    let pool = house.open(&function("python3.12", text)).await;
    let failure = value(&pool, json!(1)).await.unwrap_err();
    assert!(failure.message.contains("exited with code 7"), "{}", failure.message);
    pool.drain(Millis::from_secs(1)).await;
}
