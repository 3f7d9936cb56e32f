//! An engine with a function that is asked, and a clock that goes from question to question.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use evoke_engine::{Actor, Engine, NewTrigger, PollStatus, SkipReason};
use evoke_model::{
    Data, Event, Failure, FunctionVersion, Millis, Policy, Target, Timestamp, TriggerId,
};
use evoke_ports::runtime::{Call, DeployError, Found, Host, Input, PoolStatus, Reply};
use evoke_ports::store::EventQuery;
use evoke_ports::{Clock, Descriptor, Pool, Runtime, Store};
use evoke_stores::memory::MemoryStore;
use evoke_stores::sqlite::{SqliteOptions, SqliteStore, Synchronous};
use evoke_testkit::ManualClock;
use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::functions::deployment;
use crate::support::{Script, descriptor, parts};

/// How often it is looked, and how many times.
const STEP: Duration = Duration::from_millis(2);
const STEPS: usize = 15_000;

/// What the function answers the n-th time.
pub type Answers = Arc<dyn Fn(usize) -> Result<String, Failure> + Send + Sync>;

/// What the function was asked, and what it answers.
#[derive(Clone, Default)]
struct Asked {
    seen: Arc<Mutex<Vec<Value>>>,
    answers: Arc<Mutex<Option<Answers>>>,
}

struct Language {
    descriptor: Descriptor,
    asked: Asked,
}

struct Workers {
    asked: Asked,
    is_mute: bool,
}

#[async_trait]
impl Runtime for Language {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }
    fn names(&self) -> &[&'static str] {
        &["fake"]
    }
    fn handler_default(&self) -> &'static str {
        "index.handler"
    }
    async fn probe(&self) -> Vec<Found> {
        Vec::new()
    }
    async fn open(&self, of: Arc<FunctionVersion>, _: Host) -> Result<Arc<dyn Pool>, DeployError> {
        let is_mute = of.spec.name == "mute";
        Ok(Arc::new(Workers { asked: self.asked.clone(), is_mute }))
    }
    async fn close(&self) {}
}

#[async_trait]
impl Pool for Workers {
    fn capacity(&self) -> usize {
        8
    }
    async fn call(&self, call: Call) -> Result<Reply, Failure> {
        if self.is_mute {
            std::future::pending::<()>().await;
        }
        let Input::Event(event) = call.input else { panic!("it is asked with an event") };
        assert_eq!(&*event.kind, "evoke.poll");
        let n = {
            let mut seen = self.asked.seen.lock();
            seen.push(event.data.to_value());
            seen.len() - 1
        };
        let answers = self.asked.answers.lock().clone().expect("answers are given first");
        answers(n).map(|json| Reply::Value(Data::Json(Bytes::from(json))))
    }
    async fn drain(&self, _: Millis) {}
    fn status(&self) -> PoolStatus {
        PoolStatus::default()
    }
}

/// Both stores, empty; what is on the disk goes with this.
pub struct Stores {
    _folder: tempfile::TempDir,
    left: Vec<Arc<dyn Store>>,
}

impl Iterator for Stores {
    type Item = Arc<dyn Store>;
    fn next(&mut self) -> Option<Self::Item> {
        self.left.pop()
    }
}

pub fn stores() -> Stores {
    let folder = tempfile::tempdir().expect("a folder");
    let sqlite = try_open(folder.path()).expect("a store");
    let left: Vec<Arc<dyn Store>> = vec![Arc::new(sqlite), Arc::new(MemoryStore::new())];
    Stores { _folder: folder, left }
}

fn try_open(folder: &Path) -> Result<SqliteStore, evoke_ports::store::Error> {
    let at = SqliteOptions::at(folder.join("evoke.db"));
    SqliteStore::open(SqliteOptions { synchronous: Synchronous::Off, ..at })
}

/// The store on the disk, once who had it before has let go of it.
pub async fn open(folder: &Path) -> Arc<SqliteStore> {
    for _ in 0..STEPS {
        match try_open(folder) {
            Ok(store) => return Arc::new(store),
            Err(_) => tokio::time::sleep(STEP).await,
        }
    }
    panic!("the store stays taken");
}

/// An answer that fires.
pub fn fire(context: Value) -> String {
    json!({ "fire": true, "context": context }).to_string()
}

/// An answer that does not.
pub fn no() -> String {
    json!({ "fire": false }).to_string()
}

/// A configuration.
pub fn poll(every: &str) -> Value {
    json!({ "function": "ask", "every": every })
}

/// An engine with its clock.
pub struct Bed {
    pub engine: Engine,
    pub clock: Arc<ManualClock>,
    asked: Asked,
}

impl Bed {
    pub async fn new(store: Arc<dyn Store>, endpoint: Arc<Script>) -> Self {
        let clock = ManualClock::at(Timestamp::from_millis(1_795_219_200_250));
        Self::again(store, endpoint, clock).await
    }

    /// On a store that was used before.
    pub async fn again(
        store: Arc<dyn Store>,
        endpoint: Arc<Script>,
        clock: Arc<ManualClock>,
    ) -> Self {
        let asked = Asked::default();
        let mut parts = parts(store, endpoint);
        parts.sources = evoke_sources::builtin();
        parts
            .runtimes
            .push(Arc::new(Language { descriptor: descriptor("fake"), asked: asked.clone() }));
        parts.targets.push(crate::support::target(
            "function",
            crate::support::script(1, |_| Ok(Data::None)),
        ));
        parts.clock = clock.clone();
        let engine = Engine::start(parts).await.expect("the engine starts");
        engine.deploy(deployment("ask", "1")).await.expect("it is deployed");
        engine.admit();
        Self { engine, clock, asked }
    }

    /// Stops; gives back what goes on on the next one.
    pub async fn stop(self) -> (Arc<ManualClock>, Answers) {
        self.engine.stop(Millis::ZERO).await;
        let answers = self.asked.answers.lock().clone().expect("answers");
        (self.clock, answers)
    }

    pub fn answers(
        &self,
        answers: impl Fn(usize) -> Result<String, Failure> + Send + Sync + 'static,
    ) {
        self.take_answers(Arc::new(answers));
    }

    pub fn take_answers(&self, answers: Answers) {
        *self.asked.answers.lock() = Some(answers);
    }

    /// Deploys a function that never says anything.
    pub async fn never_answers(&self, name: &str) {
        self.engine.deploy(deployment(name, "1")).await.expect("it is deployed");
    }

    /// The data of all questions.
    pub fn asked(&self) -> Vec<Value> {
        self.asked.seen.lock().clone()
    }

    pub fn new_poll(&self, name: &str, config: Value) -> NewTrigger {
        NewTrigger {
            name: name.to_owned(),
            kind: "poll".into(),
            config,
            target: Target { kind: "scripted".into(), config: json!({}) },
            policy: Policy::default(),
            enabled: true,
        }
    }

    pub async fn poll(&self, name: &str, config: Value) -> TriggerId {
        let new = self.new_poll(name, config);
        self.engine.create_trigger(new, &Actor::local()).await.expect("a poll").id
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub fn status(&self, id: TriggerId) -> PollStatus {
        self.engine.poll_status(id).expect("it is a poll")
    }

    /// How often it did not fire, by reason: no, same context, busy, timeout, error.
    pub fn skips(&self, id: TriggerId) -> [u64; 5] {
        self.status(id).skips.map(|(_, count)| count)
    }

    pub fn skip_count(&self, id: TriggerId, reason: SkipReason) -> u64 {
        self.status(id).skips.into_iter().find(|(one, _)| *one == reason).map_or(0, |(_, n)| n)
    }

    /// Goes on to the next question of a poll and waits for what comes of it.
    pub async fn ask(&self, id: TriggerId) {
        self.ask_late(id, Millis::ZERO).await;
    }

    /// The same when nobody looks at the clock in time.
    pub async fn ask_late(&self, id: TriggerId, late: Millis) {
        let settled = || self.status(id).fired + self.skips(id).iter().sum::<u64>();
        let before = settled();
        let next = self.status(id).next_poll.expect("it is asked again");
        // The one before may still be on its way back.
        for _ in 0..5 {
            tokio::time::sleep(STEP / 2).await;
        }
        self.clock.advance_to(next.plus(late));
        self.until(|| settled() > before).await;
    }

    /// Waits until something is so.
    pub async fn until(&self, is_so: impl Fn() -> bool) {
        for _ in 0..STEPS {
            if is_so() {
                return;
            }
            tokio::time::sleep(STEP).await;
        }
        panic!("it does not come: {:?}", self.asked());
    }

    /// The events of the log, oldest first.
    pub async fn events(&self) -> Vec<Arc<Event>> {
        let order = evoke_ports::store::Order::OldestFirst;
        let query = EventQuery { limit: 1_000, order, ..EventQuery::default() };
        self.engine.events(query).await.expect("events").items
    }
}
