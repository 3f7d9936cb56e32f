//! The slow reader: called when the quick one said no, it finds everything that is wrong and where.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use evoke_model::suggest::did_you_mean;
use evoke_model::{Code, Millis, Problem, Rejection, Timestamp, suggest};
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::rules::{self, CLOUD_EVENT_FIELDS, EVENTS_MAX, SHORT_FIELDS};
use super::{Form, payload};

/// Problems in one answer: who sends a thousand broken events needs not hear of each.
const PROBLEMS_MAX: usize = 100;

/// The refusal of a body that is not UTF-8.
pub(super) fn invalid_utf8(body: &[u8], error: std::str::Utf8Error) -> Rejection {
    let before = &body[..error.valid_up_to()];
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    let column = before.iter().rev().take_while(|byte| **byte != b'\n').count() + 1;
    Rejection::of(
        Code::InvalidRequest,
        vec![Problem::new("", format!("The body is not UTF-8: line {line} column {column}"))],
    )
}

/// The refusal of a body the quick reader stopped at with `error`.
pub(super) fn explain(
    form: Form,
    text: &str,
    now: Timestamp,
    error: &serde_json::Error,
) -> Rejection {
    if let Err(error) = serde_json::from_str::<IgnoredAny>(text) {
        let what = if text.trim().is_empty() {
            "The body is empty".to_owned()
        } else {
            format!("The body is malformed JSON: {error}")
        };
        return Rejection::of(Code::InvalidRequest, vec![Problem::new("", what)]);
    }
    let mut problems = match (text.trim_start().starts_with('['), form) {
        (true, Form::Structured) => vec![
            Problem::new("", "expected one event, got an array")
                .suggest("send application/cloudevents-batch+json"),
        ],
        (false, Form::Batch) => vec![
            Problem::new("", "expected an array of events")
                .suggest("send application/cloudevents+json"),
        ],
        (true, _) => match serde_json::from_str::<Batch>(text) {
            Ok(Batch(count)) => of_batch(count, form, text, now),
            Err(error) => vec![Problem::new("", error.to_string())],
        },
        (false, _) => of_event(form, "", text, now),
    };
    if problems.is_empty() {
        problems.push(Problem::new("", error.to_string()));
    }
    Rejection::of(Code::InvalidEvent, problems)
}

/// How many events there are.
struct Batch(usize);

fn of_batch(count: usize, form: Form, text: &str, now: Timestamp) -> Vec<Problem> {
    if count > EVENTS_MAX {
        let what = format!("at most {EVENTS_MAX} events in one request, got {count}");
        return vec![Problem::new("events", what)];
    }
    let events: Vec<&RawValue> = serde_json::from_str(text).unwrap_or_default();
    let mut problems = Vec::new();
    for (index, event) in events.iter().enumerate() {
        problems.extend(of_event(form, &format!("events[{index}]"), event.get(), now));
        if problems.len() > PROBLEMS_MAX {
            problems.truncate(PROBLEMS_MAX);
            problems.push(Problem::new("events", "and more: only the first are listed"));
            break;
        }
    }
    problems
}

impl<'de> Deserialize<'de> for Batch {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Count;
        impl<'de> Visitor<'de> for Count {
            type Value = Batch;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array of events")
            }
            fn visit_seq<S: SeqAccess<'de>>(self, mut events: S) -> Result<Batch, S::Error> {
                let mut count = 0;
                while events.next_element::<IgnoredAny>()?.is_some() {
                    count += 1;
                }
                Ok(Batch(count))
            }
        }
        deserializer.deserialize_seq(Count)
    }
}

/// The members of an object in their order, those given twice included.
struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = Members<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an event")
            }
            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Members<'de>, M::Error> {
                let mut members = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, &'de RawValue>()? {
                    members.push((Cow::Owned(name), value));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Collect)
    }
}

fn of_event(form: Form, prefix: &str, text: &str, now: Timestamp) -> Vec<Problem> {
    let members = match serde_json::from_str::<Members<'_>>(text) {
        Ok(Members(members)) => members,
        Err(_) if !text.trim_start().starts_with('{') => {
            let what = format!("expected an event, got {}", kind_of(text.trim_start()));
            return vec![Problem::new(prefix, what)];
        }
        Err(error) => return vec![Problem::new(prefix, error.to_string())],
    };
    let is_cloud_event = form != Form::Plain
        || members.iter().any(|(name, raw)| name == "specversion" && raw.get() != "null");
    let mut look = Look { prefix, members: &members, problems: Vec::new() };
    if is_cloud_event {
        look.at_cloud_event();
    } else {
        look.at_short_form(now);
    }
    look.problems
}

struct Look<'a> {
    prefix: &'a str,
    members: &'a [(Cow<'a, str>, &'a RawValue)],
    problems: Vec<Problem>,
}

impl<'a> Look<'a> {
    fn add(&mut self, name: &str, what: impl Into<String>) {
        self.problems.push(Problem::new(self.path(name), what));
    }

    fn suggest(&mut self, name: &str, what: impl Into<String>, hint: impl Into<String>) {
        self.problems.push(Problem::new(self.path(name), what).suggest(hint));
    }

    fn path(&self, name: &str) -> String {
        let name: String = name.chars().take(64).collect();
        if self.prefix.is_empty() { name } else { format!("{}.{name}", self.prefix) }
    }

    fn get(&self, name: &str) -> Option<&'a str> {
        let (_, raw) = self.members.iter().find(|(known, _)| known == name)?;
        (raw.get() != "null" || name == "data").then_some(raw.get())
    }

    fn at_cloud_event(&mut self) {
        self.at_doubles();
        if let Some(version) = self.text("specversion")
            && version != "1.0"
        {
            let what = format!("{version:?} is not supported");
            self.suggest("specversion", what, "send \"1.0\"");
        }
        self.require(&["specversion", "id", "source", "type"]);
        for name in ["id", "source", "type", "subject", "dataschema", "traceparent", "orderingkey"]
        {
            self.text(name);
        }
        self.at_time("time");
        if let Some(kind) = self.text("datacontenttype")
            && !rules::is_media_type(&kind)
        {
            self.add("datacontenttype", "is not a media type");
        }
        self.at_data();
        for (name, raw) in self.members {
            if !CLOUD_EVENT_FIELDS.contains(&name.as_ref()) {
                self.at_extension(name, raw.get());
            }
        }
    }

    fn at_short_form(&mut self, now: Timestamp) {
        self.at_doubles();
        self.require(&["type"]);
        for name in ["type", "source", "subject", "id", "ordering_key"] {
            self.text(name);
        }
        self.at_time("time");
        if self.at_time("deliver_at").is_some_and(|at| at > now.plus(rules::DELAY_MAX)) {
            self.add("deliver_at", format!("is more than {} away", rules::DELAY_MAX));
        }
        self.at_delay();
        self.at_data();
        for (name, _) in self.members {
            let name = name.as_ref();
            if SHORT_FIELDS.contains(&name) {
                continue;
            }
            let hint = match suggest::nearest(name, SHORT_FIELDS) {
                None if CLOUD_EVENT_FIELDS.contains(&name) => {
                    "add \"specversion\": \"1.0\" to send a CloudEvent".to_owned()
                }
                _ => did_you_mean(name, SHORT_FIELDS),
            };
            self.suggest(name, "is not a field of an event", hint);
        }
    }

    fn at_doubles(&mut self) {
        let mut counts = BTreeMap::<&str, usize>::new();
        for (name, _) in self.members {
            let count = counts.entry(name).or_default();
            *count += 1;
            if *count == 2 {
                self.add(name, "is given twice");
            }
        }
    }

    fn require(&mut self, names: &[&str]) {
        for name in names {
            if self.get(name).is_none() {
                let hint = (*name == "type").then(|| self.nearest_member(name)).flatten();
                match hint {
                    Some(hint) => self.suggest(name, "is required", hint),
                    None => self.add(name, "is required"),
                }
            }
        }
    }

    /// What the sender may have written instead of a required name.
    fn nearest_member(&self, name: &str) -> Option<String> {
        let names = self.members.iter().map(|(known, _)| known.as_ref());
        let found = suggest::nearest(name, names)?;
        (found != name).then(|| format!("you wrote \"{found}\""))
    }

    /// The text of an attribute, when it is one.
    fn text(&mut self, name: &str) -> Option<String> {
        let raw = self.get(name)?;
        match serde_json::from_str::<String>(raw) {
            Err(_) if raw.starts_with('"') => {
                self.add(name, "contains half of a surrogate pair");
                None
            }
            Err(_) => {
                self.add(name, format!("expected a text, got {}", kind_of(raw)));
                None
            }
            Ok(text) => match rules::text_fault(&text) {
                Some(fault) => {
                    self.add(name, fault);
                    None
                }
                None => Some(text),
            },
        }
    }

    fn at_time(&mut self, name: &str) -> Option<Timestamp> {
        match self.text(name)?.parse() {
            Ok(time) => Some(time),
            Err(error) => {
                self.add(name, error.to_string());
                None
            }
        }
    }

    fn at_delay(&mut self) {
        let Some(raw) = self.get("delay") else { return };
        if self.get("deliver_at").is_some() {
            self.add("delay", "cannot stand beside deliver_at");
        }
        match serde_json::from_str::<Millis>(raw) {
            Err(_) => self.add("delay", "expected a duration like 250ms, 30s, 5m, 2h or 7d"),
            Ok(delay) if delay > rules::DELAY_MAX => {
                self.add("delay", format!("is longer than {}", rules::DELAY_MAX));
            }
            Ok(_) => {}
        }
    }

    fn at_data(&mut self) {
        let (data, base64) = (self.get("data"), self.get("data_base64"));
        if data.is_some() && base64.is_some() {
            self.add("data_base64", "cannot stand beside data");
        }
        if let Some(fault) = data.and_then(payload::fault) {
            self.add("data", fault);
        }
        if let Some(raw) = base64 {
            match serde_json::from_str::<String>(raw) {
                Err(_) => self.add("data_base64", format!("expected a text, got {}", kind_of(raw))),
                Ok(text) if payload::from_base64(&text).is_none() => {
                    self.add("data_base64", "is not base64");
                }
                Ok(_) => {}
            }
        }
    }

    fn at_extension(&mut self, name: &str, raw: &str) {
        if raw == "null" || rules::is_lineage(name) {
            return;
        }
        if !rules::is_extension_name(name) {
            let hint = match suggest::nearest(name, CLOUD_EVENT_FIELDS) {
                Some(known) => format!("did you mean \"{known}\"?"),
                None => "names of extensions are 1 to 20 lower-case letters and digits".to_owned(),
            };
            self.suggest(name, "is not the name of an attribute", hint);
        } else if super::envelope::attribute(raw).is_none() {
            let what = "expected a text up to 1,024 bytes, a boolean or a 32-bit integer";
            self.add(name, what);
        }
    }
}

fn kind_of(raw: &str) -> &'static str {
    match raw.as_bytes().first() {
        Some(b'{') => "an object",
        Some(b'[') => "an array",
        Some(b'"') => "a text",
        Some(b't' | b'f') => "a boolean",
        Some(b'n') => "null",
        Some(_) => "a number",
        None => "nothing",
    }
}
