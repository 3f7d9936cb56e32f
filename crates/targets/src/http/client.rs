//! The HTTP clients all endpoints share: connections are kept and used again across triggers.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use reqwest::redirect::{Attempt, Policy};
use reqwest::{Client, Url};

use super::config::{Config, Redirects};
use super::guard::{self, GuardedResolver};
use super::tls::Tls;

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
    plain: OnceLock<Made>,
    secure: OnceLock<Made>,
    following: OnceLock<Made>,
    /// Those with certificates of their own, as long as a target needs them: they are replaced
    /// every few weeks.
    own: Mutex<HashMap<Arc<Tls>, Weak<Client>>>,
}

/// A client, or why there is none.
type Made = Result<Arc<Client>, String>;

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
        Self { reach, plain, secure, following, own: Mutex::default() }
    }

    /// The client for the requests of a target.
    ///
    /// # Errors
    /// Why there can be none: no crypto provider, no certificates, or a key that does not belong to
    /// its certificate.
    pub(super) fn get(&self, config: &Config) -> Made {
        let made = match (&config.tls, config.redirects, config.url.scheme()) {
            (Some(tls), ..) => return self.own(tls),
            (None, Redirects::Follow, _) => self
                .following
                .get_or_init(|| self.build(Client::builder().redirect(policy(self.reach)))),
            (None, Redirects::Refuse, "http") => self.plain.get_or_init(|| {
                // Certificates are of no use here, so a machine without any can still send.
                self.build(Client::builder().redirect(Policy::none()).tls_certs_only([]))
            }),
            (None, Redirects::Refuse, _) => {
                self.secure.get_or_init(|| self.build(Client::builder().redirect(Policy::none())))
            }
        };
        made.clone()
    }

    fn own(&self, tls: &Arc<Tls>) -> Made {
        let mut own = self.own.lock();
        if let Some(client) = own.get(tls).and_then(Weak::upgrade) {
            return Ok(client);
        }
        let builder = tls.apply(Client::builder().redirect(Policy::none()));
        let client = self.build(builder.map_err(|error| causes(&error))?)?;
        own.retain(|_, client| client.strong_count() > 0);
        own.insert(Arc::clone(tls), Arc::downgrade(&client));
        Ok(client)
    }

    pub(super) fn check(&self, url: &Url) -> Result<(), guard::Refused> {
        match self.reach {
            Reach::Public => guard::check_literal(url),
            Reach::Everything => Ok(()),
        }
    }

    fn build(&self, builder: reqwest::ClientBuilder) -> Made {
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
        let made = builder.build().map(Arc::new);
        made.map_err(|error| format!("no HTTP client can be made: {}", causes(&error)))
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
