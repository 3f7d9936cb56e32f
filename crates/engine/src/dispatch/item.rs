//! An execution on its way: what the store or ingest knows of it, and its keys.

use std::sync::Arc;

use evoke_delivery::admission::{Entry, Keys};
use evoke_matching::Index;
use evoke_model::{Policy, Trigger};
use evoke_ports::store::Waiting;

/// An execution on its way to its lane.
pub(crate) struct Planned {
    pub(crate) waiting: Waiting,
    pub(crate) trigger: Arc<Trigger>,
    pub(crate) keys: evoke_matching::Keys,
}

/// A waiting execution as a lane keeps it.
pub(crate) struct Item {
    pub(crate) waiting: Waiting,
    /// Attempts that did not count.
    pub(crate) elsewhere: u32,
}

/// A waiting execution with what admission decides by.
pub(crate) fn entry(mut waiting: Waiting, keys: evoke_matching::Keys) -> Entry<Item> {
    Entry {
        id: waiting.id,
        due: waiting.due,
        attempts: waiting.attempts,
        // The keys it was accepted with hold, whatever its trigger says by now: the store is asked
        // for more by them.
        keys: Keys {
            order: waiting.order_key.take(),
            concurrency: waiting.concurrency_key.take(),
            rate: keys.rate,
            debounce: keys.debounce,
            batch: keys.batch,
        },
        priority: keys.priority,
        bytes: u32::try_from(waiting.event.data.len()).unwrap_or(u32::MAX),
        payload: Item { waiting, elsewhere: 0 },
    }
}

/// The keys of executions that were read back from the store. They are made anew, since only those
/// the store looks for are kept in it.
pub(crate) fn keys_of(policy: &Policy, index: &Index, waiting: &Waiting) -> evoke_matching::Keys {
    let has_more = policy.rate.is_some()
        || policy.debounce.is_some()
        || policy.batch.is_some()
        || policy.priority != evoke_model::policy::Priority::default();
    if has_more {
        index.keys_for(waiting.id.trigger, &waiting.event)
    } else {
        evoke_matching::Keys::default()
    }
}
