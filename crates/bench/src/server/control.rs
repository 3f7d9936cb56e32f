//! The few requests a benchmark itself makes, blocking and one at a time.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::Samples;
use crate::error::{Error, Result, Tried};
use crate::load::Wire;

/// A server that is starting up answers with 2xx long before.
const OK_WAIT_MAX: Duration = Duration::from_secs(60);

/// Requests to one address.
#[derive(Clone, Debug)]
pub(crate) struct Control {
    pub(crate) address: SocketAddr,
    pub(crate) key: Option<String>,
}

impl Control {
    /// The status and the body of an answer.
    pub(crate) fn request(&self, method: &str, path: &str, body: &str) -> Result<(u16, String)> {
        let wire = Wire::connect(self.address).tried(|| format!("{method} {path}"))?;
        self.exchange(wire, (method, path), body).tried(|| format!("{method} {path}"))
    }

    fn exchange(
        &self,
        mut wire: Wire,
        (method, path): (&str, &str),
        body: &str,
    ) -> std::io::Result<(u16, String)> {
        let key = self.key.as_ref().map(|key| format!("authorization: Bearer {key}\r\n"));
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {}\r\n{}content-type: application/json\r\n\
             content-length: {}\r\n\r\n{body}",
            self.address,
            key.unwrap_or_default(),
            body.len()
        );
        let answer = wire.exchange(request.as_bytes())?;
        let body = wire.body(answer);
        let body = if answer.is_chunked { unchunk(body) } else { body.to_vec() };
        Ok((answer.status, String::from_utf8_lossy(&body).into_owned()))
    }

    /// The JSON of a 2xx answer.
    pub(crate) fn json(&self, method: &str, path: &str, body: &str) -> Result<Value> {
        good((method, path), self.request(method, path, body)?)
    }

    /// The JSON of a 2xx answer to a POST that works for so long before it answers.
    pub(crate) fn long_post(&self, path: &str, wait: Duration) -> Result<Value> {
        let what = || format!("POST {path}");
        let mut wire = Wire::connect(self.address).tried(what)?;
        wire.be_patient(wait).tried(what)?;
        good(("POST", path), self.exchange(wire, ("POST", path), "").tried(what)?)
    }

    /// Repeats a request until it is answered with 2xx.
    pub(crate) fn until_ok(&self, method: &str, path: &str, body: &str) -> Result<String> {
        let until = Instant::now() + OK_WAIT_MAX;
        loop {
            let answer = match self.request(method, path, body) {
                Ok((200..=299, text)) => return Ok(text),
                Ok((status, text)) => format!("{status} {text}"),
                Err(error) => error.to_string(),
            };
            if Instant::now() > until {
                return Err(Error::Answer { what: format!("{method} {path}"), answer });
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The server's counters.
    pub(crate) fn metrics(&self) -> Result<Samples> {
        let (status, text) = self.request("GET", "/metrics", "")?;
        match status {
            200 => Ok(Samples::parse(&text)),
            _ => Err(Error::Answer { what: "GET /metrics".into(), answer: status.to_string() }),
        }
    }
}

fn good((method, path): (&str, &str), (status, text): (u16, String)) -> Result<Value> {
    let refuse =
        || Error::Answer { what: format!("{method} {path}"), answer: format!("{status} {text}") };
    if !(200..300).contains(&status) {
        return Err(refuse());
    }
    serde_json::from_str(&text).map_err(|_| refuse())
}

/// The payload of a whole chunked body, which the wire has found to be well formed.
fn unchunk(mut body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    while let Some(line) = memchr::memmem::find(body, b"\r\n") {
        let digits = String::from_utf8_lossy(&body[..line]);
        let digits = digits.split(';').next().unwrap_or_default();
        let size = usize::from_str_radix(digits.trim(), 16).unwrap_or(0);
        let end = line + 2 + size;
        if size == 0 || end + 2 > body.len() {
            break;
        }
        out.extend_from_slice(&body[line + 2..end]);
        body = &body[end + 2..];
    }
    out
}

#[cfg(test)]
mod tests {
    #[test]
    fn chunks_are_put_together() {
        assert_eq!(super::unchunk(b"5\r\nhello\r\n1;x=y\r\n!\r\n0\r\n\r\n"), b"hello!");
    }
}
