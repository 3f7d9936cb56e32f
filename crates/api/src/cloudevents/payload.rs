//! The data of an event: checked once, then kept as it came.

use base64::Engine as _;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;
use evoke_model::Data;

use super::rules::{DEPTH_MAX, is_json, is_text};

/// From this size on data shares the memory of the request instead of being copied, if it is most
/// of it. A small event must not keep a large request alive while it waits.
const SHARED_BYTES_MIN: usize = 16 * 1024;

/// Senders differ in whether they write the padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Data from the member `data`: JSON, or text in a JSON string if the content type says so.
pub(super) fn from_json(content_type: Option<&str>, raw: &str, body: &Bytes) -> Option<Data> {
    if fault(raw).is_some() {
        return None;
    }
    if raw.starts_with('"') && content_type.is_some_and(|kind| !is_json(kind)) {
        let text: String = serde_json::from_str(raw).ok()?;
        return Some(Data::Text(Bytes::from(text)));
    }
    Some(Data::Json(keep(raw, body)))
}

/// Data from the member `data_base64`.
pub(super) fn from_base64(text: &str) -> Option<Data> {
    BASE64.decode(text).ok().map(|bytes| Data::Binary(Bytes::from(bytes)))
}

/// Data from the body of a request in binary mode.
///
/// # Errors
/// What is wrong with it.
pub(super) fn from_body(content_type: Option<&str>, body: &Bytes) -> Result<Data, String> {
    if body.is_empty() {
        return Ok(Data::None);
    }
    let text = std::str::from_utf8(body);
    match (content_type, text) {
        (Some(kind), Ok(text)) if is_json(kind) => match syntax_fault(text).or_else(|| fault(text))
        {
            None => Ok(Data::Json(body.clone())),
            Some(what) => Err(what),
        },
        (Some(kind), Err(_)) if is_json(kind) => Err("is not valid UTF-8".to_owned()),
        (Some(kind), Ok(_)) if is_text(kind) => Ok(Data::Text(body.clone())),
        (Some(_), _) | (None, Err(_)) => Ok(Data::Binary(body.clone())),
        // Nothing says what it is: it is taken for what it looks like.
        (None, Ok(text)) if syntax_fault(text).is_none() && fault(text).is_none() => {
            Ok(Data::Json(body.clone()))
        }
        (None, Ok(_)) => Ok(Data::Text(body.clone())),
    }
}

fn keep(raw: &str, body: &Bytes) -> Bytes {
    if raw.len() >= SHARED_BYTES_MIN && raw.len() * 2 >= body.len() {
        body.slice_ref(raw.as_bytes())
    } else {
        Bytes::copy_from_slice(raw.as_bytes())
    }
}

fn syntax_fault(text: &str) -> Option<String> {
    let error = serde_json::from_str::<serde::de::IgnoredAny>(text).err()?;
    Some(format!("is malformed JSON: {error}"))
}

/// What is wrong with well-formed JSON, if anything. The reader skips over data without looking at
/// its depth or at what its escapes stand for; whoever reads it later would stumble.
pub(super) fn fault(raw: &str) -> Option<String> {
    if is_deeper_than(raw, DEPTH_MAX - 1) {
        return Some(format!("is nested deeper than {DEPTH_MAX} levels"));
    }
    // Only escapes of surrogates can be wrong in well-formed JSON.
    let has_surrogate = memchr::memmem::find(raw.as_bytes(), b"\\ud").is_some()
        || memchr::memmem::find(raw.as_bytes(), b"\\uD").is_some();
    if has_surrogate && let Err(error) = serde_json::from_str::<serde_json::Value>(raw) {
        return Some(format!("cannot be read: {error}"));
    }
    None
}

fn is_deeper_than(raw: &str, levels: usize) -> bool {
    // Each level takes at least its two brackets, and most data has few of them.
    if raw.len() <= 2 * levels
        || memchr::memchr2_iter(b'{', b'[', raw.as_bytes()).nth(levels).is_none()
    {
        return false;
    }
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for byte in raw.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'{' | b'[' => {
                depth += 1;
                if depth > levels {
                    return true;
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_counts_brackets_outside_of_strings() {
        let nested = |levels: usize| format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
        assert!(!is_deeper_than(&nested(127), 127));
        assert!(is_deeper_than(&nested(128), 127));
        assert!(!is_deeper_than(&format!("\"{}\\\"{}\"", "[".repeat(500), "{".repeat(500)), 127));
        assert!(!is_deeper_than(&format!("[{}]", vec!["[]"; 500].join(",")), 127));
    }

    #[test]
    fn half_a_surrogate_pair_is_found() {
        assert_eq!(fault(r#""\ud83d\ude00""#), None);
        assert!(fault(r#"{"a":"\ud83d"}"#).is_some());
        assert_eq!(fault(r#""C:\\udata""#), None);
    }

    #[test]
    fn large_data_shares_the_request_and_small_data_does_not() {
        let body = Bytes::from(format!("{{\"data\":\"{}\"}}", "x".repeat(SHARED_BYTES_MIN)));
        let raw = std::str::from_utf8(&body[8..body.len() - 1]).expect("text");
        assert_eq!(keep(raw, &body).as_ptr(), raw.as_ptr());
        assert_ne!(keep(&raw[..10], &body).as_ptr(), raw.as_ptr());
    }
}
