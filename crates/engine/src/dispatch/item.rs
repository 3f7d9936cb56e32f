//! An execution on its way: what the store or ingest knows of it, and its keys.

use std::sync::Arc;

use evoke_delivery::admission::Entry;
use evoke_matching::{Evaluated, Index};
use evoke_model::{Event, Policy, Redirect, Trigger};
use evoke_ports::store::Waiting;

/// An execution on its way to its lane.
pub(crate) struct Planned {
    pub(crate) entry: Entry<Item>,
    pub(crate) trigger: Arc<Trigger>,
}

/// What it takes to run a waiting execution, beside what admission decides by.
pub(crate) struct Item {
    /// What happened; with other data where the payload was edited.
    pub(crate) event: Arc<Event>,
    /// Where it goes instead of its trigger's target.
    pub(crate) redirect: Option<Box<Redirect>>,
    /// Attempts that did not count.
    pub(crate) elsewhere: u32,
}

impl Item {
    /// What it adds to a batch, in bytes.
    pub(crate) fn size(&self) -> u32 {
        u32::try_from(self.event.data.len()).unwrap_or(u32::MAX)
    }
}

/// An execution that was read back from the store. Its keys are made anew, but for those that are
/// kept there: they hold whatever its trigger says by now, since the store is asked for more by
/// them.
pub(crate) fn entry(waiting: Waiting, policy: &Policy, index: &Index) -> Entry<Item> {
    let has_more = policy.rate.is_some()
        || policy.debounce.is_some()
        || policy.batch.is_some()
        || policy.priority != evoke_model::policy::Priority::default();
    let Evaluated { mut keys, priority, .. } = if has_more {
        index.keys_for(waiting.id.trigger, &waiting.event)
    } else {
        Evaluated::default()
    };
    let Waiting { id, due, attempts, order_key, concurrency_key, redirect, event, .. } = waiting;
    if (order_key.as_ref(), concurrency_key.as_ref())
        != (keys.order.as_ref(), keys.concurrency.as_ref())
    {
        (keys.order, keys.concurrency) = (order_key, concurrency_key);
    }
    let item = Item { event, redirect, elsewhere: 0 };
    Entry { id, due, attempts, keys, priority, bytes: item.size(), payload: item }
}
