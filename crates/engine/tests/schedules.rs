//! Schedules on a clock that is told when to go on.

#![expect(clippy::expect_used, reason = "a failing test says where")]

#[expect(dead_code, reason = "it serves other tests as well")]
mod support;
#[path = "support/wait.rs"]
mod wait;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use async_trait::async_trait;
use evoke_engine::{Actor, Backfill, Engine, NewTrigger};
use evoke_model::policy::{Concurrency, Overflow, Retry};
use evoke_model::{
    Code, Data, Event, Failure, Millis, Policy, State, Target, Timestamp, Trigger, TriggerId,
};
use evoke_ports::store::EventQuery;
use evoke_ports::{Clock, Store};
use evoke_stores::memory::MemoryStore;
use evoke_stores::sqlite::{SqliteOptions, SqliteStore};
use evoke_testkit::ManualClock;
use serde_json::{Value, json};
use support::{Script, parts, script, trigger};
use wait::{query, reach};

/// Midnight at the beginning of 2026-11-21, UTC.
const MIDNIGHT: Timestamp = Timestamp::from_millis(1_795_219_200_000);
const MINUTE: Millis = Millis::from_secs(60);
const HOUR: Millis = Millis::from_secs(3_600);

/// A clock of a machine that can be set, on top of one that goes on when it is told.
struct Settable {
    steady: Arc<ManualClock>,
    /// How far it is set off, in microseconds.
    off: AtomicI64,
    /// How long it is not looked at.
    look: Millis,
}

impl Settable {
    fn set_off(&self, micros: i64) {
        self.off.store(micros, Ordering::SeqCst);
        self.steady.advance(MINUTE);
    }
}

#[async_trait]
impl Clock for Settable {
    fn now(&self) -> Timestamp {
        let now = self.steady.now().as_micros() + self.off.load(Ordering::SeqCst);
        Timestamp::from_micros(now)
    }

    async fn sleep_until(&self, instant: Timestamp) {
        while self.now() < instant {
            // It is looked at again now and then, since it may be set meanwhile.
            let wait = instant.since(self.now()).as_micros().div_ceil(1_000) as u64;
            let look = Millis::new(wait.min(self.look.as_u64()));
            self.steady.sleep_until(self.steady.now().plus(look)).await;
        }
    }

    async fn watch_until(&self, instant: Timestamp) {
        let mut seen = self.now();
        while seen < instant {
            let look = self.steady.now().plus(self.look);
            let due = Timestamp::from_micros(instant.as_micros() - self.off.load(Ordering::SeqCst));
            self.steady.sleep_until(look.min(due)).await;
            if self.now() < seen {
                return;
            }
            seen = self.now();
        }
    }
}

/// An engine with its clock.
struct Bed {
    engine: Engine,
    clock: Arc<Settable>,
    store: Arc<dyn Store>,
}

impl Bed {
    async fn new(endpoint: Arc<Script>) -> Self {
        Self::looking(endpoint, Millis::from_secs(86_400)).await
    }

    async fn looking(endpoint: Arc<Script>, look: Millis) -> Self {
        let clock = Settable { steady: ManualClock::at(MIDNIGHT), off: AtomicI64::new(0), look };
        Self::on(Arc::new(MemoryStore::new()), Arc::new(clock), endpoint).await
    }

    async fn on(store: Arc<dyn Store>, clock: Arc<Settable>, endpoint: Arc<Script>) -> Self {
        let mut parts = parts(store.clone(), endpoint);
        parts.sources.extend(
            evoke_sources::builtin()
                .into_iter()
                .filter(|source| source.descriptor().kind == Trigger::SCHEDULE),
        );
        parts.clock = clock.clone();
        let engine = Engine::start(parts).await.expect("the engine starts");
        engine.admit();
        Self { engine, clock, store }
    }

    async fn schedule(&self, config: Value, policy: Policy) -> TriggerId {
        let new = schedule(config, policy);
        self.engine.create_trigger(new, &Actor::local()).await.expect("a schedule").id
    }

    /// Goes on, from one moment somebody waits for or something is due to the next, so that nothing
    /// is late.
    async fn pass(&self, wait: Millis) {
        let until = self.clock.steady.now().plus(wait);
        while self.clock.steady.now() < until {
            let now = self.clock.steady.now();
            let off = self.clock.off.load(Ordering::SeqCst);
            let due = self.due().map(|due| Timestamp::from_micros(due.as_micros() - off));
            let next = [self.clock.steady.next_wake(), due].into_iter().flatten();
            let next = next.filter(|next| *next > now).min().unwrap_or(until);
            self.clock.steady.advance_to(next.min(until));
            for _ in 0..20 {
                tokio::task::yield_now().await;
            }
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
            self.catch_up().await;
        }
    }

    /// When the next occurrence is due.
    fn due(&self) -> Option<Timestamp> {
        let triggers = self.engine.triggers();
        let next = |id| self.engine.schedule_status(id).and_then(|status| status.next);
        triggers.iter().filter_map(|trigger| next(trigger.id)).min()
    }

    /// Waits until what is due has fired, however busy the machine is. One that stands still for
    /// another reason is not waited for for long.
    async fn catch_up(&self) {
        for _ in 0..500 {
            if self.due().is_none_or(|due| due > self.clock.now()) {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
    }

    /// The events of all schedules, oldest first.
    async fn events(&self) -> Vec<Arc<Event>> {
        let order = evoke_ports::store::Order::OldestFirst;
        let query = EventQuery { limit: 1_000, order, ..EventQuery::default() };
        self.engine.events(query).await.expect("events").items
    }

    /// Waits until so many occurrences have fired and gives back their instants.
    async fn fired(&self, count: usize) -> Vec<String> {
        for _ in 0..2_000 {
            let events = self.events().await;
            if events.len() == count {
                return events.iter().map(|event| event.time.to_string()).collect();
            }
            assert!(events.len() < count, "more than {count}: {events:?}");
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        panic!("{} instead of {count} fired", self.events().await.len());
    }

    fn next(&self, id: TriggerId) -> Option<String> {
        self.engine.schedule_status(id).expect("a schedule").next.map(|next| next.to_string())
    }
}

fn schedule(config: Value, policy: Policy) -> NewTrigger {
    NewTrigger {
        name: format!("at {config}"),
        kind: Trigger::SCHEDULE.into(),
        config,
        target: Target { kind: "scripted".into(), config: json!({}) },
        policy,
        enabled: true,
    }
}

fn fine() -> Arc<Script> {
    script(8, |_| Ok(Data::None))
}

fn data(event: &Event) -> Value {
    serde_json::from_slice(event.data.bytes()).expect("JSON")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_instant_fires_once_with_all_it_should_tell() {
    let bed = Bed::new(fine()).await;
    let config = json!({ "cron": "*/10 * * * *", "input": { "a": 1 } });
    let id = bed.schedule(config, Policy::default()).await;
    assert_eq!(bed.next(id).as_deref(), Some("2026-11-21T00:10:00Z"));
    bed.pass(Millis::from_secs(25 * 60)).await;
    assert_eq!(bed.fired(2).await, ["2026-11-21T00:10:00Z", "2026-11-21T00:20:00Z"]);
    let events = bed.events().await;
    let mut told = data(&events[1]);
    let fired_at = told["fired_at"].take();
    assert!(fired_at.as_str() >= Some("2026-11-21T00:20:00Z"), "{fired_at}");
    assert_eq!(
        told,
        json!({
            "schedule_id": id, "name": "at {\"cron\":\"*/10 * * * *\",\"input\":{\"a\":1}}",
            "scheduled_time": "2026-11-21T00:20:00Z", "fired_at": null, "timezone": "UTC",
            "expression": "*/10 * * * *", "missed": 0, "input": { "a": 1 },
        })
    );
    assert!(events[1].kind.starts_with("schedule.at "));
    reach(&bed.engine, query(&[State::Success]), 2).await;
    let status = bed.engine.schedule_status(id).expect("a schedule");
    assert_eq!(status.last.map(|last| last.to_string()).as_deref(), Some("2026-11-21T00:20:00Z"));
    assert_eq!(bed.engine.last_status(status).await, Ok(Some(State::Success)));
    assert_eq!(status.next.map(|next| next.to_string()).as_deref(), Some("2026-11-21T00:30:00Z"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_missed_while_nobody_was_there_follows_the_policy() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("evoke.db");
    let store = || Arc::new(SqliteStore::open(SqliteOptions::at(path.clone())).expect("a store"));
    let clock = Bed::new(fine()).await.clock;
    let bed = Bed::on(store(), clock, fine()).await;
    for policy in ["skip", "last", "all"] {
        let missed = json!({ "policy": policy });
        bed.schedule(json!({ "cron": "0 * * * *", "missed": missed }), Policy::default()).await;
    }
    bed.pass(HOUR).await;
    bed.fired(3).await;
    bed.engine.stop(Millis::ZERO).await;
    // Three hours pass, and ten minutes.
    bed.clock.steady.advance(Millis::from_secs(190 * 60));
    let clock = bed.clock.clone();
    drop(bed);
    let bed = Bed::on(store(), clock, fine()).await;
    let mut fired = bed.fired(7).await.split_off(3);
    fired.sort();
    assert_eq!(
        fired,
        [
            "2026-11-21T02:00:00Z",
            "2026-11-21T03:00:00Z",
            "2026-11-21T04:00:00Z",
            "2026-11-21T04:00:00Z"
        ]
    );
    let events = bed.events().await;
    let missed: Vec<_> = events.iter().filter(|e| data(e)["missed"] == 2).collect();
    assert_eq!(missed.len(), 1, "the one that stands for all tells of the two others");
    // From here on all three go on.
    bed.pass(HOUR).await;
    assert_eq!(bed.fired(10).await.split_off(7), ["2026-11-21T05:00:00Z"; 3]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_jumps_neither_doubles_nor_loses() {
    let bed = Bed::looking(fine(), MINUTE).await;
    let id = bed.schedule(json!({ "cron": "0 * * * *", "missed": "all" }), Policy::default()).await;
    bed.pass(HOUR).await;
    assert_eq!(bed.fired(1).await, ["2026-11-21T01:00:00Z"]);
    // Two and a half hours forward: what lies between is late.
    bed.clock.set_off(9_000_000_000);
    assert_eq!(bed.fired(3).await[1..], ["2026-11-21T02:00:00Z", "2026-11-21T03:00:00Z"]);
    // And back: what has fired does not fire again, though its instant comes again.
    bed.clock.set_off(0);
    bed.pass(Millis::from_secs(150 * 60)).await;
    bed.fired(3).await;
    assert_eq!(bed.next(id).as_deref(), Some("2026-11-21T04:00:00Z"));
    bed.pass(HOUR).await;
    assert_eq!(bed.fired(4).await[3], "2026-11-21T04:00:00Z");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_was_a_year_ahead_keeps_nothing_waiting_for_a_year() {
    let bed = Bed::looking(fine(), MINUTE).await;
    let id = bed.schedule(json!({ "cron": "0 * * * *" }), Policy::default()).await;
    bed.clock.set_off(365 * 86_400 * 1_000_000);
    assert_eq!(bed.fired(1).await, ["2027-11-21T00:00:00Z"], "the youngest of those it missed");
    let ahead = Some("2027-11-21T01:00:00Z");
    // What has fired is told before the next instant is known.
    while bed.next(id).as_deref() != ahead {
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
    bed.clock.set_off(0);
    while bed.next(id).as_deref() == ahead {
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
    bed.pass(HOUR).await;
    assert_eq!(bed.fired(2).await[1], "2026-11-21T01:00:00Z");
    assert_eq!(bed.next(id).as_deref(), Some("2026-11-21T02:00:00Z"));
    reach(&bed.engine, query(&[State::Success]), 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_bear_on_the_future_alone() {
    let bed = Bed::new(fine()).await;
    let (local, engine) = (Actor::local(), bed.engine.clone());
    let id = bed.schedule(json!({ "every": "10m" }), Policy::default()).await;
    bed.pass(Millis::from_secs(15 * 60)).await;
    bed.fired(1).await;
    // Another policy or input is no other timetable.
    let same = schedule(json!({ "every": "10m", "input": 5, "missed": "all" }), Policy::default());
    engine.update_trigger(id, same, &local).await.expect("changed");
    assert_eq!(bed.next(id).as_deref(), Some("2026-11-21T00:20:00Z"));
    let other = schedule(json!({ "every": "30m" }), Policy::default());
    engine.update_trigger(id, other, &local).await.expect("changed");
    let next = bed.next(id).expect("it goes on");
    assert!(next.as_str() >= "2026-11-21T00:45:00Z", "{next}");
    engine.set_trigger_enabled(id, evoke_engine::triggers::Enabled::No, &local).await.expect("off");
    assert_eq!(bed.next(id), None);
    bed.pass(HOUR).await;
    engine.set_trigger_enabled(id, evoke_engine::triggers::Enabled::Yes, &local).await.expect("on");
    let next = bed.next(id).expect("it goes on");
    assert!(next.as_str() >= "2026-11-21T01:15:00Z", "nothing is made up for: {next}");
    bed.fired(1).await;
    engine.delete_trigger(id, &local).await.expect("deleted");
    bed.pass(HOUR).await;
    assert_eq!(bed.fired(1).await.len(), 1);
    assert!(engine.schedule_status(id).is_none());
    assert!(bed.store.definitions().cursors().await.expect("cursors").is_empty());
    reach(&engine, query(&[State::Success]), 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_becomes_another_kind_stands_nowhere() {
    let bed = Bed::new(fine()).await;
    let (local, engine) = (Actor::local(), bed.engine.clone());
    let id = bed.schedule(json!({ "every": "10m" }), Policy::default()).await;
    let cursors = async || bed.store.definitions().cursors().await.expect("cursors").len();
    assert_eq!(cursors().await, 1);
    let other = trigger("order.*", Policy::default());
    engine.update_trigger(id, other, &local).await.expect("changed");
    assert!(engine.schedule_status(id).is_none());
    assert_eq!(cursors().await, 0);
    bed.pass(HOUR).await;
    bed.fired(0).await;
    let again = schedule(json!({ "every": "10m" }), Policy::default());
    engine.update_trigger(id, again, &local).await.expect("changed");
    let next = bed.next(id).expect("it begins anew");
    assert!(next.as_str() >= "2026-11-21T01:10:00Z", "{next}");
    assert_eq!(cursors().await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_target_that_fails_keeps_its_future() {
    let failing = script(8, |_| Err(Failure::new(Code::FunctionError, "it is down")));
    let bed = Bed::new(failing).await;
    let retry = Some(Retry { attempts: 1, ..Retry::default() });
    let policy = Policy { retry, ..Policy::default() };
    let id = bed.schedule(json!({ "cron": "0 * * * *" }), policy).await;
    bed.pass(Millis::from_secs(24 * 3_600)).await;
    bed.fired(24).await;
    reach(&bed.engine, query(&[State::Failed]), 24).await;
    assert_eq!(bed.next(id).as_deref(), Some("2026-11-22T01:00:00Z"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_occurrence_is_skipped_while_the_one_before_it_runs() {
    let gate = Arc::new(tokio::sync::Semaphore::new(0));
    let held = gate.clone();
    let slow = script(8, move |_| {
        // The call ends when the test lets it.
        while held.try_acquire().map(|permit| permit.forget()).is_err() {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        Ok(Data::None)
    });
    let bed = Bed::new(slow).await;
    let alone = Concurrency { limit: 1, key: None, overflow: Overflow::Skip };
    let policy = Policy { concurrency: Some(alone), ..Policy::default() };
    bed.schedule(json!({ "every": "1m" }), policy).await;
    bed.pass(MINUTE).await;
    reach(&bed.engine, query(&[State::Running]), 1).await;
    bed.pass(MINUTE).await;
    reach(&bed.engine, query(&[State::Cancelled]), 1).await;
    gate.add_permits(1);
    reach(&bed.engine, query(&[State::Success]), 1).await;
    bed.pass(MINUTE).await;
    reach(&bed.engine, query(&[State::Running]), 1).await;
    gate.add_permits(1);
    reach(&bed.engine, query(&[State::Success]), 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_past_can_be_filled_and_the_present_fired_by_hand() {
    let bed = Bed::new(fine()).await;
    let (local, engine) = (Actor::local(), bed.engine.clone());
    let id = bed.schedule(json!({ "cron": "0 6 * * *" }), Policy::default()).await;
    let days = |days: u64| MIDNIGHT.minus(Millis::from_secs(days * 86_400));
    let asked = Backfill { from: days(3), to: MIDNIGHT, is_dry: true };
    let filled = engine.backfill(id, asked, &local).await.expect("counted");
    assert_eq!(filled.count, 3);
    bed.fired(0).await;
    engine.backfill(id, Backfill { is_dry: false, ..asked }, &local).await.expect("filled");
    assert_eq!(bed.fired(3).await[0], "2026-11-18T06:00:00Z");
    assert!(bed.events().await.iter().all(|event| data(event)["backfill"] == true));
    let fired =
        engine.fire_schedule(id, Some(json!({ "by": "hand" })), &local).await.expect("fired");
    bed.fired(4).await;
    let event = bed.events().await.pop().expect("an event");
    assert_eq!((event.id, &data(&event)["input"]["by"]), (fired.event, &json!("hand")));
    assert_eq!(bed.next(id).as_deref(), Some("2026-11-21T06:00:00Z"));
    reach(&engine, query(&[State::Success]), 4).await;
    for (from, to) in [(MIDNIGHT, MIDNIGHT), (Timestamp::EPOCH, MIDNIGHT)] {
        let refused = engine.backfill(id, Backfill { from, to, is_dry: true }, &local).await;
        assert_eq!(refused.map_err(|refused| refused.code), Err(Code::InvalidRequest));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_instant_fires_once_and_jitter_only_delays() {
    let bed = Bed::new(fine()).await;
    let once = bed.schedule(json!({ "at": "2026-11-21T00:30:00Z" }), Policy::default()).await;
    let config = json!({ "cron": "0 1 21 11 *", "jitter": "10m", "end": "2026-11-22" });
    let spread = bed.schedule(config, Policy::default()).await;
    bed.pass(HOUR).await;
    bed.fired(1).await;
    assert_eq!(bed.next(once), None);
    bed.pass(Millis::from_secs(600)).await;
    bed.fired(2).await;
    assert_eq!(bed.next(spread), None);
    let event = bed.events().await.pop().expect("an event");
    assert_eq!(event.time.to_string(), "2026-11-21T01:00:00Z");
    assert!(event.due.is_some_and(|due| due >= event.time), "{:?}", event.due);
}
