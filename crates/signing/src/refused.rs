//! Why a request is not to be believed.

use std::borrow::Cow;

use evoke_model::Millis;

/// Why a request is not to be believed. The text says what is wrong with it, and never what would
/// be right: it goes to whoever sent it.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refused {
    /// A header is not there.
    #[error("the header {header} is missing")]
    Missing {
        /// Its name.
        header: Cow<'static, str>,
    },
    /// A header is there more than once, so that it is not clear which one counts.
    #[error("the header {header} is there more than once")]
    Repeated {
        /// Its name.
        header: Cow<'static, str>,
    },
    /// A header or the body is not what the scheme wants.
    #[error("{what} {fault}")]
    Malformed {
        /// What it is: `the header x-signature`, `the body`.
        what: Cow<'static, str>,
        /// What it should be.
        fault: &'static str,
    },
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
    /// None of the signatures was made of this message with one of the secrets.
    #[error("no signature fits: another secret, or the message was changed on its way")]
    Mismatch,
    /// The token, or the user name and the password, are others.
    #[error("the credentials in the header {header} are not right")]
    Credentials {
        /// Its name.
        header: &'static str,
    },
}

impl Refused {
    /// The kind of reason in one word, for counting.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "missing",
            Self::Repeated { .. } | Self::Malformed { .. } => "malformed",
            Self::TooOld { .. } => "too_old",
            Self::TooNew { .. } => "too_new",
            Self::Mismatch | Self::Credentials { .. } => "mismatch",
        }
    }

    pub(crate) fn header(name: &str, fault: &'static str) -> Self {
        Self::Malformed { what: format!("the header {name}").into(), fault }
    }

    pub(crate) const fn body(fault: &'static str) -> Self {
        Self::Malformed { what: Cow::Borrowed("the body"), fault }
    }
}
