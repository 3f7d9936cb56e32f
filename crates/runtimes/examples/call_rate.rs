//! Calls a second through one worker, and the time of a call alone, beside the same exchange of
//! frames with nothing of a pool around it.
//!
//! `cargo run --release -p evoke-runtimes --example call_rate [nodejs20|nodejs22|bun|python3.12]`

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a program for the terminal")]

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use evoke_model::{
    Data, Event, EventId, ExecutionId, FunctionId, FunctionSpec, FunctionVersion, LogLine, Millis,
    Scaling, Timestamp, TriggerId,
};
use evoke_ports::runtime::Host;
use evoke_ports::{Call, Clock, Input, LogSink, Pool, SystemClock};
use evoke_runtimes::protocol::frame::{encode, set_call};
use evoke_runtimes::protocol::{self, Kind};
use evoke_runtimes::{Options, builtin};
use tokio_util::sync::CancellationToken;

const ROUND: Duration = Duration::from_secs(3);
const JAVASCRIPT: &str = "export const handler = event => ({ ok: event.data.n });";
const PYTHON: &str = "def handler(event, context):\n    return {'ok': event['data']['n']}\n";

struct Nowhere;

impl LogSink for Nowhere {
    fn log(&self, _line: LogLine) {}
}

fn event() -> Arc<Event> {
    Arc::new(Event {
        id: EventId::from_u64(7),
        sender_id: None,
        source: "bench".into(),
        kind: "order.created".into(),
        subject: None,
        time: SystemClock.now(),
        content_type: None,
        data_schema: None,
        data: Data::from_value(&serde_json::json!({"n": 5, "name": "a name", "total": 17.5})),
        extensions: None,
        lineage: None,
        traceparent: None,
        ordering_key: None,
        due: None,
        is_test_run: false,
        replay_of: None,
    })
}

struct Words {
    logs: Arc<dyn LogSink>,
    kind: Arc<str>,
    cancel: CancellationToken,
    event: Arc<Event>,
}

impl Words {
    fn call(&self) -> Call {
        Call {
            execution: ExecutionId { event: EventId::from_u64(7), trigger: TriggerId::from_u64(8) },
            attempt: 1,
            deadline: SystemClock.now().plus(Millis::from_secs(30)),
            trigger_kind: Arc::clone(&self.kind),
            trigger_name: Arc::clone(&self.kind),
            traceparent: None,
            request_id: None,
            input: Input::Event(Arc::clone(&self.event)),
            logs: Arc::clone(&self.logs),
            cancel: self.cancel.clone(),
            token: Arc::clone(&self.kind),
        }
    }
}

fn words() -> Words {
    Words {
        logs: Arc::new(Nowhere),
        kind: "event".into(),
        cancel: CancellationToken::new(),
        event: event(),
    }
}

async fn rate(pool: &Arc<dyn Pool>, in_flight: usize) -> f64 {
    let count = Arc::new(AtomicU64::new(0));
    let started = Instant::now();
    let callers: Vec<_> = (0..in_flight)
        .map(|_| {
            let (pool, count, words) = (Arc::clone(pool), Arc::clone(&count), words());
            tokio::spawn(async move {
                while started.elapsed() < ROUND {
                    pool.call(words.call()).await.unwrap();
                    count.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    for caller in callers {
        caller.await.unwrap();
    }
    count.load(Ordering::Relaxed) as f64 / started.elapsed().as_secs_f64()
}

async fn alone(pool: &Arc<dyn Pool>) -> (Duration, Duration) {
    let words = words();
    let mut times = Vec::new();
    for _ in 0..20_000 {
        let call = words.call();
        let started = Instant::now();
        pool.call(call).await.unwrap();
        times.push(started.elapsed());
    }
    times.sort();
    (times[times.len() / 2], times[times.len() * 99 / 100])
}

/// The median of the same exchange over a bare socket: one thread that blocks, no pool, no runtime.
fn bare(interpreter: &str, shim: &Path, code: &Path) -> Duration {
    let path = code.with_file_name("bare.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let mut worker = std::process::Command::new(interpreter)
        .arg(shim)
        .env("EVOKE_SOCKET", &path)
        .spawn()
        .unwrap();
    let (mut stream, _) = listener.accept().unwrap();
    read_frame(&mut stream);
    let handler = if shim.extension().is_some_and(|it| it == "py") { "main" } else { "index" };
    let load = serde_json::json!({
        "function": "rate", "version": 1, "code": code, "handler": format!("{handler}.handler"),
        "environment": {}, "url": "http://127.0.0.1:8090", "timeoutMs": 30_000, "memoryBytes": 1,
    });
    stream.write_all(&encode(Kind::Load, 0, load.to_string().as_bytes())).unwrap();
    read_frame(&mut stream);
    let mut frame = protocol::call::encode(&words().call());
    set_call(&mut frame, 1);
    let mut times = Vec::new();
    for _ in 0..20_000 {
        let started = Instant::now();
        stream.write_all(&frame).unwrap();
        read_frame(&mut stream);
        times.push(started.elapsed());
    }
    drop(stream);
    worker.wait().unwrap();
    times.sort();
    times[times.len() / 2]
}

fn read_frame(stream: &mut UnixStream) {
    let mut length = [0; 4];
    stream.read_exact(&mut length).unwrap();
    let mut rest = vec![0; u32::from_le_bytes(length) as usize];
    stream.read_exact(&mut rest).unwrap();
}

fn main() {
    let runtime = std::env::args().nth(1).unwrap_or_else(|| "nodejs20".to_owned());
    let tokio = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    tokio.block_on(async { run(&runtime).await });
}

async fn run(runtime: &str) {
    let folder = std::env::temp_dir().join(format!("evoke-call-rate-{}", std::process::id()));
    let code = folder.join("code");
    std::fs::create_dir_all(&code).unwrap();
    std::fs::write(code.join("index.mjs"), JAVASCRIPT).unwrap();
    std::fs::write(code.join("main.py"), PYTHON).unwrap();
    let tools = std::env::var_os("EVOKE_TOOLS");
    let options = Options {
        tools: tools.iter().flat_map(std::env::split_paths).collect(),
        ..Options::from_environment()
    };
    let runtimes = builtin(options).unwrap();
    let language = runtimes.iter().find(|it| it.names().contains(&runtime)).unwrap();
    let version = FunctionVersion {
        function: FunctionId::from_u64(1),
        number: 1,
        spec: FunctionSpec {
            name: "rate".to_owned(),
            runtime: runtime.to_owned(),
            handler: None,
            memory: FunctionSpec::MEMORY_DEFAULT,
            timeout: FunctionSpec::TIMEOUT_DEFAULT,
            environment: BTreeMap::new(),
            scaling: Scaling { min_instances: 0, max_instances: 1, target_concurrency: 1_000 },
        },
        environment: BTreeMap::new(),
        code,
        hash: "bench".to_owned(),
        created_at: Timestamp::EPOCH,
    };
    let host = Host {
        url: "http://127.0.0.1:8090".into(),
        scratch: Arc::from(folder.join("scratch").as_path()),
        progress: Arc::new(|_| ()),
        stray_logs: Arc::new(Nowhere),
        cold_start: Arc::new(|_| ()),
    };
    let version = Arc::new(version);
    let started = Instant::now();
    let pool = language.open(Arc::clone(&version), host.clone()).await.unwrap();
    println!("{runtime}: opened in {:?}", started.elapsed());
    rate(&pool, 64).await;
    for in_flight in [1, 8, 64, 512] {
        println!("{in_flight:>4} in flight: {:>8.0} calls/s", rate(&pool, in_flight).await);
    }
    let (median, p99) = alone(&pool).await;
    let found = language.probe().await.into_iter().find(|it| it.name == runtime).unwrap();
    let shims = folder.join("scratch/shims");
    let shim = if runtime.starts_with("python") { "python.py" } else { "javascript.mjs" };
    let floor = bare(&found.path.unwrap(), &shims.join(shim), &version.code);
    println!("alone: p50 {median:?}, p99 {p99:?}; over a bare socket p50 {floor:?}");
    let started = Instant::now();
    let second = language.open(version, host).await.unwrap();
    second.call(words().call()).await.unwrap();
    println!("cold start with a first call: {:?}", started.elapsed());
    println!("{:?}", pool.status());
    second.drain(Millis::from_secs(1)).await;
    pool.drain(Millis::from_secs(1)).await;
    std::fs::remove_dir_all(&folder).unwrap();
}
