//! Users and mail: `[users]` and `[mail]`.

use std::fmt;
use std::net::IpAddr;
use std::ops::RangeInclusive;

use evoke_model::Millis;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::reader::{Report, Wrong};
use crate::settings::within;

/// Issuers beside this server; each is asked for its keys every ten minutes.
const FOREIGN_MAX: usize = 20;

/// Shorter secrets can be tried out (RFC 7518, section 3.2).
const SECRET_BYTES_MIN: usize = 32;

/// How the address of a server for mail looks.
const SERVER: &str = "smtp://user:password@mail.example.com:587?tls=required";

const DAY: u64 = 24 * 3600;

/// Who may use what the project builds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Users {
    /// Whether anybody may sign up; else the operator makes accounts. Default: true.
    pub signup: bool,
    /// Whether an address must be verified before its user gets in. Default: false.
    pub require_verified: bool,
    /// Where this server is reached from outside, for links in mail and to files. Default: empty,
    /// its address.
    pub url: String,
    /// `iss` and `aud` of access tokens. Default: `evoke`.
    pub issuer: String,
    /// How long an access token holds. 1m to 24h. Default: `15m`.
    pub access_ttl: Millis,
    /// How long a session holds that is not used. 1m to 365d. Default: `30d`.
    pub refresh_ttl: Millis,
    /// After how long another key signs. 2d to 3650d. Default: `90d`.
    pub key_rotation: Millis,
    /// How long the link of a verification mail holds. 1m to 30d. Default: `24h`.
    pub verify_ttl: Millis,
    /// How long the link of a reset mail holds. 1m to 7d. Default: `1h`.
    pub reset_ttl: Millis,
    /// After how many wrong passwords an account is locked. 3 to 1000. Default: 10.
    pub lock_after: u32,
    /// How long for, the first time; twice as long each time after, up to 1h. 1s to 24h. Default:
    /// `1m`.
    pub lock_for: Millis,
    /// Page a verification mail leads to, with `{token}` in it. Default: empty, the server's own.
    pub verify_page: String,
    /// Page a reset mail leads to, with `{token}` in it. Default: empty, the server's own.
    pub reset_page: String,
    /// Other issuers whose tokens are taken. Default: none.
    pub foreign: Vec<ForeignIssuer>,
}

impl Default for Users {
    fn default() -> Self {
        Self {
            signup: true,
            require_verified: false,
            url: String::new(),
            issuer: "evoke".to_owned(),
            access_ttl: Millis::from_secs(15 * 60),
            refresh_ttl: Millis::from_secs(30 * DAY),
            key_rotation: Millis::from_secs(90 * DAY),
            verify_ttl: Millis::from_secs(DAY),
            reset_ttl: Millis::from_secs(3600),
            lock_after: 10,
            lock_for: Millis::from_secs(60),
            verify_page: String::new(),
            reset_page: String::new(),
            foreign: Vec::new(),
        }
    }
}

/// Another issuer, with the keys it publishes or a secret that is shared.
#[derive(Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ForeignIssuer {
    /// `iss` of its tokens.
    pub issuer: String,
    /// Where it publishes its keys (a JWKS).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks_url: Option<String>,
    /// The secret its tokens are signed with (HMAC), at least 32 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// `aud` its tokens must have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audience: Option<String>,
}

/// The secret is not shown.
impl fmt::Debug for ForeignIssuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ForeignIssuer")
            .field("issuer", &self.issuer)
            .field("jwks_url", &self.jwks_url)
            .field("audience", &self.audience)
            .finish_non_exhaustive()
    }
}

/// How mail leaves.
#[derive(Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Mail {
    /// Server for mail, as `smtp://user:password@host:587?tls=required` or `smtps://...`. Default:
    /// empty: `evoke dev` shows mail in the terminal, `evoke serve` refuses what needs it.
    pub url: String,
    /// Sender. Default: `Evoke <no-reply@localhost>`.
    pub from: String,
}

impl Default for Mail {
    fn default() -> Self {
        Self { url: String::new(), from: "Evoke <no-reply@localhost>".to_owned() }
    }
}

/// The address holds a password, so it is not shown.
impl fmt::Debug for Mail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mail").field("from", &self.from).finish_non_exhaustive()
    }
}

impl Users {
    /// Reports everything that is out of range or cannot be used.
    pub(crate) fn check(&self, report: &mut Report) {
        let secs = |from, to| Millis::from_secs(from)..=Millis::from_secs(to);
        let times: [(&str, &Millis, RangeInclusive<Millis>); 6] = [
            ("access_ttl", &self.access_ttl, secs(60, DAY)),
            ("refresh_ttl", &self.refresh_ttl, secs(60, 365 * DAY)),
            ("key_rotation", &self.key_rotation, secs(2 * DAY, 3650 * DAY)),
            ("verify_ttl", &self.verify_ttl, secs(60, 30 * DAY)),
            ("reset_ttl", &self.reset_ttl, secs(60, 7 * DAY)),
            ("lock_for", &self.lock_for, secs(1, DAY)),
        ];
        for (field, value, range) in times {
            within(&format!("users.{field}"), value, &range, report);
        }
        within("users.lock_after", &self.lock_after, &(3..=1000), report);
        if self.issuer.trim().is_empty() {
            report.problem("users.issuer", Wrong::new("it is empty").suggest("evoke"));
        }
        if !self.url.is_empty() && !is_address(&self.url) {
            report.problem("users.url", no_address().suggest("https://shop.example.com"));
        }
        for (field, page) in [("verify_page", &self.verify_page), ("reset_page", &self.reset_page)]
        {
            let is_page = is_address(page) && page.contains("{token}");
            if !page.is_empty() && !is_page {
                let wrong = Wrong::new("expected the address of a page with {token} in it");
                let wrong = wrong.suggest("https://shop.example.com/verify?token={token}");
                report.problem(format!("users.{field}"), wrong);
            }
        }
        if self.foreign.len() > FOREIGN_MAX {
            let wrong = format!("{} issuers; {FOREIGN_MAX} is the most", self.foreign.len());
            report.problem("users.foreign", Wrong::new(wrong));
        }
        for (place, issuer) in self.foreign.iter().enumerate() {
            issuer.check(&format!("users.foreign[{place}]"), self, place, report);
        }
    }
}

impl ForeignIssuer {
    fn check(&self, at: &str, users: &Users, place: usize, report: &mut Report) {
        let is_known = users.issuer == self.issuer
            || users.foreign[..place].iter().any(|other| other.issuer == self.issuer);
        if self.issuer.is_empty() || is_known {
            let what = if is_known { "is given twice" } else { "it is empty" };
            report.problem(format!("{at}.issuer"), Wrong::new(what));
        }
        match (&self.jwks_url, &self.secret) {
            (Some(url), None) if !is_address(url) => {
                let wrong = no_address().suggest("https://login.example.com/jwks.json");
                report.problem(format!("{at}.jwks_url"), wrong);
            }
            (Some(url), None) if url.starts_with("http://") && !is_here(url) => {
                let wrong = Wrong::new("whoever is on the way there could give keys of his own");
                let wrong = wrong.suggest("https://login.example.com/jwks.json");
                report.problem(format!("{at}.jwks_url"), wrong);
            }
            (None, Some(secret)) if secret.len() < SECRET_BYTES_MIN => {
                let wrong = format!("it is shorter than {SECRET_BYTES_MIN} bytes");
                report.problem(format!("{at}.secret"), Wrong::new(wrong));
            }
            (Some(_), None) | (None, Some(_)) => {}
            (None, None) | (Some(_), Some(_)) => {
                report.problem(at, Wrong::new("expected either jwks_url or secret"));
            }
        }
    }
}

impl Mail {
    /// Reports what cannot be used, without repeating the address: it holds a password.
    pub(crate) fn check(&self, report: &mut Report) {
        let is_server = ["smtp://", "smtps://"].iter().any(|scheme| self.url.starts_with(scheme));
        if !self.url.is_empty() && !is_server {
            let wrong = Wrong::new("it is not an address of smtp or smtps");
            report.problem("mail.url", wrong.suggest(SERVER));
        } else if self.url.starts_with("smtp://") && !is_here(&self.url) && !says_tls(&self.url) {
            let wrong = Wrong::new("mail and the password would go there in plain text");
            report.problem("mail.url", wrong.suggest(SERVER));
        }
        if !self.from.contains('@') {
            let wrong = Wrong::new("it is no address of a sender");
            report.problem("mail.from", wrong.suggest("Shop <no-reply@shop.example.com>"));
        }
    }
}

/// Whether the host of an address is this machine.
fn is_here(url: &str) -> bool {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#', '\\']).next().unwrap_or_default();
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let host = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    host == "localhost"
        || host.ends_with(".localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Whether the address of a server for mail says when TLS is used. It is never guessed.
fn says_tls(url: &str) -> bool {
    let query = url.split_once('?').map(|(_, query)| query).unwrap_or_default();
    query.split('&').any(|part| ["tls=required", "tls=opportunistic"].contains(&part))
}

fn no_address() -> Wrong {
    Wrong::new("it is not an address of http or https")
}

fn is_address(text: &str) -> bool {
    let host = ["http://", "https://"].iter().find_map(|scheme| text.strip_prefix(scheme));
    let is_whole = host.is_some_and(|host| !host.is_empty() && !host.starts_with('/'));
    is_whole && !text.contains(char::is_whitespace)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_must_stay_secret_or_true_leaves_this_machine_with_tls_only() {
        for (url, is_taken) in [
            ("smtp://user:hunter2@mail.test:587", false),
            ("smtp://mail.test", false),
            ("smtp://mail.test:587?tls=none", false),
            ("smtp://127.0.0.1@mail.test", false),
            ("smtp://localhost.mail.test", false),
            ("smtp://user:hunter2@mail.test:587?tls=required", true),
            ("smtp://mail:1025?tls=opportunistic", true),
            ("smtps://user:hunter2@mail.test", true),
            ("smtp://user:hunter2@127.0.0.1:1025", true),
            ("smtp://[::1]:1025", true),
            ("smtp://localhost", true),
            ("", true),
        ] {
            let mut report = Report::default();
            Mail { url: url.to_owned(), ..Mail::default() }.check(&mut report);
            let told = format!("{:?}", report.problems);
            assert_eq!(report.problems.is_empty(), is_taken, "{url}: {told}");
            assert!(!told.contains("hunter2"), "{told}");
        }
        for (url, is_taken) in [
            ("http://login.test/jwks", false),
            ("http://127.0.0.1.login.test/jwks", false),
            ("http://login.test/@127.0.0.1", false),
            ("https://login.test/jwks", true),
            ("http://127.0.0.1:8090/jwks", true),
            ("http://[::1]/jwks", true),
            ("http://app.localhost:80/jwks", true),
        ] {
            let foreign = vec![ForeignIssuer {
                issuer: "other".to_owned(),
                jwks_url: Some(url.to_owned()),
                secret: None,
                audience: None,
            }];
            let mut report = Report::default();
            Users { foreign, ..Users::default() }.check(&mut report);
            assert_eq!(report.problems.is_empty(), is_taken, "{url}: {:?}", report.problems);
        }
    }
}
