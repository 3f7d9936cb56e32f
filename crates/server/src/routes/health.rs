//! Health and metrics.

use axum::Json;
use axum::response::{IntoResponse, Response};
use evoke_api::{Check, Health};
use http::StatusCode;
use http::header::CONTENT_TYPE;

use crate::extract::Shared;
use crate::service::Server;

/// What the metrics are written in.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Whether the server is well
///
/// Every part is really asked. The same as `/health/ready`.
#[utoipa::path(
    get, path = "/health", tag = "server",
    operation_id = "get_health",
    responses(
        (status = 200, description = "Well", body = Health),
        (status = 503, description = "Not well", body = Health),
    ),
)]
pub(crate) async fn health(Shared(server): Shared) -> Response {
    answer(checks(&server).await)
}

/// Whether the server lives
#[utoipa::path(
    get, path = "/health/live", tag = "server",
    operation_id = "get_liveness",
    responses((status = 200, description = "It does", body = Health)),
)]
pub(crate) async fn live() -> Response {
    answer(Vec::new())
}

/// Whether the server takes requests
///
/// Not while it stops.
#[utoipa::path(
    get, path = "/health/ready", tag = "server",
    operation_id = "get_readiness",
    responses(
        (status = 200, description = "It does", body = Health),
        (status = 503, description = "It does not", body = Health),
    ),
)]
pub(crate) async fn ready(Shared(server): Shared) -> Response {
    answer(checks(&server).await)
}

async fn checks(server: &Server) -> Vec<Check> {
    let is_open = !server.stop.is_cancelled();
    let detail = if is_open { "open" } else { "the server is stopping" };
    let own = Check { name: "server".to_owned(), ok: is_open, detail: detail.to_owned() };
    let checks = server.engine.health().await;
    checks
        .into_iter()
        .map(|check| Check { name: check.name.to_owned(), ok: check.ok, detail: check.detail })
        .chain([own])
        .collect()
}

fn answer(checks: Vec<Check>) -> Response {
    let health = Health::new(checks);
    let status = if health.is_ok() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(health)).into_response()
}

/// Metrics
///
/// What Prometheus reads.
#[utoipa::path(
    get, path = "/metrics", tag = "server",
    operation_id = "get_metrics",
    responses((status = 200, description = "OpenMetrics text", body = String,
        content_type = "application/openmetrics-text")),
)]
pub(crate) async fn metrics(Shared(server): Shared) -> Response {
    ([(CONTENT_TYPE, OPEN_METRICS)], server.engine.render_metrics()).into_response()
}
