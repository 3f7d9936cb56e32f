//! Whom a token speaks for. Everything this needs is in memory, so that it is pure and quick.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use evoke_model::{Millis, Rejection, Timestamp};
use evoke_ports::{Identify, Unidentified, User};
use jsonwebtoken::{Algorithm, DecodingKey, Header, Validation};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::TOKEN_BYTES_MAX;
use crate::foreign::Foreign;
use crate::keys::Ring;
use crate::records::{Kept, internal};
use crate::revocations::{Made, Revocations, What};
use crate::settings::Settings;
use crate::user::{self, Account};

/// How far clocks of others may be off.
const LEEWAY: Millis = Millis::from_secs(60);

/// Tells whom a token speaks for. It is there before the service: until that has started, it knows
/// nobody.
#[derive(Default)]
pub struct Identities {
    known: ArcSwapOption<Known>,
    revoked: Mutex<Revocations>,
    /// Rung when the keys of another issuer are wanted.
    pub(crate) wanted: Notify,
}

/// What tokens are checked with.
pub(crate) struct Known {
    pub(crate) ring: Ring,
    pub(crate) foreign: Arc<[Foreign]>,
    pub(crate) issuer: String,
    pub(crate) access_ttl: Millis,
}

/// A token that holds.
#[derive(Clone, PartialEq, Debug)]
pub struct Verified {
    /// Whom it speaks for.
    pub user: User,
    /// Who made it.
    pub issuer: String,
    /// The session, for tokens of ours.
    pub session: Option<String>,
    /// Until when it holds.
    pub expires_at: Timestamp,
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    aud: &'a str,
    sub: &'a str,
    email: &'a str,
    email_verified: bool,
    roles: &'a [String],
    sid: &'a str,
    iat: i64,
    exp: i64,
}

/// What is read of a token, whoever made it.
#[derive(Deserialize)]
struct Read {
    iss: Option<String>,
    aud: Option<Value>,
    sub: Option<String>,
    email: Option<Value>,
    email_verified: Option<Value>,
    roles: Option<Value>,
    sid: Option<String>,
    iat: Option<f64>,
    exp: Option<f64>,
    nbf: Option<f64>,
}

impl Read {
    /// The user it speaks for, where it names one; `maker` is who made it where that was not us.
    fn user(&self, maker: Option<&Foreign>) -> Option<User> {
        let id = self.sub.as_deref().filter(|id| !id.is_empty())?;
        Some(User {
            id: match maker {
                // Nobody else's user may pass for one of ours.
                Some(maker) if id.starts_with(user::PREFIX) => format!("{}|{id}", maker.issuer),
                _ => id.to_owned(),
            },
            email: self.email.as_ref().and_then(Value::as_str).map(str::to_owned),
            email_verified: is_true(self.email_verified.as_ref()),
            roles: roles(self.roles.as_ref()),
            issuer: maker.map(|maker| maker.issuer.clone()),
        })
    }
}

impl Identities {
    pub(crate) fn know(&self, known: Known) {
        self.known.store(Some(Arc::new(known)));
    }

    pub(crate) fn known(&self) -> Result<Arc<Known>, Rejection> {
        self.known.load_full().ok_or_else(|| internal("tokens are asked for before the start"))
    }

    /// The key that signs at this moment, and since when it does.
    pub(crate) fn signer(&self) -> Option<(String, Timestamp)> {
        self.known.load_full().map(|known| (known.ring.signer.0.clone(), known.ring.since))
    }

    /// The access token of a session.
    pub(crate) fn sign(
        &self,
        user: &Kept<Account>,
        session: &str,
        now: Timestamp,
    ) -> Result<String, Rejection> {
        let known = self.known()?;
        let (id, key) = &known.ring.signer;
        let header = Header { kid: Some(id.clone()), ..Header::new(Algorithm::EdDSA) };
        let account = &user.record;
        let claims = Claims {
            iss: &known.issuer,
            aud: &known.issuer,
            sub: &user.id,
            email: &account.email,
            email_verified: account.verified_at.is_some(),
            roles: &account.roles,
            sid: session,
            iat: seconds(now),
            exp: seconds(now.plus(known.access_ttl)),
        };
        jsonwebtoken::encode(&header, &claims, key)
            .map_err(|error| internal(&format!("a token cannot be signed: {error}")))
    }

    /// The public keys, for others who want to verify our tokens.
    pub(crate) fn published(&self) -> Result<Value, Rejection> {
        let known = self.known()?;
        let keys = known.ring.known.iter().map(|(id, _, x)| {
            json!({
                "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": id, "x": x,
            })
        });
        Ok(json!({ "keys": keys.collect::<Vec<_>>() }))
    }

    /// From now on tokens of a session, or of a user with certain roles, are refused.
    pub(crate) fn revoke(&self, id: &str, what: What, until: Timestamp, now: Timestamp) {
        let holds = self.known.load_full().map_or(Millis::ZERO, |known| known.access_ttl);
        let mut revoked = self.revoked.lock();
        revoked.make_room(holds, now);
        revoked.add(id, what, until);
    }

    /// Tokens of a user are no longer refused for the roles they say it has.
    pub(crate) fn restore(&self, user: &str) {
        self.revoked.lock().remove(user);
    }

    /// Forgets what was revoked where all tokens have expired by now.
    pub(crate) fn sweep(&self, now: Timestamp) {
        self.revoked.lock().sweep(now);
    }

    /// Everything a token says, if it holds.
    ///
    /// # Errors
    /// Why it does not.
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<Verified, Unidentified> {
        let refuse = |why: &str| Unidentified(why.to_owned());
        let known = self.known.load_full().ok_or_else(|| refuse("the server is starting"))?;
        if token.len() > TOKEN_BYTES_MAX {
            return Err(refuse("the token is too long"));
        }
        let header = jsonwebtoken::decode_header(token)
            .map_err(|_| refuse("the token is no JWT of an algorithm that is taken"))?;
        if header.crit.is_some() {
            return Err(refuse("the token asks for more than is understood here"));
        }
        let (key, maker) = self.key(&known, token, &header)?;
        let read = checked(token, &key, header.alg)?;
        let leeway = if maker.is_some() { LEEWAY } else { Millis::ZERO };
        let expires_at = lasting(&read, leeway, now)?;
        let audience = match maker {
            None => Some(&known.issuer),
            Some(foreign) => foreign.audience.as_ref(),
        };
        if audience.is_some_and(|wanted| !is_for(read.aud.as_ref(), wanted)) {
            return Err(refuse("the token is for somebody else"));
        }
        let user = read.user(maker).ok_or_else(|| refuse("the token names no user"))?;
        let session = read.sid.filter(|_| maker.is_none());
        if let Some(session) = &session {
            let at = read.iat.map_or(Timestamp::EPOCH, instant);
            let made = Made { session, user: &user.id, roles: &user.roles, at };
            if let Some(why) = self.revoked.lock().refuses(&made) {
                return Err(refuse(why));
            }
        }
        Ok(Verified { user, issuer: read.iss.unwrap_or_default(), session, expires_at })
    }

    /// The key a token claims to be signed with, and whose it is where it is not ours. The issuer
    /// decides which keys come into question, and the key which algorithm: a token cannot choose.
    fn key<'a>(
        &self,
        known: &'a Known,
        token: &str,
        header: &Header,
    ) -> Result<(DecodingKey, Option<&'a Foreign>), Unidentified> {
        let refuse = |why: &str| Unidentified(why.to_owned());
        let claimed: Read = jsonwebtoken::dangerous::insecure_decode_claims(token)
            .map_err(|_| refuse("the token cannot be read"))?;
        let issuer = claimed.iss.unwrap_or_default();
        let id = header.kid.as_deref();
        if issuer == known.issuer {
            let found = known.ring.known.iter().find(|(own, ..)| Some(own.as_str()) == id);
            let is_ours = header.alg == Algorithm::EdDSA;
            let found = found.filter(|_| is_ours);
            let (_, key, _) = found.ok_or_else(|| refuse("the token was not signed here"))?;
            return Ok((key.clone(), None));
        }
        let foreign = known.foreign.iter().find(|foreign| foreign.issuer == issuer);
        let foreign = foreign.ok_or_else(|| refuse("the token is of an issuer nobody trusts"))?;
        if let Some(key) = foreign.key(id, header.alg) {
            return Ok((key, Some(foreign)));
        }
        if let Some(published) = foreign.published() {
            published.want();
            self.wanted.notify_one();
        }
        Err(refuse("the token is signed with a key its issuer has not published"))
    }
}

impl Identify for Identities {
    fn identify(&self, token: &str, now: Timestamp) -> Result<User, Unidentified> {
        self.verify(token, now).map(|verified| verified.user)
    }
}

/// The claims, if the signature is that of the key.
fn checked(token: &str, key: &DecodingKey, algorithm: Algorithm) -> Result<Read, Unidentified> {
    let mut validation = Validation::new(algorithm);
    // Times are compared by whoever knows the time; the audience by whoever knows whose it is.
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation.required_spec_claims.clear();
    let decoded = jsonwebtoken::decode::<Read>(token, key, &validation);
    decoded
        .map(|decoded| decoded.claims)
        .map_err(|_| Unidentified("the signature of the token is wrong".to_owned()))
}

/// Until when the token holds.
fn lasting(read: &Read, leeway: Millis, now: Timestamp) -> Result<Timestamp, Unidentified> {
    let refuse = |why: &str| Unidentified(why.to_owned());
    let expires_at = read.exp.map(instant).ok_or_else(|| refuse("the token never expires"))?;
    if expires_at.plus(leeway) <= now {
        return Err(refuse("the token has expired"));
    }
    if read.nbf.map(instant).is_some_and(|from| from > now.plus(leeway)) {
        return Err(refuse("the token does not hold yet"));
    }
    Ok(expires_at)
}

fn is_for(audience: Option<&Value>, wanted: &str) -> bool {
    match audience {
        Some(Value::String(one)) => one == wanted,
        Some(Value::Array(many)) => many.iter().any(|one| one.as_str() == Some(wanted)),
        _ => false,
    }
}

/// Roles as they are written: a list, or one text with spaces between them.
fn roles(claim: Option<&Value>) -> Vec<String> {
    match claim {
        Some(Value::Array(roles)) => {
            roles.iter().filter_map(Value::as_str).map(str::to_owned).collect()
        }
        Some(Value::String(roles)) => roles.split_whitespace().map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

/// Some issuers write `"true"`.
fn is_true(claim: Option<&Value>) -> bool {
    claim.is_some_and(|claim| claim.as_bool() == Some(true) || claim.as_str() == Some("true"))
}

fn seconds(time: Timestamp) -> i64 {
    time.as_millis().div_euclid(1_000)
}

fn instant(seconds: f64) -> Timestamp {
    Timestamp::from_millis((seconds * 1_000.0) as i64)
}

impl Known {
    pub(crate) fn new(ring: Ring, foreign: Arc<[Foreign]>, settings: &Settings) -> Self {
        Self { ring, foreign, issuer: settings.issuer.clone(), access_ttl: settings.access_ttl }
    }
}
