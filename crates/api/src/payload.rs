//! Payloads in JSON: the text of JSON is copied, never parsed into a tree.

use evoke_model::Data;
use evoke_model::event::{base64, write_str};
use serde_json::value::RawValue;

/// The payload as a JSON member: JSON as it is, text as a string. Bytes have a member of their own.
pub(crate) fn json(data: &Data) -> Option<Box<RawValue>> {
    let text = match data {
        Data::None | Data::Binary(_) => return None,
        Data::Json(bytes) => std::str::from_utf8(bytes).ok()?.to_owned(),
        Data::Text(bytes) => quoted(&String::from_utf8_lossy(bytes)),
    };
    match RawValue::from_string(text) {
        Ok(raw) => Some(raw),
        // Whatever a function printed as its result is shown rather than lost.
        Err(_) => RawValue::from_string(quoted(&String::from_utf8_lossy(data.bytes()))).ok(),
    }
}

/// Bytes that are not text, in base64.
pub(crate) fn bytes(data: &Data) -> Option<String> {
    match data {
        Data::Binary(bytes) => Some(base64(bytes)),
        _ => None,
    }
}

fn quoted(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len() + 2);
    write_str(&mut out, text);
    String::from_utf8(out).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use ::bytes::Bytes;

    use super::*;

    #[test]
    fn every_payload_has_a_form_in_json() {
        let table = [
            (Data::None, None),
            (Data::Json(Bytes::from_static(b"{\"a\": 1}")), Some("{\"a\": 1}")),
            (Data::Json(Bytes::from_static(b"not json")), Some("\"not json\"")),
            (Data::Text(Bytes::from_static(b"a\"b")), Some("\"a\\\"b\"")),
            (Data::Binary(Bytes::from_static(b"foo")), None),
        ];
        for (data, expected) in table {
            assert_eq!(json(&data).as_ref().map(|raw| raw.get()), expected, "{data:?}");
        }
        assert_eq!(
            super::bytes(&Data::Binary(Bytes::from_static(b"foo"))).as_deref(),
            Some("Zm9v")
        );
    }
}
