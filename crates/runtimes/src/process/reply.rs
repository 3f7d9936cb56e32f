//! From the payload of a last frame to what the caller gets. Runs in the caller's task, so that one
//! large answer holds up no other call of its worker.

use bytes::{Buf, Bytes};
use evoke_model::{Code, Data, Failure};
use evoke_ports::{Body, HttpReply, Reply};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde::de::IgnoredAny;

use crate::protocol::frame::ANSWER_BYTES_MAX;
use crate::protocol::messages::Head;

/// The value of a RESULT.
///
/// # Errors
/// FN_004 when it is not JSON.
pub fn value(payload: Bytes) -> Result<Reply, Failure> {
    if payload.is_empty() {
        return Ok(Reply::Value(Data::None));
    }
    let json = std::str::from_utf8(&payload)
        .map_err(|error| error.to_string())
        .and_then(|text| serde_json::from_str::<IgnoredAny>(text).map_err(|e| e.to_string()));
    match json {
        Ok(_) => Ok(Reply::Value(Data::Json(payload))),
        Err(error) => {
            Err(Failure::new(Code::FunctionError, format!("the result is not JSON: {error}")))
        }
    }
}

/// The whole answer of a RESPONSE.
///
/// # Errors
/// FN_004 when it cannot be read or sent on, FN_011 when its body is too large.
pub fn response(mut payload: Bytes) -> Result<Reply, Failure> {
    let head_bytes = payload.try_get_u32_le().unwrap_or(u32::MAX) as usize;
    if payload.len() < head_bytes {
        return Err(Failure::new(Code::FunctionError, "the response is cut off in its head"));
    }
    let head = payload.split_to(head_bytes);
    if payload.len() > ANSWER_BYTES_MAX {
        let message = format!(
            "the response has {} bytes, {ANSWER_BYTES_MAX} are allowed unless it streams",
            payload.len()
        );
        return Err(Failure::new(Code::ResponseTooLarge, message));
    }
    let (status, headers) = self::head(&head)?;
    Ok(Reply::Http(HttpReply { status, headers, body: Body::Full(payload) }))
}

/// Status and headers of a HEAD.
///
/// # Errors
/// FN_004 when no HTTP response can have them.
pub fn head(payload: &[u8]) -> Result<(StatusCode, HeaderMap), Failure> {
    let refuse = |what: String| Failure::new(Code::FunctionError, what);
    let head: Head = serde_json::from_slice(payload)
        .map_err(|error| refuse(format!("the head of the response cannot be read: {error}")))?;
    let status = StatusCode::from_u16(head.status)
        .ok()
        .filter(|status| status.as_u16() >= 200)
        .ok_or_else(|| refuse(format!("the response has the status {}", head.status)))?;
    let mut headers = HeaderMap::with_capacity(head.headers.len());
    for (name, value) in &head.headers {
        let parsed = HeaderName::from_bytes(name.as_bytes()).ok().zip(header_value(value));
        let (name, value) = parsed
            .ok_or_else(|| refuse(format!("the response has an impossible header {name:?}")))?;
        headers.append(name, value);
    }
    Ok((status, headers))
}

/// Headers come as Latin-1 characters, as in the Fetch standard; others are sent as UTF-8.
fn header_value(text: &str) -> Option<HeaderValue> {
    if text.is_ascii() {
        return HeaderValue::from_str(text).ok();
    }
    let latin: Option<Vec<u8>> = text.chars().map(|c| u8::try_from(c).ok()).collect();
    HeaderValue::from_bytes(latin.as_deref().unwrap_or(text.as_bytes())).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framed(head: &str, body: &[u8]) -> Bytes {
        let mut payload = (head.len() as u32).to_le_bytes().to_vec();
        payload.extend_from_slice(head.as_bytes());
        payload.extend_from_slice(body);
        payload.into()
    }

    #[test]
    fn a_response_is_head_and_body() {
        let payload = framed(r#"{"status":201,"headers":[["x-a","1"],["x-a","2"]]}"#, b"body");
        let Ok(Reply::Http(HttpReply { status, headers, body: Body::Full(body) })) =
            response(payload)
        else {
            panic!("not a response");
        };
        assert_eq!((status.as_u16(), &body[..]), (201, &b"body"[..]));
        assert_eq!(headers.get_all("x-a").iter().count(), 2);
    }

    #[test]
    fn what_no_response_can_be_is_refused() {
        let table: [(Bytes, Code); 6] = [
            (Bytes::from_static(b"abc"), Code::FunctionError),
            (Bytes::from_static(b"\xff\0\0\0{}"), Code::FunctionError),
            (framed("nonsense", b""), Code::FunctionError),
            (framed(r#"{"status":99}"#, b""), Code::FunctionError),
            (framed(r#"{"status":200,"headers":[["a b","1"]]}"#, b""), Code::FunctionError),
            (framed(r#"{"status":200}"#, &vec![0; ANSWER_BYTES_MAX + 1]), Code::ResponseTooLarge),
        ];
        for (payload, code) in table {
            let failure = response(payload.clone()).map(|_| ()).unwrap_err();
            assert_eq!(failure.code, code, "{:?}", &payload[..payload.len().min(40)]);
        }
    }

    #[test]
    fn a_value_is_json_or_nothing() {
        assert!(matches!(value(Bytes::new()), Ok(Reply::Value(Data::None))));
        assert!(matches!(value(Bytes::from("{\"a\":1}")), Ok(Reply::Value(Data::Json(_)))));
        for garbage in [&b"{"[..], b"\"\xff\"", b"1 2"] {
            assert!(value(Bytes::copy_from_slice(garbage)).is_err());
        }
    }
}
