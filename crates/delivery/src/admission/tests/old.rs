use std::collections::BTreeMap;

use evoke_model::policy::{Concurrency, Overflow};
use evoke_model::{EventId, TriggerId};
use proptest::prelude::*;

use super::*;

fn id(event: u64) -> ExecutionId {
    ExecutionId { event: EventId::from_u64(event), trigger: TriggerId::from_u64(1) }
}

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn entry(event: u64, due: i64, order: Option<&str>, concurrency: Option<&str>) -> Entry<u64> {
    Entry {
        id: id(event),
        due: at(due),
        order_key: order.map(Into::into),
        concurrency_key: concurrency.map(Into::into),
        payload: event,
    }
}

fn limit(limit: u32, key: Option<&str>) -> Option<Concurrency> {
    Some(Concurrency { limit, key: key.map(Into::into), overflow: Overflow::Queue })
}

fn plain() -> Lane<u64> {
    Lane::new(LanePolicy { concurrency: None, ordered: false, key_window: 4 })
}

fn ordered() -> Lane<u64> {
    Lane::new(LanePolicy { concurrency: None, ordered: true, key_window: 4 })
}

/// The events that may start now, in order.
fn start_all(lane: &mut Lane<u64>, now: i64) -> Vec<u64> {
    std::iter::from_fn(|| lane.next(at(now), 1)).map(|entry| entry.payload).collect()
}

#[test]
fn a_plain_lane_is_first_in_first_out_once_due() {
    let mut lane = plain();
    for (event, due) in [(1, 0), (2, 50), (3, 0), (4, 20)] {
        lane.offer(entry(event, due, None, None), at(0));
    }
    assert_eq!(lane.next_due(), Some(at(20)));
    assert_eq!(start_all(&mut lane, 0), [1, 3]);
    assert!(start_all(&mut lane, 19).is_empty());
    assert_eq!(start_all(&mut lane, 50), [4, 2]);
    assert_eq!((lane.len(), lane.running(), lane.next_due()), (0, 4, None));
}

#[test]
fn capacity_and_the_limit_hold_back() {
    let policy = LanePolicy { concurrency: limit(2, None), ordered: false, key_window: 4 };
    let mut lane = Lane::new(policy);
    for event in 1..=4 {
        lane.offer(entry(event, 0, None, None), at(0));
    }
    assert_eq!(lane.next(at(0), 0), None);
    assert_eq!(start_all(&mut lane, 0), [1, 2]);
    let verdict = lane.explain(id(3), at(0), 9);
    assert_eq!(verdict, Some(Verdict::ConcurrencyFull { limit: 2, key: None, running: 2 }));
    lane.finish(id(1), None, None);
    assert_eq!(lane.explain(id(3), at(0), 0), Some(Verdict::NoCapacity { running: 1 }));
    assert_eq!(lane.explain(id(3), at(0), 1), Some(Verdict::Ready));
    assert_eq!(start_all(&mut lane, 0), [3]);
}

#[test]
fn the_limit_of_one_key_is_not_that_of_another() {
    let policy = LanePolicy { concurrency: limit(1, Some("x")), ordered: false, key_window: 4 };
    let mut lane = Lane::new(policy);
    for (event, key) in [(1, "a"), (2, "a"), (3, "b"), (4, "a")] {
        lane.offer(entry(event, 0, None, Some(key)), at(0));
    }
    lane.offer(entry(5, 0, None, None), at(0));
    assert_eq!(start_all(&mut lane, 0), [1, 3, 5]);
    let full = Verdict::ConcurrencyFull { limit: 1, key: Some("a".into()), running: 1 };
    assert_eq!(lane.explain(id(2), at(0), 1), Some(full));
    lane.finish(id(1), None, Some("a"));
    assert_eq!(start_all(&mut lane, 0), [2]);
    assert_eq!(lane.cancel(id(4)), Some(4));
    lane.finish(id(2), None, Some("a"));
    lane.offer(entry(6, 0, None, Some("a")), at(0));
    assert_eq!(start_all(&mut lane, 0), [6]);
}

#[test]
fn a_head_that_waits_for_its_retry_blocks_its_own_key_only() {
    let mut lane = ordered();
    for (event, key) in [(1, "a"), (2, "a"), (3, "b"), (4, "a")] {
        lane.offer(entry(event, 0, Some(key), None), at(0));
    }
    assert_eq!(start_all(&mut lane, 0), [1, 3]);
    lane.retry(entry(1, 100, Some("a"), None), at(0));
    assert!(start_all(&mut lane, 50).is_empty());
    assert_eq!(lane.explain(id(1), at(50), 1), Some(Verdict::NotDue { at: at(100) }));
    let behind = Verdict::BehindKey { key: "a".into(), position: 2, of: 3 };
    assert_eq!(lane.explain(id(4), at(50), 1), Some(behind));
    assert_eq!(lane.next_due(), Some(at(100)));
    assert_eq!(start_all(&mut lane, 100), [1]);
    lane.finish(id(1), Some("a"), None);
    assert_eq!(start_all(&mut lane, 100), [2]);
}

/// After a restart the head of a key, which waits for its retry, is read after those behind it.
#[test]
fn the_order_is_that_of_acceptance_whatever_the_order_of_offers() {
    let mut lane = ordered();
    for (event, due) in [(2, 0), (3, 0), (1, 90)] {
        lane.offer(entry(event, due, Some("a"), None), at(0));
    }
    assert!(start_all(&mut lane, 0).is_empty());
    assert_eq!(start_all(&mut lane, 90), [1]);
    assert_eq!(lane.offer(entry(3, 0, Some("a"), None), at(0)), Offered::Known);
}

#[test]
fn a_cancelled_head_lets_the_next_one_go() {
    let mut lane = ordered();
    lane.offer(entry(1, 1_000_000, Some("a"), None), at(0));
    lane.offer(entry(2, 0, Some("a"), None), at(0));
    assert!(start_all(&mut lane, 0).is_empty());
    assert_eq!(lane.cancel(id(1)), Some(1));
    assert_eq!(start_all(&mut lane, 0), [2]);
    assert_eq!(lane.cancel(id(9)), None);
}

#[test]
fn a_key_keeps_a_window_and_tells_when_it_runs_low() {
    let mut lane = ordered();
    for event in 1..=4 {
        assert_eq!(lane.offer(entry(event, 0, Some("a"), None), at(0)), Offered::Taken);
    }
    assert_eq!(lane.offer(entry(5, 0, Some("a"), None), at(0)), Offered::KeyFull);
    assert!(lane.key_overflowed("a"));
    for event in 1..=3 {
        assert_eq!(start_all(&mut lane, 0), [event]);
        lane.finish(id(event), Some("a"), None);
        // One of four left: a quarter of the window.
        assert_eq!(lane.take_hungry_keys().len(), usize::from(event == 3));
    }
    // While the store is read, another one comes that the reader may have missed.
    assert_eq!(lane.offer(entry(6, 0, Some("a"), None), at(0)), Offered::KeyFull);
    let known_and_new = vec![entry(4, 0, Some("a"), None), entry(5, 0, Some("a"), None)];
    lane.refill("a", known_and_new, Rest::None);
    assert_eq!(lane.len(), 2);
    assert!(lane.key_overflowed("a"));
    assert_eq!(start_all(&mut lane, 0), [4]);
    lane.finish(id(4), Some("a"), None);
    assert_eq!(lane.take_hungry_keys(), ["a".into()]);
    lane.refill("a", vec![entry(6, 0, Some("a"), None)], Rest::None);
    assert!(!lane.key_overflowed("a"));
    for event in [5, 6] {
        assert_eq!(start_all(&mut lane, 0), [event]);
        lane.finish(id(event), Some("a"), None);
    }
    assert_eq!(lane.offer(entry(7, 0, Some("a"), None), at(0)), Offered::Taken);
}

#[test]
fn a_paused_lane_stands_still_until_its_time() {
    let mut lane = plain();
    lane.offer(entry(1, 0, None, None), at(0));
    lane.pause(Some(at(10)), "endpoint down");
    assert!(start_all(&mut lane, 9).is_empty());
    assert_eq!(lane.next_due(), Some(at(10)));
    let paused = Verdict::Paused { until: Some(at(10)), why: "endpoint down".into() };
    assert_eq!(lane.explain(id(1), at(9), 1), Some(paused));
    assert_eq!(start_all(&mut lane, 10), [1]);
    lane.offer(entry(2, 0, None, None), at(0));
    lane.pause(None, "disabled");
    assert_eq!((start_all(&mut lane, 1_000), lane.next_due()), (vec![], None));
    lane.resume();
    assert_eq!(start_all(&mut lane, 1_000), [2]);
}

#[derive(Clone, Debug)]
enum Step {
    Offer { order: Option<u8>, concurrency: Option<u8>, wait: i64 },
    Start(usize),
    Finish(usize),
    Retry(usize, i64),
    Cancel(usize),
    Pass(i64),
    Refill,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let key = || proptest::option::weighted(0.8, 0_u8..3);
    let wait = || prop_oneof![4 => Just(0_i64), 1 => 1_i64..100];
    let step = prop_oneof![
        6 => (key(), key(), wait())
            .prop_map(|(order, concurrency, wait)| Step::Offer { order, concurrency, wait }),
        6 => (1_usize..4).prop_map(Step::Start),
        5 => any::<usize>().prop_map(Step::Finish),
        2 => (any::<usize>(), wait()).prop_map(|(which, wait)| Step::Retry(which, wait)),
        1 => any::<usize>().prop_map(Step::Cancel),
        2 => (1_i64..60).prop_map(Step::Pass),
        2 => Just(Step::Refill),
    ];
    proptest::collection::vec(step, 1..120)
}

/// A lane beside a plain list of what every execution is doing, and a store.
struct Model {
    lane: Lane<u64>,
    policy: LanePolicy,
    now: i64,
    waiting: BTreeMap<u64, Entry<u64>>,
    stored: BTreeMap<u64, Entry<u64>>,
    running: BTreeMap<u64, Entry<u64>>,
    ended: usize,
    offered: u64,
}

impl Model {
    fn new(policy: LanePolicy) -> Self {
        Self {
            lane: Lane::new(policy.clone()),
            policy,
            now: 0,
            waiting: BTreeMap::new(),
            stored: BTreeMap::new(),
            running: BTreeMap::new(),
            ended: 0,
            offered: 0,
        }
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Offer { order, concurrency, wait } => {
                self.offered += 1;
                let (order, concurrency) =
                    (order.map(|key| key.to_string()), concurrency.map(|key| key.to_string()));
                let due = self.now + wait;
                let entry = entry(self.offered, due, order.as_deref(), concurrency.as_deref());
                match self.lane.offer(entry.clone(), at(self.now)) {
                    Offered::Taken => self.waiting.insert(self.offered, entry),
                    Offered::KeyFull => self.stored.insert(self.offered, entry),
                    Offered::Known => panic!("a new one was known"),
                };
            }
            Step::Start(count) => {
                for _ in 0..*count {
                    self.start();
                }
            }
            Step::Finish(which) => {
                if let Some(entry) = self.stop(*which) {
                    self.ended += 1;
                    let (order, places) = (entry.order_key, entry.concurrency_key);
                    self.lane.finish(entry.id, order.as_deref(), places.as_deref());
                }
            }
            Step::Retry(which, wait) => {
                if let Some(mut entry) = self.stop(*which) {
                    entry.due = at(self.now + wait);
                    self.waiting.insert(entry.payload, entry.clone());
                    self.lane.retry(entry, at(self.now));
                }
            }
            Step::Cancel(which) => {
                if let Some(event) = nth(&self.waiting, *which) {
                    assert_eq!(self.lane.cancel(id(event)), Some(event));
                    self.waiting.remove(&event);
                    self.ended += 1;
                }
            }
            Step::Pass(millis) => self.now += millis,
            Step::Refill => self.refill(),
        }
    }

    fn start(&mut self) -> bool {
        let Some(entry) = self.lane.next(at(self.now), 1) else { return false };
        assert!(self.waiting.remove(&entry.payload).is_some(), "started twice: {entry:?}");
        assert!(entry.due <= at(self.now), "not due: {entry:?}");
        if let Some(key) = entry.order_key.as_ref().filter(|_| self.policy.ordered) {
            let same = |other: &&Entry<u64>| other.order_key.as_ref() == Some(key);
            assert!(!self.running.values().any(|other| same(&other)), "two of {key} run");
            let before = self.waiting.values().chain(self.stored.values()).filter(same);
            for other in before {
                assert!(other.payload > entry.payload, "{entry:?} overtook {other:?}");
            }
        }
        self.running.insert(entry.payload, entry.clone());
        if let Some(concurrency) = &self.policy.concurrency {
            let counted = self.running.values().filter(|other| {
                concurrency.key.is_none()
                    || (entry.concurrency_key.is_some()
                        && other.concurrency_key == entry.concurrency_key)
            });
            assert!(counted.count() <= concurrency.limit as usize, "over the limit");
        }
        true
    }

    fn stop(&mut self, which: usize) -> Option<Entry<u64>> {
        let event = nth(&self.running, which)?;
        self.running.remove(&event)
    }

    fn refill(&mut self) {
        for key in self.lane.take_hungry_keys() {
            let of_key = |entry: &&Entry<u64>| entry.order_key.as_ref() == Some(&key);
            let found: Vec<_> = self.stored.values().filter(of_key).take(3).cloned().collect();
            for entry in &found {
                self.stored.remove(&entry.payload);
                self.waiting.insert(entry.payload, entry.clone());
            }
            let more = self.stored.values().any(|entry| of_key(&entry));
            self.lane.refill(&key, found, if more { Rest::More } else { Rest::None });
        }
    }

    fn check(&self) {
        assert_eq!(self.lane.len(), self.waiting.len());
        assert_eq!(self.lane.running(), self.running.len());
        let known = self.ended + self.waiting.len() + self.stored.len() + self.running.len();
        assert_eq!(known as u64, self.offered);
        for event in self.waiting.keys() {
            assert!(self.lane.explain(id(*event), at(self.now), 1).is_some(), "{event} is lost");
        }
    }

    /// Everything that was ever offered runs in the end, woken only by ends and by due times.
    fn drain(&mut self) {
        for _ in 0..self.offered * 4 + 10 {
            self.refill();
            while self.start() {}
            if self.stop_one() {
                continue;
            }
            match self.lane.next_due() {
                Some(due) => self.now = self.now.max(due.as_millis()),
                None => break,
            }
        }
        self.check();
        assert!(self.waiting.is_empty() && self.stored.is_empty(), "stuck: {:?}", self.waiting);
    }

    fn stop_one(&mut self) -> bool {
        let before = self.ended;
        self.step(&Step::Finish(0));
        self.ended > before
    }
}

fn nth(map: &BTreeMap<u64, Entry<u64>>, which: usize) -> Option<u64> {
    (!map.is_empty()).then(|| map.keys().nth(which % map.len()).copied())?
}

/// A key that was forgotten and came back has two turns in the lane; the one that is not needed any
/// more was given the free place.
#[test]
fn a_place_that_is_not_used_is_passed_on() {
    let offer = |order, concurrency, wait| Step::Offer { order: Some(order), concurrency, wait };
    let steps = [
        offer(2, None, 1),
        Step::Start(1),
        Step::Cancel(0),
        offer(2, Some(0), 33),
        Step::Pass(1),
        Step::Start(1),
        offer(0, Some(0), 0),
        Step::Pass(32),
        Step::Start(2),
        Step::Retry(0, 0),
    ];
    let policy = LanePolicy { concurrency: limit(1, Some("k")), ordered: true, key_window: 3 };
    let mut model = Model::new(policy);
    for step in &steps {
        model.step(step);
        model.check();
    }
    model.drain();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn order_and_limits_hold_and_nothing_is_lost(
        ordered: bool,
        concurrency in proptest::option::of((1_u32..4, any::<bool>())),
        steps in steps(),
    ) {
        let concurrency =
            concurrency.and_then(|(places, keyed)| limit(places, keyed.then_some("k")));
        let mut model = Model::new(LanePolicy { concurrency, ordered, key_window: 3 });
        for step in &steps {
            model.step(step);
            model.check();
        }
        model.drain();
    }
}
