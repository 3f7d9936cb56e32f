//! The secret itself in a header. Whoever can read one request can send any other.

use subtle::{Choice, ConstantTimeEq as _};

use sha2::{Digest as _, Sha256};

use crate::preset::Token;
use crate::refused::Refused;
use crate::request::Request;
use crate::secret::Secret;
use crate::signature::delivery;
use crate::verifier::Verified;

pub(crate) fn verify(
    token: &Token,
    secrets: &[Secret],
    request: &Request<'_>,
) -> Result<Verified, Refused> {
    let given = request.required(token.header)?;
    if !is_one_of(given.as_bytes(), secrets) {
        return Err(Refused::Credentials { header: token.header });
    }
    for place in token.delivery {
        if let Some(id) = delivery(place, request)? {
            return Ok(Verified { delivery: Some(id), delivery_is_signed: false });
        }
    }
    Ok(Verified::default())
}

/// Whether these are the bytes of one of the secrets. Hashes are compared, so that the time it
/// takes tells nothing of a secret's length either.
pub(crate) fn is_one_of(given: &[u8], secrets: &[Secret]) -> bool {
    let given = Sha256::digest(given);
    let mut fits = Choice::from(0);
    for secret in secrets {
        fits |= given.ct_eq(&Sha256::digest(secret.key()));
    }
    fits.into()
}
