//! A request as bytes, made once; only the numbers in it change.

use memchr::memmem;

use super::spec::{PLACEHOLDER, Request};

/// The bytes of a request and where its numbers stand.
#[derive(Clone)]
pub(super) struct Template {
    bytes: Vec<u8>,
    numbers: Vec<usize>,
}

impl Template {
    pub(super) fn new(request: &Request, host: &str) -> Self {
        let Request { method, path, body, key } = request;
        let key = key.as_ref().map(|key| format!("authorization: Bearer {key}\r\n"));
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: {host}\r\n{}content-type: application/json\r\n\
             content-length: {}\r\n\r\n",
            key.unwrap_or_default(),
            body.len()
        );
        let bytes = [head.as_bytes(), body.as_bytes()].concat();
        let numbers = memmem::find_iter(&bytes, PLACEHOLDER).collect();
        Self { bytes, numbers }
    }

    /// The bytes of the request with this number, counted from 0.
    pub(super) fn number(&mut self, first: u64, index: u64) -> &[u8] {
        let per_request = self.numbers.len() as u64;
        for (position, at) in self.numbers.iter().enumerate() {
            let mut value = first + index * per_request + position as u64;
            for digit in self.bytes[*at..*at + PLACEHOLDER.len()].iter_mut().rev() {
                *digit = b'0' + (value % 10) as u8;
                value /= 10;
            }
        }
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_events_have_the_same_number() {
        let body = format!(r#"[{{"n":"{PLACEHOLDER}"}},{{"n":"{PLACEHOLDER}"}}]"#);
        let request = Request {
            method: "POST".into(),
            path: "/api/events".into(),
            body,
            key: Some("evk_1".into()),
        };
        let mut template = Template::new(&request, "h");
        let mut text = |index| String::from_utf8_lossy(template.number(40, index)).into_owned();
        assert!(text(0).ends_with(r#"[{"n":"0000000040"},{"n":"0000000041"}]"#));
        assert!(text(1).ends_with(r#"[{"n":"0000000042"},{"n":"0000000043"}]"#));
        assert!(text(0).contains("authorization: Bearer evk_1\r\n"));
        assert!(text(0).contains("content-length: 39\r\n"));
    }
}
