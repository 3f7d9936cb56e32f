//! One field of a body that is a JSON object, found without keeping the rest.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;

/// The text or whole number that an object has under a name at its top; `None` where the body is no
/// JSON object or has something else there. Of several the last one counts, as it does for the
/// parsers of JavaScript and Python.
pub(crate) fn top_level(body: &[u8], name: &str) -> Option<String> {
    let mut json = serde_json::Deserializer::from_slice(body);
    let value = Field(name).deserialize(&mut json).ok()?;
    json.end().ok()?;
    match value? {
        Value::String(text) => Some(text),
        Value::Number(number) if number.is_i64() || number.is_u64() => Some(number.to_string()),
        _ => None,
    }
}

struct Field<'a>(&'a str);

impl<'de> DeserializeSeed<'de> for Field<'_> {
    type Value = Option<Value>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Field<'_> {
    type Value = Option<Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(key) = map.next_key::<String>()? {
            if key == self.0 {
                found = Some(map.next_value()?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_found_at_the_top() {
        for (body, expected) in [
            (r#"{"id": "evt_1", "object": "event"}"#, Some("evt_1")),
            (r#"{"data": {"id": "inner"}, "list": [{"id": 1}], "id": "outer"}"#, Some("outer")),
            (r#"{"id": 1714478400000}"#, Some("1714478400000")),
            (r#"{"id": 18446744073709551615}"#, Some("18446744073709551615")),
            (r#"{"i\u0064": "escaped"}"#, Some("escaped")),
            (r#"{"id": "first", "id": "last"}"#, Some("last")),
            (r#"{"id": 1.5}"#, None),
            (r#"{"id": null}"#, None),
            (r#"{"id": {"id": "deep"}}"#, None),
            (r#"[{"id": "listed"}]"#, None),
            (r#"{"id": "cut"#, None),
            (r#"{"id": "more"} x"#, None),
            ("", None),
            ("id=form", None),
        ] {
            assert_eq!(top_level(body.as_bytes(), "id").as_deref(), expected, "{body}");
        }
    }

    #[test]
    fn what_is_nested_deeply_or_is_no_text_does_no_harm() {
        let deep = format!("{{\"a\": {}", "[".repeat(200_000));
        assert_eq!(top_level(deep.as_bytes(), "id"), None);
        assert_eq!(top_level(b"{\"id\": \"\xff\"}", "id"), None);
        assert_eq!(top_level("{\"id\": ".repeat(200_000).as_bytes(), "id"), None);
    }
}
