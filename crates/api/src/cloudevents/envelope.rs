//! The quick reader: one pass over the text, everything borrowed, drafts at the end. It stops at
//! the first thing that is wrong; what it was is for [`super::explain`] to say.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use evoke_engine::Draft;
use evoke_model::event::{Attribute, Extensions};
use evoke_model::{Data, Millis, Timestamp};
use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::rules::{self, EVENTS_MAX};
use super::{Form, payload};
use crate::trace::is_traceparent;

/// Reads the events of a JSON body.
///
/// # Errors
/// Where the reader stopped; only good for a log or as a last resort.
pub(super) fn parse(
    form: Form,
    text: &str,
    body: &Bytes,
    now: Timestamp,
) -> Result<Vec<Draft>, serde_json::Error> {
    let is_array = text.bytes().find(|byte| !byte.is_ascii_whitespace()) == Some(b'[');
    let context = Context { form, body, now };
    match (is_array, form) {
        (true, Form::Structured) => Err(de::Error::custom("expected one event")),
        (false, Form::Batch) => Err(de::Error::custom("expected an array of events")),
        (true, _) => {
            let mut reader = serde_json::Deserializer::from_str(text);
            let drafts = reader.deserialize_seq(Events(context))?;
            reader.end()?;
            Ok(drafts)
        }
        (false, _) => {
            let envelope: Envelope<'_> = serde_json::from_str(text)?;
            let draft = envelope.draft(&context).ok_or_else(refused)?;
            Ok(vec![draft])
        }
    }
}

fn refused<E: de::Error>() -> E {
    E::custom("an event breaks a rule")
}

struct Context<'a> {
    form: Form,
    body: &'a Bytes,
    now: Timestamp,
}

/// Turns each event into its draft as it comes, so that a body of millions of tiny events takes no
/// more memory than the allowed number.
struct Events<'a>(Context<'a>);

impl<'de> Visitor<'de> for Events<'_> {
    type Value = Vec<Draft>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of events")
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut events: S) -> Result<Vec<Draft>, S::Error> {
        let mut drafts = Vec::new();
        while let Some(envelope) = events.next_element::<Envelope<'de>>()? {
            if drafts.len() == EVENTS_MAX {
                return Err(de::Error::custom("too many events"));
            }
            drafts.push(envelope.draft(&self.0).ok_or_else(refused)?);
        }
        Ok(drafts)
    }
}

/// The members of an event, not yet looked at.
#[derive(Default)]
struct Envelope<'a> {
    specversion: Option<Cow<'a, str>>,
    id: Option<Cow<'a, str>>,
    source: Option<Cow<'a, str>>,
    kind: Option<Cow<'a, str>>,
    subject: Option<Cow<'a, str>>,
    time: Option<Cow<'a, str>>,
    content_type: Option<Cow<'a, str>>,
    data: Option<&'a RawValue>,
    ordering_key: Option<Cow<'a, str>>,
    deliver_at: Option<Cow<'a, str>>,
    delay: Option<&'a RawValue>,
    /// What is rare: other attributes, base64 data, extensions.
    others: Vec<(Cow<'a, str>, &'a RawValue)>,
}

impl<'de: 'a, 'a> Deserialize<'de> for Envelope<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Envelope<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an event")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Envelope<'de>, M::Error> {
                let mut envelope = Envelope::default();
                while let Some(Text(Some(name))) = map.next_key()? {
                    let slot = match name.as_ref() {
                        "type" => &mut envelope.kind,
                        "source" => &mut envelope.source,
                        "subject" => &mut envelope.subject,
                        "id" => &mut envelope.id,
                        "specversion" => &mut envelope.specversion,
                        "time" => &mut envelope.time,
                        "datacontenttype" => &mut envelope.content_type,
                        "ordering_key" => &mut envelope.ordering_key,
                        "deliver_at" => &mut envelope.deliver_at,
                        "data" => {
                            put(&mut envelope.data, map.next_value()?)?;
                            continue;
                        }
                        "delay" => {
                            put(&mut envelope.delay, map.next_value()?)?;
                            continue;
                        }
                        _ => {
                            envelope.others.push((name, map.next_value()?));
                            continue;
                        }
                    };
                    let Text(value) = map.next_value()?;
                    if let Some(value) = value {
                        put(slot, value)?;
                    }
                }
                Ok(envelope)
            }
        }
        deserializer.deserialize_map(Members)
    }
}

fn put<T, E: de::Error>(slot: &mut Option<T>, value: T) -> Result<(), E> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(E::custom("a member is given twice")),
    }
}

/// A string, borrowed where it has no escapes, or `null`, which CloudEvents takes for "not given".
struct Text<'a>(Option<Cow<'a, str>>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Borrow;
        impl<'de> Visitor<'de> for Borrow {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Some(Cow::Borrowed(text))))
            }
            fn visit_str<E>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Some(Cow::Owned(text.to_owned()))))
            }
            fn visit_unit<E>(self) -> Result<Text<'de>, E> {
                Ok(Text(None))
            }
        }
        deserializer.deserialize_any(Borrow)
    }
}

impl Envelope<'_> {
    /// The draft; `None` when a rule is broken.
    fn draft(mut self, context: &Context<'_>) -> Option<Draft> {
        let mut draft = Draft {
            id: text(self.id)?,
            source: text(self.source)?,
            kind: text(self.kind)??,
            subject: text(self.subject)?,
            ..Draft::default()
        };
        if let Some(time) = self.time {
            draft.time = Some(time.parse().ok()?);
        }
        if self.specversion.is_none() && context.form == Form::Plain {
            if self.content_type.is_some() || !self.others.is_empty() {
                return None;
            }
            draft.ordering_key = text(self.ordering_key)?;
            draft.due = due(self.deliver_at.as_deref(), self.delay, context.now)?;
        } else {
            let has_short_field = self.ordering_key.is_some() || self.deliver_at.is_some();
            let is_complete = draft.id.is_some() && draft.source.is_some();
            if self.specversion.as_deref() != Some("1.0") || has_short_field || !is_complete {
                return None;
            }
            // To a CloudEvent this is a name like any other.
            self.others.extend(self.delay.map(|raw| (Cow::Borrowed("delay"), raw)));
            attributes(&mut draft, self.others)?;
        }
        if let Some(kind) = &self.content_type {
            if rules::text_fault(kind).is_some() || !rules::is_media_type(kind) {
                return None;
            }
            draft.content_type = rules::kept_content_type(kind);
        }
        if let Some(raw) = self.data {
            if draft.data != Data::None {
                return None;
            }
            let kind = self.content_type.as_deref();
            draft.data = payload::from_json(kind, raw.get(), context.body)?;
        }
        Some(draft)
    }
}

/// The text of an attribute, checked. The outer `None` means that it breaks a rule.
fn text(text: Option<Cow<'_, str>>) -> Option<Option<Box<str>>> {
    match text {
        None => Some(None),
        Some(text) if rules::text_fault(&text).is_none() => Some(Some(text.into())),
        Some(_) => None,
    }
}

/// When the short form wants the event delivered. The outer `None` means that it breaks a rule.
fn due(at: Option<&str>, delay: Option<&RawValue>, now: Timestamp) -> Option<Option<Timestamp>> {
    let delay = delay.filter(|raw| raw.get() != "null");
    let due = match (at, delay) {
        (None, None) => return Some(None),
        (Some(_), Some(_)) => return None,
        (Some(at), None) => at.parse().ok()?,
        (None, Some(delay)) => now.plus(serde_json::from_str::<Millis>(delay.get()).ok()?),
    };
    (due <= now.plus(rules::DELAY_MAX)).then_some(Some(due))
}

/// Fills in the rare attributes and the extensions; `None` when a rule is broken.
fn attributes(draft: &mut Draft, others: Vec<(Cow<'_, str>, &RawValue)>) -> Option<()> {
    for (name, raw) in others {
        if raw.get() == "null" {
            continue;
        }
        match name.as_ref() {
            "data_base64" => {
                let text: Cow<'_, str> = serde_json::from_str(raw.get()).ok()?;
                if draft.data != Data::None {
                    return None;
                }
                draft.data = payload::from_base64(&text)?;
            }
            "dataschema" => once(&mut draft.data_schema, string(raw.get())?)?,
            "orderingkey" => once(&mut draft.ordering_key, string(raw.get())?)?,
            "traceparent" => {
                let text = string(raw.get())?;
                if is_traceparent(&text) {
                    once(&mut draft.traceparent, text)?;
                }
            }
            name if rules::is_lineage(name) => {}
            name if rules::is_extension_name(name) => {
                let extensions: &mut Extensions = draft.extensions.get_or_insert_default();
                if extensions.insert(name.into(), attribute(raw.get())?).is_some() {
                    return None;
                }
            }
            _ => return None,
        }
    }
    Some(())
}

fn once(slot: &mut Option<Box<str>>, text: Box<str>) -> Option<()> {
    slot.replace(text).is_none().then_some(())
}

fn string(raw: &str) -> Option<Box<str>> {
    let text: Box<str> = serde_json::from_str(raw).ok()?;
    rules::text_fault(&text).is_none().then_some(text)
}

/// The value of an extension: CloudEvents allows texts, booleans and 32-bit integers.
pub(super) fn attribute(raw: &str) -> Option<Attribute> {
    match raw.as_bytes().first()? {
        b'"' => string(raw).map(Attribute::Text),
        b't' => Some(Attribute::Bool(true)),
        b'f' => Some(Attribute::Bool(false)),
        _ => raw.parse().ok().map(Attribute::Int),
    }
}
