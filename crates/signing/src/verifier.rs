//! Whether a request comes from whom it says.

use std::fmt;

use evoke_model::{Problem, Timestamp};

use crate::preset::{Preset, Scheme};
use crate::refused::Refused;
use crate::request::Request;
use crate::secret::Secret;
use crate::signature::Rule;
use crate::spec::{self, Spec};
use crate::{basic, token, twilio};

/// What a trigger's `verification` says, checked and ready.
pub struct Verifier {
    preset: &'static Preset,
    check: Check,
}

/// What a scheme needs beside the request.
pub(crate) enum Check {
    Open,
    Signature { rule: Rule<'static>, secrets: Vec<Secret> },
    Token { token: &'static crate::preset::Token, secrets: Vec<Secret> },
    Basic { user: Secret, passwords: Vec<Secret> },
    Twilio { address: Option<String>, secrets: Vec<Secret> },
}

/// A request that was believed.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Verified {
    /// The sender's id of the delivery: the same when it is sent again.
    pub delivery: Option<String>,
    /// Whether the id is part of what is signed. Where it is not, who catches a message can send it
    /// again with another id.
    pub delivery_is_signed: bool,
}

impl Verifier {
    /// Checks what a `verification` says. `kind` is the name of a preset, with `-` or `_`.
    ///
    /// # Errors
    /// Everything that is wrong, with fields relative to the `verification`. No problem repeats a
    /// secret.
    pub fn new(kind: &str, spec: Spec) -> Result<Self, Vec<Problem>> {
        let preset = spec::preset(kind).map_err(|problem| vec![problem])?;
        Ok(Self { preset, check: spec::check(preset, spec)? })
    }

    /// Whether to believe a request. What it costs does not depend on how near a wrong secret or
    /// signature is.
    ///
    /// # Errors
    /// Why not.
    pub fn verify(&self, request: &Request<'_>, now: Timestamp) -> Result<Verified, Refused> {
        match &self.check {
            Check::Open => Ok(Verified::default()),
            Check::Signature { rule, secrets } => rule.verify(secrets, request, now),
            Check::Token { token, secrets } => token::verify(token, secrets, request),
            Check::Basic { user, passwords } => basic::verify(user, passwords, request),
            Check::Twilio { address, secrets } => {
                twilio::verify(address.as_deref(), secrets, request)
            }
        }
    }

    /// The preset it is made of.
    pub const fn preset(&self) -> &'static Preset {
        self.preset
    }

    /// Whether it believes everybody.
    pub const fn is_open(&self) -> bool {
        matches!(self.check, Check::Open)
    }

    /// The header that carries the secret itself, if one does: it may not be passed on or recorded.
    pub const fn secret_header(&self) -> Option<&'static str> {
        match &self.preset.scheme {
            Scheme::Token(token) => Some(token.header),
            Scheme::Basic => Some(basic::HEADER),
            Scheme::Open | Scheme::Signature(_) | Scheme::Twilio => None,
        }
    }

    /// What a refusal has to carry as `www-authenticate`, if anything.
    pub const fn challenge(&self) -> Option<&'static str> {
        match self.preset.scheme {
            Scheme::Basic => Some(basic::CHALLENGE),
            _ => None,
        }
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Verifier({})", self.preset.name)
    }
}

#[cfg(test)]
mod tests;
