//! What a pool, its keeper and its workers share, and the doing of what the state decided.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use evoke_model::LogLine;
use evoke_model::execution::Level;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::launch::Process;
use super::meter::Meter;
use super::outbox::Outbox;
use super::serve;
use super::start_error::StartError;
use super::starter::Starter;
use super::state::{Effect, Limits, State, Worker};
use crate::clock::now;
use crate::protocol::messages::CancelReason;

/// The middle of a pool.
pub struct Shared {
    /// Calls and workers.
    pub state: Mutex<State>,
    /// Starts workers.
    pub starter: Starter,
    /// Wakes the keeper.
    pub nudge: Notify,
    /// Wakes whoever waits for the last call to end.
    pub quiet: Notify,
    /// The pool is gone: everything ends.
    pub closed: CancellationToken,
    /// All tasks of the pool.
    pub tasks: TaskTracker,
    /// How busy the workers are.
    pub meter: Mutex<Meter>,
    /// Starts so far.
    pub cold_starts: AtomicU64,
    /// Workers that ended unplanned.
    pub deaths: AtomicU64,
    /// CPU time of workers that are gone, in milliseconds.
    pub cpu_ms_gone: AtomicU64,
    numbers: AtomicU64,
}

impl Shared {
    /// A pool without workers.
    pub fn new(limits: Limits, starter: Starter) -> Self {
        Self {
            state: Mutex::new(State::new(limits, now())),
            starter,
            nudge: Notify::new(),
            quiet: Notify::new(),
            closed: CancellationToken::new(),
            tasks: TaskTracker::new(),
            meter: Mutex::default(),
            cold_starts: AtomicU64::new(0),
            deaths: AtomicU64::new(0),
            cpu_ms_gone: AtomicU64::new(0),
            numbers: AtomicU64::new(1),
        }
    }

    /// A number nobody else in the pool has.
    pub fn number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }

    /// Does what the state decided, in its order.
    pub fn apply(&self, effects: &mut Vec<Effect>) {
        for effect in effects.drain(..) {
            match effect {
                Effect::Log(sink, line) => sink.log(line),
                // Whoever asked may have gone meanwhile; the answer is dropped with them.
                Effect::Answer(to, answer) => drop(to.send(answer)),
                Effect::Wake(outbox) => outbox.wake(),
                Effect::Kill(control, cause) => control.kill(cause),
            }
        }
    }

    /// Changes the state and does what follows.
    pub fn change<T>(&self, change: impl FnOnce(&mut State, &mut Vec<Effect>) -> T) -> T {
        let mut effects = Vec::new();
        let result = change(&mut self.state.lock(), &mut effects);
        self.apply(&mut effects);
        result
    }

    /// Starts a worker that the state has counted as starting.
    ///
    /// # Errors
    /// Why there is none; the calls that waited for it were told.
    pub async fn start_worker(self: &Arc<Self>) -> Result<(), StartError> {
        self.cold_starts.fetch_add(1, Ordering::Relaxed);
        let began = Instant::now();
        let started = tokio::select! {
            started = self.starter.start() => started,
            () = self.closed.cancelled() => Err(StartError::Machine("it is closing".to_owned())),
        };
        let outcome = match started {
            Ok(process) => {
                (self.starter.recipe().cold_start)(began.elapsed());
                self.adopt(process);
                Ok(())
            }
            Err(error) => {
                let failure = error.clone().into_failure();
                self.change(|state, effects| state.start_failed(&failure, now(), effects));
                Err(error)
            }
        };
        self.nudge.notify_one();
        outcome
    }

    /// Nobody wants the answer of a call any more.
    pub fn abandon(&self, ticket: u64, reason: CancelReason) {
        let instant = now();
        self.change(|state, effects| state.abandon(ticket, reason, instant, effects));
        self.quiet.notify_one();
        if reason == CancelReason::Cancelled {
            // Its grace may end before anything else is due.
            self.nudge.notify_one();
        }
    }

    fn adopt(self: &Arc<Self>, process: Process) {
        let id = self.number();
        let outbox = Arc::new(Outbox::new(Arc::clone(&process.stream)));
        let worker = Worker::new(id, Arc::clone(&outbox), Arc::clone(&process.control), now());
        let shared = Arc::downgrade(self);
        process.output.connect(Box::new(move |level, message| {
            if let Some(shared) = shared.upgrade() {
                shared.printed(id, level, message);
            }
        }));
        self.change(|state, effects| state.worker_up(worker, effects));
        self.tasks.spawn(serve::run(Arc::clone(self), id, process, outbox));
    }

    fn printed(&self, worker: u64, level: Level, message: String) {
        let call = self.state.lock().only_call(worker);
        let sink = call.as_ref().unwrap_or(&self.starter.recipe().stray);
        sink.log(LogLine { time: now(), level, message });
    }
}
