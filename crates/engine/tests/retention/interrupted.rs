//! Retention that is stopped halfway, and things that change under its hands.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use evoke_model::{ExecutionId, Millis, Timestamp};
use evoke_ports::Store;
use evoke_ports::store::{
    Archive, Change, Definitions, Documents, Error, EventQuery, Events, ExecutionQuery, Executions,
    Receipt, Write, Writer,
};
use evoke_stores::memory::MemoryStore;
use evoke_stores::sqlite::{SqliteOptions, SqliteStore};
use parking_lot::Mutex;

use crate::world::{Tier, World, hours, policy, target};

/// What happens when the archive is about to grow.
#[derive(Default)]
struct Trouble {
    /// So many times it may.
    allowed: AtomicUsize,
    /// Executions that are opened again the moment before.
    reopened: Mutex<Vec<ExecutionId>>,
}

/// A store with trouble.
struct Troubled(Arc<dyn Store>, Arc<Trouble>);

struct TroubledWriter(Box<dyn Writer>, Arc<Trouble>);

impl Store for Troubled {
    fn kind(&self) -> &'static str {
        self.0.kind()
    }
    fn writer(&self) -> Result<Box<dyn Writer>, Error> {
        Ok(Box::new(TroubledWriter(self.0.writer()?, self.1.clone())))
    }
    fn events(&self) -> Arc<dyn Events> {
        self.0.events()
    }
    fn executions(&self) -> Arc<dyn Executions> {
        self.0.executions()
    }
    fn definitions(&self) -> Arc<dyn Definitions> {
        self.0.definitions()
    }
    fn archive(&self) -> Arc<dyn Archive> {
        self.0.archive()
    }

    fn documents(&self) -> Arc<dyn Documents> {
        self.0.documents()
    }
}

fn grows(write: &Write) -> bool {
    match write {
        Write::Change(change) => matches!(**change, Change::Archive(_)),
        Write::All(all) => all.iter().any(grows),
        _ => false,
    }
}

impl Writer for TroubledWriter {
    fn commit(&mut self, batch: &[Write]) -> Result<Vec<Receipt>, Error> {
        if batch.iter().any(grows) {
            let due = Timestamp::from_millis(1_900_000_000_000);
            for id in self.1.reopened.lock().drain(..) {
                let reopen = Change::Reopen { id, due, redirect: None };
                self.0.commit(&[Write::from(reopen)])?;
            }
            let left = |left: usize| left.checked_sub(1);
            let (set, get) = (Ordering::Relaxed, Ordering::Relaxed);
            if self.1.allowed.fetch_update(set, get, left).is_err() {
                return Err(Error::new("grow", "the disk is on fire"));
            }
        }
        self.0.commit(batch)
    }
    fn housekeep(&mut self, now: Timestamp) -> Result<(), Error> {
        self.0.housekeep(now)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_was_stopped_halfway_goes_on_after_a_restart() {
    let dir = tempfile::tempdir().expect("a folder");
    let open = || {
        let options = SqliteOptions::at(dir.path().join("test.db"));
        Arc::new(SqliteStore::open(options).expect("a store"))
    };
    let trouble = Arc::new(Trouble { allowed: AtomicUsize::new(3), ..Trouble::default() });
    let store = Arc::new(Troubled(open(), trouble));
    let world = World::new(store, policy(Some(1), [100, 100, 100])).await;
    world.trigger("a", None).await;
    world.trigger("*", None).await;
    world.send("a", 1_000).await;
    let before = world.events(Tier::Active, EventQuery::default()).await;
    world.pass(hours(2));
    world.engine.retain_now().await.expect_err("the fourth segment cannot be written");
    let [events, executions, archived_events, archived_executions] = world.counts().await;
    assert!(archived_events > 0 && events > 0, "{events} and {archived_events}");
    assert_eq!((events + archived_events, executions + archived_executions), (1_000, 2_000));
    assert_eq!(executions, 2 * events, "an event and its executions move together");
    let now = world.now();
    world.engine.stop(Millis::ZERO).await;
    drop(world);

    let world = World::at(now, open(), target(), policy(Some(1), [100, 100, 100])).await;
    assert_eq!(world.counts().await[2], archived_events);
    world.engine.retain_now().await.expect("a run");
    assert_eq!(world.counts().await, [0, 0, 1_000, 2_000]);
    assert_eq!(world.events(Tier::Archived, EventQuery::default()).await, before);
    world.engine.stop(Millis::ZERO).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_opened_again_at_the_last_moment_is_shown_once() {
    let trouble = Arc::new(Trouble { allowed: AtomicUsize::new(usize::MAX), ..Trouble::default() });
    let store = Arc::new(Troubled(Arc::new(MemoryStore::new()), trouble.clone()));
    let world = World::new(store, policy(Some(1), [10_000, 10_000, 10_000])).await;
    world.trigger("a", None).await;
    world.send("a", 40).await;
    let all = world.executions(Tier::Active, ExecutionQuery::default()).await;
    let reopened: Vec<_> = all.keys().copied().step_by(10).collect();
    *trouble.reopened.lock() = reopened.clone();
    world.pass(hours(2));
    world.engine.retain_now().await.expect("a run");
    assert_eq!(world.counts().await, [4, 4, 36, 36]);
    for id in &reopened {
        let view = world.engine.execution(*id).await.expect("it is there");
        assert!(!view.execution.state.is_final());
        world.engine.cancel(*id).await.expect("it has not begun");
    }
    // Its second copy is the one that counts.
    world.pass(hours(3));
    world.engine.retain_now().await.expect("a run");
    assert_eq!(world.counts().await, [0, 0, 40, 40]);
    let archived = world.executions(Tier::Archived, ExecutionQuery::default()).await;
    for (id, view) in archived {
        let was_cancelled = view.execution.state == evoke_model::State::Cancelled;
        assert_eq!(was_cancelled, reopened.contains(&id), "{id}");
    }
}
