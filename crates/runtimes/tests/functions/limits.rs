//! Limits: time, memory, output, the number of workers and of waiting calls; and workers that do
//! not keep to them.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::support::{
    Function, House, event, event_within, is_alive, options, request, until, value,
};
use evoke_model::execution::RetryHint;
use evoke_model::{ByteSize, Code, Failure, Millis};
use evoke_ports::{Pool, Reply};
use evoke_runtimes::{MemoryControl, Options};
use serde_json::{Value, json};

fn spawn_value(
    pool: &Arc<dyn Pool>,
    data: Value,
) -> tokio::task::JoinHandle<Result<Value, Failure>> {
    let pool = Arc::clone(pool);
    tokio::spawn(async move { value(&pool, data).await })
}

const SLEEPER: &str = "import { setTimeout as sleep } from 'node:timers/promises';
export async function handler(event) { await sleep(event.data); return process.pid; }";

#[tokio::test(flavor = "multi_thread")]
async fn a_blocked_loop_is_killed_and_its_other_calls_go_elsewhere() {
    let house = House::new(options());
    let text = "export async function handler(event) {
        if (event.data === 'block') for (;;);
        await new Promise(done => setTimeout(done, 60_000));
    }";
    let pool = house.open(&Function::node(text).timeout_ms(300)).await;
    let innocent = spawn_value(&pool, json!("wait"));
    until("it is under way", || pool.status().calls == 1).await;
    let started = Instant::now();
    let failure = pool.call(event_within(&json!("block"), 300).call).await.map(|_| ()).unwrap_err();
    assert_eq!(failure.code, Code::FunctionTimeout);
    assert!(failure.message.contains("300ms"), "{}", failure.message);
    assert!(started.elapsed() >= Duration::from_millis(299));
    let failure = innocent.await.unwrap().unwrap_err();
    assert_eq!(failure.retry, RetryHint::Elsewhere, "{failure:?}");
    until("the worker is gone", || pool.status().workers == 0).await;
    let status = pool.status();
    assert_eq!((status.calls, status.waiting, status.deaths), (0, 0, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_heeds_its_signal_costs_no_worker() {
    let house = House::new(options());
    let text = "export async function handler(event, context) {
        await new Promise((done, fail) => context.signal.addEventListener('abort', () => fail(new Error('stop'))));
    }";
    let pool = house.open(&Function::node(text)).await;
    for _ in 0..3 {
        let sent = event_within(&json!(1), 100);
        let failure = pool.call(sent.call).await.map(|_| ()).unwrap_err();
        assert_eq!(failure.code, Code::FunctionTimeout);
    }
    until("the calls have ended", || pool.status().calls == 0).await;
    assert_eq!(pool.status().deaths, 0);
    assert_eq!(pool.status().workers, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn children_of_a_killed_worker_are_gone_too() {
    let house = House::new(options());
    let text = "import { spawn } from 'node:child_process';
    export async function handler() {
        const child = spawn('sleep', ['1000'], { stdio: 'inherit' });
        console.log(`${child.pid} ${process.pid}`);
        await new Promise(() => setInterval(() => {}, 1000));
    }";
    let pool = house.open(&Function::node(text)).await;
    let sent = event_within(&json!(1), 400);
    let lines = sent.lines;
    let failure = pool.call(sent.call).await.map(|_| ()).unwrap_err();
    assert_eq!(failure.code, Code::FunctionTimeout);
    let pids: Vec<i64> = lines.messages()[0].split(' ').map(|pid| pid.parse().unwrap()).collect();
    for pid in pids {
        until("the process is gone", || !is_alive(pid)).await;
    }
}

async fn breaks_its_memory(options: Options, way: &str) {
    let house = House::new(options);
    let text = "const kept = [];
    export async function handler(event) {
        if (!event.data) return 'fine';
        for (;;) { kept.push(Buffer.alloc(4 << 20, 1)); await new Promise(done => setTimeout(done, 2)); }
    }";
    let pool = house.open(&Function::node(text).memory_mb(128)).await;
    assert!(pool.status().isolation.iter().any(|it| it.starts_with(way)), "{:?}", pool.status());
    let failure = value(&pool, json!(true)).await.unwrap_err();
    assert_eq!(failure.code, Code::FunctionMemory, "{failure:?}");
    assert!(failure.message.contains("limit is 128mb"), "{}", failure.message);
    assert_eq!(value(&pool, json!(false)).await, Ok(json!("fine")), "another worker takes over");
    assert_eq!(pool.status().deaths, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_memory_limit_is_kept_by_control_groups() {
    breaks_its_memory(options(), "cgroup-").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_memory_limit_is_kept_by_watching() {
    breaks_its_memory(Options { memory: MemoryControl::Watch, ..options() }, "watch").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_child_that_takes_the_memory_is_the_workers_breach() {
    let house = House::new(options());
    let text = "import { spawnSync } from 'node:child_process';
    export function handler() {
        const script = 'const kept = []; for (;;) kept.push(Buffer.alloc(8 << 20, 1));';
        const { status, signal } = spawnSync(process.execPath, ['-e', script]);
        throw new Error(`child ended with ${status ?? signal}`);
    }";
    let pool = house.open(&Function::node(text).memory_mb(160)).await;
    let failure = value(&pool, json!(1)).await.unwrap_err();
    assert_eq!(failure.code, Code::FunctionMemory, "{failure:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exit_in_the_middle_is_told_with_the_last_words() {
    let house = House::new(options());
    let text = "export async function handler(event) {
        if (event.data === 'fine') return 1;
        process.stderr.write('the disk is on fire\\n', () => process.exit(3));
        await new Promise(() => setInterval(() => {}, 1000));
    }";
    let pool = house.open(&Function::node(text)).await;
    let failure = value(&pool, json!("exit")).await.unwrap_err();
    assert_eq!(failure.code, Code::FunctionError);
    assert!(failure.message.contains("exited with code 3"), "{}", failure.message);
    assert!(failure.message.contains("the disk is on fire"), "{}", failure.message);
    assert_eq!(value(&pool, json!("fine")).await, Ok(json!(1)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pool_grows_for_calls_that_wait_and_shrinks_to_nothing() {
    let house = House::new(Options { idle: Millis::new(300), ..options() });
    let pool = house.open(&Function::node(SLEEPER).scaled(0, 3, 2)).await;
    let calls: Vec<_> = (0..12).map(|_| spawn_value(&pool, json!(400))).collect();
    let mut pids = std::collections::BTreeSet::new();
    for call in calls {
        pids.insert(call.await.unwrap().unwrap().as_u64());
    }
    assert!(pids.len() > 1 && pids.len() <= 3, "{pids:?}");
    until("all workers are gone", || pool.status().workers == 0).await;
    for pid in pids.into_iter().flatten() {
        until("the process is gone", || !is_alive(pid as i64)).await;
    }
    assert_eq!(pool.status().deaths, 0, "they were retired");
    assert!(value(&pool, json!(1)).await.is_ok(), "the next call starts one again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_minimum_is_kept() {
    let house = House::new(Options { idle: Millis::new(100), ..options() });
    let pool = house.open(&Function::node(SLEEPER).scaled(2, 3, 2)).await;
    until("two are there", || pool.status().workers == 2).await;
    let pid = value(&pool, json!(1)).await.unwrap().as_i64().unwrap();
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert_eq!(pool.status().workers, 2);
    assert!(is_alive(pid));
}

/// Calls stay under way until the file of the variable `GATE` is there.
const GATED: &str = "import { existsSync } from 'node:fs';
let order = 0;
export async function handler() {
    while (!existsSync(process.env.GATE)) await new Promise(done => setTimeout(done, 5));
    return order++;
}";

fn gated(house: &House) -> (Function, PathBuf) {
    let gate = house.folder.path().join("gate");
    let mut function = Function::node(GATED).scaled(0, 1, 1);
    function.environment = vec![("GATE", gate.to_str().unwrap().to_owned().leak())];
    (function, gate)
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_wait_in_order_and_too_many_are_refused() {
    let house = House::new(Options { queue: 3, ..options() });
    let (function, gate) = gated(&house);
    let pool = house.open(&function).await;
    assert_eq!(pool.capacity(), 1);
    let mut calls = Vec::new();
    for n in 0..4 {
        calls.push(spawn_value(&pool, json!(null)));
        until("it is there", || {
            let status = pool.status();
            status.calls + status.waiting == n + 1
        })
        .await;
    }
    let failure = value(&pool, json!(null)).await.unwrap_err();
    assert_eq!(failure.code, Code::RateLimited);
    assert!(matches!(failure.retry, RetryHint::After(_)));
    std::fs::write(gate, "").unwrap();
    for (n, call) in calls.into_iter().enumerate() {
        assert_eq!(call.await.unwrap(), Ok(json!(n)), "first come, first served");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_passes_in_the_queue_too() {
    let house = House::new(options());
    let (function, gate) = gated(&house);
    let pool = house.open(&function).await;
    let long = spawn_value(&pool, json!(null));
    until("it is under way", || pool.status().calls == 1).await;
    let failure = pool.call(event_within(&json!(1), 100).call).await.map(|_| ()).unwrap_err();
    assert_eq!(failure.code, Code::FunctionTimeout);
    assert!(failure.message.contains("no worker was free"), "{}", failure.message);
    std::fs::write(gate, "").unwrap();
    assert!(long.await.unwrap().is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_call_returns_at_once_and_the_function_hears_of_it() {
    let house = House::new(options());
    let text = "let aborted = 0;
    export async function handler(event, context) {
        if (event.data === 'ask') return aborted;
        await new Promise(done => context.signal.addEventListener('abort', done));
        aborted++;
    }";
    let pool = house.open(&Function::node(text)).await;
    let sent = event(&json!("wait"));
    let cancel = sent.cancel;
    let call = {
        let pool = Arc::clone(&pool);
        tokio::spawn(async move { pool.call(sent.call).await })
    };
    until("it is under way", || pool.status().calls == 1).await;
    cancel.cancel();
    let failure = call.await.unwrap().map(|_| ()).unwrap_err();
    assert_eq!(failure.code, Code::ExecutionCancelled);
    until("the call has ended", || pool.status().calls == 0).await;
    assert_eq!(value(&pool, json!("ask")).await, Ok(json!(1)));

    let sent = event(&json!("wait"));
    let dropped = {
        let pool = Arc::clone(&pool);
        tokio::spawn(async move { pool.call(sent.call).await })
    };
    until("it is under way", || pool.status().calls == 1).await;
    dropped.abort();
    until("the call has ended", || pool.status().calls == 0).await;
    assert_eq!(value(&pool, json!("ask")).await, Ok(json!(2)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_megabytes_of_output_are_bounded() {
    let house = House::new(options());
    let text = "import { writeSync } from 'node:fs';
    export function handler(event) {
        const line = 'x'.repeat(1023) + '\\n';
        if (event.data === 'log') for (let n = 0; n < 100_000; n++) console.log(line);
        else {
            const block = Buffer.from(line.repeat(64));
            for (let n = 0; n < 1_600; n++) for (let at = 0; at < block.length;)
                try { at += writeSync(1, block, at); } catch (error) { if (error.code !== 'EAGAIN') throw error; }
        }
        return 'done';
    }";
    let pool = house.open(&Function::node(text)).await;
    for way in ["log", "write"] {
        let sent = event(&json!(way));
        let lines = sent.lines;
        assert!(matches!(pool.call(sent.call).await, Ok(Reply::Value(_))), "{way}");
        let kept: usize = lines.messages().iter().map(String::len).sum();
        assert!(kept < 16 << 20, "{way}: {kept} bytes of lines were passed on");
    }
    assert_eq!(pool.status().deaths, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn output_past_the_shim_belongs_to_the_only_call() {
    let house = House::new(options());
    let text = "import { spawnSync } from 'node:child_process';
    export async function handler() {
        spawnSync('sh', ['-c', 'echo out; echo err >&2'], { stdio: 'inherit' });
        await new Promise(done => setTimeout(done, 100));
    }";
    let pool = house.open(&Function::node(text)).await;
    let sent = event(&json!(1));
    let lines = sent.lines;
    pool.call(sent.call).await.unwrap();
    let mut printed = lines.messages();
    printed.sort();
    assert_eq!(printed, ["err", "out"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_ends_the_worker() {
    let house = House::new(options());
    let text = "import net from 'node:net';
    export async function handler(event) {
        if (event.data === 'fine') return 1;
        // The handler reaches the connection the way hostile code could.
        const socket = process._getActiveHandles().find(it => it instanceof net.Socket && it.remoteAddress === undefined && it.writable && it.fd === undefined);
        socket.write(Buffer.from(event.data, 'hex'));
        await new Promise(() => setInterval(() => {}, 1000));
    }";
    let pool = house.open(&Function::node(text)).await;
    for (name, frame) in [
        ("an unknown kind", "05000000ff00000000"),
        ("an impossible length", "ffffffff8400000000"),
        ("a frame of the server", "050000000200000000"),
    ] {
        let failure = value(&pool, json!(frame)).await.unwrap_err();
        assert_eq!(failure.code, Code::FunctionError, "{name}");
        assert!(failure.message.contains("protocol"), "{name}: {}", failure.message);
        assert_eq!(value(&pool, json!("fine")).await, Ok(json!(1)), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn draining_lets_calls_finish_and_refuses_new_ones() {
    let house = House::new(options());
    let pool = house.open(&Function::node(SLEEPER)).await;
    let under_way = spawn_value(&pool, json!(300));
    until("it is under way", || pool.status().calls == 1).await;
    let draining = {
        let pool = Arc::clone(&pool);
        tokio::spawn(async move { pool.drain(Millis::from_secs(5)).await })
    };
    until("new calls are refused", || pool.status().calls == 1).await;
    tokio::task::yield_now().await;
    let pid = under_way.await.unwrap().unwrap().as_i64().unwrap();
    draining.await.unwrap();
    let failure = value(&pool, json!(1)).await.unwrap_err();
    assert_eq!((failure.code, failure.retry), (Code::ShuttingDown, RetryHint::Elsewhere));
    assert!(!is_alive(pid));
    assert_eq!(pool.status().workers, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_pool_leaves_no_process() {
    let house = House::new(options());
    let pool = house.open(&Function::node(SLEEPER)).await;
    let pid = value(&pool, json!(1)).await.unwrap().as_i64().unwrap();
    drop(pool);
    until("the process is gone", || !is_alive(pid)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_does_not_load_in_time_is_told_so() {
    let house = House::new(Options { cold_start: Millis::new(500), ..options() });
    let text = "await new Promise(done => setTimeout(done, 60_000)); export const handler = 1;";
    let error = house.try_open(&Function::node(text)).await.map(|_| ()).unwrap_err();
    assert_eq!(error.code, Code::DeploymentFailed);
    assert!(error.message.contains("not loaded within 500ms"), "{}", error.message);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_told_when_its_worker_does_not_come_up() {
    let limits = Options { cold_start: Millis::new(700), idle: Millis::new(100), ..options() };
    let house = House::new(limits);
    let flag = house.folder.path().join("hang");
    let text = "import { existsSync } from 'node:fs';
    if (existsSync(process.env.FLAG)) await new Promise(done => setTimeout(done, 60_000));
    export const handler = () => 1;";
    let mut function = Function::node(text);
    function.environment = vec![("FLAG", flag.to_str().unwrap().to_owned().leak())];
    let pool = house.open(&function).await;
    until("the worker is gone", || pool.status().workers == 0).await;
    std::fs::write(&flag, "").unwrap();
    let failure = value(&pool, json!(1)).await.unwrap_err();
    assert_eq!(failure.code, Code::ColdStartTimeout, "{failure:?}");
    std::fs::remove_file(&flag).unwrap();
    assert_eq!(value(&pool, json!(1)).await, Ok(json!(1)), "it is tried again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_status_counts_memory_and_time() {
    let house = House::new(options());
    let text =
        "export const handler = () => { const end = Date.now() + 200; while (Date.now() < end); };";
    let pool = house.open(&Function::node(text)).await;
    value(&pool, json!(1)).await.unwrap();
    let _response = pool.call(request("/", "").call).await;
    let status = pool.status();
    assert!(status.memory_bytes > ByteSize::from_mb(20).as_u64(), "{status:?}");
    assert!(status.cpu_ms >= 20, "{status:?}");
}
