//! Server-sent events (<https://html.spec.whatwg.org/multipage/server-sent-events.html>): bytes in,
//! messages out.

/// A message of a stream.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Message {
    /// The name of the message; empty where the server gave none.
    pub name: String,
    /// The id from which the stream can be taken up again.
    pub id: Option<String>,
    /// The payload.
    pub data: String,
}

/// A message may not be longer; the server's are far shorter.
const MESSAGE_BYTES_MAX: usize = 16 << 20;

/// Puts messages together from pieces of any size.
#[derive(Default)]
pub(crate) struct Parser {
    buffer: Vec<u8>,
    message: Message,
    has_data: bool,
    last_id: Option<String>,
}

impl Parser {
    /// Takes a piece.
    ///
    /// # Errors
    /// A line that is longer than any message.
    pub(crate) fn push(&mut self, piece: &[u8]) -> Result<(), &'static str> {
        self.buffer.extend_from_slice(piece);
        let size = self.buffer.len() + self.message.data.len();
        if size > MESSAGE_BYTES_MAX { Err("a message over 16 MB") } else { Ok(()) }
    }

    /// The next whole message.
    pub(crate) fn next(&mut self) -> Option<Message> {
        while let Some(end) = memchr::memchr(b'\n', &self.buffer) {
            let line: Vec<u8> = self.buffer.drain(..=end).collect();
            let line = line.strip_suffix(b"\n").unwrap_or(&line);
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            let line = String::from_utf8_lossy(line);
            if !line.is_empty() {
                self.field(&line);
                continue;
            }
            let message = std::mem::take(&mut self.message);
            if message.id.is_some() {
                self.last_id.clone_from(&message.id);
            }
            if std::mem::take(&mut self.has_data) {
                return Some(message);
            }
        }
        None
    }

    /// The last id that came, also that of a message which has nothing else.
    pub(crate) fn last_id(&self) -> Option<&str> {
        self.last_id.as_deref()
    }

    fn field(&mut self, line: &str) {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "event" => value.clone_into(&mut self.message.name),
            "id" => self.message.id = Some(value.to_owned()),
            "data" => {
                if std::mem::replace(&mut self.has_data, true) {
                    self.message.data.push('\n');
                }
                self.message.data.push_str(value);
            }
            // Comments keep the connection alive; other fields are not ours.
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_come_out_whatever_the_pieces() {
        let text = b": hello\n\nid: 1\nevent: log\ndata: {\"a\":1}\n\ndata:two\r\ndata: lines\r\n\r\nevent: none\n\nid: 2\n\n";
        let expected = [
            Message { name: "log".into(), id: Some("1".into()), data: "{\"a\":1}".into() },
            Message { name: String::new(), id: None, data: "two\nlines".into() },
        ];
        for size in 1..text.len() {
            let mut parser = Parser::default();
            let mut found = Vec::new();
            for piece in text.chunks(size) {
                parser.push(piece).unwrap();
                found.extend(std::iter::from_fn(|| parser.next()));
            }
            assert_eq!(found, expected, "in pieces of {size}");
            assert_eq!(parser.last_id(), Some("2"), "in pieces of {size}");
        }
    }

    #[test]
    fn a_line_without_an_end_is_refused() {
        let mut parser = Parser::default();
        assert!(parser.push(&vec![b'x'; MESSAGE_BYTES_MAX + 1]).is_err());
    }
}
