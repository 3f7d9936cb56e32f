//! The pool of one function version, as the rest of the house sees it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use async_trait::async_trait;
use evoke_model::{Code, Failure, Millis};
use evoke_ports::{Body, Call, HttpReply, Input, Pool, PoolStatus, Reply};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::control::Cause;
use super::keeper;
use super::memory::procfs;
use super::reply;
use super::shared::Shared;
use super::start_error::StartError;
use super::starter::Starter;
use super::state::{Admitted, Answer, Answered, Limits, Order, Wants};
use super::stream::{Pieces, forward};
use crate::clock::now;
use crate::protocol::call::encode;
use crate::protocol::frame::FRAME_BYTES_MAX;
use crate::protocol::messages::CancelReason;

/// Pieces of a streamed answer between worker and reader: more would only be held back later.
const PIECES_AHEAD: usize = 1;
/// A deadline this near to the function's own limit is called by that limit in messages.
const LIMIT_SLACK_MS: u64 = 200;

/// The worker processes of one function version.
pub struct ProcessPool {
    shared: Arc<Shared>,
    timeout: Millis,
    capacity: usize,
}

impl ProcessPool {
    /// Opens a pool with one worker, which proves that the function can be loaded.
    ///
    /// # Errors
    /// Why that worker could not be started.
    pub async fn open(limits: Limits, starter: Starter) -> Result<Self, StartError> {
        let timeout = starter.recipe().version.spec.timeout;
        let shared = Arc::new(Shared::new(limits, starter));
        let pool = Self {
            shared: Arc::clone(&shared),
            timeout,
            capacity: limits.max * limits.concurrency,
        };
        shared.state.lock().starting = 1;
        shared.start_worker().await?;
        shared.tasks.clone().spawn(keeper::run(shared));
        Ok(pool)
    }

    fn order(&self, call: &Call) -> (Order, oneshot::Receiver<Answer>) {
        let (answer, answered) = oneshot::channel();
        let since = now();
        let allowed = Millis::new(call.deadline.since(since).as_millis() as u64);
        let is_own = self.timeout.as_u64().abs_diff(allowed.as_u64()) <= LIMIT_SLACK_MS;
        let order = Order {
            ticket: self.shared.number(),
            frame: encode(call),
            wants: match &call.input {
                Input::Event(_) | Input::Batch(_) => Wants::Value,
                Input::Http(_) => Wants::Response,
            },
            deadline: call.deadline,
            limit: if is_own { self.timeout } else { allowed },
            since,
            logs: Arc::clone(&call.logs),
            answer,
        };
        (order, answered)
    }

    fn admit(&self, order: Order) -> Result<(), Failure> {
        let (admitted, nudge) = self.shared.state.lock().admit(order)?;
        match admitted {
            Admitted::Alone(outbox) => outbox.write_now(),
            Admitted::Sent(outbox) => outbox.wake(),
            Admitted::Queued => {}
        }
        if nudge {
            self.shared.nudge.notify_one();
        }
        Ok(())
    }

    /// The reply whose body is still to come: from here on the reader of the body holds the call.
    fn streamed(
        &self,
        head: &[u8],
        pieces: Arc<Pieces>,
        ticket: u64,
        cancel: CancellationToken,
    ) -> Result<Reply, Failure> {
        let (status, headers) = reply::head(head)?;
        let (to, from) = mpsc::channel(PIECES_AHEAD);
        let shared = Arc::clone(&self.shared);
        self.shared.tasks.spawn(async move {
            let taken = |bytes| {
                if let Some(outbox) = shared.state.lock().acknowledge(ticket, bytes) {
                    outbox.wake();
                }
            };
            if let Err(reason) = forward(pieces, to, cancel, taken).await {
                shared.abandon(ticket, reason);
            }
        });
        Ok(Reply::Http(HttpReply { status, headers, body: Body::Stream(from) }))
    }

    async fn quiet(&self) {
        loop {
            let notified = self.shared.quiet.notified();
            {
                let state = self.shared.state.lock();
                if state.running() + state.waiting() == 0 {
                    return;
                }
            }
            notified.await;
        }
    }
}

#[async_trait]
impl Pool for ProcessPool {
    fn capacity(&self) -> usize {
        self.capacity
    }

    async fn call(&self, call: Call) -> Result<Reply, Failure> {
        if call.deadline <= now() {
            return Err(Failure::new(Code::FunctionTimeout, "the deadline has passed already"));
        }
        let (order, answered) = self.order(&call);
        let frame_bytes = order.frame.len();
        if frame_bytes > FRAME_BYTES_MAX {
            return Err(too_large(frame_bytes));
        }
        let ticket = order.ticket;
        self.admit(order)?;
        let mut hold =
            Hold { shared: &self.shared, ticket, reason: Some(CancelReason::ClientGone) };
        let answer = tokio::select! {
            biased;
            answer = answered => answer,
            () = call.cancel.cancelled() => {
                hold.reason = Some(CancelReason::Cancelled);
                return Err(cancelled());
            }
        };
        let reply = match answer {
            Ok(Ok(Answered::Stream { head, pieces })) => {
                // A head that makes no sense is dropped with the hold, which cancels the call.
                let reply = self.streamed(&head, pieces, ticket, call.cancel)?;
                hold.reason = None;
                return Ok(reply);
            }
            Ok(Ok(Answered::Value(payload))) => reply::value(payload),
            Ok(Ok(Answered::Response(payload))) => reply::response(payload),
            Ok(Err(failure)) => Err(failure),
            Err(_) => Err(Cause::Closing.failure()),
        };
        hold.reason = None;
        reply
    }

    async fn drain(&self, grace: Millis) {
        self.shared.state.lock().close();
        // Whether they finished or the grace is over, the workers end now.
        if tokio::time::timeout(grace.duration(), self.quiet()).await.is_err() {
            let calls = self.shared.state.lock().running();
            let function = &self.shared.starter.recipe().version.spec.name;
            tracing::warn!(function, calls, "{calls} calls of {function} were cut off");
        }
        self.shared.closed.cancel();
        let failure = Cause::Closing.failure();
        self.shared.change(|state, effects| state.give_up(&failure, effects));
        self.shared.tasks.close();
        self.shared.tasks.wait().await;
    }

    fn status(&self) -> PoolStatus {
        let shared = &self.shared;
        let (mut status, groups) = {
            let state = shared.state.lock();
            let groups: Vec<i32> =
                state.workers().iter().map(|worker| worker.control.group()).collect();
            let status = PoolStatus {
                workers: state.live() as u32,
                starting: state.starting as u32,
                calls: state.running() as u32,
                waiting: state.waiting() as u32,
                cold_starts: shared.cold_starts.load(Ordering::Relaxed),
                deaths: shared.deaths.load(Ordering::Relaxed),
                cpu_ms: shared.cpu_ms_gone.load(Ordering::Relaxed),
                isolation: shared.starter.isolation(),
                ..PoolStatus::default()
            };
            (status, groups)
        };
        for usage in procfs::usage(&groups).values() {
            status.memory_bytes += usage.memory.as_u64();
            status.cpu_ms += usage.cpu.as_millis() as u64;
        }
        status
    }
}

impl Drop for ProcessPool {
    fn drop(&mut self) {
        self.shared.state.lock().close();
        self.shared.closed.cancel();
        self.shared.tasks.close();
    }
}

/// One event always fits. Many may not, if what stands around their data is large.
fn too_large(bytes: usize) -> Failure {
    let message = format!(
        "the events of the call are {bytes} bytes as JSON, a worker takes {FRAME_BYTES_MAX}; \
         make the batches of the trigger smaller"
    );
    Failure::new(Code::BodyTooLarge, message)
}

fn cancelled() -> Failure {
    Failure::new(Code::ExecutionCancelled, "the call was cancelled").for_good()
}

/// Holds a call for as long as somebody waits for it.
struct Hold<'a> {
    shared: &'a Shared,
    ticket: u64,
    reason: Option<CancelReason>,
}

impl Drop for Hold<'_> {
    fn drop(&mut self) {
        if let Some(reason) = self.reason {
            self.shared.abandon(self.ticket, reason);
        }
    }
}
