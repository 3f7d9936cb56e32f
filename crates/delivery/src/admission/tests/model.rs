//! A lane under random policies and random events, beside a plain list of what every execution is
//! doing. What must hold at every step, whatever the policies:
//!
//! - nothing is lost, and nothing is given twice at once;
//! - no call begins before its time, over a limit, over a rate, or ahead of its order key;
//! - after a lane gave nothing it has nothing to give, and will not sleep through its next chance;
//! - when time goes on and everything ends, everything offered ends, and nothing is left behind.

use std::collections::{BTreeMap, BTreeSet};

use evoke_model::policy::{Batch, Concurrency, Debounce, DebounceMode, Overflow, Rate};
use evoke_model::{ByteSize, Keys, Millis};
use proptest::prelude::*;

use super::bed::{at, id, keys, made, millis};
use super::*;

#[derive(Clone, Debug)]
enum Step {
    Offer(Offer),
    /// So many calls at most, with room for them.
    Start(usize),
    /// The target has no room.
    Full,
    Finish(usize),
    Retry(usize, i64),
    Cancel(usize),
    Pass(i64),
    Refill,
    Pause(i64),
    Restart,
}

#[derive(Clone, Debug)]
struct Offer {
    keys: String,
    /// Its event was made so long ago.
    age: i64,
    /// Its sender wants it so much later.
    delay: i64,
    priority: i32,
    bytes: u32,
}

fn offers() -> impl Strategy<Value = Offer> {
    let one = |name: &'static str| {
        proptest::option::weighted(0.8, 0_u8..3)
            .prop_map(move |key| key.map_or(String::new(), |key| format!("{name}:{key} ")))
    };
    let keys = (one("order"), one("place"), one("rate"), one("quiet"), one("batch"))
        .prop_map(|(a, b, c, d, e)| [a, b, c, d, e].concat());
    let late = |max: i64| prop_oneof![3 => Just(0), 1 => 1_i64..max];
    let priority = prop_oneof![3 => Just(0), 1 => -2_i32..3];
    (keys, late(30), late(100), priority, 1_u32..120)
        .prop_map(|(keys, age, delay, priority, bytes)| Offer { keys, age, delay, priority, bytes })
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        10 => offers().prop_map(Step::Offer),
        8 => (1_usize..4).prop_map(Step::Start),
        1 => Just(Step::Full),
        7 => any::<usize>().prop_map(Step::Finish),
        3 => (any::<usize>(), 0_i64..60).prop_map(|(which, wait)| Step::Retry(which, wait)),
        1 => any::<usize>().prop_map(Step::Cancel),
        4 => (1_i64..40).prop_map(Step::Pass),
        2 => Just(Step::Refill),
        1 => (0_i64..30).prop_map(Step::Pause),
        1 => Just(Step::Restart),
    ];
    proptest::collection::vec(step, 1..120)
}

fn policies() -> impl Strategy<Value = LanePolicy> {
    let key = || any::<bool>().prop_map(|is_keyed| is_keyed.then(|| "k".to_owned()));
    let overflow = prop_oneof![Just(Overflow::Queue), Just(Overflow::Skip), Just(Overflow::Cancel)];
    let concurrency = (1_u32..4, key(), overflow).prop_map(|(limit, key, overflow)| Concurrency {
        limit,
        key,
        overflow,
    });
    let bytes = proptest::option::of((50_u64..200).prop_map(ByteSize::new));
    let wait = prop_oneof![Just(0_u64), 1_u64..30].prop_map(Millis::new);
    let batch = (1_u32..5, wait, bytes, key()).prop_map(|(size, wait, bytes, key)| Batch {
        size,
        wait,
        bytes,
        key,
    });
    let mode = prop_oneof![Just(DebounceMode::Last), Just(DebounceMode::All)];
    let max_wait = proptest::option::of((1_u64..50).prop_map(Millis::new));
    let debounce = (1_u64..30, max_wait, mode, key()).prop_map(|(wait, max_wait, mode, key)| {
        Debounce { wait: Millis::new(wait), key, max_wait, mode }
    });
    let rate = (1_u32..4, 10_u64..50, key(), proptest::option::of(1_u32..4))
        .prop_map(|(limit, per, key, burst)| Rate { limit, per: Millis::new(per), key, burst });
    let maybe = proptest::option::of::<BoxedStrategy<_>>;
    (
        maybe(concurrency.boxed()),
        any::<bool>(),
        proptest::option::of(batch),
        proptest::option::of(debounce),
        proptest::option::of(rate),
    )
        .prop_map(|(concurrency, ordered, batch, debounce, rate)| LanePolicy {
            concurrency,
            ordered,
            key_window: 3,
            batch,
            debounce,
            rate,
        })
}

struct Call {
    left: Vec<Entry<u64>>,
    keys: Keys,
}

struct Model {
    lane: Lane<u64>,
    policy: LanePolicy,
    now: i64,
    paused_until: i64,
    waiting: BTreeMap<u64, Entry<u64>>,
    stored: BTreeMap<u64, Entry<u64>>,
    /// Those that came after newer ones: left in the store, they are overtaken by these.
    late: BTreeSet<u64>,
    running: Vec<Call>,
    cancelling: Vec<u64>,
    starts: BTreeMap<Option<Box<str>>, Vec<i64>>,
    ended: u64,
    offered: u64,
}

impl Model {
    fn new(policy: LanePolicy) -> Self {
        Self {
            lane: Lane::new(policy.clone()),
            policy,
            now: 100,
            paused_until: 0,
            waiting: BTreeMap::new(),
            stored: BTreeMap::new(),
            late: BTreeSet::new(),
            running: Vec::new(),
            cancelling: Vec::new(),
            starts: BTreeMap::new(),
            ended: 0,
            offered: 0,
        }
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Offer(offer) => self.offer(offer),
            Step::Start(count) => {
                for _ in 0..*count {
                    self.start(1);
                }
            }
            Step::Full => assert!(!self.start(0), "a call began without room"),
            Step::Finish(which) => {
                if let Some(entry) = self.stop(*which) {
                    self.ended += 1;
                    self.lane.finish(entry.id, &entry.keys);
                }
            }
            Step::Retry(which, wait) => {
                if let Some(mut entry) = self.stop(*which) {
                    entry.due = at(self.now + wait);
                    entry.attempts += 1;
                    self.waiting.insert(entry.payload, entry.clone());
                    self.lane.retry(entry, at(self.now));
                }
            }
            Step::Cancel(which) => {
                let events: Vec<_> = self.waiting.keys().copied().collect();
                if let Some(event) = events.get(which % events.len().max(1)) {
                    assert_eq!(self.lane.cancel(id(*event)), Some(*event));
                    self.waiting.remove(event);
                    self.ended += 1;
                }
            }
            Step::Pass(millis) => self.now += millis,
            Step::Refill => self.refill(),
            Step::Pause(0) => {
                self.lane.resume();
                self.paused_until = 0;
            }
            Step::Pause(millis) => {
                self.paused_until = self.now + millis;
                self.lane.pause(Some(at(self.paused_until)), "test");
            }
            Step::Restart => self.restart(),
        }
        self.take_decisions();
    }

    fn offer(&mut self, offer: &Offer) {
        self.offered += 1;
        let event = made((self.now - offer.age) as u64, self.offered);
        if offer.age > 0 {
            self.late.insert(event);
        }
        let entry = Entry {
            id: id(event),
            due: at(self.now - offer.age + offer.delay),
            attempts: 0,
            keys: keys(&offer.keys),
            priority: offer.priority,
            bytes: offer.bytes,
            payload: event,
        };
        let offered = self.lane.offer(entry.clone(), at(self.now));
        self.put(entry, offered);
    }

    fn put(&mut self, entry: Entry<u64>, offered: Offered) {
        match offered {
            Offered::Taken => self.waiting.insert(entry.payload, entry),
            Offered::KeyFull => self.stored.insert(entry.payload, entry),
            Offered::Known => panic!("a new one was known: {entry:?}"),
        };
    }

    /// The lane is made anew from the store, where nothing runs.
    fn restart(&mut self) {
        if !self.running.is_empty() {
            return;
        }
        let spent = self.lane.spent();
        self.lane = Lane::new(self.policy.clone());
        self.lane.restore_spent(spent);
        self.paused_until = 0;
        let mut all = std::mem::take(&mut self.waiting);
        all.append(&mut self.stored);
        for (_, entry) in all {
            let offered = self.lane.offer(entry.clone(), at(self.now));
            self.put(entry, offered);
        }
    }

    /// Makes one call, if there is one to be made.
    fn start(&mut self, capacity: usize) -> bool {
        let call = self.lane.next(at(self.now), capacity);
        self.take_decisions();
        let Some(call) = call else {
            self.check_nothing_to_do(capacity);
            return false;
        };
        self.check_call(&call);
        let keys = call.first.keys.clone();
        self.running.push(Call { left: call.into_entries().collect(), keys });
        self.check_places();
        true
    }

    /// What the lane dropped or wants to be cancelled.
    fn take_decisions(&mut self) {
        for (entry, why) in self.lane.take_dropped() {
            assert!(self.waiting.remove(&entry.payload).is_some(), "{entry:?} did not wait");
            self.ended += 1;
            match why {
                Dropped::Superseded { by } => assert!(by > entry.id, "{by} is not newer"),
                Dropped::Overflow { .. } => assert_eq!(self.overflow(), Some(Overflow::Skip)),
            }
        }
        for cancelled in self.lane.take_cancels() {
            let event = cancelled.event.as_u64();
            assert_eq!(self.overflow(), Some(Overflow::Cancel));
            let mut running = self.running.iter().flat_map(|call| &call.left);
            assert!(running.any(|entry| entry.payload == event), "{cancelled} does not run");
            assert!(!self.cancelling.contains(&event), "{cancelled} was cancelled twice");
            self.cancelling.push(event);
        }
    }

    fn overflow(&self) -> Option<Overflow> {
        self.policy.concurrency.as_ref().map(|concurrency| concurrency.overflow)
    }

    fn check_call(&mut self, call: &Admitted<u64>) {
        let entries: Vec<_> = call.entries().cloned().collect();
        for entry in &entries {
            assert!(self.waiting.remove(&entry.payload).is_some(), "started twice: {entry:?}");
            assert!(entry.due <= at(self.now), "not due: {entry:?}");
            self.check_quiet(entry);
        }
        self.check_size(&entries);
        for entry in &entries {
            self.check_order(entry);
        }
        assert!(entries.is_sorted_by_key(|entry| entry.id), "not the oldest first");
        self.check_rate(&call.first.keys);
    }

    fn check_quiet(&self, entry: &Entry<u64>) {
        let Some(debounce) = self.policy.debounce.as_ref().filter(|_| entry.attempts == 0) else {
            return;
        };
        let arrived = entry.id.event.made_at().max(entry.due);
        // Another one may have waited for longest.
        let wait = debounce.max_wait.map_or(debounce.wait, |_| Millis::ZERO);
        assert!(arrived.plus(wait) <= at(self.now), "it was not quiet yet: {entry:?}");
    }

    fn check_size(&self, entries: &[Entry<u64>]) {
        let bytes: u64 = entries.iter().map(|entry| u64::from(entry.bytes)).sum();
        let debounces_all =
            self.policy.debounce.as_ref().is_some_and(|quiet| quiet.mode == DebounceMode::All);
        match &self.policy.batch {
            Some(batch) => {
                assert!(entries.len() <= batch.size as usize);
                let bound = batch.bytes.map_or(u64::MAX, ByteSize::as_u64);
                assert!(entries.len() == 1 || bytes <= bound);
                let same = |a: &Entry<u64>, b: &Entry<u64>| a.keys.batch == b.keys.batch;
                assert!(
                    batch.key.is_none() || entries.windows(2).all(|two| same(&two[0], &two[1]))
                );
            }
            None => assert!(entries.len() == 1 || debounces_all),
        }
        for two in entries.windows(2) {
            let (a, b) = (&two[0].keys, &two[1].keys);
            assert!(!self.places_have_keys() || a.concurrency == b.concurrency);
            assert!(!self.rate_has_key() || a.rate == b.rate);
        }
    }

    fn check_order(&self, entry: &Entry<u64>) {
        let Some(key) = entry.keys.order.as_ref().filter(|_| self.policy.ordered) else { return };
        let same = |other: &&Entry<u64>| other.keys.order.as_ref() == Some(key);
        let mut running = self.running.iter().flat_map(|call| &call.left);
        assert!(!running.any(|other| same(&other)), "{key} runs already");
        let stored = self.stored.values().filter(|other| !self.late.contains(&other.payload));
        for other in self.waiting.values().chain(stored).filter(same) {
            // One that still waits for quiet has not come up to its key.
            let verdict = self.lane.explain(other.id, at(self.now), 1);
            let is_coming = self.policy.debounce.is_some()
                && other.attempts == 0
                && matches!(verdict, Some(Verdict::Debounced { .. } | Verdict::NotDue { .. }));
            assert!(is_coming || other.id > entry.id, "{entry:?} overtook {other:?}");
        }
    }

    fn check_places(&self) {
        let Some(concurrency) = &self.policy.concurrency else { return };
        let mut counts: BTreeMap<&Option<Box<str>>, u32> = BTreeMap::new();
        for call in &self.running {
            if concurrency.key.is_none() {
                *counts.entry(&None).or_default() += 1;
            } else if call.keys.concurrency.is_some() {
                *counts.entry(&call.keys.concurrency).or_default() += 1;
            }
        }
        assert!(counts.values().all(|count| *count <= concurrency.limit), "over: {counts:?}");
    }

    fn check_rate(&mut self, keys: &Keys) {
        let Some(rate) = &self.policy.rate else { return };
        let key = keys.rate.clone().filter(|_| self.rate_has_key());
        let starts = self.starts.entry(key).or_default();
        starts.push(self.now);
        let burst = i64::from(rate.burst.unwrap_or(rate.limit));
        for (place, begun) in starts.iter().enumerate() {
            let tokens = (self.now - begun) * i64::from(rate.limit) / rate.per.as_u64() as i64;
            let calls = (starts.len() - place) as i64;
            assert!(calls <= burst + tokens, "{calls} since {begun}: {starts:?}");
        }
    }

    fn rate_has_key(&self) -> bool {
        self.policy.rate.as_ref().is_some_and(|rate| rate.key.is_some())
    }

    fn places_have_keys(&self) -> bool {
        self.policy.concurrency.as_ref().is_some_and(|concurrency| concurrency.key.is_some())
    }

    /// The lane gave nothing: nobody may be able to go, and nobody's time may have passed.
    fn check_nothing_to_do(&self, capacity: usize) {
        let due = self.lane.next_due();
        assert!(due.is_none_or(|due| due > at(self.now)), "asleep since {due:?}");
        if capacity == 0 {
            return;
        }
        for entry in self.waiting.values() {
            let verdict = self.lane.explain(entry.id, at(self.now), capacity);
            let is_free = matches!(verdict, Some(Verdict::Ready | Verdict::Outranked { .. }));
            assert!(!is_free, "{entry:?} was left: {verdict:?}");
        }
    }

    fn stop(&mut self, which: usize) -> Option<Entry<u64>> {
        let place = which % self.running.len().max(1);
        let call = self.running.get_mut(place)?;
        let entry = call.left.swap_remove(which / 7 % call.left.len());
        if call.left.is_empty() {
            self.running.remove(place);
        }
        self.cancelling.retain(|event| *event != entry.payload);
        Some(entry)
    }

    fn refill(&mut self) {
        for key in self.lane.take_hungry_keys() {
            let of_key = |entry: &&Entry<u64>| entry.keys.order.as_ref() == Some(&key);
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
        let running: usize = self.running.iter().map(|call| call.left.len()).sum();
        let known = self.waiting.len() + self.stored.len() + running;
        assert_eq!(self.ended + known as u64, self.offered);
        for entry in self.waiting.values() {
            let verdict = self.lane.explain(entry.id, at(self.now), 1);
            assert!(verdict.is_some(), "{entry:?} is lost");
        }
    }

    /// Everything that was ever offered ends, woken only by ends and by [`Lane::next_due`].
    fn drain(&mut self) {
        for _ in 0..self.offered * 8 + 20 {
            self.refill();
            while self.start(1) {}
            if !self.running.is_empty() {
                self.step(&Step::Finish(0));
                continue;
            }
            match self.lane.next_due() {
                Some(due) => self.now = self.now.max(millis(due) + 1),
                None => break,
            }
        }
        self.check();
        assert!(self.waiting.is_empty() && self.stored.is_empty(), "stuck: {:?}", self.waiting);
        self.lane.assert_at_rest();
    }
}

fn run(policy: LanePolicy, steps: &[Step]) {
    let mut model = Model::new(policy);
    for step in steps {
        model.step(step);
        model.check();
    }
    model.drain();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]
    #[test]
    fn every_policy_holds_and_nothing_is_lost(policy in policies(), steps in steps()) {
        run(policy, &steps);
    }
}
