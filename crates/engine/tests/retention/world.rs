//! An engine whose time stands still.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use evoke_engine::{Actor, Draft, Engine, ExecutionView, NewTrigger, RetentionPolicy};
use evoke_model::policy::Retry;
use evoke_model::{
    Code, Data, Event, EventId, ExecutionId, Failure, Millis, Policy, State, Target, Timestamp,
};
use evoke_ports::store::{EventQuery, ExecutionQuery, Order as Direction};
use evoke_ports::{Clock, Store};
use serde_json::json;
use tokio::sync::watch;

use crate::support::{self, Script};

/// A clock that moves when it is told. Who sleeps sleeps on until [`World::wake`], so that the loop
/// of retention does nothing that a test has not asked for.
pub struct WakingClock {
    now: AtomicI64,
    woken: watch::Sender<Timestamp>,
}

#[async_trait]
impl Clock for WakingClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.now.load(Ordering::Relaxed))
    }
    async fn sleep_until(&self, instant: Timestamp) {
        let mut woken = self.woken.subscribe();
        woken.wait_for(|now| *now >= instant).await.expect("the clock is there");
    }
}

/// An engine and its time.
pub struct World {
    pub engine: Engine,
    clock: Arc<WakingClock>,
}

/// A target on which events of the types `dead...` fail for good.
pub fn target() -> Arc<Script> {
    support::script(64, |job| match job.event.kind.starts_with("dead") {
        true => Err(Failure::new(Code::FunctionError, "no").for_good()),
        false => Ok(Data::from_value(&json!({ "done": &*job.event.kind }))),
    })
}

/// A policy with ages in hours: archive, events, executions, dead letters.
pub fn policy(archive_after: Option<u64>, [events, executions, dead]: [u64; 3]) -> RetentionPolicy {
    RetentionPolicy {
        archive_after: archive_after.map(hours),
        events: hours(events),
        executions: hours(executions),
        dead_letters: hours(dead),
        ..RetentionPolicy::default()
    }
}

pub fn hours(hours: u64) -> Millis {
    Millis::from_secs(3_600 * hours)
}

impl World {
    /// An engine on this store at this time.
    pub async fn at(
        now: Timestamp,
        store: Arc<dyn Store>,
        target: Arc<Script>,
        retention: RetentionPolicy,
    ) -> Self {
        let woken = watch::Sender::new(now);
        let now = AtomicI64::new(now.as_micros());
        let clock = Arc::new(WakingClock { now, woken });
        let mut parts = support::parts(store, target.clone());
        // A target called `function`, so that triggers have functions.
        parts.targets.push(support::target("function", target));
        parts.clock = clock.clone();
        parts.settings.retention = retention;
        let engine = Engine::start(parts).await.expect("the engine starts");
        engine.admit();
        Self { engine, clock }
    }

    /// An engine whose time begins somewhere.
    pub async fn new(store: Arc<dyn Store>, retention: RetentionPolicy) -> Self {
        Self::at(Timestamp::from_millis(1_795_000_000_000), store, target(), retention).await
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Moves the time on.
    pub fn pass(&self, wait: Millis) {
        self.clock.now.fetch_add(wait.as_u64() as i64 * 1_000, Ordering::Relaxed);
    }

    /// Wakes who slept until now.
    pub fn wake(&self) {
        self.clock.woken.send_replace(self.now());
    }

    /// A trigger for all events that match, for a function if one is named.
    pub async fn trigger(&self, pattern: &str, function: Option<&str>) {
        let retry = Retry { attempts: 1, ..Retry::default() };
        let new = support::trigger(pattern, Policy { retry: Some(retry), ..Policy::default() });
        let target = function.map_or_else(|| new.target.clone(), Target::function);
        let new = NewTrigger { target, ..new };
        self.engine.create_trigger(new, &Actor::local()).await.expect("a trigger");
    }

    /// Sends so many events and waits until nothing of them is open.
    pub async fn send(&self, kind: &str, count: usize) {
        self.emit(kind, count).await;
        for _ in 0..3_000 {
            if self.executions_in(&[State::Pending, State::Running]).await.is_empty() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{:?} are still open", self.executions_in(&[State::Pending]).await.len());
    }

    /// Sends so many events.
    pub async fn emit(&self, kind: &str, count: usize) {
        let draft = |number| Draft {
            data: Data::from_value(&json!({ "number": number, "text": "x".repeat(100) })),
            ..support::draft(kind)
        };
        for first in (0..count).step_by(1_000) {
            let drafts = (first..count.min(first + 1_000)).map(draft).collect();
            self.engine.emit(drafts).await.expect("accepted");
        }
        // So that no later event is of the same millisecond.
        self.pass(Millis::new(10));
    }

    async fn executions_in(&self, states: &[State]) -> Vec<ExecutionView> {
        let query = ExecutionQuery { states: states.to_vec(), limit: 1, ..Default::default() };
        self.engine.executions(query).await.expect("a page").items
    }

    /// All events of a tier, which must come in order and once.
    pub async fn events(&self, tier: Tier, query: EventQuery) -> BTreeMap<EventId, Arc<Event>> {
        let mut query = EventQuery { limit: 97, ..query };
        let mut all = BTreeMap::new();
        let mut last = None;
        loop {
            let page = match tier {
                Tier::Active => self.engine.events(query.clone()).await,
                Tier::Archived => self.engine.archived_events(query.clone()).await,
            };
            let page = page.expect("a page");
            for event in page.items {
                let in_order = last.is_none_or(|last| match query.order {
                    Direction::NewestFirst => event.id < last,
                    Direction::OldestFirst => event.id > last,
                });
                assert!(in_order, "{} follows {last:?}", event.id);
                last = Some(event.id);
                all.insert(event.id, event);
            }
            query.cursor = page.next;
            if query.cursor.is_none() {
                return all;
            }
        }
    }

    /// All executions of a tier, which must come once.
    pub async fn executions(
        &self,
        tier: Tier,
        query: ExecutionQuery,
    ) -> BTreeMap<ExecutionId, ExecutionView> {
        let mut query = ExecutionQuery { limit: 97, ..query };
        let mut all = BTreeMap::new();
        loop {
            let page = match tier {
                Tier::Active => self.engine.executions(query.clone()).await,
                Tier::Archived => self.engine.archived_executions(query.clone()).await,
            };
            let page = page.expect("a page");
            for view in page.items {
                let id = view.execution.id;
                assert!(all.insert(id, view).is_none(), "{id} came twice");
            }
            query.cursor = page.next;
            if query.cursor.is_none() {
                return all;
            }
        }
    }

    /// How many events and executions there are: active, then archived.
    pub async fn counts(&self) -> [usize; 4] {
        [
            self.events(Tier::Active, EventQuery::default()).await.len(),
            self.executions(Tier::Active, ExecutionQuery::default()).await.len(),
            self.events(Tier::Archived, EventQuery::default()).await.len(),
            self.executions(Tier::Archived, ExecutionQuery::default()).await.len(),
        ]
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tier {
    Active,
    Archived,
}
