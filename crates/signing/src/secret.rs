//! What sender and receiver of a webhook both know.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use subtle::ConstantTimeEq as _;

/// How a secret is recognized wherever it turns up.
const PREFIX: &str = "whsec_";

/// Fewer bytes could be guessed (Standard Webhooks, "Signature scheme").
pub const BYTES_MIN: usize = 24;

/// More bytes add nothing: it is the block of SHA-256.
pub const BYTES_MAX: usize = 64;

/// The key of a signature. It is never printed.
#[derive(Clone)]
pub struct Secret(Box<[u8]>);

/// What is wrong with a text that should be a secret. It does not say what the text is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Error {
    /// Something else than `whsec_...`.
    #[error("must begin with {PREFIX}")]
    Prefix,
    /// No base64 in the standard alphabet, padded.
    #[error("must be base64 (with + and /, padded by =) after {PREFIX}")]
    Base64,
    /// Too few or too many bytes.
    #[error("must be {BYTES_MIN} to {BYTES_MAX} bytes long, not {bytes}")]
    Length {
        /// Bytes after decoding.
        bytes: usize,
    },
}

impl Secret {
    /// Reads a secret as Standard Webhooks writes it: `whsec_` and base64 of 24 to 64 bytes.
    ///
    /// # Errors
    /// It is written in another way, or too short or too long.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let encoded = text.strip_prefix(PREFIX).ok_or(Error::Prefix)?;
        let key = STANDARD.decode(encoded).map_err(|_| Error::Base64)?;
        if !(BYTES_MIN..=BYTES_MAX).contains(&key.len()) {
            return Err(Error::Length { bytes: key.len() });
        }
        Ok(Self(key.into()))
    }

    pub(crate) fn key(&self) -> &[u8] {
        &self.0
    }
}

/// Takes the same time wherever two secrets differ.
impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(...)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(bytes: usize) -> String {
        format!("{PREFIX}{}", STANDARD.encode(vec![b'k'; bytes]))
    }

    #[test]
    fn secrets_are_read_as_the_specification_writes_them() {
        for bytes in [24, 32, 64] {
            assert_eq!(Secret::parse(&of(bytes)).unwrap().key(), vec![b'k'; bytes]);
        }
        for (text, error) in [
            (of(23), Error::Length { bytes: 23 }),
            (of(65), Error::Length { bytes: 65 }),
            (PREFIX.to_owned(), Error::Length { bytes: 0 }),
            (String::new(), Error::Prefix),
            ("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned(), Error::Prefix),
            ("WHSEC_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned(), Error::Prefix),
            (format!("{PREFIX}not base64 at all, this"), Error::Base64),
            (format!("{PREFIX}____________________________________"), Error::Base64),
            (of(25).trim_end_matches('=').to_owned(), Error::Base64),
        ] {
            assert_eq!(Secret::parse(&text), Err(error), "{text}");
        }
    }

    #[test]
    fn a_secret_is_not_printed() {
        let secret = Secret::parse(&of(24)).unwrap();
        assert_eq!(format!("{secret:?}"), "Secret(...)");
        assert_eq!(format!("{:?}", vec![secret]), "[Secret(...)]");
    }

    #[test]
    fn secrets_are_equal_when_their_keys_are() {
        let secret = |bytes| Secret::parse(&of(bytes)).unwrap();
        assert_eq!(secret(24), secret(24));
        assert_ne!(secret(24), secret(25));
    }
}
