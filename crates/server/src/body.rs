//! Reading bodies of requests, never more and never longer than the limits say.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use evoke_model::Code;
use http_body::Body;
use http_body_util::BodyExt;
use tokio::time::{Instant, timeout};
use tokio_util::task::TaskTracker;

use crate::options::Limits;
use crate::refusal::Refusal;

/// Bytes of a refused body that are read and thrown away, so that a client that sends before it
/// listens still gets our answer instead of a reset.
const DRAINED_BYTES_MAX: usize = 32 << 20;

/// How long such a body is read.
const DRAIN_WAIT: Duration = Duration::from_secs(5);

/// Reads a body whole.
///
/// # Errors
/// API_004 when it is too large, before it is read if it says so itself; API_009 when it comes too
/// slowly; API_001 when it is cut off.
pub(crate) async fn read<B>(
    mut body: B,
    limits: &Limits,
    drains: &TaskTracker,
) -> Result<Bytes, Refusal>
where
    B: Body<Data = Bytes> + Unpin + Send + 'static,
    B::Error: std::fmt::Display + Send,
{
    let max = limits.body_bytes;
    if body.size_hint().lower() > max as u64 {
        return Err(too_large(body, max, drains));
    }
    let Some(first) = next(&mut body, limits.body_pause.duration()).await? else {
        return Ok(Bytes::new());
    };
    // Nearly every body comes in one piece and is passed on without a copy.
    if body.is_end_stream() && first.len() <= max {
        return Ok(first);
    }
    let deadline = Instant::now() + limits.body_wait.duration();
    let expected = usize::try_from(body.size_hint().lower()).unwrap_or(0).min(max);
    let mut all = BytesMut::with_capacity(first.len() + expected);
    let mut piece = first;
    loop {
        if all.len() + piece.len() > max {
            return Err(too_large(body, max, drains));
        }
        all.extend_from_slice(&piece);
        let left = deadline.saturating_duration_since(Instant::now());
        match next(&mut body, left.min(limits.body_pause.duration())).await? {
            Some(next) => piece = next,
            None => return Ok(all.freeze()),
        }
    }
}

/// The next piece of data; trailers are of no use to anyone here.
pub(crate) async fn next<B>(body: &mut B, wait: Duration) -> Result<Option<Bytes>, Refusal>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    loop {
        match timeout(wait, body.frame()).await {
            Err(_) => {
                let message = "the body did not come in time";
                return Err(Refusal::new(Code::RequestTimeout, message).and_close());
            }
            Ok(None) => return Ok(None),
            Ok(Some(Err(error))) => {
                let message = format!("the body was cut off: {error}");
                return Err(Refusal::new(Code::InvalidRequest, message).and_close());
            }
            Ok(Some(Ok(frame))) => {
                if let Ok(data) = frame.into_data() {
                    return Ok(Some(data));
                }
            }
        }
    }
}

fn too_large<B>(body: B, max: usize, drains: &TaskTracker) -> Refusal
where
    B: Body<Data = Bytes> + Unpin + Send + 'static,
    B::Error: Send,
{
    drains.spawn(drain(body));
    let message = format!("the body is larger than {} bytes", max);
    Refusal::new(Code::BodyTooLarge, message).and_close()
}

pub(crate) async fn drain<B>(mut body: B)
where
    B: Body<Data = Bytes> + Unpin,
{
    let read = async {
        let mut left = DRAINED_BYTES_MAX;
        while let Some(Ok(frame)) = body.frame().await {
            let length = frame.data_ref().map_or(0, Bytes::len);
            match left.checked_sub(length) {
                Some(rest) => left = rest,
                None => return,
            }
        }
    };
    if timeout(DRAIN_WAIT, read).await.is_err() {
        tracing::debug!("A refused body was not read to its end");
    }
}
