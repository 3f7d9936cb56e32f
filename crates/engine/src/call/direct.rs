//! One call whose caller waits, from its event to its record.

use std::sync::Arc;

use bytes::Bytes;
use evoke_model::{
    Attempt, Code, Data, Event, ExecutionId, Failure, Outcome, State, Timestamp, Trigger,
};
use evoke_ports::runtime::Deployed;
use evoke_ports::store::{Ingest, NewExecution, OnceKey, Write};
use evoke_ports::{Body, Call, Functions, HttpReply, Input, Reply};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::reply::written_reply;
use super::{bounded, outcome_of};
use crate::committer::Settles;
use crate::dispatch::Planned;
use crate::draft::Draft;
use crate::execute::{Beginning, Running};
use crate::settings::RECORDED_BODY_BYTES_MAX;
use crate::start::Inner;
use crate::traces::{Ended, Open, Traces};
use crate::turns::Turn;

/// Pieces of a streamed answer between the worker and the caller.
const PIECES_MAX: usize = 16;

/// What else is written with the record of a call.
#[derive(Default)]
pub(super) struct Beside {
    /// Executions of other triggers for the same event, not begun.
    pub(super) executions: Vec<NewExecution>,
    /// The same on their way to their lanes.
    pub(super) planned: Vec<Planned>,
    /// The keys of the event.
    pub(super) once: Vec<OnceKey>,
    /// When they count.
    pub(super) counts: Counts,
    /// The event's turn among those with its keys, until it is known whether they count.
    pub(super) turn: Option<Turn>,
}

/// When the keys of an event count. Until then whoever sends it may send it again.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Counts {
    /// Once the call went well, and its caller can be content with the answer.
    #[default]
    Well,
    /// Once it was made, whatever came of it.
    Made,
}

/// A call whose caller waits. Dropping it before its end records it as cancelled.
pub(super) struct Direct {
    inner: Arc<Inner>,
    pub(super) id: ExecutionId,
    pub(super) event: Arc<Event>,
    trigger: Arc<Trigger>,
    deployed: Deployed,
    running: Arc<Running>,
    beside: Beside,
    /// The spans of the request and of the call, where somebody wants them.
    spans: Option<(Open, Open)>,
    /// How it ended, and when, until that is on its way to the record.
    ended: Option<(Outcome, Timestamp)>,
    is_recorded: bool,
}

impl Direct {
    pub(super) fn prepare(
        inner: &Arc<Inner>,
        draft: Draft,
        trigger: Arc<Trigger>,
    ) -> Result<Self, Failure> {
        Self::of(inner, inner.accept(draft), trigger)
    }

    /// The same for an event that has its id.
    pub(super) fn of(
        inner: &Arc<Inner>,
        mut event: Event,
        trigger: Arc<Trigger>,
    ) -> Result<Self, Failure> {
        let function = trigger.target.function_name().ok_or_else(|| {
            let message = format!("trigger {:?} has no function that could answer", trigger.name);
            Failure::new(Code::InvalidTrigger, message)
        })?;
        let deployed = inner
            .registry
            .current(function)
            .map_err(|failure| inner.or_starting(failure, function))?;
        let request_span = inner.traces.open(event.traceparent.as_deref(), inner.clock.now());
        if let Some(open) = request_span {
            event.traceparent = Some(open.context.to_string().into());
        }
        inner.within_rate(&trigger, &event)?;
        let event = Arc::new(event);
        let id = ExecutionId { event: event.id, trigger: trigger.id };
        let running = inner.begin(Beginning {
            id,
            event: event.clone(),
            trigger: trigger.clone(),
            attempt: 1,
            cancel: CancellationToken::new(),
        });
        let call_span = running.span.map(|span| Traces::within(span, running.started_at));
        let spans = request_span.zip(call_span);
        let inner = inner.clone();
        Ok(Self {
            inner,
            id,
            event,
            trigger,
            deployed,
            running,
            beside: Beside::default(),
            spans,
            ended: None,
            is_recorded: false,
        })
    }

    /// With more to write at its end.
    #[must_use]
    pub(super) fn with(mut self, beside: Beside) -> Self {
        self.beside = beside;
        self
    }

    pub(super) async fn run(
        mut self,
        input: Input,
        request_id: Option<Arc<str>>,
    ) -> Result<Reply, Failure> {
        let limit = self.deployed.version.spec.timeout;
        let limit = self.trigger.policy.timeout.map_or(limit, |own| own.min(limit));
        let call = Call {
            execution: self.id,
            attempt: 1,
            deadline: self.running.started_at.plus(limit),
            trigger_kind: self.running.kind.clone(),
            trigger_name: self.running.name.clone(),
            traceparent: self.traceparent(),
            request_id,
            input,
            logs: self.running.lines.clone(),
            cancel: self.running.cancel.clone(),
            token: self.running.token.clone(),
        };
        let replied = self.deployed.pool.call(call).await;
        if self.beside.counts == Counts::Well
            && !self.beside.once.is_empty()
            && !replied.as_ref().is_ok_and(is_content)
        {
            self.beside.once.clear();
        }
        match replied {
            Ok(Reply::Value(data)) => {
                self.record(Outcome::Success(bounded(&data))).await;
                Ok(Reply::Value(data))
            }
            Ok(Reply::Http(HttpReply { status, headers, body: Body::Full(bytes) })) => {
                self.record(http_outcome(status, &headers, &bytes)).await;
                Ok(Reply::Http(HttpReply { status, headers, body: Body::Full(bytes) }))
            }
            Ok(Reply::Http(HttpReply { status, headers, body: Body::Stream(pieces) })) => {
                let body = self.follow(status, pieces);
                Ok(Reply::Http(HttpReply { status, headers, body }))
            }
            Err(failure) => {
                self.record(outcome_of(failure.clone())).await;
                Err(failure)
            }
        }
    }

    /// Passes a streamed answer on and records the call at its end.
    fn follow(
        mut self,
        status: http::StatusCode,
        mut pieces: mpsc::Receiver<Result<Bytes, Failure>>,
    ) -> Body {
        let (sender, receiver) = mpsc::channel(PIECES_MAX);
        let tasks = self.inner.tasks.clone();
        tasks.spawn(async move {
            let mut sent = 0_usize;
            while let Some(piece) = pieces.recv().await {
                if let Err(failure) = &piece {
                    self.record(outcome_of(failure.clone())).await;
                } else if let Ok(bytes) = &piece {
                    sent += bytes.len();
                }
                if sender.send(piece).await.is_err() {
                    // The caller left; dropping `pieces` cancels the call in the worker.
                    return;
                }
            }
            let note = format!("{{\"status\":{},\"streamed_bytes\":{sent}}}", status.as_u16());
            self.record(Outcome::Success(Data::Json(Bytes::from(note)))).await;
        });
        Body::Stream(receiver)
    }

    /// What the function sees as its cause: the call, where somebody wants its span.
    fn traceparent(&self) -> Option<Arc<str>> {
        match self.spans {
            Some((_, span)) => Some(span.context.to_string().into()),
            None => self.event.traceparent.as_deref().map(Into::into),
        }
    }

    /// Tells of the call as spans.
    fn close_spans(&self, attempt: &Attempt) {
        let (Some(open), Some((request, call))) = (self.running.span, self.spans) else { return };
        self.inner.traces.served(request, &self.event, attempt.finished_at);
        let target = &self.running.target;
        self.inner.traces.called(call, target, &[], attempt.finished_at);
        self.inner.traces.executed(&Ended {
            open,
            due: attempt.started_at,
            running: &self.running,
            outcome: &attempt.outcome,
            end: attempt.finished_at,
        });
    }

    async fn record(&mut self, outcome: Outcome) {
        // It is kept here while there is no place for it: a caller who leaves does not undo it.
        let now = self.inner.clock.now();
        self.ended.get_or_insert((outcome, now));
        let inner = self.inner.clone();
        let place = inner.committer.place().await;
        if let Some((write, settles)) = self.entry() {
            place.finish(write, settles);
        }
    }

    /// What is written of the call, and what begins with it; `None` the second time.
    fn entry(&mut self) -> Option<(Write, Settles)> {
        if std::mem::replace(&mut self.is_recorded, true) {
            return None;
        }
        let left = || (Outcome::Cancelled, self.inner.clock.now());
        let (outcome, finished_at) = self.ended.take().unwrap_or_else(left);
        let state = state_of(&outcome);
        let is_success = matches!(outcome, Outcome::Success(_));
        let is_made = is_made(&outcome);
        let attempt = Attempt {
            number: 1,
            started_at: self.running.started_at,
            finished_at,
            outcome,
            logs: self.running.lines.take(),
            version: self.deployed.version.number,
        };
        self.inner.finished(&self.running, &attempt, Some(state));
        self.close_spans(&attempt);
        let new = NewExecution {
            id: self.id,
            due: self.running.started_at,
            order_key: None,
            concurrency_key: None,
            done: Some(Box::new((state, attempt))),
            is_test_run: self.event.is_test_run,
            is_replay: false,
            once: None,
            redirect: None,
        };
        let Beside { mut executions, planned, mut once, counts, turn } =
            std::mem::take(&mut self.beside);
        executions.insert(0, new);
        let is_once = match counts {
            Counts::Well => is_success,
            Counts::Made => is_made,
        };
        if !is_once {
            once.clear();
        }
        let write = Write::Ingest(Ingest { events: vec![self.event.clone()], executions, once });
        Some((write, Settles { planned, turn, ..Settles::default() }))
    }
}

impl Drop for Direct {
    fn drop(&mut self) {
        if let Some((write, settles)) = self.entry() {
            let inner = self.inner.clone();
            self.inner
                .tasks
                .spawn(async move { inner.committer.place().await.finish(write, settles) });
        }
    }
}

/// Whether a call came to its function and to an end there: nobody left, and nothing was so busy
/// that it had to be turned away.
fn is_made(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Success(_) | Outcome::TimedOut(_) => true,
        Outcome::Failure(failure) => !matches!(failure.code.status(), 429 | 503),
        Outcome::Cancelled => false,
    }
}

/// Whether the caller can be content with this answer. The record does not tell: it describes what
/// is long or streamed.
fn is_content(reply: &Reply) -> bool {
    match reply {
        Reply::Value(data) => written_reply(data).is_none_or(|written| written.status < 400),
        Reply::Http(reply) => reply.status.as_u16() < 400,
    }
}

/// The final state of a call without retries.
pub(crate) fn state_of(outcome: &Outcome) -> State {
    match outcome {
        Outcome::Success(_) => State::Success,
        Outcome::Failure(_) => State::Failed,
        Outcome::TimedOut(_) => State::TimedOut,
        Outcome::Cancelled => State::Cancelled,
    }
}

pub(crate) fn http_outcome(
    status: http::StatusCode,
    headers: &http::HeaderMap,
    body: &Bytes,
) -> Outcome {
    use evoke_model::event::write_str;
    let mut out = Vec::with_capacity(32 + body.len().min(RECORDED_BODY_BYTES_MAX));
    out.extend_from_slice(b"{\"status\":");
    out.extend_from_slice(status.as_str().as_bytes());
    let media = headers.get(http::header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    if body.len() <= RECORDED_BODY_BYTES_MAX && !body.is_empty() {
        out.extend_from_slice(b",\"body\":");
        // What says it is JSON is checked before it is copied into our own.
        let is_json = media.is_some_and(|media| media.starts_with("application/json"))
            && serde_json::from_slice::<&serde_json::value::RawValue>(body).is_ok();
        if is_json {
            out.extend_from_slice(body);
        } else {
            write_str(&mut out, &String::from_utf8_lossy(body));
        }
    } else if !body.is_empty() {
        out.extend_from_slice(b",\"body_bytes\":");
        out.extend_from_slice(body.len().to_string().as_bytes());
    }
    out.push(b'}');
    Outcome::Success(Data::Json(Bytes::from(out)))
}
