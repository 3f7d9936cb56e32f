//! Events: sending, the log, the live feed.

use axum::Json;
use axum::body::Body as AxumBody;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use evoke_api::event::{CloudEvent, ShortEvent};
use evoke_api::{Event, EventsAccepted, Page, Tree, cloudevents};
use evoke_engine::{Draft, Notice};
use evoke_ports::store::EventQuery;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, StatusCode};
use http_body::Body;
use utoipa::IntoParams;

use crate::body;
use crate::context::{Context, idempotency_key, text};
use crate::extract::{About, Segment, Shared};
use crate::query::{FromQuery, Look, Paging, Params, Query, Span, Tier};
use crate::refusal::Refusal;
use crate::reply::ReplyBody;
use crate::service::Server;
use crate::stream::follow;

/// The media type of one CloudEvent.
const CLOUD_EVENT: &str = "application/cloudevents+json";

/// Which events.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Filter {
    /// Exact type, or a prefix that ends in `*`.
    #[param(rename = "type")]
    kind: Option<String>,
    /// Exact source.
    source: Option<String>,
    /// Exact subject.
    subject: Option<String>,
}

impl FromQuery for Filter {
    fn read(query: &mut Query) -> Self {
        Self {
            kind: query.text("type"),
            source: query.text("source"),
            subject: query.text("subject"),
        }
    }
}

impl Filter {
    fn matches(&self, event: &evoke_model::Event) -> bool {
        let is_kind = match self.kind.as_deref().map(|kind| (kind, kind.strip_suffix('*'))) {
            None => true,
            Some((_, Some(prefix))) => event.kind.starts_with(prefix),
            Some((exact, None)) => *event.kind == *exact,
        };
        is_kind
            && self.source.as_deref().is_none_or(|source| source == &*event.source)
            && self
                .subject
                .as_deref()
                .is_none_or(|subject| Some(subject) == event.subject.as_deref())
    }
}

/// Send events
///
/// One CloudEvent (structured or binary mode), a batch, the short form, or an array of either.
/// Answers once they are durable.
#[utoipa::path(
    post, path = "/events", tag = "events",
    operation_id = "send_events",
    params(("Idempotency-Key" = Option<String>, Header, description = "Take this request once.")),
    request_body(content(
        (ShortEvent = "application/json"),
        (CloudEvent = "application/cloudevents+json"),
        (Vec<CloudEvent> = "application/cloudevents-batch+json"),
    )),
    responses((status = 202, description = "Accepted, durable", body = EventsAccepted)),
)]
pub(crate) async fn send(
    Shared(server): Shared,
    About(context): About,
    request: Request,
) -> Result<Response, Refusal> {
    let (parts, body) = request.into_parts();
    let response = accept(&server, &context, &parts.headers, body).await?;
    Ok(response.map(AxumBody::new))
}

/// Takes events; the way all of them come in, without a detour through the router.
pub(crate) async fn accept<B>(
    server: &Server,
    context: &Context,
    headers: &HeaderMap,
    body: B,
) -> Result<http::Response<ReplyBody>, Refusal>
where
    B: Body<Data = Bytes> + Unpin + Send + 'static,
    B::Error: std::fmt::Display + Send,
{
    let key = idempotency_key(headers)?;
    let body = body::read(body, server.limits(), &server.drains).await?;
    let mut drafts = cloudevents::parse(headers, &body, server.options.clock.now())?;
    drop(body);
    let _patient = context.patience.begin();
    for (index, draft) in drafts.iter_mut().enumerate() {
        complete(draft, index, key, context);
    }
    let emitted = server.engine.emit(drafts).await?;
    let body = EventsAccepted::write(&emitted);
    let mut response = http::Response::new(ReplyBody::full(Bytes::from(body)));
    *response.status_mut() = StatusCode::ACCEPTED;
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    Ok(response)
}

/// Fills in what the request says about all of its events.
fn complete(draft: &mut Draft, index: usize, key: Option<&str>, context: &Context) {
    draft.cause = context.caller.cause();
    if draft.traceparent.is_none() {
        draft.traceparent.clone_from(&context.traceparent);
    }
    draft.idempotency_key = match (key, index) {
        (None, _) => None,
        (Some(key), 0) => Some(key.into()),
        (Some(key), _) => Some(format!("{key}\0{index}").into()),
    };
}

/// List events
///
/// The log, newest first; with `follow=true` the live feed.
#[utoipa::path(
    get, path = "/events", tag = "events",
    operation_id = "list_events",
    params(Filter, Span, Paging, Look),
    responses((status = 200, description = "A page, or a stream", content(
        (Page<Event> = "application/json"),
        (String = "text/event-stream"),
    ))),
)]
pub(crate) async fn list(
    Shared(server): Shared,
    Params((filter, span, paging, look)): Params<(Filter, Span, Paging, Look)>,
) -> Result<Response, Refusal> {
    if look.follow {
        return Ok(follow(&server, "event", move |notice| match notice {
            Notice::Event(event) if filter.matches(event) => Some(Event::from(event.as_ref())),
            _ => None,
        }));
    }
    let query = EventQuery {
        kind: filter.kind,
        source: filter.source,
        subject: filter.subject,
        since: span.since,
        until: span.until,
        limit: paging.limit,
        cursor: paging.cursor,
        ..EventQuery::default()
    };
    let page = match look.tier {
        Tier::Active => server.engine.events(query).await?,
        Tier::Archived => server.engine.archived_events(query).await?,
    };
    Ok(Json(Page::of(page, |event| Event::from(event.as_ref()))).into_response())
}

/// Show an event
///
/// By our id or the sender's, which is written after its source, as in `/shop#order-7`, unless the
/// source is the default. With `Accept: application/cloudevents+json` it comes as a CloudEvent.
#[utoipa::path(
    get, path = "/events/{id}", tag = "events",
    operation_id = "get_event",
    params(("id" = String, Path, description = "`evt_...`, or the sender's id")),
    responses((status = 200, description = "The event", content(
        (Event = "application/json"),
        (CloudEvent = "application/cloudevents+json"),
    ))),
)]
pub(crate) async fn show(
    Shared(server): Shared,
    Segment(id): Segment,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let event = server.engine.event(&id).await?;
    if text(&headers, &ACCEPT).is_some_and(|accept| accept.contains(CLOUD_EVENT)) {
        let mut out = Vec::with_capacity(256 + event.data.len());
        event.write_json(&mut out);
        return Ok(([(CONTENT_TYPE, CLOUD_EVENT)], out).into_response());
    }
    Ok(Json(Event::from(event.as_ref())).into_response())
}

/// Show what an event led to
///
/// The whole chain the event is part of, from its first event through executions to the events they
/// caused. What the loop brake cut off is shown as a cancelled execution with the error EV_004.
#[utoipa::path(
    get, path = "/events/{id}/tree", tag = "events",
    operation_id = "get_event_tree",
    params(("id" = String, Path, description = "`evt_...`, or the sender's id")),
    responses((status = 200, description = "The tree", body = Tree)),
)]
pub(crate) async fn tree(
    Shared(server): Shared,
    Segment(id): Segment,
) -> Result<Json<Tree>, Refusal> {
    Ok(Json(server.engine.tree(&id).await?.into()))
}
