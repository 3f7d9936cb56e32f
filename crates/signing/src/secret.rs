//! What sender and receiver of a webhook both know.

use std::fmt;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use subtle::ConstantTimeEq as _;

/// How a secret is recognized wherever it turns up.
const PREFIX: &str = "whsec_";

/// Fewer bytes could be guessed (Standard Webhooks, "Signature scheme").
pub const BYTES_MIN: usize = 24;

/// More bytes add nothing: it is the block of SHA-256.
pub const BYTES_MAX: usize = 64;

/// A text that is longer is a mistake, such as a file that is no secret.
pub const TEXT_BYTES_MAX: usize = 4 * 1024;

/// Providers write base64 with or without its padding.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The key of a signature. It is never printed.
#[derive(Clone)]
pub struct Secret(Box<[u8]>);

/// How a text stands for the bytes of a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Writing {
    /// The text is the key, as UTF-8.
    Text,
    /// Two digits a byte.
    Hex,
    /// The standard alphabet, padded or not.
    Base64,
    /// The same after `whsec_`, which may be missing.
    Whsec,
}

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
    /// Everybody knows the empty secret.
    #[error("may not be empty")]
    Empty,
    /// Longer than any secret is.
    #[error("may not be longer than {TEXT_BYTES_MAX} bytes")]
    Long,
    /// What a secret copied from a file or a page often has.
    #[error("begins or ends with white space")]
    Space,
    /// Not written as was said.
    #[error("is not {0}")]
    Encoding(&'static str),
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

    /// A secret that is used as it is written, whatever it looks like.
    ///
    /// # Errors
    /// It is empty, longer than [`TEXT_BYTES_MAX`], or has white space at an end.
    pub fn text(text: &str) -> Result<Self, Error> {
        Self::read(text, Writing::Text)
    }

    /// A secret somebody else made, written in this way.
    pub(crate) fn read(text: &str, writing: Writing) -> Result<Self, Error> {
        if text.len() > TEXT_BYTES_MAX {
            return Err(Error::Long);
        }
        if text.trim() != text {
            return Err(Error::Space);
        }
        let key = match writing {
            Writing::Text => text.as_bytes().to_vec(),
            Writing::Hex => hex::decode(text).map_err(|_| Error::Encoding("hex"))?,
            Writing::Base64 => base64(text)?,
            Writing::Whsec => base64(text.strip_prefix(PREFIX).unwrap_or(text))?,
        };
        if key.is_empty() { Err(Error::Empty) } else { Ok(Self(key.into())) }
    }

    pub(crate) fn key(&self) -> &[u8] {
        &self.0
    }
}

fn base64(text: &str) -> Result<Vec<u8>, Error> {
    LENIENT.decode(text).map_err(|_| Error::Encoding("base64"))
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
    fn secrets_of_others_are_read_as_they_write_them() {
        for (text, writing, key) in [
            ("whsec_abc", Writing::Text, &b"whsec_abc"[..]),
            ("Zoë 山", Writing::Text, "Zoë 山".as_bytes()),
            ("6b6579", Writing::Hex, b"key"),
            ("6B6579", Writing::Hex, b"key"),
            ("a2V5cw==", Writing::Base64, b"keys"),
            ("a2V5cw", Writing::Base64, b"keys"),
            ("whsec_a2V5cw==", Writing::Whsec, b"keys"),
            ("a2V5cw==", Writing::Whsec, b"keys"),
        ] {
            assert_eq!(Secret::read(text, writing).unwrap().key(), key, "{text}");
        }
        let long = "k".repeat(TEXT_BYTES_MAX + 1);
        for (text, writing, error) in [
            ("", Writing::Text, Error::Empty),
            ("", Writing::Hex, Error::Empty),
            ("", Writing::Base64, Error::Empty),
            ("whsec_", Writing::Whsec, Error::Empty),
            ("key\n", Writing::Text, Error::Space),
            (" ", Writing::Text, Error::Space),
            (&long, Writing::Text, Error::Long),
            ("6b657", Writing::Hex, Error::Encoding("hex")),
            ("a2V5c", Writing::Base64, Error::Encoding("base64")),
            ("a2V_cw==", Writing::Base64, Error::Encoding("base64")),
            ("whsec_?", Writing::Whsec, Error::Encoding("base64")),
        ] {
            assert_eq!(Secret::read(text, writing), Err(error), "{text}");
        }
        assert_eq!(Secret::text("key").unwrap().key(), b"key");
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
