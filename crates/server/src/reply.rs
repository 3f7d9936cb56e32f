//! Bodies of answers.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body as AxumBody;
use bytes::Bytes;
use evoke_model::{Code, ExecutionId, Failure};
use evoke_ports::{Body, HttpReply};
use http::header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response};
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::sync::mpsc;

use crate::refusal::{EXECUTION_ID, Refusal};

/// The body of an answer. One that is there whole goes out without a box around it.
pub(crate) enum ReplyBody {
    Full(Option<Bytes>),
    Pieces(mpsc::Receiver<Result<Bytes, Failure>>),
    Axum(AxumBody),
}

impl ReplyBody {
    pub(crate) const fn full(bytes: Bytes) -> Self {
        Self::Full(Some(bytes))
    }
}

impl HttpBody for ReplyBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        match self.get_mut() {
            Self::Full(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            // The client's pace is the function's: the channel is bounded and read as it is sent.
            // When the client leaves, this body is dropped and the function is told.
            Self::Pieces(pieces) => pieces.poll_recv(cx).map(|piece| {
                Some(piece?.map(Frame::data).map_err(|failure| {
                    let Failure { code, message, .. } = &failure;
                    tracing::debug!(%code, "An answer was cut off: {message}");
                    axum::Error::new(std::io::Error::other(failure.message))
                }))
            }),
            Self::Axum(body) => Pin::new(body).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Full(bytes) => bytes.as_ref().is_none_or(Bytes::is_empty),
            Self::Pieces(_) => false,
            Self::Axum(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Full(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Self::Pieces(_) => SizeHint::default(),
            Self::Axum(body) => body.size_hint(),
        }
    }
}

/// The answer of a function, made fit for the wire.
///
/// # Errors
/// FN_004 for a status that is not the end of a request.
pub(crate) fn of_function(
    method: &Method,
    execution: ExecutionId,
    reply: HttpReply,
) -> Result<Response<ReplyBody>, Refusal> {
    let HttpReply { status, mut headers, body } = reply;
    if status.is_informational() {
        let message = format!("the function answered with status {status}, which ends no request");
        return Err(Refusal::new(Code::FunctionError, message).with_execution(Some(execution)));
    }
    strip_hop_by_hop(&mut headers);
    // The length of what is sent is counted here; only a HEAD has to believe the function.
    if method != Method::HEAD {
        headers.remove(CONTENT_LENGTH);
    }
    if let Ok(value) = HeaderValue::try_from(execution.to_string()) {
        headers.insert(EXECUTION_ID, value);
    }
    let body = match body {
        Body::Full(bytes) => ReplyBody::full(bytes),
        Body::Stream(pieces) => ReplyBody::Pieces(pieces),
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    Ok(response)
}

/// Takes away headers that speak of the connection and not of the message (RFC 9110, 7.6.1).
pub(crate) fn strip_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|names| names.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named {
        headers.remove(name);
    }
    for name in [CONNECTION, TRANSFER_ENCODING, UPGRADE] {
        headers.remove(name);
    }
    for name in ["keep-alive", "proxy-connection", "te"] {
        headers.remove(name);
    }
}
