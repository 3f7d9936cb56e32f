//! Verifying an address: its owner shows a token that was sent there.

use evoke_document::Scalar;
use evoke_model::{Code, Rejection, Timestamp};

use crate::address::Address;
use crate::handle::{Auth, Inner, Visitor, refused};
use crate::mail::{MailToken, Purpose};
use crate::news::{About, Action, news};
use crate::records::{self, Kept, ROUNDS, Written, overrun};
use crate::tokens;
use crate::user::{Account, User};

impl Auth {
    /// Sends a mail that verifies an address, if it has an account that needs it. The answer is the
    /// same if not.
    ///
    /// # Errors
    /// AU_008 where no mail can be sent at all, EV_003 where too many wait.
    pub fn request_verification(&self, email: &str) -> Result<(), Rejection> {
        self.inner.request(Purpose::Verify, email)
    }

    /// Takes the token of such a mail.
    ///
    /// # Errors
    /// AU_002: it is not known, used, or too old.
    pub async fn verify_email(&self, token: &str, visitor: &Visitor) -> Result<User, Rejection> {
        let inner = &self.inner;
        for _ in 0..ROUNDS {
            let now = inner.now();
            let (token, mut user) = inner.sent(Purpose::Verify, token, now).await?;
            let about =
                About { id: &user.id, email: &user.record.email, created_at: user.created_at };
            let agreed = inner.ask(news(Action::EmailVerify, &about, visitor)).await?;
            let made = (agreed.event.id, now);
            user.record.verified_at.get_or_insert(now);
            let changes = vec![records::remove(&token), records::replace(&user, made)?];
            if inner.records.commit(changes, vec![agreed]).await? == Written::Done {
                user.updated_at = now;
                return Ok((&user).into());
            }
        }
        Err(overrun())
    }
}

impl Inner {
    /// Notes that a mail is wanted. Whether there is an account is looked up later, so that the
    /// answer and the time it takes do not tell.
    pub(crate) fn request(&self, purpose: Purpose, email: &str) -> Result<(), Rejection> {
        if self.post.is_none() {
            let message = "this server sends no mail: [mail] is not set";
            return Err(Rejection::new(Code::MailFailed, message));
        }
        match Address::read(email) {
            Some(address) => self.send_later(purpose, address.key),
            None => Ok(()),
        }
    }

    /// The token of a mail that was sent, with its user.
    ///
    /// # Errors
    /// AU_002.
    pub(crate) async fn sent(
        &self,
        purpose: Purpose,
        token: &str,
        now: Timestamp,
    ) -> Result<(Kept<MailToken>, Kept<Account>), Rejection> {
        const UNKNOWN: &str = "the token is not known, was used, or is too old";
        let found = self.records.get::<MailToken>(&tokens::hash(token.trim())).await?;
        let found = found
            .filter(|found| found.record.purpose == purpose)
            .filter(|found| found.record.expires > now.as_millis())
            .ok_or_else(|| refused(UNKNOWN))?;
        let user = self.records.get::<Account>(&found.record.user).await?;
        // A token was sent to an address; it proves nothing about another one.
        let user = user.filter(|user| user.record.email_key == found.record.email_key);
        Ok((found, user.ok_or_else(|| refused(UNKNOWN))?))
    }

    /// The tokens of mails to a user.
    pub(crate) async fn mail_tokens(&self, user: &str) -> Result<Vec<Kept<MailToken>>, Rejection> {
        self.records.by("user", Scalar::Text(user.to_owned())).await
    }
}
