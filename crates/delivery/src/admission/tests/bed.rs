//! What the tests of a lane share: short ways to write entries and policies, and a lane that
//! remembers what it runs.

use std::collections::BTreeMap;

use evoke_model::policy::{Batch, Concurrency, Debounce, DebounceMode, Overflow, Rate};
use evoke_model::{ByteSize, EventId, ExecutionId, Keys, Millis, Timestamp, TriggerId};

use super::*;

/// The zero of the tests' time is that of ids: an event with a low number was made then.
const ZERO: i64 = 1_704_067_200_000;

/// The sequence numbers of one millisecond, see [`EventId`].
const IDS_PER_MILLI: u64 = 1 << 22;

pub(super) fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(ZERO + millis)
}

pub(super) fn millis(at: Timestamp) -> i64 {
    at.as_millis() - ZERO
}

pub(super) fn id(event: u64) -> ExecutionId {
    ExecutionId { event: EventId::from_u64(event), trigger: TriggerId::from_u64(1) }
}

/// The number of an event that was made at this time.
pub(super) fn made(millis: u64, number: u64) -> u64 {
    millis * IDS_PER_MILLI + number
}

pub(super) fn entry(event: u64, keys: &str) -> Entry<u64> {
    let made_at = EventId::from_u64(event).made_at();
    Entry {
        id: id(event),
        due: made_at,
        attempts: 0,
        keys: self::keys(keys),
        priority: 0,
        bytes: 10,
        payload: event,
    }
}

/// Keys as text: `order:a rate:b`.
pub(super) fn keys(text: &str) -> Keys {
    let mut keys = Keys::default();
    for (name, key) in text.split_whitespace().filter_map(|word| word.split_once(':')) {
        let place = match name {
            "order" => &mut keys.order,
            "place" => &mut keys.concurrency,
            "rate" => &mut keys.rate,
            "quiet" => &mut keys.debounce,
            "batch" => &mut keys.batch,
            other => panic!("no key is called {other}"),
        };
        *place = Some(key.into());
    }
    keys
}

pub(super) fn none() -> LanePolicy {
    LanePolicy { key_window: 4, ..LanePolicy::default() }
}

pub(super) fn limit(limit: u32, overflow: Overflow) -> Option<Concurrency> {
    Some(Concurrency { limit, key: None, overflow })
}

pub(super) fn limit_by_key(limit: u32, overflow: Overflow) -> Option<Concurrency> {
    Some(Concurrency { limit, key: Some("k".into()), overflow })
}

pub(super) fn batch(size: u32, wait: u64) -> Option<Batch> {
    Some(Batch { size, wait: Millis::new(wait), bytes: None, key: None })
}

pub(super) fn batch_of_bytes(size: u32, bytes: u64) -> Option<Batch> {
    Some(Batch { size, wait: Millis::new(50), bytes: Some(ByteSize::new(bytes)), key: None })
}

pub(super) fn quiet(wait: u64, mode: DebounceMode) -> Option<Debounce> {
    Some(Debounce { key: Some("k".into()), mode, ..Debounce::after(Millis::new(wait)) })
}

/// One call in so many milliseconds, so many at once.
pub(super) fn one_in(per: u64, burst: u32) -> Option<Rate> {
    Some(Rate { limit: 1, per: Millis::new(per), key: Some("k".into()), burst: Some(burst) })
}

/// A lane, and the entries it runs.
pub(super) struct Bed {
    pub(super) lane: Lane<u64>,
    running: BTreeMap<u64, Entry<u64>>,
}

impl Bed {
    pub(super) fn new(policy: LanePolicy) -> Self {
        Self { lane: Lane::new(policy), running: BTreeMap::new() }
    }

    /// Offers events with these keys at their time.
    pub(super) fn offer(&mut self, events: &[u64], keys: &str) {
        for event in events {
            self.put(entry(*event, keys));
        }
    }

    pub(super) fn put(&mut self, entry: Entry<u64>) {
        let made_at = entry.id.event.made_at();
        assert_eq!(self.lane.offer(entry, made_at), Offered::Taken);
    }

    /// The calls that may be made now.
    pub(super) fn calls(&mut self, now: i64) -> Vec<Vec<u64>> {
        let mut calls = Vec::new();
        while let Some(call) = self.lane.next(at(now), 1) {
            calls.push(call.entries().map(|entry| entry.payload).collect());
            self.running.extend(call.into_entries().map(|entry| (entry.payload, entry)));
        }
        calls
    }

    /// The executions that may run now, whatever their calls.
    pub(super) fn start(&mut self, now: i64) -> Vec<u64> {
        self.calls(now).concat()
    }

    pub(super) fn finish(&mut self, events: &[u64]) {
        for event in events {
            let entry = self.running.remove(event).expect("it runs");
            self.lane.finish(entry.id, &entry.keys);
        }
    }

    pub(super) fn retry(&mut self, event: u64, due: i64, now: i64) {
        let mut entry = self.running.remove(&event).expect("it runs");
        entry.attempts += 1;
        entry.due = at(due);
        self.lane.retry(entry, at(now));
    }

    pub(super) fn why(&self, event: u64, now: i64) -> Option<Verdict> {
        self.lane.explain(id(event), at(now), 1)
    }

    /// What was dropped, and for which newer one, if for one.
    pub(super) fn dropped(&mut self) -> Vec<(u64, Option<u64>)> {
        let dropped = self.lane.take_dropped();
        let by = |why| match why {
            Dropped::Superseded { by } => Some(by.event.as_u64()),
            Dropped::Overflow { .. } => None,
        };
        dropped.into_iter().map(|(entry, why)| (entry.payload, by(why))).collect()
    }

    /// What is to be cancelled.
    pub(super) fn cancels(&mut self) -> Vec<u64> {
        self.lane.take_cancels().into_iter().map(|id| id.event.as_u64()).collect()
    }
}
