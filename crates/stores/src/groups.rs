//! Dead letters by trigger and cause.

use std::collections::BTreeMap;

use evoke_model::{Cause, ExecutionId, TriggerId};
use evoke_ports::store::DeadLetters;

/// Counts dead letters as they come, in any order.
#[derive(Default)]
pub(crate) struct Groups(BTreeMap<(TriggerId, Cause), DeadLetters>);

impl Groups {
    /// Adds one.
    pub(crate) fn add(&mut self, id: ExecutionId, cause: Cause) {
        let ExecutionId { event, trigger } = id;
        let empty = DeadLetters { trigger, cause, count: 0, first: event, last: event };
        let group = self.0.entry((trigger, cause)).or_insert(empty);
        group.count += 1;
        group.first = group.first.min(event);
        group.last = group.last.max(event);
    }

    /// The groups by trigger, then cause.
    pub(crate) fn finish(self) -> Vec<DeadLetters> {
        self.0.into_values().collect()
    }
}
