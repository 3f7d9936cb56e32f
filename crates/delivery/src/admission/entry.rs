//! What goes into a lane and what comes out of it.

use std::iter;

use evoke_model::{ExecutionId, Keys, Timestamp};

use crate::fair::head_start;

/// A waiting execution.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry<T> {
    /// The execution.
    pub id: ExecutionId,
    /// When it is due.
    pub due: Timestamp,
    /// Attempts that have ended; only those without one are debounced.
    pub attempts: u32,
    /// Its keys.
    pub keys: Keys,
    /// Its head start in seconds, cut to [`Priority::MAX`] either way.
    ///
    /// [`Priority::MAX`]: evoke_model::policy::Priority::MAX
    pub priority: i32,
    /// The size of its event's data, for the bound of a batch.
    pub bytes: u32,
    /// What the caller needs to run it.
    pub payload: T,
}

impl<T> Entry<T> {
    /// When it would be its turn if all had the same priority: the earlier, the sooner it goes. As
    /// time passes a low priority is made up for by waiting, so nobody waits for ever.
    pub(super) fn virtual_due(&self) -> i64 {
        self.due.as_micros().saturating_sub(head_start(self.priority))
    }
}

/// A call that may be made now: one execution or, under batch or debounce, several.
#[derive(Clone, Debug, PartialEq)]
pub struct Admitted<T> {
    /// The oldest.
    pub first: Entry<T>,
    /// The others, oldest first; without an allocation where there are none.
    pub more: Vec<Entry<T>>,
}

impl<T> Admitted<T> {
    /// A call with one execution.
    pub const fn one(first: Entry<T>) -> Self {
        Self { first, more: Vec::new() }
    }

    /// How many executions share the call; at least 1.
    #[expect(clippy::len_without_is_empty, reason = "it is never empty")]
    pub const fn len(&self) -> usize {
        1 + self.more.len()
    }

    /// The executions, oldest first.
    pub fn entries(&self) -> impl Iterator<Item = &Entry<T>> {
        iter::once(&self.first).chain(&self.more)
    }

    /// The executions, oldest first.
    pub fn into_entries(self) -> impl Iterator<Item = Entry<T>> {
        iter::once(self.first).chain(self.more)
    }
}

/// What became of an offered execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offered {
    /// It waits in the lane, or was dropped at once: see `take_dropped`.
    Taken,
    /// It was in the lane already.
    Known,
    /// Its key has as many in memory as it may: it stays in the store until the key is refilled.
    KeyFull,
}

/// Whether the store has more of a key than was given to `refill`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rest {
    /// There may be more.
    More,
    /// That was all.
    None,
}

/// Why an execution that waited will never run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Dropped {
    /// A newer one took its turn: under debounce, or where the overflow of a concurrency limit is
    /// `cancel`.
    Superseded {
        /// The newer one.
        by: ExecutionId,
    },
    /// No place was free when its turn came, and the overflow is `skip`.
    Overflow {
        /// The limit.
        limit: u32,
        /// The key it counts for; `None` when it counts all.
        key: Option<Box<str>>,
    },
}
