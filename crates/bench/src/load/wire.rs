//! One connection that blocks: send, wait for the whole answer, use it again.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use super::{Answer, look};

/// An answer that takes longer is counted as a broken connection.
const ANSWER_WAIT_MAX: Duration = Duration::from_secs(60);
/// Room for one answer; it grows for larger ones.
const ANSWER_BYTES: usize = 4 * 1024;

/// A connection and its last answer.
pub(crate) struct Wire {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Wire {
    pub(crate) fn connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(ANSWER_WAIT_MAX))?;
        Ok(Self { stream, buffer: vec![0; ANSWER_BYTES] })
    }

    /// Waits so long for an answer that takes its time.
    pub(crate) fn be_patient(&mut self, wait: Duration) -> io::Result<()> {
        self.stream.set_read_timeout(Some(wait))
    }

    /// Sends a request and waits for the whole answer.
    pub(crate) fn exchange(&mut self, request: &[u8]) -> io::Result<Answer> {
        self.stream.write_all(request)?;
        let mut filled = 0;
        loop {
            let read = self.stream.read(&mut self.buffer[filled..])?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            filled += read;
            if let Some(answer) = look(&self.buffer[..filled]).map_err(io::Error::other)? {
                return Ok(answer);
            }
            if filled == self.buffer.len() {
                self.buffer.resize(filled * 2, 0);
            }
        }
    }

    /// The body of the last answer, as it came over the wire.
    pub(crate) fn body(&self, answer: Answer) -> &[u8] {
        &self.buffer[answer.body..answer.end]
    }
}
