//! Live feeds as server-sent events. Who is too slow misses messages and is told how many.

use std::convert::Infallible;
use std::time::Duration;

use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use evoke_engine::Notice;
use futures_util::stream::{self, Stream};
use serde::Serialize;
use tokio::sync::broadcast::error::RecvError;

use crate::service::Server;

/// Proxies close streams on which nothing comes for a minute.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Streams what `pick` makes of the notices from now on, as events called `name`, until the client
/// leaves or the server stops.
pub(crate) fn follow<T, F>(server: &Server, name: &'static str, pick: F) -> Response
where
    T: Serialize,
    F: FnMut(&Notice) -> Option<T> + Send + 'static,
{
    let state = (server.engine.subscribe(), server.stop.clone(), pick);
    let events = stream::unfold(state, move |(mut notices, stop, mut pick)| async move {
        loop {
            let received = tokio::select! {
                () = stop.cancelled() => return None,
                received = notices.recv() => received,
            };
            let event = match received {
                Err(RecvError::Closed) => return None,
                Err(RecvError::Lagged(missed)) => {
                    Event::default().event("missed").data(format!("{{\"missed\":{missed}}}"))
                }
                Ok(notice) => match pick(&notice).and_then(|body| message(name, &body)) {
                    Some(event) => event,
                    None => continue,
                },
            };
            return Some((Ok::<_, Infallible>(event), (notices, stop, pick)));
        }
    });
    sse(events)
}

/// A stream of messages as an answer.
pub(crate) fn sse<S>(events: S) -> Response
where
    S: Stream<Item = Result<Event, Infallible>> + Send + 'static,
{
    let keep_alive = KeepAlive::new().interval(KEEP_ALIVE);
    Sse::new(events).keep_alive(keep_alive).into_response()
}

/// A message called `name`; `None`, and a line in the log, for what cannot be written.
pub(crate) fn message(name: &str, body: &impl Serialize) -> Option<Event> {
    match serde_json::to_string(body) {
        Ok(text) => Some(Event::default().event(name).data(text)),
        Err(error) => {
            tracing::error!(%error, "A notice could not be written: {error}");
            None
        }
    }
}
