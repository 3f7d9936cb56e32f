//! Hooks: asked before a change of documents is made, on both stores.

#![expect(clippy::expect_used, reason = "a failing test says where")]

#[path = "support/functions.rs"]
mod functions;
mod support;
#[path = "support/wait.rs"]
mod wait;

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use async_trait::async_trait;
use bytes::Bytes;
use evoke_document::{Collection, Document};
use evoke_engine::{Actor, Deployment, Draft, Engine, NewTrigger, Notice};
use evoke_model::policy::{Mode, OnFailure, Priority};
use evoke_model::trigger::Subscription;
use evoke_model::{
    Code, Data, Event, Failure, FunctionVersion, Millis, Policy, Problem, Rejection, State, Target,
};
use evoke_ports::runtime::{Call, DeployError, Found, Host, PoolStatus, Reply};
use evoke_ports::store::{DocumentChange, Effect, EventQuery, ExecutionQuery, Expect, Order, Why};
use evoke_ports::{
    Agreed, Descriptor, Input, Journal, News, Origin, Pool, Runtime, Source, Store, Unkept,
};
use evoke_stores::memory::MemoryStore;
use evoke_stores::sqlite::{SqliteOptions, SqliteStore};
use functions::{deployment, with_functions};
use parking_lot::Mutex;
use serde_json::{Value, json};
use support::{descriptor, draft, engine, script, trigger};
use wait::{query, reach};

/// A source with hooks whose configuration is the pattern.
struct Changes(Descriptor);

impl Source for Changes {
    fn descriptor(&self) -> &Descriptor {
        &self.0
    }
    fn check(&self, config: &Value) -> Result<Value, Vec<Problem>> {
        Ok(config.clone())
    }
    fn subscription(&self, config: &Value) -> Option<Subscription> {
        let kind = config["match"].as_str().map(str::to_owned);
        Some(Subscription { kind, ..Subscription::default() })
    }
    fn has_hooks(&self) -> bool {
        true
    }
}

/// What a hook's function answers, by the name of its trigger and the event.
type Act = Arc<dyn Fn(&str, &Event) -> Result<Data, Failure> + Send + Sync>;

/// A language whose functions all act like this.
struct Language(Descriptor, Act);

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
        if version.hash == "broken" {
            let (code, message) = (Code::DeploymentFailed, "it cannot be loaded".to_owned());
            return Err(DeployError { code, message, stack: None, problems: Vec::new() });
        }
        Ok(Arc::new(Workers(self.1.clone())))
    }
    async fn close(&self) {}
}

struct Workers(Act);

#[async_trait]
impl Pool for Workers {
    fn capacity(&self) -> usize {
        8
    }
    async fn call(&self, call: Call) -> Result<Reply, Failure> {
        match call.input {
            Input::Event(event) => (self.0)(&call.trigger_name, &event).map(Reply::Value),
            _ => panic!("hooks get events"),
        }
    }
    async fn drain(&self, _: Millis) {}
    fn status(&self) -> PoolStatus {
        PoolStatus::default()
    }
}

/// An engine with a function that does what it is told, and its store.
struct House {
    engine: Engine,
    journal: Arc<dyn Journal>,
    store: Arc<dyn Store>,
}

impl House {
    async fn on(store: Arc<dyn Store>, act: Act) -> Self {
        let house = Self::starting(store, act).await;
        house.engine.admit();
        house
    }

    /// One that does not admit anything yet.
    async fn starting(store: Arc<dyn Store>, act: Act) -> Self {
        let (mut parts, _) = with_functions(store.clone(), script(8, |_| Ok(Data::None)));
        parts.sources.push(Arc::new(Changes(descriptor("database"))));
        parts.runtimes = vec![Arc::new(Language(descriptor("fake"), act))];
        let engine = Engine::start(parts).await.expect("the engine starts");
        engine.deploy(deployment("guard", "1")).await.expect("a function");
        let journal = engine.journal();
        let collection = Collection { name: "users".into(), ..Collection::default() };
        journal.define(collection).await.expect("a collection");
        Self { engine, journal, store }
    }

    async fn hook(&self, name: &str, policy: Policy) {
        let new = NewTrigger {
            name: name.into(),
            kind: "database".into(),
            target: Target::function("guard"),
            policy: Policy { mode: Some(Mode::Sync), ..policy },
            ..trigger("database.users.*", Policy::default())
        };
        self.engine.create_trigger(new, &Actor::local()).await.expect("a hook");
    }

    async fn listener(&self, pattern: &str) {
        let new = trigger(pattern, Policy::default());
        self.engine.create_trigger(new, &Actor::local()).await.expect("a trigger");
    }

    async fn ask(&self, id: &str) -> Result<Agreed, Rejection> {
        let news = News {
            kind: "database.users.create".into(),
            source: "/database/users".into(),
            subject: Some(id.into()),
            data: json!({ "document": { "id": id }, "action": "create" }),
            origin: Origin::default(),
            revise: Some(Arc::new(|data, document| {
                let is_bad = document.get("bad").is_some();
                let mut data = data.clone();
                data["document"] = document;
                if is_bad { Err(vec![Problem::new("bad", "is bad")]) } else { Ok(data) }
            })),
        };
        self.journal.ask(news).await
    }

    async fn create(&self, id: &str) -> Result<(), Unkept> {
        let agreed = self.ask(id).await?;
        self.journal.commit(vec![self.change(id, &agreed)], vec![agreed]).await
    }

    /// The change somebody was asked about.
    fn change(&self, id: &str, agreed: &Agreed) -> DocumentChange {
        let body =
            agreed.revised.clone().map_or_else(|| json!({}), |data| data["document"].clone());
        let now = self.journal.now();
        let document = Document {
            id: id.into(),
            revision: agreed.event.id.as_u64(),
            created_at: now,
            updated_at: now,
            body: Bytes::from(body.to_string()),
        };
        DocumentChange {
            collection: "users".into(),
            id: id.into(),
            expect: Expect::Absent,
            effect: Effect::Put(Arc::new(document)),
        }
    }

    async fn body(&self, id: &str) -> Option<Value> {
        let found = self.store.documents().document("users", id).await.expect("read");
        found.map(|document| serde_json::from_slice(&document.body).expect("JSON"))
    }

    /// The types of all events, oldest first.
    async fn events(&self) -> Vec<String> {
        let query = EventQuery { limit: 1_000, order: Order::OldestFirst, ..EventQuery::default() };
        let page = self.store.events().events(query).await.expect("events");
        page.items.iter().map(|event| event.kind.to_string()).collect()
    }

    /// How many executions ended so.
    async fn ended(&self, state: State) -> usize {
        let query = ExecutionQuery { states: vec![state], limit: 1_000, ..Default::default() };
        self.store.executions().executions(query).await.expect("executions").items.len()
    }
}

/// The same on each store.
async fn on_each<F, W>(act: Act, test: F)
where
    F: Fn(House) -> W,
    W: Future<Output = ()>,
{
    test(House::on(Arc::new(MemoryStore::new()), act.clone()).await).await;
    let dir = tempfile::tempdir().expect("a folder");
    let options = SqliteOptions::at(dir.path().join("test.db"));
    let store = SqliteStore::open(options).expect("a store");
    test(House::on(Arc::new(store), act).await).await;
}

fn answering(answer: Value) -> Act {
    Arc::new(move |_, _| Ok(Data::from_value(&answer)))
}

fn rejection(unkept: Result<(), Unkept>) -> Rejection {
    match unkept {
        Err(Unkept::Rejected(rejection)) => rejection,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_all_agree_to_is_one_commit_with_its_event_its_hooks_and_who_is_told() {
    on_each(answering(json!(null)), |house| async move {
        house.hook("check", Policy::default()).await;
        house.listener("database.users.create").await;
        house.create("ada").await.expect("created");
        assert_eq!(house.body("ada").await, Some(json!({})));
        assert_eq!(house.events().await, ["database.users.create"]);
        // The hook was recorded with it, the listener runs after it.
        reach(&house.engine, query(&[State::Success]), 2).await;
        let conflicts = match house.create("ada").await {
            Err(Unkept::Conflict(conflicts)) => conflicts,
            other => panic!("{other:?}"),
        };
        assert_eq!(conflicts[0].why, Why::Exists);
        reach(&house.engine, query(&[State::Success]), 3).await;
        let told = ["database.users.create", "rejected.database.users.create"];
        assert_eq!(house.events().await, told, "not the change, but that it was asked for");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_change_leaves_nothing_but_the_word_of_its_refusal() {
    let answer = json!({"reject": {"message": "no", "status": 403, "problems": [
        {"field": "id", "message": "is taken"}]}});
    on_each(answering(answer), |house| async move {
        house.hook("check", Policy::default()).await;
        house.listener("database.users.**").await;
        let no = rejection(house.create("ada").await);
        assert_eq!(
            (no.code, no.status, no.message.as_str()),
            (Code::HookRejected, Some(403), "no")
        );
        assert_eq!(no.problems[0].field, "id");
        assert_eq!(house.body("ada").await, None);
        reach(&house.engine, query(&[State::Success]), 1).await;
        assert_eq!(house.events().await, ["rejected.database.users.create"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hook_that_fails_rejects_unless_it_says_otherwise() {
    let failing: Act = Arc::new(|_, _| Err(Failure::new(Code::FunctionError, "it broke")));
    on_each(failing, |house| async move {
        let policy = Policy { on_failure: Some(OnFailure::Continue), ..Policy::default() };
        house.hook("lenient", policy).await;
        house.create("ada").await.expect("the change goes on");
        assert_eq!(house.ended(State::Failed).await, 1);
        house.hook("strict", Policy::default()).await;
        let no = rejection(house.create("bob").await);
        assert_eq!(no.code, Code::HookFailed);
        assert!(no.message.contains("strict") && no.message.contains("it broke"), "{no}");
        assert_eq!(house.body("bob").await, None);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hooks_are_asked_by_priority_and_hand_their_document_on() {
    let seen: Arc<Mutex<Vec<Value>>> = Arc::default();
    let noted = seen.clone();
    let act: Act = Arc::new(move |name, event| {
        let data = event.data.to_value();
        noted.lock().push(json!([name, data["document"]]));
        let by = data["document"]["by"].as_str().unwrap_or_default();
        Ok(Data::from_value(&json!({ "document": { "by": format!("{by}{name}") } })))
    });
    on_each(act, |house| {
        let seen = seen.clone();
        async move {
            for (name, points) in [("b", 1), ("c", 0), ("a", 5)] {
                let priority = Priority::Fixed(points);
                let policy = Policy { priority, allow_modify: Some(true), ..Policy::default() };
                house.hook(name, policy).await;
            }
            house.create("ada").await.expect("created");
            assert_eq!(house.body("ada").await, Some(json!({ "by": "abc" })));
            let told = std::mem::take(&mut *seen.lock());
            assert_eq!(told[0], json!(["a", { "id": "ada" }]));
            assert_eq!(told[2], json!(["c", { "by": "ab" }]));
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_who_may_changes_a_document_and_only_to_a_valid_one() {
    on_each(answering(json!({ "document": { "bad": 1 } })), |house| async move {
        house.hook("sly", Policy::default()).await;
        let no = rejection(house.create("ada").await);
        assert!(no.message.contains("allow_modify"), "{no}");
    })
    .await;
    on_each(answering(json!({ "document": { "bad": 1 } })), |house| async move {
        let policy = Policy { allow_modify: Some(true), ..Policy::default() };
        house.hook("clumsy", policy).await;
        let no = rejection(house.create("ada").await);
        assert!(no.message.contains("is bad"), "{no}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_makes_no_sense_where_somebody_waits_is_refused() {
    let house = House::on(Arc::new(MemoryStore::new()), answering(json!(null))).await;
    let retry = Some(evoke_model::policy::Retry::default());
    for (target, retry, field) in [
        (Target::function("guard"), retry, "policy.retry"),
        (trigger("a", Policy::default()).target, None, "policy.mode"),
    ] {
        let policy = Policy { mode: Some(Mode::Sync), retry, ..Policy::default() };
        let kind = "database".into();
        let new = NewTrigger { kind, target, ..trigger("database.*", policy) };
        let no = house.engine.create_trigger(new, &Actor::local()).await.expect_err("refused");
        let fields: Vec<_> = no.problems.iter().map(|problem| problem.field.as_str()).collect();
        assert_eq!(fields, [field]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_told_afterwards_changes_nothing() {
    let engine = engine(Arc::new(MemoryStore::new()), script(8, |_| Ok(Data::None))).await;
    let policy = Policy { allow_modify: Some(true), ..Policy::default() };
    let new = trigger("a", policy);
    let no = engine.create_trigger(new, &Actor::local()).await.expect_err("refused");
    assert_eq!(no.problems[0].field, "policy.allow_modify");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_happened_to_documents_nobody_else_can_say() {
    let house = House::on(Arc::new(MemoryStore::new()), answering(json!(null))).await;
    for source in ["/database", "/database/users"] {
        let forged = Draft { source: Some(source.into()), ..draft("database.users.create") };
        let no = house.engine.emit(vec![draft("a"), forged]).await.expect_err("refused");
        assert_eq!(
            (no.code, no.problems[0].field.as_str()),
            (Code::InvalidEvent, "events[1].source")
        );
    }
    for source in ["/databases", "database/users", "/shop/database"] {
        let own = Draft { source: Some(source.into()), ..draft("database.users.create") };
        house.engine.emit(vec![own]).await.expect("accepted");
    }
    assert_eq!(house.events().await.len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_caller_leaves_out_opens_nothing() {
    on_each(answering(json!({ "reject": true })), |house| async move {
        let filter = Some("event.data.document.email != ''".to_owned());
        house.hook("check", Policy { filter, ..Policy::default() }).await;
        assert_eq!(rejection(house.create("ada").await).code, Code::HookRejected);
        assert_eq!(house.body("ada").await, None);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_changed_before_all_are_there_who_may_say_no() {
    let house = House::starting(Arc::new(MemoryStore::new()), answering(json!(null))).await;
    let policy = Policy { on_failure: Some(OnFailure::Continue), ..Policy::default() };
    house.hook("lenient", policy).await;
    let no = rejection(house.create("ada").await);
    assert_eq!((no.code, no.code.status()), (Code::Starting, 503));
    assert!(house.events().await.is_empty());
    house.engine.admit();
    house.create("ada").await.expect("created");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hooks_that_agreed_to_what_is_not_made_are_recorded() {
    on_each(answering(json!(null)), |house| async move {
        house.hook("check", Policy::default()).await;
        drop(house.ask("ada").await.expect("agreed"));
        reach(&house.engine, query(&[State::Success]), 1).await;
        assert_eq!(house.events().await, ["rejected.database.users.create"]);
        let agreed = house.ask("bob").await.expect("agreed");
        let mut change = house.change("bob", &agreed);
        change.expect = Expect::Revision(7);
        let unkept = house.journal.commit(vec![change], vec![agreed]).await;
        assert!(matches!(unkept, Err(Unkept::Conflict(_))), "{unkept:?}");
        reach(&house.engine, query(&[State::Success]), 2).await;
        assert_eq!(house.events().await, ["rejected.database.users.create"; 2]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_who_leaves_a_commit_undoes_nothing_of_it() {
    on_each(answering(json!(null)), |house| async move {
        let mut told = house.engine.subscribe();
        let agreed = house.ask("ada").await.expect("agreed");
        let id = agreed.event.id;
        {
            let change = house.change("ada", &agreed);
            let mut commit = pin!(house.journal.commit(vec![change], vec![agreed]));
            // On its way, and nobody waits for it any more.
            poll_fn(|context| {
                drop(commit.as_mut().poll(context));
                Poll::Ready(())
            })
            .await;
        }
        loop {
            match told.recv().await.expect("it is told") {
                Notice::Event(event) if event.id == id => break,
                _ => {}
            }
        }
        assert!(house.body("ada").await.is_some());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_function_is_to_guard_is_not_open_because_it_is_broken() {
    on_each(answering(json!(null)), |house| async move {
        let check = |mode| NewTrigger {
            kind: "database".into(),
            target: Target::function("check"),
            ..trigger("database.users.*", Policy { mode: Some(mode), ..Policy::default() })
        };
        let version = |hash, mode| {
            let triggers = vec![check(mode).into()];
            Deployment { triggers, ..deployment("check", hash) }
        };
        for _ in 0..2 {
            let broken = version("broken", Mode::Sync);
            house.engine.deploy(broken).await.map(|_| ()).expect_err("it is broken");
            let no = rejection(house.create("ada").await);
            assert_eq!(no.code, Code::HookFailed);
            assert!(no.message.contains("it cannot be loaded"), "{no}");
        }
        let stored = house.store.definitions().functions().await.expect("functions");
        let known = stored.iter().find(|record| record.spec.name == "check").expect("stored");
        assert_eq!((known.version, known.versions.len()), (0, 0));
        let told = version("broken", Mode::Async);
        house.engine.deploy(told).await.map(|_| ()).expect_err("it is broken");
        house.create("ada").await.expect("no hook any more");
        house.engine.deploy(version("2", Mode::Sync)).await.expect("it works");
        house.create("bob").await.expect("it agrees");
        let kept = house.engine.versions("check").expect("versions");
        assert_eq!((kept.len(), kept[0].record.hash.as_str()), (1, "2"));
        house.engine.deploy(version("broken", Mode::Sync)).await.map(|_| ()).expect_err("broken");
        house.create("eve").await.expect("the version before it goes on");
        house.engine.remove_function("check").await.expect("removed");
        house.create("joe").await.expect("nobody is asked");
    })
    .await;
}
