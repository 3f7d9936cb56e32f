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

/// A body of JSON.
pub(crate) struct Json(pub(crate) Value);

/// A body of JSON that may be left out, which is an object without fields.
pub(crate) struct JsonOrNothing(pub(crate) Value);

fn missing<T>(what: &str) -> Result<T, Refusal> {
    tracing::error!("A handler ran without {what}");
    Err(Refusal::new(Code::Internal, "this is our mistake; the log has the request's id"))
}

fn shared(extensions: &http::Extensions) -> Result<Arc<Server>, Refusal> {
    match extensions.get::<Arc<Server>>() {
        Some(server) => Ok(server.clone()),
        None => missing("the server"),
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
        match parts.extensions.get::<Context>() {
            Some(context) => Ok(Self(context.clone())),
            None => missing("its context"),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for By {
    type Rejection = Refusal;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        let server = shared(&parts.extensions)?;
        match parts.extensions.get::<Context>() {
            Some(context) => Ok(Self(context.caller.actor(&server.engine))),
            None => missing("its context"),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Segment {
    type Rejection = Refusal;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let params = RawPathParams::from_request_parts(parts, state)
            .await
            .map_err(|error| Refusal::invalid(vec![Problem::new("path", error.to_string())]))?;
        match params.iter().next() {
            Some((_, value)) => Ok(Self(value.to_owned())),
            None => missing("a variable part of its path"),
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
