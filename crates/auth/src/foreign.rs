//! Whose tokens are taken beside ours. Keys of others are kept here; who fetches them is `keeper`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwap;
use evoke_model::{Millis, Timestamp};
use jsonwebtoken::{Algorithm, DecodingKey};
use parking_lot::Mutex;

use crate::jwks::{self, PublicKey};
use crate::settings::{Issuer, Trust};

/// How often keys of one issuer are asked for at most.
pub(crate) const PAUSE: Millis = Millis::from_secs(60);

const SHARED: &[Algorithm] = &[Algorithm::HS256, Algorithm::HS384, Algorithm::HS512];

/// Another issuer with what its signatures are checked with.
#[derive(Debug)]
pub(crate) struct Foreign {
    pub(crate) issuer: String,
    pub(crate) audience: Option<String>,
    proof: Proof,
}

#[derive(Debug)]
enum Proof {
    Shared(DecodingKey),
    Published(Arc<Published>),
}

/// Keys that are published somewhere.
#[derive(Debug)]
pub(crate) struct Published {
    pub(crate) url: String,
    keys: ArcSwap<Vec<PublicKey>>,
    /// Somebody showed a token of a key that is not among them.
    is_wanted: AtomicBool,
    asked_at: Mutex<Option<Timestamp>>,
}

impl Foreign {
    pub(crate) fn new(issuer: &Issuer) -> Self {
        let proof = match &issuer.trust {
            Trust::Secret(secret) => Proof::Shared(DecodingKey::from_secret(secret.as_bytes())),
            Trust::Jwks(url) => Proof::Published(Arc::new(Published {
                url: url.clone(),
                keys: ArcSwap::default(),
                is_wanted: AtomicBool::new(true),
                asked_at: Mutex::new(None),
            })),
        };
        Self { issuer: issuer.issuer.clone(), audience: issuer.audience.clone(), proof }
    }

    pub(crate) fn published(&self) -> Option<&Arc<Published>> {
        match &self.proof {
            Proof::Published(published) => Some(published),
            Proof::Shared(_) => None,
        }
    }

    /// The key for a token with this header.
    pub(crate) fn key(&self, id: Option<&str>, algorithm: Algorithm) -> Option<DecodingKey> {
        match &self.proof {
            Proof::Shared(key) => SHARED.contains(&algorithm).then(|| key.clone()),
            Proof::Published(published) => {
                let keys = published.keys.load();
                jwks::find(&keys, id, algorithm).map(|found| found.key.clone())
            }
        }
    }
}

impl Published {
    /// Asks for the keys anew, because one was shown that is not among them.
    pub(crate) fn want(&self) {
        self.is_wanted.store(true, Ordering::Relaxed);
    }

    /// Whether the keys are to be fetched now; if so, that counts as done.
    pub(crate) fn is_due(&self, now: Timestamp, refresh: Millis) -> bool {
        let mut asked_at = self.asked_at.lock();
        let pause = if self.is_wanted.load(Ordering::Relaxed) { PAUSE } else { refresh };
        if asked_at.is_some_and(|at| now < at.plus(pause)) {
            return false;
        }
        self.is_wanted.store(false, Ordering::Relaxed);
        *asked_at = Some(now);
        true
    }

    /// Takes what was fetched, unless there is no key in it: then those that are there stay.
    pub(crate) fn take(&self, document: &[u8]) -> Result<usize, String> {
        let keys = jwks::read(document)?;
        let count = keys.len();
        if count == 0 {
            return Err("there is no key in it that can be used".to_owned());
        }
        self.keys.store(keys.into());
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_asked_for_once_a_minute_at_most() {
        let trust = Trust::Jwks("http://127.0.0.1:1/jwks".to_owned());
        let foreign = Foreign::new(&Issuer { issuer: "i".to_owned(), trust, audience: None });
        let published = foreign.published().unwrap();
        let at = |secs| Timestamp::EPOCH.plus(Millis::from_secs(secs));
        let refresh = Millis::from_secs(600);
        for (secs, is_wanted, is_due) in [
            (0, false, true),
            (1, false, false),
            (2, true, false),
            (59, true, false),
            (60, false, true),
            (61, false, false),
            (659, false, false),
            (660, false, true),
        ] {
            if is_wanted {
                published.want();
            }
            assert_eq!(published.is_due(at(secs), refresh), is_due, "{secs}");
        }
    }

    #[test]
    fn an_answer_without_keys_takes_none_away() {
        let trust = Trust::Jwks("http://127.0.0.1:1/jwks".to_owned());
        let foreign = Foreign::new(&Issuer { issuer: "i".to_owned(), trust, audience: None });
        let published = foreign.published().unwrap();
        let key = r#"{"kty":"OKP","crv":"Ed25519","kid":"a",
            "x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
        assert_eq!(published.take(format!(r#"{{"keys":[{key}]}}"#).as_bytes()), Ok(1));
        for document in [r#"{"keys":[]}"#, r#"{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}"#, "{}"] {
            assert!(published.take(document.as_bytes()).is_err(), "{document}");
            assert!(foreign.key(Some("a"), Algorithm::EdDSA).is_some(), "{document}");
        }
    }
}
