//! The next tokens of a session. A refresh token is good for one use; one that is used again was
//! copied, and nobody can tell by whom: the session ends.

use std::sync::Arc;

use evoke_model::{Rejection, Timestamp};

use crate::handle::{Auth, Inner, Visitor, refused};
use crate::records::{self, Kept, ROUNDS, Written, overrun};
use crate::session::{Session, SignedIn, described};
use crate::tokens::{self, Refresh};
use crate::user::Account;

/// One answer for all that is wrong with a refresh token.
const UNKNOWN: &str = "the refresh token is not known, or the session has ended";

impl Auth {
    /// The next tokens of a session.
    ///
    /// # Errors
    /// AU_002: the token is not known, its session has ended, or it was used before; then the
    /// session ends. AU_001 where the address has to be verified first.
    pub async fn refresh(&self, token: &str, visitor: &Visitor) -> Result<SignedIn, Rejection> {
        let inner = &self.inner;
        let given = Refresh::read(token).ok_or_else(|| refused(UNKNOWN))?;
        for _ in 0..ROUNDS {
            let now = inner.now();
            let mut session = inner.session_of(&given, now).await?;
            if !tokens::is(&given.turn, &session.record.turn) {
                return Err(inner.reused(session).await?);
            }
            let user = inner.records.get::<Account>(&session.record.user).await?;
            let user = user.ok_or_else(|| refused(UNKNOWN))?;
            inner.must_be_verified(&user.record)?;
            let next = Refresh { turn: tokens::secret()?, ..given.clone() };
            session.record.turn = tokens::hash(&next.turn);
            session.record.used = now.as_millis();
            session.record.expires = now.plus(inner.settings.refresh_ttl).as_millis();
            session.record.ip = visitor.ip.map(|ip| ip.to_string());
            session.record.user_agent = visitor.user_agent.as_deref().map(described);
            let change = records::replace(&session, inner.unannounced())?;
            if inner.records.commit(vec![change], Vec::new()).await? == Written::Done {
                let tokens = inner.issue(&user, &next, now)?;
                return Ok(SignedIn { user: (&user).into(), tokens: Some(tokens) });
            }
        }
        Err(overrun())
    }
}

impl Inner {
    /// The open session a refresh token belongs to, whether or not it is the newest of it.
    ///
    /// # Errors
    /// AU_002.
    pub(crate) async fn session_of(
        &self,
        token: &Refresh,
        now: Timestamp,
    ) -> Result<Kept<Session>, Rejection> {
        let session = self.records.get::<Session>(&token.session).await?;
        session
            .filter(|session| tokens::is(&token.family, &session.record.family))
            .filter(|session| session.record.is_open(now))
            .ok_or_else(|| refused(UNKNOWN))
    }

    /// Ends a session of which an old token was shown. Its other secret was right, so this was no
    /// guess.
    async fn reused(self: &Arc<Self>, session: Kept<Session>) -> Result<Rejection, Rejection> {
        let id = session.id.clone();
        tracing::warn!(
            session.id = &*id,
            user.id = session.record.user,
            "A refresh token was used twice: its session ends"
        );
        self.end(&id).await?;
        Ok(refused("the refresh token was used before: the session has ended, log in again"))
    }

    /// Ends a session without news.
    async fn end(self: &Arc<Self>, id: &str) -> Result<(), Rejection> {
        for _ in 0..ROUNDS {
            let Some(session) = self.records.get::<Session>(id).await? else { return Ok(()) };
            if session.record.revoked.is_some() {
                return Ok(());
            }
            let mut sessions = [session];
            let changes = self.end_sessions(&mut sessions, self.unannounced())?;
            let ends = move |inner: &Self| inner.forget_sessions(&sessions);
            if self.commit(changes, Vec::new(), ends).await? == Written::Done {
                return Ok(());
            }
        }
        Err(overrun())
    }
}
