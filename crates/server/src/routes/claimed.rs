//! Paths that triggers claim: the request goes to the function and its answer to the caller, or it
//! is news and its sender is told that it was taken.

use std::sync::Arc;

use bytes::Bytes;
use evoke_api::EventAccepted;
use evoke_engine::call::{Answer, Unanswered};
use evoke_engine::{Emitted, HttpCallMeta};
use evoke_ports::{Claim, HttpCall};
use http::header::{CONTENT_TYPE, LOCATION};
use http::{HeaderValue, Request, Response, StatusCode};
use http_body::Body;

use super::not_found_at;
use crate::body;
use crate::context::{Context, authority};
use crate::guard::caller_of_route;
use crate::refusal::Refusal;
use crate::reply::{self, ReplyBody};
use crate::service::{Route, Server};

/// The label of all functions in the metrics: their paths have no bound.
const ROUTE: &str = "{function}";

/// Answers a request with the function that claims its path.
pub(crate) async fn answer<B>(
    server: &Server,
    context: Context,
    request: Request<B>,
) -> Result<Response<ReplyBody>, Refusal>
where
    B: Body<Data = Bytes> + Unpin + Send + 'static,
    B::Error: std::fmt::Display + Send,
{
    let engine = &server.engine;
    let (id, params) = match engine.claim(request.method(), request.uri().path()) {
        Claim::Trigger { id, params } => (id, params),
        Claim::None => return Err(not_found_at(request.uri().path())),
        Claim::MethodNotAllowed { allow } => {
            let allow: Vec<&str> = allow.iter().map(http::Method::as_str).collect();
            return Err(Refusal::method_not_allowed(&allow.join(", ")));
        }
    };
    let (mut parts, body) = request.into_parts();
    let body = body::read(body, server.limits(), &server.drains).await?;
    let cause = caller_of_route(engine, &parts.headers)?.cause();
    let addressed = authority(&parts.uri, &parts.headers).unwrap_or(&server.address);
    let origin = format!("http://{addressed}");
    reply::strip_hop_by_hop(&mut parts.headers);
    let target = parts.uri.path_and_query().map_or("/", |target| target.as_str()).to_owned();
    let method = parts.method.clone();
    let (method_asked, headers) = (parts.method, parts.headers);
    let call = HttpCall { method: method_asked, target, origin, headers, params, body, user: None };
    let Context { request_id, traceparent, .. } = context;
    let meta = HttpCallMeta { request_id: Some(request_id), traceparent, cause };
    let mut response = match engine.receive(id, call, meta).await {
        Ok(Answer::Reply(execution, reply)) => reply::of_function(&method, execution, reply)?,
        Ok(Answer::Accepted(emitted)) => accepted(&emitted),
        Err(Unanswered::Failed(execution, failure)) => {
            return Err(Refusal::from(failure).with_execution(execution));
        }
        Err(Unanswered::Refused(denied)) => {
            // Strangers decide how often this is said.
            tracing::debug!(trigger.id = %id, "Refused: {}", denied.rejection);
            return Err(Refusal::from(denied.rejection).with_challenge(denied.challenge));
        }
    };
    response.extensions_mut().insert(Route(Arc::from(ROUTE)));
    Ok(response)
}

/// The answer to the sender of news: it is durable.
fn accepted(emitted: &Emitted) -> Response<ReplyBody> {
    let body = EventAccepted { event_id: emitted.id, duplicate: emitted.is_duplicate };
    let body = serde_json::to_vec(&body).unwrap_or_default();
    let mut response = Response::new(ReplyBody::full(Bytes::from(body)));
    *response.status_mut() = StatusCode::ACCEPTED;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Ok(place) = HeaderValue::try_from(format!("/api/events/{}", emitted.id)) {
        headers.insert(LOCATION, place);
    }
    response
}
