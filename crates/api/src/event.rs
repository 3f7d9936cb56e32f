//! Events of the log.

use std::collections::BTreeMap;

use evoke_engine::Emitted;
use evoke_model::event::Attribute;
use evoke_model::{EventId, ExecutionId, Timestamp, TriggerId};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::{payload, schemas};

/// An event as the log has it. Ask for `application/cloudevents+json` to get the CloudEvent itself.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Event {
    /// Where it stands in the log.
    #[schema(value_type = String, example = "evt_01j9z3k5m7n8p")]
    pub id: EventId,
    /// The CloudEvents `id` of the sender, where it gave one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sender_id: Option<String>,
    /// What happened.
    #[serde(rename = "type")]
    pub kind: String,
    /// Where it happened.
    pub source: String,
    /// What it happened to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// When it happened, by the sender's clock if it told.
    #[schema(schema_with = schemas::time)]
    pub time: Timestamp,
    /// When it was accepted.
    #[schema(schema_with = schemas::time)]
    pub accepted_at: Timestamp,
    /// Not delivered before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schemas::time, required = false)]
    pub due_at: Option<Timestamp>,
    /// Media type of the data; JSON if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// The schema the sender says the data follows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_schema: Option<String>,
    /// The payload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schemas::any, required = false)]
    pub data: Option<Box<RawValue>>,
    /// The payload where it is not text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_base64: Option<String>,
    /// Other attributes of the sender.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub extensions: BTreeMap<String, Value>,
    /// First in, first out among events with the same key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ordering_key: Option<String>,
    /// W3C trace context.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// The first event of the chain of causes; `null` when this is it.
    #[schema(value_type = Option<String>)]
    pub root_id: Option<EventId>,
    /// The execution whose function sent the event.
    #[schema(value_type = Option<String>)]
    pub cause_id: Option<ExecutionId>,
    /// Executions between the root and this event.
    pub depth: u16,
    /// The triggers on the way here, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<String>)]
    pub chain: Vec<TriggerId>,
    /// The sender marked it as a test.
    pub is_test_run: bool,
    /// The event this one repeats, where it is part of a replay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub replay_of: Option<EventId>,
}

impl From<&evoke_model::Event> for Event {
    fn from(event: &evoke_model::Event) -> Self {
        let data = payload::json(&event.data);
        Self { data, data_base64: payload::bytes(&event.data), ..Self::without_data(event) }
    }
}

impl Event {
    /// The event without its payload.
    pub fn without_data(event: &evoke_model::Event) -> Self {
        let text = |text: &Option<Box<str>>| text.as_deref().map(str::to_owned);
        let lineage = event.lineage.as_deref();
        let extensions = event.extensions.iter().flat_map(|extensions| extensions.iter());
        Self {
            id: event.id,
            sender_id: text(&event.sender_id),
            kind: event.kind.to_string(),
            source: event.source.to_string(),
            subject: text(&event.subject),
            time: event.time,
            accepted_at: event.id.made_at(),
            due_at: event.due,
            content_type: text(&event.content_type),
            data_schema: text(&event.data_schema),
            data: None,
            data_base64: None,
            extensions: extensions.map(|(name, value)| (name.to_string(), json(value))).collect(),
            ordering_key: text(&event.ordering_key),
            traceparent: text(&event.traceparent),
            root_id: lineage.and_then(|lineage| lineage.root),
            cause_id: lineage.and_then(|lineage| lineage.cause),
            depth: event.depth(),
            chain: lineage.map(|lineage| lineage.chain.clone()).unwrap_or_default(),
            is_test_run: event.is_test_run,
            replay_of: event.replay_of,
        }
    }
}

fn json(attribute: &Attribute) -> Value {
    match attribute {
        Attribute::Bool(flag) => Value::Bool(*flag),
        Attribute::Int(number) => Value::from(*number),
        Attribute::Text(text) => Value::String(text.to_string()),
    }
}

/// An event in the short form.
#[derive(ToSchema)]
#[schema(example = json!({ "type": "order.created", "data": { "total": 129.95 } }))]
pub struct ShortEvent {
    /// What happened.
    #[serde(rename = "type")]
    #[schema(min_length = 1, max_length = 1024)]
    pub kind: String,
    /// Where it happened; `/api/events` if not given.
    #[schema(min_length = 1, max_length = 1024)]
    pub source: Option<String>,
    /// What it happened to.
    #[schema(min_length = 1, max_length = 1024)]
    pub subject: Option<String>,
    /// The payload: any JSON.
    #[schema(schema_with = schemas::any, required = false)]
    pub data: Value,
    /// An id of the sender's: an event with the same source and id is taken only once.
    #[schema(min_length = 1, max_length = 1024)]
    pub id: Option<String>,
    /// First in, first out among events with the same key, for triggers with `order_by`.
    #[schema(min_length = 1, max_length = 1024)]
    pub ordering_key: Option<String>,
    /// When it happened.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub time: Option<Timestamp>,
    /// Deliver not before; at most a year away.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub deliver_at: Option<Timestamp>,
    /// Deliver so long from now: `250ms`, `30s`, `5m`, or a number of seconds.
    #[schema(example = "5m")]
    pub delay: Option<String>,
}

/// An event in the JSON format of CloudEvents 1.0. Other attributes may stand beside these: names
/// of 1 to 20 lower-case letters and digits; texts, booleans and 32-bit integers.
#[derive(ToSchema)]
pub struct CloudEvent {
    /// `1.0`.
    #[schema(example = "1.0", pattern = "^1\\.0$")]
    pub specversion: String,
    /// An event with the same source and id is taken only once.
    #[schema(min_length = 1, max_length = 1024)]
    pub id: String,
    /// Where it happened.
    #[schema(min_length = 1, max_length = 1024)]
    pub source: String,
    /// What happened.
    #[serde(rename = "type")]
    #[schema(min_length = 1, max_length = 1024)]
    pub kind: String,
    /// What it happened to.
    #[schema(min_length = 1, max_length = 1024)]
    pub subject: Option<String>,
    /// When it happened.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub time: Option<Timestamp>,
    /// Media type of the data; JSON if not given.
    #[schema(example = "application/json")]
    pub datacontenttype: Option<String>,
    /// The schema the data follows.
    pub dataschema: Option<String>,
    /// The payload: any JSON.
    #[schema(schema_with = schemas::any, required = false)]
    pub data: Value,
    /// The payload in base64, in the place of `data`.
    #[schema(format = Byte)]
    pub data_base64: Option<String>,
}

/// The answer to accepted events.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EventsAccepted {
    /// Their ids, in the order they were sent.
    #[schema(value_type = Vec<String>)]
    pub ids: Vec<EventId>,
    /// Places in `ids` of events that were accepted before under the same id or key: these started
    /// nothing new.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub duplicates: Vec<usize>,
}

/// The answer to a webhook that was taken.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EventAccepted {
    /// The event it is in the log.
    #[schema(value_type = String)]
    pub event_id: EventId,
    /// It was sent before: the event is that of the first time, and nothing new was started.
    #[serde(default, skip_serializing_if = "is_false")]
    pub duplicate: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes fields by reference")]
fn is_false(flag: &bool) -> bool {
    !flag
}

impl EventsAccepted {
    /// The answer as JSON text, written without a detour: it is made for every event.
    pub fn write(emitted: &[Emitted]) -> Vec<u8> {
        let mut out = Vec::with_capacity(32 + emitted.len() * 24);
        out.extend_from_slice(b"{\"ids\":[");
        for (index, event) in emitted.iter().enumerate() {
            out.extend_from_slice(if index == 0 { b"\"" } else { b",\"" });
            out.extend_from_slice(event.id.to_string().as_bytes());
            out.push(b'"');
        }
        out.push(b']');
        let mut before = ",\"duplicates\":[";
        for (index, _) in emitted.iter().enumerate().filter(|(_, event)| event.is_duplicate) {
            out.extend_from_slice(before.as_bytes());
            out.extend_from_slice(index.to_string().as_bytes());
            before = ",";
        }
        if before == "," {
            out.push(b']');
        }
        out.push(b'}');
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_written_by_hand_is_the_answer() {
        let emitted = |flags: &[bool]| -> Vec<Emitted> {
            let event = |(index, is_duplicate): (usize, &bool)| Emitted {
                id: EventId::from_u64(index as u64 + 1),
                is_duplicate: *is_duplicate,
            };
            flags.iter().enumerate().map(event).collect()
        };
        for flags in [&[][..], &[false], &[true], &[false, true, false, true]] {
            let events = emitted(flags);
            let expected = EventsAccepted {
                ids: events.iter().map(|event| event.id).collect(),
                duplicates: (0..flags.len()).filter(|index| flags[*index]).collect(),
            };
            let text = EventsAccepted::write(&events);
            assert_eq!(text, serde_json::to_vec(&expected).expect("json"));
        }
    }
}
