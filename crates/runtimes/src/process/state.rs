//! The calls of a pool and the workers they are with. Everything here happens under one lock and
//! decides only: what has to be done outside of it (answering, logging, killing) is returned as
//! [`Effect`]s. Time is an argument.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use evoke_model::execution::RetryHint;
use evoke_model::{Code, Failure, LogLine, Millis, Timestamp};
use evoke_ports::LogSink;
use tokio::sync::oneshot;

use super::control::{Cause, Control};
use super::outbox::Outbox;
use super::slab::Slab;
use super::stream::Pieces;
use crate::protocol::Kind;
use crate::protocol::frame::{encode, set_call};
use crate::protocol::messages::CancelReason;

/// What a caller who finds the queue full is told to wait.
const FULL_RETRY: Millis = Millis::from_secs(1);

/// The numbers a pool keeps to.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Calls one worker takes at once.
    pub concurrency: usize,
    /// Workers kept when nothing is called.
    pub min: usize,
    /// Workers at most.
    pub max: usize,
    /// Calls that may wait beyond what all workers could take.
    pub queue: usize,
    /// A worker without calls for so long is retired.
    pub idle: Millis,
    /// Time a call may take to end after its deadline before its worker is killed.
    pub grace: Millis,
    /// Time a call may take to end after it was cancelled before its worker is killed.
    pub cancel_grace: Millis,
}

/// What a call is answered with.
pub type Answer = Result<Answered, Failure>;

/// The payload of a call's last frame, or the beginning of a stream.
#[derive(Debug)]
pub enum Answered {
    /// JSON of a value.
    Value(Bytes),
    /// Head and body in one.
    Response(Bytes),
    /// A head whose body follows.
    Stream {
        /// The head as JSON.
        head: Bytes,
        /// The body.
        pieces: Arc<Pieces>,
    },
}

/// How a call may be answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wants {
    /// A value, or a whole response: the call has an event.
    Value,
    /// A response: the call has a request.
    Response,
}

impl Wants {
    /// Whether an answer of this kind will do.
    pub(super) fn takes(self, kind: Self) -> bool {
        self == Self::Value || kind == Self::Response
    }
}

/// A call as the pool keeps it.
pub struct Order {
    /// Names the call for as long as it lasts.
    pub ticket: u64,
    /// The frame, but for the number a worker knows it by.
    pub frame: Vec<u8>,
    /// How it may be answered.
    pub wants: Wants,
    /// When it must be done.
    pub deadline: Timestamp,
    /// How long it may take, for messages.
    pub limit: Millis,
    /// When it came.
    pub since: Timestamp,
    /// Where its lines go.
    pub logs: Arc<dyn LogSink>,
    /// Who waits.
    pub answer: oneshot::Sender<Answer>,
}

/// Something to do once the lock is free, in this order.
pub enum Effect {
    /// Hand a line on.
    Log(Arc<dyn LogSink>, LogLine),
    /// Answer a call.
    Answer(oneshot::Sender<Answer>, Answer),
    /// Have a worker's frames written.
    Wake(Arc<Outbox>),
    /// End a worker.
    Kill(Arc<Control>, Cause),
}

/// Where an admitted call went.
pub enum Admitted {
    /// To a worker that has no other call: the caller writes the frame itself.
    Alone(Arc<Outbox>),
    /// To a worker with other calls.
    Sent(Arc<Outbox>),
    /// Into the queue.
    Queued,
}

/// A call a worker has.
pub(super) struct Running {
    pub(super) ticket: u64,
    pub(super) wants: Wants,
    pub(super) deadline: Timestamp,
    pub(super) limit: Millis,
    pub(super) logs: Arc<dyn LogSink>,
    pub(super) phase: Phase,
}

/// How far a call is.
pub(super) enum Phase {
    /// Nobody was answered yet.
    Open(oneshot::Sender<Answer>),
    /// The head went out, the body follows.
    Streaming(Arc<Pieces>),
    /// Nobody wants the answer; the worker has not ended the call yet.
    Abandoned(Option<Sentence>),
}

/// What a worker has to expect that does not end a call.
#[derive(Clone)]
pub(super) struct Sentence {
    /// From then on it is killed.
    pub(super) at: Timestamp,
    /// What for.
    pub(super) cause: Cause,
}

/// A worker that was loaded.
pub struct Worker {
    /// Names the worker in its pool.
    pub id: u64,
    /// The way to it.
    pub outbox: Arc<Outbox>,
    /// The power over it.
    pub control: Arc<Control>,
    pub(super) calls: Slab<Running>,
    /// Calls that ran over their time or were cancelled: no new ones come while it is not clear
    /// whether the worker will live.
    pub(super) overdue: usize,
    pub(super) retired_at: Option<Timestamp>,
    pub(super) idle_since: Timestamp,
}

impl Worker {
    /// A worker without calls.
    pub fn new(id: u64, outbox: Arc<Outbox>, control: Arc<Control>, now: Timestamp) -> Self {
        let calls = Slab::default();
        Self { id, outbox, control, calls, overdue: 0, retired_at: None, idle_since: now }
    }

    fn has_room(&self, concurrency: usize) -> bool {
        self.retired_at.is_none() && self.overdue == 0 && self.calls.len() < concurrency
    }

    fn send(&mut self, mut order: Order) {
        let running = Running {
            ticket: order.ticket,
            wants: order.wants,
            deadline: order.deadline,
            limit: order.limit,
            logs: order.logs,
            phase: Phase::Open(order.answer),
        };
        let call = self.calls.insert(running);
        set_call(&mut order.frame, call);
        self.outbox.push(order.frame);
    }

    pub(super) fn cancel(&self, call: u32, reason: CancelReason) {
        self.outbox.push(encode(Kind::Cancel, call, reason.payload()));
    }

    pub(super) fn retire(&mut self, now: Timestamp) {
        self.retired_at = Some(now);
        self.outbox.push(encode(Kind::Shutdown, 0, &[]));
    }
}

/// The calls and workers of one pool.
pub struct State {
    pub(super) limits: Limits,
    pub(super) workers: Vec<Worker>,
    pub(super) queue: VecDeque<Order>,
    /// Workers that are being started.
    pub starting: usize,
    /// No new calls are taken.
    pub closing: bool,
    /// Calls that workers ended so far.
    pub finished: u64,
    /// No call's deadline, and no end of a grace, is before this.
    pub(super) earliest: Timestamp,
    /// Most calls under way at once since the pool last thought about shrinking.
    pub(super) peak: usize,
    pub(super) peak_since: Timestamp,
    /// After failed starts no other is tried before this.
    pub(super) start_after: Timestamp,
    pub(super) failed_starts: u32,
}

/// No call has a deadline.
pub(super) const NEVER: Timestamp = Timestamp::from_micros(i64::MAX);

impl State {
    /// An empty pool.
    pub fn new(limits: Limits, now: Timestamp) -> Self {
        Self {
            limits,
            workers: Vec::new(),
            queue: VecDeque::new(),
            starting: 0,
            closing: false,
            finished: 0,
            earliest: NEVER,
            peak: 0,
            peak_since: now,
            start_after: Timestamp::EPOCH,
            failed_starts: 0,
        }
    }

    /// Calls under way, those included that nobody waits for any more.
    pub fn running(&self) -> usize {
        self.workers.iter().map(|worker| worker.calls.len()).sum()
    }

    /// Calls that wait for a worker.
    pub fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// Workers that take calls.
    pub fn live(&self) -> usize {
        self.workers.iter().filter(|worker| worker.retired_at.is_none()).count()
    }

    /// All workers.
    pub fn workers(&self) -> &[Worker] {
        &self.workers
    }

    /// Takes a call. The second part tells whether the keeper has to look again.
    ///
    /// # Errors
    /// The queue is full, or the pool is closing.
    pub fn admit(&mut self, order: Order) -> Result<(Admitted, bool), Failure> {
        if self.closing {
            return Err(Cause::Closing.failure());
        }
        let sooner = order.deadline < self.earliest;
        self.earliest = self.earliest.min(order.deadline);
        self.peak = self.peak.max(self.queue.len() + self.running() + 1);
        let concurrency = self.limits.concurrency;
        let free = self
            .workers
            .iter_mut()
            .filter(|worker| worker.has_room(concurrency))
            .min_by_key(|worker| worker.calls.len());
        if let Some(worker) = free {
            worker.send(order);
            let outbox = Arc::clone(&worker.outbox);
            let alone = worker.calls.len() == 1;
            let admitted = if alone { Admitted::Alone(outbox) } else { Admitted::Sent(outbox) };
            return Ok((admitted, sooner));
        }
        let room = self.limits.max * concurrency + self.limits.queue;
        if self.queue.len() + self.running() >= room {
            let waiting = self.queue.len();
            let message =
                format!("{waiting} calls of the function are waiting for a worker already");
            let mut failure = Failure::new(Code::RateLimited, message);
            failure.retry = RetryHint::After(FULL_RETRY);
            return Err(failure);
        }
        self.queue.push_back(order);
        Ok((Admitted::Queued, sooner || self.queue.len() == 1))
    }

    /// A worker was loaded: it gets what waits.
    pub fn worker_up(&mut self, worker: Worker, effects: &mut Vec<Effect>) {
        self.starting = self.starting.saturating_sub(1);
        self.failed_starts = 0;
        self.start_after = Timestamp::EPOCH;
        let id = worker.id;
        self.workers.push(worker);
        self.feed(id, effects);
    }

    /// A worker has ended; all its calls have too.
    pub fn worker_down(&mut self, id: u64, failure: &Failure, effects: &mut Vec<Effect>) {
        let Some(index) = self.workers.iter().position(|worker| worker.id == id) else { return };
        let mut worker = self.workers.remove(index);
        for running in worker.calls.drain() {
            end(running, Err(failure.clone()), effects);
        }
    }

    /// A worker could not be started. Calls that wait fail with it unless another worker may take
    /// them.
    pub fn start_failed(&mut self, failure: &Failure, now: Timestamp, effects: &mut Vec<Effect>) {
        self.starting = self.starting.saturating_sub(1);
        self.failed_starts = self.failed_starts.saturating_add(1);
        let wait = 100_u64 << self.failed_starts.min(6);
        self.start_after = now.plus(Millis::new(wait));
        if self.live() + self.starting == 0 {
            self.give_up(failure, effects);
        }
    }

    /// Nobody wants the answer of a call any more: it leaves the queue, or its worker is told. A
    /// function whose caller went away may go on to its deadline, because much of what functions
    /// do is not done for the answer; one whose execution was cancelled has to stop.
    pub fn abandon(
        &mut self,
        ticket: u64,
        reason: CancelReason,
        now: Timestamp,
        effects: &mut Vec<Effect>,
    ) {
        let Limits { grace, cancel_grace, .. } = self.limits;
        if let Some(place) = self.queue.iter().position(|order| order.ticket == ticket) {
            self.queue.remove(place);
            return;
        }
        for worker in &mut self.workers {
            let found = worker.calls.iter_mut().find(|(_, running)| running.ticket == ticket);
            let Some((call, running)) = found else { continue };
            if matches!(running.phase, Phase::Abandoned(_)) {
                return;
            }
            let sentence = (reason == CancelReason::Cancelled).then(|| Sentence {
                at: now.plus(cancel_grace).min(running.deadline.plus(grace)),
                cause: Cause::Cancelled,
            });
            if let Some(sentence) = &sentence {
                self.earliest = self.earliest.min(sentence.at);
                worker.overdue += 1;
            }
            running.phase = Phase::Abandoned(sentence);
            worker.cancel(call, reason);
            effects.push(Effect::Wake(Arc::clone(&worker.outbox)));
            return;
        }
    }

    /// Passes on that bytes of a stream were taken.
    pub fn acknowledge(&mut self, ticket: u64, bytes: u32) -> Option<Arc<Outbox>> {
        for worker in &mut self.workers {
            let found = worker.calls.iter_mut().find(|(_, running)| running.ticket == ticket);
            let Some((call, _)) = found else { continue };
            worker.outbox.push(encode(Kind::Ack, call, &bytes.to_le_bytes()));
            return Some(Arc::clone(&worker.outbox));
        }
        None
    }

    /// Where a line goes that a worker printed past the protocol: to its call, if it has just one.
    pub fn only_call(&mut self, id: u64) -> Option<Arc<dyn LogSink>> {
        let worker = self.workers.iter_mut().find(|worker| worker.id == id)?;
        if worker.calls.len() != 1 {
            return None;
        }
        worker.calls.iter_mut().next().map(|(_, running)| Arc::clone(&running.logs))
    }

    /// Stops taking calls.
    pub fn close(&mut self) {
        self.closing = true;
    }

    /// Gives up the calls that wait: there will be no worker for them.
    pub fn give_up(&mut self, failure: &Failure, effects: &mut Vec<Effect>) {
        for order in self.queue.drain(..) {
            effects.push(Effect::Answer(order.answer, Err(failure.clone())));
        }
    }

    /// Gives a worker calls from the queue for as long as it has room.
    pub(super) fn feed(&mut self, id: u64, effects: &mut Vec<Effect>) {
        let concurrency = self.limits.concurrency;
        let Some(worker) = self.workers.iter_mut().find(|worker| worker.id == id) else { return };
        let mut fed = false;
        while worker.has_room(concurrency) {
            let Some(order) = self.queue.pop_front() else { break };
            if !order.answer.is_closed() {
                worker.send(order);
                fed = true;
            }
        }
        if fed {
            effects.push(Effect::Wake(Arc::clone(&worker.outbox)));
        }
    }
}

/// Ends a call: whoever waits for it is told.
pub(super) fn end(running: Running, outcome: Answer, effects: &mut Vec<Effect>) {
    match running.phase {
        Phase::Open(answer) => effects.push(Effect::Answer(answer, outcome)),
        Phase::Streaming(pieces) => pieces.finish(outcome.map(|_| ())),
        Phase::Abandoned(_) => {}
    }
}
