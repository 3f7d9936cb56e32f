//! Why an execution waits: what `explain` shows to people.

use evoke_model::{ExecutionId, Timestamp};

/// Why an execution waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It runs as soon as the dispatcher comes to it.
    Ready,
    /// It waits for a quiet time.
    Debounced {
        /// When it is quiet enough, if no other one comes.
        until: Timestamp,
        /// The key it waits under.
        key: Option<Box<str>>,
        /// The newest of those that wait together.
        last: ExecutionId,
    },
    /// It is not yet due.
    NotDue {
        /// When it is.
        at: Timestamp,
    },
    /// Others with the same key are before it.
    BehindKey {
        /// The key.
        key: Box<str>,
        /// How many are before it, those that run included; at least 1.
        position: usize,
        /// How many of the key are in memory, those that run included.
        of: usize,
    },
    /// It waits for others to share its call.
    Gathering {
        /// When its call is made at the latest.
        until: Timestamp,
        /// How many have come together.
        have: usize,
        /// With so many the call is made at once.
        size: u32,
    },
    /// As many calls run as may.
    ConcurrencyFull {
        /// The limit.
        limit: u32,
        /// The key it counts for; `None` when it counts all.
        key: Option<Box<str>>,
        /// How many run.
        running: u32,
    },
    /// As many calls were made lately as may.
    RateLimited {
        /// When it may go, if nothing else comes first.
        until: Timestamp,
        /// The key the rate counts for; `None` when it counts all.
        key: Option<Box<str>>,
        /// How many are before it for the same key.
        position: usize,
    },
    /// It could run, but others of its trigger go first.
    Outranked {
        /// How many are before it; at least 1.
        position: usize,
    },
    /// The target takes no more at once.
    NoCapacity {
        /// How many calls of this lane run.
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

/// What a lane would look at first, to choose between lanes that share a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Its priority.
    pub priority: i32,
    /// When it was due.
    pub due: Timestamp,
}
