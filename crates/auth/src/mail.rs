//! Mail that proves an address. It is wanted in a request and sent behind it: first because a
//! server for mail may take its time, and then because the time an answer takes must not tell
//! whether there is an account.

mod letter;
mod post;
mod smtp;

use serde::{Deserialize, Serialize};

use crate::records::Record;

use letter::Letter;
use smtp::Outbox;

pub(crate) use post::{Letters, Post};

/// What a mail is for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Purpose {
    /// To verify an address.
    Verify,
    /// To set a password.
    Reset,
}

/// A token that was sent by mail, under its hash.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct MailToken {
    pub(crate) user: String,
    pub(crate) email_key: String,
    pub(crate) purpose: Purpose,
    /// Milliseconds, so that it can be compared.
    pub(crate) expires: i64,
}

impl Record for MailToken {
    const COLLECTION: &'static str = "_mail_tokens";
    const INDEXES: &'static [(&'static str, bool)] = &[("user", false), ("expires", false)];
}
