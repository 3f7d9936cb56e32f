//! Hooks: asked before a change of documents is made, on both stores.

#![expect(clippy::expect_used, reason = "a failing test says where")]

mod support;
#[path = "support/wait.rs"]
mod wait;

use std::sync::Arc;

use bytes::Bytes;
use evoke_document::{Collection, Document};
use evoke_engine::{Actor, Draft, Engine, NewTrigger, Parts};
use evoke_model::policy::{Mode, OnFailure, Priority};
use evoke_model::trigger::Subscription;
use evoke_model::{Code, Data, Failure, Policy, Problem, Rejection, State};
use evoke_ports::store::{DocumentChange, Effect, EventQuery, ExecutionQuery, Expect, Order, Why};
use evoke_ports::{Agreed, Descriptor, Journal, News, Origin, Source, Store, Unkept};
use evoke_stores::memory::MemoryStore;
use evoke_stores::sqlite::{SqliteOptions, SqliteStore};
use parking_lot::Mutex;
use serde_json::{Value, json};
use support::{Script, draft, engine, parts, script, trigger};
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

/// An engine whose one target does what a script says, and its store.
struct House {
    engine: Engine,
    journal: Arc<dyn Journal>,
    store: Arc<dyn Store>,
}

impl House {
    async fn on(store: Arc<dyn Store>, endpoint: Arc<Script>) -> Self {
        let mut parts: Parts = parts(store.clone(), endpoint);
        parts.sources.push(Arc::new(Changes(support::descriptor("database"))));
        let engine = Engine::start(parts).await.expect("the engine starts");
        engine.admit();
        let journal = engine.journal();
        let collection = Collection { name: "users".into(), ..Collection::default() };
        journal.define(collection).await.expect("a collection");
        Self { engine, journal, store }
    }

    async fn hook(&self, name: &str, policy: Policy) {
        let new = NewTrigger {
            name: name.into(),
            kind: "database".into(),
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
        let change = DocumentChange {
            collection: "users".into(),
            id: id.into(),
            expect: Expect::Absent,
            effect: Effect::Put(Arc::new(document)),
        };
        self.journal.commit(vec![change], vec![agreed]).await
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
async fn on_each<F, W>(endpoint: impl Fn() -> Arc<Script>, test: F)
where
    F: Fn(House) -> W,
    W: Future<Output = ()>,
{
    test(House::on(Arc::new(MemoryStore::new()), endpoint()).await).await;
    let dir = tempfile::tempdir().expect("a folder");
    let options = SqliteOptions::at(dir.path().join("test.db"));
    let store = SqliteStore::open(options).expect("a store");
    test(House::on(Arc::new(store), endpoint()).await).await;
}

fn answering(answer: Value) -> impl Fn() -> Arc<Script> {
    move || {
        let answer = answer.clone();
        script(8, move |_| Ok(Data::from_value(&answer)))
    }
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
        assert_eq!(house.events().await.len(), 1, "neither the change nor its event");
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
    let failing = || script(8, |_| Err(Failure::new(Code::FunctionError, "it broke")));
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
    let endpoint = move || {
        let noted = noted.clone();
        script(8, move |job| {
            let data = job.event.data.to_value();
            noted.lock().push(json!([job.trigger.name, data["document"]]));
            let by = data["document"]["by"].as_str().unwrap_or_default();
            let by = format!("{by}{}", job.trigger.name);
            Ok(Data::from_value(&json!({ "document": { "by": by } })))
        })
    };
    on_each(endpoint, |house| {
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
    let house = House::on(Arc::new(MemoryStore::new()), script(8, |_| Ok(Data::None))).await;
    let new = NewTrigger {
        kind: "database".into(),
        ..trigger(
            "database.*",
            Policy {
                mode: Some(Mode::Sync),
                retry: Some(evoke_model::policy::Retry::default()),
                ..Policy::default()
            },
        )
    };
    let no = house.engine.create_trigger(new, &Actor::local()).await.expect_err("refused");
    assert_eq!(no.problems[0].field, "policy.retry");
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
    let house = House::on(Arc::new(MemoryStore::new()), script(8, |_| Ok(Data::None))).await;
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
