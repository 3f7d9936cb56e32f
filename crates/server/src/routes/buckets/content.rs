//! A file as an answer.

use std::ops::Range;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use evoke_model::{Code, Rejection};
use evoke_storage::{File, Pieces, Storage, Wanted, wanted};
use http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE,
    CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, LAST_MODIFIED, RANGE, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

use super::conditions::{self, Known, Need};
use super::headers::{attachment, put_metadata};
use crate::context::text;
use crate::refusal::Refusal;

/// What users upload is shown in a page of nobody's: it runs no scripts and loads nothing.
const SANDBOX: HeaderValue =
    HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'; sandbox");

/// What is asked of a file.
pub(crate) struct Asked<'a> {
    pub(crate) bucket: &'a str,
    pub(crate) name: &'a str,
    pub(crate) method: &'a Method,
    pub(crate) headers: &'a HeaderMap,
    /// Under which name it is to be stored, if it is: empty for its own.
    pub(crate) download: Option<String>,
}

/// What is sent of a file.
enum Sent {
    Nothing(Need),
    Part(Range<u64>),
    Whole,
    Unsatisfiable,
}

impl Asked<'_> {
    fn sent(&self, file: &File, known: &Known) -> Sent {
        match known.need(file) {
            Need::Sent => {}
            need => return Sent::Nothing(need),
        }
        // It has a meaning for GET alone (RFC 9110, section 14.2).
        let range = text(self.headers, &RANGE).filter(|_| self.method == Method::GET);
        let Some(range) = range.filter(|_| conditions::is_same(self.headers, file)) else {
            return Sent::Whole;
        };
        match wanted(range, file.size()) {
            Wanted::Whole => Sent::Whole,
            Wanted::Part(range) => Sent::Part(range),
            Wanted::Unsatisfiable => Sent::Unsatisfiable,
        }
    }

    /// What is to be read of a file.
    fn read(&self, file: &File, known: &Known) -> Option<Range<u64>> {
        let range = match self.sent(file, known) {
            Sent::Part(range) => range,
            Sent::Whole => 0..file.size(),
            Sent::Nothing(_) | Sent::Unsatisfiable => return None,
        };
        (self.method != Method::HEAD).then_some(range)
    }

    /// Answers with the file.
    ///
    /// # Errors
    /// SO_001, SO_002, SO_003; SO_006; SO_009; SO_011; API_001 for conditions that are none.
    pub(crate) async fn answer(&self, storage: &Storage) -> Result<Response, Refusal> {
        let known = Known::of(self.headers)?;
        let choose = |file: &File| Ok::<_, Rejection>(self.read(file, &known));
        let (file, pieces) = storage.read(self.bucket, self.name, choose).await?;
        let (status, range) = match self.sent(&file, &known) {
            Sent::Nothing(Need::Failed) => {
                let message = "the file is not the one that was expected";
                return Err(Refusal::new(Code::FileChanged, message));
            }
            Sent::Nothing(_) => return Ok(not_modified(&file, self.cache(storage))),
            Sent::Unsatisfiable => {
                let message = format!("the file has {} bytes, and one range is given", file.size());
                let refusal = Refusal::new(Code::RangeInvalid, message);
                return Err(refusal.with_size(file.size()));
            }
            Sent::Whole => (StatusCode::OK, 0..file.size()),
            Sent::Part(range) => (StatusCode::PARTIAL_CONTENT, range),
        };
        let mut headers = HeaderMap::new();
        describe(&mut headers, &file, self.cache(storage));
        put_metadata(&mut headers, &file.metadata);
        put(&mut headers, CONTENT_TYPE, &file.content_type);
        put(&mut headers, CONTENT_LENGTH, &(range.end - range.start).to_string());
        headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(CONTENT_SECURITY_POLICY, SANDBOX);
        if status == StatusCode::PARTIAL_CONTENT {
            let value = format!("bytes {}-{}/{}", range.start, range.end - 1, file.size());
            put(&mut headers, CONTENT_RANGE, &value);
        }
        let stored_as = self.download.as_deref().map(|name| match name {
            "" => self.name,
            name => name,
        });
        if let Some(value) = stored_as.and_then(attachment) {
            headers.insert(CONTENT_DISPOSITION, value);
        }
        Ok((status, headers, body(pieces)).into_response())
    }

    /// Caches ask each time, and those that are shared keep only what everybody may see.
    fn cache(&self, storage: &Storage) -> HeaderValue {
        HeaderValue::from_static(match storage.is_public(self.bucket) {
            true => "public, no-cache",
            false => "private, no-cache",
        })
    }
}

fn body(pieces: Option<Pieces>) -> Body {
    pieces.map_or_else(Body::empty, Body::from_stream)
}

fn not_modified(file: &File, cache: HeaderValue) -> Response {
    let mut headers = HeaderMap::new();
    describe(&mut headers, file, cache);
    (StatusCode::NOT_MODIFIED, headers).into_response()
}

/// The headers by which a client knows whether it has a file.
fn describe(headers: &mut HeaderMap, file: &File, cache: HeaderValue) {
    put(headers, ETAG, &format!("\"{}\"", file.etag()));
    if let Some(date) = conditions::last_modified(file) {
        put(headers, LAST_MODIFIED, &date);
    }
    headers.insert(CACHE_CONTROL, cache);
}

fn put(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}
