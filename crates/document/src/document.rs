//! One document.

use bytes::Bytes;
use evoke_model::{EventId, Timestamp};
use serde_json::{Map, Value};

/// A document as it is kept. What a caller sees of it is its fields and beside them `id`,
/// `_revision`, `_created_at` and `_updated_at`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Document {
    /// The id, unique in its collection: 1 to 200 characters.
    pub id: Box<str>,
    /// Another one after each change, and a higher one: that of the event that tells of it.
    pub revision: u64,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Its fields: the text of a JSON object as [`Document::body_of`] writes it: without spaces,
    /// the names sorted and none of them twice.
    pub body: Bytes,
}

impl Document {
    /// The text of fields.
    ///
    /// # Errors
    /// Never for fields that were read from JSON.
    pub fn body_of(fields: &Map<String, Value>) -> Result<Bytes, serde_json::Error> {
        serde_json::to_vec(fields).map(Bytes::from)
    }

    /// Its fields.
    ///
    /// # Errors
    /// When the body is no JSON object.
    pub fn fields(&self) -> Result<Map<String, Value>, serde_json::Error> {
        serde_json::from_slice(&self.body)
    }

    /// The revision as callers see it: the id of an event.
    pub fn revision_id(&self) -> EventId {
        EventId::from_u64(self.revision)
    }

    /// The revision as the HTTP header `ETag`.
    pub fn etag(&self) -> String {
        format!("\"{}\"", self.revision_id())
    }

    /// The revision an entity tag names, if it is one of a document, weak or strong.
    pub fn revision_of(etag: &str) -> Option<u64> {
        let strong = etag.strip_prefix("W/").unwrap_or(etag);
        let id = strong.strip_prefix('"')?.strip_suffix('"')?;
        Some(id.parse::<EventId>().ok()?.as_u64())
    }

    /// The document as callers see it.
    ///
    /// # Errors
    /// When the body is no JSON object.
    pub fn to_json(&self) -> Result<Value, serde_json::Error> {
        let mut fields = self.fields()?;
        fields.insert("id".to_owned(), self.id.as_ref().into());
        fields.insert("_revision".to_owned(), self.revision_id().to_string().into());
        fields.insert("_created_at".to_owned(), self.created_at.to_string().into());
        fields.insert("_updated_at".to_owned(), self.updated_at.to_string().into());
        Ok(Value::Object(fields))
    }

    /// The same as text, without reading the body: the id first, what the server adds last.
    pub fn to_text(&self) -> String {
        let body = String::from_utf8_lossy(&self.body);
        let body = body.trim();
        let fields = body.strip_prefix('{').and_then(|body| body.strip_suffix('}')).unwrap_or("");
        let comma = if fields.trim().is_empty() { "" } else { "," };
        let id = Value::from(&*self.id);
        format!(
            "{{\"id\":{id}{comma}{fields},\"_revision\":\"{}\",\"_created_at\":\"{}\",\
             \"_updated_at\":\"{}\"}}",
            self.revision_id(),
            self.created_at,
            self.updated_at
        )
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn document(body: &str) -> Document {
        Document {
            id: "a\"b".into(),
            revision: 7,
            created_at: Timestamp::from_micros(1_795_000_000_000_000),
            updated_at: Timestamp::from_micros(1_795_000_001_500_000),
            body: Bytes::copy_from_slice(body.as_bytes()),
        }
    }

    #[test]
    fn callers_see_more_than_its_fields() {
        for body in ["{}", "{\"n\":{\"x\":[1]},\"ü\":\"}\"}"] {
            let document = document(body);
            let mut expected: Value = serde_json::from_str(body).unwrap();
            expected["id"] = json!("a\"b");
            expected["_revision"] = json!("evt_0000000000007");
            expected["_created_at"] = json!("2026-11-18T11:06:40Z");
            expected["_updated_at"] = json!("2026-11-18T11:06:41.5Z");
            assert_eq!(document.to_json().unwrap(), expected);
            let text = document.to_text();
            assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), expected);
            assert!(text.starts_with("{\"id\""), "{text}");
        }
    }

    #[test]
    fn entity_tags_are_revisions() {
        let document = document("{}");
        assert_eq!(Document::revision_of(&document.etag()), Some(7));
        assert_eq!(Document::revision_of("W/\"evt_0000000000007\""), Some(7));
        for other in ["*", "", "\"", "\"\"", "evt_0000000000007", "\"x\"", "\"trg_0000000000007\""]
        {
            assert_eq!(Document::revision_of(other), None, "{other}");
        }
    }
}
