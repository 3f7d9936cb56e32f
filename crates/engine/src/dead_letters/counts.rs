//! How many dead letters each trigger has: counted as they come and go, since the record is not
//! walked each time somebody asks for the metrics.

use ahash::AHashMap;
use evoke_model::TriggerId;
use evoke_ports::store::DeadLetters;
use parking_lot::Mutex;

/// Dead letters by trigger. Asked and changed only when an execution dies or is taken off the list.
#[derive(Default)]
pub(crate) struct Counts {
    by_trigger: Mutex<AHashMap<TriggerId, i64>>,
}

impl Counts {
    /// What the record has at the start.
    pub(crate) fn of(groups: &[DeadLetters]) -> Self {
        let counts = Self::default();
        for group in groups {
            counts.add(group.trigger, group.count as i64);
        }
        counts
    }

    /// So many more.
    pub(crate) fn add(&self, trigger: TriggerId, more: i64) {
        *self.by_trigger.lock().entry(trigger).or_default() += more;
    }

    /// All that ever had one.
    pub(crate) fn all(&self) -> Vec<(TriggerId, i64)> {
        self.by_trigger.lock().iter().map(|(trigger, count)| (*trigger, *count)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use evoke_model::{Cause, EventId};

    #[test]
    fn causes_of_a_trigger_are_counted_together() {
        let group = |trigger, cause, count| DeadLetters {
            trigger: TriggerId::from_u64(trigger),
            cause: Cause(cause),
            count,
            first: EventId::from_u64(1),
            last: EventId::from_u64(2),
        };
        let counts = Counts::of(&[group(1, 1, 3), group(1, 2, 4), group(2, 1, 1)]);
        counts.add(TriggerId::from_u64(2), -1);
        let mut all = counts.all();
        all.sort_unstable();
        assert_eq!(all, [(TriggerId::from_u64(1), 7), (TriggerId::from_u64(2), 0)]);
    }
}
