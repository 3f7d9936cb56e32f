//! The HTTP clients all endpoints share: connections are kept and used again across triggers.

use std::sync::OnceLock;
use std::time::Duration;

use reqwest::redirect::{Attempt, Policy};
use reqwest::{Client, Url};

use super::config::Redirects;
use super::guard::{self, GuardedResolver};

/// A handshake that takes longer will not come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Idle connections are closed before most servers would do it, which saves the race between their
/// closing and our next request.
const IDLE_TIMEOUT: Duration = Duration::from_secs(50);

/// Idle connections kept to one host.
const IDLE_MAX: usize = 64;

/// More hops are a loop.
const REDIRECTS_MAX: usize = 3;

/// The clients, made when they are first needed: reading the system's certificates takes tens of
/// milliseconds, and fails where there are none.
#[derive(Debug)]
pub(super) struct Clients {
    reach: Reach,
    plain: OnceLock<Result<Client, String>>,
    secure: OnceLock<Result<Client, String>>,
    following: OnceLock<Result<Client, String>>,
}

/// Which addresses may be reached.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Reach {
    /// Only public ones.
    Public,
    /// All, for development.
    Everything,
}

impl Clients {
    pub(super) fn new(reach: Reach) -> Self {
        let (plain, secure, following) = (OnceLock::new(), OnceLock::new(), OnceLock::new());
        Self { reach, plain, secure, following }
    }

    /// The client for requests to `url`.
    ///
    /// # Errors
    /// Why there can be none: no crypto provider, no certificates.
    pub(super) fn get(&self, url: &Url, redirects: Redirects) -> Result<Client, String> {
        let made = match (redirects, url.scheme()) {
            (Redirects::Follow, _) => self
                .following
                .get_or_init(|| self.build(Client::builder().redirect(policy(self.reach)))),
            (Redirects::Refuse, "http") => self.plain.get_or_init(|| {
                // Certificates are of no use here, so a machine without any can still send.
                self.build(Client::builder().redirect(Policy::none()).tls_certs_only([]))
            }),
            (Redirects::Refuse, _) => {
                self.secure.get_or_init(|| self.build(Client::builder().redirect(Policy::none())))
            }
        };
        made.clone()
    }

    pub(super) fn check(&self, url: &Url) -> Result<(), guard::Refused> {
        match self.reach {
            Reach::Public => guard::check_literal(url),
            Reach::Everything => Ok(()),
        }
    }

    fn build(&self, builder: reqwest::ClientBuilder) -> Result<Client, String> {
        let mut builder = builder
            .user_agent(concat!("evoke/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_max_idle_per_host(IDLE_MAX)
            // A proxy would resolve the name again, out of the guard's sight.
            .no_proxy();
        if self.reach == Reach::Public {
            builder = builder.dns_resolver(GuardedResolver);
        }
        builder.build().map_err(|error| format!("no HTTP client can be made: {}", causes(&error)))
    }
}

/// Redirects are followed up to a number, and never to an address that may not be reached.
pub(super) fn policy(reach: Reach) -> Policy {
    Policy::custom(move |attempt: Attempt<'_>| {
        if attempt.previous().len() > REDIRECTS_MAX {
            return attempt.error(TooManyRedirects);
        }
        match guard::check_literal(attempt.url()) {
            Err(refused) if reach == Reach::Public => attempt.error(refused),
            _ => attempt.follow(),
        }
    })
}

#[derive(Debug, thiserror::Error)]
#[error("more than {REDIRECTS_MAX} redirects")]
struct TooManyRedirects;

/// An error with what caused it, in one line.
pub(super) fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        next = cause.source();
    }
    text
}
