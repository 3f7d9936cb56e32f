//! Frames: length, kind, call, payload. Encoding writes straight into the buffer that goes to the
//! socket; decoding cuts frames out of whatever one read brought.

use bytes::{Buf, Bytes, BytesMut};

/// Bytes before the payload: length, kind, call.
pub const HEADER_BYTES: usize = 9;
/// The header without the length itself.
const TAG_BYTES: usize = 5;
/// What the protocol allows a frame to say of its length.
pub const FRAME_BYTES_MAX: usize = 64 << 20;
/// An answer may not be larger unless it is streamed.
pub const ANSWER_BYTES_MAX: usize = 10 << 20;
/// Unacknowledged bytes of one streamed answer.
pub const WINDOW_BYTES: usize = 1 << 20;
/// Heads, errors and log lines are for people and small; more than this is skipped, not kept.
const SMALL_BYTES_MAX: usize = 1 << 20;
/// Payloads below this are copied, so that a short result does not keep a whole read buffer alive.
const COPY_BYTES_MAX: usize = 8 << 10;

/// What a frame is. Numbers below 0x80 go to the worker.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Kind {
    /// Become the worker of a function.
    Load = 0x01,
    /// A call with an event.
    Event = 0x02,
    /// A call with a request.
    Request = 0x03,
    /// Nobody wants the answer any more.
    Cancel = 0x04,
    /// No new calls will come.
    Shutdown = 0x05,
    /// So many bytes of a stream were taken.
    Ack = 0x06,
    /// The worker is there.
    Hello = 0x81,
    /// The handler is there.
    Loaded = 0x82,
    /// The handler is not there.
    LoadFailed = 0x83,
    /// What the handler of an event returned.
    Result = 0x84,
    /// What the handler threw.
    Error = 0x85,
    /// A streamed answer begins.
    Head = 0x86,
    /// A piece of it.
    Chunk = 0x87,
    /// It is complete.
    End = 0x88,
    /// An answer to a request in one frame.
    Response = 0x89,
    /// A line that was printed.
    Log = 0x8A,
}

impl Kind {
    /// The kind with this number.
    pub const fn from_u8(number: u8) -> Option<Self> {
        Some(match number {
            0x01 => Self::Load,
            0x02 => Self::Event,
            0x03 => Self::Request,
            0x04 => Self::Cancel,
            0x05 => Self::Shutdown,
            0x06 => Self::Ack,
            0x81 => Self::Hello,
            0x82 => Self::Loaded,
            0x83 => Self::LoadFailed,
            0x84 => Self::Result,
            0x85 => Self::Error,
            0x86 => Self::Head,
            0x87 => Self::Chunk,
            0x88 => Self::End,
            0x89 => Self::Response,
            0x8A => Self::Log,
            _ => return None,
        })
    }

    /// Payloads above this are skipped and reported as [`Decoded::Oversized`].
    const fn payload_bytes_max(self) -> usize {
        match self {
            Self::Result => ANSWER_BYTES_MAX,
            Self::Response => ANSWER_BYTES_MAX + SMALL_BYTES_MAX,
            Self::Load | Self::Event | Self::Request => FRAME_BYTES_MAX,
            _ => SMALL_BYTES_MAX,
        }
    }
}

/// One frame.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Frame {
    /// What it is.
    pub kind: Kind,
    /// The call it belongs to, 0 for none.
    pub call: u32,
    /// The rest.
    pub payload: Bytes,
}

/// The bytes are not frames of this protocol. The connection cannot be read any further.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum FrameError {
    /// The length is impossible.
    #[error("a frame of {0} bytes")]
    Length(u32),
    /// Nobody knows the kind.
    #[error("a frame of the unknown kind {0:#04x}")]
    Kind(u8),
}

/// Starts a frame in a buffer of its own; call and length follow by [`set_call`] and [`seal`].
pub fn begin(kind: Kind, capacity: usize) -> Vec<u8> {
    let mut frame = Vec::with_capacity(HEADER_BYTES + capacity);
    frame.extend_from_slice(&[0, 0, 0, 0, kind as u8, 0, 0, 0, 0]);
    frame
}

/// Writes the length of a frame that is complete.
pub fn seal(frame: &mut [u8]) {
    let length = (frame.len() - 4) as u32;
    frame[..4].copy_from_slice(&length.to_le_bytes());
}

/// Writes the call a frame belongs to.
pub fn set_call(frame: &mut [u8], call: u32) {
    frame[TAG_BYTES..HEADER_BYTES].copy_from_slice(&call.to_le_bytes());
}

/// A whole frame.
pub fn encode(kind: Kind, call: u32, payload: &[u8]) -> Vec<u8> {
    let mut frame = begin(kind, payload.len());
    frame.extend_from_slice(payload);
    seal(&mut frame);
    set_call(&mut frame, call);
    frame
}

/// What the decoder found next.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Decoded {
    /// A frame.
    Frame(Frame),
    /// A frame that is larger than its kind may be; its payload is skipped as it comes.
    Oversized {
        /// What it is.
        kind: Kind,
        /// The call it belongs to.
        call: u32,
        /// Size of the payload in bytes.
        length: usize,
    },
}

/// Cuts frames out of a stream of bytes. Keeps at most one unfinished frame.
#[derive(Debug, Default)]
pub struct Decoder {
    buffer: BytesMut,
    skip: usize,
}

impl Decoder {
    /// The buffer to read into, with room for at least one full read.
    pub fn buffer(&mut self) -> &mut BytesMut {
        // Room for a coalesced turn of a busy worker: 64 KiB hold several hundred results.
        self.buffer.reserve(64 << 10);
        &mut self.buffer
    }

    /// The next frame, `None` until more bytes have come.
    ///
    /// # Errors
    /// The bytes make no sense; nothing that follows can be understood.
    pub fn decode(&mut self) -> Result<Option<Decoded>, FrameError> {
        if self.skip > 0 {
            let skipped = self.skip.min(self.buffer.len());
            self.buffer.advance(skipped);
            self.skip -= skipped;
        }
        let Some(header) = self.buffer.first_chunk::<HEADER_BYTES>() else { return Ok(None) };
        let [l0, l1, l2, l3, kind, c0, c1, c2, c3] = *header;
        let length = u32::from_le_bytes([l0, l1, l2, l3]);
        let call = u32::from_le_bytes([c0, c1, c2, c3]);
        let kind = Kind::from_u8(kind).ok_or(FrameError::Kind(kind))?;
        let payload = (length as usize)
            .checked_sub(TAG_BYTES)
            .filter(|_| length as usize <= FRAME_BYTES_MAX)
            .ok_or(FrameError::Length(length))?;
        if payload > kind.payload_bytes_max() {
            self.buffer.advance(HEADER_BYTES);
            self.skip = payload;
            return Ok(Some(Decoded::Oversized { kind, call, length: payload }));
        }
        if self.buffer.len() < HEADER_BYTES + payload {
            self.buffer.reserve(HEADER_BYTES + payload - self.buffer.len());
            return Ok(None);
        }
        self.buffer.advance(HEADER_BYTES);
        let payload = self.take(payload);
        Ok(Some(Decoded::Frame(Frame { kind, call, payload })))
    }

    fn take(&mut self, length: usize) -> Bytes {
        if length >= COPY_BYTES_MAX {
            return self.buffer.split_to(length).freeze();
        }
        let payload = Bytes::copy_from_slice(&self.buffer[..length]);
        self.buffer.advance(length);
        payload
    }
}
