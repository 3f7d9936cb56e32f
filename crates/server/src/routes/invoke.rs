//! Direct invocation: with the answer, or without waiting for it.

use axum::Json;
use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use evoke_api::ExecutionAccepted;
use evoke_engine::Invocation;
use evoke_engine::call::InvokeOutcome;
use evoke_model::{Data, ExecutionId, Problem};
use http::header::{CONTENT_TYPE, LOCATION};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

use crate::context::{Context, authority, idempotency_key, text};
use crate::extract::{self, About, Segment, Shared};
use crate::query::{FromQuery, Params, Query};
use crate::refusal::{EXECUTION_ID, Refusal};
use crate::service::Server;
use crate::{body, reply};

const PREFER: HeaderName = HeaderName::from_static("prefer");

/// How a function is called.
pub(crate) struct Options {
    is_test_run: bool,
}

impl FromQuery for Options {
    fn read(query: &mut Query) -> Self {
        Self { is_test_run: query.flag("is_test_run").unwrap_or(false) }
    }
}

/// Call a function
///
/// Waits for the answer. With `Prefer: respond-async` the call is durable and retried like any
/// execution, and the answer is 202 with the execution. With an `Idempotency-Key`, a call that was
/// made before is not made again: the answer is what is recorded of it.
#[utoipa::path(
    post, path = "/functions/{id}/invoke", tag = "functions",
    operation_id = "invoke_function",
    params(
        ("id" = String, Path, description = "Id or name"),
        ("is_test_run" = Option<bool>, Query, description = "Mark the execution as a test run"),
        ("Prefer" = Option<String>, Header, description = "`respond-async`"),
        ("Idempotency-Key" = Option<String>, Header, description = "Take this request once."),
    ),
    request_body(content = serde_json::Value, description = "What the function gets"),
    responses(
        (status = 200, description = "What the function gave", body = serde_json::Value),
        (status = 202, description = "Accepted, durable", body = ExecutionAccepted),
    ),
)]
pub(crate) async fn invoke(
    Shared(server): Shared,
    About(context): About,
    Segment(id): Segment,
    Params(options): Params<Options>,
    request: Request,
) -> Result<Response, Refusal> {
    call(&server, context, id, &options, request).await
}

/// Call a function
///
/// The same as `/functions/{id}/invoke`.
#[utoipa::path(
    post, path = "/functions/{id}", tag = "functions",
    operation_id = "call_function",
    params(
        ("id" = String, Path, description = "Id or name"),
        ("is_test_run" = Option<bool>, Query, description = "Mark the execution as a test run"),
    ),
    request_body(content = serde_json::Value, description = "What the function gets"),
    responses(
        (status = 200, description = "What the function gave", body = serde_json::Value),
        (status = 202, description = "Accepted, durable", body = ExecutionAccepted),
    ),
)]
pub(crate) async fn invoke_by_name(
    Shared(server): Shared,
    About(context): About,
    Segment(id): Segment,
    Params(options): Params<Options>,
    request: Request,
) -> Result<Response, Refusal> {
    call(&server, context, id, &options, request).await
}

async fn call(
    server: &Server,
    context: Context,
    id: String,
    options: &Options,
    request: Request,
) -> Result<Response, Refusal> {
    let function = server.engine.function(&id)?.record.spec.name;
    let (parts, body) = request.into_parts();
    let body = body::read(body, server.limits(), &server.drains).await?;
    let (data, content_type) = payload(&parts.headers, body)?;
    let cause = context.caller.cause();
    let invocation = Invocation {
        function,
        data,
        content_type,
        request_id: Some(context.request_id),
        traceparent: context.traceparent,
        idempotency_key: idempotency_key(&parts.headers)?.map(Into::into),
        cause,
        is_test_run: options.is_test_run,
        origin: origin(server, &parts),
    };
    if wants_no_answer(&parts.headers) {
        let execution = server.engine.invoke_later(invocation).await?;
        return Ok(accepted(execution));
    }
    let invoked = server.engine.invoke(invocation).await?;
    match invoked.outcome {
        InvokeOutcome::Value(data) => Ok(value(invoked.execution, &data)),
        InvokeOutcome::Http(answer) => {
            let answer = reply::of_function(&Method::POST, invoked.execution, answer)?;
            Ok(answer.map(Body::new))
        }
        InvokeOutcome::Failed(failure) => {
            Err(Refusal::from(failure).with_execution(Some(invoked.execution)))
        }
    }
}

/// What the function gets, by the content type; without one it is taken for JSON.
fn payload(headers: &HeaderMap, body: bytes::Bytes) -> Result<(Data, Option<Box<str>>), Refusal> {
    if body.is_empty() {
        return Ok((Data::None, None));
    }
    let given = text(headers, &CONTENT_TYPE).unwrap_or("application/json");
    let essence = given.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let kept = (essence != "application/json").then(|| Box::from(given));
    let data = if essence == "application/json" || essence.ends_with("+json") {
        extract::parse(&body)?;
        Data::Json(body)
    } else if essence.starts_with("text/") && std::str::from_utf8(&body).is_ok() {
        Data::Text(body)
    } else {
        Data::Binary(body)
    };
    if given.len() > 1_024 {
        let problem = Problem::new("Content-Type", "is longer than 1,024 bytes");
        return Err(Refusal::invalid(vec![problem]));
    }
    Ok((data, kept))
}

fn origin(server: &Server, parts: &Parts) -> String {
    format!("http://{}", authority(&parts.uri, &parts.headers).unwrap_or(&server.address))
}

/// RFC 7240: preferences are separated by commas and may carry parameters.
fn wants_no_answer(headers: &HeaderMap) -> bool {
    headers
        .get_all(PREFER)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|preference| preference.split(';').next())
        .any(|preference| preference.trim().eq_ignore_ascii_case("respond-async"))
}

fn accepted(execution: ExecutionId) -> Response {
    let body = Json(ExecutionAccepted { execution_id: execution });
    let mut response = (StatusCode::ACCEPTED, body).into_response();
    let headers = response.headers_mut();
    headers.insert("preference-applied", HeaderValue::from_static("respond-async"));
    if let Ok(place) = HeaderValue::try_from(format!("/api/executions/{execution}")) {
        headers.insert(LOCATION, place);
    }
    with_execution(response, execution)
}

/// A value the function gave. One that gave nothing gave `null`, so that the answer is always JSON.
fn value(execution: ExecutionId, data: &Data) -> Response {
    let (media, bytes) = match data {
        Data::None => ("application/json", bytes::Bytes::from_static(b"null")),
        Data::Json(bytes) => ("application/json", bytes.clone()),
        Data::Text(bytes) => ("text/plain; charset=utf-8", bytes.clone()),
        Data::Binary(bytes) => ("application/octet-stream", bytes.clone()),
    };
    with_execution(([(CONTENT_TYPE, media)], bytes).into_response(), execution)
}

fn with_execution(mut response: Response, execution: ExecutionId) -> Response {
    if let Ok(value) = HeaderValue::try_from(execution.to_string()) {
        response.headers_mut().insert(EXECUTION_ID, value);
    }
    response
}
