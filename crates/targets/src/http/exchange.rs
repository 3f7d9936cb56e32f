//! One request and what its answer means.

use std::error::Error;
use std::io;

use evoke_model::execution::RetryHint;
use evoke_model::{Code, Data, Failure, Outcome, Timestamp};
use http::{HeaderMap, StatusCode, header};
use reqwest::Response;

use super::client::causes;
use super::guard::Refused;
use super::record::Record;
use crate::answer;

/// An answer that is longer than what is read of it is read to its end nevertheless, and thrown
/// away, where it says that it is not longer than this: the connection can be used again then.
const DISCARD_BYTES_MAX: u64 = 64 * 1024;

/// What came back.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    /// The beginning of the body.
    pub(super) body: Vec<u8>,
    /// More was there than is read.
    pub(super) is_cut: bool,
    pub(super) record: Record,
}

/// Sends a request and reads as much of the answer as matters.
pub(super) async fn send(
    request: reqwest::RequestBuilder,
    record: Record,
) -> Result<Answer, Failure> {
    let mut response = request.send().await.map_err(|error| failure(&error.without_url()))?;
    let mut body = Vec::new();
    let read = read(&mut response, &mut body, record.read_bytes_max).await;
    let is_cut = read.map_err(|error| {
        let what = causes(&error.without_url());
        Failure::new(Code::TargetFailed, format!("the answer broke off: {what}"))
    })?;
    let (status, headers) = (response.status(), std::mem::take(response.headers_mut()));
    Ok(Answer { status, headers, body, is_cut, record })
}

/// Whether more was there than may be read.
async fn read(
    response: &mut Response,
    body: &mut Vec<u8>,
    bytes_max: usize,
) -> reqwest::Result<bool> {
    let is_short = response.content_length().is_some_and(|bytes| bytes <= DISCARD_BYTES_MAX);
    let mut is_cut = false;
    while let Some(piece) = response.chunk().await? {
        let room = bytes_max - body.len();
        body.extend_from_slice(&piece[..piece.len().min(room)]);
        is_cut |= piece.len() > room;
        if is_cut && !is_short {
            break;
        }
    }
    Ok(is_cut)
}

/// What an error of the client means.
fn failure(error: &reqwest::Error) -> Failure {
    if let Some(refused) = cause(error, |cause| cause.downcast_ref::<Refused>()) {
        return Failure::new(Code::TargetRefused, refused.to_string()).for_good();
    }
    let what = causes(error);
    // In TLS 1.3 a server refuses a certificate after the client has begun to send. Of that error
    // HTTP/2 leaves only the kind.
    let is_tls = cause(error, |cause| cause.downcast_ref::<io::Error>())
        .is_some_and(|cause| cause.kind() == io::ErrorKind::InvalidData);
    if is_tls || error.is_connect() {
        Failure::new(Code::TargetUnreachable, format!("no connection: {what}"))
    } else if error.is_redirect() || error.is_builder() {
        Failure::new(Code::TargetFailed, what).for_good()
    } else {
        Failure::new(Code::TargetFailed, format!("no usable answer: {what}"))
    }
}

/// The first cause that `find` finds something in.
fn cause<'a, T>(
    error: &'a reqwest::Error,
    find: impl Fn(&'a (dyn Error + 'static)) -> Option<T>,
) -> Option<T> {
    let mut next: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(cause) = next {
        if let Some(found) = find(cause) {
            return Some(found);
        }
        next = cause.source();
    }
    None
}

impl Answer {
    /// 2xx is done. 408, 425, 429 and 5xx are tried again, not before `Retry-After`; everything
    /// else would be answered the same the next time.
    pub(super) fn outcome(self, now: Timestamp) -> Outcome {
        if self.status.is_success() {
            return Outcome::Success(Data::from_value(&self.record()));
        }
        Outcome::Failure(self.failure(now))
    }

    /// The same for a batch: where the call went well, the answer says which events did not.
    pub(super) fn batch_outcome(self, now: Timestamp) -> Outcome {
        if self.status.is_success() {
            return self.batch_record().map_or_else(Outcome::Failure, Outcome::Success);
        }
        Outcome::Failure(self.failure(now))
    }

    fn failure(&self, now: Timestamp) -> Failure {
        let shown = self.record.kept(&self.body);
        let mut message = format!("the target {}", answer::describe(self.status, shown));
        let location = self.headers.get(header::LOCATION).and_then(|value| value.to_str().ok());
        if let Some(location) = location.filter(|_| self.status.is_redirection()) {
            message = format!("{message} (to {location}; see follow_redirects)");
        }
        let is_passing =
            self.status.is_server_error() || matches!(self.status.as_u16(), 408 | 425 | 429);
        let retry = match answer::retry_after(&self.headers, now) {
            _ if !is_passing => RetryHint::Never,
            Some(wait) => RetryHint::After(wait),
            None => RetryHint::Policy,
        };
        Failure { retry, ..Failure::new(Code::TargetFailed, message) }
    }
}
