//! The next tokens of a session. A refresh token is good for one use; one that is used again was
//! copied, and nobody can tell by whom: the session ends. Only the one that was used a moment ago
//! gives what it gave then, since an answer may be lost on its way.

use std::sync::Arc;

use evoke_model::{Millis, Rejection, Timestamp};

use crate::handle::{Auth, Inner, Visitor, refused};
use crate::records::{self, Kept, ROUNDS, Written, overrun};
use crate::session::{Origin, Session, SignedIn, described};
use crate::tokens::{self, Refresh};
use crate::user::Account;

/// How long a token that was used gives the same next one: as long as it takes to notice that an
/// answer does not come, and to ask again.
const GRACE: Millis = Millis::from_secs(10);

/// One answer for all that is wrong with a refresh token.
const UNKNOWN: &str = "the refresh token is not known, or the session has ended";

impl Auth {
    /// The next tokens of a session.
    ///
    /// # Errors
    /// AU_002: the token is not known, its session has ended, or it was used before, and not only a
    /// moment ago; then the session ends. AU_001 where the address has to be verified first.
    pub async fn refresh(&self, token: &str, visitor: &Visitor) -> Result<SignedIn, Rejection> {
        let inner = &self.inner;
        let given = Refresh::read(token).ok_or_else(|| refused(UNKNOWN))?;
        for _ in 0..ROUNDS {
            let now = inner.now();
            let mut session = inner.session_of(&given, now).await?;
            if !tokens::is(&given.turn, &session.record.turn) {
                return inner.refresh_again(&given, session, now).await;
            }
            let user = inner.user_of(&session).await?;
            let seed = tokens::secret()?;
            let next = Refresh { turn: tokens::next(&given.turn, &seed), ..given.clone() };
            let turn = std::mem::replace(&mut session.record.turn, tokens::hash(&next.turn));
            session.record.origin = Some(Origin { turn, seed });
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
    /// The tokens of a session once more, for one that was the newest until a moment ago.
    ///
    /// # Errors
    /// AU_002 for any other; the session ends.
    async fn refresh_again(
        self: &Arc<Self>,
        given: &Refresh,
        session: Kept<Session>,
        now: Timestamp,
    ) -> Result<SignedIn, Rejection> {
        let is_recent = now < Timestamp::from_millis(session.record.used).plus(GRACE);
        let origin = session.record.origin.as_ref().filter(|_| is_recent);
        let Some(origin) = origin.filter(|origin| tokens::is(&given.turn, &origin.turn)) else {
            return Err(self.reused(session).await?);
        };
        let next = Refresh { turn: tokens::next(&given.turn, &origin.seed), ..given.clone() };
        let user = self.user_of(&session).await?;
        let tokens = self.issue(&user, &next, now)?;
        Ok(SignedIn { user: (&user).into(), tokens: Some(tokens) })
    }

    /// The user of a session, who may have the next tokens.
    async fn user_of(&self, session: &Kept<Session>) -> Result<Kept<Account>, Rejection> {
        let user = self.records.get::<Account>(&session.record.user).await?;
        let user = user.ok_or_else(|| refused(UNKNOWN))?;
        self.must_be_verified(&user.record)?;
        Ok(user)
    }

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
