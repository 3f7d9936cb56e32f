//! Retention: what becomes of the record as it grows old.

use axum::Json;
use evoke_api::{Retained, Retention};

use crate::extract::Shared;
use crate::refusal::Refusal;

/// Show retention
///
/// How large the record is, what is archived, how long what is kept, and what the last run did.
#[utoipa::path(
    get, path = "/retention", tag = "operations",
    operation_id = "get_retention",
    responses((status = 200, description = "As it is now", body = Retention)),
)]
pub(crate) async fn show(Shared(server): Shared) -> Result<Json<Retention>, Refusal> {
    Ok(Json(server.engine.retention().await?.into()))
}

/// Run retention
///
/// Once over everything, to its end. It runs by itself as well.
#[utoipa::path(
    post, path = "/retention/run", tag = "operations",
    operation_id = "run_retention",
    responses((status = 200, description = "What it did", body = Retained)),
)]
pub(crate) async fn run(Shared(server): Shared) -> Result<Json<Retained>, Refusal> {
    Ok(Json(server.engine.retain_now().await?.into()))
}
