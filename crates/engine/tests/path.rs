//! The event path on real stores, with a target that does what the test says.

#![expect(clippy::expect_used, reason = "a failing test says where")]

mod support;
#[path = "support/wait.rs"]
mod wait;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use evoke_engine::{Actor, Draft};
use evoke_model::policy::{Backoff, Concurrency, Overflow, Retry};
use evoke_model::{Code, Data, Failure, Millis, Policy, State};
use evoke_ports::Store;
use evoke_stores::memory::MemoryStore;
use evoke_stores::sqlite::{SqliteOptions, SqliteStore};
use support::{draft, engine, script, trigger};
use wait::{count, query, reach};

fn fast_retry(attempts: u32) -> Policy {
    let retry = Retry {
        attempts,
        backoff: Backoff::Fixed,
        initial: Millis::new(1),
        jitter: false,
        ..Retry::default()
    };
    Policy { retry: Some(retry), ..Policy::default() }
}

fn sqlite(dir: &tempfile::TempDir) -> Arc<dyn Store> {
    // What an engine began before it stopped may hold its store a moment longer.
    for _ in 0..1_000 {
        match SqliteStore::open(SqliteOptions::at(dir.path().join("test.db"))) {
            Ok(store) => return Arc::new(store),
            Err(_) => std::thread::sleep(std::time::Duration::from_millis(5)),
        }
    }
    panic!("the store stays locked")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_events_than_the_window_holds_all_run_once() {
    let endpoint = script(8, |_| Ok(Data::None));
    let engine = engine(Arc::new(MemoryStore::new()), endpoint.clone()).await;
    engine
        .create_trigger(trigger("a.*", Policy::default()), &Actor::local())
        .await
        .expect("a trigger");
    for _ in 0..20 {
        engine.emit((0..1_000).map(|_| draft("a.b")).collect()).await.expect("accepted");
    }
    reach(&engine, query(&[State::Success]), 20_000).await;
    assert_eq!(endpoint.count.load(Ordering::Relaxed), 20_000);
    assert_eq!(count(&engine, query(&[State::Pending, State::Running])).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_accepted_before_a_restart_runs_after_it() {
    let dir = tempfile::tempdir().expect("a folder");
    {
        let closed = script(0, |_| Ok(Data::None));
        let engine = engine(sqlite(&dir), closed).await;
        engine
            .create_trigger(trigger("a", Policy::default()), &Actor::local())
            .await
            .expect("a trigger");
        engine.emit((0..5_000).map(|_| draft("a")).collect()).await.expect("accepted");
        engine.stop(Millis::ZERO).await;
    }
    let endpoint = script(64, |_| Ok(Data::None));
    let engine = engine(sqlite(&dir), endpoint.clone()).await;
    reach(&engine, query(&[State::Success]), 5_000).await;
    assert_eq!(endpoint.count.load(Ordering::Relaxed), 5_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failing_execution_uses_its_attempts_and_is_a_dead_letter_until_it_is_retried() {
    let works = Arc::new(AtomicBool::new(false));
    let switch = works.clone();
    let endpoint = script(4, move |_| match switch.load(Ordering::Relaxed) {
        true => Ok(Data::None),
        false => Err(Failure::new(Code::FunctionError, "not today")),
    });
    let engine = engine(Arc::new(MemoryStore::new()), endpoint.clone()).await;
    engine.create_trigger(trigger("a", fast_retry(3)), &Actor::local()).await.expect("a trigger");
    engine.emit(vec![draft("a")]).await.expect("accepted");
    reach(&engine, query(&[State::Failed]), 1).await;
    let attempts: Vec<u32> = endpoint.seen.lock().iter().map(|(_, attempt)| *attempt).collect();
    assert_eq!(attempts, [1, 2, 3]);
    let page = engine.executions(query(&[State::Failed])).await.expect("a page");
    let id = page.items[0].execution.id;
    assert_eq!(engine.attempts(id).await.expect("attempts").len(), 3);
    works.store(true, Ordering::Relaxed);
    engine.retry(id).await.expect("it may be retried");
    reach(&engine, query(&[State::Success]), 1).await;
    assert_eq!(engine.retry(id).await.map_err(|r| r.code), Ok(()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_of_one_key_run_in_order_while_a_failing_head_blocks_only_its_key() {
    let endpoint = script(16, |job| {
        let fails = job.event.kind.ends_with("x0") && job.attempt < 3;
        if fails { Err(Failure::new(Code::FunctionError, "again")) } else { Ok(Data::None) }
    });
    let engine = engine(Arc::new(MemoryStore::new()), endpoint.clone()).await;
    let policy = Policy { order_by: Some("event.subject".into()), ..fast_retry(5) };
    engine.create_trigger(trigger("**", policy), &Actor::local()).await.expect("a trigger");
    let drafts = (0..200)
        .flat_map(|n| ["x", "y", "z"].map(|key| (key, n)))
        .map(|(key, n)| Draft { subject: Some(key.into()), ..draft(&format!("{key}{n}")) });
    engine.emit(drafts.collect()).await.expect("accepted");
    reach(&engine, query(&[State::Success]), 600).await;
    let seen = endpoint.seen.lock().clone();
    for key in ["x", "y", "z"] {
        let mut order: Vec<usize> =
            seen.iter().filter_map(|(kind, _)| kind.strip_prefix(key)?.parse().ok()).collect();
        order.dedup();
        assert_eq!(order, (0..200).collect::<Vec<_>>(), "key {key}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_more_run_at_once_than_the_limit_of_their_key() {
    let policy = Policy {
        concurrency: Some(Concurrency {
            limit: 2,
            key: Some("event.subject".into()),
            overflow: Overflow::Queue,
        }),
        ..Policy::default()
    };
    let endpoint = script(64, |_| Ok(Data::None));
    let engine = engine(Arc::new(MemoryStore::new()), endpoint.clone()).await;
    engine.create_trigger(trigger("a", policy), &Actor::local()).await.expect("a trigger");
    let drafts =
        (0..500).map(|n| Draft { subject: Some(format!("k{}", n % 3).into()), ..draft("a") });
    engine.emit(drafts.collect()).await.expect("accepted");
    reach(&engine, query(&[State::Success]), 500).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_id_is_taken_once_and_its_answer_repeated() {
    let endpoint = script(4, |_| Ok(Data::None));
    let engine = engine(Arc::new(MemoryStore::new()), endpoint.clone()).await;
    engine
        .create_trigger(trigger("a", Policy::default()), &Actor::local())
        .await
        .expect("a trigger");
    let named = || Draft { id: Some("order-7".into()), ..draft("a") };
    let first = engine.emit(vec![named()]).await.expect("accepted");
    let second = engine.emit(vec![named(), draft("a")]).await.expect("accepted");
    assert!(!first[0].is_duplicate);
    assert!(second[0].is_duplicate);
    assert_eq!(first[0].id, second[0].id);
    reach(&engine, query(&[State::Success]), 2).await;
    assert_eq!(endpoint.count.load(Ordering::Relaxed), 2);
    assert_eq!(engine.event("order-7").await.expect("it is there").id, first[0].id);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_whose_cause_has_ended_counts_as_a_root() {
    let endpoint = script(4, |_| Ok(Data::None));
    let engine = engine(Arc::new(MemoryStore::new()), endpoint.clone()).await;
    let own = engine
        .create_trigger(trigger("a", Policy::default()), &Actor::local())
        .await
        .expect("a trigger");
    let emitted = engine.emit(vec![draft("a")]).await.expect("accepted");
    let id = evoke_model::ExecutionId { event: emitted[0].id, trigger: own.id };
    reach(&engine, query(&[State::Success]), 1).await;
    // Once it has ended its token proves nothing any more: no loop is seen and the trigger fires.
    engine.emit(vec![Draft { cause: Some(id), ..draft("a") }]).await.expect("accepted");
    reach(&engine, query(&[State::Success]), 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disabled_trigger_keeps_what_waits_and_explains_it() {
    use evoke_engine::triggers::Enabled;
    let endpoint = script(0, |_| Ok(Data::None));
    let engine = engine(Arc::new(MemoryStore::new()), endpoint.clone()).await;
    let own = engine
        .create_trigger(trigger("a", Policy::default()), &Actor::local())
        .await
        .expect("a trigger");
    engine.emit(vec![draft("a")]).await.expect("accepted");
    let page = engine.executions(query(&[])).await.expect("a page");
    let id = page.items[0].execution.id;
    // It is in the record a moment before it is in its lane.
    let mut why = engine.explain(id).await.expect("an explanation");
    while why.detail["why"] != "no_capacity" {
        assert_eq!(why.state, State::Pending, "{}", why.reason);
        tokio::task::yield_now().await;
        why = engine.explain(id).await.expect("an explanation");
    }
    engine.set_trigger_enabled(own.id, Enabled::No, &Actor::local()).await.expect("disabled");
    let why = engine.explain(id).await.expect("an explanation");
    assert_eq!(why.detail["why"], "trigger_disabled");
    engine.cancel(id).await.expect("cancelled");
    assert_eq!(count(&engine, query(&[State::Cancelled])).await, 1);
    assert_eq!(engine.cancel(id).await.map_err(|r| r.code), Err(Code::ExecutionState));
}
