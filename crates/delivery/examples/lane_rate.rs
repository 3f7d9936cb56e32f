//! What an execution costs in its lane: offered, admitted and finished, in nanoseconds each.
//!
//! `cargo run --release -p evoke-delivery --example lane_rate -- [KIND]`

#![expect(clippy::print_stdout, reason = "its figures are what it is for")]

use std::time::Instant;

use evoke_delivery::{Entry, Lane, LanePolicy};
use evoke_model::policy::{Batch, Concurrency, Overflow, Rate};
use evoke_model::{EventId, ExecutionId, KeySet, Keys, Millis, Timestamp, TriggerId};

/// Executions of one measurement.
const EXECUTIONS: u64 = 1_000_000;
/// Executions offered before any is admitted: what piles up in a lane under load.
const BURST: u64 = 1_000;
/// Measurements of each kind; the best counts, since the machine can only slow it down.
const ROUNDS: usize = 7;

fn main() {
    let limit = |limit, key: Option<&str>| {
        let key = key.map(str::to_owned);
        Some(Concurrency { limit, key, overflow: Overflow::Queue })
    };
    let rate = Rate { limit: u32::MAX, per: Millis::new(1), key: None, burst: None };
    let batch = Batch { size: 100, wait: Millis::ZERO, bytes: None, key: None };
    let order = || Keys::from(KeySet { order: key(), ..KeySet::NONE });
    let place = || Keys::from(KeySet { concurrency: key(), ..KeySet::NONE });
    let none = LanePolicy::default;
    type Make<'a> = &'a dyn Fn() -> Keys;
    let kinds: [(&str, LanePolicy, Make, i32); 7] = [
        ("no policy", none(), &Keys::default, 1),
        ("concurrency", LanePolicy { concurrency: limit(10, None), ..none() }, &Keys::default, 1),
        (
            "concurrency by key",
            LanePolicy { concurrency: limit(2, Some("k")), ..none() },
            &place,
            1,
        ),
        ("order_by", LanePolicy { ordered: true, ..none() }, &order, 1),
        ("rate", LanePolicy { rate: Some(rate), ..none() }, &Keys::default, 1),
        ("batch of 100", LanePolicy { batch: Some(batch), ..none() }, &Keys::default, 1),
        ("two priorities", none(), &Keys::default, 2),
    ];
    let wanted = std::env::args().nth(1).unwrap_or_default();
    for (name, policy, keys, priorities) in kinds {
        if !name.contains(&wanted) {
            continue;
        }
        let best = (0..ROUNDS).map(|_| measure(&policy, keys, priorities)).fold(f64::MAX, f64::min);
        println!("{name:20} {best:6.1} ns");
    }
}

/// One key, as the engine makes one for each execution.
fn key() -> Option<Box<str>> {
    Some("customer-4711".into())
}

fn measure(policy: &LanePolicy, keys: &dyn Fn() -> Keys, priorities: i32) -> f64 {
    let mut lane = Lane::new(policy.clone());
    let mut event = 0;
    let begun = Instant::now();
    while event < EXECUTIONS {
        let now = Timestamp::from_micros(i64::try_from(event).unwrap_or(i64::MAX));
        for _ in 0..BURST {
            event += 1;
            let id =
                ExecutionId { event: EventId::from_u64(event), trigger: TriggerId::from_u64(1) };
            let priority = i32::try_from(event % 2).unwrap_or(0) * (priorities - 1);
            let entry = Entry {
                id,
                due: now,
                attempts: 0,
                keys: keys(),
                priority,
                bytes: 100,
                payload: event,
            };
            lane.offer(entry, now);
        }
        while let Some(call) = lane.next(now, usize::MAX) {
            for entry in call.into_entries() {
                lane.finish(entry.id, &entry.keys);
            }
        }
    }
    begun.elapsed().as_nanos() as f64 / EXECUTIONS as f64
}
