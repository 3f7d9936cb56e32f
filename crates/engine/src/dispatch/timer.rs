//! The only timer of the engine: when which lane is to be looked at.

use std::collections::BTreeSet;

use evoke_model::{Timestamp, TriggerId};
use parking_lot::Mutex;
use tokio::sync::Notify;

/// Instants and the lanes that wait for them.
#[derive(Default)]
pub(crate) struct Timer {
    set: Mutex<BTreeSet<(Timestamp, TriggerId)>>,
    nudge: Notify,
}

impl Timer {
    /// Wakes a lane at this instant.
    pub(crate) fn at(&self, instant: Timestamp, trigger: TriggerId) {
        let mut set = self.set.lock();
        let is_first = set.first().is_none_or(|(first, _)| instant < *first);
        set.insert((instant, trigger));
        drop(set);
        if is_first {
            self.nudge.notify_one();
        }
    }

    /// Completes when an earlier instant than all others was set.
    pub(crate) fn nudged(&self) -> impl Future<Output = ()> {
        self.nudge.notified()
    }

    /// When the first lane is to be looked at.
    pub(crate) fn first(&self) -> Option<Timestamp> {
        self.set.lock().first().map(|(instant, _)| *instant)
    }

    /// The lanes whose time has come, and when the next one's comes.
    pub(crate) fn take(&self, now: Timestamp) -> (Vec<TriggerId>, Option<Timestamp>) {
        let mut set = self.set.lock();
        let mut due = Vec::new();
        while let Some((instant, trigger)) = set.first().copied() {
            if instant > now {
                return (due, Some(instant));
            }
            set.pop_first();
            if due.last() != Some(&trigger) {
                due.push(trigger);
            }
        }
        (due, None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_due_comes_out_and_the_next_instant_is_told() {
        let timer = Timer::default();
        let at = Timestamp::from_micros;
        let lane = TriggerId::from_u64;
        timer.at(at(30), lane(3));
        timer.at(at(10), lane(1));
        timer.at(at(20), lane(2));
        assert_eq!(timer.take(at(5)), (vec![], Some(at(10))));
        assert_eq!(timer.take(at(20)), (vec![lane(1), lane(2)], Some(at(30))));
        assert_eq!(timer.take(at(99)), (vec![lane(3)], None));
    }
}
