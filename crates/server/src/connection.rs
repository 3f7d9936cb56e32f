//! One connection: HTTP/1.1, or HTTP/2 in clear text for clients that begin with its preface.
//!
//! The preface is looked for here and not by a library, because a client that connects and then
//! says nothing must not keep its place.

use std::convert::Infallible;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use crate::patience::Patience;
use crate::service::Server;
use crate::visitor::Peer;

/// What an HTTP/2 client sends first.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Bytes of a request's head. Above this it is no head but an attack; proxies allow 8 to 32 kB.
const HEAD_BYTES_MAX: usize = 64 * 1024;

/// Requests under way at once on an HTTP/2 connection; as many as other servers allow.
const STREAMS_MAX: u32 = 256;

/// How often an HTTP/2 client is asked whether it is still there.
const PING_INTERVAL: Duration = Duration::from_secs(20);

/// Serves a connection to its end. When `stop` fires, requests under way are still answered.
pub(crate) async fn run(stream: TcpStream, server: Arc<Server>, stop: CancellationToken) {
    let peer = stream.peer_addr().ok().map(|peer| Peer(peer.ip()));
    let head_wait = server.limits().head_wait.duration();
    let begun = tokio::select! {
        begun = tokio::time::timeout(head_wait, begin(stream)) => begun,
        () = stop.cancelled() => return,
    };
    let Ok(Ok(Some((version, stream)))) = begun else { return };
    let patience = stream.patience.clone();
    let io = TokioIo::new(stream);
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        if let Some(peer) = peer {
            request.extensions_mut().insert(peer);
        }
        let (server, patience) = (server.clone(), patience.clone());
        async move { Ok::<_, Infallible>(server.answer(request, patience).await) }
    });
    let result = match version {
        Version::Http1 => {
            let mut builder = http1::Builder::new();
            builder.timer(TokioTimer::new()).header_read_timeout(head_wait);
            // Answers to pipelined requests are not collected: a connection that does so takes
            // bodies without end into memory for a client that reads slowly.
            builder.max_buf_size(HEAD_BYTES_MAX);
            let mut connection = pin!(builder.serve_connection(io, service));
            tokio::select! {
                result = connection.as_mut() => result,
                () = stop.cancelled() => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            }
        }
        Version::Http2 => {
            let mut builder = http2::Builder::new(TokioExecutor::new());
            builder.timer(TokioTimer::new()).keep_alive_interval(PING_INTERVAL);
            builder.keep_alive_timeout(PING_INTERVAL).max_concurrent_streams(STREAMS_MAX);
            builder.max_header_list_size(HEAD_BYTES_MAX as u32);
            let mut connection = pin!(builder.serve_connection(io, service));
            tokio::select! {
                result = connection.as_mut() => result,
                () = stop.cancelled() => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            }
        }
    };
    if let Err(error) = result {
        // Clients that go away or send nonsense are the world's business, not the operator's.
        tracing::debug!(%error, "A connection ended early: {error}");
    }
}

enum Version {
    Http1,
    Http2,
}

/// Reads until it is clear which version the client speaks; `None` when it left first.
async fn begin(mut stream: TcpStream) -> io::Result<Option<(Version, Begun)>> {
    let mut first = BytesMut::with_capacity(1024);
    loop {
        if stream.read_buf(&mut first).await? == 0 {
            return Ok(None);
        }
        let compared = first.len().min(PREFACE.len());
        if first[..compared] != PREFACE[..compared] {
            return Ok(Some((Version::Http1, Begun::new(first, stream))));
        }
        if compared == PREFACE.len() {
            return Ok(Some((Version::Http2, Begun::new(first, stream))));
        }
    }
}

/// A stream whose first bytes were read already.
struct Begun {
    first: BytesMut,
    stream: TcpStream,
    patience: Patience,
    /// The end was seen and kept back for one turn.
    end_seen: bool,
}

impl Begun {
    fn new(first: BytesMut, stream: TcpStream) -> Self {
        Self { first, stream, patience: Patience::default(), end_seen: false }
    }

    /// What a reader is told when the client has closed its sending side.
    fn end(&mut self, cx: &Context<'_>) -> Poll<io::Result<()>> {
        if self.patience.is_on() {
            // Nobody has to be woken: who waits for the answer reads again when it is there.
            self.end_seen = false;
            return Poll::Pending;
        }
        if std::mem::replace(&mut self.end_seen, true) {
            return Poll::Ready(Ok(()));
        }
        // The last of a body and the end may come together. The handler runs only after this read
        // and needs one turn to say whether it is patient.
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl AsyncRead for Begun {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.first.is_empty() {
            let before = buf.filled().len();
            let read = Pin::new(&mut self.stream).poll_read(cx, buf);
            let is_end = matches!(read, Poll::Ready(Ok(()))) && buf.filled().len() == before;
            return if is_end { self.end(cx) } else { read };
        }
        let length = self.first.len().min(buf.remaining());
        buf.put_slice(&self.first[..length]);
        self.first.advance(length);
        if self.first.is_empty() {
            self.first = BytesMut::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Begun {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }
}
