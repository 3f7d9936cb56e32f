//! All operations there are, those that ended included, and what the rest of the engine tells them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use evoke_model::operation::OperationStatus;
use evoke_model::{
    Cause, Code, ExecutionId, Millis, Operation, OperationId, Redirect, Rejection, State,
};
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use super::watch::{End, Tally, Watch};
use crate::audit::Actor;

/// Operations that go on at the same time: each reads the record and writes to it.
const RUNNING_MAX: usize = 8;

/// Operations in the list.
const LISTED_MAX: usize = 1_000;

/// Operations that ended this long before the start of the engine are not listed any more.
const LISTED_FOR: Millis = Millis::from_secs(30 * 86_400);

/// An operation with what only this process knows of it.
pub(super) struct Live {
    pub(super) id: OperationId,
    state: Mutex<Operation>,
    /// Executions that had ended before a restart: well and in failure.
    before: (u64, u64),
    pub(super) tally: Arc<Tally>,
    /// Somebody wants it to end.
    pub(super) cancel: CancellationToken,
    canceller: Mutex<Option<Actor>>,
    /// Its task has ended.
    pub(super) over: CancellationToken,
    is_begun: AtomicBool,
}

impl Live {
    fn new(operation: Operation) -> Arc<Self> {
        let over = CancellationToken::new();
        if operation.status != OperationStatus::Running {
            over.cancel();
        }
        Arc::new(Self {
            id: operation.id,
            before: (operation.progress.succeeded, operation.progress.failed),
            state: Mutex::new(operation),
            tally: Arc::default(),
            cancel: CancellationToken::new(),
            canceller: Mutex::default(),
            over,
            is_begun: AtomicBool::new(false),
        })
    }

    /// The operation as it is at this moment.
    pub(super) fn operation(&self) -> Operation {
        let mut operation = self.state.lock().clone();
        operation.progress.succeeded = self.before.0 + self.tally.succeeded();
        operation.progress.failed = self.before.1 + self.tally.failed();
        operation
    }

    /// Takes the operation as it was written.
    pub(super) fn set(&self, operation: Operation) {
        *self.state.lock() = operation;
    }

    pub(super) fn is_running(&self) -> bool {
        self.state.lock().status == OperationStatus::Running
    }

    /// Wants it to end; the first who asks is the one who is named.
    pub(super) fn call_off(&self, actor: &Actor) {
        self.canceller.lock().get_or_insert_with(|| actor.clone());
        self.cancel.cancel();
    }

    pub(super) fn canceller(&self) -> Option<Actor> {
        self.canceller.lock().clone()
    }

    /// Whether its task is still to be started. `true` once.
    pub(super) fn begins(&self) -> bool {
        self.is_running() && !self.is_begun.swap(true, Ordering::Relaxed)
    }
}

/// All operations.
pub(crate) struct Operations {
    list: Mutex<BTreeMap<OperationId, Arc<Live>>>,
    pub(super) watch: Watch,
    /// Held while dead letters are changed by hand, so that what was looked at is what is changed.
    by_hand: tokio::sync::Mutex<()>,
    /// The engine stops.
    pub(super) stop: CancellationToken,
}

impl Operations {
    /// Those the record has.
    pub(crate) fn of(stored: Vec<Operation>, now: evoke_model::Timestamp) -> Self {
        let is_listed = |one: &Operation| {
            one.status == OperationStatus::Running
                || one.ended_at.is_none_or(|ended| ended.plus(LISTED_FOR) > now)
        };
        let listed = stored.into_iter().filter(is_listed);
        let mut list = listed.map(|one| (one.id, Live::new(one))).collect();
        trim(&mut list);
        Self {
            list: Mutex::new(list),
            watch: Watch::default(),
            by_hand: tokio::sync::Mutex::new(()),
            stop: CancellationToken::new(),
        }
    }

    /// An attempt of an execution ended: with it the execution, or not yet. Cheap while no
    /// operation watches.
    pub(crate) fn ended(&self, id: ExecutionId, end: Option<State>, cause: Option<Cause>) {
        if let Some(state) = end {
            self.watch.ended(id, End { state, cause });
        }
    }

    /// An execution is not run after all.
    pub(crate) fn unwatch(&self, id: ExecutionId) {
        self.watch.remove(id);
    }

    /// Waits until nobody else changes dead letters by hand.
    pub(crate) async fn by_hand(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.by_hand.lock().await
    }

    /// Stops the tasks and waits for them. What goes on goes on after the next start.
    pub(crate) async fn close(&self) {
        self.stop.cancel();
        for live in self.all() {
            if live.is_begun.load(Ordering::Relaxed) {
                live.over.cancelled().await;
            }
        }
    }

    /// All of them, oldest first.
    pub(super) fn all(&self) -> Vec<Arc<Live>> {
        self.list.lock().values().cloned().collect()
    }

    /// Where operations under way send things.
    pub(crate) fn redirects(&self) -> Vec<Redirect> {
        let running = self.all().into_iter().filter(|live| live.is_running());
        running.filter_map(|live| super::request::redirect(&live.operation())).collect()
    }

    /// # Errors
    /// OP_001.
    pub(super) fn get(&self, id: OperationId) -> Result<Arc<Live>, Rejection> {
        self.list.lock().get(&id).cloned().ok_or_else(|| {
            Rejection::new(Code::OperationNotFound, format!("there is no operation {id}"))
        })
    }

    /// Takes a new one.
    ///
    /// # Errors
    /// OP_002 when too many go on already.
    pub(super) fn enter(&self, operation: Operation) -> Result<Arc<Live>, Rejection> {
        let mut list = self.list.lock();
        if list.values().filter(|one| one.is_running()).count() >= RUNNING_MAX {
            let message = format!("{RUNNING_MAX} operations go on already, more may not");
            return Err(Rejection::new(Code::OperationState, message));
        }
        let live = Live::new(operation);
        list.insert(live.id, live.clone());
        trim(&mut list);
        Ok(live)
    }

    /// Takes one back that could not be stored.
    pub(super) fn leave(&self, id: OperationId) {
        self.list.lock().remove(&id);
    }
}

/// Forgets the oldest that ended where there are too many.
fn trim(list: &mut BTreeMap<OperationId, Arc<Live>>) {
    let surplus = list.len().saturating_sub(LISTED_MAX);
    let ended = list.values().filter(|one| !one.is_running());
    let oldest: Vec<_> = ended.take(surplus).map(|one| one.id).collect();
    for id in oldest {
        list.remove(&id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use evoke_model::Timestamp;
    use evoke_model::operation::{OperationKind, Progress};

    const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

    fn operation(number: u64, status: OperationStatus, ended_at: Timestamp) -> Operation {
        Operation {
            id: OperationId::from_u64(number),
            kind: OperationKind::Replay,
            status,
            request: serde_json::Value::Null,
            progress: Progress { succeeded: 2, failed: 1, ..Progress::default() },
            cursor: None,
            actor: "local".into(),
            reason: None,
            created_at: NOW,
            updated_at: NOW,
            ended_at: (status != OperationStatus::Running).then_some(ended_at),
        }
    }

    fn running(number: u64) -> Operation {
        operation(number, OperationStatus::Running, NOW)
    }

    #[test]
    fn only_so_many_go_on_at_once() {
        let operations = Operations::of(Vec::new(), NOW);
        for number in 0..RUNNING_MAX as u64 {
            assert!(operations.enter(running(number)).is_ok(), "{number}");
        }
        let refused = operations.enter(running(99)).map(|live| live.id);
        assert_eq!(refused.map_err(|rejection| rejection.code), Err(Code::OperationState));
        operations.leave(OperationId::from_u64(0));
        assert!(operations.enter(running(99)).is_ok());
    }

    #[test]
    fn old_ones_that_ended_are_forgotten_and_running_ones_never() {
        let old = NOW.minus(LISTED_FOR);
        let recent = old.plus(Millis::new(1));
        let stored = vec![
            operation(1, OperationStatus::Running, old),
            operation(2, OperationStatus::Done, old),
            operation(3, OperationStatus::Stopped, recent),
        ];
        let operations = Operations::of(stored, NOW);
        let ids: Vec<_> = operations.all().iter().map(|one| one.id.as_u64()).collect();
        assert_eq!(ids, [1, 3]);
        let many = (0..LISTED_MAX as u64 + 5)
            .map(|number| match number {
                0 => running(0),
                number => operation(number, OperationStatus::Done, NOW),
            })
            .collect();
        let all = Operations::of(many, NOW).all();
        assert_eq!(all.len(), LISTED_MAX);
        assert_eq!((all[0].id.as_u64(), all[1].id.as_u64()), (0, 6));
    }

    #[test]
    fn what_ended_before_a_restart_stays_counted() {
        let operations = Operations::of(vec![running(1)], NOW);
        let live = operations.get(OperationId::from_u64(1)).expect("it is there");
        let id = "exe_00000000000010000000000002".parse().expect("an id");
        operations.watch.add(id, None, &live.tally);
        operations.ended(id, None, None);
        assert_eq!(live.tally.open(), 1, "a retry is no end");
        operations.ended(id, Some(State::Success), None);
        let progress = live.operation().progress;
        assert_eq!((progress.succeeded, progress.failed), (3, 1));
        assert!(live.begins() && !live.begins());
    }
}
