//! What the service is told once, when it starts.

use std::fmt;
use std::sync::Arc;

use evoke_model::Millis;

/// What the service is told.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Whether anybody may sign up; else only the operator makes accounts.
    pub signup: Signup,
    /// Whether an address has to be verified before its user may log in.
    pub verified: VerifiedOnly,
    /// Where this server is reached from outside, for links in mail.
    pub url: String,
    /// `iss` and `aud` of our tokens.
    pub issuer: String,
    /// How long an access token holds. Default: 15 minutes.
    pub access_ttl: Millis,
    /// How long a session holds that is not used. Default: 30 days.
    pub refresh_ttl: Millis,
    /// After how long another key signs. Default: 90 days.
    pub key_rotation: Millis,
    /// How long the link of a verification mail holds. Default: 24 hours.
    pub verify_ttl: Millis,
    /// How long the link of a reset mail holds. Default: 1 hour.
    pub reset_ttl: Millis,
    /// After how many wrong passwords an account is locked. Default: 10.
    pub lock_after: u32,
    /// How long for, the first time; twice as long each time after. Default: 1 minute.
    pub lock_for: Millis,
    /// The page a verification mail leads to, with `{token}`; `None` for the server's own.
    pub verify_page: Option<String>,
    /// The page a reset mail leads to, with `{token}`; `None` for the server's own.
    pub reset_page: Option<String>,
    /// Whose tokens are taken beside ours.
    pub foreign: Vec<Issuer>,
    /// How mail leaves.
    pub mail: Mail,
    /// What a hash of a password costs.
    pub hashing: Hashing,
}

/// Whether anybody may sign up.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Signup {
    /// Anybody.
    #[default]
    Open,
    /// Only the operator makes accounts.
    Closed,
}

/// Whether an address has to be verified before its user may log in.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum VerifiedOnly {
    /// It may stay unverified.
    #[default]
    No,
    /// Who has not verified gets no session.
    Yes,
}

/// Somebody else whose tokens are taken.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Issuer {
    /// `iss` of its tokens.
    pub issuer: String,
    /// How its signatures are checked.
    pub trust: Trust,
    /// `aud` its tokens must have; `None` takes any.
    pub audience: Option<String>,
}

/// How the signatures of an issuer are checked.
#[derive(Clone, PartialEq, Eq)]
pub enum Trust {
    /// By the keys it publishes at this address. Only asymmetric algorithms are taken.
    Jwks(String),
    /// By a secret we share. Only HMAC is taken.
    Secret(String),
}

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Jwks(url) => f.debug_tuple("Jwks").field(url).finish(),
            Self::Secret(_) => f.write_str("Secret"),
        }
    }
}

/// Shows a mail to whoever runs the server.
pub type Show = Arc<dyn Fn(&str) + Send + Sync>;

/// How mail leaves.
#[derive(Clone, Default)]
pub enum Mail {
    /// Not at all: what needs it is refused.
    #[default]
    None,
    /// It is shown to whoever runs the server.
    Shown(Show),
    /// Through a server for mail.
    Smtp {
        /// `smtp://user:password@host:587?tls=required` or `smtps://...`.
        url: String,
        /// The sender: `Shop <no-reply@shop.test>`.
        from: String,
    },
}

impl fmt::Debug for Mail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Shown(_) => "Shown",
            Self::Smtp { .. } => "Smtp",
        })
    }
}

/// What a hash of a password costs (argon2id). Stored hashes say what they cost themselves; one
/// that cost something else is made anew when its user logs in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Hashing {
    /// KiB of memory.
    pub memory_kib: u32,
    /// Passes over it.
    pub passes: u32,
}

impl Default for Hashing {
    /// The first choice of the OWASP Password Storage Cheat Sheet with one thread.
    fn default() -> Self {
        Self { memory_kib: 19 * 1024, passes: 2 }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            signup: Signup::default(),
            verified: VerifiedOnly::default(),
            url: "http://127.0.0.1:8090".to_owned(),
            issuer: "evoke".to_owned(),
            access_ttl: Millis::from_secs(15 * 60),
            refresh_ttl: Millis::from_secs(30 * 24 * 3600),
            key_rotation: Millis::from_secs(90 * 24 * 3600),
            verify_ttl: Millis::from_secs(24 * 3600),
            reset_ttl: Millis::from_secs(3600),
            lock_after: 10,
            lock_for: Millis::from_secs(60),
            verify_page: None,
            reset_page: None,
            foreign: Vec::new(),
            mail: Mail::default(),
            hashing: Hashing::default(),
        }
    }
}
