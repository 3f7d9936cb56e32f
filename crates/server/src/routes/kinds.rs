//! What this server and this machine can do.

use axum::Json;
use evoke_api::{Found, Kinds, Page};

use crate::extract::Shared;
use crate::query::Params;
use crate::refusal::Refusal;

/// List kinds
///
/// The kinds of triggers, targets and runtimes, each with the JSON Schema of its configuration.
#[utoipa::path(
    get, path = "/kinds", tag = "server",
    operation_id = "list_kinds",
    responses((status = 200, description = "All kinds", body = Kinds)),
)]
pub(crate) async fn list(
    Shared(server): Shared,
    Params(()): Params<()>,
) -> Result<Json<Kinds>, Refusal> {
    Ok(Json(Kinds::of(&server.engine)))
}

/// Look what the machine has
///
/// The interpreters and tools the runtimes need, and what to install for what is missing.
#[utoipa::path(
    get, path = "/doctor", tag = "server",
    operation_id = "list_found",
    responses((status = 200, description = "What was looked for", body = Page<Found>)),
)]
pub(crate) async fn doctor(
    Shared(server): Shared,
    Params(()): Params<()>,
) -> Result<Json<Page<Found>>, Refusal> {
    let found = server.engine.probe().await;
    Ok(Json(Page::whole(found.into_iter().map(Found::from).collect())))
}
