//! The CloudEvents HTTP binding (<https://github.com/cloudevents/spec>, version 1.0.2) and our
//! short form: what a request to `POST /api/events` says, as drafts for the engine.
//!
//! The usual request is good, so it is read in one pass that borrows everything and only answers
//! "no" when something is wrong ([`envelope`]). Only then the request is read again, slowly, to
//! find everything that is wrong and where ([`explain`]).

mod binary;
mod envelope;
mod explain;
mod payload;
mod rules;
#[cfg(test)]
mod tests;

use bytes::Bytes;
use evoke_engine::Draft;
use evoke_model::{Code, Problem, Rejection, Timestamp};
use http::HeaderMap;
use http::header::CONTENT_TYPE;

pub use rules::{DELAY_MAX, DEPTH_MAX, EVENTS_MAX, TEXT_BYTES_MAX};

/// How the body is to be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Form {
    /// One CloudEvent.
    Structured,
    /// An array of CloudEvents.
    Batch,
    /// A CloudEvent, the short form, or an array of either.
    Plain,
}

/// Where the attributes are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Mode {
    /// In the body, with the data.
    Json(Form),
    /// In `ce-` headers; the body is the data.
    Binary,
}

/// Reads the events of a request. `now` is what a `delay` counts from.
///
/// # Errors
/// API_005 for another media type, API_001 for a body that is not JSON in UTF-8, EV_001 with
/// everything that is wrong with the events.
pub fn parse(
    headers: &HeaderMap,
    body: &Bytes,
    now: Timestamp,
) -> Result<Vec<Draft>, Box<Rejection>> {
    match mode(headers)? {
        Mode::Json(form) => parse_json(form, body, now),
        Mode::Binary => binary::parse(headers, body)
            .map(|draft| vec![draft])
            .map_err(|problems| Box::new(Rejection::of(Code::InvalidEvent, problems))),
    }
}

fn parse_json(form: Form, body: &Bytes, now: Timestamp) -> Result<Vec<Draft>, Box<Rejection>> {
    let text = match std::str::from_utf8(body) {
        Ok(text) => text,
        Err(error) => return Err(Box::new(explain::invalid_utf8(body, error))),
    };
    envelope::parse(form, text, body, now)
        .map_err(|error| Box::new(explain::explain(form, text, now, &error)))
}

fn mode(headers: &HeaderMap) -> Result<Mode, Box<Rejection>> {
    let content_type = match headers.get(CONTENT_TYPE) {
        None => "",
        Some(value) => value.to_str().unwrap_or("?"),
    };
    // What nearly every sender writes is recognised without looking any closer.
    if content_type == "application/json" && !is_binary(headers) {
        return Ok(Mode::Json(Form::Plain));
    }
    let (media_type, parameters) = content_type.split_once(';').unwrap_or((content_type, ""));
    let media_type = media_type.trim().to_ascii_lowercase();
    let mode = match media_type.as_str() {
        "application/cloudevents+json" => Mode::Json(Form::Structured),
        "application/cloudevents-batch+json" => Mode::Json(Form::Batch),
        other if other.starts_with("application/cloudevents") => {
            return Err(unsupported(content_type, "only the JSON format is supported"));
        }
        _ if is_binary(headers) => return Ok(Mode::Binary),
        "application/json" | "text/json" | "" => Mode::Json(Form::Plain),
        _ => {
            let hint = "send application/json, application/cloudevents+json, \
                        application/cloudevents-batch+json, or the attributes as ce- headers";
            return Err(unsupported(content_type, hint));
        }
    };
    match charset(parameters) {
        None => Ok(mode),
        Some(name) if ["utf-8", "utf8", "us-ascii"].contains(&name.as_str()) => Ok(mode),
        Some(_) => Err(unsupported(content_type, "JSON is sent in UTF-8")),
    }
}

/// Whether the attributes are in headers. One of the required ones is enough, so that a request
/// that lacks another is told so. Looking through the few headers a request has is quicker than
/// looking each name up.
fn is_binary(headers: &HeaderMap) -> bool {
    headers.keys().any(|name| {
        let attribute = name.as_str().strip_prefix("ce-");
        attribute.is_some_and(|name| ["specversion", "type", "id"].contains(&name))
    })
}

fn charset(parameters: &str) -> Option<String> {
    parameters.split(';').find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        let value = value.trim().trim_matches('"');
        name.trim().eq_ignore_ascii_case("charset").then(|| value.to_ascii_lowercase())
    })
}

fn unsupported(content_type: &str, hint: &str) -> Box<Rejection> {
    let shown: String = content_type.chars().take(100).collect();
    let problem = Problem::new("Content-Type", format!("{shown:?} cannot be read as events"));
    Box::new(Rejection::of(Code::MediaType, vec![problem.suggest(hint)]))
}
