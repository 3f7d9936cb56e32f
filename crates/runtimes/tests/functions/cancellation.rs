//! A cancelled call: the function hears of it, and one that goes on is ended with its worker.

use std::sync::Arc;
use std::time::{Duration, Instant};

use evoke_model::execution::RetryHint;
use evoke_model::{Code, Failure, Millis};
use evoke_ports::{Pool, Reply};
use evoke_runtimes::{CANCEL_GRACE, Options};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::support::{Function, House, Lines, event, is_alive, options, until, value};

/// Handlers that stop when they are told to, those that do not, and one that asks how often the
/// signal came.
const JAVASCRIPT: &str = "import { spawn } from 'node:child_process';
let stopped = 0;
export async function handler(event, context) {
    if (event.data === 'ask') return stopped;
    if (event.data === 'wait') await new Promise(() => setInterval(() => {}, 1_000));
    if (event.data === 'stop') {
        console.log('begun');
        await new Promise((done) => context.signal.addEventListener('abort', done));
        stopped++;
        throw context.signal.reason;
    }
    const child = spawn('sleep', ['1000']);
    console.log(`${child.pid} ${process.pid}`);
    if (event.data === 'loop') for (;;);
    await new Promise(() => setInterval(() => {}, 1_000));
}";

const PYTHON_ASYNC: &str = "import asyncio, os, subprocess, time
stopped = 0
async def handler(event, context):
    global stopped
    if event['data'] == 'ask': return stopped
    if event['data'] == 'wait': await asyncio.sleep(1000)
    if event['data'] == 'stop':
        print('begun')
        try: await asyncio.sleep(1000)
        except asyncio.CancelledError:
            stopped += context.cancelled
            raise
    child = subprocess.Popen(['sleep', '1000'])
    print(child.pid, os.getpid())
    if event['data'] == 'loop':
        while True: pass
    while True:
        try: await asyncio.sleep(1000)
        except asyncio.CancelledError: pass
";

const PYTHON_SYNC: &str = "import os, subprocess, time
stopped = 0
def handler(event, context):
    global stopped
    if event['data'] == 'ask': return stopped
    if event['data'] == 'wait': time.sleep(1000)
    if event['data'] == 'stop':
        print('begun')
        while not context.cancelled: time.sleep(0.005)
        stopped += 1
        return
    child = subprocess.Popen(['sleep', '1000'])
    print(child.pid, os.getpid())
    if event['data'] == 'loop':
        while True: pass
    time.sleep(1000)
";

const FUNCTIONS: [(&str, &str, &str); 4] = [
    ("nodejs20", "index.mjs", JAVASCRIPT),
    ("bun", "index.mjs", JAVASCRIPT),
    ("python3.12", "main.py", PYTHON_ASYNC),
    ("python3.10", "main.py", PYTHON_SYNC),
];

/// A call under way in a task of its own.
struct Started {
    lines: Arc<Lines>,
    cancel: CancellationToken,
    answer: JoinHandle<Result<Reply, Failure>>,
}

fn start(pool: &Arc<dyn Pool>, data: &Value) -> Started {
    let sent = event(data);
    let pool = Arc::clone(pool);
    let call = sent.call;
    let answer = tokio::spawn(async move { pool.call(call).await });
    Started { lines: sent.lines, cancel: sent.cancel, answer }
}

impl Started {
    /// Waits until the handler has printed its first line.
    async fn begun(&self) {
        until("the handler has begun", || !self.lines.messages().is_empty()).await;
    }

    async fn cancel(self) {
        self.cancel.cancel();
        let failure = self.answer.await.unwrap().map(|_| ()).unwrap_err();
        assert_eq!(failure.code, Code::ExecutionCancelled);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_stops_keeps_its_worker() {
    for (runtime, file, text) in FUNCTIONS {
        let house = House::new(options());
        let pool = house.open(&Function::new(runtime, file, text).scaled(0, 1, 10)).await;
        for round in 1..=2 {
            let call = start(&pool, &json!("stop"));
            call.begun().await;
            call.cancel().await;
            until("the call has ended", || pool.status().calls == 0).await;
            assert_eq!(value(&pool, json!("ask")).await, Ok(json!(round)), "{runtime}");
        }
        assert_eq!((pool.status().deaths, pool.status().cold_starts), (0, 1), "{runtime}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_goes_on_is_ended_with_its_children() {
    for (runtime, file, text) in FUNCTIONS {
        for way in ["loop", "ignore"] {
            let house = House::new(Options { cancel_grace: Millis::new(300), ..options() });
            let pool = house.open(&Function::new(runtime, file, text).scaled(0, 2, 10)).await;
            let innocent = start(&pool, &json!("wait"));
            until("it is under way", || pool.status().calls == 1).await;
            let call = start(&pool, &json!(way));
            call.begun().await;
            let pids = call.lines.messages()[0].clone();
            let cancelled = Instant::now();
            call.cancel().await;
            assert!(pids.split(' ').all(|pid| is_alive(pid.parse().unwrap())), "{runtime} {way}");
            let failure = innocent.answer.await.unwrap().map(|_| ()).unwrap_err();
            assert!(cancelled.elapsed() >= Duration::from_millis(300), "{runtime} {way}");
            assert_eq!(failure.retry, RetryHint::Elsewhere, "{runtime} {way}: {failure:?}");
            assert!(failure.message.contains("was cancelled and went on"), "{}", failure.message);
            for pid in pids.split(' ') {
                until("the process is gone", || !is_alive(pid.parse().unwrap())).await;
            }
            assert_eq!(value(&pool, json!("ask")).await, Ok(json!(0)), "another worker takes over");
            assert_eq!(pool.status().deaths, 1, "{runtime} {way}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_goes_away_leaves_the_function_its_time() {
    let house = House::new(Options { cancel_grace: Millis::new(50), ..options() });
    let text = "let done = 0;
    export async function handler(event) {
        if (event.data === 'ask') return done;
        console.log('begun');
        await new Promise((done) => setTimeout(done, 500));
        done++;
    }";
    let pool = house.open(&Function::node(text).scaled(0, 1, 10)).await;
    let call = start(&pool, &json!("work"));
    call.begun().await;
    call.answer.abort();
    until("the call has ended", || pool.status().calls == 0).await;
    assert_eq!(value(&pool, json!("ask")).await, Ok(json!(1)));
    assert_eq!(pool.status().deaths, 0);
}

#[test]
fn the_grace_is_what_is_documented() {
    assert_eq!(
        (Options::default().cancel_grace, CANCEL_GRACE),
        (CANCEL_GRACE, Millis::from_secs(5))
    );
}
