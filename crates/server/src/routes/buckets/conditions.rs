//! Conditions of a request (RFC 9110, section 13).

use evoke_model::Problem;
use evoke_storage::{Conditions, File, Tags};
use http::header::{IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE};
use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;
use jiff::fmt::rfc2822::{DateTimeParser, DateTimePrinter};

use crate::context::text;
use crate::refusal::Refusal;

/// What must be so for a file to be written or removed.
///
/// # Errors
/// API_001 for what cannot be read: nobody who asks for a condition wants to go without.
pub(crate) fn of_change(headers: &HeaderMap) -> Result<Conditions, Refusal> {
    let unmodified_since = match headers.get(IF_UNMODIFIED_SINCE) {
        None => None,
        Some(_) => Some(since(headers, &IF_UNMODIFIED_SINCE).ok_or_else(|| {
            let hint = "Wed, 21 Oct 2026 07:28:00 GMT";
            let problem = Problem::new("If-Unmodified-Since", "is no date of HTTP").suggest(hint);
            Refusal::invalid(vec![problem])
        })?),
    };
    Ok(Conditions {
        if_match: tags(headers, &IF_MATCH)?,
        if_none_match: tags(headers, &IF_NONE_MATCH)?,
        unmodified_since,
    })
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

/// What a client says of the file it wants, and of what it has of it.
pub(crate) struct Known {
    if_match: Option<Tags>,
    if_none_match: Option<Tags>,
    unmodified_since: Option<i64>,
    modified_since: Option<i64>,
}

impl Known {
    /// Reads it. A date that is none is as good as no date, as RFC 9110 wants it; what a client has
    /// and does not say so that it can be read, it is sent again.
    ///
    /// # Errors
    /// API_001 for an `If-Match` that cannot be read.
    pub(crate) fn of(headers: &HeaderMap) -> Result<Self, Refusal> {
        let none = || Some(Tags::These(Vec::new()));
        Ok(Self {
            if_match: tags(headers, &IF_MATCH)?,
            if_none_match: tags(headers, &IF_NONE_MATCH).unwrap_or_else(|_| none()),
            unmodified_since: since(headers, &IF_UNMODIFIED_SINCE),
            modified_since: since(headers, &IF_MODIFIED_SINCE),
        })
    }

    /// Whether the client needs this file.
    pub(crate) fn need(&self, file: &File) -> Need {
        let changed = seconds(file);
        let is_expected = match &self.if_match {
            Some(tags) => tags.has(file.etag()),
            None => self.unmodified_since.is_none_or(|since| changed <= since),
        };
        if !is_expected {
            return Need::Failed;
        }
        let has_it = match &self.if_none_match {
            Some(tags) => tags.has(file.etag()),
            None => self.modified_since.is_some_and(|since| changed <= since),
        };
        if has_it { Need::NotModified } else { Need::Sent }
    }
}

/// Whether a part of this file goes with the parts a client has.
pub(crate) fn is_same(headers: &HeaderMap, file: &File) -> bool {
    let Some(given) = headers.get(IF_RANGE) else { return true };
    // A date is too coarse: what was written twice in a second has one.
    let tag = given.to_str().ok().and_then(|given| given.trim().strip_prefix('"'));
    tag.and_then(|tag| tag.strip_suffix('"')) == Some(file.etag())
}

/// The hashes in all lines of a header. A weak one is as good as a strong one where a client asks
/// for what it does not have; where it names what it means to change, a weak one names nothing.
///
/// # Errors
/// API_001 for what is no list of them.
fn tags(headers: &HeaderMap, name: &HeaderName) -> Result<Option<Tags>, Refusal> {
    if !headers.contains_key(name) {
        return Ok(None);
    }
    let wrong = || {
        let problem = Problem::new(name.as_str(), "is no list of ETags");
        Refusal::invalid(vec![problem.suggest("\"ETAG\", or * for any file")])
    };
    let lines: Result<Vec<&str>, _> =
        headers.get_all(name).iter().map(HeaderValue::to_str).collect();
    let given = lines.map_err(|_| wrong())?.join(",");
    let given: Vec<&str> = given.split(',').map(str::trim).filter(|tag| !tag.is_empty()).collect();
    match given.as_slice() {
        [] => return Err(wrong()),
        ["*"] => return Ok(Some(Tags::Any)),
        several if several.contains(&"*") => return Err(wrong()),
        _ => {}
    }
    let is_strong = *name == IF_MATCH;
    let tag = |tag: &&str| match tag.strip_prefix("W/") {
        Some(_) if is_strong => None,
        Some(weak) => Some(weak.trim_matches('"').to_owned()),
        None => Some(tag.trim_matches('"').to_owned()),
    };
    Ok(Some(Tags::These(given.iter().filter_map(tag).collect())))
}

/// The second in a header with a date.
fn since(headers: &HeaderMap, name: &HeaderName) -> Option<i64> {
    text(headers, name).and_then(date)
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

    fn headers(name: HeaderName, lines: &[&'static [u8]]) -> HeaderMap {
        let value = |line: &&[u8]| HeaderValue::from_bytes(line).unwrap();
        lines.iter().map(|line| (name.clone(), value(line))).collect()
    }

    #[test]
    fn hashes_are_read_as_clients_write_them() {
        let these = |tags: &[&str]| Tags::These(tags.iter().map(|tag| (*tag).to_owned()).collect());
        let read = |name: &HeaderName, lines: &[&'static [u8]]| {
            let read = tags(&headers(name.clone(), lines), name);
            read.ok().map(Option::unwrap)
        };
        let lists: [(&[&'static [u8]], _, _); 6] = [
            (&[b"*"], Some(Tags::Any), Some(Tags::Any)),
            (&[b"\"a\", W/\"b\" ,c"], Some(these(&["a", "c"])), Some(these(&["a", "b", "c"]))),
            (&[b"\"a\"", b"\"b\""], Some(these(&["a", "b"])), Some(these(&["a", "b"]))),
            (&[b"\"a\"", b"*"], None, None),
            (&[b""], None, None),
            (&[b"\"\xff\""], None, None),
        ];
        for (lines, strong, weak) in lists {
            assert_eq!(read(&IF_MATCH, lines), strong, "{lines:?}");
            assert_eq!(read(&IF_NONE_MATCH, lines), weak, "{lines:?}");
        }
        assert_eq!(tags(&HeaderMap::new(), &IF_MATCH).ok(), Some(None));
        assert_eq!(date("Thu, 01 Jan 1970 00:01:00 GMT"), Some(60));
        assert_eq!(date("soon"), None);
    }

    #[test]
    fn a_change_is_never_made_without_the_condition_it_came_with() {
        let dated = |line| of_change(&headers(IF_UNMODIFIED_SINCE, &[line]));
        let read = dated(b"Thu, 01 Jan 1970 00:01:00 GMT").ok().unwrap();
        assert_eq!(read.unmodified_since, Some(60));
        assert!(dated(b"soon").is_err());
        assert!(of_change(&headers(IF_MATCH, &[b"\xff"])).is_err());
        assert_eq!(of_change(&HeaderMap::new()).ok(), Some(Conditions::default()));
    }
}
