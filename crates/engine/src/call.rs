//! Callers who wait for the answer: direct invocation, HTTP routes and webhooks that want it. They
//! do not wait for the disk: the call runs at once and is recorded behind its answer, in the same
//! commits as the rest.

mod again;
mod direct;
mod receive;
mod reply;

use std::sync::Arc;

use bytes::Bytes;
use evoke_model::execution::RetryHint;
use evoke_model::{
    Attempt, Code, Data, Event, ExecutionId, Failure, FunctionSpec, Millis, Outcome, Rejection,
    State, Timestamp, Trigger, TriggerId,
};
use evoke_ports::store::{Ingest, Write};
use evoke_ports::{Claim, Functions, HttpCall, HttpReply, Input, Reply};
use http::Method;

use again::{Arrival, Handler};
use direct::{Beside, Counts, Direct};
pub(crate) use direct::{http_outcome, state_of};
pub use receive::{Answer, Unanswered};
use reply::as_http;

use crate::draft::Draft;
use crate::execute::{Running, notice};
use crate::ingest::Matched;
use crate::settings::{OUTPUT_BYTES_MAX, RECORDED_BODY_BYTES_MAX};
use crate::start::{Engine, Inner};

/// A direct call of a function.
#[derive(Clone, Debug, Default)]
pub struct Invocation {
    /// The function's name.
    pub function: String,
    /// What it gets.
    pub data: Data,
    /// Media type of the data; JSON if not given.
    pub content_type: Option<Box<str>>,
    /// Id of the caller's request.
    pub request_id: Option<Arc<str>>,
    /// W3C trace context.
    pub traceparent: Option<Box<str>>,
    /// Taken only once under this key.
    pub idempotency_key: Option<Box<str>>,
    /// The execution whose function calls.
    pub cause: Option<ExecutionId>,
    /// A test run.
    pub is_test_run: bool,
    /// Scheme and host the caller used.
    pub origin: String,
}

/// What came of a direct call.
#[derive(Debug)]
pub struct Invoked {
    /// The execution.
    pub execution: ExecutionId,
    /// How it ended.
    pub outcome: InvokeOutcome,
}

/// How a direct call ended.
#[derive(Debug)]
pub enum InvokeOutcome {
    /// The value an event handler returned.
    Value(Data),
    /// The answer of an HTTP handler.
    Http(HttpReply),
    /// It failed.
    Failed(Failure),
}

/// What the server knows of a request beside the request.
#[derive(Clone, Debug, Default)]
pub struct HttpCallMeta {
    /// Id of the request.
    pub request_id: Option<Arc<str>>,
    /// W3C trace context.
    pub traceparent: Option<Box<str>>,
    /// The execution whose function calls.
    pub cause: Option<ExecutionId>,
}

impl Engine {
    /// Whose request this is: that of a trigger, or nobody's.
    pub fn claim(&self, method: &Method, path: &str) -> Claim {
        let mut allowed: Vec<Method> = Vec::new();
        for intake in self.inner.catalog.intakes() {
            match intake.claim(method, path) {
                Claim::None => {}
                Claim::MethodNotAllowed { allow } => allowed.extend(allow),
                claim @ Claim::Trigger { .. } => return claim,
            }
        }
        if allowed.is_empty() { Claim::None } else { Claim::MethodNotAllowed { allow: allowed } }
    }

    /// Answers a request with the function of an HTTP trigger.
    ///
    /// # Errors
    /// What the function failed of, with the execution if it came to one.
    pub async fn http(
        &self,
        trigger: TriggerId,
        call: HttpCall,
        meta: HttpCallMeta,
    ) -> Result<(ExecutionId, HttpReply), (Option<ExecutionId>, Failure)> {
        let inner = &self.inner;
        let trigger = inner.catalog.load().triggers.get(&trigger).cloned();
        let trigger = trigger
            .ok_or_else(|| (None, Failure::new(Code::TriggerNotFound, "the trigger is gone")))?;
        let draft = Draft {
            source: Some("/http".into()),
            kind: "http.request".into(),
            subject: Some(call.target.split('?').next().unwrap_or_default().into()),
            data: Data::Json(recorded_request(&call)),
            traceparent: meta.traceparent,
            cause: meta.cause,
            ..Draft::default()
        };
        inner.metrics.accepted(inner.catalog.kind(&trigger.kind), 1);
        let direct = Direct::prepare(inner, draft, trigger).map_err(|failure| (None, failure))?;
        let id = direct.id;
        match direct.run(Input::Http(Box::new(call)), meta.request_id).await {
            Ok(Reply::Http(reply)) => Ok((id, reply)),
            Ok(Reply::Value(data)) => Ok((id, as_http(&data))),
            Err(failure) => Err((Some(id), failure)),
        }
    }

    /// Calls a function and waits for its answer. There are no retries: the caller decides. With an
    /// idempotency key it is made once: the next one gets what is recorded of the first.
    ///
    /// # Errors
    /// FN_001 when there is no such function. What the function itself failed of is in the outcome.
    pub async fn invoke(&self, call: Invocation) -> Result<Invoked, Rejection> {
        let inner = &self.inner;
        let trigger = inner.invoke_trigger(&call.function)?;
        let handler = match inner.takes_requests(&call.function) {
            true => Handler::OfRequests,
            false => Handler::OfEvents,
        };
        let request_id = call.request_id.clone();
        let origin = call.origin.clone();
        let draft = invoke_draft(call);
        let mut once = Vec::new();
        inner.once_keys(&draft, 0, &mut once);
        let turn = match inner.arrival(&once).await? {
            Arrival::First(turn) => turn,
            Arrival::Again(first) => {
                let execution = ExecutionId { event: first.id, trigger: trigger.id };
                return self.made_before(execution, handler, inner.patience(&trigger)).await;
            }
        };
        inner.metrics.accepted(Trigger::INVOKE, 1);
        let body = Bytes::copy_from_slice(draft.data.bytes());
        let content_type = draft.content_type.clone();
        let direct = Direct::prepare(inner, draft, trigger)
            .map_err(|failure| Rejection::new(failure.code, failure.message))?
            .with(Beside { once, turn, counts: Counts::Made, ..Beside::default() });
        let id = direct.id;
        let input = match handler {
            Handler::OfRequests => {
                Input::Http(Box::new(post(origin, body, content_type.as_deref())))
            }
            Handler::OfEvents => Input::Event(direct.event.clone()),
        };
        let outcome = match direct.run(input, request_id).await {
            Ok(Reply::Value(data)) => InvokeOutcome::Value(data),
            Ok(Reply::Http(reply)) => InvokeOutcome::Http(reply),
            Err(failure) => InvokeOutcome::Failed(failure),
        };
        Ok(Invoked { execution: id, outcome })
    }

    /// Calls a function without waiting for its answer: durable when this returns, and retried like
    /// any execution.
    ///
    /// # Errors
    /// FN_001, EV_003, ST_001.
    pub async fn invoke_later(&self, call: Invocation) -> Result<ExecutionId, Rejection> {
        let inner = &self.inner;
        let trigger = inner.invoke_trigger(&call.function)?;
        inner.metrics.accepted(Trigger::INVOKE, 1);
        inner.address(invoke_draft(call), trigger).await
    }
}

impl Inner {
    /// Plans an event for exactly one trigger, without matching, and makes it durable.
    pub(crate) async fn address(
        &self,
        draft: Draft,
        trigger: Arc<Trigger>,
    ) -> Result<ExecutionId, Rejection> {
        let mut once = Vec::new();
        self.once_keys(&draft, 0, &mut once);
        let event = Arc::new(self.accept(draft));
        let evoke_matching::Evaluated { keys, priority, .. } =
            self.catalog.load().index.keys_for(trigger.id, &event);
        let due = event.due.unwrap_or(event.id.made_at());
        let trigger_id = trigger.id;
        let matched = Matched { trigger, due, keys, priority };
        let new = matched.new_execution(&event);
        let id = new.id;
        let planned = matched.planned(&new, &event);
        let write = Ingest { events: vec![event], executions: vec![new], once };
        let receipt = self.committer.ingest(Write::Ingest(write), vec![planned]).await?;
        match receipt {
            evoke_ports::store::Receipt::Ingested { duplicates, .. } => {
                Ok(match duplicates.first() {
                    Some((_, standing)) => ExecutionId { event: *standing, trigger: trigger_id },
                    None => id,
                })
            }
            _ => Ok(id),
        }
    }

    /// Whether a trigger whose caller waits may be called now.
    fn within_rate(&self, trigger: &Trigger, event: &Event) -> Result<(), Failure> {
        let Some(rate) = &trigger.policy.rate else { return Ok(()) };
        let now = self.clock.now();
        let key = self.catalog.load().index.keys_for(trigger.id, event).keys.rate.clone();
        self.gates.pass(trigger.id, key, rate, now).map_err(|at| {
            self.metrics.throttled();
            let wait = Millis::new(at.since(now).as_micros().div_ceil(1_000) as u64);
            let message = format!("{} calls in {} are allowed", rate.limit, rate.per);
            Failure { retry: RetryHint::After(wait), ..Failure::new(Code::RateLimited, message) }
        })
    }

    /// A function that is not there while the server starts is not there yet, which is no reason
    /// for a caller to give up.
    fn or_starting(&self, failure: Failure, function: &str) -> Failure {
        if failure.code != Code::FunctionNotFound || self.dispatcher.is_open() {
            return failure;
        }
        let message = format!("the server is starting: function {function:?} is not deployed yet");
        let retry = RetryHint::After(Millis::from_secs(1));
        Failure { retry, ..Failure::new(Code::Starting, message) }
    }

    fn invoke_trigger(&self, function: &str) -> Result<Arc<Trigger>, Rejection> {
        match self.catalog.load().invoke.get(function) {
            Some(trigger) => Ok(trigger.clone()),
            None => {
                let failure = self.registry.current(function).err();
                let failure = failure.unwrap_or_else(|| {
                    Failure::new(
                        Code::FunctionNotFound,
                        format!("there is no function {function:?}"),
                    )
                });
                Err(Rejection::new(failure.code, failure.message))
            }
        }
    }

    /// How long a caller waits for a function at most.
    fn patience(&self, trigger: &Trigger) -> Millis {
        let function = trigger.target.function_name().unwrap_or_default();
        let current = self.registry.current(function);
        current.map_or(FunctionSpec::TIMEOUT_DEFAULT, |current| current.version.spec.timeout)
    }

    /// Whether a function is written for requests: all of its own triggers take requests.
    fn takes_requests(&self, function: &str) -> bool {
        let snapshot = self.catalog.load();
        let mut own = snapshot
            .triggers
            .values()
            .filter(|trigger| trigger.deleted_at.is_none() && trigger.kind != Trigger::INVOKE)
            .filter(|trigger| trigger.target.function_name() == Some(function))
            .peekable();
        own.peek().is_some() && own.all(|trigger| self.catalog.passes_requests(&trigger.kind))
    }
}

fn invoke_draft(call: Invocation) -> Draft {
    Draft {
        source: Some("/invoke".into()),
        kind: format!("invoke.{}", call.function).into(),
        data: call.data,
        content_type: call.content_type,
        traceparent: call.traceparent,
        idempotency_key: call.idempotency_key.map(|key| format!("{}\0{key}", call.function).into()),
        cause: call.cause,
        is_test_run: call.is_test_run,
        ..Draft::default()
    }
}

fn post(origin: String, body: Bytes, content_type: Option<&str>) -> HttpCall {
    let mut headers = http::HeaderMap::new();
    let content_type = content_type.unwrap_or("application/json");
    if let Ok(value) = http::HeaderValue::from_str(content_type) {
        headers.insert(http::header::CONTENT_TYPE, value);
    }
    let target = "/".to_owned();
    HttpCall { method: Method::POST, target, origin, headers, params: Vec::new(), body, user: None }
}

/// A request as the record keeps it. Secrets in headers are not kept.
fn recorded_request(call: &HttpCall) -> Bytes {
    use evoke_model::event::write_str;
    const SECRET: [&str; 4] = ["authorization", "cookie", "proxy-authorization", "x-api-key"];
    let mut out = Vec::with_capacity(256 + call.body.len().min(RECORDED_BODY_BYTES_MAX));
    out.extend_from_slice(b"{\"method\":");
    write_str(&mut out, call.method.as_str());
    out.extend_from_slice(b",\"path\":");
    write_str(&mut out, call.target.split('?').next().unwrap_or_default());
    if let Some((_, query)) = call.target.split_once('?') {
        out.extend_from_slice(b",\"query\":");
        write_str(&mut out, query);
    }
    out.extend_from_slice(b",\"params\":{");
    for (index, (name, value)) in call.params.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write_str(&mut out, name);
        out.push(b':');
        write_str(&mut out, value);
    }
    out.extend_from_slice(b"},\"headers\":{");
    for (index, name) in call.headers.keys().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write_str(&mut out, name.as_str());
        out.push(b':');
        if SECRET.contains(&name.as_str()) {
            write_str(&mut out, "[redacted]");
        } else {
            let values: Vec<_> = call.headers.get_all(name).iter().map(|v| v.as_bytes()).collect();
            write_str(&mut out, &String::from_utf8_lossy(&values.join(&b", "[..])));
        }
    }
    out.push(b'}');
    if !call.body.is_empty() {
        let cut = call.body.len().min(RECORDED_BODY_BYTES_MAX);
        out.extend_from_slice(b",\"body\":");
        write_str(&mut out, &String::from_utf8_lossy(&call.body[..cut]));
        if cut < call.body.len() {
            out.extend_from_slice(b",\"body_cut_at\":");
            out.extend_from_slice(cut.to_string().as_bytes());
        }
    }
    out.push(b'}');
    Bytes::from(out)
}

/// A failure as an outcome: out of time is a state of its own.
pub(crate) fn outcome_of(failure: Failure) -> Outcome {
    match failure.code {
        Code::FunctionTimeout | Code::TargetTimeout => Outcome::TimedOut(failure),
        Code::ExecutionCancelled => Outcome::Cancelled,
        _ => Outcome::Failure(failure),
    }
}

/// An output cut to what the record keeps: what is too long is described instead.
pub(crate) fn bounded(data: &Data) -> Data {
    if data.len() <= OUTPUT_BYTES_MAX {
        return data.clone();
    }
    let note = serde_json::json!({ "output_cut": true, "bytes": data.len() });
    Data::from_value(&note)
}

impl Inner {
    /// Notes the end of an attempt: metrics, feed, and that it no longer runs.
    pub(crate) fn finished(&self, running: &Running, attempt: &Attempt, end: Option<State>) {
        self.running.remove(running.id);
        self.metrics.attempted(took(attempt.started_at, attempt.finished_at));
        if let Some(state) = end {
            self.metrics.ended(&running.trigger.kind, state);
        }
        let state = end.unwrap_or(State::Pending);
        self.feed.tell(|| notice(running, attempt, state));
    }
}

pub(crate) fn took(from: Timestamp, to: Timestamp) -> std::time::Duration {
    to.since(from)
}
