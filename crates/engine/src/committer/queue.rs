//! What waits for the committer. New events and everything else have places of their own, so that a
//! flood of new events keeps no old one from being finished, and unwritten ends refuse no new
//! event.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use evoke_ports::store::Write;
use parking_lot::{Condvar, Mutex, MutexGuard};
use tokio::sync::{Notify, Semaphore, SemaphorePermit};

use super::Submission;
use crate::settings::{COMMIT_EVENTS_MAX, COMMIT_RESULTS_MAX, QUEUE_EVENTS_MAX, QUEUE_RESULTS_MAX};

/// How long a result may rest that nobody waits for: a call shows up in the record this much later.
const UNHURRIED_WAIT: Duration = Duration::from_millis(5);

/// So many of them are worth a commit of their own.
const UNHURRIED_MAX: usize = 256;

/// Why a submission was not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Refused {
    /// More waits than may.
    Full,
    /// The committer ends.
    Closed,
}

/// What waits.
pub(super) struct Queue {
    state: Mutex<State>,
    filled: Condvar,
    /// The same for a committer that is a task and no thread.
    nudge: Notify,
    /// Places for results.
    places: Semaphore,
}

#[derive(Default)]
struct State {
    new: VecDeque<Submission>,
    /// Events in `new`.
    events: usize,
    results: VecDeque<Submission>,
    /// Results nobody waits for: they were recorded behind an answer.
    unhurried: usize,
    is_waiting: bool,
    is_task: bool,
    is_closed: bool,
}

/// A place for a result. It is given back where nothing is put there.
pub(super) struct Place<'q> {
    queue: &'q Queue,
    permit: SemaphorePermit<'q>,
}

impl Place<'_> {
    /// Hands a result in.
    pub(super) fn put(self, submission: Submission) -> Result<(), Refused> {
        self.permit.forget();
        self.queue.push(submission)
    }
}

fn events_of(write: &Write) -> usize {
    match write {
        Write::Ingest(ingest) => ingest.events.len(),
        Write::All(writes) => writes.iter().map(events_of).sum(),
        Write::Finish(_) | Write::Change(_) => 0,
    }
}

impl Queue {
    pub(super) fn new() -> Self {
        Self {
            state: Mutex::default(),
            filled: Condvar::new(),
            nudge: Notify::new(),
            places: Semaphore::new(QUEUE_RESULTS_MAX),
        }
    }

    /// Takes new events, or refuses them at once.
    pub(super) fn push_new(&self, submission: Submission) -> Result<(), Refused> {
        let mut state = self.state.lock();
        if state.is_closed {
            return Err(Refused::Closed);
        }
        // One submission always finds a place in an empty queue, however large it is.
        if state.events >= QUEUE_EVENTS_MAX {
            return Err(Refused::Full);
        }
        state.events += events_of(&submission.write);
        state.new.push_back(submission);
        self.wake(&state);
        Ok(())
    }

    /// Waits until there is a place for a result.
    pub(super) async fn place(&self) -> Result<Place<'_>, Refused> {
        let permit = self.places.acquire().await.map_err(|_| Refused::Closed)?;
        Ok(Place { queue: self, permit })
    }

    fn push(&self, submission: Submission) -> Result<(), Refused> {
        let mut state = self.state.lock();
        if state.is_closed {
            return Err(Refused::Closed);
        }
        let is_unhurried = submission.is_unhurried();
        state.unhurried += usize::from(is_unhurried);
        state.results.push_back(submission);
        if !is_unhurried || state.results.len() == 1 || state.results.len() == UNHURRIED_MAX {
            self.wake(&state);
        }
        Ok(())
    }

    fn wake(&self, state: &State) {
        if state.is_waiting {
            self.filled.notify_one();
        } else if state.is_task {
            self.nudge.notify_one();
        }
    }

    /// From now on a task takes what waits: it is nudged, and never blocks.
    pub(super) fn serve_task(&self) {
        self.state.lock().is_task = true;
    }

    /// Completes once something came in, or the queue was closed.
    pub(super) async fn nudged(&self) {
        self.nudge.notified().await;
    }

    /// Moves what waits into `batch` and does not wait for anything. `false` when there is nothing.
    pub(super) fn try_take(&self, batch: &mut Vec<Submission>) -> bool {
        let mut state = self.state.lock();
        if state.new.is_empty() && state.results.is_empty() {
            return false;
        }
        self.drain(&mut state, batch);
        true
    }

    /// Moves what waits into `batch`: as many results and new events as one commit may have.
    /// Waits for something unless the batch has something already. `false` when it is closed and
    /// empty.
    pub(super) fn take(&self, batch: &mut Vec<Submission>) -> bool {
        let mut state = self.state.lock();
        while state.new.is_empty() && state.results.is_empty() {
            if !batch.is_empty() || state.is_closed {
                return false;
            }
            state.is_waiting = true;
            self.filled.wait(&mut state);
            state.is_waiting = false;
        }
        self.gather(&mut state);
        self.drain(&mut state, batch);
        true
    }

    fn drain(&self, state: &mut State, batch: &mut Vec<Submission>) {
        let results = state.results.len().min(COMMIT_RESULTS_MAX);
        self.places.add_permits(results);
        for submission in state.results.drain(..results) {
            state.unhurried -= usize::from(submission.is_unhurried());
            batch.push(submission);
        }
        let mut events = 0;
        while events < COMMIT_EVENTS_MAX
            && let Some(next) = state.new.pop_front()
        {
            events += events_of(&next.write);
            batch.push(next);
        }
        state.events -= events;
    }

    /// Waits a little for more as long as nobody waits for what is there: calls that were answered
    /// already share an fsync rather than each causing one.
    fn gather(&self, state: &mut MutexGuard<'_, State>) {
        let until = Instant::now() + UNHURRIED_WAIT;
        let is_unhurried = |state: &State| {
            state.new.is_empty()
                && state.unhurried == state.results.len()
                && state.unhurried < UNHURRIED_MAX
                && !state.is_closed
        };
        while is_unhurried(state) {
            state.is_waiting = true;
            let waited = self.filled.wait_until(state, until);
            state.is_waiting = false;
            if waited.timed_out() {
                return;
            }
        }
    }

    /// Takes nothing more; what is in is still given out.
    pub(super) fn close(&self) {
        self.state.lock().is_closed = true;
        self.places.close();
        self.filled.notify_one();
        self.nudge.notify_one();
    }

    pub(super) fn is_closed(&self) -> bool {
        self.state.lock().is_closed
    }

    /// How many events and other writes wait.
    pub(super) fn len(&self) -> usize {
        let state = self.state.lock();
        state.events + state.results.len()
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        let state = self.state.lock();
        state.new.is_empty() && state.results.is_empty()
    }
}
