//! HTTP basic authentication (RFC 7617).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::refused::Refused;
use crate::request::Request;
use crate::secret::Secret;
use crate::token::is_one_of;
use crate::verifier::Verified;

pub(crate) const HEADER: &str = "authorization";
const SCHEME: &str = "basic";

/// What a refusal carries as `www-authenticate`: some senders give their password only after it.
pub(crate) const CHALLENGE: &str = "Basic realm=\"webhook\", charset=\"UTF-8\"";

/// `user` is the name as a [`Secret`], so that it is compared as a password is.
pub(crate) fn verify(
    user: &Secret,
    passwords: &[Secret],
    request: &Request<'_>,
) -> Result<Verified, Refused> {
    let given = credentials(request.required(HEADER)?)
        .ok_or_else(|| Refused::header(HEADER, "has no user name and password"))?;
    let colon = given.iter().position(|byte| *byte == b':');
    let colon = colon.ok_or_else(|| Refused::header(HEADER, "has no user name and password"))?;
    let is_user = is_one_of(&given[..colon], std::slice::from_ref(user));
    let is_password = is_one_of(&given[colon + 1..], passwords);
    if is_user & is_password {
        Ok(Verified::default())
    } else {
        Err(Refused::Credentials { header: HEADER })
    }
}

fn credentials(value: &str) -> Option<Vec<u8>> {
    let (scheme, encoded) = value.split_once(' ')?;
    let encoded = encoded.trim_matches(' ');
    STANDARD.decode(encoded).ok().filter(|_| scheme.eq_ignore_ascii_case(SCHEME))
}
