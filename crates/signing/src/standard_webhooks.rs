//! Standard Webhooks 1.0 with symmetric signatures (<https://www.standardwebhooks.com>): the id,
//! the time of the attempt and the body, joined by dots, signed by HMAC-SHA256.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use evoke_model::{Millis, Timestamp};
use subtle::{Choice, ConstantTimeEq as _};

use crate::mac::{self, hmac_sha256};
use crate::secret::Secret;

/// Names the message; the same for every attempt to deliver it.
pub const ID: &str = "webhook-id";

/// The time of the attempt, in whole seconds of the Unix epoch.
pub const TIMESTAMP: &str = "webhook-timestamp";

/// The signatures, separated by spaces: one for each secret.
pub const SIGNATURE: &str = "webhook-signature";

/// The three headers a message travels with.
pub const HEADERS: [&str; 3] = [ID, TIMESTAMP, SIGNATURE];

/// How far the time of an attempt may be off: what the libraries of the specification allow.
pub const TOLERANCE: Millis = Millis::from_secs(5 * 60);

/// What stands before a symmetric signature.
const VERSION: &str = "v1,";

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

/// Why a message can not be signed, or is not to be believed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Error {
    /// Nothing to sign or verify with.
    #[error("there is no secret")]
    NoSecret,
    /// The id is empty or holds a dot, so that two messages could have the same signature.
    #[error("{ID} must be a text without dots")]
    Id,
    /// A header is not there.
    #[error("the header {0} is missing")]
    Missing(&'static str),
    /// The time is no whole number of seconds.
    #[error("{TIMESTAMP} must be a whole number of seconds")]
    Timestamp,
    /// Sent too long ago, or caught and sent again.
    #[error("the message is {by_secs} s older than the {tolerance} that are allowed")]
    TooOld {
        /// Seconds beyond what is allowed.
        by_secs: u64,
        /// What is allowed.
        tolerance: Millis,
    },
    /// One of the clocks is wrong.
    #[error(
        "the message is {by_secs} s further in the future than the {tolerance} that are allowed"
    )]
    TooNew {
        /// Seconds beyond what is allowed.
        by_secs: u64,
        /// What is allowed.
        tolerance: Millis,
    },
    /// No signature of a kind that can be verified here.
    #[error("{SIGNATURE} has no signature of the form {VERSION}BASE64")]
    Unsigned,
    /// None of the signatures was made of this message with one of the secrets.
    #[error("no signature fits: another secret, or the message was changed on its way")]
    Mismatch,
}

/// Signs a message with each of the secrets. While a secret is exchanged, the old and the new one
/// both sign, so that a receiver may have either.
///
/// # Errors
/// [`Error::NoSecret`] or [`Error::Id`].
pub fn sign(secrets: &[Secret], message: Message<'_>) -> Result<Signed, Error> {
    if secrets.is_empty() {
        return Err(Error::NoSecret);
    }
    let id = checked(message.id)?.to_owned();
    let timestamp = seconds(message.time).to_string();
    let signatures = secrets.iter().map(|secret| {
        let code = code(secret, [&id, &timestamp], message.body);
        format!("{VERSION}{}", STANDARD.encode(code))
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
    if check.secrets.is_empty() {
        return Err(Error::NoSecret);
    }
    let id = checked(received.id.ok_or(Error::Missing(ID))?)?;
    let timestamp = received.timestamp.ok_or(Error::Missing(TIMESTAMP))?;
    let signature = received.signature.ok_or(Error::Missing(SIGNATURE))?;
    is_recent(timestamp, check)?;
    let candidates = candidates(signature)?;
    let mut fits = Choice::from(0);
    for secret in check.secrets {
        let code = code(secret, [id, timestamp], received.body);
        for candidate in &candidates {
            fits |= code.ct_eq(candidate);
        }
    }
    if bool::from(fits) { Ok(()) } else { Err(Error::Mismatch) }
}

fn checked(id: &str) -> Result<&str, Error> {
    if id.is_empty() || id.contains('.') { Err(Error::Id) } else { Ok(id) }
}

fn seconds(time: Timestamp) -> i64 {
    time.as_millis().div_euclid(1_000)
}

fn code(secret: &Secret, [id, timestamp]: [&str; 2], body: &[u8]) -> [u8; mac::BYTES] {
    hmac_sha256(secret.key(), &[id.as_bytes(), b".", timestamp.as_bytes(), b".", body])
}

fn is_recent(timestamp: &str, check: Check<'_>) -> Result<(), Error> {
    let is_number = !timestamp.is_empty() && timestamp.bytes().all(|byte| byte.is_ascii_digit());
    let sent: i64 = timestamp.parse().ok().filter(|_| is_number).ok_or(Error::Timestamp)?;
    let off = i128::from(seconds(check.now)) - i128::from(sent);
    let beyond = off.unsigned_abs().saturating_sub(u128::from(check.tolerance.as_u64() / 1_000));
    let (by_secs, tolerance) = (u64::try_from(beyond).unwrap_or(u64::MAX), check.tolerance);
    match (by_secs, off > 0) {
        (0, _) => Ok(()),
        (_, true) => Err(Error::TooOld { by_secs, tolerance }),
        (_, false) => Err(Error::TooNew { by_secs, tolerance }),
    }
}

/// The signatures in a header that can be verified here. Others may stand beside them: of other
/// versions of the specification.
fn candidates(header: &str) -> Result<Vec<[u8; mac::BYTES]>, Error> {
    let mut versioned = header.split(' ').filter_map(|text| text.strip_prefix(VERSION)).peekable();
    versioned.peek().ok_or(Error::Unsigned)?;
    let codes = versioned.filter_map(|text| STANDARD.decode(text).ok()?.try_into().ok());
    Ok(codes.collect())
}

#[cfg(test)]
mod tests;
