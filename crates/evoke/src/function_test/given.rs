//! What a function is to get, read from a document: events, or a request.

use std::collections::BTreeMap;
use std::io::Read;

use bytes::Bytes;
use evoke_api::cloudevents;
use evoke_cli::{Failure, Outcome};
use evoke_engine::Draft;
use evoke_model::{Problem, Timestamp};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue};
use serde_json::Value;
use serde_json::value::RawValue;

/// A document with the place it comes from, which its problems name.
pub(super) struct Document {
    pub(super) place: String,
    pub(super) text: String,
}

impl Document {
    /// A file, or stdin for `-`.
    pub(super) fn read(name: &str) -> Outcome<Self> {
        if name != "-" {
            let text = std::fs::read_to_string(name)
                .map_err(|error| Failure::mistake(format!("read {name}: {error}")))?;
            return Ok(Self { place: name.to_owned(), text });
        }
        let mut text = String::new();
        std::io::stdin()
            .lock()
            .read_to_string(&mut text)
            .map_err(|error| Failure::mistake(format!("read stdin: {error}")))?;
        Ok(Self { place: "stdin".to_owned(), text })
    }

    /// One that was made up.
    pub(super) fn sample(value: &Value) -> Self {
        Self { place: "the sample".to_owned(), text: value.to_string() }
    }

    /// The document as JSON.
    pub(super) fn value(&self) -> Outcome<Value> {
        if self.text.trim().is_empty() {
            return Err(Failure::mistake(format!("{} is empty", self.place)));
        }
        serde_json::from_str(&self.text)
            .map_err(|error| Failure::mistake(format!("{} is not JSON: {error}", self.place)))
    }

    /// The document as events: CloudEvents, or our short form, in which the type may be left out.
    pub(super) fn events(&self, kind_default: &str, now: Timestamp) -> Outcome<Vec<Draft>> {
        self.value()?;
        let text = self.with_types(kind_default).unwrap_or_else(|| self.text.clone());
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        cloudevents::parse(&headers, &Bytes::from(text), now)
            .map_err(|rejection| self.refused(rejection.code.as_str(), rejection.problems))
    }

    /// The document with a type for each event in the short form that has none, if there is one.
    /// What it holds is not touched.
    fn with_types(&self, kind: &str) -> Option<String> {
        let is_list = self.text.trim_start().starts_with('[');
        let mut events: Vec<BTreeMap<&str, &RawValue>> = match is_list {
            true => serde_json::from_str(&self.text).ok()?,
            false => vec![serde_json::from_str(&self.text).ok()?],
        };
        let kind = serde_json::value::to_raw_value(kind).ok()?;
        let has_type = |name: &str| ["type", "specversion"].contains(&name);
        let mut is_filled = false;
        for members in &mut events {
            if !members.keys().any(|name| has_type(name)) {
                members.insert("type", &kind);
                is_filled = true;
            }
        }
        let text = match is_list {
            true => serde_json::to_string(&events),
            false => serde_json::to_string(events.first()?),
        };
        text.ok().filter(|_| is_filled)
    }

    /// The failure that tells what is wrong with the document.
    pub(super) fn refused(&self, code: &str, problems: Vec<Problem>) -> Failure {
        let place = &self.place;
        let in_place = |problem: Problem| {
            let field = match problem.field.as_str() {
                "" => place.clone(),
                field => format!("{place}: {field}"),
            };
            Problem { field, ..problem }
        };
        let mut failure = Failure::mistake(format!("{place} cannot be used"));
        failure.code = Some(code.into());
        failure.problems(problems.into_iter().map(in_place).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(text: &str) -> Document {
        Document { place: "event.json".to_owned(), text: text.to_owned() }
    }

    fn lines(failure: &Failure) -> Vec<String> {
        failure.problems.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn an_event_may_leave_out_all_that_can_be_filled_in() {
        for (text, kind, data) in [
            (r#"{}"#, "order.sample", ""),
            (r#"{"data": {"total": 1.50}}"#, "order.sample", r#"{"total": 1.50}"#),
            (r#"{"type": "a.b", "data": 7}"#, "a.b", "7"),
            (
                r#"{"specversion": "1.0", "id": "1", "source": "/s", "type": "c", "data": "x"}"#,
                "c",
                r#""x""#,
            ),
        ] {
            let drafts = document(text).events("order.sample", Timestamp::EPOCH).unwrap();
            assert_eq!(&*drafts[0].kind, kind, "{text}");
            assert_eq!(drafts[0].data.bytes(), data.as_bytes(), "{text}");
        }
    }

    #[test]
    fn each_event_of_a_list_may_leave_out_its_type() {
        let list = document(r#"[{"data": 1.50}, {"type": "a.b"}, {}]"#);
        let drafts = list.events("order.sample", Timestamp::EPOCH).unwrap();
        let kinds: Vec<&str> = drafts.iter().map(|draft| &*draft.kind).collect();
        assert_eq!(kinds, ["order.sample", "a.b", "order.sample"]);
        assert_eq!(drafts[0].data.bytes(), b"1.50");
    }

    #[test]
    fn all_problems_are_told_with_file_field_and_the_nearest_name() {
        let refused =
            document(r#"{"subjct": "x", "source": 7}"#).events("a", Timestamp::EPOCH).unwrap_err();
        let lines = lines(&refused);
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert!(lines.iter().all(|line| line.starts_with("event.json: ")), "{lines:?}");
        assert!(lines.iter().any(|line| line.contains("did you mean \"subject\"?")), "{lines:?}");
        for (text, said) in [("", "event.json is empty"), ("{", "event.json is not JSON: EOF")] {
            let refused = document(text).events("a", Timestamp::EPOCH).unwrap_err();
            assert!(refused.message.starts_with(said), "{}", refused.message);
        }
    }
}
