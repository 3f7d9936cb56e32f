//! A streamed answer on its way from a worker to whoever asked. The worker may be ahead by the
//! protocol's window; what was passed on is acknowledged, so a slow reader slows the function.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use evoke_model::Failure;
use parking_lot::Mutex;
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

use crate::protocol::frame::WINDOW_BYTES;
use crate::protocol::messages::CancelReason;

/// What the worker has sent and nobody has taken yet. Small pieces are joined, so the window bounds
/// the memory whatever their size.
#[derive(Debug, Default)]
pub struct Pieces {
    state: Mutex<State>,
    more: Notify,
}

#[derive(Debug, Default)]
struct State {
    bytes: BytesMut,
    unacknowledged: usize,
    end: Option<Result<(), Failure>>,
}

/// The worker sent more than its window allows.
#[derive(Debug, PartialEq, Eq)]
pub struct Overrun;

/// What is there to pass on.
enum Next {
    Piece(Bytes),
    End(Result<(), Failure>),
    Nothing,
}

impl Pieces {
    /// Takes a piece from the worker.
    pub fn push(&self, piece: &[u8]) -> Result<(), Overrun> {
        let mut state = self.state.lock();
        state.unacknowledged += piece.len();
        if state.unacknowledged > WINDOW_BYTES {
            return Err(Overrun);
        }
        state.bytes.extend_from_slice(piece);
        drop(state);
        self.more.notify_one();
        Ok(())
    }

    /// No more pieces come: the answer is complete, or was cut off by a failure.
    pub fn finish(&self, end: Result<(), Failure>) {
        self.state.lock().end.get_or_insert(end);
        self.more.notify_one();
    }

    fn next(&self) -> Next {
        let mut state = self.state.lock();
        if !state.bytes.is_empty() {
            return Next::Piece(state.bytes.split().freeze());
        }
        state.end.take().map_or(Next::Nothing, Next::End)
    }

    fn acknowledge(&self, bytes: usize) {
        self.state.lock().unacknowledged -= bytes;
    }
}

/// Passes an answer on until its end. Tells `taken` how many bytes went, for the worker to send as
/// many again.
///
/// # Errors
/// Why nobody wants the rest.
pub async fn forward(
    pieces: Arc<Pieces>,
    to: mpsc::Sender<Result<Bytes, Failure>>,
    cancel: CancellationToken,
    taken: impl Fn(u32),
) -> Result<(), CancelReason> {
    let passing = async {
        loop {
            match pieces.next() {
                Next::Piece(piece) => {
                    let length = piece.len();
                    to.send(Ok(piece)).await.map_err(|_| CancelReason::ClientGone)?;
                    pieces.acknowledge(length);
                    taken(length as u32);
                }
                Next::End(Ok(())) => return Ok(()),
                Next::End(Err(failure)) => {
                    return to.send(Err(failure)).await.map_err(|_| CancelReason::ClientGone);
                }
                Next::Nothing => tokio::select! {
                    () = pieces.more.notified() => {}
                    () = to.closed() => return Err(CancelReason::ClientGone),
                },
            }
        }
    };
    tokio::select! {
        ended = passing => ended,
        () = cancel.cancelled() => Err(CancelReason::Cancelled),
    }
}

#[cfg(test)]
mod tests {
    use evoke_model::Code;

    use super::*;

    #[tokio::test]
    async fn pieces_are_joined_acknowledged_and_ended() {
        let pieces = Arc::new(Pieces::default());
        for piece in ["one ", "two ", "three"] {
            assert_eq!(pieces.push(piece.as_bytes()), Ok(()));
        }
        pieces.finish(Ok(()));
        let (to, mut from) = mpsc::channel(1);
        let taken = Mutex::new(Vec::new());
        let passing =
            forward(pieces, to, CancellationToken::new(), |bytes| taken.lock().push(bytes));
        assert_eq!(passing.await, Ok(()));
        assert_eq!(from.recv().await, Some(Ok(Bytes::from("one two three"))));
        assert_eq!(from.recv().await, None);
        assert_eq!(*taken.lock(), vec![13]);
    }

    #[tokio::test]
    async fn a_reader_who_leaves_and_a_cancel_are_told_apart() {
        let (to, from) = mpsc::channel(1);
        drop(from);
        let gone = forward(Arc::default(), to, CancellationToken::new(), |_| ());
        assert_eq!(gone.await, Err(CancelReason::ClientGone));
        let (to, _from) = mpsc::channel(1);
        let cancel = CancellationToken::new();
        cancel.cancel();
        let cancelled = forward(Arc::default(), to, cancel, |_| ());
        assert_eq!(cancelled.await, Err(CancelReason::Cancelled));
    }

    #[tokio::test]
    async fn a_failure_cuts_the_answer_off_and_the_window_holds() {
        let pieces = Arc::new(Pieces::default());
        assert_eq!(pieces.push(&vec![0; WINDOW_BYTES]), Ok(()));
        assert_eq!(pieces.push(b"x"), Err(Overrun));
        let failure = Failure::new(Code::FunctionError, "broken");
        let pieces = Arc::new(Pieces::default());
        pieces.finish(Err(failure.clone()));
        let (to, mut from) = mpsc::channel(1);
        assert_eq!(forward(pieces, to, CancellationToken::new(), |_| ()).await, Ok(()));
        assert_eq!(from.recv().await, Some(Err(failure)));
    }
}
