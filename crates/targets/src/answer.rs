//! What HTTP answers say of another attempt, and how their bodies are kept.

use evoke_model::{Data, Millis, Timestamp};
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, StatusCode};
use jiff::fmt::rfc2822::DateTimeParser;

/// Bytes of a body that go into the message of a failure.
const EXCERPT_MAX: usize = 500;

/// When to come back by `Retry-After`, in seconds or as an HTTP date (RFC 9110, section 10.2.3).
pub(crate) fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Millis> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(secs) = text.parse::<u64>() {
        return Some(Millis::from_secs(secs));
    }
    let date = DateTimeParser::new().parse_timestamp(text).ok()?;
    let wait = Timestamp::from_micros(date.as_microsecond()).since(now);
    Some(Millis::new(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)))
}

/// `answered 503 Service Unavailable: try later`, with the beginning of the body.
pub(crate) fn describe(status: StatusCode, body: &[u8]) -> String {
    let reason = status.canonical_reason().map(|reason| format!(" {reason}")).unwrap_or_default();
    let mut message = format!("answered {}{reason}", status.as_u16());
    let cut = &body[..body.len().min(EXCERPT_MAX)];
    let text = String::from_utf8_lossy(cut);
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if !text.trim().is_empty() {
        message.push_str(": ");
        message.push_str(text.trim());
        if cut.len() < body.len() {
            message.push_str("...");
        }
    }
    message
}

/// A body as data: JSON where it says so and is, text where it is text, bytes otherwise.
pub(crate) fn data(headers: &HeaderMap, body: bytes::Bytes) -> Data {
    if body.is_empty() {
        return Data::None;
    }
    let media_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let is_json = media_type.is_some_and(says_json);
    if is_json && serde_json::from_slice::<&serde_json::value::RawValue>(&body).is_ok() {
        Data::Json(body)
    } else if std::str::from_utf8(&body).is_ok() {
        Data::Text(body)
    } else {
        Data::Binary(body)
    }
}

/// `application/json`, `application/problem+json; charset=utf-8`, ...
pub(crate) fn says_json(media_type: &str) -> bool {
    let essence = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || essence.ends_with("+json")
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn retry_after_is_read_in_both_forms() {
        let now: Timestamp = "2026-11-21T10:00:00Z".parse().unwrap();
        for (text, secs) in [
            ("7", Some(7)),
            (" 120 ", Some(120)),
            ("Sat, 21 Nov 2026 10:01:30 GMT", Some(90)),
            ("Sat, 21 Nov 2026 09:00:00 GMT", Some(0)),
            ("18446744073709551615", Some(u64::MAX / 1_000)),
            ("soon", None),
            ("-5", None),
            ("", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, HeaderValue::from_str(text).unwrap());
            let wait = retry_after(&headers, now).map(|wait| wait.as_u64() / 1_000);
            assert_eq!(wait, secs, "{text}");
        }
    }

    #[test]
    fn bodies_are_kept_as_what_they_are() {
        let data = |media_type: &'static str, body: &'static [u8]| {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
            super::data(&headers, body.into())
        };
        assert_eq!(data("application/json", b"{}"), Data::Json("{}".into()));
        assert_eq!(data("application/problem+json; x=y", b"[1]"), Data::Json("[1]".into()));
        assert_eq!(data("application/json", b"{oops"), Data::Text("{oops".into()));
        assert_eq!(data("text/plain", b"hi"), Data::Text("hi".into()));
        assert_eq!(data("image/png", b"\xff\x00"), Data::Binary(b"\xff\x00".as_slice().into()));
        assert_eq!(data("text/plain", b""), Data::None);
    }
}
