//! What handlers take from a request, refused in our form when it is not good.

use std::sync::Arc;

use axum::extract::{FromRequest, FromRequestParts, RawPathParams, Request};
use bytes::Bytes;
use evoke_api::cloudevents::DEPTH_MAX;
use evoke_engine::Actor;
use evoke_model::{Code, Problem};
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http_body::Body as _;
use serde_json::{Map, Value};

use crate::body;
use crate::context::{Context, text};
use crate::refusal::Refusal;
use crate::service::Server;

/// What all requests share.
pub(crate) struct Shared(pub(crate) Arc<Server>);

/// What is known of the request.
pub(crate) struct About(pub(crate) Context);

/// Who asks, for the audit trail.
pub(crate) struct By(pub(crate) Actor);

/// The one variable part of a path, decoded.
pub(crate) struct Segment(pub(crate) String);

/// The two variable parts of a path, decoded.
pub(crate) struct Pair(pub(crate) String, pub(crate) String);

/// The three variable parts of a path, decoded.
pub(crate) struct Triple(pub(crate) String, pub(crate) String, pub(crate) String);

/// A body of JSON.
pub(crate) struct Json(pub(crate) Value);

/// A body of JSON that may be left out, which is an object without fields.
pub(crate) struct JsonOrNothing(pub(crate) Value);

/// A body of JSON, or the fields of a form.
pub(crate) struct JsonOrForm(pub(crate) Value, pub(crate) Sent);

/// How a body was sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Sent {
    /// By a program.
    Json,
    /// By a page, for a person.
    Form,
}

fn missing<T>(what: &str) -> Result<T, Refusal> {
    tracing::error!("A handler ran without {what}");
    Err(Refusal::new(Code::Internal, "this is our mistake; the log has the request's id"))
}

pub(crate) fn shared(extensions: &http::Extensions) -> Result<Arc<Server>, Refusal> {
    match extensions.get::<Arc<Server>>() {
        Some(server) => Ok(server.clone()),
        None => missing("the server"),
    }
}

pub(crate) fn context(extensions: &http::Extensions) -> Result<&Context, Refusal> {
    match extensions.get::<Context>() {
        Some(context) => Ok(context),
        None => missing("its context"),
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Shared {
    type Rejection = Refusal;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        shared(&parts.extensions).map(Self)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for About {
    type Rejection = Refusal;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        context(&parts.extensions).map(|context| Self(context.clone()))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for By {
    type Rejection = Refusal;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        let server = shared(&parts.extensions)?;
        context(&parts.extensions).map(|context| Self(context.caller.actor(&server.engine)))
    }
}

/// The variable parts of a path, decoded.
async fn segments<S: Send + Sync>(parts: &mut Parts, state: &S) -> Result<Vec<String>, Refusal> {
    let params = RawPathParams::from_request_parts(parts, state)
        .await
        .map_err(|error| Refusal::invalid(vec![Problem::new("path", error.to_string())]))?;
    Ok(params.iter().map(|(_, value)| value.to_owned()).collect())
}

impl<S: Send + Sync> FromRequestParts<S> for Segment {
    type Rejection = Refusal;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        match segments(parts, state).await?.into_iter().next() {
            Some(value) => Ok(Self(value)),
            None => missing("a variable part of its path"),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Pair {
    type Rejection = Refusal;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let mut segments = segments(parts, state).await?.into_iter();
        match (segments.next(), segments.next()) {
            (Some(first), Some(second)) => Ok(Self(first, second)),
            _ => missing("two variable parts of its path"),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Triple {
    type Rejection = Refusal;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let mut segments = segments(parts, state).await?.into_iter();
        match (segments.next(), segments.next(), segments.next()) {
            (Some(first), Some(second), Some(third)) => Ok(Self(first, second, third)),
            _ => missing("three variable parts of its path"),
        }
    }
}

impl<S: Send + Sync> FromRequest<S> for Json {
    type Rejection = Refusal;
    async fn from_request(request: Request, _: &S) -> Result<Self, Refusal> {
        must_be_json(request.headers())?;
        parse(&whole(request).await?).map(Self)
    }
}

impl<S: Send + Sync> FromRequest<S> for JsonOrNothing {
    type Rejection = Refusal;
    async fn from_request(request: Request, _: &S) -> Result<Self, Refusal> {
        if request.body().is_end_stream() {
            return Ok(Self(Value::Object(Map::new())));
        }
        Json::from_request(request, &()).await.map(|Json(value)| Self(value))
    }
}

impl<S: Send + Sync> FromRequest<S> for JsonOrForm {
    type Rejection = Refusal;
    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        let given = text(request.headers(), &CONTENT_TYPE).unwrap_or_default();
        if !given.to_ascii_lowercase().starts_with("application/x-www-form-urlencoded") {
            return Json::from_request(request, state).await.map(|Json(it)| Self(it, Sent::Json));
        }
        let fields = String::from_utf8_lossy(&whole(request).await?).into_owned();
        let fields = crate::query::pairs(&fields).map(|(name, value)| (name, value.into()));
        Ok(Self(Value::Object(fields.collect()), Sent::Form))
    }
}

/// The whole body of a request.
async fn whole(request: Request) -> Result<Bytes, Refusal> {
    let (parts, body) = request.into_parts();
    let server = shared(&parts.extensions)?;
    body::read(body, server.limits(), &server.drains).await
}

fn must_be_json(headers: &HeaderMap) -> Result<(), Refusal> {
    let given = match text(headers, &CONTENT_TYPE) {
        None if !headers.contains_key(CONTENT_TYPE) => return Ok(()),
        given => given.unwrap_or("?"),
    };
    let essence = given.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if essence == "application/json" || essence.ends_with("+json") {
        return Ok(());
    }
    let shown: String = given.chars().take(100).collect();
    let problem = Problem::new("Content-Type", format!("{shown:?} is not JSON"));
    Err(Refusal::of(Code::MediaType, vec![problem.suggest("send application/json")]))
}

/// Parses a body of JSON.
///
/// # Errors
/// API_001 with the line and the column.
pub(crate) fn parse(bytes: &[u8]) -> Result<Value, Refusal> {
    let what = match std::str::from_utf8(bytes) {
        Err(error) => format!("The body is not UTF-8 from byte {}", error.valid_up_to()),
        Ok(text) if text.trim().is_empty() => "The body is empty".to_owned(),
        Ok(text) => match serde_json::from_str(text) {
            Ok(value) => return Ok(value),
            Err(error) if error.to_string().starts_with("recursion limit") => {
                format!("The body is nested deeper than {DEPTH_MAX} levels")
            }
            Err(error) => format!("The body is malformed JSON: {error}"),
        },
    };
    Err(Refusal::invalid(vec![Problem::new("", what)]))
}
