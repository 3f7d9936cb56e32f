//! The tree of causes.

#![expect(clippy::expect_used, reason = "a failing test says where")]

#[path = "support/relay.rs"]
mod relay;
#[expect(dead_code, reason = "it serves other tests as well")]
mod support;
#[path = "support/wait.rs"]
mod wait;

use std::sync::Arc;

use evoke_engine::{Actor, Engine, NewTrigger, TreeEvent};
use evoke_model::{Code, Millis, Outcome, Policy, State, Target, Timestamp};
use evoke_ports::store::EventQuery;
use evoke_stores::memory::MemoryStore;
use evoke_testkit::ManualClock;
use serde_json::json;
use support::{draft, parts, script, trigger};
use wait::{query, reach};

/// A trigger whose executions send an event of another type.
fn sender(pattern: &str, sends: &str) -> NewTrigger {
    let target = Target { kind: "relay".into(), config: json!({ "sends": sends }) };
    NewTrigger { target, ..trigger(pattern, Policy::default()) }
}

fn text(tree: &TreeEvent) -> String {
    let executions = tree.executions.iter().map(|one| {
        let name = one.view.trigger.as_ref().map_or("?", |trigger| trigger.name.as_str());
        let events: Vec<_> = one.events.iter().map(text).collect();
        format!("{name} {} [{}]", one.view.execution.state.as_str(), events.join(", "))
    });
    let executions: Vec<_> = executions.collect();
    format!("{}: {}", tree.event.kind, executions.join("; "))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_tree_goes_from_the_root_to_where_the_loop_brake_cut_it() {
    let parts = parts(Arc::new(MemoryStore::new()), script(4, |_| Ok(Default::default())));
    let (mut parts, slot) = relay::with_relay(parts);
    let clock = ManualClock::at(Timestamp::from_millis(1_800_000_000_000));
    parts.clock = clock.clone();
    let engine = Engine::start(parts).await.expect("the engine starts");
    engine.admit();
    assert!(slot.set(engine.clone()).is_ok());
    engine.create_trigger(sender("a", "b"), &Actor::local()).await.expect("a trigger");
    engine.create_trigger(sender("b", "a"), &Actor::local()).await.expect("a trigger");
    engine
        .create_trigger(trigger("b", Policy::default()), &Actor::local())
        .await
        .expect_err("the name is taken");
    let watcher = NewTrigger { name: "watches b".into(), ..trigger("b", Policy::default()) };
    engine.create_trigger(watcher, &Actor::local()).await.expect("a trigger");
    let emitted = engine.emit(vec![draft("a"), draft("other")]).await.expect("accepted");
    reach(&engine, query(&[State::Success]), 3).await;
    reach(&engine, query(&[State::Cancelled]), 1).await;

    let tree = engine.tree(&emitted[0].id.to_string()).await.expect("a tree");
    assert!(!tree.truncated);
    let wanted = "a: on a success [b: on b success [a: on a cancelled []]; watches b success []]";
    assert_eq!(text(&tree.root), wanted);
    // From any of its events the tree is the same.
    let last = &tree.root.executions[0].events[0].executions[0].events[0];
    let again = engine.tree(&last.event.id.to_string()).await.expect("a tree");
    assert_eq!(text(&again.root), wanted);
    let cut = last.executions[0].view.execution.last.as_ref().expect("its only entry");
    let Outcome::Failure(failure) = &cut.outcome else { panic!("{cut:?}") };
    assert_eq!(failure.code, Code::LoopBroken);

    // In the archive it stays what it was.
    clock.advance(Millis::from_secs(3 * 86_400));
    engine.retain_now().await.expect("it runs");
    let archive = EventQuery { limit: 10, ..EventQuery::default() };
    assert_eq!(engine.archived_events(archive).await.expect("a page").items.len(), 4);
    let again = engine.tree(&last.event.id.to_string()).await.expect("a tree");
    assert_eq!((text(&again.root).as_str(), again.truncated), (wanted, false));

    let alone = engine.tree(&emitted[1].id.to_string()).await.expect("a tree");
    assert_eq!(text(&alone.root), "other: ");
    let nothing = engine.tree("evt_0000000000000").await.map(|tree| tree.truncated);
    assert_eq!(nothing.map_err(|rejection| rejection.code), Err(Code::EventNotFound));
}
