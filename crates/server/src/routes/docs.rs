//! The documents a server gives of itself.

use std::sync::OnceLock;

use axum::response::{IntoResponse, Response};
use evoke_model::Code;
use http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};

use super::not_found_at;
use crate::extract::{Segment, Shared};
use crate::html;
use crate::openapi::document;
use crate::refusal::Refusal;

const HTML: &str = "text/html; charset=utf-8";
const JSON: &str = "application/json";
/// The pages load nothing and run nothing.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";

/// Pages that are the same for everybody, made when they are first asked for.
#[derive(Default)]
pub(crate) struct Pages {
    openapi: OnceLock<String>,
    reference: OnceLock<String>,
}

fn page_of(html: String) -> Response {
    ([(CONTENT_TYPE, HTML), (CONTENT_SECURITY_POLICY, POLICY)], html).into_response()
}

/// The OpenAPI document
#[utoipa::path(
    get, path = "/openapi.json", tag = "server",
    operation_id = "get_openapi",
    responses((status = 200, description = "OpenAPI 3.1", body = serde_json::Value)),
)]
pub(crate) async fn openapi_json(Shared(server): Shared) -> Response {
    let text = server.pages.openapi.get_or_init(crate::openapi).clone();
    ([(CONTENT_TYPE, JSON)], text).into_response()
}

/// This document as a page
#[utoipa::path(
    get, path = "/docs", tag = "server",
    operation_id = "get_docs",
    responses((status = 200, description = "A page", body = String, content_type = "text/html")),
)]
pub(crate) async fn page(Shared(server): Shared) -> Response {
    page_of(server.pages.reference.get_or_init(|| html::reference(&document())).clone())
}

/// The page of an error code
#[utoipa::path(
    get, path = "/docs/errors/{code}", tag = "server",
    operation_id = "get_error_page",
    params(("code" = String, Path)),
    responses((status = 200, description = "A page", body = String, content_type = "text/html")),
)]
pub(crate) async fn error_page(
    Shared(server): Shared,
    Segment(code): Segment,
) -> Result<Response, Refusal> {
    let known: Code = code.parse().map_err(|()| not_found_at(&format!("/docs/errors/{code}")))?;
    Ok(page_of(html::error(known, (server.options.error_page)(known))))
}

/// The JSON Schema of a function's manifest
#[utoipa::path(
    get, path = "/schemas/function.json", tag = "server",
    operation_id = "get_function_schema",
    responses((status = 200, description = "JSON Schema", body = serde_json::Value,
        content_type = "application/schema+json")),
)]
pub(crate) async fn function_schema(Shared(server): Shared) -> Response {
    let text = server.options.function_schema.to_string();
    ([(CONTENT_TYPE, "application/schema+json")], text).into_response()
}
