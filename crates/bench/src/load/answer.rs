//! As much of an HTTP/1.1 answer as a load generator needs: where it ends and what its status is.

use memchr::{memchr, memmem};

/// A whole answer at the beginning of the bytes.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
pub(crate) struct Answer {
    /// The status.
    pub(crate) status: u16,
    /// Where the body begins.
    pub(crate) body: usize,
    /// Where the answer ends.
    pub(crate) end: usize,
    /// The body comes in chunks.
    pub(crate) is_chunked: bool,
}

/// Looks for a whole answer; `None` while some of it is missing.
///
/// # Errors
/// The bytes are not an answer.
pub(crate) fn look(bytes: &[u8]) -> Result<Option<Answer>, &'static str> {
    let Some(head) = memmem::find(bytes, b"\r\n\r\n") else {
        return Ok(None);
    };
    let body = head + 4;
    let status = status(bytes).ok_or("not an HTTP/1.1 answer")?;
    let mut length = 0;
    let mut is_chunked = false;
    let mut rest = &bytes[..head + 2];
    while let Some(end) = memchr(b'\n', rest) {
        let line = &rest[..end];
        rest = &rest[end + 1..];
        match line.first() {
            Some(b'c' | b'C') => {
                if let Some(value) = value_of(line, b"content-length:") {
                    length = number(value).ok_or("a Content-Length that is no number")?;
                }
            }
            Some(b't' | b'T') => {
                is_chunked |= value_of(line, b"transfer-encoding:").is_some();
            }
            _ => {}
        }
    }
    let end = if is_chunked { chunks_end(bytes, body)? } else { Some(body + length) };
    Ok(end.filter(|end| *end <= bytes.len()).map(|end| Answer { status, body, end, is_chunked }))
}

fn status(bytes: &[u8]) -> Option<u16> {
    let digits = bytes.strip_prefix(b"HTTP/1.1 ")?.get(..3)?;
    number(digits).and_then(|status| u16::try_from(status).ok())
}

fn value_of<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let start = line.get(..name.len())?;
    start.eq_ignore_ascii_case(name).then(|| line[name.len()..].trim_ascii())
}

fn number(digits: &[u8]) -> Option<usize> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_usize, |sum, digit| {
        let digit = char::from(*digit).to_digit(10)?;
        sum.checked_mul(10)?.checked_add(digit as usize)
    })
}

/// Where a chunked body that begins at `at` ends.
fn chunks_end(bytes: &[u8], mut at: usize) -> Result<Option<usize>, &'static str> {
    loop {
        let Some(line) = bytes.get(at..).and_then(|rest| memmem::find(rest, b"\r\n")) else {
            return Ok(None);
        };
        let digits = std::str::from_utf8(&bytes[at..at + line]).map_err(|_| "a broken chunk")?;
        let digits = digits.split(';').next().unwrap_or_default().trim();
        let size = usize::from_str_radix(digits, 16).map_err(|_| "a broken chunk")?;
        at += line + 2 + size + 2;
        if size == 0 {
            return Ok(Some(at));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_seen_when_it_is_whole_and_not_before() {
        let plain: &[u8] = b"HTTP/1.1 202 Accepted\r\nContent-Length: 5\r\nX: y\r\n\r\nhello";
        let chunked: &[u8] =
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
        let empty: &[u8] = b"HTTP/1.1 204 No Content\r\n\r\n";
        for (whole, status) in [(plain, 202), (chunked, 200), (empty, 204)] {
            for cut in 0..whole.len() {
                assert_eq!(look(&whole[..cut]), Ok(None), "{cut} of {status}");
            }
            let answer = look(whole).unwrap().unwrap();
            assert_eq!((answer.status, answer.end), (status, whole.len()));
            let two = [whole, whole].concat();
            assert_eq!(look(&two).unwrap().unwrap().end, whole.len());
        }
    }

    #[test]
    fn what_is_no_answer_is_refused() {
        for bytes in [
            &b"SSH-2.0-x\r\n\r\n"[..],
            b"HTTP/1.1 2x0 OK\r\n\r\n",
            b"HTTP/1.1 200 OK\r\ncontent-length: five\r\n\r\n",
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        ] {
            assert!(look(bytes).is_err(), "{}", String::from_utf8_lossy(bytes));
        }
    }
}
