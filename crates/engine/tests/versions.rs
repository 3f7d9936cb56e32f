//! Versions that are not current: which are kept, running them again, going back to one.

#![expect(clippy::expect_used, reason = "a failing test says where")]

#[path = "support/over.rs"]
mod over;
mod support;
#[path = "support/wait.rs"]
mod wait;

use std::collections::BTreeSet;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use async_trait::async_trait;
use evoke_engine::triggers::Enabled;
use evoke_engine::{Actor, Deployment, Engine, Fill, Parts, Redrive, Registry, Replay, ReplayTo};
use evoke_model::{
    ByteSize, Code, Data, Event, Failure, FunctionSpec, FunctionVersion, Millis, Outcome, Problem,
    Redirect, Scaling, State, Target as Where,
};
use evoke_ports::runtime::{Call, DeployError, Deployed, Found, Host, PoolStatus, Reply};
use evoke_ports::store::AuditQuery;
use evoke_ports::{
    Delivered, Descriptor, Endpoint, Functions, Job, Pool, Runtime, Source, Store, Target,
};
use evoke_stores::memory::MemoryStore;
use evoke_stores::sqlite::{SqliteOptions, SqliteStore};
use evoke_testkit::ManualClock;
use over::{dead, once, over, somebody};
use parking_lot::Mutex;
use serde_json::{Value, json};
use support::{descriptor, draft, engine, parts, script, trigger};
use tokio::sync::Barrier;
use wait::{query, reach};

/// What the runtime and the functions did.
#[derive(Default)]
struct Seen {
    /// Hashes that are kept.
    kept: BTreeSet<String>,
    /// Versions that were opened, and their variable `KEY`.
    opened: Vec<(u32, String)>,
    /// Versions whose workers have ended.
    ended: Vec<u32>,
    /// Versions that were called.
    called: Vec<u32>,
    /// Hashes of code that fails, and of code that cannot be loaded.
    failing: BTreeSet<String>,
    broken: BTreeSet<String>,
    /// Where a version that is being opened waits twice, once it came and until it may go on.
    gate: Option<Arc<Barrier>>,
}

type Shared = Arc<Mutex<Seen>>;

struct Language(Descriptor, Shared);

struct Workers(u32, Shared);

impl Language {
    fn pool(&self, version: &FunctionVersion) -> Result<Arc<dyn Pool>, DeployError> {
        let mut seen = self.1.lock();
        if seen.broken.contains(&version.hash) {
            return Err(broken("it cannot be loaded"));
        }
        let key = version.environment.get("KEY").cloned().unwrap_or_default();
        seen.opened.push((version.number, key));
        Ok(Arc::new(Workers(version.number, self.1.clone())))
    }
}

fn broken(message: &str) -> DeployError {
    let (code, message) = (Code::DeploymentFailed, message.to_owned());
    DeployError { code, message, stack: None, problems: Vec::new() }
}

#[async_trait]
impl Runtime for Language {
    fn descriptor(&self) -> &Descriptor {
        &self.0
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
    async fn open(
        &self,
        version: Arc<FunctionVersion>,
        _: Host,
    ) -> Result<Arc<dyn Pool>, DeployError> {
        let gate = self.1.lock().gate.take();
        if let Some(gate) = gate {
            gate.wait().await;
            gate.wait().await;
        }
        self.1.lock().kept.insert(version.hash.clone());
        self.pool(&version)
    }
    async fn reopen(
        &self,
        version: Arc<FunctionVersion>,
        _: Host,
    ) -> Result<Arc<dyn Pool>, DeployError> {
        match self.1.lock().kept.contains(&version.hash) {
            true => {}
            false => return Err(broken("its code is not there any more")),
        }
        self.pool(&version)
    }
    async fn retain(&self, _: &str, hashes: &[String], _: &std::path::Path) -> std::io::Result<()> {
        self.1.lock().kept.retain(|hash| hashes.contains(hash));
        Ok(())
    }
    async fn close(&self) {}
}

#[async_trait]
impl Pool for Workers {
    fn capacity(&self) -> usize {
        8
    }
    async fn call(&self, _: Call) -> Result<Reply, Failure> {
        Ok(Reply::Value(Data::None))
    }
    async fn drain(&self, _: Millis) {
        self.1.lock().ended.push(self.0);
    }
    fn status(&self) -> PoolStatus {
        PoolStatus::default()
    }
}

/// The target that calls functions, and one of them.
struct ToFunctions(Descriptor, Arc<Registry>, Shared);

struct ToFunction(String, Arc<Registry>, Shared);

impl Target for ToFunctions {
    fn descriptor(&self) -> &Descriptor {
        &self.0
    }
    fn open(&self, config: &Value) -> Result<Arc<dyn Endpoint>, Vec<Problem>> {
        let name = config["name"].as_str().unwrap_or_default().to_owned();
        Ok(Arc::new(ToFunction(name, self.1.clone(), self.2.clone())))
    }
}

#[async_trait]
impl Endpoint for ToFunction {
    fn capacity(&self) -> usize {
        8
    }
    async fn deliver(&self, job: Job) -> Delivered {
        let wanted = job.version.map_or_else(|| self.1.current(&self.0), Ok);
        let Deployed { version, .. } = match wanted {
            Ok(deployed) => deployed,
            Err(failure) => return Delivered { outcome: Outcome::Failure(failure), version: 0 },
        };
        let mut seen = self.2.lock();
        seen.called.push(version.number);
        let outcome = match seen.failing.contains(&version.hash) {
            true => Outcome::Failure(Failure::new(Code::FunctionError, "not today").for_good()),
            false => Outcome::Success(Data::None),
        };
        Delivered { outcome, version: version.number }
    }
    async fn deliver_batch(&self, job: Job, _: &[Arc<Event>]) -> Delivered {
        self.deliver(job).await
    }
}

/// The source of direct calls: nothing is matched.
struct Direct(Descriptor);

impl Source for Direct {
    fn descriptor(&self) -> &Descriptor {
        &self.0
    }
    fn check(&self, config: &Value) -> Result<Value, Vec<Problem>> {
        Ok(config.clone())
    }
    fn subscription(&self, _: &Value) -> Option<evoke_model::trigger::Subscription> {
        None
    }
}

fn with(store: Arc<dyn Store>, seen: &Shared) -> Parts {
    let mut parts = parts(store, script(4, |_| Ok(Data::None)));
    let target = ToFunctions(descriptor("function"), parts.registry.clone(), seen.clone());
    parts.targets.push(Arc::new(target));
    parts.sources.push(Arc::new(Direct(descriptor("invoke"))));
    parts.runtimes.push(Arc::new(Language(descriptor("fake"), seen.clone())));
    parts.settings.keep_versions = 3;
    parts.settings.version_idle = Millis::from_secs(2);
    parts.settings.fill = Fill::with(|written| {
        let filled = |(name, text): (&String, &String)| (name.clone(), format!("filled {text}"));
        Ok(written.iter().map(filled).collect())
    });
    parts
}

async fn started(parts: Parts) -> Engine {
    let engine = Engine::start(parts).await.expect("the engine starts");
    engine.admit();
    engine
}

fn deployment(hash: &str) -> Deployment {
    Deployment {
        spec: FunctionSpec {
            name: "resize".to_owned(),
            runtime: "fake".to_owned(),
            handler: None,
            memory: ByteSize::from_mb(128),
            timeout: FunctionSpec::TIMEOUT_DEFAULT,
            environment: [("KEY".to_owned(), "${secrets.KEY}".to_owned())].into(),
            scaling: Scaling { min_instances: 2, ..Scaling::default() },
        },
        code: "/nowhere".into(),
        hash: hash.to_owned(),
        environment: [("KEY".to_owned(), "given".to_owned())].into(),
        triggers: Vec::new(),
    }
}

async fn deploy(engine: &Engine, hash: &str) -> u32 {
    engine.deploy(deployment(hash)).await.expect("deployed").record.version
}

fn numbers(engine: &Engine) -> Vec<u32> {
    let versions = engine.versions("resize").expect("versions");
    versions.iter().map(|version| version.record.number).collect()
}

async fn comes(what: &str, holds: impl Fn() -> bool) {
    for _ in 0..2_000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("it never came that {what}");
}

/// Opens the store; tasks of the engine before may take a moment to let go of it.
async fn sqlite(dir: &tempfile::TempDir) -> Arc<dyn Store> {
    let mut opened = Err(None);
    for _ in 0..200 {
        let options = SqliteOptions::at(dir.path().join("test.db"));
        opened = SqliteStore::open(options).map_err(Some);
        if opened.is_ok() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Arc::new(opened.expect("a store"))
}

fn to(version: u32) -> Redirect {
    Redirect { function: "resize".into(), version: Some(version) }
}

/// An engine with a dead letter of version 1, which fails, and version 2, which does not.
async fn with_a_dead_letter(store: Arc<dyn Store>, seen: &Shared) -> Engine {
    let engine = started(with(store, seen)).await;
    seen.lock().failing.insert("h1".to_owned());
    deploy(&engine, "h1").await;
    let orders =
        evoke_engine::NewTrigger { target: Where::function("resize"), ..trigger("order", once()) };
    engine.create_trigger(orders, &Actor::local()).await.expect("a trigger");
    engine.emit(vec![draft("order")]).await.expect("accepted");
    reach(&engine, dead(), 1).await;
    assert_eq!(deploy(&engine, "h2").await, 2);
    engine
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dead_letters_and_events_are_sent_to_older_versions() {
    let (seen, store) = (Shared::default(), Arc::new(MemoryStore::new()));
    let engine = with_a_dead_letter(store, &seen).await;
    let redrive = |version| Redrive { to: Some(to(version)), ..Redrive::default() };
    let again = engine.redrive(redrive(1), &somebody()).await.expect("begun");
    assert_eq!(over(&engine, again.id).await.progress.failed, 1);
    let dead = engine.executions(dead()).await.expect("a page").items;
    let last = dead[0].execution.last.clone().expect("an attempt");
    assert_eq!(last.version, 1, "the older version ran");
    let better = engine.redrive(redrive(2), &somebody()).await.expect("begun");
    assert_eq!(over(&engine, better.id).await.progress.succeeded, 1);
    let replay = Replay { to: ReplayTo::Function(to(1)), ..Replay::default() };
    let replayed = engine.replay(replay, &somebody()).await.expect("begun");
    assert_eq!(over(&engine, replayed.id).await.progress.failed, 1);
    let seen = seen.lock();
    assert_eq!(seen.called, [1, 1, 2, 1]);
    let filled = "filled ${secrets.KEY}".to_owned();
    let given = "given".to_owned();
    let opened = [(1, given.clone()), (2, given), (1, filled)];
    assert_eq!(seen.opened, opened, "once, with its variables filled in anew");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_version_that_is_not_kept_is_refused_by_name() {
    let (seen, store) = (Shared::default(), Arc::new(MemoryStore::new()));
    let engine = with_a_dead_letter(store, &seen).await;
    for version in [0, 3, u32::MAX] {
        let redrive = Redrive { to: Some(to(version)), ..Redrive::default() };
        let refused = engine.redrive(redrive, &somebody()).await.map(|_| ());
        let refused = refused.expect_err("it is not there");
        assert_eq!(refused.code, Code::InvalidRequest);
        let expected =
            format!("version {version} of function \"resize\" is not kept; kept are 1, 2");
        assert_eq!(refused.problems[0].message, expected);
        assert_eq!(refused.problems[0].field, "to.version");
        let replay = Replay { to: ReplayTo::Function(to(version)), ..Replay::default() };
        assert!(engine.replay(replay, &somebody()).await.is_err());
        let back = engine.rollback("resize", Some(version), &somebody()).await.map(|_| ());
        assert_eq!(back.map_err(|refused| refused.code), Err(Code::InvalidRequest));
    }
    let other = Redirect { function: "resise".into(), version: Some(1) };
    let redrive = Redrive { to: Some(other), ..Redrive::default() };
    let refused = engine.redrive(redrive, &somebody()).await.map(|_| ());
    let refused = refused.expect_err("no such function");
    assert_eq!(refused.code, Code::FunctionNotFound);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_function_that_is_not_there_has_no_versions() {
    let engine = engine(Arc::new(MemoryStore::new()), script(4, |_| Ok(Data::None))).await;
    let listed = engine.versions("resize").map(|_| ()).map_err(|refused| refused.code);
    assert_eq!(listed, Err(Code::FunctionNotFound));
    let back = engine.rollback("resize", Some(1), &somebody()).await.map(|_| ());
    assert_eq!(back.map_err(|refused| refused.code), Err(Code::FunctionNotFound));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_versions_are_kept_and_those_that_something_names() {
    let (seen, store) = (Shared::default(), Arc::new(MemoryStore::new()));
    let engine = with_a_dead_letter(store.clone(), &seen).await;
    // It waits, because its lane is closed meanwhile.
    let all = engine.triggers();
    let orders = all.iter().find(|trigger| trigger.name == "on order").expect("the trigger");
    engine.set_trigger_enabled(orders.id, Enabled::No, &somebody()).await.expect("disabled");
    let redrive = Redrive { to: Some(to(1)), ..Redrive::default() };
    let waiting = engine.redrive(redrive, &somebody()).await.expect("begun");
    for n in 3..=6 {
        deploy(&engine, &format!("h{n}")).await;
    }
    let is_named = engine.operation(waiting.id).expect("listed");
    comes("the versions between are forgotten", || seen.lock().kept.len() <= 4).await;
    assert_eq!(numbers(&engine), [6, 5, 4, 1], "{is_named:?}");
    engine.cancel_operation(waiting.id, &somebody()).await.ok();
    engine.set_trigger_enabled(orders.id, Enabled::Yes, &somebody()).await.expect("enabled");
    reach(&engine, query(&[State::Pending]), 0).await;
    let ends = || seen.lock().ended.iter().filter(|number| **number == 1).count();
    comes("the workers of the first end again", || ends() == 2).await;
    deploy(&engine, "h7").await;
    comes("the first is forgotten", || seen.lock().kept.len() == 3).await;
    assert_eq!(numbers(&engine), [7, 6, 5]);
    let stored = Store::definitions(&*store).functions().await.expect("functions");
    assert_eq!(stored[0].versions.len(), 3);
    engine.remove_function("resize").await.expect("removed");
    comes("nothing is kept of it", || seen.lock().kept.is_empty()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_version_ends_when_nobody_calls_it() {
    let (seen, store) = (Shared::default(), Arc::new(MemoryStore::new()));
    let clock = ManualClock::at(evoke_model::Timestamp::from_millis(1_795_000_000_000));
    let mut parts = with(store, &seen);
    parts.clock = clock.clone();
    let engine = started(parts).await;
    for hash in ["h1", "h2"] {
        deploy(&engine, hash).await;
    }
    comes("the replaced one ends", || seen.lock().ended == [1]).await;
    engine.emit(vec![draft("order")]).await.expect("accepted");
    let replay = Replay { to: ReplayTo::Function(to(1)), ..Replay::default() };
    clock.advance(Millis::new(10));
    engine.replay(replay, &somebody()).await.expect("begun");
    comes("it is called", || {
        clock.advance(Millis::new(1));
        seen.lock().called == [1]
    })
    .await;
    assert_eq!(seen.lock().ended, [1]);
    comes("it ends", || {
        clock.advance(Millis::from_secs(10));
        seen.lock().ended == [1, 1]
    })
    .await;
    engine.stop(Millis::ZERO).await;
    assert_eq!(seen.lock().ended, [1, 1, 2]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rollback_makes_old_code_a_new_version() {
    let (seen, dir) = (Shared::default(), tempfile::tempdir().expect("a folder"));
    let engine = started(with(sqlite(&dir).await, &seen)).await;
    for hash in ["h1", "h2"] {
        deploy(&engine, hash).await;
    }
    let refused = engine.rollback("resize", Some(2), &somebody()).await.map(|_| ());
    let refused = refused.expect_err("it is current");
    assert_eq!(refused.problems[0].message, "version 2 is the current one");
    let back = engine.rollback("resize", None, &somebody()).await.expect("rolled back");
    assert_eq!((back.record.version, back.record.hash.as_str()), (3, "h1"));
    let versions = engine.versions("resize").expect("versions");
    let told: Vec<_> =
        versions.iter().map(|v| (v.record.number, v.is_current, v.record.rollback_to)).collect();
    assert_eq!(told, [(3, true, Some(1)), (2, false, None), (1, false, None)]);
    let entries = engine.audit(AuditQuery { limit: 1, ..AuditQuery::default() }).await;
    let entry = entries.expect("the trail").items.remove(0);
    assert_eq!((entry.action.as_str(), entry.actor.as_str()), ("function.rollback", "deploy"));
    assert_eq!(entry.detail, json!({ "from": 2, "to": 1, "version": 3 }));
    let again = engine.rollback("resize", None, &somebody()).await.expect("and forth");
    assert_eq!((again.record.version, again.record.hash.as_str()), (4, "h2"));
    engine.rollback("resize", Some(3), &somebody()).await.expect("rolled back");

    // After a restart the folder holds what was rolled back.
    engine.stop(Millis::ZERO).await;
    drop(engine);
    let engine = started(with(sqlite(&dir).await, &seen)).await;
    assert_eq!(deploy(&engine, "h2").await, 5, "it stays rolled back");
    assert_eq!(engine.function("resize").expect("there").record.hash, "h1");
    assert_eq!(deploy(&engine, "h3").await, 6, "until the folder changes");
    assert_eq!(deploy(&engine, "h2").await, 7, "and then it is what it is");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_version_before_a_broken_one_runs_after_a_restart_too() {
    let (seen, dir) = (Shared::default(), tempfile::tempdir().expect("a folder"));
    let engine = started(with(sqlite(&dir).await, &seen)).await;
    deploy(&engine, "h1").await;
    seen.lock().broken.insert("h2".to_owned());
    engine.deploy(deployment("h2")).await.map(|_| ()).expect_err("it is broken");
    engine.stop(Millis::ZERO).await;
    drop(engine);
    let engine = started(with(sqlite(&dir).await, &seen)).await;
    engine.deploy(deployment("h2")).await.map(|_| ()).expect_err("it is broken");
    let view = engine.function("resize").expect("there");
    assert!(view.status.is_some() && view.error.is_some(), "it runs, and says what is broken");
    assert_eq!(view.record.version, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_function_that_is_removed_while_it_is_deployed_is_gone() {
    let (seen, store) = (Shared::default(), Arc::new(MemoryStore::new()));
    let engine = started(with(store.clone(), &seen)).await;
    deploy(&engine, "h1").await;
    let gate = Arc::new(Barrier::new(2));
    seen.lock().gate = Some(gate.clone());
    let deploying = engine.clone();
    let deploying = tokio::spawn(async move { deploy(&deploying, "h2").await });
    gate.wait().await;
    let mut removing = pin!(engine.remove_function("resize"));
    poll_fn(|context| {
        assert!(removing.as_mut().poll(context).is_pending());
        Poll::Ready(())
    })
    .await;
    gate.wait().await;
    assert_eq!(deploying.await.expect("no panic"), 2);
    removing.await.expect("removed");
    let there = engine.function("resize").map(|_| ()).map_err(|refused| refused.code);
    assert_eq!(there, Err(Code::FunctionNotFound));
    let stored = Store::definitions(&*store).functions().await.expect("functions");
    assert!(stored.iter().all(|record| record.deleted_at.is_some()), "{stored:?}");
    comes("nothing is kept of it", || seen.lock().kept.is_empty()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_versions_of_a_removed_function_are_not_those_of_the_next_one() {
    let (seen, store) = (Shared::default(), Arc::new(MemoryStore::new()));
    let mut parts = with(store, &seen);
    parts.settings.version_idle = Millis::from_secs(3_600);
    let engine = started(parts).await;
    seen.lock().failing.insert("h1".to_owned());
    for hash in ["h1", "h2"] {
        deploy(&engine, hash).await;
    }
    engine.emit(vec![draft("order")]).await.expect("accepted");
    let replay = || Replay { to: ReplayTo::Function(to(1)), ..Replay::default() };
    let first = engine.replay(replay(), &somebody()).await.expect("begun");
    assert_eq!(over(&engine, first.id).await.progress.failed, 1);
    engine.remove_function("resize").await.expect("removed");
    let ends = || seen.lock().ended.iter().filter(|number| **number == 1).count();
    comes("the workers of the old version end with it", || ends() == 2).await;
    comes("nothing is kept of it", || seen.lock().kept.is_empty()).await;
    for (number, hash) in [(1, "h3"), (2, "h4")] {
        assert_eq!(deploy(&engine, hash).await, number);
    }
    let second = engine.replay(replay(), &somebody()).await.expect("begun");
    assert_eq!(over(&engine, second.id).await.progress.failed, 0);
}
