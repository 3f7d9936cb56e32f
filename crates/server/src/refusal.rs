//! Refusals: whatever goes wrong on the way is carried as one of these to [`crate::service`], which
//! alone knows the request's id and writes the body.

use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use evoke_api::ErrorBody;
use evoke_api::error::retry_after_secs;
use evoke_model::execution::RetryHint;
use evoke_model::{Code, ExecutionId, Failure, Millis, Problem, Rejection};
use http::header::{ALLOW, CONNECTION, CONTENT_RANGE, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderName, HeaderValue, StatusCode};

use crate::options::Stacks;
use crate::reply::ReplyBody;

/// The header that names the execution of an answer.
pub(crate) const EXECUTION_ID: HeaderName = HeaderName::from_static("x-evoke-execution-id");

/// How long to wait where a limit does not say so itself.
const RETRY_AFTER_DEFAULT: Millis = Millis::from_secs(1);

/// Why a request is not answered as it wished.
#[derive(Clone, Debug)]
pub(crate) struct Refusal(Box<Inner>);

#[derive(Clone, Debug)]
struct Inner {
    status: StatusCode,
    rejection: Rejection,
    stack: Option<String>,
    execution: Option<ExecutionId>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Refusal {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Rejection::new(code, message).into()
    }

    pub(crate) fn of(code: Code, problems: Vec<Problem>) -> Self {
        Rejection::of(code, problems).into()
    }

    /// A request with something wrong in it: API_001.
    pub(crate) fn invalid(problems: Vec<Problem>) -> Self {
        Self::of(Code::InvalidRequest, problems)
    }

    /// A trigger with something wrong in it: TR_002.
    pub(crate) fn invalid_trigger(problems: Vec<Problem>) -> Self {
        Self::of(Code::InvalidTrigger, problems)
    }

    /// Nobody we know: what CONTRACT calls FN_009 without a key.
    pub(crate) fn unauthenticated(message: &str) -> Self {
        let mut refusal = Self::new(Code::PermissionDenied, message);
        refusal.0.status = StatusCode::UNAUTHORIZED;
        refusal.with_header(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
    }

    /// With what the caller is to prove itself with.
    pub(crate) fn with_challenge(self, challenge: Option<&'static str>) -> Self {
        match challenge {
            Some(text) => self.with_header(WWW_AUTHENTICATE, HeaderValue::from_static(text)),
            None => self,
        }
    }

    pub(crate) fn method_not_allowed(allow: &str) -> Self {
        let refusal = Self::new(Code::MethodNotAllowed, format!("allowed: {allow}"));
        match HeaderValue::from_str(allow) {
            Ok(value) => refusal.with_header(ALLOW, value),
            Err(_) => refusal,
        }
    }

    /// The rest of the request is not read, so nothing more can come over its connection.
    pub(crate) fn and_close(self) -> Self {
        self.with_header(CONNECTION, HeaderValue::from_static("close"))
    }

    /// With the size of the file a part was asked of.
    pub(crate) fn with_size(self, size: u64) -> Self {
        match HeaderValue::from_str(&format!("bytes */{size}")) {
            Ok(value) => self.with_header(CONTENT_RANGE, value),
            Err(_) => self,
        }
    }

    /// Why, for those who answer in another way.
    pub(crate) fn into_rejection(self) -> Rejection {
        self.0.rejection
    }

    pub(crate) fn with_execution(mut self, execution: Option<ExecutionId>) -> Self {
        self.0.execution = execution;
        self
    }

    fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.push((name, value));
        self
    }

    /// The answer in the one form of every error.
    pub(crate) fn render(self, request_id: &str, stacks: Stacks) -> http::Response<ReplyBody> {
        let Inner { status, rejection, stack, execution, headers } = *self.0;
        let stack = stack.filter(|_| stacks == Stacks::Shown);
        let body = ErrorBody::new(&rejection, request_id).with_stack(stack);
        let body = serde_json::to_vec(&body).unwrap_or_default();
        let mut response = http::Response::new(ReplyBody::full(Bytes::from(body)));
        *response.status_mut() = status;
        let out = response.headers_mut();
        out.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        out.extend(headers.into_iter().map(|(name, value)| (Some(name), value)));
        let is_busy = [StatusCode::SERVICE_UNAVAILABLE, StatusCode::TOO_MANY_REQUESTS];
        let wait =
            rejection.retry_after.or(is_busy.contains(&status).then_some(RETRY_AFTER_DEFAULT));
        if let Some(wait) = wait {
            out.insert(RETRY_AFTER, HeaderValue::from(retry_after_secs(wait)));
        }
        if let Some(value) = execution.and_then(|id| HeaderValue::try_from(id.to_string()).ok()) {
            out.insert(EXECUTION_ID, value);
        }
        response
    }
}

impl From<Rejection> for Refusal {
    fn from(rejection: Rejection) -> Self {
        let status = StatusCode::from_u16(rejection.status.unwrap_or(rejection.code.status()));
        Self(Box::new(Inner {
            status: status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            rejection,
            stack: None,
            execution: None,
            headers: Vec::new(),
        }))
    }
}

impl From<Box<Rejection>> for Refusal {
    fn from(rejection: Box<Rejection>) -> Self {
        (*rejection).into()
    }
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        let mut rejection = Rejection::new(failure.code, failure.message);
        if let RetryHint::After(wait) = failure.retry {
            rejection.retry_after = Some(wait);
        }
        let mut refusal = Self::from(rejection);
        refusal.0.stack = failure.stack;
        refusal
    }
}

impl IntoResponse for Refusal {
    /// An empty answer that carries the refusal; the body is written further out.
    fn into_response(self) -> Response {
        let mut response = self.0.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}
