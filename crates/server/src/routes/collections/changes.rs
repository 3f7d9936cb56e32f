//! What happens in a collection, as it happens.

use std::convert::Infallible;
use std::time::Duration;

use axum::response::Response;
use axum::response::sse::Event as Message;
use evoke_api::document::DocumentChange;
use evoke_database::{Action, Changes, Told};
use evoke_model::{EventId, Problem};
use futures_util::stream;
use http::{HeaderMap, HeaderName};
use serde_json::json;
use tokio_util::sync::CancellationToken;
use utoipa::IntoParams;

use crate::context::text;
use crate::extract::{Segment, Shared};
use crate::query::{FromQuery, Params, Query};
use crate::refusal::Refusal;
use crate::stream::sse;

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// How long to wait before a log that cannot be read is read again.
const AGAIN: Duration = Duration::from_secs(1);

/// Which changes.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Filter {
    /// Only `create`, `update` or `delete`.
    #[param(value_type = Option<String>, example = "create")]
    action: Option<Action>,
}

impl FromQuery for Filter {
    fn read(query: &mut Query) -> Self {
        Self { action: query.parsed("action", "create, update or delete") }
    }
}

/// Follow the changes of a collection
///
/// As server-sent events called `change`, in the order of their ids, each once: from now on, or
/// from behind the one in `Last-Event-ID`, as far back as the log and its archive go; where that is
/// not far enough, `missed` with `{"since": TIME}` comes first. Messages of an id alone, such as
/// the first, say from where to go on.
#[utoipa::path(
    get, path = "/collections/{name}/changes", tag = "database",
    operation_id = "follow_collection",
    params(
        ("name" = String, Path), Filter,
        ("Last-Event-ID" = Option<String>, Header, description = "The last id that came."),
    ),
    responses((
        status = 200, description = "The changes, one a message",
        content((DocumentChange = "text/event-stream")),
    )),
)]
pub(crate) async fn follow(
    Shared(server): Shared,
    Segment(name): Segment,
    Params(filter): Params<Filter>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let after = text(&headers, &LAST_EVENT_ID).filter(|id| !id.is_empty());
    let after = after.map(str::parse::<EventId>).transpose().map_err(|error| {
        Refusal::invalid(vec![Problem::new("Last-Event-ID", error.to_string())])
    })?;
    let changes = server.options.services.database()?.changes(&name, after)?;
    let state = (changes, server.stop.clone(), filter.action);
    Ok(sse(stream::unfold(state, |(mut changes, stop, action)| async move {
        let message = next(&mut changes, &stop, action).await?;
        Some((Ok::<_, Infallible>(message), (changes, stop, action)))
    })))
}

/// The next message; `None` once the server stops.
async fn next(
    changes: &mut Changes,
    stop: &CancellationToken,
    action: Option<Action>,
) -> Option<Message> {
    loop {
        let told = tokio::select! {
            () = stop.cancelled() => return None,
            told = changes.next() => told,
        };
        let event = match told {
            Ok(Told::Change(event)) => event,
            Ok(Told::UpTo(id)) => return Some(Message::default().id(id.to_string())),
            Ok(Told::Missed(since)) => {
                let Some(message) = crate::stream::message("missed", &json!({ "since": since }))
                else {
                    continue;
                };
                return Some(message);
            }
            Err(_) => tokio::select! {
                () = stop.cancelled() => return None,
                () = tokio::time::sleep(AGAIN) => continue,
            },
        };
        let change = DocumentChange::from(event.as_ref());
        if action.is_some_and(|action| action.as_str() != change.action) {
            continue;
        }
        let message = crate::stream::message("change", &change);
        if let Some(message) = message {
            return Some(message.id(event.id.to_string()));
        }
    }
}
