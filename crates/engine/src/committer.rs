//! The committer: one thread that takes everything that waits, commits it once and answers all.
//! There is no fixed delay: the batch is whatever came in while the last commit ran, so one event
//! alone waits for one fsync and hundreds share it.
//!
//! Callers are [`crate::ingest`], [`crate::execute`], [`crate::call`] and the definitions. It never
//! decides anything.

mod queue;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Instant;

use evoke_model::{Code, EventId, ExecutionId, Millis, Rejection, Timestamp};
use evoke_ports::Clock;
use evoke_ports::store::{Change, Error, Receipt, Write, Writer};
use tokio::sync::oneshot;

use crate::dispatch::{Dispatcher, Planned};
use crate::metrics::Metrics;
use crate::traces::{Open, Traces};
use crate::turns::Turn;
use queue::{Queue, Refused};

/// How long a failed end of an attempt rests before it is written again.
const CARRY_PAUSE: Millis = Millis::new(200);

/// How long a failed commit makes the server say it is not ready.
const FAILURE_REMEMBERED: Millis = Millis::from_secs(10);

/// How often the store is given time for what can wait.
const HOUSEKEEPING_PERIOD: Millis = Millis::from_secs(5);

/// What a caller learns of its write.
pub(crate) type Answer = Result<Receipt, Rejection>;

/// A write and what follows it.
struct Submission {
    write: Write,
    then: Then,
}

/// What follows a commit.
#[derive(Default)]
struct Then {
    settles: Settles,
    /// Who waits for the answer.
    reply: Option<oneshot::Sender<Answer>>,
}

/// What a commit settles beside what it writes.
#[derive(Default)]
pub(crate) struct Settles {
    /// Executions that go to the dispatcher.
    pub(crate) planned: Vec<Planned>,
    /// Spans that end with it.
    pub(crate) traced: Vec<Open>,
    /// A turn that is over with it: the next one finds what this one wrote.
    pub(crate) turn: Option<Turn>,
}

impl Submission {
    /// Whether nobody waits for it: a call that is recorded behind an answer that was given.
    fn is_unhurried(&self) -> bool {
        matches!(self.write, Write::Ingest(_)) && self.then.reply.is_none()
    }
}

/// The executions whose attempt or wait this ends. The dispatcher keeps them in mind until it is
/// in the record.
fn ended_by(write: &Write, out: &mut Vec<ExecutionId>) {
    match write {
        Write::Finish(finishes) => out.extend(finishes.iter().map(|finish| finish.id)),
        Write::Change(change) => {
            if let Change::Abandon { id, .. } = **change {
                out.push(id);
            }
        }
        Write::All(writes) => writes.iter().for_each(|write| ended_by(write, out)),
        Write::Ingest(_) => {}
    }
}

/// The way to the committer. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Committer {
    queue: Arc<Queue>,
    health: Arc<Health>,
}

/// Whether the store takes what is written.
struct Health {
    /// When a commit failed last, in microseconds; 0 once one worked since.
    failed_at: AtomicI64,
    clock: Arc<dyn Clock>,
}

impl Health {
    fn worked(&self) {
        self.failed_at.store(0, Ordering::Relaxed);
    }

    fn failed(&self) {
        self.failed_at.store(self.clock.now().as_micros(), Ordering::Relaxed);
    }

    /// A failure is forgotten after a while: a server that says it is down gets no traffic, and
    /// without traffic nothing would show that the store works again.
    fn is_good(&self) -> bool {
        let failed_at = self.failed_at.load(Ordering::Relaxed);
        failed_at == 0
            || self.clock.now() > Timestamp::from_micros(failed_at).plus(FAILURE_REMEMBERED)
    }
}

/// A place in the queue for what nobody waits for.
pub(crate) struct Place<'c>(Result<queue::Place<'c>, Refused>);

impl Place<'_> {
    /// Hands in what is recorded behind an answer that was already given, ends of attempts, and
    /// events that follow from them. The dispatcher keeps the
    /// executions in mind until they are in the record.
    pub(crate) fn finish(self, write: Write, settles: Settles) {
        let submission = Submission { write, then: Then { settles, reply: None } };
        if self.0.and_then(|place| place.put(submission)).is_err() {
            tracing::error!("A result came after the store was closed and is not recorded");
        }
    }
}

impl Committer {
    /// Takes new events; refused at once when the queue is full, since nothing may be taken that
    /// cannot be kept.
    pub(crate) async fn ingest(&self, write: Write, planned: Vec<Planned>) -> Answer {
        let (reply, answer) = oneshot::channel();
        let settles = Settles { planned, ..Settles::default() };
        let then = Then { settles, reply: Some(reply) };
        match self.queue.push_new(Submission { write, then }) {
            Ok(()) => answer.await.unwrap_or_else(|_| Err(stopped())),
            Err(Refused::Full) => Err(full()),
            Err(Refused::Closed) => Err(stopped()),
        }
    }

    /// Waits for a place in the queue, which is what slows callers down when the disk cannot
    /// follow. Asked for before a result is put together, so that a result never waits as part of
    /// a task.
    pub(crate) async fn place(&self) -> Place<'_> {
        Place(self.queue.place().await)
    }

    /// Writes a change of the definitions and waits until it is durable.
    pub(crate) async fn change(&self, write: Write) -> Answer {
        self.send(write, Vec::new()).await
    }

    /// The same with events whose executions begin with it.
    pub(crate) async fn send(&self, write: Write, planned: Vec<Planned>) -> Answer {
        let settles = Settles { planned, ..Settles::default() };
        let place = self.queue.place().await.map_err(|_| stopped())?;
        let (reply, answer) = oneshot::channel();
        let then = Then { settles, reply: Some(reply) };
        place.put(Submission { write, then }).map_err(|_| stopped())?;
        answer.await.unwrap_or_else(|_| Err(stopped()))
    }

    /// Ends the committer once everything that was handed in before is written.
    pub(crate) fn close(&self) {
        self.queue.close();
    }

    /// How many events and other writes wait.
    pub(crate) fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// Whether the last commit worked.
    pub(crate) fn is_healthy(&self) -> bool {
        self.health.is_good() && !self.queue.is_closed()
    }
}

fn full() -> Rejection {
    Rejection::new(Code::IntakeFull, "more events are coming in than can be written to disk")
        .retry_after(Millis::from_secs(1))
}

fn stopped() -> Rejection {
    Rejection::new(Code::ShuttingDown, "the server is shutting down")
}

/// The thread's own state.
pub(crate) struct Service {
    queue: Arc<Queue>,
    writer: Box<dyn Writer>,
    dispatcher: Arc<Dispatcher>,
    metrics: Arc<Metrics>,
    clock: Arc<dyn Clock>,
    traces: Traces,
    health: Arc<Health>,
    /// Ends of attempts whose commit failed: they may not get lost and go first the next time.
    carried: Vec<Submission>,
    housekeeping_due: Timestamp,
}

impl Service {
    pub(crate) fn new(
        writer: Box<dyn Writer>,
        dispatcher: Arc<Dispatcher>,
        metrics: Arc<Metrics>,
        (clock, traces): (Arc<dyn Clock>, Traces),
    ) -> (Committer, Self) {
        let queue = Arc::new(Queue::new());
        let health = Arc::new(Health { failed_at: AtomicI64::new(0), clock: clock.clone() });
        let committer = Committer { queue: queue.clone(), health: health.clone() };
        let housekeeping_due = clock.now().plus(HOUSEKEEPING_PERIOD);
        let carried = Vec::new();
        let service = Self {
            queue,
            writer,
            dispatcher,
            metrics,
            clock,
            traces,
            health,
            carried,
            housekeeping_due,
        };
        (committer, service)
    }

    /// Runs until it is closed and the queue is empty.
    pub(crate) fn run(mut self) {
        let mut batch = Vec::new();
        loop {
            batch.append(&mut self.carried);
            if !self.queue.take(&mut batch) && batch.is_empty() {
                return;
            }
            self.run_once(&mut batch);
            if !self.carried.is_empty() {
                if self.gives_up() {
                    return;
                }
                std::thread::sleep(CARRY_PAUSE.duration());
            }
            self.housekeep();
        }
    }

    /// The same as a task among others: for engines that run on one thread, whose every step can
    /// be repeated.
    pub(crate) async fn run_as_task(mut self) {
        self.queue.serve_task();
        let mut batch = Vec::new();
        loop {
            batch.append(&mut self.carried);
            if !self.queue.try_take(&mut batch) && batch.is_empty() {
                if self.queue.is_closed() {
                    return;
                }
                self.queue.nudged().await;
                continue;
            }
            self.run_once(&mut batch);
            if !self.carried.is_empty() {
                if self.gives_up() {
                    return;
                }
                self.clock.sleep_until(self.clock.now().plus(CARRY_PAUSE)).await;
            }
            self.housekeep();
            // What follows the commit goes on before the next one.
            tokio::task::yield_now().await;
        }
    }

    /// Whether results that could not be written are left behind.
    fn gives_up(&self) -> bool {
        if !self.queue.is_closed() {
            return false;
        }
        let count = self.carried.len();
        tracing::error!("{count} results could not be written before the store closed");
        true
    }

    /// Lets the store do what can wait, once in a while and only when nothing else waits.
    fn housekeep(&mut self) {
        let now = self.clock.now();
        if now < self.housekeeping_due || !self.queue.is_empty() {
            return;
        }
        self.housekeeping_due = now.plus(HOUSEKEEPING_PERIOD);
        if let Err(error) = self.writer.housekeep(now) {
            tracing::warn!(error = %Chain(&error), "Housekeeping of the store failed");
        }
    }

    /// One commit of the whole batch; where that fails, one for each write, so that a single bad
    /// one does not take the others with it.
    fn run_once(&mut self, batch: &mut Vec<Submission>) {
        let (writes, thens): (Vec<Write>, Vec<Then>) =
            batch.drain(..).map(|submission| (submission.write, submission.then)).unzip();
        self.dispatcher.announce(thens.iter().flat_map(|then| &then.settles.planned));
        let started = Instant::now();
        match self.writer.commit(&writes) {
            Ok(receipts) => {
                self.health.worked();
                self.metrics.committed(writes.len(), started.elapsed());
                self.follow(writes.into_iter().zip(receipts), thens);
            }
            Err(error) => {
                tracing::error!(error = %Chain(&error), "A commit failed, trying its parts");
                self.run_each(writes, thens);
            }
        }
    }

    fn run_each(&mut self, writes: Vec<Write>, thens: Vec<Then>) {
        for (write, then) in writes.into_iter().zip(thens) {
            match self.writer.commit(std::slice::from_ref(&write)) {
                Ok(mut receipts) => {
                    let receipt = receipts.pop().unwrap_or(Receipt::Changed(true));
                    self.follow(std::iter::once((write, receipt)), vec![then]);
                }
                Err(error) => self.refuse(write, then, &error),
            }
        }
    }

    fn refuse(&mut self, write: Write, then: Then, error: &Error) {
        self.health.failed();
        tracing::error!(error = %Chain(error), "A write failed");
        let rejection = || {
            Rejection::new(Code::StoreUnavailable, format!("the store failed: {error}"))
                .retry_after(Millis::from_secs(1))
        };
        // What nobody can be told of may not get lost: it is written again.
        let Some(reply) = then.reply else {
            return self.carried.push(Submission { write, then });
        };
        self.dispatcher.withdraw(&then.settles.planned);
        // The dispatcher looks for what it kept in mind in vain.
        let mut ended = Vec::new();
        ended_by(&write, &mut ended);
        self.dispatcher.settled(&ended);
        for id in ended {
            self.dispatcher.look(id.trigger);
        }
        deny(reply, rejection());
    }

    fn follow(&self, done: impl Iterator<Item = (Write, Receipt)>, thens: Vec<Then>) {
        let mut to_dispatch = Vec::new();
        let mut ended = Vec::new();
        let mut answers = Vec::new();
        for ((write, receipt), then) in done.zip(thens) {
            let Settles { planned, traced, turn: _turn } = then.settles;
            if !planned.is_empty() {
                self.gather(&write, &receipt, planned, &mut to_dispatch);
            }
            ended_by(&write, &mut ended);
            for span in traced {
                self.traces.recorded(span, self.clock.now());
            }
            answers.extend(then.reply.map(|reply| (reply, receipt)));
        }
        self.dispatcher.settled(&ended);
        for (reply, receipt) in answers {
            answer(reply, receipt);
        }
        if !to_dispatch.is_empty() {
            self.dispatcher.offer(to_dispatch);
        }
    }

    /// The executions of a committed ingest, without those of events that were there already and
    /// those a key of their trigger kept out.
    fn gather(
        &self,
        write: &Write,
        receipt: &Receipt,
        planned: Vec<Planned>,
        out: &mut Vec<Planned>,
    ) {
        let Some(left_out) = left_out(write, receipt) else {
            return self.dispatcher.withdraw(&planned);
        };
        if left_out.events.is_empty() && left_out.executions.is_empty() {
            out.extend(planned);
            return;
        }
        let is_new = |planned: &Planned| {
            let id = planned.entry.id;
            !left_out.events.contains(&id.event) && !left_out.executions.contains(&id)
        };
        let (new, old): (Vec<_>, Vec<_>) = planned.into_iter().partition(is_new);
        self.dispatcher.withdraw(&old);
        out.extend(new);
    }
}

/// What of an ingest was not written.
#[derive(Default)]
struct LeftOut {
    events: Vec<EventId>,
    executions: Vec<ExecutionId>,
}

/// What of the ingests in a write was not written; `None` when the receipt is not one of theirs.
fn left_out(write: &Write, receipt: &Receipt) -> Option<LeftOut> {
    match (write, receipt) {
        (Write::Ingest(ingest), Receipt::Ingested { duplicates, skipped }) => Some(LeftOut {
            events: duplicates.iter().map(|(place, _)| ingest.events[*place].id).collect(),
            executions: skipped.clone(),
        }),
        (Write::All(writes), Receipt::All(receipts)) => {
            let mut all = None;
            for (write, receipt) in writes.iter().zip(receipts) {
                if let Some(part) = left_out(write, receipt) {
                    let all = all.get_or_insert_with(LeftOut::default);
                    all.events.extend(part.events);
                    all.executions.extend(part.executions);
                }
            }
            all
        }
        _ => None,
    }
}

fn deny(reply: oneshot::Sender<Answer>, rejection: Rejection) {
    if reply.send(Err(rejection)).is_err() {
        tracing::debug!("The caller of a failed write has left");
    }
}

fn answer(reply: oneshot::Sender<Answer>, receipt: Receipt) {
    // A caller that left does not undo its event: it is durable and will be run.
    if reply.send(Ok(receipt)).is_err() {
        tracing::debug!("The caller of a write has left before its answer");
    }
}

/// Prints an error with everything that caused it.
pub(crate) struct Chain<'a>(pub(crate) &'a (dyn std::error::Error + 'static));

impl std::fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)?;
        let mut source = self.0.source();
        while let Some(error) = source {
            write!(f, ": {error}")?;
            source = error.source();
        }
        Ok(())
    }
}
