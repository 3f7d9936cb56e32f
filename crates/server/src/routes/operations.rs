//! Operations: replays and redrives, and how far they are.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::response::sse::Event;
use axum::response::{IntoResponse, Response};
use evoke_api::{Operation, Page};
use evoke_model::operation::OperationStatus;
use evoke_model::{Code, OperationId};
use futures_util::stream;
use http::header::LOCATION;
use http::{HeaderValue, StatusCode};

use crate::extract::{By, Segment, Shared};
use crate::query::{Params, Window};
use crate::refusal::Refusal;
use crate::service::Server;
use crate::stream::{message, sse};

/// How often the progress is looked at: as often as somebody can read it.
const LOOK: Duration = Duration::from_millis(200);

/// The answer to an operation that just began.
pub(crate) fn started(operation: evoke_model::Operation) -> Response {
    let place = HeaderValue::try_from(format!("/api/operations/{}", operation.id));
    let mut response = (StatusCode::ACCEPTED, Json(Operation::from(operation))).into_response();
    if let Ok(place) = place {
        response.headers_mut().insert(LOCATION, place);
    }
    response
}

fn id_of(text: &str) -> Result<OperationId, Refusal> {
    text.parse().map_err(|error| {
        Refusal::new(Code::OperationNotFound, format!("there is no operation {text:?}: {error}"))
    })
}

/// List operations
///
/// Replays and redrives, newest first: those that go on, and those that ended within 30 days.
#[utoipa::path(
    get, path = "/operations", tag = "operations",
    operation_id = "list_operations",
    params(Window),
    responses((status = 200, description = "The operations", body = Page<Operation>)),
)]
pub(crate) async fn list(
    Shared(server): Shared,
    Params(window): Params<Window>,
) -> Result<Json<Page<Operation>>, Refusal> {
    let operations = server.engine.operations();
    Ok(Json(window.page(operations.into_iter().map(Operation::from).collect())))
}

/// Show an operation
#[utoipa::path(
    get, path = "/operations/{id}", tag = "operations",
    operation_id = "get_operation",
    params(("id" = String, Path)),
    responses((status = 200, description = "With its progress now", body = Operation)),
)]
pub(crate) async fn show(
    Shared(server): Shared,
    Segment(id): Segment,
) -> Result<Json<Operation>, Refusal> {
    Ok(Json(server.engine.operation(id_of(&id)?)?.into()))
}

/// Cancel an operation
///
/// What it has sent runs on, nothing is half sent.
#[utoipa::path(
    post, path = "/operations/{id}/cancel", tag = "operations",
    operation_id = "cancel_operation",
    params(("id" = String, Path)),
    responses((status = 200, description = "As it ended", body = Operation)),
)]
pub(crate) async fn cancel(
    Shared(server): Shared,
    By(actor): By,
    Segment(id): Segment,
) -> Result<Json<Operation>, Refusal> {
    let operation = server.engine.cancel_operation(id_of(&id)?, &actor).await?;
    Ok(Json(operation.into()))
}

/// Follow an operation
///
/// A stream (SSE) of the operation whenever it got further, until it ends; each message is called
/// `progress` and holds the whole operation.
#[utoipa::path(
    get, path = "/operations/{id}/progress", tag = "operations",
    operation_id = "follow_operation",
    params(("id" = String, Path)),
    responses((status = 200, description = "A stream", body = String,
        content_type = "text/event-stream")),
)]
pub(crate) async fn progress(
    Shared(server): Shared,
    Segment(id): Segment,
) -> Result<Response, Refusal> {
    let id = id_of(&id)?;
    // One that is not there is refused before the stream begins.
    server.engine.operation(id)?;
    let watched = Watched { id, server, shown: None };
    Ok(sse(stream::unfold(watched, async |watched| watched.step().await)))
}

/// An operation somebody follows.
struct Watched {
    id: OperationId,
    server: Arc<Server>,
    /// What the follower saw last.
    shown: Option<evoke_model::Operation>,
}

impl Watched {
    /// The next message; `None` when the operation is over.
    async fn step(mut self) -> Option<(Result<Event, Infallible>, Self)> {
        if self.shown.as_ref().is_some_and(|shown| shown.status != OperationStatus::Running) {
            return None;
        }
        let found = loop {
            let found = self.server.engine.operation(self.id).ok()?;
            if self.shown.as_ref() != Some(&found) {
                break found;
            }
            tokio::select! {
                () = self.server.stop.cancelled() => return None,
                () = tokio::time::sleep(LOOK) => {}
            }
        };
        let event = message("progress", &Operation::from(found.clone()))?;
        self.shown = Some(found);
        Some((Ok(event), self))
    }
}
