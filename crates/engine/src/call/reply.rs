//! Values that handlers return, as answers to requests.

use std::collections::BTreeMap;

use bytes::Bytes;
use evoke_model::Data;
use evoke_ports::{Body, HttpReply};
use http::header::{CONTENT_TYPE, HeaderName};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::Deserialize;
use serde_json::value::RawValue;

/// An answer as a handler of events writes it: an object with a status and nothing else but headers
/// and a body.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenReply<'a> {
    pub(super) status: u16,
    #[serde(default)]
    headers: BTreeMap<String, HeaderText>,
    #[serde(borrow, default)]
    body: Option<&'a RawValue>,
}

/// The value of a header, or the values of one that is repeated.
#[derive(Deserialize)]
#[serde(untagged)]
enum HeaderText {
    One(String),
    Several(Vec<String>),
}

/// The answer a value is, if it is written as one.
pub(super) fn written_reply(data: &Data) -> Option<WrittenReply<'_>> {
    let Data::Json(json) = data else { return None };
    if !json.starts_with(b"{") {
        return None;
    }
    let reply: WrittenReply<'_> = serde_json::from_slice(json).ok()?;
    (200..=599).contains(&reply.status).then_some(reply)
}

/// The answer to a request whose handler got an event: the one it wrote, or else the value itself.
pub(super) fn answer(data: &Data) -> HttpReply {
    let Some(written) = written_reply(data) else { return as_http(data) };
    let (media, body) = match written.body.map(RawValue::get) {
        None | Some("null") => (None, Bytes::new()),
        Some(text) => match serde_json::from_str::<String>(text) {
            Ok(text) => (Some("text/plain; charset=utf-8"), Bytes::from(text)),
            Err(_) => (Some("application/json"), Bytes::copy_from_slice(text.as_bytes())),
        },
    };
    let mut headers = HeaderMap::new();
    for (name, value) in &written.headers {
        let values = match value {
            HeaderText::One(value) => std::slice::from_ref(value),
            HeaderText::Several(values) => values,
        };
        for value in values {
            // What cannot be sent as a header is left out, as runtimes do it.
            if let (Ok(name), Ok(value)) =
                (name.parse::<HeaderName>(), HeaderValue::from_str(value))
            {
                headers.append(name, value);
            }
        }
    }
    if let Some(media) = media.filter(|_| !headers.contains_key(CONTENT_TYPE)) {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(media));
    }
    let status = StatusCode::from_u16(written.status).unwrap_or(StatusCode::OK);
    HttpReply { status, headers, body: Body::Full(body) }
}

/// A value as the body of an answer.
pub(super) fn as_http(data: &Data) -> HttpReply {
    let mut headers = HeaderMap::new();
    let media = match data {
        Data::Text(_) => "text/plain; charset=utf-8",
        Data::Binary(_) => "application/octet-stream",
        Data::None | Data::Json(_) => "application/json",
    };
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media));
    let status = match data {
        Data::None => StatusCode::NO_CONTENT,
        _ => StatusCode::OK,
    };
    HttpReply { status, headers, body: Body::Full(Bytes::copy_from_slice(data.bytes())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(data: &str) -> (u16, String, String) {
        let reply = answer(&Data::Json(Bytes::copy_from_slice(data.as_bytes())));
        let Body::Full(body) = reply.body else { panic!("a stream") };
        let media = reply.headers.get(CONTENT_TYPE).map_or("", |value| value.to_str().unwrap());
        (reply.status.as_u16(), media.to_owned(), String::from_utf8(body.to_vec()).unwrap())
    }

    #[test]
    fn a_written_answer_is_that_answer_and_any_other_value_is_the_body() {
        let (text, json) = ("text/plain; charset=utf-8", "application/json");
        for (data, status, media, body) in [
            (r#"{"status": 201, "body": "ok"}"#, 201, text, "ok"),
            (r#"{"status": 200, "body": {"a": 1}}"#, 200, json, r#"{"a": 1}"#),
            (r#"{"status": 404}"#, 404, "", ""),
            (
                r#"{"status": 200, "headers": {"Content-Type": "text/xml"}, "body": "<a/>"}"#,
                200,
                "text/xml",
                "<a/>",
            ),
            (r#"{"status": 200, "headers": {"a b": "x"}, "body": null}"#, 200, "", ""),
            (r#"{"status": "ok"}"#, 200, json, r#"{"status": "ok"}"#),
            (r#"{"status": 7}"#, 200, json, r#"{"status": 7}"#),
            (r#"{"status": 201, "id": 3}"#, 200, json, r#"{"status": 201, "id": 3}"#),
            ("[1]", 200, json, "[1]"),
        ] {
            assert_eq!(told(data), (status, media.to_owned(), body.to_owned()), "{data}");
        }
        assert_eq!(answer(&Data::None).status, StatusCode::NO_CONTENT);
    }
}
