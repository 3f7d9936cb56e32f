//! A request as it came, free of any server's types.

use crate::refused::Refused;

/// More bytes are no signature, token or id.
const VALUE_BYTES_MAX: usize = 8 * 1024;

/// A request as it came.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// The method: `POST`.
    pub method: &'a str,
    /// The whole address as the sender saw it, with scheme, host and query. Only Twilio signs it.
    pub url: &'a str,
    /// Name and value of each header, repeated ones as often as they came. Case of names does not
    /// matter.
    pub headers: &'a [(&'a str, &'a [u8])],
    /// The body, byte for byte as it came.
    pub body: &'a [u8],
}

impl<'a> Request<'a> {
    /// The value of a header that may be there once at most.
    pub(crate) fn optional(&self, name: &str) -> Result<Option<&'a str>, Refused> {
        let mut values = self.headers.iter().filter(|(given, _)| given.eq_ignore_ascii_case(name));
        let Some((_, value)) = values.next() else { return Ok(None) };
        if values.next().is_some() {
            return Err(Refused::Repeated { header: name.to_owned().into() });
        }
        if value.len() > VALUE_BYTES_MAX {
            return Err(Refused::header(name, "is too long"));
        }
        let text = std::str::from_utf8(value).ok().filter(|text| !text.contains(char::is_control));
        let text = text.ok_or_else(|| Refused::header(name, "is no text"))?;
        Ok(Some(text))
    }

    /// The value of a header that must be there exactly once.
    pub(crate) fn required(&self, name: &str) -> Result<&'a str, Refused> {
        let missing = || Refused::Missing { header: name.to_owned().into() };
        self.optional(name)?.ok_or_else(missing)
    }
}
