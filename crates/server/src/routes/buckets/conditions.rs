//! Conditions of a request (RFC 9110, section 13).

use evoke_storage::{Conditions, File, Tags};
use http::HeaderMap;
use http::header::{IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE};
use jiff::Timestamp;
use jiff::fmt::rfc2822::{DateTimeParser, DateTimePrinter};

use crate::context::text;

/// What must be so for a file to be written or removed.
pub(crate) fn of_change(headers: &HeaderMap) -> Conditions {
    Conditions {
        if_match: text(headers, &IF_MATCH).map(tags),
        if_none_match: text(headers, &IF_NONE_MATCH).map(tags),
    }
}

/// Whether a client needs a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Need {
    /// It does.
    Sent,
    /// It has it.
    NotModified,
    /// It is another one than it expects.
    Failed,
}

/// Whether a client needs this file.
pub(crate) fn need(headers: &HeaderMap, file: &File) -> Need {
    let changed = seconds(file);
    let since = |header| text(headers, &header).and_then(date);
    if let Some(given) = text(headers, &IF_MATCH) {
        if !tags(given).has(file.etag()) {
            return Need::Failed;
        }
    } else if since(IF_UNMODIFIED_SINCE).is_some_and(|since| changed > since) {
        return Need::Failed;
    }
    let has_it = match text(headers, &IF_NONE_MATCH) {
        Some(given) => tags(given).has(file.etag()),
        None => since(IF_MODIFIED_SINCE).is_some_and(|since| changed <= since),
    };
    if has_it { Need::NotModified } else { Need::Sent }
}

/// Whether a part of this file goes with the parts a client has.
pub(crate) fn is_same(headers: &HeaderMap, file: &File) -> bool {
    match text(headers, &IF_RANGE) {
        None => true,
        Some(given) => match given.trim().strip_prefix('"') {
            Some(rest) => rest.strip_suffix('"') == Some(file.etag()),
            // A date is too coarse: what was written twice in a second has one.
            None => false,
        },
    }
}

/// The hashes in a header. A weak one is as good as a strong one here: the hash is of the bytes.
fn tags(given: &str) -> Tags {
    if given.trim() == "*" {
        return Tags::Any;
    }
    let tag = |tag: &str| {
        let tag = tag.trim();
        tag.strip_prefix("W/").unwrap_or(tag).trim_matches('"').to_owned()
    };
    Tags::These(given.split(',').map(tag).filter(|tag| !tag.is_empty()).collect())
}

fn date(given: &str) -> Option<i64> {
    DateTimeParser::new().parse_timestamp(given).ok().map(Timestamp::as_second)
}

fn seconds(file: &File) -> i64 {
    file.updated_at.as_millis().div_euclid(1_000)
}

/// The value of `Last-Modified`.
pub(crate) fn last_modified(file: &File) -> Option<String> {
    let time = Timestamp::from_second(seconds(file)).ok()?;
    DateTimePrinter::new().timestamp_to_rfc9110_string(&time).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_read_as_clients_write_them() {
        let these = |tags: &[&str]| Tags::These(tags.iter().map(|tag| (*tag).to_owned()).collect());
        assert_eq!(tags("*"), Tags::Any);
        assert_eq!(tags("\"a\", W/\"b\" ,c"), these(&["a", "b", "c"]));
        assert_eq!(tags(""), these(&[]));
        assert_eq!(date("Thu, 01 Jan 1970 00:01:00 GMT"), Some(60));
        assert_eq!(date("soon"), None);
    }
}
