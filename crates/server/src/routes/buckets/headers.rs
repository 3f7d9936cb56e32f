//! What headers say of a file that comes, and what they say of one that goes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use evoke_model::Problem;
use evoke_storage::{Checksums, Metadata};
use http::header::{CONTENT_RANGE, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::refusal::Refusal;
use crate::service::percent_decoded;

const CONTENT_MD5: HeaderName = HeaderName::from_static("content-md5");
const CONTENT_DIGEST: HeaderName = HeaderName::from_static("content-digest");
const CONTENT_SHA256: HeaderName = HeaderName::from_static("x-content-sha256");

/// In front of the name of an entry of metadata.
const METADATA: &str = "x-meta-";

/// The media type a sender gives.
///
/// # Errors
/// API_001 when it is no text.
pub(crate) fn content_type(headers: &HeaderMap) -> Result<Option<String>, Refusal> {
    match headers.get(CONTENT_TYPE).map(HeaderValue::to_str) {
        None => Ok(None),
        Some(Ok(text)) => Ok(Some(text.to_owned())),
        Some(Err(_)) => Err(invalid("Content-Type", "is not ASCII")),
    }
}

/// What a sender says of the bytes, of which there are so many if that is known.
///
/// # Errors
/// API_001 for what cannot be read.
pub(crate) fn checksums(headers: &HeaderMap, size: Option<u64>) -> Result<Checksums, Refusal> {
    let mut checksums = Checksums { size, ..Checksums::default() };
    if let Some(given) = headers.get(CONTENT_MD5) {
        let bytes = given.to_str().ok().and_then(|text| BASE64.decode(text.trim()).ok());
        let bytes = bytes.and_then(|bytes| bytes.try_into().ok());
        let wrong = || invalid("Content-MD5", "is no MD5 in base64");
        checksums.md5 = Some(bytes.ok_or_else(wrong)?);
    }
    if let Some(given) = headers.get(CONTENT_SHA256) {
        let mut bytes = [0; 32];
        hex::decode_to_slice(given.as_bytes(), &mut bytes)
            .map_err(|_| invalid("X-Content-SHA256", "is no SHA-256 in hex"))?;
        checksums.sha256 = Some(bytes);
    }
    for line in headers.get_all(CONTENT_DIGEST) {
        let unreadable = || invalid("Content-Digest", "is no list like sha-256=:BASE64:");
        let text = line.to_str().map_err(|_| unreadable())?;
        for member in text.split(',') {
            let (name, value) = member.trim().split_once('=').ok_or_else(unreadable)?;
            // Sums of other kinds are for others.
            if name.eq_ignore_ascii_case("sha-256") {
                checksums.sha256 = Some(digest(value)?);
            }
        }
    }
    Ok(checksums)
}

/// The SHA-256 in a member of `Content-Digest` (RFC 9530).
fn digest(value: &str) -> Result<[u8; 32], Refusal> {
    let inner = value.strip_prefix(':').and_then(|value| value.strip_suffix(':'));
    let bytes = inner.and_then(|text| BASE64.decode(text).ok());
    let wrong = || invalid("Content-Digest", "has no SHA-256 like sha-256=:BASE64:");
    bytes.and_then(|bytes| bytes.try_into().ok()).ok_or_else(wrong)
}

/// Refuses what says of itself that it is a part of a file: it would take the place of the whole
/// (RFC 9110, section 14.5).
///
/// # Errors
/// API_001.
pub(crate) fn must_be_whole(headers: &HeaderMap) -> Result<(), Refusal> {
    if headers.contains_key(CONTENT_RANGE) {
        let problem = Problem::new("Content-Range", "a file is put whole and not in ranges");
        let hint = "POST /api/buckets/BUCKET/uploads takes a file in parts";
        return Err(Refusal::invalid(vec![problem.suggest(hint)]));
    }
    Ok(())
}

/// What a sender keeps with a file: headers `X-Meta-NAME`, with what is not ASCII percent-encoded.
///
/// # Errors
/// API_001 for a value that is no text.
pub(crate) fn metadata(headers: &HeaderMap) -> Result<Metadata, Refusal> {
    let mut metadata = Metadata::new();
    for (header, value) in headers {
        let Some(name) = header.as_str().strip_prefix(METADATA) else { continue };
        let value = value.to_str().ok().map(percent_decoded).map(String::from_utf8);
        let Some(Ok(value)) = value else {
            return Err(invalid(header.as_str(), "is not ASCII with percent-encoded UTF-8"));
        };
        metadata.insert(name.to_owned(), value);
    }
    Ok(metadata)
}

/// The headers that tell what is kept with a file. What no header can carry is left out.
pub(crate) fn put_metadata(headers: &mut HeaderMap, metadata: &Metadata) {
    for (name, value) in metadata {
        let name = HeaderName::from_bytes(format!("{METADATA}{name}").as_bytes());
        let value = HeaderValue::from_str(&encoded(value, |byte| {
            byte == b' ' || byte.is_ascii_graphic() && byte != b'%'
        }));
        if let (Ok(name), Ok(value)) = (name, value) {
            headers.insert(name, value);
        }
    }
}

/// The value of `Content-Disposition` under which a browser stores a file of this name.
pub(crate) fn attachment(name: &str) -> Option<HeaderValue> {
    // A folder in it would be the client's, on whatever system that is.
    let last = name.rsplit(['/', '\\']).next().filter(|last| !last.is_empty())?;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || " -_.()".contains(c);
    let plain: String = last.chars().map(|c| if is_plain(c) { c } else { '_' }).collect();
    let full = encoded(last, |byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    let value = format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{full}");
    HeaderValue::from_str(&value).ok()
}

/// A text with all but these bytes percent-encoded.
fn encoded(text: &str, is_kept: impl Fn(u8) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if is_kept(byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

fn invalid(field: &str, what: &str) -> Refusal {
    Refusal::invalid(vec![Problem::new(field, what)])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(given: &[(&'static str, &'static str)]) -> HeaderMap {
        let header = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        given.iter().map(header).collect()
    }

    #[test]
    fn checksums_come_in_several_ways() {
        let sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let base64 = "sha-512=:AA==:, sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:";
        for given in [("x-content-sha256", sha256), ("content-digest", base64)] {
            let read = checksums(&headers(&[given]), None).unwrap();
            assert_eq!(read.sha256.map(hex::encode).as_deref(), Some(sha256), "{given:?}");
        }
        let md5 = checksums(&headers(&[("content-md5", "1B2M2Y8AsgTpgAmY7PhCfg==")]), Some(0));
        assert!(md5.unwrap().md5.is_some());
        for bad in [
            ("content-md5", "abc"),
            ("content-md5", "AAAA"),
            ("x-content-sha256", "00"),
            ("content-digest", "sha-256=:AA==:"),
            ("content-digest", "sha-256=AA"),
            ("content-digest", "sha-256"),
            ("content-digest", ""),
        ] {
            assert!(checksums(&headers(&[bad]), None).is_err(), "{bad:?}");
        }
        let mut unreadable = HeaderMap::new();
        unreadable.insert(CONTENT_DIGEST, HeaderValue::from_bytes(b"sha-256=:\xff:").unwrap());
        assert!(checksums(&unreadable, None).is_err());
        unreadable.insert(CONTENT_DIGEST, HeaderValue::from_static("sha-512=:AA==:"));
        assert_eq!(checksums(&unreadable, None).unwrap(), Checksums::default());
        unreadable.append(CONTENT_DIGEST, HeaderValue::from_static("sha-256=:AA==:"));
        assert!(checksums(&unreadable, None).is_err(), "the second line counts as well");
    }

    #[test]
    fn a_range_is_no_file() {
        let range = headers(&[("content-range", "bytes 500-999/1000")]);
        assert!(must_be_whole(&range).is_err());
        assert!(must_be_whole(&headers(&[("range", "bytes=0-1")])).is_ok());
    }

    #[test]
    fn metadata_goes_through_headers_and_back() {
        let metadata = metadata(&headers(&[("x-meta-owner", "Ad%C3%A1 100%25"), ("accept", "a")]));
        let metadata = metadata.unwrap();
        assert_eq!(metadata.get("owner").map(String::as_str), Some("Adá 100%"));
        let mut out = HeaderMap::new();
        put_metadata(&mut out, &metadata);
        assert_eq!(out["x-meta-owner"], "Ad%C3%A1 100%25");
        assert!(super::metadata(&headers(&[("x-meta-a", "%ff")])).is_err());
    }

    #[test]
    fn a_file_is_stored_under_its_last_name() {
        for (name, expected) in [
            ("a/b.txt", "attachment; filename=\"b.txt\"; filename*=UTF-8''b.txt"),
            ("a\\..\\b", "attachment; filename=\"b\"; filename*=UTF-8''b"),
            (
                "\"x\"; y=é",
                "attachment; filename=\"_x__ y__\"; filename*=UTF-8''%22x%22%3B%20y%3D%C3%A9",
            ),
        ] {
            assert_eq!(attachment(name).unwrap(), expected, "{name}");
        }
    }
}
