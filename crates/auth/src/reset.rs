//! Setting a password anew with a token that was sent by mail. All sessions end: whoever asks for
//! this may have lost more than the password.

use evoke_model::{Code, Rejection};

use crate::handle::{Auth, Inner, Visitor};
use crate::mail::Purpose;
use crate::news::{About, Action, news};
use crate::password;
use crate::records::{self, ROUNDS, Written, overrun};

impl Auth {
    /// Sends a mail with which a password is set anew, if the address has an account. The answer is
    /// the same if not.
    ///
    /// # Errors
    /// AU_008 where no mail can be sent at all, EV_003 where too many wait.
    pub fn request_reset(&self, email: &str) -> Result<(), Rejection> {
        self.inner.request(Purpose::Reset, email)
    }

    /// Sets a password with the token of such a mail. It also ends a lock, and the address counts
    /// as verified.
    ///
    /// # Errors
    /// AU_002 for the token, AU_006 for the password.
    pub async fn reset_password(
        &self,
        token: &str,
        password: String,
        visitor: &Visitor,
    ) -> Result<(), Rejection> {
        let inner = &self.inner;
        password::check("password", &password)
            .map_err(|problem| Rejection::of(Code::SignupInvalid, vec![problem]))?;
        inner.sent(Purpose::Reset, token, inner.now()).await?;
        let hash = inner.hasher.hash(password).await?;
        for _ in 0..ROUNDS {
            let now = inner.now();
            let (used, mut user) = inner.sent(Purpose::Reset, token, now).await?;
            let about =
                About { id: &user.id, email: &user.record.email, created_at: user.created_at };
            let agreed = inner.ask(news(Action::PasswordReset, &about, visitor)).await?;
            let made = (agreed.event.id, now);
            user.record.password = Some(hash.clone());
            user.record.lock = None;
            user.record.verified_at.get_or_insert(now);
            let mut ended = inner.sessions(&user.id, now).await?;
            let mut changes = inner.end_sessions(&mut ended, made)?;
            changes.push(records::replace(&user, made)?);
            changes.push(records::remove(&used));
            // Other mails that are still on their way must not work afterwards.
            let others = inner.mail_tokens(&user.id).await?;
            changes.extend(others.iter().filter(|it| it.id != used.id).map(records::remove));
            let ends = move |inner: &Inner| {
                inner.forget_sessions(&ended);
                inner.forgive(&user.record.email_key);
            };
            if inner.commit(changes, vec![agreed], ends).await? == Written::Done {
                return Ok(());
            }
        }
        Err(overrun())
    }
}
