//! How many events a second the SQLite store takes, and what other tables would give.
//!
//! One event's life is two writes: the event with its execution, and later the end of its attempt.
//! `cargo run --release -p evoke-stores --example commit_rate [FOLDER] [SECONDS]`

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a measurement for the terminal")]

mod documents;
mod leaving;
mod variants;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use evoke_model::{
    Attempt, Data, Event, ExecutionId, IdSource, Outcome, State, Timestamp, TriggerId,
};
use evoke_ports::store::{Finish, Ingest, NewExecution, Next, OnceKey, Receipt, Write};
use evoke_ports::{Clock, Store, SystemClock, Writer};
use evoke_stores::{SqliteOptions, SqliteStore};
use tokio::sync::{mpsc, oneshot};

/// The payload of an event, 190 bytes as JSON.
fn payload() -> Bytes {
    Bytes::from(format!("{{\"order\":4711,\"note\":\"{}\"}}", "x".repeat(166)))
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().unwrap_or_else(|| ".".to_owned());
    let seconds = arguments.next().map_or(2.0, |text| text.parse().unwrap());
    let time = Duration::from_secs_f64(seconds);
    let folder = tempfile::tempdir_in(folder).unwrap();

    println!("the store, one thread, {seconds} s each");
    for (size, shape) in
        [1, 32, 256].map(|size| (size, Shape::Plain)).into_iter().chain([(256, Shape::Keyed)])
    {
        let path = folder.path().join(format!("store-{size}-{shape:?}.db"));
        let rates = one_thread(&path, (size, shape), time);
        println!("  {shape:?} events in batches of {size:>3}: {rates}");
        reopen(&path, rates.events);
    }
    println!("the store, 64 producers, two acknowledgements an event");
    println!("  {}", producers(&folder.path().join("producers.db"), 64, time));
    println!("documents of 230 bytes, 100 a commit, one thread");
    documents::measure(folder.path());
    println!("leaving the record, 256 events at a time");
    leaving::measure(&folder.path().join("leaving.db"));
    println!("other tables, one thread, batches of 32 and 256");
    for variant in variants::ALL {
        let small = variants::run(variant, folder.path(), 32, time);
        let large = variants::run(variant, folder.path(), 256, time);
        println!("  {:<44} {small:>8.0}/s {large:>8.0}/s", variant.name);
    }
}

/// Events a second and how long commits took.
struct Rates {
    events: usize,
    elapsed: Duration,
    commits: Vec<Duration>,
    log_mib: u64,
}

impl std::fmt::Display for Rates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut sorted = self.commits.clone();
        sorted.sort_unstable();
        let at = |share: f64| sorted[((sorted.len() - 1) as f64 * share) as usize];
        let rate = self.events as f64 / self.elapsed.as_secs_f64();
        let each = self.events as f64 / sorted.len() as f64;
        write!(f, "{rate:>8.0} events/s, {each:.0} a commit, commit p50 {:?}", at(0.5))?;
        write!(f, " p99 {:?} p99.9 {:?} max {:?}", at(0.99), at(0.999), at(1.0))?;
        write!(f, ", log {} MiB", self.log_mib)
    }
}

/// What an event brings with it.
#[derive(Debug, Clone, Copy)]
enum Shape {
    Plain,
    /// An id of the sender's, taken once.
    Keyed,
}

/// How long the log grew and how long the file takes to open again.
fn reopen(path: &Path, events: usize) {
    let before = Instant::now();
    let store = SqliteStore::open(SqliteOptions::at(path)).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(store.events().newest()).unwrap();
    println!("    open again with {events} events: {:?}", before.elapsed());
}

fn log_mib(path: &Path) -> u64 {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    std::fs::metadata(log).map_or(0, |file| file.len() >> 20)
}

fn one_thread(path: &Path, (size, shape): (usize, Shape), time: Duration) -> Rates {
    let store = SqliteStore::open(SqliteOptions::at(path)).unwrap();
    let mut writer = store.writer().unwrap();
    let ids = IdSource::new(0, 0);
    let mut finished = Vec::new();
    let mut rates = Rates { events: 0, elapsed: Duration::ZERO, commits: Vec::new(), log_mib: 0 };
    let began = Instant::now();
    while began.elapsed() < time {
        let mut batch: Vec<Write> = std::mem::take(&mut finished);
        for _ in 0..size {
            let (mut ingest, id) = ingest(&ids);
            if let (Shape::Keyed, Write::Ingest(ingest)) = (shape, &mut ingest) {
                ingest.once.push(once_key(id));
            }
            batch.push(ingest);
            finished.push(finish(id));
        }
        let before = Instant::now();
        writer.commit(&batch).unwrap();
        rates.commits.push(before.elapsed());
        rates.events += size;
    }
    rates.elapsed = began.elapsed();
    rates.log_mib = log_mib(path);
    rates
}

/// A key as random as the UUIDs of senders are.
fn once_key(id: ExecutionId) -> OnceKey {
    let scrambled = id.event.as_u64().wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let key = format!("id\0/orders\0{scrambled:016x}-{scrambled:016x}").into();
    OnceKey { event: 0, key, expires: Timestamp::from_micros(i64::MAX) }
}

fn ingest(ids: &IdSource) -> (Write, ExecutionId) {
    let now = SystemClock.now();
    let event = Event {
        id: ids.event(now),
        sender_id: None,
        source: "/orders".into(),
        kind: "order.created".into(),
        subject: None,
        time: now,
        content_type: None,
        data_schema: None,
        data: Data::Json(payload()),
        extensions: None,
        lineage: None,
        traceparent: None,
        ordering_key: None,
        due: None,
        is_test_run: false,
        replay_of: None,
    };
    let id = ExecutionId { event: event.id, trigger: TriggerId::from_u64(1) };
    let execution = NewExecution {
        id,
        due: now,
        order_key: None,
        concurrency_key: None,
        done: None,
        is_test_run: false,
        is_replay: false,
        once: None,
        redirect: None,
    };
    let events = vec![Arc::new(event)];
    (Write::Ingest(Ingest { events, executions: vec![execution], once: Vec::new() }), id)
}

fn finish(id: ExecutionId) -> Write {
    let now: Timestamp = SystemClock.now();
    let output = Data::Json(Bytes::from_static(b"{\"ok\":true}"));
    let attempt = Attempt {
        number: 1,
        started_at: now,
        finished_at: now,
        outcome: Outcome::Success(output),
        logs: Vec::new(),
        version: 1,
    };
    Write::Finish(vec![Finish {
        id,
        attempt: Some(attempt),
        next: Next::Done(State::Success),
        cause: None,
    }])
}

type Asked = (Write, oneshot::Sender<Receipt>);

fn producers(path: &Path, count: usize, time: Duration) -> Rates {
    let store = SqliteStore::open(SqliteOptions::at(path)).unwrap();
    let mut writer = store.writer().unwrap();
    let (sender, mut receiver) = mpsc::channel::<Asked>(4 * count);
    let committer = std::thread::spawn(move || {
        let mut asked = Vec::new();
        let mut commits = Vec::new();
        while receiver.blocking_recv_many(&mut asked, 1_024) > 0 {
            let (batch, answers): (Vec<Write>, Vec<_>) = asked.drain(..).unzip();
            commits.push(commit(&mut *writer, &batch, answers));
        }
        commits
    });
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let began = Instant::now();
    let events = runtime.block_on(async {
        let ids = Arc::new(IdSource::new(0, 0));
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..count {
            tasks.spawn(produce(sender.clone(), Arc::clone(&ids), began + time));
        }
        drop(sender);
        tasks.join_all().await.iter().sum()
    });
    let elapsed = began.elapsed();
    Rates { events, elapsed, commits: committer.join().unwrap(), log_mib: log_mib(path) }
}

fn commit(
    writer: &mut dyn Writer,
    batch: &[Write],
    answers: Vec<oneshot::Sender<Receipt>>,
) -> Duration {
    let before = Instant::now();
    let receipts = writer.commit(batch).unwrap();
    let took = before.elapsed();
    for (answer, receipt) in answers.into_iter().zip(receipts) {
        answer.send(receipt).unwrap();
    }
    took
}

async fn produce(sender: mpsc::Sender<Asked>, ids: Arc<IdSource>, end: Instant) -> usize {
    let mut events = 0;
    while Instant::now() < end {
        let (write, id) = ingest(&ids);
        for write in [write, finish(id)] {
            let (answer, answered) = oneshot::channel();
            sender.send((write, answer)).await.unwrap();
            answered.await.unwrap();
        }
        events += 1;
    }
    events
}
