//! Each policy with each other one, on both stores: whatever two of them do together, every event
//! has one execution, every execution an end, and what each of them promises holds.

#![expect(clippy::expect_used, reason = "a test fails loudly")]

#[expect(dead_code, reason = "these tests put their engine together themselves")]
mod support;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use evoke_engine::{Actor, Draft, Engine};
use evoke_model::policy::Overflow;
use evoke_model::{Code, Data, Event, Outcome, Policy, State};
use evoke_ports::store::ExecutionQuery;
use evoke_ports::{Delivered, Endpoint, Job, Store};
use evoke_stores::memory::MemoryStore;
use evoke_stores::sqlite::{SqliteOptions, SqliteStore};
use parking_lot::Mutex;
use serde_json::{Value, json};

const EVENTS: usize = 36;
const KEYS: usize = 3;
const LIMIT: usize = 2;
const BATCH: usize = 4;

/// The policies, each in the words of a manifest.
fn policies() -> Vec<(&'static str, Value)> {
    let place = |overflow| json!({ "limit": LIMIT, "key": "event.data.k", "overflow": overflow });
    vec![
        ("filter", json!({ "filter": "event.data.n % 4 != 3" })),
        ("idempotency", json!({ "idempotency": { "key": "string(event.data.n / 2)" } })),
        ("debounce", json!({ "debounce": { "wait": "30ms", "key": "event.data.k" } })),
        (
            "debounce all",
            json!({
                "debounce": { "wait": "30ms", "key": "event.data.k", "mode": "all" },
            }),
        ),
        ("order_by", json!({ "order_by": "event.data.k" })),
        ("batch", json!({ "batch": { "size": BATCH, "wait": "10ms" } })),
        ("queue", json!({ "concurrency": place("queue") })),
        ("skip", json!({ "concurrency": place("skip") })),
        ("cancel", json!({ "concurrency": place("cancel") })),
        (
            "rate",
            json!({ "rate": { "limit": 1000, "per": "1s", "burst": 2, "key": "event.data.k" } }),
        ),
        ("priority", json!({ "priority": "event.data.n % 3" })),
        ("transform", json!({ "transform": "{'n': event.data.n, 'k': event.data.k, 't': true}" })),
        ("retry", json!({ "retry": { "attempts": 3, "initial": "1ms", "jitter": false } })),
    ]
}

/// An endpoint that notes what it got and fails some the first time.
#[derive(Default)]
struct Notes {
    state: Mutex<Seen>,
    fails_first: bool,
}

#[derive(Default)]
struct Seen {
    running: BTreeMap<String, usize>,
    most: usize,
    /// Keys and numbers of what succeeded, in order.
    done: Vec<(String, u64)>,
    largest: usize,
    untransformed: usize,
}

fn field(event: &Event) -> (String, u64) {
    let data = event.data.to_value();
    let key = data["k"].as_str().expect("a key").to_owned();
    (key, data["n"].as_u64().expect("a number"))
}

impl Notes {
    /// Carries a call out; gives back the ids of the events that failed.
    async fn call(&self, job: &Job, events: &[Arc<Event>]) -> Option<Vec<String>> {
        let keys: Vec<_> = events.iter().map(|event| field(event).0).collect();
        let key = keys.first().expect("an event").clone();
        {
            let mut state = self.state.lock();
            let running = state.running.entry(key.clone()).or_default();
            *running += 1;
            let running = *running;
            state.most = state.most.max(running);
            state.largest = state.largest.max(events.len());
            let raw = |event: &&Arc<Event>| event.data.to_value()["t"] != json!(true);
            state.untransformed += events.iter().filter(raw).count();
        }
        let stopped = tokio::select! {
            () = job.cancel.cancelled() => true,
            () = tokio::time::sleep(Duration::from_millis(2)) => false,
        };
        let mut state = self.state.lock();
        if let Some(running) = state.running.get_mut(&key) {
            *running -= 1;
        }
        if stopped {
            return None;
        }
        let mut failed = Vec::new();
        for event in events {
            let (key, n) = field(event);
            if self.fails_first && n % 5 == 0 && job.attempt == 1 {
                failed.push(event.id.to_string());
            } else {
                state.done.push((key, n));
            }
        }
        Some(failed)
    }
}

impl Notes {
    /// What each of two policies promises of the calls.
    fn check(&self, name: &str, policy: &Policy, succeeded: usize) {
        let notes = self.state.lock();
        let has = |word: &str| name.split(" + ").any(|part| part == word);
        assert_eq!(notes.done.len(), succeeded, "{name}: each ran once to its end");
        if policy.concurrency.is_some() {
            assert!(notes.most <= LIMIT, "{name}: {} at once", notes.most);
        }
        if has("batch") {
            assert!(notes.largest <= BATCH, "{name}: {} in a batch", notes.largest);
        }
        if has("transform") {
            assert_eq!(notes.untransformed, 0, "{name}");
        }
        if has("order_by") {
            for key in ["a", "b", "c"] {
                let of: Vec<_> = notes.done.iter().filter(|(own, _)| own == key).collect();
                assert!(of.is_sorted(), "{name}: {of:?}");
            }
        }
    }
}

#[async_trait]
impl Endpoint for Notes {
    fn capacity(&self) -> usize {
        16
    }
    async fn deliver(&self, job: Job) -> Delivered {
        let events = [job.event.clone()];
        let outcome = match self.call(&job, &events).await {
            None => Outcome::Cancelled,
            Some(failed) if failed.is_empty() => Outcome::Success(Data::None),
            Some(_) => {
                Outcome::Failure(evoke_model::Failure::new(Code::FunctionError, "the first time"))
            }
        };
        Delivered { outcome, version: 0 }
    }
    async fn deliver_batch(&self, job: Job, events: &[Arc<Event>]) -> Delivered {
        let outcome = match self.call(&job, events).await {
            None => Outcome::Cancelled,
            Some(failed) => Outcome::Success(Data::from_value(&json!({ "failed": failed }))),
        };
        Delivered { outcome, version: 0 }
    }
}

async fn engine(store: Arc<dyn Store>, endpoint: Arc<Notes>) -> Engine {
    let mut parts = support::parts(store, support::script(1, |_| Ok(Data::None)));
    parts.targets = vec![support::target("scripted", endpoint)];
    let engine = Engine::start(parts).await.expect("the engine starts");
    engine.admit();
    engine
}

/// The states of all executions, once all of them are final.
async fn ends(engine: &Engine, name: &str) -> Vec<State> {
    let query = ExecutionQuery { limit: 1_000, ..ExecutionQuery::default() };
    for _ in 0..2_000 {
        let page = engine.executions(query.clone()).await.expect("a page");
        let states: Vec<_> = page.items.iter().map(|view| view.execution.state).collect();
        if states.iter().all(|state| state.is_final()) {
            return states;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("{name}: some never ended");
}

/// Two policies on one store.
async fn pair(store: Arc<dyn Store>, name: &str, policy: Policy) {
    let has = |word: &str| name.split(" + ").any(|part| part == word);
    let endpoint = Arc::new(Notes { fails_first: has("retry"), ..Notes::default() });
    let engine = engine(store, endpoint.clone()).await;
    let made = engine.create_trigger(support::trigger("e", policy.clone()), &Actor::local()).await;
    let drops = policy
        .concurrency
        .as_ref()
        .is_some_and(|concurrency| concurrency.overflow != Overflow::Queue);
    if has("order_by") && (drops || has("debounce")) {
        assert_eq!(made.map_err(|rejection| rejection.code).err(), Some(Code::InvalidTrigger));
        return;
    }
    made.unwrap_or_else(|rejection| panic!("{name}: {rejection}"));
    for n in 0..EVENTS {
        let data = json!({ "n": n, "k": (["a", "b", "c"][n % KEYS]) });
        let draft = Draft { kind: "e".into(), data: Data::from_value(&data), ..Draft::default() };
        engine.emit(vec![draft]).await.expect("accepted");
    }
    let states = ends(&engine, name).await;
    let expected = if has("filter") { EVENTS * 3 / 4 } else { EVENTS };
    assert_eq!(states.len(), expected, "{name}: one execution for each event that is wanted");
    let count = |wanted: State| states.iter().filter(|state| **state == wanted).count();
    let cancelled = count(State::Cancelled);
    assert_eq!(count(State::Success) + cancelled, expected, "{name}: {states:?}");
    let drops = drops || has("debounce") || has("idempotency");
    assert!(drops || cancelled == 0, "{name}: nothing but these drops anything: {cancelled}");
    if has("idempotency") {
        assert!(count(State::Success) <= EVENTS / 2, "{name}: once per key");
    }
    endpoint.check(name, &policy, count(State::Success));
    engine.stop(evoke_model::Millis::from_secs(5)).await;
}

/// All pairs, each policy with itself as the case of it alone.
fn pairs() -> Vec<(String, Policy)> {
    let all = policies();
    let mut pairs = Vec::new();
    for (place, (first, one)) in all.iter().enumerate() {
        for (second, other) in &all[place..] {
            let (Value::Object(mut both), Value::Object(more)) = (one.clone(), other.clone())
            else {
                continue;
            };
            // Two forms of one policy are no pair.
            if first != second && more.keys().any(|key| both.contains_key(key)) {
                continue;
            }
            both.extend(more);
            let policy = serde_json::from_value(Value::Object(both)).expect("a policy");
            pairs.push((format!("{first} + {second}"), policy));
        }
    }
    pairs
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_pair_of_policies_keeps_its_promises_in_memory() {
    for (name, policy) in pairs() {
        pair(Arc::new(MemoryStore::new()), &name, policy).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_pair_of_policies_keeps_its_promises_on_sqlite() {
    for (name, policy) in pairs() {
        let folder = tempfile::tempdir().expect("a folder");
        let options = SqliteOptions::at(folder.path().join("evoke.db"));
        let store = SqliteStore::open(options).expect("a store");
        pair(Arc::new(store), &name, policy).await;
    }
}
