//! What a request says: of one event, or of several in one call.

use std::sync::Arc;

use evoke_model::{Code, Event, Failure, Timestamp};
use evoke_ports::Job;
use http::header::{self, HeaderName};
use http::{HeaderMap, HeaderValue, Method};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::config::Config;
use super::template::Template;

/// Bytes of the digest that tells batches apart: no two batches of one trigger will ever share it.
const DIGEST_BYTES: usize = 8;

/// The events of a call.
#[derive(Clone, Copy)]
pub(super) enum Content<'a> {
    /// One, as itself.
    Event(&'a Event),
    /// A list, also where it holds only one.
    Batch(&'a [Arc<Event>]),
}

/// A request but for its URL.
pub(super) struct Parts {
    pub(super) headers: HeaderMap,
    pub(super) body: Option<Vec<u8>>,
}

/// Makes the request for an attempt that begins now.
///
/// # Errors
/// The body cannot be made of these events. It could not the next time either.
pub(super) fn parts(
    config: &Config,
    job: &Job,
    content: Content<'_>,
    now: Timestamp,
) -> Result<Parts, Failure> {
    let body = match &config.body {
        Some(template) => Some(render(template, job, content)?),
        None if is_bare(&config.method) => None,
        None => Some(content.cloud_events()),
    };
    let id = content.message_id(job);
    let mut ours = our_headers(job, content, &id);
    if let Some(signing) = &config.signing {
        ours.extend(signing.headers(&id, now, body.as_deref().unwrap_or_default())?);
    }
    let media_type = match (&config.body, &body) {
        (Some(_), _) => Some("application/json"),
        (None, Some(_)) => Some(content.media_type()),
        (None, None) => None,
    };
    ours.extend(media_type.map(|media_type| (header::CONTENT_TYPE, media_type.to_owned())));
    Ok(Parts { headers: merged(&config.headers, ours), body })
}

/// Methods that have no body of their own.
fn is_bare(method: &Method) -> bool {
    *method == Method::GET || *method == Method::HEAD
}

impl Content<'_> {
    /// The events in the JSON format of CloudEvents.
    fn cloud_events(self) -> Vec<u8> {
        let events = match self {
            Self::Event(event) => {
                let mut out = Vec::with_capacity(event.data.len() + 512);
                event.write_json(&mut out);
                return out;
            }
            Self::Batch(events) => events,
        };
        let mut out = vec![b'['];
        for (place, event) in events.iter().enumerate() {
            if place > 0 {
                out.push(b',');
            }
            event.write_json(&mut out);
        }
        out.push(b']');
        out
    }

    fn media_type(self) -> &'static str {
        match self {
            Self::Event(_) => "application/cloudevents+json; charset=utf-8",
            Self::Batch(_) => "application/cloudevents-batch+json; charset=utf-8",
        }
    }

    /// Names what is sent: the same for each attempt, so that the other side can tell a repetition.
    /// A batch may come back with other events behind its first one, and is another message then.
    fn message_id(self, job: &Job) -> String {
        let execution = job.execution.to_string();
        match self {
            Self::Batch(events) if events.len() > 1 => {
                let mut digest = Sha256::new();
                for event in events {
                    digest.update(event.id.as_u64().to_be_bytes());
                }
                let digest = digest.finalize();
                format!("{execution}-{}", hex::encode(&digest[..DIGEST_BYTES]))
            }
            _ => execution,
        }
    }
}

fn our_headers(job: &Job, content: Content<'_>, id: &str) -> Vec<(HeaderName, String)> {
    let mut headers = vec![
        (HeaderName::from_static("evoke-attempt"), job.attempt.to_string()),
        (HeaderName::from_static("evoke-execution"), job.execution.to_string()),
        (HeaderName::from_static("idempotency-key"), id.to_owned()),
    ];
    if let Content::Event(event) = content {
        headers.push((HeaderName::from_static("evoke-event"), event.public_id()));
    }
    if let Some(traceparent) = &job.event.traceparent {
        headers.push((HeaderName::from_static("traceparent"), traceparent.to_string()));
    }
    headers
}

/// Headers of the trigger, and ours where it does not set them itself.
fn merged(own: &HeaderMap, ours: Vec<(HeaderName, String)>) -> HeaderMap {
    let mut headers = own.clone();
    for (name, value) in ours {
        if let Ok(value) = HeaderValue::from_str(&value)
            && !own.contains_key(&name)
        {
            headers.insert(name, value);
        }
    }
    headers
}

/// A template that fails for an event fails for it again, so there is no other attempt.
fn render(template: &Template, job: &Job, content: Content<'_>) -> Result<Vec<u8>, Failure> {
    let hint = match content {
        Content::Event(_) => "",
        Content::Batch(_) => " (a batch is the list `events`, there is no `event`)",
    };
    let refuse = |message: String| {
        Failure::new(Code::TargetFailed, format!("the body template: {message}{hint}")).for_good()
    };
    let events: Value = serde_json::from_slice(&content.cloud_events())
        .map_err(|error| refuse(error.to_string()))?;
    let mut values = json!({
        "execution": { "id": job.execution.to_string(), "attempt": job.attempt },
        "trigger": { "name": job.trigger.name, "kind": job.trigger.kind },
    });
    match content {
        Content::Event(_) => values["event"] = events,
        Content::Batch(_) => values["events"] = events,
    }
    template.render(&values).map_err(refuse)
}
