//! Active, archived, gone.

use std::sync::Arc;

use evoke_engine::{KindPattern, RetentionPolicy, Rule};
use evoke_model::{Code, Millis, State};
use evoke_ports::Store;
use evoke_ports::store::{EventQuery, ExecutionQuery, Order};
use evoke_stores::memory::MemoryStore;
use evoke_stores::sqlite::{SqliteOptions, SqliteStore};

use crate::support;
use crate::world::{Tier, World, hours, policy};

fn memory() -> Arc<dyn Store> {
    Arc::new(MemoryStore::new())
}

async fn through_all_tiers(store: Arc<dyn Store>) {
    let world = World::new(store, policy(Some(24), [7 * 24, 30 * 24, 30 * 24])).await;
    world.trigger("a", None).await;
    world.trigger("*", Some("all")).await;
    world.send("a", 600).await;
    let events = world.events(Tier::Active, EventQuery::default()).await;
    let executions = world.executions(Tier::Active, ExecutionQuery::default()).await;
    assert_eq!((events.len(), executions.len()), (600, 1_200));

    world.pass(hours(23));
    world.engine.retain_now().await.expect("a run");
    world.send("b", 300).await;
    assert_eq!(world.counts().await, [900, 1_500, 0, 0]);

    world.pass(hours(2));
    let done = world.engine.retain_now().await.expect("a run");
    assert_eq!((done.archived_events, done.archived_executions), (600, 1_200));
    assert_eq!(world.counts().await, [300, 300, 600, 1_200]);
    let archived = world.events(Tier::Archived, EventQuery::default()).await;
    assert_eq!(archived, events);
    let again = world.engine.retain_now().await.expect("a run");
    assert_eq!((again.archived_events, again.removed_segments), (0, 0));
    for (id, event) in &events {
        assert_eq!(world.engine.event(&id.to_string()).await.as_ref(), Ok(event));
    }
    for (id, view) in executions.iter().step_by(50) {
        let found = world.engine.execution(*id).await.expect("it is archived");
        assert_eq!(found.execution, view.execution);
        assert_eq!(found.function, view.function);
        assert_eq!(world.engine.attempts(*id).await.expect("attempts").len(), 1);
        let payload = world.engine.payload_of(*id).await.expect("a payload");
        assert_eq!(payload.as_ref(), Some(&events[&id.event].data));
        let refused = world.engine.retry(*id).await.map_err(|rejection| rejection.code);
        assert_eq!(refused, Err(Code::ExecutionState));
        assert!(world.engine.explain(*id).await.expect("a reason").reason.contains("success"));
    }

    world.pass(hours(7 * 24));
    let done = world.engine.retain_now().await.expect("a run");
    assert_eq!((done.archived_events, done.archived_executions), (0, 300));
    assert_eq!(done.removed_events, 300);
    assert_eq!(world.counts().await, [0, 0, 0, 1_500]);
    let gone = world.engine.event(&events.keys().next().expect("one").to_string()).await;
    assert_eq!(gone.map_err(|rejection| rejection.code), Err(Code::EventNotFound));

    world.pass(hours(30 * 24));
    world.engine.retain_now().await.expect("a run");
    assert_eq!(world.counts().await, [0, 0, 0, 0]);
    let view = world.engine.retention().await.expect("a view");
    assert_eq!((view.segments, view.size.archived, view.active_events), (0, 0, Some(0)));
    world.engine.stop(Millis::ZERO).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_goes_through_its_tiers_in_memory() {
    through_all_tiers(memory()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_goes_through_its_tiers_on_disk() {
    let dir = tempfile::tempdir().expect("a folder");
    let options = SqliteOptions::at(dir.path().join("test.db"));
    through_all_tiers(Arc::new(SqliteStore::open(options).expect("a store"))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_of_the_archive_mean_what_lists_of_the_record_mean() {
    let world = World::new(memory(), policy(Some(24), [100, 100, 100])).await;
    world.trigger("a.*", None).await;
    world.trigger("*", None).await;
    let begin = world.now();
    for kind in ["a.x", "b", "a.y", "c"] {
        world.send(kind, 150).await;
        world.pass(hours(1));
    }
    let middle = begin.plus(hours(2));
    let queries: Vec<EventQuery> = [
        EventQuery::default(),
        EventQuery { kind: Some("a.*".into()), ..Default::default() },
        EventQuery { kind: Some("b".into()), order: Order::OldestFirst, ..Default::default() },
        EventQuery { since: Some(middle), ..Default::default() },
        EventQuery { until: Some(middle), order: Order::OldestFirst, ..Default::default() },
        EventQuery { source: Some("/elsewhere".into()), ..Default::default() },
        EventQuery { subject: Some("none".into()), ..Default::default() },
    ]
    .into();
    let first =
        *world.events(Tier::Active, EventQuery::default()).await.keys().next().expect("one");
    let triggers: Vec<_> = world.engine.triggers().iter().map(|trigger| trigger.id).collect();
    let of_executions: Vec<ExecutionQuery> = vec![
        ExecutionQuery::default(),
        ExecutionQuery { event: Some(first), ..Default::default() },
        ExecutionQuery { triggers: vec![triggers[0]], ..Default::default() },
        ExecutionQuery { states: vec![State::Success], since: Some(middle), ..Default::default() },
        ExecutionQuery { states: vec![State::Cancelled], ..Default::default() },
        ExecutionQuery { order: Order::OldestFirst, until: Some(middle), ..Default::default() },
        ExecutionQuery { is_test_run: Some(true), ..Default::default() },
        ExecutionQuery { is_replay: Some(false), ..Default::default() },
        ExecutionQuery { only_dead_letters: true, ..Default::default() },
    ];
    let mut before = (Vec::new(), Vec::new());
    for query in &queries {
        before.0.push(world.events(Tier::Active, query.clone()).await);
    }
    for query in &of_executions {
        let found = world.executions(Tier::Active, query.clone()).await;
        before.1.push(found.into_keys().collect::<Vec<_>>());
    }
    world.pass(hours(30));
    world.engine.retain_now().await.expect("a run");
    for (query, expected) in queries.iter().zip(before.0) {
        assert_eq!(world.events(Tier::Archived, query.clone()).await, expected, "{query:?}");
        assert!(world.events(Tier::Active, query.clone()).await.is_empty(), "{query:?}");
    }
    for (query, expected) in of_executions.iter().zip(before.1) {
        let found = world.executions(Tier::Archived, query.clone()).await;
        assert_eq!(found.into_keys().collect::<Vec<_>>(), expected, "{query:?}");
    }
    let foreign = EventQuery { cursor: Some("ff".into()), limit: 1, ..Default::default() };
    let refused = world.engine.archived_events(foreign).await.map(|_| ());
    assert_eq!(refused.map_err(|rejection| rejection.code), Err(Code::InvalidRequest));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rules_by_type_and_by_function_give_other_times() {
    let kind = |text| Some(KindPattern::parse(text).expect("a pattern"));
    let rules = vec![
        Rule { kind: kind("debug.*"), events: Some(hours(1)), ..Rule::default() },
        Rule { function: Some("audit".into()), executions: Some(hours(900)), ..Rule::default() },
        Rule { kind: kind("keep.*"), events: Some(hours(900)), ..Rule::default() },
    ];
    let policy = RetentionPolicy { rules, ..policy(Some(24), [48, 96, 96]) };
    let world = World::new(memory(), policy).await;
    world.trigger("debug.*|order.*|keep.*", None).await;
    world.trigger("order.*", Some("audit")).await;
    for kind in ["debug.a", "order.a", "keep.a"] {
        world.send(kind, 10).await;
    }
    // The events of `debug.*` go after an hour; their executions have the usual time.
    let steps = [
        (2, [20, 30, 0, 10]),
        (25, [0, 0, 20, 40]),
        (49, [0, 0, 10, 40]),
        (97, [0, 0, 10, 10]),
        (901, [0, 0, 0, 0]),
    ];
    let mut at = 0;
    for (hour, expected) in steps {
        world.pass(hours(hour - at));
        at = hour;
        world.engine.retain_now().await.expect("a run");
        assert_eq!(world.counts().await, expected, "after {hour} hours");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dead_letters_stay_until_their_own_time_is_over() {
    let world = World::new(memory(), policy(Some(1), [2, 3, 48])).await;
    world.trigger("*", None).await;
    world.send("dead.a", 20).await;
    world.send("fine", 20).await;
    world.pass(hours(10));
    world.engine.retain_now().await.expect("a run");
    assert_eq!(world.counts().await, [20, 20, 0, 0]);
    let dead = ExecutionQuery { only_dead_letters: true, ..Default::default() };
    let ids: Vec<_> = world.executions(Tier::Active, dead).await.into_keys().collect();
    assert_eq!(ids.len(), 20);
    world.engine.retry(ids[0]).await.expect("it may be retried");
    world.pass(hours(39));
    world.engine.retain_now().await.expect("a run");
    // The one that failed again is young again.
    assert_eq!(world.counts().await, [1, 1, 0, 0]);
    world.pass(hours(49));
    world.engine.retain_now().await.expect("a run");
    assert_eq!(world.counts().await, [0, 0, 0, 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_open_is_never_touched() {
    let closed = support::script(0, |_| Ok(evoke_model::Data::None));
    let begin = evoke_model::Timestamp::from_millis(1_795_000_000_000);
    for archive_after in [Some(1), None] {
        let mut policy = policy(archive_after, [1, 1, 1]);
        policy.max_bytes = Some(evoke_model::ByteSize::new(1));
        let world = World::at(begin, memory(), closed.clone(), policy).await;
        world.trigger("a", None).await;
        world.emit("a", 50).await;
        world.emit("nobody wants it", 50).await;
        world.pass(hours(10_000));
        world.engine.retain_now().await.expect("a run");
        assert_eq!(world.counts().await, [50, 50, 0, 0]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_loop_runs_by_itself_and_metrics_tell_of_it() {
    let world = World::new(memory(), policy(Some(1), [2, 3, 3])).await;
    world.trigger("a", None).await;
    world.send("a", 30).await;
    world.pass(Millis::new(90 * 60 * 1_000));
    for _ in 0..3_000 {
        if world.counts().await == [0, 0, 30, 30] {
            break;
        }
        world.wake();
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!(world.counts().await, [0, 0, 30, 30]);
    world.pass(hours(2));
    world.engine.retain_now().await.expect("a run");
    let text = world.engine.render_metrics();
    let expected = [
        "evoke_retention_events{tier=\"active\"} 0",
        "evoke_retention_events{tier=\"archived\"} 0",
        "evoke_retention_removed_total{kind=\"segment\"} 2",
        "evoke_store_bytes{use=\"archived\"} 0",
    ];
    for line in expected {
        assert!(text.contains(line), "{line} is not in {text}");
    }
}

#[tokio::test]
async fn how_far_back_the_record_goes_is_known_by_type() {
    let pattern = KindPattern::parse("brief.*").expect("a pattern");
    let rule = Rule { kind: Some(pattern), events: Some(hours(2)), ..Rule::default() };
    let policy = RetentionPolicy { rules: vec![rule], ..policy(Some(24), [7 * 24, 30, 30]) };
    let world = World::new(memory(), policy).await;
    let since = async |kind| world.engine.kept_since(kind).await.expect("a time");
    let (brief, other) = (since("brief.one").await, since("other").await);
    assert_eq!(brief, other.plus(hours(7 * 24 - 2)));
    world.engine.stop(Millis::ZERO).await;
}
