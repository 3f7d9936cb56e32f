//! One request and what its answer means.

use evoke_model::execution::RetryHint;
use evoke_model::{Code, Data, Failure, Outcome, Timestamp};
use http::header::{self, HeaderName};
use http::{HeaderMap, HeaderValue, StatusCode};
use reqwest::Response;
use serde_json::{Map, Value, json};

use super::client::causes;
use super::guard::Refused;
use crate::answer;

/// Bytes of an answer that are recorded; the rest is not read.
pub(super) const RECORDED_BYTES_MAX: usize = 64 * 1024;

/// Headers of an answer that are recorded: those that help to find it again at the other side.
const RECORDED_HEADERS: &[&str] = &[
    "content-type",
    "content-length",
    "date",
    "etag",
    "location",
    "retry-after",
    "server",
    "traceparent",
    "x-request-id",
];

/// What came back.
pub(super) struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
    is_cut: bool,
}

/// Sends a request and reads as much of the answer as is recorded.
pub(super) async fn send(request: reqwest::RequestBuilder) -> Result<Answer, Failure> {
    let mut response = request.send().await.map_err(|error| failure(&error.without_url()))?;
    let mut body = Vec::new();
    let is_cut = read(&mut response, &mut body).await.map_err(|error| {
        let what = causes(&error.without_url());
        Failure::new(Code::TargetFailed, format!("the answer broke off: {what}"))
    })?;
    let (status, headers) = (response.status(), std::mem::take(response.headers_mut()));
    Ok(Answer { status, headers, body, is_cut })
}

/// Whether more was there than is recorded.
async fn read(response: &mut Response, body: &mut Vec<u8>) -> reqwest::Result<bool> {
    while let Some(piece) = response.chunk().await? {
        let room = RECORDED_BYTES_MAX - body.len();
        body.extend_from_slice(&piece[..piece.len().min(room)]);
        if piece.len() > room {
            return Ok(true);
        }
    }
    Ok(false)
}

/// What an error of the client means.
fn failure(error: &reqwest::Error) -> Failure {
    if let Some(refused) = refused(error) {
        return Failure::new(Code::TargetRefused, refused.to_string()).for_good();
    }
    let what = causes(error);
    if error.is_connect() {
        Failure::new(Code::TargetUnreachable, format!("no connection: {what}"))
    } else if error.is_redirect() || error.is_builder() {
        Failure::new(Code::TargetFailed, what).for_good()
    } else {
        Failure::new(Code::TargetFailed, format!("no usable answer: {what}"))
    }
}

fn refused(error: &reqwest::Error) -> Option<&Refused> {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(cause) = next {
        if let Some(refused) = cause.downcast_ref::<Refused>() {
            return Some(refused);
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
        let mut message = format!("the target {}", answer::describe(self.status, &self.body));
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
        Outcome::Failure(Failure { retry, ..Failure::new(Code::TargetFailed, message) })
    }

    fn record(self) -> Value {
        let mut headers = Map::new();
        for name in RECORDED_HEADERS {
            if let Some(value) = self.headers.get(*name) {
                let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
                headers.insert((*name).to_owned(), value.into());
            }
        }
        let mut record = json!({ "status": self.status.as_u16(), "headers": headers });
        if self.is_cut {
            record["truncated"] = true.into();
            // The cut may have gone through a character; that is still a text.
            if let Err(error) = std::str::from_utf8(&self.body)
                && error.error_len().is_none()
            {
                let text = String::from_utf8_lossy(&self.body[..error.valid_up_to()]);
                record["body"] = text.into();
                return record;
            }
        }
        match answer::data(&self.headers, self.body.into()) {
            Data::Binary(bytes) => {
                record["body_base64"] = evoke_model::event::base64(&bytes).into()
            }
            data => record["body"] = data.to_value(),
        }
        record
    }
}

/// Headers of every request, unless the trigger sets them itself.
pub(super) fn headers(own: &HeaderMap, ours: Vec<(HeaderName, String)>) -> HeaderMap {
    let mut headers = own.clone();
    for (name, value) in ours {
        if let Ok(value) = HeaderValue::from_str(&value)
            && !own.contains_key(&name)
        {
            headers.insert(name, value);
        }
    }
    headers
}
