//! What a function answers when it is asked: whether to fire, with what, and what it wants to be
//! given back the next time.

use std::collections::BTreeMap;

use bytes::Bytes;
use evoke_model::{Data, suggest};
use evoke_ports::{Body, HttpReply, Reply};
use serde_json::Value;
use serde_json::value::RawValue;

use super::canonical;

/// What is kept for a function between two questions: it is written with each change.
const STATE_BYTES_MAX: usize = 64 * 1024;

/// What an answer fires with. What is larger belongs somewhere else, with its name in the context.
const CONTEXT_BYTES_MAX: usize = 1024 * 1024;

const FIELDS: [&str; 4] = ["fire", "context", "state", "reason"];

/// What an answer may look like.
const EXPECTED: &str = "expected {fire: true|false, ...}";

/// Characters of a wrong answer that its message shows.
const SHOWN_CHARS_MAX: usize = 120;

/// An answer.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Answer {
    /// What it fires with; `None` when it does not fire.
    pub(super) fire: Option<Context>,
    /// What is kept from now on; `None` leaves what there is.
    pub(super) state: Option<Value>,
    /// Why it does not fire.
    pub(super) reason: Option<String>,
}

/// What a firing carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Context {
    /// A JSON object.
    pub(super) json: Bytes,
    /// SHA-256 in hex of its canonical form.
    pub(super) hash: String,
}

/// Reads an answer.
///
/// # Errors
/// What came instead of one.
pub(super) fn read(reply: &Reply) -> Result<Answer, String> {
    let json = match reply {
        Reply::Value(Data::None) => return Ok(nothing()),
        Reply::Value(Data::Json(json)) => std::str::from_utf8(json),
        Reply::Value(Data::Text(text)) => {
            return Err(format!("{EXPECTED}, got the text {:?}", String::from_utf8_lossy(text)));
        }
        Reply::Value(Data::Binary(_)) => return Err(format!("{EXPECTED}, got bytes")),
        Reply::Http(HttpReply { status, body: Body::Full(json), .. }) if status.is_success() => {
            std::str::from_utf8(json)
        }
        Reply::Http(reply) => {
            return Err(format!("{EXPECTED}, got a response with the status {}", reply.status));
        }
    };
    let json = json.map_err(|_| format!("{EXPECTED}, got text that is not UTF-8"))?.trim();
    if json == "null" {
        return Ok(nothing());
    }
    let fields: BTreeMap<String, &RawValue> =
        serde_json::from_str(json).map_err(|_| format!("{EXPECTED}, got {}", shown(json)))?;
    if let Some(stray) = fields.keys().find(|name| !FIELDS.contains(&name.as_str())) {
        let hint = suggest::did_you_mean(stray, FIELDS);
        return Err(format!("{EXPECTED}, got an unknown field {stray:?} ({hint})"));
    }
    let given = |name: &str| fields.get(name).map(|value| value.get());
    let fires = match given("fire") {
        Some("true") => true,
        Some("false") => false,
        Some(other) => return Err(format!("{EXPECTED}, got {} in `fire`", shown(other))),
        None => return Err(format!("{EXPECTED}, got {}", shown(json))),
    };
    let fire = if fires { Some(context(given("context"))?) } else { None };
    Ok(Answer { fire, state: given("state").map(state).transpose()?, reason: reason(&given)? })
}

/// No answer is an answer: nothing happened.
const fn nothing() -> Answer {
    Answer { fire: None, state: None, reason: None }
}

fn context(given: Option<&str>) -> Result<Context, String> {
    let json = given.filter(|json| *json != "null").unwrap_or("{}");
    if !json.starts_with('{') {
        return Err(format!("`context`: expected an object, got {}", shown(json)));
    }
    if json.len() > CONTEXT_BYTES_MAX {
        let is = json.len();
        return Err(format!("`context` has {is} bytes, it may have {CONTEXT_BYTES_MAX}"));
    }
    let hash = canonical::hash(json).map_err(|wrong| format!("`context`: {wrong}"))?;
    Ok(Context { json: Bytes::copy_from_slice(json.as_bytes()), hash })
}

fn state(json: &str) -> Result<Value, String> {
    if json.len() > STATE_BYTES_MAX {
        return Err(format!("`state` has {} bytes, it may have {STATE_BYTES_MAX}", json.len()));
    }
    serde_json::from_str(json).map_err(|error| format!("`state`: {error}"))
}

fn reason<'a>(given: &impl Fn(&str) -> Option<&'a str>) -> Result<Option<String>, String> {
    let Some(json) = given("reason").filter(|json| *json != "null") else { return Ok(None) };
    let text: Result<String, _> = serde_json::from_str(json);
    let text = text.map_err(|_| format!("`reason`: expected a text, got {}", shown(json)))?;
    Ok(Some(cut(&text)))
}

/// The beginning of a wrong answer.
fn shown(json: &str) -> String {
    cut(&json.split_whitespace().collect::<Vec<_>>().join(" "))
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARS_MAX) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}...", &text[..end]),
    }
}
