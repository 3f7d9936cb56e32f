//! Replay and redrive as operations: their pace, their ends, and how they go on after a restart.

#![expect(clippy::expect_used, reason = "a failing test says where")]

#[path = "support/functions.rs"]
mod functions;
#[path = "support/over.rs"]
mod over;
mod support;
#[path = "support/wait.rs"]
mod wait;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use evoke_engine::{
    Actor, DeadLetterFilter, Draft, Engine, Parts, Redrive, Replay, ReplayTo, TestEvent,
};
use evoke_model::operation::{OperationKind, OperationStatus};
use evoke_model::policy::{Idempotency, Rate};
use evoke_model::{
    Code, Data, Failure, Millis, OperationId, Policy, Redirect, State, Target, Timestamp, TriggerId,
};
use evoke_ports::Store;
use evoke_ports::store::{AuditQuery, EventQuery, ExecutionQuery};
use evoke_stores::memory::MemoryStore;
use evoke_stores::sqlite::{SqliteOptions, SqliteStore};
use evoke_testkit::ManualClock;
use over::{dead, once, over, somebody, until};
use serde_json::json;
use support::{Script, draft, engine, parts, script, trigger};
use wait::{count, query, reach};

fn rate(limit: u32, per: Millis, burst: u32) -> Option<Rate> {
    Some(Rate { limit, per, key: None, burst: Some(burst) })
}

fn hour() -> Millis {
    Millis::from_secs(3_600)
}

fn memory() -> Arc<dyn Store> {
    Arc::new(MemoryStore::new())
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
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    Arc::new(opened.expect("a store"))
}

fn replayed() -> ExecutionQuery {
    ExecutionQuery { is_replay: Some(true), ..query(&[State::Success]) }
}

/// An endpoint that fails until it is mended.
fn breakable() -> (Arc<Script>, Arc<AtomicBool>) {
    let mended = Arc::<AtomicBool>::default();
    let switch = mended.clone();
    let endpoint = script(4, move |_| match switch.load(Ordering::Relaxed) {
        true => Ok(Data::None),
        false => Err(Failure::new(Code::FunctionError, "not today")),
    });
    (endpoint, mended)
}

/// An engine with a trigger for orders.
async fn taking_orders(parts: Parts) -> Engine {
    let engine = Engine::start(parts).await.expect("the engine starts");
    engine.admit();
    engine.create_trigger(trigger("order.*", once()), &Actor::local()).await.expect("a trigger");
    engine
}

/// An engine with a trigger for orders, whose time goes on when it is told.
async fn at_our_time(endpoint: Arc<Script>) -> (Engine, Arc<ManualClock>) {
    let clock = ManualClock::at(Timestamp::from_millis(1_800_000_000_000));
    let parts = Parts { clock: clock.clone(), ..parts(memory(), endpoint) };
    (taking_orders(parts).await, clock)
}

fn number(n: u64) -> Draft {
    let subject = Some(format!("s{}", n % 2).into());
    Draft { subject, data: Data::from_value(&json!({ "n": n })), ..draft("order.paid") }
}

async fn emit(engine: &Engine, range: std::ops::Range<u64>) {
    engine.emit(range.map(number).collect()).await.expect("accepted");
}

/// What the replays have written, by the event it repeats.
async fn repeated(engine: &Engine) -> Vec<String> {
    let query = EventQuery { limit: 1_000, ..EventQuery::default() };
    let page = engine.events(query).await.expect("a page");
    let repeated = page.items.iter().filter_map(|event| event.replay_of);
    repeated.map(|id| id.to_string()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redrive_keeps_to_its_rate() {
    let (endpoint, mended) = breakable();
    let (engine, clock) = at_our_time(endpoint).await;
    emit(&engine, 0..5).await;
    reach(&engine, dead(), 5).await;
    mended.store(true, Ordering::Relaxed);
    let request = Redrive { rate: rate(2, Millis::from_secs(1), 1), ..Redrive::default() };
    let operation = engine.redrive(request, &somebody()).await.expect("it begins");
    assert_eq!(operation.kind, OperationKind::Redrive);
    for taken in 1..=5 {
        let now = until(&engine, operation.id, |one| one.progress.taken >= taken).await;
        assert_eq!(now.progress.taken, taken);
        reach(&engine, query(&[State::Success]), taken as usize).await;
        clock.advance(Millis::new(499));
        tokio::task::yield_now().await;
        let now = engine.operation(operation.id).expect("it is listed");
        assert_eq!(now.progress.taken, taken);
        clock.advance(Millis::new(1));
    }
    // It sees the end of the last one with the next look at the time, if not before.
    clock.advance(Millis::from_secs(2));
    let operation = over(&engine, operation.id).await;
    assert_eq!((operation.status, operation.progress.succeeded), (OperationStatus::Done, 5));
    assert_eq!((operation.progress.seen, operation.progress.failed), (5, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redrive_stops_by_itself_when_the_cause_comes_back() {
    let (endpoint, _) = breakable();
    let (engine, clock) = at_our_time(endpoint).await;
    emit(&engine, 0..20).await;
    reach(&engine, dead(), 20).await;
    let groups = engine.dead_letter_groups(&DeadLetterFilter::default()).await.expect("groups");
    let request = Redrive {
        rate: rate(1, Millis::from_secs(1), 1),
        stop_after: Some(3),
        ..Redrive::default()
    };
    let operation = engine.redrive(request, &somebody()).await.expect("it begins");
    for failed in 1..=3 {
        until(&engine, operation.id, |one| one.progress.failed == failed).await;
        if failed < 3 {
            clock.advance(Millis::from_secs(1));
        }
    }
    let operation = over(&engine, operation.id).await;
    assert_eq!(operation.status, OperationStatus::Stopped);
    assert_eq!((operation.progress.taken, operation.progress.failed), (3, 3));
    let reason = operation.reason.expect("a reason");
    assert!(reason.contains(&groups[0].cause.to_string()) && reason.contains('3'), "{reason}");
    reach(&engine, dead(), 20).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redrive_goes_to_a_function_that_is_there() {
    let (endpoint, _) = breakable();
    let (parts, calls) = functions::with_functions(memory(), endpoint);
    let engine = taking_orders(parts).await;
    engine.deploy(functions::deployment("repair", "1")).await.expect("deployed");
    emit(&engine, 0..2).await;
    reach(&engine, dead(), 2).await;
    let to = |function: &str, version| Redrive {
        to: Some(Redirect { function: function.into(), version }),
        ..Redrive::default()
    };
    let refused = engine.redrive(to("repare", None), &somebody()).await.expect_err("refused");
    assert_eq!(refused.code, Code::FunctionNotFound);
    let refused = engine.redrive(to("repair", Some(7)), &somebody()).await.expect_err("refused");
    assert_eq!(
        (refused.code, refused.problems[0].field.as_str()),
        (Code::InvalidRequest, "to.version")
    );
    assert!(refused.message.contains("is not kept; kept is 1"), "{}", refused.message);
    assert!(engine.operations().is_empty());

    let operation = engine.redrive(to("repair", Some(1)), &somebody()).await.expect("it begins");
    let operation = over(&engine, operation.id).await;
    assert_eq!((operation.status, operation.progress.succeeded), (OperationStatus::Done, 2));
    let called: Vec<_> = calls.lock().iter().map(|call| call.0.clone()).collect();
    assert_eq!(called, ["repair", "repair"]);
    let page = engine.executions(query(&[State::Success])).await.expect("a page");
    assert!(page.items.iter().all(|view| view.execution.redirect.is_some()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redrive_goes_on_where_it_was_after_a_restart() {
    let dir = tempfile::tempdir().expect("a folder");
    let id = {
        let (endpoint, mended) = breakable();
        let engine = taking_orders(parts(sqlite(&dir).await, endpoint.clone())).await;
        emit(&engine, 0..6).await;
        reach(&engine, dead(), 6).await;
        mended.store(true, Ordering::Relaxed);
        let request = Redrive { rate: rate(1, hour(), 3), ..Redrive::default() };
        let operation = engine.redrive(request, &somebody()).await.expect("it begins");
        until(&engine, operation.id, |one| one.progress.succeeded == 3).await;
        engine.stop(Millis::from_secs(5)).await;
        assert_eq!(endpoint.count.load(Ordering::Relaxed), 9);
        operation.id
    };
    let endpoint = script(4, |_| Ok(Data::None));
    let engine = engine(sqlite(&dir).await, endpoint.clone()).await;
    let operation = over(&engine, id).await;
    assert_eq!(operation.status, OperationStatus::Done);
    assert_eq!((operation.progress.taken, operation.progress.seen), (6, 6));
    assert_eq!(endpoint.count.load(Ordering::Relaxed), 3, "none was run twice");
    reach(&engine, query(&[State::Success]), 6).await;
    assert!(engine.render_metrics().contains("evoke_dead_letters{trigger=\"on order.*\"} 0"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_operation_ends_and_what_it_sent_runs_on() {
    let (endpoint, mended) = breakable();
    let engine = taking_orders(parts(memory(), endpoint)).await;
    emit(&engine, 0..5).await;
    reach(&engine, dead(), 5).await;
    mended.store(true, Ordering::Relaxed);
    let request = Redrive { rate: rate(1, hour(), 2), ..Redrive::default() };
    let operation = engine.redrive(request, &somebody()).await.expect("it begins");
    until(&engine, operation.id, |one| one.progress.taken == 2).await;
    let canceller = Actor("on-call".into());
    let operation = engine.cancel_operation(operation.id, &canceller).await.expect("it ends");
    assert_eq!(operation.status, OperationStatus::Cancelled);
    assert!(operation.ended_at.is_some());
    reach(&engine, query(&[State::Success]), 2).await;
    assert_eq!(count(&engine, dead()).await, 3);
    let again = engine.cancel_operation(operation.id, &canceller).await;
    assert_eq!(again.map(|_| ()).map_err(|r| r.code), Err(Code::OperationState));
    let nobody = engine.cancel_operation(OperationId::from_u64(1), &canceller).await;
    assert_eq!(nobody.map(|_| ()).map_err(|r| r.code), Err(Code::OperationNotFound));
    let query = AuditQuery { action: Some("operation.*".into()), limit: 5, ..Default::default() };
    let entries = engine.audit(query).await.expect("a page").items;
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0].actor, "on-call");
    assert_eq!(entries[0].detail["progress"]["taken"], 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_end_without_an_attempt_is_found_as_well() {
    let (engine, clock) = at_our_time(script(0, |_| Ok(Data::None))).await;
    emit(&engine, 0..1).await;
    let operation = engine.replay(Replay::default(), &somebody()).await.expect("it begins");
    until(&engine, operation.id, |one| one.progress.taken == 1).await;
    let waiting = ExecutionQuery { is_replay: Some(true), ..query(&[State::Pending]) };
    let waiting = engine.executions(waiting).await.expect("a page").items;
    engine.cancel(waiting[0].execution.id).await.expect("cancelled");
    assert_eq!(engine.operation(operation.id).map(|one| one.status), Ok(OperationStatus::Running));
    let operation = until(&engine, operation.id, |one| {
        clock.advance(Millis::from_secs(1));
        one.status != OperationStatus::Running
    })
    .await;
    assert_eq!(operation.status, OperationStatus::Done);
    assert_eq!((operation.progress.succeeded, operation.progress.failed), (0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_with_a_request_is_told_before_anything_begins() {
    let engine = engine(memory(), script(1, |_| Ok(Data::None))).await;
    let off =
        engine.create_trigger(trigger("a", once()), &Actor::local()).await.expect("a trigger");
    engine
        .set_trigger_enabled(off.id, evoke_engine::triggers::Enabled::No, &Actor::local())
        .await
        .expect("disabled");
    let to = |to| Replay { to, ..Replay::default() };
    let nobody = Redirect { function: "nobody".into(), version: None };
    for (replay, code) in [
        (Replay { filter: Some("nothing(".into()), ..Replay::default() }, Code::InvalidRequest),
        (Replay { rate: rate(0, hour(), 1), ..Replay::default() }, Code::InvalidRequest),
        (to(ReplayTo::Trigger(TriggerId::from_u64(1))), Code::TriggerNotFound),
        (to(ReplayTo::Trigger(off.id)), Code::InvalidRequest),
        (to(ReplayTo::Function(nobody)), Code::FunctionNotFound),
    ] {
        let counted = engine.count_replay(&replay).await.map(|_| ());
        assert_eq!(counted.map_err(|rejection| rejection.code), Err(code), "{replay:?}");
        let begun = engine.replay(replay.clone(), &somebody()).await.map(|_| ());
        assert_eq!(begun.map_err(|rejection| rejection.code), Err(code), "{replay:?}");
    }
    assert!(engine.operations().is_empty());
    let audit = AuditQuery { limit: 5, ..AuditQuery::default() };
    let actions = engine.audit(audit).await.expect("a page").items;
    assert!(actions.iter().all(|entry| entry.action.starts_with("trigger.")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replay_to_all_triggers_does_what_its_dry_run_says() {
    let endpoint = script(4, |_| Ok(Data::None));
    let engine = taking_orders(parts(memory(), endpoint.clone())).await;
    let large = Policy { filter: Some("event.data.n >= 7".into()), ..once() };
    let large = engine
        .create_trigger(trigger("order.paid", large), &Actor::local())
        .await
        .expect("a trigger");
    emit(&engine, 0..10).await;
    engine.emit(vec![draft("user.created")]).await.expect("accepted");
    let test = TestEvent { kind: Some("order.paid".into()), ..TestEvent::default() };
    engine.test_trigger(large.id, test).await.expect("accepted");
    reach(&engine, query(&[State::Success]), 14).await;
    let request = Replay {
        kind: Some("order.*|user.*".into()),
        filter: Some("!has(event.data.n) || event.data.n >= 5".into()),
        ..Replay::default()
    };
    let dry = engine.count_replay(&request).await.expect("a count");
    assert_eq!((dry.seen, dry.events), (12, 5));
    let executions: Vec<_> = dry.executions.iter().map(|(_, name, n)| (&**name, *n)).collect();
    assert_eq!(executions, [("on order.*", 5), ("on order.paid", 3)]);
    assert!(dry.first < dry.last);

    for round in 1..=2 {
        let operation = engine.replay(request.clone(), &somebody()).await.expect("it begins");
        let progress = over(&engine, operation.id).await.progress;
        assert_eq!((progress.taken, progress.executions, progress.succeeded), (5, 8, 8));
        // Repetitions are not repeated.
        assert_eq!(repeated(&engine).await.len(), 5 * round);
        reach(&engine, replayed(), 8 * round).await;
    }
    let first = repeated(&engine).await.into_iter().collect::<BTreeSet<_>>();
    assert_eq!(first.len(), 5, "each original once in each replay");
    assert!(first.contains(&dry.first.expect("one").to_string()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replay_goes_to_one_trigger_or_one_function() {
    let (parts, calls) = functions::with_functions(memory(), script(4, |_| Ok(Data::None)));
    let engine = Engine::start(parts).await.expect("the engine starts");
    engine.admit();
    let all = engine
        .create_trigger(trigger("order.*", once()), &Actor::local())
        .await
        .expect("a trigger");
    engine.create_trigger(trigger("order.paid", once()), &Actor::local()).await.expect("a trigger");
    engine.deploy(functions::deployment("audit", "1")).await.expect("deployed");
    emit(&engine, 0..4).await;
    engine.emit(vec![draft("user.created")]).await.expect("accepted");
    let call = evoke_engine::Invocation { function: "audit".into(), ..Default::default() };
    engine.invoke_later(call).await.expect("accepted");
    reach(&engine, query(&[State::Success]), 9).await;
    calls.lock().clear();

    let to = ReplayTo::Trigger(all.id);
    let request = Replay { to, subject: Some("s1".into()), ..Replay::default() };
    assert_eq!(engine.count_replay(&request).await.expect("a count").events, 2);
    let operation = engine.replay(request, &somebody()).await.expect("it begins");
    let progress = over(&engine, operation.id).await.progress;
    assert_eq!((progress.taken, progress.executions), (2, 2));
    reach(&engine, ExecutionQuery { triggers: vec![all.id], ..replayed() }, 2).await;
    assert_eq!(count(&engine, replayed()).await, 2);

    // A function gets what its triggers never wanted, and direct calls.
    let to = |version| ReplayTo::Function(Redirect { function: "audit".into(), version });
    let request = Replay { to: to(None), ..Replay::default() };
    assert_eq!(engine.count_replay(&request).await.expect("a count").events, 6);
    let operation = engine.replay(request, &somebody()).await.expect("it begins");
    assert_eq!(over(&engine, operation.id).await.progress.succeeded, 6);
    let mut kinds: Vec<_> = calls.lock().iter().map(|call| call.1.clone()).collect();
    kinds.sort();
    assert_eq!(kinds[..2], ["invoke.audit", "order.paid"]);
    assert_eq!(kinds.len(), 6);
    let request = Replay { to: to(Some(1)), limit: Some(1), ..Replay::default() };
    let operation = engine.replay(request, &somebody()).await.expect("it begins");
    assert_eq!(over(&engine, operation.id).await.progress.taken, 1);

    // To all triggers direct calls are not sent, not even to one that wants everything.
    let everything = Target { kind: "scripted".into(), config: json!({}) };
    let everything = evoke_engine::NewTrigger { target: everything, ..trigger("**", once()) };
    engine.create_trigger(everything, &Actor::local()).await.expect("a trigger");
    let request = Replay { kind: Some("invoke.*".into()), ..Replay::default() };
    assert_eq!(engine.count_replay(&request).await.expect("a count").events, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replay_that_was_broken_off_sends_nothing_twice() {
    let dir = tempfile::tempdir().expect("a folder");
    let id = {
        let engine = taking_orders(parts(sqlite(&dir).await, script(4, |_| Ok(Data::None)))).await;
        emit(&engine, 0..7).await;
        reach(&engine, query(&[State::Success]), 7).await;
        let request = Replay { rate: rate(1, hour(), 4), ..Replay::default() };
        let operation = engine.replay(request, &somebody()).await.expect("it begins");
        until(&engine, operation.id, |one| one.progress.taken == 4).await;
        engine.stop(Millis::from_secs(5)).await;
        operation.id
    };
    let engine = engine(sqlite(&dir).await, script(4, |_| Ok(Data::None))).await;
    let operation = over(&engine, id).await;
    assert_eq!(operation.status, OperationStatus::Done);
    assert_eq!((operation.progress.taken, operation.progress.seen), (7, 7));
    let repeated = repeated(&engine).await;
    assert_eq!(repeated.len(), 7);
    assert_eq!(repeated.into_iter().collect::<BTreeSet<_>>().len(), 7);
    reach(&engine, replayed(), 7).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_key_of_a_trigger_counts_within_a_replay_and_not_before_it() {
    let engine = engine(memory(), script(4, |_| Ok(Data::None))).await;
    let idempotency = Some(Idempotency { key: "event.subject".into(), ttl: None });
    let policy = Policy { idempotency, ..once() };
    engine.create_trigger(trigger("order.*", policy), &Actor::local()).await.expect("a trigger");
    emit(&engine, 0..6).await;
    reach(&engine, query(&[State::Success]), 2).await;
    for round in 1..=2 {
        let operation = engine.replay(Replay::default(), &somebody()).await.expect("it begins");
        let progress = over(&engine, operation.id).await.progress;
        assert_eq!((progress.taken, progress.executions, progress.succeeded), (6, 6, 2));
        reach(&engine, replayed(), 2 * round).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_newest_operations_come_first_and_only_eight_go_on() {
    let engine = taking_orders(parts(memory(), script(4, |_| Ok(Data::None)))).await;
    emit(&engine, 0..2).await;
    let request = || Replay { rate: rate(1, hour(), 1), ..Replay::default() };
    let mut begun = Vec::new();
    for _ in 0..8 {
        begun.push(engine.replay(request(), &somebody()).await.expect("it begins").id);
    }
    let refused = engine.replay(request(), &somebody()).await.map(|_| ());
    assert_eq!(refused.map_err(|rejection| rejection.code), Err(Code::OperationState));
    begun.reverse();
    let listed: Vec<_> = engine.operations().iter().map(|one| one.id).collect();
    assert_eq!(listed, begun);
    engine.cancel_operation(begun[3], &somebody()).await.expect("it ends");
    engine.replay(request(), &somebody()).await.expect("there is room again");
}

fn days(days: u64) -> Millis {
    Millis::from_secs(days * 86_400)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_in_the_archive_is_sent_again_like_what_is_in_the_record() {
    let (engine, clock) = at_our_time(script(64, |_| Ok(Data::None))).await;
    emit(&engine, 0..150).await;
    reach(&engine, query(&[State::Success]), 150).await;
    clock.advance(days(3));
    engine.retain_now().await.expect("it runs");
    emit(&engine, 150..160).await;
    reach(&engine, query(&[State::Success]), 10).await;
    let filter = Some("event.data.n >= 50".into());
    let rate = rate(1_000, Millis::from_secs(1), 1_000);
    let request = Replay { filter, rate, ..Replay::default() };
    let dry = engine.count_replay(&request).await.expect("a count");
    assert_eq!((dry.seen, dry.events), (160, 110));
    let operation = engine.replay(request, &somebody()).await.expect("it begins");
    let done = until(&engine, operation.id, |one| one.progress.succeeded == 110).await;
    assert_eq!((done.progress.seen, done.progress.taken), (160, 110));
    let repeated = repeated(&engine).await;
    assert_eq!(repeated.len(), 110);
    assert_eq!(repeated.into_iter().collect::<BTreeSet<_>>().len(), 110);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replay_misses_nothing_that_moves_into_the_archive_meanwhile() {
    let (engine, clock) = at_our_time(script(64, |_| Ok(Data::None))).await;
    emit(&engine, 0..350).await;
    reach(&engine, query(&[State::Success]), 350).await;
    let request = Replay { rate: rate(1, Millis::from_secs(60), 50), ..Replay::default() };
    let operation = engine.replay(request, &somebody()).await.expect("it begins");
    until(&engine, operation.id, |one| one.progress.taken == 50).await;
    clock.advance(days(3));
    engine.retain_now().await.expect("it runs");
    let archive = EventQuery { limit: 1, ..EventQuery::default() };
    assert!(!engine.archived_events(archive).await.expect("a page").items.is_empty());
    for taken in (100..=350).step_by(50) {
        until(&engine, operation.id, |one| one.progress.taken >= taken).await;
        clock.advance(Millis::from_secs(50 * 60));
    }
    let operation = until(&engine, operation.id, |one| one.progress.succeeded == 350).await;
    assert_eq!((operation.progress.seen, operation.progress.taken), (350, 350));
}
