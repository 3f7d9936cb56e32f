//! Logging out: of one session, or of all.

use evoke_model::{Rejection, Timestamp};

use crate::handle::{Auth, Inner, Visitor, refused};
use crate::news::{About, Action, news};
use crate::records::{Kept, ROUNDS, Written, overrun};
use crate::session::Session;
use crate::tokens::{self, Refresh};

/// Who leaves: one of the two tokens says it.
#[derive(Clone, Default)]
pub struct Leaving {
    /// The access token of the session.
    pub access: Option<String>,
    /// Its refresh token.
    pub refresh: Option<String>,
    /// Whether all sessions of the user end.
    pub scope: Scope,
}

/// What ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Scope {
    /// This session.
    #[default]
    This,
    /// All sessions of its user.
    All,
}

impl Auth {
    /// Ends a session, or all of its user. Access tokens of it are refused from now on.
    ///
    /// # Errors
    /// AU_002: neither token is good.
    pub async fn logout(&self, leaving: Leaving, visitor: &Visitor) -> Result<(), Rejection> {
        let inner = &self.inner;
        for _ in 0..ROUNDS {
            let now = inner.now();
            let own = inner.leaving(&leaving, now).await?;
            let user = inner.user(&own.record.user).await?;
            let mut ended = match leaving.scope {
                Scope::This => vec![own],
                Scope::All => inner.sessions(&user.id, now).await?,
            };
            let about =
                About { id: &user.id, email: &user.record.email, created_at: user.created_at };
            let agreed = inner.ask(news(Action::Logout, &about, visitor)).await?;
            let changes = inner.end_sessions(&mut ended, (agreed.event.id, now))?;
            let ends = move |inner: &Inner| inner.forget_sessions(&ended);
            if inner.commit(changes, vec![agreed], ends).await? == Written::Done {
                return Ok(());
            }
        }
        Err(overrun())
    }
}

impl Inner {
    /// The session somebody leaves.
    async fn leaving(&self, leaving: &Leaving, now: Timestamp) -> Result<Kept<Session>, Rejection> {
        if let Some(access) = &leaving.access {
            return self.session_in(access, now).await;
        }
        let refresh = leaving.refresh.as_deref().and_then(Refresh::read);
        let refresh = refresh.ok_or_else(|| refused("no token says which session ends"))?;
        let session = self.session_of(&refresh, now).await?;
        match tokens::is(&refresh.turn, &session.record.turn) {
            true => Ok(session),
            false => Err(refused("the refresh token was used before")),
        }
    }

    /// The session an access token was made in.
    ///
    /// # Errors
    /// AU_002.
    pub(crate) async fn session_in(
        &self,
        access: &str,
        now: Timestamp,
    ) -> Result<Kept<Session>, Rejection> {
        let verified = self.identities.verify(access, now).map_err(|why| refused(&why.0))?;
        let id = verified.session.ok_or_else(|| refused("the token is of another issuer"))?;
        let session = self.records.get::<Session>(&id).await?;
        session
            .filter(|session| session.record.is_open(now))
            .ok_or_else(|| refused("the session has ended"))
    }
}
