//! Polls on a clock that is told when to go on, on both stores, with functions that answer what a
//! test tells them.

#![expect(clippy::expect_used, reason = "a failing test says where")]

#[path = "polls/bed.rs"]
mod bed;
#[path = "support/functions.rs"]
#[expect(dead_code, reason = "it serves other tests as well")]
mod functions;
#[expect(dead_code, reason = "it serves other tests as well")]
mod support;
#[path = "support/wait.rs"]
mod wait;

use bed::{Bed, fire, no, open, poll, stores};
use evoke_engine::triggers::Enabled;
use evoke_engine::{Actor, SkipReason};
use evoke_model::{Code, Failure, Millis, State};
use evoke_ports::Store;
use serde_json::{Value, json};
use support::{script, trigger};
use wait::{count, query, reach};

const SECOND: Millis = Millis::from_secs(1);

#[tokio::test]
async fn a_hundred_firings_are_on_the_grid_and_each_runs_once() {
    for store in stores() {
        let bed = Bed::new(store, script(1, |_| Ok(Default::default()))).await;
        bed.answers(|_| Ok(fire(json!({ "file": "a" }))));
        let id = bed.poll("watch", poll("2s")).await;
        let first = bed.status(id).next_poll.expect("it waits");
        for n in 0..100_u64 {
            let due = bed.status(id).next_poll.expect("it waits");
            assert_eq!(due, first.plus(Millis::from_secs(2 * n)));
            // Now and then it is late, which moves nothing.
            bed.ask_late(id, Millis::new(13 * (n % 7))).await;
            reach(&bed.engine, query(&[State::Success]), n as usize + 1).await;
        }
        let asked = bed.asked();
        for (n, data) in asked.iter().enumerate() {
            let due = first.plus(Millis::from_secs(2 * n as u64));
            assert_eq!(data["scheduled_at"], json!(due));
        }
        let status = bed.status(id);
        assert_eq!((asked.len(), status.polls, status.fired), (100, 100, 100));
        assert_eq!(bed.skips(id), [0; 5], "a target that is done is no reason to skip");
        bed.stop().await;
    }
}

#[tokio::test]
async fn an_event_carries_the_context_and_its_hash() {
    for store in stores() {
        let bed = Bed::new(store, script(1, |_| Ok(Default::default()))).await;
        bed.answers(|_| Ok(fire(json!({ "size": 12, "file": "a.csv" }))));
        bed.engine
            .create_trigger(trigger("poll.*", Default::default()), &Actor::local())
            .await
            .expect("an event trigger");
        let id = bed.poll("watch", poll("1s")).await;
        bed.ask(id).await;
        // Its own, and that of the trigger that asks for such events.
        reach(&bed.engine, query(&[State::Success]), 2).await;
        let events = bed.events().await;
        assert_eq!(events.len(), 1);
        assert_eq!(&*events[0].source, format!("/polls/{id}"));
        assert_eq!(&*events[0].kind, "poll.watch");
        assert_eq!(events[0].data.to_value(), json!({ "size": 12, "file": "a.csv" }));
        let subject = events[0].subject.as_deref().expect("a hash");
        assert!(subject.starts_with("sha256:01c68ab36c11"), "{subject}");
        bed.stop().await;
    }
}

#[tokio::test]
async fn the_same_context_waits_for_its_execution_over_a_restart_too() {
    let folder = tempfile::tempdir().expect("a folder");
    // No place: what is fired stays open.
    let bed = Bed::new(open(folder.path()).await, script(0, |_| Ok(Default::default()))).await;
    // Keys in another order, and numbers written in another way, each time.
    let contexts = [r#"{"a":1,"b":2}"#, r#"{"b":2.0,"a":1e0}"#];
    bed.answers(move |n| Ok(format!(r#"{{"fire":true,"context":{}}}"#, contexts[n % 2])));
    let id = bed.poll("watch", poll("1s")).await;
    for _ in 0..3 {
        bed.ask(id).await;
    }
    assert_eq!((bed.status(id).fired, bed.skip_count(id, SkipReason::SameContext)), (1, 2));
    let (clock, answers) = bed.stop().await;

    let endpoint = script(0, |_| Ok(Default::default()));
    let bed = Bed::again(open(folder.path()).await, endpoint, clock).await;
    bed.take_answers(answers);
    bed.ask(id).await;
    assert_eq!((bed.status(id).fired, bed.skip_count(id, SkipReason::SameContext)), (1, 3));
    let (clock, answers) = bed.stop().await;

    // Now there is a place: each firing is done before the next question.
    let endpoint = script(1, |_| Ok(Default::default()));
    let bed = Bed::again(open(folder.path()).await, endpoint, clock).await;
    bed.take_answers(answers);
    reach(&bed.engine, query(&[State::Success]), 1).await;
    for n in 2..5 {
        bed.ask(id).await;
        reach(&bed.engine, query(&[State::Success]), n).await;
    }
    let status = bed.status(id);
    assert_eq!((status.fired, status.polls), (4, 7));
    bed.stop().await;
}

#[tokio::test]
async fn another_context_does_not_wait() {
    for store in stores() {
        let bed = Bed::new(store, script(0, |_| Ok(Default::default()))).await;
        bed.answers(|n| Ok(fire(json!({ "file": n % 3 }))));
        let id = bed.poll("watch", poll("1s")).await;
        for _ in 0..6 {
            bed.ask(id).await;
        }
        assert_eq!((bed.status(id).fired, bed.skip_count(id, SkipReason::SameContext)), (3, 3));
        bed.stop().await;
    }
}

#[tokio::test]
async fn with_concurrency_allowed_every_answer_fires() {
    for store in stores() {
        let bed = Bed::new(store, script(0, |_| Ok(Default::default()))).await;
        bed.answers(|_| Ok(fire(json!({}))));
        let mut config = poll("1s");
        config["allow_concurrent"] = json!(true);
        let id = bed.poll("drain", config).await;
        for _ in 0..10 {
            bed.ask(id).await;
        }
        assert_eq!(count(&bed.engine, query(&[State::Pending])).await, 10);
        assert_eq!((bed.status(id).fired, bed.skips(id)), (10, [0; 5]));
        bed.stop().await;
    }
}

#[tokio::test]
async fn state_is_given_back_and_is_written_with_what_it_belongs_to() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path()).await;
    let bed = Bed::new(store.clone(), script(0, |_| Ok(Default::default()))).await;
    // Fires every third time; a firing that is left out leaves the state as it was.
    bed.answers(|n| {
        let fires = n % 3 == 2;
        Ok(json!({ "fire": fires, "context": {}, "state": { "seen": n } }).to_string())
    });
    let id = bed.poll("watch", poll("1s")).await;
    for _ in 0..6 {
        bed.ask(id).await;
    }
    let given: Vec<Value> = bed.asked().iter().map(|data| data["state"].clone()).collect();
    let seen = |n: u64| json!({ "seen": n });
    assert_eq!(given, [Value::Null, seen(0), seen(1), seen(2), seen(3), seen(4)]);
    assert_eq!(bed.skip_count(id, SkipReason::SameContext), 1);
    let cursors = store.definitions().cursors().await.expect("cursors");
    assert_eq!(cursors[0].state["state"], seen(4), "that of the sixth went with its firing");
    drop(store);
    let (clock, _) = bed.stop().await;
    let endpoint = script(0, |_| Ok(Default::default()));
    let bed = Bed::again(open(folder.path()).await, endpoint, clock).await;
    bed.answers(|_| Ok(no()));
    bed.ask(id).await;
    let asked = bed.asked();
    assert_eq!(asked[0]["state"], seen(4));
    assert!(asked[0]["last_fired_at"].is_string() && asked[0]["last_poll_at"].is_string());
    assert_eq!((&asked[0]["poll"], bed.status(id).polls), (&json!("watch"), 7));
    bed.stop().await;
}

#[tokio::test]
async fn what_a_function_fails_of_is_seen_and_never_an_execution() {
    for store in stores() {
        let bed = Bed::new(store, script(1, |_| Ok(Default::default()))).await;
        bed.answers(|n| match n {
            0 => Err(Failure::new(Code::FunctionError, "boom")),
            1 => Ok("\"yes\"".to_owned()),
            2 => Err(Failure::new(Code::FunctionTimeout, "took too long")),
            3 => Ok("null".to_owned()),
            4 => Ok(json!({ "fire": false, "reason": "the queue is empty" }).to_string()),
            _ => Ok(fire(json!({}))),
        });
        let id = bed.poll("watch", poll("1s")).await;
        for (reason, message) in [
            (SkipReason::Error, Some("FN_004: boom")),
            (SkipReason::Error, Some("expected {fire: true|false, ...}, got \"yes\"")),
            (SkipReason::Timeout, Some("FN_002: took too long")),
            (SkipReason::No, None),
            (SkipReason::No, Some("the queue is empty")),
        ] {
            bed.ask(id).await;
            let skip = bed.status(id).last_skip.expect("a skip");
            assert_eq!((skip.reason, skip.message.as_deref()), (reason, message));
        }
        assert_eq!(count(&bed.engine, query(&[])).await, 0);
        bed.ask(id).await;
        reach(&bed.engine, query(&[State::Success]), 1).await;
        let metrics = bed.engine.render_metrics();
        for line in [
            "evoke_polls_total 6",
            "evoke_poll_skips_total{reason=\"no\"} 2",
            "evoke_poll_skips_total{reason=\"error\"} 2",
            "evoke_poll_skips_total{reason=\"timeout\"} 1",
            "evoke_poll_skips_total{reason=\"busy\"} 0",
            "evoke_executions_running 0",
        ] {
            assert!(metrics.contains(line), "{line}\n{metrics}");
        }
        bed.stop().await;
    }
}

#[tokio::test]
async fn a_question_without_an_answer_delays_nobody_and_is_given_up() {
    for store in stores() {
        let bed = Bed::new(store, script(1, |_| Ok(Default::default()))).await;
        bed.never_answers("mute").await;
        bed.answers(|_| Ok(fire(json!({}))));
        let mut mute = poll("1s");
        mute["function"] = json!("mute");
        mute["poll_timeout"] = json!("3s");
        let mute = bed.poll("mute", mute).await;
        let quick = bed.poll("quick", poll("1s")).await;
        for n in 1..=3 {
            bed.ask(quick).await;
            reach(&bed.engine, query(&[State::Success]), n).await;
        }
        assert_eq!((bed.status(mute).polls, bed.skip_count(mute, SkipReason::Busy)), (1, 2));
        // The pool is given a second to say so itself.
        for _ in 0..2 {
            bed.ask(quick).await;
        }
        bed.until(|| bed.skip_count(mute, SkipReason::Timeout) == 1).await;
        let message = bed.status(mute).last_skip.expect("a skip").message.expect("a message");
        assert_eq!(message, "FN_002: it has not answered within 3s");
        bed.ask(quick).await;
        bed.until(|| bed.status(mute).polls == 2).await;
        bed.stop().await;
    }
}

#[tokio::test]
async fn one_that_is_off_is_not_asked_and_one_that_is_deleted_leaves_nothing() {
    for store in stores() {
        let bed = Bed::new(store.clone(), script(1, |_| Ok(Default::default()))).await;
        bed.answers(|n| Ok(json!({ "fire": false, "state": n }).to_string()));
        let id = bed.poll("watch", poll("1s")).await;
        bed.ask(id).await;
        let actor = Actor::local();
        let turn = |enabled| bed.engine.set_trigger_enabled(id, enabled, &actor);
        turn(Enabled::No).await.expect("off");
        assert_eq!(bed.status(id).next_poll, None);
        bed.clock.advance(Millis::from_secs(60));
        turn(Enabled::Yes).await.expect("on");
        let next = bed.status(id).next_poll.expect("it waits again");
        assert_eq!(next.since(bed.now()), SECOND.duration(), "from now on");
        bed.ask(id).await;
        assert_eq!((bed.asked().len(), &bed.asked()[1]["state"]), (2, &json!(0)));
        bed.engine.delete_trigger(id, &actor).await.expect("deleted");
        assert_eq!(bed.engine.poll_status(id), None);
        assert_eq!(store.definitions().cursors().await.expect("cursors"), []);
        bed.stop().await;
    }
}

#[tokio::test]
async fn a_filter_of_the_trigger_holds_for_its_firings() {
    for store in stores() {
        let bed = Bed::new(store, script(1, |_| Ok(Default::default()))).await;
        bed.answers(|n| Ok(fire(json!({ "depth": n * 10 }))));
        let mut new = bed.new_poll("deep", poll("1s"));
        new.policy.filter = Some("event.data.depth > 10".into());
        let id = bed.engine.create_trigger(new, &Actor::local()).await.expect("a poll").id;
        for _ in 0..4 {
            bed.ask(id).await;
        }
        reach(&bed.engine, query(&[State::Success]), 2).await;
        assert_eq!((bed.events().await.len(), count(&bed.engine, query(&[])).await), (4, 2));
        bed.stop().await;
    }
}
