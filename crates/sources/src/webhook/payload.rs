//! The data of a webhook's event: the request as it came.

use std::borrow::Cow;
use std::collections::BTreeMap;

use bytes::Bytes;
use evoke_model::event::{base64, write_str};
use evoke_model::{Data, TriggerId};
use evoke_ports::HttpCall;
use http::HeaderMap;
use percent_encoding::percent_decode;

use super::json::json;

/// Headers that prove who somebody is by themselves: whoever reads the log could be that.
const SECRET: [&str; 4] = ["authorization", "cookie", "proxy-authorization", "x-api-key"];

/// What is known of a request beside itself.
pub(super) struct Facts {
    pub(super) trigger: TriggerId,
    /// Whether its signature was right.
    pub(super) verified: bool,
    pub(super) headers: Headers,
}

/// Which headers are part of the payload.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Headers {
    /// All: the function verifies the request itself.
    All,
    /// All but those that are secrets, and this one.
    Public(Option<&'static str>),
}

/// The payload of a request.
pub(super) fn payload(call: &HttpCall, facts: &Facts) -> Data {
    let (path, query) = call.target.split_once('?').unwrap_or((&call.target, ""));
    let mut out = Vec::with_capacity(512 + 2 * call.body.len());
    out.extend_from_slice(b"{\"method\":");
    write_str(&mut out, call.method.as_str());
    out.extend_from_slice(b",\"path\":");
    write_str(&mut out, path);
    out.extend_from_slice(b",\"headers\":");
    write_headers(&mut out, &call.headers, facts.headers);
    out.extend_from_slice(b",\"body\":");
    match std::str::from_utf8(&call.body) {
        Ok(text) => write_str(&mut out, text),
        Err(_) => {
            write_str(&mut out, &base64(&call.body));
            out.extend_from_slice(b",\"body_encoding\":\"base64\"");
        }
    }
    out.extend_from_slice(b",\"query\":");
    write_query(&mut out, query);
    out.extend_from_slice(if facts.verified {
        b",\"verified\":true"
    } else {
        b",\"verified\":false"
    });
    out.extend_from_slice(b",\"webhook_id\":");
    write_str(&mut out, &facts.trigger.to_string());
    if let Some(text) = json(&call.body) {
        out.extend_from_slice(b",\"json\":");
        out.extend_from_slice(text.as_bytes());
    }
    out.push(b'}');
    Data::Json(Bytes::from(out))
}

fn write_headers(out: &mut Vec<u8>, headers: &HeaderMap, which: Headers) {
    let is_shown = |name: &str| match which {
        Headers::All => true,
        Headers::Public(own) => !SECRET.contains(&name) && own != Some(name),
    };
    out.push(b'{');
    for (index, name) in headers.keys().filter(|name| is_shown(name.as_str())).enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write_str(out, name.as_str());
        out.push(b':');
        let values: Vec<_> = headers.get_all(name).iter().map(|value| value.as_bytes()).collect();
        write_str(out, &String::from_utf8_lossy(&values.join(&b", "[..])));
    }
    out.push(b'}');
}

/// A parameter that is there once is a text, one that is repeated a list of texts.
fn write_query(out: &mut Vec<u8>, query: &str) {
    let mut values: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        values.entry(decoded(name)).or_default().push(decoded(value));
    }
    out.push(b'{');
    for (index, (name, values)) in values.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write_str(out, name);
        out.push(b':');
        match values.as_slice() {
            [only] => write_str(out, only),
            several => {
                out.push(b'[');
                for (index, value) in several.iter().enumerate() {
                    if index > 0 {
                        out.push(b',');
                    }
                    write_str(out, value);
                }
                out.push(b']');
            }
        }
    }
    out.push(b'}');
}

fn decoded(text: &str) -> String {
    let spaced = if text.contains('+') { Cow::Owned(text.replace('+', " ")) } else { text.into() };
    percent_decode(spaced.as_bytes()).decode_utf8_lossy().into_owned()
}
