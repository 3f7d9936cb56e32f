//! Binary mode: the attributes are `ce-` headers, the body is the data.

use std::borrow::Cow;

use bytes::Bytes;
use evoke_engine::Draft;
use evoke_model::Problem;
use evoke_model::event::{Attribute, Extensions};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue};

use super::payload;
use super::rules::{self, CLOUD_EVENT_FIELDS};
use crate::trace::is_traceparent;

const PREFIX: &str = "ce-";

/// Reads the event of a request.
///
/// # Errors
/// Everything that is wrong, with the headers as fields.
pub(super) fn parse(headers: &HeaderMap, body: &Bytes) -> Result<Draft, Vec<Problem>> {
    let mut draft = Draft::default();
    let mut problems = Vec::new();
    let mut has_version = false;
    for name in headers.keys() {
        let Some(attribute) = name.as_str().strip_prefix(PREFIX) else { continue };
        let text = match value_of(headers, name.as_str()) {
            Ok(text) => text,
            Err(what) => {
                problems.push(Problem::new(name.as_str(), what));
                continue;
            }
        };
        has_version |= attribute == "specversion";
        if let Err(problem) = take(&mut draft, attribute, text) {
            problems.push(problem);
        }
    }
    let required = [
        ("ce-specversion", has_version),
        ("ce-id", headers.contains_key("ce-id")),
        ("ce-source", headers.contains_key("ce-source")),
        ("ce-type", headers.contains_key("ce-type")),
    ];
    for (name, is_there) in required {
        if !is_there && !headers.contains_key(name) {
            problems.push(Problem::new(name, "is required"));
        }
    }
    take_data(&mut draft, headers, body, &mut problems);
    if problems.is_empty() { Ok(draft) } else { Err(problems) }
}

fn take(draft: &mut Draft, name: &str, text: Box<str>) -> Result<(), Problem> {
    let header = || format!("{PREFIX}{name}");
    if let Some(fault) = rules::text_fault(&text) {
        return Err(Problem::new(header(), fault));
    }
    match name {
        "specversion" if &*text != "1.0" => {
            return Err(Problem::new(header(), format!("{text:?} is not supported"))
                .suggest("send \"1.0\""));
        }
        "specversion" => {}
        "id" => draft.id = Some(text),
        "source" => draft.source = Some(text),
        "type" => draft.kind = text,
        "subject" => draft.subject = Some(text),
        "dataschema" => draft.data_schema = Some(text),
        "orderingkey" => draft.ordering_key = Some(text),
        "time" => {
            let time = text.parse().map_err(|error| Problem::new(header(), format!("{error}")))?;
            draft.time = Some(time);
        }
        "traceparent" => draft.traceparent = is_traceparent(&text).then_some(text),
        // The binding gives this one to the header of HTTP.
        "datacontenttype" => {}
        name if rules::is_lineage(name) => {}
        name if rules::is_extension_name(name) => {
            let extensions: &mut Extensions = draft.extensions.get_or_insert_default();
            extensions.insert(name.into(), Attribute::Text(text));
        }
        name => {
            let problem = Problem::new(header(), "is not the name of an attribute");
            return Err(problem.suggest(rules_hint(name)));
        }
    }
    Ok(())
}

fn rules_hint(name: &str) -> String {
    match evoke_model::suggest::nearest(name, CLOUD_EVENT_FIELDS) {
        Some(known) => format!("did you mean \"{PREFIX}{known}\"?"),
        None => "names of extensions are 1 to 20 lower-case letters and digits".to_owned(),
    }
}

fn take_data(draft: &mut Draft, headers: &HeaderMap, body: &Bytes, problems: &mut Vec<Problem>) {
    let content_type = match headers.get(CONTENT_TYPE).map(HeaderValue::to_str) {
        None => None,
        Some(Ok(text)) if rules::is_media_type(text) && text.len() <= rules::TEXT_BYTES_MAX => {
            Some(text)
        }
        Some(_) => {
            problems.push(Problem::new("Content-Type", "is not a media type"));
            return;
        }
    };
    match payload::from_body(content_type, body) {
        Ok(data) => draft.data = data,
        Err(what) => problems.push(Problem::new("body", what)),
    }
    draft.content_type = content_type.and_then(rules::kept_content_type);
}

/// The value of a header that may stand only once, decoded as the binding asks: quotes first, then
/// percent-encoding, then UTF-8.
fn value_of(headers: &HeaderMap, name: &str) -> Result<Box<str>, &'static str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next().ok_or("is required")?;
    if values.next().is_some() {
        return Err("is given twice");
    }
    let bytes = percent_decoded(unquoted(value.as_bytes()));
    String::from_utf8(bytes).map(Into::into).map_err(|_| "is not UTF-8 when decoded")
}

fn unquoted(bytes: &[u8]) -> Cow<'_, [u8]> {
    match bytes {
        [b'"', inner @ .., b'"'] => {
            let mut out = Vec::with_capacity(inner.len());
            let mut rest = inner.iter();
            while let Some(byte) = rest.next() {
                let escaped = if *byte == b'\\' { rest.next() } else { None };
                out.push(*escaped.unwrap_or(byte));
            }
            Cow::Owned(out)
        }
        _ => Cow::Borrowed(bytes),
    }
}

/// A percent sign that begins no escape stays what it is: older senders did not encode it.
fn percent_decoded(bytes: Cow<'_, [u8]>) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let escape = bytes.get(at + 1..at + 3).and_then(|digits| {
            let digit = |byte: u8| char::from(byte).to_digit(16);
            Some((digit(digits[0])? * 16 + digit(digits[1])?) as u8)
        });
        match escape {
            Some(byte) if bytes[at] == b'%' => {
                out.push(byte);
                at += 3;
            }
            _ => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    out
}
