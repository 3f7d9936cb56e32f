//! Sending events of the log again.

use axum::Json as Out;
use axum::response::{IntoResponse, Response};
use evoke_api::{Operation, ReplayBody, ReplayCount};
use evoke_engine::ReplayTo;

use super::operations::started;
use super::selection::function_name;
use crate::extract::{By, Json, Shared};
use crate::refusal::Refusal;

/// Replay events
///
/// Sends events of the log again, as new events that name the original in `replay_of`: to all
/// triggers that want them, to one trigger, or to one function; at a limited rate, in the
/// background. With `dry_run` they are only counted.
#[utoipa::path(
    post, path = "/events/replay", tag = "events",
    operation_id = "replay_events",
    request_body = ReplayBody,
    responses(
        (status = 200, description = "What would be sent, of a dry run", body = ReplayCount),
        (status = 202, description = "It goes on in the background", body = Operation),
    ),
)]
pub(crate) async fn replay(
    Shared(server): Shared,
    By(actor): By,
    Json(body): Json,
) -> Result<Response, Refusal> {
    let asked = ReplayBody::read(&body).map_err(Refusal::invalid)?;
    let (engine, mut request) = (&server.engine, asked.request);
    if let Some(given) = &asked.trigger {
        request.to = ReplayTo::Trigger(engine.trigger(given)?.id);
    }
    if let ReplayTo::Function(to) = &mut request.to {
        to.function = function_name(engine, &to.function)?.into();
    }
    if asked.is_dry_run {
        let count = engine.count_replay(&request).await?;
        return Ok(Out(ReplayCount::from(count)).into_response());
    }
    Ok(started(engine.replay(request, &actor).await?))
}
