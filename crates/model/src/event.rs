//! Events: immutable CloudEvents 1.0 records (<https://github.com/cloudevents/spec>).

use std::collections::BTreeMap;

use crate::data::Data;
use crate::id::{EventId, ExecutionId, TriggerId};
use crate::time::Timestamp;

/// A value of an extension attribute: CloudEvents allows these and no nested ones.
#[derive(Clone, PartialEq, Debug, serde::Serialize, serde::Deserialize)]
#[serde(tag = "t", content = "v")]
pub enum Attribute {
    /// A boolean.
    Bool(bool),
    /// A 32-bit integer.
    Int(i32),
    /// Everything else is text.
    Text(Box<str>),
}

/// Extension attributes by name (lower-case ASCII letters and digits).
pub type Extensions = BTreeMap<Box<str>, Attribute>;

/// Where an event came from in the chain of causes.
#[derive(Clone, PartialEq, Eq, Debug, Default, serde::Serialize, serde::Deserialize)]
pub struct Lineage {
    /// The first event of the chain; `None` when this is it.
    pub root: Option<EventId>,
    /// The execution whose function caused the event.
    pub cause: Option<ExecutionId>,
    /// How many executions stand between the root and this event.
    pub depth: u16,
    /// The triggers on the way here, oldest first: a trigger does not fire on its own effect.
    pub chain: Vec<TriggerId>,
}

/// What happened. Immutable once accepted.
#[derive(Clone, PartialEq, Debug)]
pub struct Event {
    /// Our id: where the event stands in the log.
    pub id: EventId,
    /// The CloudEvents `id` of the sender; `None` where we named the event.
    pub sender_id: Option<Box<str>>,
    /// CloudEvents `source`.
    pub source: Box<str>,
    /// CloudEvents `type`.
    pub kind: Box<str>,
    /// CloudEvents `subject`.
    pub subject: Option<Box<str>>,
    /// CloudEvents `time`: when it happened, by the sender's clock if it told.
    pub time: Timestamp,
    /// CloudEvents `datacontenttype`; `None` means `application/json`.
    pub content_type: Option<Box<str>>,
    /// CloudEvents `dataschema`.
    pub data_schema: Option<Box<str>>,
    /// CloudEvents `data`.
    pub data: Data,
    /// Extension attributes of the sender.
    pub extensions: Option<Box<Extensions>>,
    /// Causality; `None` for a root event.
    pub lineage: Option<Box<Lineage>>,
    /// W3C trace context.
    pub traceparent: Option<Box<str>>,
    /// The sender's ordering key.
    pub ordering_key: Option<Box<str>>,
    /// When the executions are due; `None` means at once.
    pub due: Option<Timestamp>,
    /// The caller asked for a test run.
    pub is_test_run: bool,
    /// The event of the log this one repeats, if it is part of a replay.
    pub replay_of: Option<EventId>,
}

impl Event {
    /// The CloudEvents `id` a function or reader sees.
    pub fn public_id(&self) -> String {
        match &self.sender_id {
            Some(id) => id.to_string(),
            None => self.id.to_string(),
        }
    }

    /// How deep in a chain of causes the event is.
    pub fn depth(&self) -> u16 {
        self.lineage.as_ref().map_or(0, |lineage| lineage.depth)
    }

    /// The first event of the chain.
    pub fn root(&self) -> EventId {
        self.lineage.as_ref().and_then(|lineage| lineage.root).unwrap_or(self.id)
    }

    /// Whether the payload is JSON.
    pub fn is_json(&self) -> bool {
        matches!(self.data, Data::Json(_) | Data::None)
    }

    /// Appends the event in the CloudEvents JSON format (structured mode), as functions get it. The
    /// payload is copied, not parsed.
    pub fn write_json(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"specversion\":\"1.0\",\"id\":");
        match &self.sender_id {
            Some(id) => write_str(out, id),
            None => write_str(out, &self.id.to_string()),
        }
        write_field(out, "source", &self.source);
        write_field(out, "type", &self.kind);
        if let Some(subject) = &self.subject {
            write_field(out, "subject", subject);
        }
        write_field(out, "time", &self.time.to_string());
        if !matches!(self.data, Data::None) {
            write_field(
                out,
                "datacontenttype",
                self.content_type.as_deref().unwrap_or("application/json"),
            );
        }
        if let Some(schema) = &self.data_schema {
            write_field(out, "dataschema", schema);
        }
        self.write_extensions(out);
        match &self.data {
            Data::None => {}
            Data::Json(json) => {
                out.extend_from_slice(b",\"data\":");
                out.extend_from_slice(json);
            }
            Data::Text(text) => {
                out.extend_from_slice(b",\"data\":");
                write_str(out, &String::from_utf8_lossy(text));
            }
            Data::Binary(bytes) => {
                write_field(out, "data_base64", &base64(bytes));
            }
        }
        out.push(b'}');
    }

    fn write_extensions(&self, out: &mut Vec<u8>) {
        if let Some(lineage) = &self.lineage {
            if let Some(root) = lineage.root {
                write_field(out, "rootid", &root.to_string());
            }
            if let Some(cause) = lineage.cause {
                write_field(out, "causationid", &cause.to_string());
            }
            out.extend_from_slice(b",\"depth\":");
            out.extend_from_slice(lineage.depth.to_string().as_bytes());
        }
        if let Some(traceparent) = &self.traceparent {
            write_field(out, "traceparent", traceparent);
        }
        if let Some(key) = &self.ordering_key {
            write_field(out, "orderingkey", key);
        }
        if let Some(original) = self.replay_of {
            write_field(out, "replayof", &original.to_string());
        }
        for (name, value) in self.extensions.iter().flat_map(|extensions| extensions.iter()) {
            match value {
                Attribute::Text(text) => write_field(out, name, text),
                Attribute::Bool(flag) => write_raw(out, name, if *flag { "true" } else { "false" }),
                Attribute::Int(number) => write_raw(out, name, &number.to_string()),
            }
        }
    }
}

fn write_raw(out: &mut Vec<u8>, name: &str, value: &str) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
    out.extend_from_slice(value.as_bytes());
}

fn write_field(out: &mut Vec<u8>, name: &str, value: &str) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
    write_str(out, value);
}

/// Appends a JSON string. Text without anything to escape, nearly all of it, is copied whole.
pub fn write_str(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    if text.bytes().all(|byte| byte >= 0x20 && byte != b'"' && byte != b'\\') {
        out.extend_from_slice(text.as_bytes());
    } else {
        for c in text.chars() {
            match c {
                '"' => out.extend_from_slice(b"\\\""),
                '\\' => out.extend_from_slice(b"\\\\"),
                '\n' => out.extend_from_slice(b"\\n"),
                c if (c as u32) < 0x20 => {
                    out.extend_from_slice(format!("\\u{:04x}", c as u32).as_bytes());
                }
                c => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
    }
    out.push(b'"');
}

/// Standard base64 with padding (RFC 4648 section 4), as CloudEvents' `data_base64` asks.
pub fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let word = (u32::from(chunk[0]) << 16)
            | (u32::from(chunk.get(1).copied().unwrap_or(0)) << 8)
            | u32::from(chunk.get(2).copied().unwrap_or(0));
        for position in 0..4 {
            if position <= chunk.len() {
                out.push(DIGITS[(word >> (18 - 6 * position)) as usize & 63] as char);
            } else {
                out.push('=');
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_padded() {
        for (bytes, text) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v")] {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
    }

    #[test]
    fn strings_are_escaped_as_json_wants() {
        for text in ["plain", "quo\"te", "back\\slash", "new\nline", "bell\u{7}", "ünï"] {
            let mut out = Vec::new();
            write_str(&mut out, text);
            assert_eq!(serde_json::from_slice::<String>(&out).ok().as_deref(), Some(text));
        }
    }
}
