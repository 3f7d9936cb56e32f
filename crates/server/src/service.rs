//! Every request, from its head to its answer: who asks, which way it goes, and what the answer
//! carries in any case.

use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::body::Body as AxumBody;
use evoke_engine::Engine;
use evoke_model::{Code, Problem};
use futures_util::FutureExt;
use http::header::ALLOW;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use crate::context::{Context, REQUEST_ID, TRACEPARENT};
use crate::guard::{self, Need};
use crate::options::{Limits, ServerOptions};
use crate::paths::{self, Face};
use crate::patience::Patience;
use crate::refusal::Refusal;
use crate::reply::ReplyBody;
use crate::routes;

/// The pattern of the route that answered, for the metrics.
#[derive(Clone)]
pub(crate) struct Route(pub(crate) Arc<str>);

/// What all requests share.
pub(crate) struct Server {
    pub(crate) engine: Engine,
    pub(crate) options: ServerOptions,
    /// Fires when the server stops: feeds that would never end, end.
    pub(crate) stop: CancellationToken,
    /// Bodies that are read only to be thrown away.
    pub(crate) drains: TaskTracker,
    /// The address callers who do not say whom they address have reached.
    pub(crate) address: String,
    pub(crate) pages: routes::docs::Pages,
    router: Router,
    events_accepted: Counted,
}

/// Counts answers of the one route that is asked tens of thousands of times a second.
type Counted = Box<dyn Fn() + Send + Sync>;

impl Server {
    pub(crate) fn new(
        engine: Engine,
        options: ServerOptions,
        addresses: &[SocketAddr],
        stop: CancellationToken,
    ) -> Self {
        let counter = engine.metrics().request_counter("POST", routes::EVENTS, 202);
        Self {
            engine,
            options,
            stop,
            drains: TaskTracker::new(),
            address: addresses.first().map(ToString::to_string).unwrap_or_default(),
            pages: routes::docs::Pages::default(),
            router: routes::router(),
            events_accepted: Box::new(move || {
                counter.inc();
            }),
        }
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.options.limits
    }

    /// Answers a request, whatever happens on the way.
    pub(crate) async fn answer(
        self: Arc<Self>,
        request: Request<Incoming>,
        patience: Patience,
    ) -> Response<ReplyBody> {
        let access = tracing::enabled!(tracing::Level::DEBUG).then(|| Access::of(&request));
        let context = Context::of(request.headers(), patience);
        let request_id = context.request_id.clone();
        let traceparent = context.traceparent.clone();
        let is_hot = request.method() == Method::POST && paths::is_events(request.uri().path());
        let method = request.method().clone();
        let work = self.clone().dispatch(context, request);
        let mut response = match AssertUnwindSafe(work).catch_unwind().await {
            Ok(Ok(response)) => response,
            Ok(Err(refusal)) => refusal.render(&request_id, self.options.stacks),
            Err(panic) => self.panicked(&panic, &request_id),
        };
        let route = response.extensions_mut().remove::<Route>();
        if let Some(refusal) = response.extensions_mut().remove::<Refusal>() {
            // What the router said beside the status stays.
            let allow = response.headers_mut().remove(ALLOW);
            response = refusal.render(&request_id, self.options.stacks);
            if let Some(allow) = allow {
                response.headers_mut().insert(ALLOW, allow);
            }
        }
        let headers = response.headers_mut();
        if let Ok(value) = HeaderValue::from_str(&request_id) {
            headers.insert(REQUEST_ID, value);
        }
        if let Some(value) = traceparent.and_then(|text| HeaderValue::from_str(&text).ok()) {
            headers.insert(TRACEPARENT, value);
        }
        let route =
            route.as_ref().map_or(if is_hot { routes::EVENTS } else { "" }, |route| &route.0);
        self.count(&method, route, response.status());
        if let Some(access) = access {
            access.log(&request_id, response.status());
        }
        response
    }

    async fn dispatch(
        self: Arc<Self>,
        mut context: Context,
        request: Request<Incoming>,
    ) -> Result<Response<ReplyBody>, Refusal> {
        let path = request.uri().path();
        let face = paths::face(path);
        check_path(path)?;
        if face == Face::Function {
            return routes::claimed::answer(&self, context, request).await;
        }
        let (parts, body) = request.into_parts();
        let path = parts.uri.path();
        let need = match guard::bucket_read(&parts.method, path) {
            Some(bucket) if self.options.services.is_public(bucket) => Need::Nothing,
            _ => guard::need(&parts.method, path),
        };
        context.caller = guard::admit(&self.engine, &self.options.auth, &parts, need)?;
        if need == Need::KeyOrToken && paths::is_events(path) {
            return routes::events::accept(&self, &context, &parts.headers, body).await;
        }
        let mut request = Request::from_parts(parts, AxumBody::new(body));
        request.extensions_mut().insert(context);
        request.extensions_mut().insert(self.clone());
        match self.router.clone().oneshot(request).await {
            Ok(response) => Ok(response.map(ReplyBody::Axum)),
            Err(never) => match never {},
        }
    }

    fn panicked(
        &self,
        panic: &(dyn std::any::Any + Send),
        request_id: &str,
    ) -> Response<ReplyBody> {
        let said = panic
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| panic.downcast_ref::<String>().cloned())
            .unwrap_or_default();
        tracing::error!(request.id = request_id, panic = said, "A request fell over: {said}");
        Refusal::new(Code::Internal, "this is our mistake; the log has the request's id")
            .render(request_id, self.options.stacks)
    }

    fn count(&self, method: &Method, route: &str, status: StatusCode) {
        if status == StatusCode::ACCEPTED && route == routes::EVENTS && *method == Method::POST {
            (self.events_accepted)();
            return;
        }
        // A method of the caller's invention is not a label.
        let is_usual = matches!(
            *method,
            Method::GET
                | Method::HEAD
                | Method::POST
                | Method::PUT
                | Method::PATCH
                | Method::DELETE
                | Method::OPTIONS
        );
        let method = if is_usual { method.as_str() } else { "OTHER" };
        self.engine.metrics().answered(method, route, status.as_u16());
    }
}

/// Refuses paths that would mean different things to different readers.
fn check_path(path: &str) -> Result<(), Refusal> {
    if !path.contains('%') {
        return Ok(());
    }
    let decoded = percent_decoded(path);
    let what = if decoded.contains(&0) {
        "contains a NUL"
    } else if std::str::from_utf8(&decoded).is_err() {
        "is not UTF-8 when decoded"
    } else {
        return Ok(());
    };
    Err(Refusal::invalid(vec![Problem::new("path", what)]))
}

/// The bytes a percent-encoded text stands for; what is no escape stays as it is.
pub(crate) fn percent_decoded(path: &str) -> Vec<u8> {
    let bytes = path.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let escape = path.get(at + 1..at + 3).filter(|_| bytes[at] == b'%');
        match escape.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    out
}

/// The line of a request in the log.
struct Access {
    method: Method,
    path: String,
    began: Instant,
}

impl Access {
    fn of(request: &Request<Incoming>) -> Self {
        Self {
            method: request.method().clone(),
            path: request.uri().path().to_owned(),
            began: Instant::now(),
        }
    }

    fn log(self, request_id: &str, status: StatusCode) {
        let Self { method, path, began } = self;
        let (status, took_us) = (status.as_u16(), began.elapsed().as_micros() as u64);
        tracing::debug!(
            http.method = %method, http.path = path, http.status = status, request.id = request_id,
            took_us, "{method} {path} {status}"
        );
    }
}
