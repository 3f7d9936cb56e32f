//! Bodies that are taken as they come, however large: never more of them in memory than one piece.

use std::future::poll_fn;
use std::pin::pin;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequest, Request};
use bytes::Bytes;
use evoke_model::Rejection;
use futures_util::stream::{self, Stream};
use http_body::Body as _;
use tokio_util::task::TaskTracker;

use crate::body;
use crate::extract::{context, shared};
use crate::patience::{Patience, Patient};
use crate::refusal::Refusal;

/// The body of a request on its way. What is not read of it is thrown away when this is dropped, so
/// that a client that sends before it listens still gets its answer. That a client has closed its
/// side is looked at only while there is more to come: who sent all is answered.
pub(crate) struct Flow {
    body: Option<Body>,
    pause: Duration,
    drains: TaskTracker,
    patience: Patience,
    patient: Option<Patient>,
}

impl<S: Send + Sync> FromRequest<S> for Flow {
    type Rejection = Refusal;
    async fn from_request(request: Request, _: &S) -> Result<Self, Refusal> {
        let (parts, body) = request.into_parts();
        let server = shared(&parts.extensions)?;
        let pause = server.limits().body_pause.duration();
        let patience = context(&parts.extensions)?.patience.clone();
        let (drains, patient) = (server.drains.clone(), Some(patience.begin()));
        Ok(Self { body: Some(body), pause, drains, patience, patient })
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
            let piece = flow.next().await.transpose()?;
            Some((piece.map_err(Refusal::into_rejection), flow))
        })
    }

    /// The next piece. There is nothing behind a cut.
    async fn next(&mut self) -> Result<Option<Bytes>, Refusal> {
        let Some(body) = &mut self.body else { return Ok(None) };
        self.patient = None;
        let next = next(body, self.pause).await;
        self.patient = Some(self.patience.begin());
        if !matches!(next, Ok(Some(_))) {
            self.body = None;
        }
        next
    }

    /// The refusal of a request whose body may not have been read to its end.
    pub(crate) fn refused(rejection: Rejection) -> Refusal {
        Refusal::from(rejection).and_close()
    }
}

/// The next piece of a body whose end may have been overlooked: that nothing more comes then has to
/// be seen, so its connection is looked at again.
async fn next(body: &mut Body, pause: Duration) -> Result<Option<Bytes>, Refusal> {
    let mut next = pin!(body::next(body, pause));
    let mut has_asked = false;
    poll_fn(|cx| {
        let next = next.as_mut().poll(cx);
        if next.is_pending() && !std::mem::replace(&mut has_asked, true) {
            cx.waker().wake_by_ref();
        }
        next
    })
    .await
}

impl Drop for Flow {
    fn drop(&mut self) {
        if let Some(body) = self.body.take().filter(|body| !body.is_end_stream()) {
            self.drains.spawn(body::drain(body));
        }
    }
}
