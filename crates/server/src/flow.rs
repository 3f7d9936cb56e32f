//! Bodies that are taken as they come, however large: never more of them in memory than one piece.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequest, Request};
use bytes::Bytes;
use evoke_model::Rejection;
use futures_util::stream::{self, Stream};
use http_body::Body as _;
use tokio_util::task::TaskTracker;

use crate::body;
use crate::extract::shared;
use crate::refusal::Refusal;

/// The body of a request on its way. What is not read of it is thrown away when this is dropped, so
/// that a client that sends before it listens still gets its answer.
pub(crate) struct Flow {
    body: Option<Body>,
    pause: Duration,
    drains: TaskTracker,
}

impl<S: Send + Sync> FromRequest<S> for Flow {
    type Rejection = Refusal;
    async fn from_request(request: Request, _: &S) -> Result<Self, Refusal> {
        let (parts, body) = request.into_parts();
        let server = shared(&parts.extensions)?;
        let pause = server.limits().body_pause.duration();
        Ok(Self { body: Some(body), pause, drains: server.drains.clone() })
    }
}

impl Flow {
    /// How many bytes there will be, where the sender says so.
    pub(crate) fn size(&self) -> Option<u64> {
        self.body.as_ref().and_then(|body| body.size_hint().exact())
    }

    /// The pieces as they come.
    pub(crate) fn pieces(&mut self) -> impl Stream<Item = Result<Bytes, Rejection>> + '_ {
        stream::unfold(self, |flow| async move {
            let body = flow.body.as_mut()?;
            match body::next(body, flow.pause).await {
                Ok(Some(piece)) => Some((Ok(piece), flow)),
                Ok(None) => {
                    flow.body = None;
                    None
                }
                Err(refusal) => {
                    // There is nothing behind a cut.
                    flow.body = None;
                    Some((Err(refusal.into_rejection()), flow))
                }
            }
        })
    }

    /// The refusal of a request whose body may not have been read to its end.
    pub(crate) fn refused(rejection: Rejection) -> Refusal {
        Refusal::from(rejection).and_close()
    }
}

impl Drop for Flow {
    fn drop(&mut self) {
        if let Some(body) = self.body.take().filter(|body| !body.is_end_stream()) {
            self.drains.spawn(body::drain(body));
        }
    }
}
