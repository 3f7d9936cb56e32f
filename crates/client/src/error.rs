//! What can go wrong between a caller and a server, and whose fault it is.

use evoke_model::Problem;
use serde::Deserialize;

/// Whose fault it is: the number is the exit code of the command line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Class {
    /// The caller asked for something that cannot be.
    Mistake = 1,
    /// The network or the server cannot be reached.
    Unreachable = 2,
    /// What was asked for is not there.
    NotFound = 3,
    /// The key is missing, unknown, or may not do this.
    NotAllowed = 4,
    /// The server could not do its work.
    Server = 5,
}

/// A call that did not work.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address of the server is none.
    #[error("{url:?} is not the address of a server, expected one like http://127.0.0.1:8090")]
    Address {
        /// What was given.
        url: String,
    },
    /// The key cannot stand in a header.
    #[error("the API key has characters that no key has")]
    Key,
    /// No answer came.
    #[error("{url} cannot be reached")]
    Unreachable {
        /// The server.
        url: String,
        /// Why.
        #[source]
        source: reqwest::Error,
    },
    /// The server said no.
    #[error("{}", .0.message)]
    Refused(Box<Refusal>),
    /// The answer is not one of this API.
    #[error("{url} gave an answer that is not of this API: {what}")]
    Garbled {
        /// What was asked.
        url: String,
        /// What came.
        what: String,
    },
}

/// A refusal in the form all errors of the API have.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Refusal {
    /// The HTTP status.
    #[serde(skip)]
    pub status: u16,
    /// The error code: `FN_006`.
    pub code: String,
    /// One sentence.
    pub message: String,
    /// Single fields and what would be right.
    pub problems: Vec<Problem>,
    /// Under which the server logged it.
    pub request_id: Option<String>,
    /// The page that explains the code.
    pub docs: Option<String>,
}

impl Error {
    /// Whose fault it is.
    pub fn class(&self) -> Class {
        match self {
            Self::Address { .. } | Self::Key => Class::Mistake,
            Self::Unreachable { .. } => Class::Unreachable,
            Self::Garbled { .. } => Class::Server,
            Self::Refused(refusal) => match refusal.status {
                401 | 403 => Class::NotAllowed,
                404 => Class::NotFound,
                400..=499 => Class::Mistake,
                _ => Class::Server,
            },
        }
    }
}

impl Refusal {
    /// The refusal in a body, or what can be made of a body that is none.
    pub(crate) fn read(status: u16, body: &[u8]) -> Self {
        #[derive(Deserialize)]
        struct Envelope {
            error: Refusal,
        }
        match serde_json::from_slice::<Envelope>(body) {
            Ok(Envelope { error }) => Self { status, ..error },
            Err(_) => {
                let text = String::from_utf8_lossy(&body[..body.len().min(500)]);
                let message = format!("the server answered {status}: {}", text.trim());
                Self { status, message, ..Self::default() }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_says_whose_fault_it_is() {
        for (status, class) in [
            (400, Class::Mistake),
            (401, Class::NotAllowed),
            (403, Class::NotAllowed),
            (404, Class::NotFound),
            (409, Class::Mistake),
            (422, Class::Mistake),
            (500, Class::Server),
            (503, Class::Server),
        ] {
            let body = br#"{"error":{"code":"FN_001","message":"no","problems":[]}}"#;
            let refusal = Refusal::read(status, body);
            assert_eq!(refusal.code, "FN_001");
            assert_eq!(Error::Refused(Box::new(refusal)).class(), class, "{status}");
        }
    }

    #[test]
    fn a_refusal_of_something_between_us_is_readable() {
        let refusal = Refusal::read(502, b"<html>Bad Gateway</html>");
        assert_eq!(refusal.message, "the server answered 502: <html>Bad Gateway</html>");
    }
}
