//! Which execution of a trigger may run now. One [`Lane`] for each trigger; the dispatcher asks it
//! for the [`Lane::next`] one whenever there is capacity, time passed or an attempt ended.
//!
//! An execution waits for its due time, then, where the trigger has `order_by`, for its turn among
//! those with the same key, then for a place under the concurrency limit. A key that is blocked
//! never blocks another key; within a key the order of acceptance holds, so a head that waits for
//! its retry, or for a due time its sender gave, blocks its own key until it is done or dead.
//!
//! # Memory
//!
//! A lane keeps at most [`LanePolicy::key_window`] executions of one order key, so that one blocked
//! key cannot fill the dispatcher's window. Those over it are refused with [`Offered::KeyFull`]:
//! they are in the store. When the key runs low it shows up in [`Lane::take_hungry_keys`]; the
//! caller reads the key's next executions from the store and gives them to [`Lane::refill`].

mod key;
mod lane;
#[cfg(test)]
mod tests;

pub use lane::Lane;

use evoke_model::policy::Concurrency;
use evoke_model::{ExecutionId, Policy, Timestamp};

/// Executions of one order key kept in memory where nothing else is said. A key runs one at a time,
/// so even at a millisecond each this bridges more than one read of the store.
pub const KEY_WINDOW_DEFAULT: usize = 64;

/// What a lane keeps to.
#[derive(Clone, Debug, PartialEq)]
pub struct LanePolicy {
    /// How many run at once, in all or per key.
    pub concurrency: Option<Concurrency>,
    /// Executions with an order key run one after the other.
    pub ordered: bool,
    /// Executions of one order key kept in memory.
    pub key_window: usize,
}

impl LanePolicy {
    /// What the policy of a trigger means for its lane.
    pub fn of(policy: &Policy) -> Self {
        Self {
            concurrency: policy.concurrency.clone(),
            ordered: policy.order_by.is_some(),
            key_window: KEY_WINDOW_DEFAULT,
        }
    }
}

/// A waiting execution.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry<T> {
    /// The execution.
    pub id: ExecutionId,
    /// When it is due.
    pub due: Timestamp,
    /// First in, first out per key.
    pub order_key: Option<Box<str>>,
    /// The concurrency limit counts per key.
    pub concurrency_key: Option<Box<str>>,
    /// What the caller needs to run it.
    pub payload: T,
}

/// What became of an offered execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offered {
    /// It waits in the lane.
    Taken,
    /// It was in the lane already.
    Known,
    /// Its key has as many in memory as it may: it stays in the store until the key is refilled.
    KeyFull,
}

/// Whether the store has more of a key than was given to [`Lane::refill`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rest {
    /// There may be more.
    More,
    /// That was all.
    None,
}

/// Why an execution waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It runs as soon as the dispatcher comes to it.
    Ready,
    /// It is not yet due.
    NotDue {
        /// When it is.
        at: Timestamp,
    },
    /// Others with the same key are before it.
    BehindKey {
        /// The key.
        key: Box<str>,
        /// How many are before it, the one that runs included; at least 1.
        position: usize,
        /// How many of the key are in memory, the one that runs included.
        of: usize,
    },
    /// As many run as may.
    ConcurrencyFull {
        /// The limit.
        limit: u32,
        /// The key it counts for; `None` when it counts all.
        key: Option<Box<str>>,
        /// How many run.
        running: u32,
    },
    /// The target takes no more at once.
    NoCapacity {
        /// How many run.
        running: usize,
    },
    /// The lane stands still.
    Paused {
        /// Until when; `None` until it is resumed.
        until: Option<Timestamp>,
        /// Why.
        why: Box<str>,
    },
}
