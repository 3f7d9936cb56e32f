//! Standard Webhooks 1.0 with symmetric signatures (<https://www.standardwebhooks.com>): the id,
//! the time of the attempt and the body, joined by dots, signed by HMAC-SHA256.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use evoke_model::{Millis, Timestamp};

use crate::mac::hmac;
use crate::moment;
use crate::preset::Signature;
use crate::presets;
use crate::request::Request;
use crate::secret::Secret;
use crate::signature::Rule;

/// Names the message; the same for every attempt to deliver it.
pub const ID: &str = "webhook-id";

/// The time of the attempt, in whole seconds of the Unix epoch.
pub const TIMESTAMP: &str = "webhook-timestamp";

/// The signatures, separated by spaces: one for each secret.
pub const SIGNATURE: &str = "webhook-signature";

/// The three headers a message travels with.
pub const HEADERS: [&str; 3] = [ID, TIMESTAMP, SIGNATURE];

/// How far the time of an attempt may be off: what the libraries of the specification allow.
pub const TOLERANCE: Millis = moment::TOLERANCE;

static SCHEME: Signature = presets::STANDARD_WEBHOOKS;

/// A message to sign.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// Names it; may not hold a dot.
    pub id: &'a str,
    /// When the attempt is made.
    pub time: Timestamp,
    /// The body, byte for byte as it is sent.
    pub body: &'a [u8],
}

/// The values of the three headers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Signed {
    /// Of [`ID`].
    pub id: String,
    /// Of [`TIMESTAMP`].
    pub timestamp: String,
    /// Of [`SIGNATURE`].
    pub signature: String,
}

/// A message as it came.
#[derive(Clone, Copy, Debug)]
pub struct Received<'a> {
    /// The header [`ID`].
    pub id: Option<&'a str>,
    /// The header [`TIMESTAMP`].
    pub timestamp: Option<&'a str>,
    /// The header [`SIGNATURE`].
    pub signature: Option<&'a str>,
    /// The body, byte for byte as it came.
    pub body: &'a [u8],
}

/// Against what a message is held.
#[derive(Clone, Copy, Debug)]
pub struct Check<'a> {
    /// A signature by any of them is enough.
    pub secrets: &'a [Secret],
    /// The time now.
    pub now: Timestamp,
    /// How far the time of the attempt may be off, to both sides.
    pub tolerance: Millis,
}

/// Why a message is not to be believed.
pub use crate::refused::Refused as Error;

/// Why a message can not be signed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Unsignable {
    /// Nothing to sign with.
    #[error("there is no secret")]
    NoSecret,
    /// The id is empty or holds a dot, so that two messages could have the same signature.
    #[error("{ID} must be a text without dots")]
    Id,
}

/// Signs a message with each of the secrets. While a secret is exchanged, the old and the new one
/// both sign, so that a receiver may have either.
///
/// # Errors
/// There is no secret, or the id has a dot.
pub fn sign(secrets: &[Secret], message: Message<'_>) -> Result<Signed, Unsignable> {
    if secrets.is_empty() {
        return Err(Unsignable::NoSecret);
    }
    if message.id.is_empty() || message.id.contains('.') {
        return Err(Unsignable::Id);
    }
    let id = message.id.to_owned();
    let timestamp = message.time.as_millis().div_euclid(1_000).to_string();
    let signatures = secrets.iter().map(|secret| {
        let pieces = [id.as_bytes(), b".", timestamp.as_bytes(), b".", message.body];
        let code = hmac(SCHEME.algorithm, secret.key(), &pieces);
        format!("{}{}", SCHEME.prefix, STANDARD.encode(code))
    });
    let signature = signatures.collect::<Vec<_>>().join(" ");
    Ok(Signed { id, timestamp, signature })
}

/// Whether a message comes from somebody who knows one of the secrets, unchanged and lately. What
/// it costs does not depend on how near a wrong signature is.
///
/// # Errors
/// Why not.
pub fn verify(received: Received<'_>, check: Check<'_>) -> Result<(), Error> {
    let headers =
        [(ID, received.id), (TIMESTAMP, received.timestamp), (SIGNATURE, received.signature)];
    let headers: Vec<(&str, &[u8])> =
        headers.into_iter().filter_map(|(name, value)| Some((name, value?.as_bytes()))).collect();
    let request = Request { method: "", url: "", headers: &headers, body: received.body };
    let rule = Rule::of(&SCHEME, check.tolerance);
    rule.verify(check.secrets, &request, check.now).map(|_| ())
}

#[cfg(test)]
mod tests;
