//! Texts that prove something because nobody can guess them. Only their hashes are kept.

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use evoke_model::{Code, Rejection};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// Bytes of chance in a secret: 256 bits cannot be tried out.
const SECRET_BYTES: usize = 32;

/// A new secret as text.
///
/// # Errors
/// API_006: the machine gives no random numbers.
pub(crate) fn secret() -> Result<String, Rejection> {
    Ok(URL_SAFE_NO_PAD.encode(drawn::<SECRET_BYTES>()?))
}

/// Bytes nobody can guess.
///
/// # Errors
/// API_006: the machine gives no random numbers.
pub(crate) fn drawn<const N: usize>() -> Result<[u8; N], Rejection> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| {
        tracing::error!("The machine gives no random numbers: {error}");
        Rejection::new(Code::Internal, "this is our mistake; the log has more")
    })?;
    Ok(bytes)
}

/// What is kept of a secret: its SHA-256 in hex.
pub(crate) fn hash(secret: &str) -> String {
    let digest = Sha256::digest(secret.as_bytes());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whether a secret is the one of this hash; takes the same time for each wrong one.
pub(crate) fn is(secret: &str, kept: &str) -> bool {
    hash(secret).as_bytes().ct_eq(kept.as_bytes()).into()
}

/// The secret after one: nobody knows it who does not know the seed, and whoever does makes it as
/// often as it is asked for.
pub(crate) fn next(secret: &str, seed: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, seed.as_bytes());
    URL_SAFE_NO_PAD.encode(hmac::sign(&key, secret.as_bytes()))
}

/// A refresh token: which session, a secret that stays the session's, and one for each use. So an
/// old token of a session is told from a guess, without keeping all the old ones.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Refresh {
    pub(crate) session: String,
    pub(crate) family: String,
    pub(crate) turn: String,
}

const REFRESH: &str = "evr_";
const SESSION: &str = "ses_";

impl Refresh {
    pub(crate) fn read(text: &str) -> Option<Self> {
        if text.len() > 256 {
            return None;
        }
        let mut parts = text.trim().strip_prefix(REFRESH)?.split('.');
        let (session, family, turn) = (parts.next()?, parts.next()?, parts.next()?);
        let is_whole = parts.next().is_none() && !session.is_empty();
        is_whole.then(|| Self {
            session: format!("{SESSION}{session}"),
            family: family.to_owned(),
            turn: turn.to_owned(),
        })
    }

    pub(crate) fn text(&self) -> String {
        let session = self.session.strip_prefix(SESSION).unwrap_or(&self.session);
        format!("{REFRESH}{session}.{}.{}", self.family, self.turn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refresh_token_is_read_back() {
        let token = Refresh {
            session: "ses_01j9".to_owned(),
            family: secret().unwrap(),
            turn: secret().unwrap(),
        };
        assert!(Refresh::read(&token.text()).is_some_and(|read| read == token));
        for text in ["", "evr_", "evr_a.b", "evr_a.b.c.d", "evk_a.b.c", "evr_.b.c"] {
            assert!(Refresh::read(text).is_none(), "{text}");
        }
    }

    #[test]
    fn the_next_secret_follows_from_two_and_from_neither_alone() {
        let (one, other) = (secret().unwrap(), secret().unwrap());
        assert_eq!(next(&one, &other), next(&one, &other));
        assert_eq!(next(&one, &other).len(), one.len());
        let all = [one.clone(), next(&one, &other), next(&other, &one), next(&one, &one)];
        assert!((1..all.len()).all(|place| !all[..place].contains(&all[place])));
    }

    #[test]
    fn a_secret_is_known_by_its_hash() {
        let (one, other) = (secret().unwrap(), secret().unwrap());
        assert_ne!(one, other);
        assert_eq!(one.len(), 43);
        assert!(is(&one, &hash(&one)) && !is(&other, &hash(&one)) && !is(&one, ""));
    }
}
