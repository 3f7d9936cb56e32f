//! The signature of what is sent, as Standard Webhooks has it.

use evoke_model::{Code, Failure, Problem, Timestamp};
use evoke_ports::Fields;
use evoke_signing::Secret;
use evoke_signing::standard_webhooks::{self, HEADERS, ID, Message, SIGNATURE, Signed, TIMESTAMP};
use http::HeaderMap;
use http::header::HeaderName;
use serde_json::Value;

/// Each secret is another signature in one header; more than the old and the new one are rarely in
/// use at once.
pub(super) const SECRETS_MAX: usize = 5;

/// What signs the requests of a target.
#[derive(Debug)]
pub(super) struct Signing {
    secrets: Vec<Secret>,
}

impl Signing {
    /// Reads `{ secrets: [...] }`. No problem repeats what was given.
    pub(super) fn read(config: &Value) -> Result<Self, Vec<Problem>> {
        let mut fields = Fields::new(config, &["secrets"]);
        let given = match fields.get("secrets") {
            Some(Value::Array(given)) if (1..=SECRETS_MAX).contains(&given.len()) => &given[..],
            _ => {
                let message = format!("expected a list of 1 to {SECRETS_MAX} secrets");
                fields.problem(Problem::new("secrets", message).suggest("[\"whsec_...\"]"));
                &[]
            }
        };
        let mut secrets = Vec::with_capacity(given.len());
        for (place, value) in given.iter().enumerate() {
            match secret(value, &secrets) {
                Ok(secret) => secrets.push(secret),
                Err(message) => {
                    fields.problem(Problem::new(format!("secrets[{place}]"), message));
                }
            }
        }
        fields.finish(Self { secrets })
    }

    /// The headers that go with a message.
    pub(super) fn headers(
        &self,
        id: &str,
        time: Timestamp,
        body: &[u8],
    ) -> Result<[(HeaderName, String); 3], Failure> {
        let message = Message { id, time, body };
        let signed = standard_webhooks::sign(&self.secrets, message).map_err(|error| {
            Failure::new(Code::TargetFailed, format!("cannot be signed: {error}")).for_good()
        })?;
        let Signed { id, timestamp, signature } = signed;
        let named = [(ID, id), (TIMESTAMP, timestamp), (SIGNATURE, signature)];
        Ok(named.map(|(name, value)| (HeaderName::from_static(name), value)))
    }
}

fn secret(value: &Value, earlier: &[Secret]) -> Result<Secret, String> {
    let text = value.as_str().ok_or("expected a text")?;
    let secret = Secret::parse(text).map_err(|error| error.to_string())?;
    if earlier.contains(&secret) {
        return Err("is there twice".to_owned());
    }
    Ok(secret)
}

/// Headers of the trigger that the signature would have to replace.
pub(super) fn collisions(headers: &HeaderMap) -> Vec<Problem> {
    let taken = HEADERS.into_iter().filter(|name| headers.contains_key(*name));
    let problem = |name| Problem::new(format!("headers.{name}"), "is set by the signature");
    taken.map(problem).collect()
}
