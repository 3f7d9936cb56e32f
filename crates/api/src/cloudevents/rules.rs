//! What CloudEvents and we ask of attributes. The quick and the slow reader both ask here, so that
//! they cannot disagree.

use evoke_model::Millis;

/// Events in one request: a batch is planned and committed as one piece. The engine has the same
/// limit.
pub const EVENTS_MAX: usize = 10_000;

/// Bytes of one text attribute. They are matched, indexed and kept in memory while an event waits,
/// so what is large belongs into `data`.
pub const TEXT_BYTES_MAX: usize = 1_024;

/// Levels of nesting of an event, the event itself included: what JSON readers everywhere take.
pub const DEPTH_MAX: usize = 128;

/// A delivery later than this is a schedule, not a delay.
pub const DELAY_MAX: Millis = Millis::from_secs(366 * 86_400);

/// CloudEvents asks for short names of extensions, so that they fit into headers everywhere.
const EXTENSION_NAME_LEN_MAX: usize = 20;

/// The attributes of a CloudEvent that have a meaning of their own here.
pub(super) const CLOUD_EVENT_FIELDS: [&str; 12] = [
    "specversion",
    "id",
    "source",
    "type",
    "subject",
    "time",
    "datacontenttype",
    "dataschema",
    "data",
    "data_base64",
    "traceparent",
    "orderingkey",
];

/// The fields of the short form.
pub(super) const SHORT_FIELDS: [&str; 9] =
    ["type", "source", "subject", "data", "id", "ordering_key", "time", "deliver_at", "delay"];

/// Extensions that tell where an event came from. Only the token of an execution proves that, so
/// what a sender says of it (an event that is forwarded carries them) is left out.
const LINEAGE: [&str; 3] = ["rootid", "causationid", "depth"];

/// What is wrong with the text of an attribute, if anything.
pub(super) fn text_fault(text: &str) -> Option<&'static str> {
    if text.is_empty() {
        return Some("may not be empty");
    }
    if text.len() > TEXT_BYTES_MAX {
        return Some("is longer than 1,024 bytes");
    }
    // A plain loop over the bytes: characters from U+0080 on are looked at only if there are any.
    let mut is_ascii = true;
    for byte in text.bytes() {
        if byte < 0x20 || byte == 0x7f {
            return Some("contains a control character");
        }
        is_ascii &= byte < 0x80;
    }
    if !is_ascii && text.chars().any(|c| ('\u{80}'..='\u{9f}').contains(&c)) {
        return Some("contains a control character");
    }
    None
}

/// Whether CloudEvents allows this as the name of an extension.
pub(super) fn is_extension_name(name: &str) -> bool {
    (1..=EXTENSION_NAME_LEN_MAX).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

/// Whether the extension speaks of the event's causes.
pub(super) fn is_lineage(name: &str) -> bool {
    LINEAGE.contains(&name)
}

/// Whether data of this media type is JSON.
pub(super) fn is_json(content_type: &str) -> bool {
    let essence = essence(content_type);
    essence.is_empty() || essence.ends_with("/json") || essence.ends_with("+json")
}

/// Whether data of this media type is text.
pub(super) fn is_text(content_type: &str) -> bool {
    let essence = essence(content_type);
    essence.starts_with("text/")
        || essence.ends_with("/xml")
        || essence.ends_with("+xml")
        || essence == "application/x-www-form-urlencoded"
}

fn essence(content_type: &str) -> String {
    content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// The media type as it is kept: JSON, which nearly all data is, goes without saying.
pub(super) fn kept_content_type(content_type: &str) -> Option<Box<str>> {
    (content_type != "application/json").then(|| content_type.into())
}

/// Whether the text has the form of a media type.
pub(super) fn is_media_type(text: &str) -> bool {
    let essence = text.split(';').next().unwrap_or_default().trim();
    essence.split_once('/').is_some_and(|(kind, name)| {
        let is_token = |part: &str| {
            !part.is_empty()
                && part
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"!#$&-^_.+*'`|~%".contains(&b))
        };
        is_token(kind) && is_token(name)
    })
}
