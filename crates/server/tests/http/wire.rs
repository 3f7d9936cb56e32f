//! A client that sends what it is told, good or bad, and shows what comes back.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Nothing a server does here takes longer, unless it hangs.
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Clone, Copy)]
pub struct Wire {
    pub address: SocketAddr,
}

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (known, value) = line.split_once(':')?;
            known.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    /// The error code, after a look at the form of the error.
    pub fn code(&self) -> String {
        let body = self.json();
        let error = &body["error"];
        assert_eq!(error["request_id"].as_str(), self.header("x-request-id"), "{body}");
        assert!(error["message"].as_str().is_some_and(|text| !text.is_empty()), "{body}");
        assert!(error["problems"].is_array(), "{body}");
        let code = error["code"].as_str().expect("a code").to_owned();
        assert_eq!(error["docs"], format!("/docs/errors/{code}"));
        code
    }

    /// The fields of the problems.
    pub fn fields(&self) -> Vec<String> {
        let body = self.json();
        let problems = body["error"]["problems"].as_array().cloned().unwrap_or_default();
        problems.iter().map(|p| p["field"].as_str().unwrap_or_default().to_owned()).collect()
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let status = head.split(' ').nth(1)?.parse().ok()?;
        let mut answer = Self { status, head, body: bytes[end + 4..].to_vec() };
        if answer.header("transfer-encoding") == Some("chunked") {
            answer.body = dechunked(&answer.body);
        }
        Some(answer)
    }
}

fn dechunked(mut bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    while let Some(end) = bytes.windows(2).position(|two| two == b"\r\n") {
        let size = std::str::from_utf8(&bytes[..end]).expect("a size");
        let size = usize::from_str_radix(size, 16).expect("a size");
        if size == 0 || bytes.len() < end + 2 + size {
            break;
        }
        out.extend_from_slice(&bytes[end + 2..end + 2 + size]);
        bytes = &bytes[(end + 4 + size).min(bytes.len())..];
    }
    out
}

impl Wire {
    pub async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.expect("the server listens")
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], b"").await
    }

    /// Sends a request with a body of JSON, unless the headers say otherwise.
    pub async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        let mut head = format!("{method} {path} HTTP/1.1\r\nconnection: close\r\n");
        let has = |name: &str| headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(name));
        if !has("host") {
            head.push_str(&format!("host: {}\r\n", self.address));
        }
        if !body.is_empty() && !has("content-type") {
            head.push_str("content-type: application/json\r\n");
        }
        if (!body.is_empty() || method == "POST") && !has("transfer-encoding") {
            head.push_str(&format!("content-length: {}\r\n", body.len()));
        }
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        let bytes = [head.as_bytes(), b"\r\n", body].concat();
        self.raw(&bytes).await.expect("an answer")
    }

    /// Sends bytes and reads until the server closes; `None` when no answer came.
    pub async fn raw(&self, bytes: &[u8]) -> Option<Answer> {
        let mut stream = self.connect().await;
        // A server that has heard enough may close before all is sent.
        let sent = stream.write_all(bytes).await;
        let received = read_all(&mut stream).await;
        assert!(sent.is_ok() || !received.is_empty(), "neither sent nor answered");
        Answer::parse(&received)
    }
}

/// Everything that comes until the server closes.
pub async fn read_all(stream: &mut TcpStream) -> Vec<u8> {
    let mut received = Vec::new();
    let mut piece = vec![0; 16 * 1024];
    loop {
        match tokio::time::timeout(PATIENCE, stream.read(&mut piece)).await {
            Err(_) => panic!("the server hangs: {}", String::from_utf8_lossy(&received)),
            Ok(Ok(0) | Err(_)) => return received,
            Ok(Ok(length)) => received.extend_from_slice(&piece[..length]),
        }
    }
}

/// What comes until it contains a text.
pub async fn read_until(stream: &mut TcpStream, text: &str) -> String {
    let mut received = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let so_far = String::from_utf8_lossy(&received).into_owned();
        if so_far.contains(text) {
            return so_far;
        }
        match tokio::time::timeout(PATIENCE, stream.read(&mut piece)).await {
            Ok(Ok(length)) if length > 0 => received.extend_from_slice(&piece[..length]),
            other => panic!("{text:?} did not come ({other:?}): {so_far}"),
        }
    }
}

/// Reads what an answer was, once it is whole.
pub fn parse(bytes: &[u8]) -> Answer {
    Answer::parse(bytes).unwrap_or_else(|| panic!("no answer: {}", String::from_utf8_lossy(bytes)))
}
