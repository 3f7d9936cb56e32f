//! A session: from a login to a logout, with one refresh token at a time.

use evoke_document::Scalar;
use evoke_model::{EventId, Millis, Rejection, Timestamp};
use evoke_ports::store::DocumentChange;
use serde::{Deserialize, Serialize};

use crate::handle::{Inner, Visitor};
use crate::records::{self, Kept, Record};
use crate::revocations::What;
use crate::tokens::{self, Refresh};
use crate::user::{Account, User};

/// Sessions of one user; the one that was not used for longest gives way to the next.
const SESSIONS_MAX: usize = 100;

/// Characters of a client's own description that are kept.
const USER_AGENT_CHARS_MAX: usize = 256;

/// A session as it is kept. Instants are in milliseconds, so that they can be compared.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Session {
    pub(crate) user: String,
    /// Hash of the secret that all refresh tokens of the session have.
    pub(crate) family: String,
    /// Hash of the secret that only the newest has.
    pub(crate) turn: String,
    /// What the newest was made from, so that it can be made once more; not there for the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) origin: Option<Origin>,
    /// When it may be forgotten.
    pub(crate) expires: i64,
    /// `true` once nobody may use it; not there before, so that an index holds only these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) revoked: Option<bool>,
    pub(crate) used: i64,
    pub(crate) ip: Option<String>,
    pub(crate) user_agent: Option<String>,
}

/// What the secret of a refresh token was made from.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Origin {
    /// Hash of the secret before it.
    pub(crate) turn: String,
    /// What it was made with, which is of no use without that secret itself.
    pub(crate) seed: String,
}

impl Record for Session {
    const COLLECTION: &'static str = "_sessions";
    const INDEXES: &'static [(&'static str, bool)] =
        &[("user", false), ("expires", false), ("revoked", false)];
}

impl Session {
    pub(crate) fn is_open(&self, now: Timestamp) -> bool {
        self.revoked.is_none() && self.expires > now.as_millis()
    }

    /// Ends it. It is remembered as long as access tokens made in it hold.
    pub(crate) fn revoke(&mut self, now: Timestamp, access_ttl: Millis) {
        self.revoked = Some(true);
        self.expires = now.plus(access_ttl).as_millis();
    }
}

/// What somebody has who got in.
#[derive(Clone, Debug)]
pub struct SignedIn {
    /// Who.
    pub user: User,
    /// The session; `None` where there is none before the address is verified.
    pub tokens: Option<Tokens>,
}

/// The tokens of a session.
#[derive(Clone)]
pub struct Tokens {
    /// The session.
    pub session: String,
    /// The access token: a JWT.
    pub access: String,
    /// How long that holds.
    pub holds: Millis,
    /// What the next ones are got with, once.
    pub refresh: String,
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokens").field("session", &self.session).finish_non_exhaustive()
    }
}

impl Inner {
    /// A session that begins: the change that writes it, and its tokens.
    pub(crate) fn open_session(
        &self,
        user: &Kept<Account>,
        visitor: &Visitor,
        made: (EventId, Timestamp),
    ) -> Result<(DocumentChange, Tokens), Rejection> {
        let now = made.1;
        let refresh = Refresh {
            session: self.fresh("ses_"),
            family: tokens::secret()?,
            turn: tokens::secret()?,
        };
        let session = Session {
            user: user.id.to_string(),
            family: tokens::hash(&refresh.family),
            turn: tokens::hash(&refresh.turn),
            origin: None,
            expires: now.plus(self.settings.refresh_ttl).as_millis(),
            revoked: None,
            used: now.as_millis(),
            ip: visitor.ip.map(|ip| ip.to_string()),
            user_agent: visitor.user_agent.as_deref().map(described),
        };
        let change = records::insert(&refresh.session, &session, made)?;
        Ok((change, self.issue(user, &refresh, now)?))
    }

    /// The tokens of a session as it is now.
    pub(crate) fn issue(
        &self,
        user: &Kept<Account>,
        refresh: &Refresh,
        now: Timestamp,
    ) -> Result<Tokens, Rejection> {
        let access = self.identities.sign(user, &refresh.session, now)?;
        Ok(Tokens {
            session: refresh.session.clone(),
            access,
            holds: self.settings.access_ttl,
            refresh: refresh.text(),
        })
    }

    /// The sessions of a user that are open.
    pub(crate) async fn sessions(
        &self,
        user: &str,
        now: Timestamp,
    ) -> Result<Vec<Kept<Session>>, Rejection> {
        let mut sessions: Vec<Kept<Session>> =
            self.records.by("user", Scalar::Text(user.to_owned())).await?;
        sessions.retain(|session| session.record.is_open(now));
        Ok(sessions)
    }

    /// The changes that end sessions. Once they are written, tell [`Self::forget_sessions`].
    pub(crate) fn end_sessions(
        &self,
        sessions: &mut [Kept<Session>],
        made: (EventId, Timestamp),
    ) -> Result<Vec<DocumentChange>, Rejection> {
        let changes = sessions.iter_mut().map(|session| {
            session.record.revoke(made.1, self.settings.access_ttl);
            records::replace(session, made)
        });
        changes.collect()
    }

    /// From now on access tokens of these sessions are refused.
    pub(crate) fn forget_sessions(&self, sessions: &[Kept<Session>]) {
        for session in sessions {
            let until = Timestamp::from_millis(session.record.expires);
            self.identities.revoke(&session.id, What::All, until, self.now());
        }
    }

    /// From now on access tokens that give a user roles it has no more are refused, and no others.
    pub(crate) fn forget_roles(&self, user: &str, account: &Account) {
        match account.taken() {
            Some((roles, until)) => {
                self.identities.revoke(user, What::Roles(roles), until, self.now());
            }
            None => self.identities.restore(user),
        }
    }

    /// The sessions that have to give way to one more.
    pub(crate) async fn surplus(
        &self,
        user: &str,
        now: Timestamp,
    ) -> Result<Vec<Kept<Session>>, Rejection> {
        let mut sessions = self.sessions(user, now).await?;
        sessions.sort_by_key(|session| std::cmp::Reverse(session.record.used));
        Ok(sessions.split_off(sessions.len().min(SESSIONS_MAX - 1)))
    }
}

/// A client's own description, as far as it is kept.
pub(crate) fn described(user_agent: &str) -> String {
    user_agent.chars().filter(|c| !c.is_control()).take(USER_AGENT_CHARS_MAX).collect()
}
