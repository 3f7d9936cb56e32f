//! Payloads. A JSON payload stays the text it came as: it is checked once at the door and from then
//! on only copied.

use bytes::Bytes;
use serde_json::value::RawValue;

/// The payload of an event or the output of a function.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Data {
    /// Nothing was given.
    #[default]
    None,
    /// Valid JSON text in UTF-8.
    Json(Bytes),
    /// Text of another media type.
    Text(Bytes),
    /// Bytes that are not text; base64 wherever they appear in JSON.
    Binary(Bytes),
}

impl Data {
    /// JSON made from a value of ours.
    pub fn from_value(value: &serde_json::Value) -> Self {
        Self::Json(Bytes::from(value.to_string()))
    }

    /// JSON text that a parser has accepted.
    pub fn from_raw(raw: &RawValue) -> Self {
        Self::Json(Bytes::copy_from_slice(raw.get().as_bytes()))
    }

    /// The bytes as they came.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::None => &[],
            Self::Json(bytes) | Self::Text(bytes) | Self::Binary(bytes) => bytes,
        }
    }

    /// The size in bytes.
    pub fn len(&self) -> usize {
        self.bytes().len()
    }

    /// Whether there are no bytes.
    pub fn is_empty(&self) -> bool {
        self.bytes().is_empty()
    }

    /// The payload as a JSON value: text as a string, bytes as `null` (see `data_base64`).
    pub fn to_value(&self) -> serde_json::Value {
        match self {
            Self::None | Self::Binary(_) => serde_json::Value::Null,
            Self::Json(bytes) => serde_json::from_slice(bytes).unwrap_or_default(),
            Self::Text(bytes) => String::from_utf8_lossy(bytes).into_owned().into(),
        }
    }

    /// The number a store keeps beside the bytes, so that it can give the payload back.
    pub const fn tag(&self) -> u8 {
        match self {
            Self::None => 0,
            Self::Json(_) => 1,
            Self::Text(_) => 2,
            Self::Binary(_) => 3,
        }
    }

    /// The payload of a tag and its bytes; an unknown tag is taken as bytes.
    pub fn from_tag(tag: u8, bytes: Bytes) -> Self {
        match tag {
            0 => Self::None,
            1 => Self::Json(bytes),
            2 => Self::Text(bytes),
            _ => Self::Binary(bytes),
        }
    }
}
