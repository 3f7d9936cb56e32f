//! The call itself, and what came of it.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use evoke_cli::test_run::{End, Response};
use evoke_cli::{Failure, Outcome};
use evoke_delivery::batch::failed_items;
use evoke_model::{Code, Data, Event, EventId, ExecutionId, Millis, Target, Timestamp, Trigger};
use evoke_ports::runtime::Deployed;
use evoke_ports::{Call, Clock, HttpCall, Input, Job, LogSink, Reply, SystemClock};
use evoke_targets::TargetOptions;
use http::header::CONTENT_TYPE;
use serde_json::value::RawValue;
use tokio_util::sync::CancellationToken;

use super::worker::Only;

/// With what a function calls back. No server has given it, so none believes it.
const TOKEN: &str = "evt_run_test";

/// What a function gets.
pub(super) enum Work {
    /// One event.
    Event(Arc<Event>),
    /// A list of events.
    Batch(Vec<Arc<Event>>),
    /// A request.
    Request(Box<HttpCall>),
}

impl Work {
    fn events(&self) -> &[Arc<Event>] {
        match self {
            Self::Event(event) => std::slice::from_ref(event),
            Self::Batch(events) => events,
            Self::Request(_) => &[],
        }
    }
}

/// How a call is made, whatever the function gets.
pub(super) struct Calling {
    pub(super) trigger: Arc<Trigger>,
    /// Upper bound beside that of the function.
    pub(super) timeout: Option<Millis>,
    pub(super) logs: Arc<dyn LogSink>,
    pub(super) cancel: CancellationToken,
}

/// How a call ended, and how long it took.
pub(super) struct Ended {
    pub(super) end: End,
    pub(super) took: std::time::Duration,
}

/// Makes the call as a server makes it, without a record.
pub(super) async fn make(deployed: &Deployed, calling: &Calling, work: Work) -> Outcome<Ended> {
    let now = SystemClock.now();
    let began = Instant::now();
    let end = match work {
        Work::Request(request) => respond(deployed, calling, (*request, now)).await,
        events => deliver(deployed, calling, (&events, now)).await?,
    };
    Ok(Ended { end, took: began.elapsed() })
}

/// Hands events to the function the way triggers do.
async fn deliver(
    deployed: &Deployed,
    calling: &Calling,
    (work, now): (&Work, Timestamp),
) -> Outcome<End> {
    let events = work.events();
    let Some(first) = events.first() else {
        return Err(Failure::mistake("there is no event"));
    };
    let options = TargetOptions { clock: Arc::new(SystemClock), allow_private: true };
    let targets = evoke_targets::builtin(&options, Arc::new(Only(deployed.clone())));
    let function = targets.iter().find(|target| target.descriptor().kind == Target::FUNCTION);
    let config = Target::function(&deployed.version.spec.name).config;
    let endpoint = function
        .ok_or_else(|| Failure::fault("functions are no target"))?
        .open(&config)
        .map_err(|problems| Failure::fault("the function is no target").problems(problems))?;
    let job = Job {
        execution: ExecutionId { event: first.id, trigger: calling.trigger.id },
        attempt: 1,
        event: first.clone(),
        trigger: calling.trigger.clone(),
        trigger_kind: calling.trigger.kind.as_str().into(),
        trigger_name: calling.trigger.name.as_str().into(),
        version: None,
        deadline: calling.timeout.map(|timeout| now.plus(timeout)),
        cancel: calling.cancel.clone(),
        logs: calling.logs.clone(),
        token: TOKEN.into(),
    };
    let is_batch = matches!(work, Work::Batch(_));
    let delivered = match is_batch {
        true => endpoint.deliver_batch(job, events).await,
        false => endpoint.deliver(job).await,
    };
    Ok(match delivered.outcome {
        evoke_model::Outcome::Success(data) if is_batch => of_batch(data, events),
        evoke_model::Outcome::Success(data) => End::Value(data),
        evoke_model::Outcome::Failure(failure) => End::Failed(failure),
        evoke_model::Outcome::TimedOut(failure) => End::TimedOut(failure),
        evoke_model::Outcome::Cancelled => End::Cancelled,
    })
}

/// A batch of which the function names events as failed has failed.
fn of_batch(answer: Data, events: &[Arc<Event>]) -> End {
    let ids: Vec<String> = events.iter().map(|event| event.public_id()).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let message = match failed_items(&answer.to_value(), &ids) {
        Ok(failed) if failed.is_empty() => return End::Value(answer),
        Ok(failed) => {
            let named = failed.iter().map(|item| {
                let why = item.message.as_deref().map(|why| format!(": {why}")).unwrap_or_default();
                format!("event {}{why}", item.index)
            });
            format!("the function named as failed {}", named.collect::<Vec<_>>().join(", "))
        }
        Err(message) => message,
    };
    End::Failed(evoke_model::Failure::new(Code::BatchItemFailed, message))
}

/// Hands a request to the function the way routes do, and reads the whole answer.
async fn respond(
    deployed: &Deployed,
    calling: &Calling,
    (request, now): (HttpCall, Timestamp),
) -> End {
    let own = deployed.version.spec.timeout;
    let limit = calling.timeout.map_or(own, |timeout| timeout.min(own));
    let call = Call {
        execution: ExecutionId { event: EventId::first_at(now), trigger: calling.trigger.id },
        attempt: 1,
        deadline: now.plus(limit),
        trigger_kind: calling.trigger.kind.as_str().into(),
        trigger_name: calling.trigger.name.as_str().into(),
        traceparent: None,
        request_id: None,
        input: Input::Http(Box::new(request)),
        logs: calling.logs.clone(),
        cancel: calling.cancel.clone(),
        token: TOKEN.into(),
    };
    let failed = match deployed.pool.call(call).await {
        Ok(Reply::Value(data)) => return End::Value(data),
        Ok(Reply::Http(reply)) => match reply.body.collect().await {
            Ok(body) => {
                let (status, headers) = (reply.status.as_u16(), &reply.headers);
                return End::Response(Response {
                    status,
                    body: data(headers, body),
                    headers: texts(headers),
                });
            }
            Err(failure) => failure,
        },
        Err(failure) => failure,
    };
    match failed.code {
        _ if calling.cancel.is_cancelled() => End::Cancelled,
        Code::FunctionTimeout => End::TimedOut(failed),
        _ => End::Failed(failed),
    }
}

fn texts(headers: &http::HeaderMap) -> Vec<(String, String)> {
    let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect()
}

/// A body as data: JSON where it says so and is, text where it is text, bytes otherwise.
fn data(headers: &http::HeaderMap, body: Bytes) -> Data {
    let media = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let is_json = media.is_some_and(|media| media.starts_with("application/json"));
    if body.is_empty() {
        Data::None
    } else if is_json && serde_json::from_slice::<&RawValue>(&body).is_ok() {
        Data::Json(body)
    } else if std::str::from_utf8(&body).is_ok() {
        Data::Text(body)
    } else {
        Data::Binary(body)
    }
}
