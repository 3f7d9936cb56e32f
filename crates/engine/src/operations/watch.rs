//! Executions an operation has begun are watched until they end: for its progress, and so that a
//! redrive stops by itself when what failed before fails again of the same cause.
//!
//! Every end of an attempt asks here. While no operation goes on that costs one atomic read.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use evoke_model::{Cause, ExecutionId, State};
use parking_lot::Mutex;
use tokio::sync::Notify;

/// Executions watched at once, about 10 MB of them. An operation that has begun so many waits for
/// some of them to end before it goes on.
pub(super) const WATCHED_MAX: usize = 100_000;

/// What the executions of one operation came to.
#[derive(Default)]
pub(super) struct Tally {
    /// Those that are watched.
    open: AtomicUsize,
    succeeded: AtomicU64,
    failed: AtomicU64,
    /// How many died again of the cause they had.
    again: Mutex<HashMap<Cause, u32>>,
    changed: Notify,
}

impl Tally {
    /// Executions that have not ended.
    pub(super) fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// How many ended well.
    pub(super) fn succeeded(&self) -> u64 {
        self.succeeded.load(Ordering::Relaxed)
    }

    /// How many ended in failure.
    pub(super) fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    /// The cause most of them died of again, and how many did.
    pub(super) fn repeated(&self) -> Option<(Cause, u32)> {
        let again = self.again.lock();
        again.iter().map(|(cause, count)| (*cause, *count)).max_by_key(|(cause, n)| (*n, *cause))
    }

    /// Completes when one died again or none is open any more.
    pub(super) fn changed(&self) -> impl Future<Output = ()> {
        self.changed.notified()
    }

    fn ended(&self, had: Option<Cause>, end: End) {
        match end.state {
            State::Success => self.succeeded.fetch_add(1, Ordering::Relaxed),
            State::Failed | State::TimedOut => self.failed.fetch_add(1, Ordering::Relaxed),
            State::Pending | State::Running | State::Cancelled => 0,
        };
        let died_again = had.filter(|had| end.cause == Some(*had));
        if let Some(cause) = died_again {
            *self.again.lock().entry(cause).or_default() += 1;
        }
        let was_open = self.open.fetch_sub(1, Ordering::Relaxed);
        if was_open == 1 || died_again.is_some() {
            self.changed.notify_one();
        }
    }
}

/// How an execution ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct End {
    /// A final state.
    pub(super) state: State,
    /// The cause, if it is a dead letter.
    pub(super) cause: Option<Cause>,
}

struct Watched {
    tally: Arc<Tally>,
    /// What it had died of.
    had: Option<Cause>,
}

/// The executions that are watched.
#[derive(Default)]
pub(super) struct Watch {
    count: AtomicUsize,
    watched: Mutex<BTreeMap<ExecutionId, Watched>>,
}

impl Watch {
    /// How many are watched.
    pub(super) fn len(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// Watches an execution for an operation. Called before it can begin.
    pub(super) fn add(&self, id: ExecutionId, had: Option<Cause>, tally: &Arc<Tally>) {
        let mut watched = self.watched.lock();
        tally.open.fetch_add(1, Ordering::Relaxed);
        if let Some(old) = watched.insert(id, Watched { tally: tally.clone(), had }) {
            old.tally.open.fetch_sub(1, Ordering::Relaxed);
        }
        self.count.store(watched.len(), Ordering::Relaxed);
    }

    /// An execution ended. Cheap while nothing is watched.
    pub(super) fn ended(&self, id: ExecutionId, end: End) {
        if let Some(old) = self.take(id) {
            old.tally.ended(old.had, end);
        }
    }

    /// An execution is not there, or not the operation's, after all.
    pub(super) fn remove(&self, id: ExecutionId) {
        if let Some(old) = self.take(id) {
            old.tally.open.fetch_sub(1, Ordering::Relaxed);
        }
    }

    fn take(&self, id: ExecutionId) -> Option<Watched> {
        if self.len() == 0 {
            return None;
        }
        let mut watched = self.watched.lock();
        let old = watched.remove(&id);
        self.count.store(watched.len(), Ordering::Relaxed);
        old
    }

    /// Watches nothing more for an operation.
    pub(super) fn forget(&self, tally: &Arc<Tally>) {
        let mut watched = self.watched.lock();
        let before = watched.len();
        watched.retain(|_, one| !Arc::ptr_eq(&one.tally, tally));
        tally.open.fetch_sub(before - watched.len(), Ordering::Relaxed);
        self.count.store(watched.len(), Ordering::Relaxed);
    }

    /// Some of those watched for an operation: the next ones behind `after`.
    pub(super) fn some(
        &self,
        tally: &Arc<Tally>,
        after: Option<ExecutionId>,
        most: usize,
    ) -> Vec<ExecutionId> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let watched = self.watched.lock();
        let own = watched.range((from, Bound::Unbounded));
        let own = own.filter(|(_, one)| Arc::ptr_eq(&one.tally, tally));
        own.map(|(id, _)| *id).take(most).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use evoke_model::{EventId, TriggerId};

    const CAUSE: Cause = Cause(7);

    fn id(event: u64) -> ExecutionId {
        ExecutionId { event: EventId::from_u64(event), trigger: TriggerId::from_u64(1) }
    }

    fn end(state: State, cause: Option<Cause>) -> End {
        End { state, cause }
    }

    #[test]
    fn ends_are_counted_for_the_operation_that_watches() {
        let watch = Watch::default();
        let (one, two) = (Arc::<Tally>::default(), Arc::<Tally>::default());
        for event in 0..4 {
            watch.add(id(event), Some(CAUSE), &one);
        }
        watch.add(id(9), None, &two);
        watch.ended(id(0), end(State::Success, None));
        watch.ended(id(1), end(State::Failed, Some(CAUSE)));
        watch.ended(id(2), end(State::TimedOut, Some(Cause(8))));
        watch.ended(id(3), end(State::Cancelled, None));
        watch.ended(id(9), end(State::Failed, Some(CAUSE)));
        watch.ended(id(9), end(State::Failed, Some(CAUSE)));
        watch.ended(id(77), end(State::Success, None));
        assert_eq!((one.open(), one.succeeded(), one.failed()), (0, 1, 2));
        assert_eq!(one.repeated(), Some((CAUSE, 1)), "another cause is no repetition");
        assert_eq!((two.open(), two.failed(), two.repeated()), (0, 1, None));
        assert_eq!(watch.len(), 0);
    }

    #[test]
    fn the_cause_that_came_back_most_often_is_named() {
        let watch = Watch::default();
        let tally = Arc::<Tally>::default();
        for (event, cause) in [(1, 3), (2, 5), (3, 5)] {
            watch.add(id(event), Some(Cause(cause)), &tally);
            watch.ended(id(event), end(State::Failed, Some(Cause(cause))));
        }
        assert_eq!(tally.repeated(), Some((Cause(5), 2)));
    }

    #[test]
    fn what_is_forgotten_is_watched_for_nobody() {
        let watch = Watch::default();
        let (one, two) = (Arc::<Tally>::default(), Arc::<Tally>::default());
        for event in 0..3 {
            watch.add(id(event), None, &one);
        }
        watch.add(id(3), None, &two);
        watch.remove(id(0));
        assert_eq!(watch.some(&one, Some(id(1)), 10), [id(2)]);
        watch.forget(&one);
        assert_eq!((one.open(), one.succeeded(), watch.len(), two.open()), (0, 0, 1, 1));
    }

    #[tokio::test]
    async fn who_waits_is_told_when_none_is_open_any_more() {
        let watch = Watch::default();
        let tally = Arc::<Tally>::default();
        watch.add(id(1), None, &tally);
        watch.ended(id(1), end(State::Success, None));
        tally.changed().await;
    }
}
