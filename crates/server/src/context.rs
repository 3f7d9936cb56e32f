//! What is known of a request before anybody looks at what it wants.

use std::sync::Arc;

use evoke_api::trace::is_traceparent;
use evoke_engine::{Actor, Engine};
use evoke_model::{ExecutionId, KeyId, Problem};
use evoke_ports::Origin;
use http::header::HOST;
use http::{HeaderMap, HeaderName, HeaderValue, Uri};

use crate::patience::Patience;
use crate::refusal::Refusal;

pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
pub(crate) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Longer ids and keys of callers are not taken: they are kept with every event.
const CALLERS_TEXT_LEN_MAX: usize = 200;

/// Who calls.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Caller {
    /// Somebody on this machine, or anybody where the route is public.
    Anyone,
    /// The holder of an API key.
    Key(KeyId),
    /// A function, from within this execution.
    Execution(ExecutionId),
}

impl Caller {
    /// The execution whose function calls.
    pub(crate) fn cause(self) -> Option<ExecutionId> {
        match self {
            Self::Execution(id) => Some(id),
            Self::Anyone | Self::Key(_) => None,
        }
    }

    /// The caller as the audit trail names it.
    pub(crate) fn actor(self, engine: &Engine) -> Actor {
        match self {
            Self::Anyone => Actor::local(),
            Self::Execution(id) => Actor(id.to_string().into()),
            // A key that was taken away since it let the caller in is named by its id.
            Self::Key(id) => {
                let known = engine.keys().into_iter().find(|key| key.id == id);
                Actor(known.map_or_else(|| id.to_string(), |key| key.name).into())
            }
        }
    }
}

/// What is known of a request.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    /// The caller's id of the request, or one of ours.
    pub(crate) request_id: Arc<str>,
    /// The caller's trace context, if it is valid.
    pub(crate) traceparent: Option<Box<str>>,
    /// Who calls; decided by [`crate::guard`].
    pub(crate) caller: Caller,
    /// For requests that are answered even if their sender closed its side.
    pub(crate) patience: Patience,
}

impl Context {
    pub(crate) fn of(headers: &HeaderMap, patience: Patience) -> Self {
        let request_id = text(headers, &REQUEST_ID).filter(|id| is_sane(id));
        let traceparent = text(headers, &TRACEPARENT).filter(|text| is_traceparent(text));
        Self {
            request_id: request_id.map_or_else(new_request_id, Into::into),
            traceparent: traceparent.map(Into::into),
            caller: Caller::Anyone,
            patience,
        }
    }

    /// Who makes a change, for the news of it.
    pub(crate) fn origin(&self) -> Origin {
        Origin {
            cause: self.caller.cause(),
            traceparent: self.traceparent.clone(),
            request_id: Some(self.request_id.clone()),
        }
    }
}

/// The value of a header that is plain ASCII.
pub(crate) fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// What a log, a header and a shell can carry without harm.
fn is_sane(id: &str) -> bool {
    (1..=CALLERS_TEXT_LEN_MAX).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:/+=@".contains(&byte))
}

/// An id of ours. It names a request in logs and guards nothing, so it needs no secrecy.
fn new_request_id() -> Arc<str> {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let random = fastrand::u64(..);
    let mut text = *b"req_0000000000000000";
    for (place, byte) in text[4..].iter_mut().enumerate() {
        *byte = DIGITS[(random >> (place * 4)) as usize & 15];
    }
    std::str::from_utf8(&text).unwrap_or("req_").into()
}

/// The key under which the caller wants a request to count only once.
///
/// # Errors
/// API_001 when it is empty, too long or not ASCII.
pub(crate) fn idempotency_key(headers: &HeaderMap) -> Result<Option<&str>, Refusal> {
    match headers.get(&IDEMPOTENCY_KEY).map(HeaderValue::to_str) {
        None => Ok(None),
        Some(Ok(key)) if (1..=CALLERS_TEXT_LEN_MAX).contains(&key.len()) => Ok(Some(key)),
        Some(_) => {
            let what = format!("must have 1 to {CALLERS_TEXT_LEN_MAX} visible ASCII characters");
            Err(Refusal::invalid(vec![Problem::new("Idempotency-Key", what)]))
        }
    }
}

/// Host and port the caller addressed, from the target of the request (HTTP/2) or the header.
pub(crate) fn authority<'a>(uri: &'a Uri, headers: &'a HeaderMap) -> Option<&'a str> {
    match uri.authority() {
        Some(authority) => Some(authority.as_str()),
        None => text(headers, &HOST),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_callers_id_is_taken_only_when_it_is_harmless() {
        let id_of = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(REQUEST_ID, HeaderValue::from_str(value).expect("a value"));
            Context::of(&headers, Patience::default()).request_id.to_string()
        };
        assert_eq!(id_of("order-7.a:b"), "order-7.a:b");
        for bad in ["", "two words", "<script>", &"x".repeat(201)] {
            assert!(id_of(bad).starts_with("req_"), "{bad}");
            assert_eq!(id_of(bad).len(), 20);
        }
    }
}
