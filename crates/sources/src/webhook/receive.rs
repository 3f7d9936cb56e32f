//! One request: is it to be believed, does it fit, and what event is it.

use evoke_model::{Code, Data, Problem, Rejection, Timestamp, TriggerId};
use evoke_ports::{Arrived, Denied, HttpCall, Received};
use evoke_schema::Schema;
use evoke_signing::{Refused, Request};
use http::HeaderName;
use serde_json::Value;

use super::config::Hook;
use super::payload::{Facts, Headers, payload};

/// Longer ids are not taken: they are kept with the event and looked up.
const DELIVERY_BYTES_MAX: usize = 1_024;

/// The trigger whose request it is.
pub(super) struct Own<'a> {
    pub(super) id: TriggerId,
    pub(super) name: &'a str,
}

/// Looks at a request for a webhook.
pub(super) fn receive(hook: &Hook, own: &Own<'_>, call: &HttpCall, now: Timestamp) -> Received {
    match arrived(hook, own, call, now) {
        Ok(arrived) => Received::Event(Box::new(arrived)),
        Err(denied) => Received::Refused(Box::new(denied)),
    }
}

fn arrived(hook: &Hook, own: &Own<'_>, call: &HttpCall, now: Timestamp) -> Result<Arrived, Denied> {
    let (verified, id) = match verify(hook, call, now) {
        Ok(delivery) => (!hook.verifier.is_open(), delivery_id(hook, call, delivery)?),
        // An id is not taken from a stranger: the real delivery would then be refused as known.
        Err(_) if hook.skip_invalid => (false, None),
        Err(refused) => {
            let rejection = Rejection::new(Code::WebhookRefused, refused.to_string());
            return Err(Denied { rejection, challenge: hook.verifier.challenge() });
        }
    };
    check_body(hook, &call.body)?;
    let headers = match hook.verifier.is_open() {
        true => Headers::All,
        false => Headers::Public(hook.verifier.secret_header()),
    };
    let facts = Facts { trigger: own.id, verified, headers };
    Ok(Arrived { id, kind: kind(own.name), data: payload(call, &facts) })
}

/// CloudEvents `type` of what comes to the webhook of this name.
pub(super) fn kind(name: &str) -> String {
    format!("webhook.{name}")
}

/// The sender's id of the delivery as the verification finds it.
fn verify(hook: &Hook, call: &HttpCall, now: Timestamp) -> Result<Option<String>, Refused> {
    let headers: Vec<(&str, &[u8])> =
        call.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
    let url = format!("{}{}", call.origin, call.target);
    let request =
        Request { method: call.method.as_str(), url: &url, headers: &headers, body: &call.body };
    hook.verifier.verify(&request, now).map(|verified| verified.delivery)
}

fn delivery_id(
    hook: &Hook,
    call: &HttpCall,
    found: Option<String>,
) -> Result<Option<String>, Denied> {
    let id = match &hook.delivery_id {
        Some(name) => named(call, name)?,
        None => found,
    };
    match id {
        Some(id) if id.len() > DELIVERY_BYTES_MAX => {
            let what = format!("the id of the delivery is longer than {DELIVERY_BYTES_MAX} bytes");
            Err(invalid(what))
        }
        id => Ok(id.filter(|id| !id.is_empty())),
    }
}

fn named(call: &HttpCall, name: &HeaderName) -> Result<Option<String>, Denied> {
    let mut values = call.headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    match value.to_str() {
        Ok(id) if values.next().is_none() => Ok(Some(id.to_owned())),
        _ => Err(invalid(format!("the header {name} is no id: once, and visible ASCII"))),
    }
}

fn invalid(what: String) -> Denied {
    Denied { rejection: Rejection::new(Code::InvalidRequest, what), challenge: None }
}

fn check_body(hook: &Hook, body: &[u8]) -> Result<(), Denied> {
    let Some(schema) = &hook.schema else { return Ok(()) };
    let problems = match serde_json::from_slice::<Value>(body) {
        Ok(value) => schema.violations(&value),
        Err(error) => vec![Problem::new("", format!("the body is no JSON: {error}"))],
    };
    if problems.is_empty() {
        return Ok(());
    }
    Err(Denied { rejection: Rejection::of(Code::PayloadInvalid, problems), challenge: None })
}

/// The payload of a request nobody sent, for test runs.
pub(super) fn sample(hook: &Hook, name: &str) -> Data {
    let example = hook.schema.as_ref().and_then(Schema::example).cloned();
    let body = example.unwrap_or_else(|| serde_json::json!({ "hello": "world" }));
    let headers = [(http::header::CONTENT_TYPE, "application/json")];
    let call = HttpCall {
        method: hook.methods.first().cloned().unwrap_or_default(),
        target: hook.path.clone().unwrap_or_else(|| format!("{}/{name}", super::ROOT)),
        origin: String::new(),
        headers: headers
            .into_iter()
            .map(|(name, value)| (name, http::HeaderValue::from_static(value)))
            .collect(),
        params: Vec::new(),
        body: body.to_string().into(),
        user: None,
    };
    let facts = Facts {
        trigger: TriggerId::from_u64(0),
        verified: !hook.verifier.is_open(),
        headers: Headers::All,
    };
    payload(&call, &facts)
}
