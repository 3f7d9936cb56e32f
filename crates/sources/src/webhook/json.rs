//! Whether bytes are JSON that every later reader takes: well-formed, not nested too deep, and with
//! texts that are Unicode. Looked at in one pass that keeps nothing, since the bytes are anybody's.

use std::fmt;

use serde::de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};

/// Levels of nesting a body may have: with those of the payload and of the event around it, they
/// stay under the 128 that readers of JSON take.
const LEVELS_MAX: usize = 120;

/// The text, if it is such JSON.
pub(super) fn json(body: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(body).ok()?;
    let mut reader = serde_json::Deserializer::from_str(text);
    Look { levels: LEVELS_MAX }.deserialize(&mut reader).ok()?;
    reader.end().ok()?;
    Some(text.trim_ascii())
}

/// Looks at a value and everything in it.
#[derive(Clone, Copy)]
struct Look {
    /// How many more levels there may be.
    levels: usize,
}

impl Look {
    fn inner<E: Error>(self) -> Result<Self, E> {
        let levels = self.levels.checked_sub(1).ok_or_else(|| E::custom("nested too deep"))?;
        Ok(Self { levels })
    }
}

impl<'de> DeserializeSeed<'de> for Look {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Look {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let inner = self.inner()?;
        while items.next_element_seed(inner)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
        let inner = self.inner()?;
        while fields.next_key_seed(inner)?.is_some() {
            fields.next_value_seed(inner)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_every_reader_takes_is_json() {
        let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        for text in ["{}", " [1, {\"a\": null}]\n", "7", "\"\\ud83d\\ude00\"", &deep(LEVELS_MAX)] {
            assert_eq!(json(text.as_bytes()), Some(text.trim()), "{text}");
        }
        for text in [
            "",
            "a=1",
            "{} {}",
            "{",
            "{\"a\": \"\\ud83d\"}",
            "{\"\\udc00\": 1}",
            "1e999",
            "{a: 1}",
            &deep(LEVELS_MAX + 1),
            &"[".repeat(1_000_000),
        ] {
            assert_eq!(json(text.as_bytes()), None);
        }
        assert_eq!(json(b"\"\xff\""), None);
    }
}
