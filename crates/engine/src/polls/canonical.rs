//! One text for one value: JSON in its canonical form (RFC 8785), and the hash of it.
//!
//! It is made from the text of a value and not from a parsed one, because numbers have to become
//! the nearest double exactly once: `serde_json` parses them a little less exactly, unless a switch
//! is set for the whole program.

use std::fmt::{self, Write};

use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

/// Deeper than any context, and far below what a stack holds.
const DEPTH_MAX: usize = 64;

/// SHA-256 over the canonical form, in hex.
///
/// # Errors
/// What keeps the value from having one.
pub(super) fn hash(json: &str) -> Result<String, String> {
    let digest = Sha256::digest(canonical(json)?);
    let mut hex = String::with_capacity(64);
    for byte in digest {
        // Writing to a string does not fail.
        write!(hex, "{byte:02x}").map_err(|error| error.to_string())?;
    }
    Ok(hex)
}

/// The canonical form of a JSON text.
///
/// # Errors
/// What keeps the value from having one: a key that comes twice, a number that no double holds,
/// half of a character, or too many levels.
pub(super) fn canonical(json: &str) -> Result<String, String> {
    let mut out = String::with_capacity(json.len());
    write(json.trim(), 0, &mut out)?;
    Ok(out)
}

fn write(raw: &str, depth: usize, out: &mut String) -> Result<(), String> {
    if depth > DEPTH_MAX {
        return Err(format!("it is nested more than {DEPTH_MAX} levels deep"));
    }
    match raw.as_bytes().first() {
        Some(b'{') => object(raw, depth, out),
        Some(b'[') => {
            let items: Vec<&RawValue> = read(raw)?;
            out.push('[');
            for (place, item) in items.into_iter().enumerate() {
                if place > 0 {
                    out.push(',');
                }
                write(item.get(), depth + 1, out)?;
            }
            out.push(']');
            Ok(())
        }
        Some(b'"') => match serde_json::from_str::<String>(raw) {
            Ok(plain) => text(&plain, out),
            Err(_) => Err("a text has half of a character in it, a surrogate alone".to_owned()),
        },
        Some(b't' | b'f' | b'n') => {
            out.push_str(raw);
            Ok(())
        }
        _ => number(raw, out),
    }
}

/// Members are sorted by the UTF-16 units of their names, not by their bytes.
fn object(raw: &str, depth: usize, out: &mut String) -> Result<(), String> {
    let Members(mut members) = read(raw)?;
    members.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
    if let Some(twice) = members.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        return Err(format!("the key {:?} comes twice", twice[0].0));
    }
    out.push('{');
    for (place, (name, value)) in members.iter().enumerate() {
        if place > 0 {
            out.push(',');
        }
        text(name, out)?;
        out.push(':');
        write(value.get(), depth + 1, out)?;
    }
    out.push('}');
    Ok(())
}

/// `serde_json` escapes exactly what the RFC escapes, in the same way.
fn text(text: &str, out: &mut String) -> Result<(), String> {
    out.push_str(&serde_json::to_string(text).map_err(|error| error.to_string())?);
    Ok(())
}

fn number(raw: &str, out: &mut String) -> Result<(), String> {
    let number: f64 = raw.parse().map_err(|_| format!("{raw:?} is not a number"))?;
    if !number.is_finite() {
        return Err(format!("{raw} is too large for a number"));
    }
    out.push_str(ryu_js::Buffer::new().format_finite(number));
    Ok(())
}

fn read<'de, T: Deserialize<'de>>(raw: &'de str) -> Result<T, String> {
    serde_json::from_str(raw).map_err(|error| error.to_string())
}

/// The members of an object as they stand there.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct All;
        impl<'de> Visitor<'de> for All {
            type Value = Members<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        de::Deserializer::deserialize_map(deserializer, All)
    }
}
