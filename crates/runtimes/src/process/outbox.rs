//! What goes to one worker. Callers append frames, one writer puts all that came together into one
//! write. A lone call is written by its caller, which saves it a change of tasks.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::net::UnixStream;
use tokio::sync::Notify;

/// Frames are joined up to this size: the default buffer of a Unix socket holds no more.
const SEGMENT_BYTES: usize = 128 << 10;

/// The way to a worker. Bounded by the calls a worker may have at once.
#[derive(Debug)]
pub struct Outbox {
    stream: Arc<UnixStream>,
    state: Mutex<State>,
    wake: Notify,
}

#[derive(Debug, Default)]
struct State {
    segments: VecDeque<Vec<u8>>,
    /// An emptied segment, kept to be filled again.
    spare: Vec<u8>,
    /// Somebody is writing and has taken segments out.
    writing: bool,
}

impl Outbox {
    /// An empty one for this connection.
    pub fn new(stream: Arc<UnixStream>) -> Self {
        Self { stream, state: Mutex::default(), wake: Notify::new() }
    }

    /// Appends a frame. It goes out after [`Self::wake`] or [`Self::write_now`].
    pub fn push(&self, frame: Vec<u8>) {
        let mut state = self.state.lock();
        if let Some(last) = state.segments.back_mut()
            && last.len() + frame.len() <= SEGMENT_BYTES
        {
            last.extend_from_slice(&frame);
            return;
        }
        if frame.len() >= SEGMENT_BYTES / 2 {
            state.segments.push_back(frame);
            return;
        }
        let mut segment = std::mem::take(&mut state.spare);
        segment.extend_from_slice(&frame);
        state.segments.push_back(segment);
    }

    /// Tells the writer that there is something.
    pub fn wake(&self) {
        self.wake.notify_one();
    }

    /// Writes what the socket takes at once, in the caller's own task; leaves the rest to the
    /// writer.
    pub fn write_now(&self) {
        let mut state = self.state.lock();
        if state.writing {
            return;
        }
        if let Some(segment) = state.segments.front_mut()
            && let Ok(written) = self.stream.try_write(segment)
        {
            if written == segment.len() {
                let segment = state.segments.pop_front().unwrap_or_default();
                state.keep(segment);
            } else {
                segment.drain(..written);
            }
        }
        let left = !state.segments.is_empty();
        drop(state);
        if left {
            self.wake();
        }
    }

    /// Writes for as long as the connection lasts.
    ///
    /// # Errors
    /// The worker no longer reads.
    pub async fn run(&self) -> io::Result<()> {
        loop {
            self.wake.notified().await;
            // Everybody who is ready to call gets to do so first: their frames go out in this
            // write.
            tokio::task::yield_now().await;
            while let Some(segment) = self.take() {
                let outcome = self.write(&segment).await;
                self.done(segment);
                outcome?;
            }
        }
    }

    fn take(&self) -> Option<Vec<u8>> {
        let mut state = self.state.lock();
        let segment = state.segments.pop_front();
        state.writing = segment.is_some();
        segment
    }

    fn done(&self, segment: Vec<u8>) {
        let mut state = self.state.lock();
        state.writing = false;
        state.keep(segment);
    }

    async fn write(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.stream.try_write(bytes) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => bytes = &bytes[written..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.stream.writable().await?;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

impl State {
    fn keep(&mut self, mut segment: Vec<u8>) {
        if segment.capacity() <= SEGMENT_BYTES && segment.capacity() > self.spare.capacity() {
            segment.clear();
            self.spare = segment;
        }
    }
}
