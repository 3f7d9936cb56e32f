//! The way of a mail from the request that wants it to the server that takes it. What waits is in
//! memory and bounded: a mail that is lost with the process is asked for again by its reader, and
//! until then nothing has changed.

use std::sync::Arc;
use std::time::Duration;

use evoke_model::{Code, Millis, Rejection};
use parking_lot::Mutex;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::smtp::{Shown, Smtp, Unsent};
use super::{Letter, MailToken, Outbox, Purpose};
use crate::handle::Inner;
use crate::records::{self, Kept};
use crate::settings::Mail;
use crate::tokens;
use crate::user::Account;

/// Mails that wait.
const WAITING_MAX: usize = 1_000;

/// Mails that are sent at once: each has a connection of its own.
const AT_ONCE: usize = 4;

/// How long to wait after each failure; after the last one a mail is given up.
const PAUSES: [Duration; 3] =
    [Duration::from_secs(1), Duration::from_secs(10), Duration::from_secs(60)];

/// A mail somebody wants.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Errand {
    purpose: Purpose,
    email_key: String,
}

/// Where mails are handed in.
pub(crate) struct Post(Mutex<Option<mpsc::Sender<Errand>>>);

/// Where they come out.
pub(crate) struct Letters {
    errands: mpsc::Receiver<Errand>,
    outbox: Arc<dyn Outbox>,
}

impl Post {
    /// # Errors
    /// FN_006: the settings cannot be used.
    pub(crate) fn open(mail: &Mail) -> Result<(Self, Option<Letters>), Rejection> {
        let outbox: Arc<dyn Outbox> = match mail {
            Mail::None => return Ok((Self(Mutex::new(None)), None)),
            Mail::Shown(show) => Arc::new(Shown(show.clone())),
            Mail::Smtp { url, from } => Arc::new(Smtp::open(url, from)?),
        };
        let (sender, errands) = mpsc::channel(WAITING_MAX);
        Ok((Self(Mutex::new(Some(sender))), Some(Letters { errands, outbox })))
    }

    /// Whether no mail is taken.
    pub(crate) fn is_none(&self) -> bool {
        self.0.lock().is_none()
    }

    /// Takes no more; what waits is still sent.
    pub(crate) fn close(&self) {
        self.0.lock().take();
    }
}

impl Inner {
    /// Hands a mail in.
    ///
    /// # Errors
    /// EV_003 where too many wait.
    pub(crate) fn send_later(&self, purpose: Purpose, email_key: String) -> Result<(), Rejection> {
        let sender = self.post.0.lock().clone();
        let sent = sender.map(|sender| sender.try_send(Errand { purpose, email_key }));
        match sent {
            Some(Ok(())) => Ok(()),
            Some(Err(_)) => Err(Rejection::new(Code::IntakeFull, "too many mails wait to be sent")
                .retry_after(Millis::from_secs(10))),
            None => Err(Rejection::new(Code::ShuttingDown, "the server is shutting down")),
        }
    }

    /// Sends what is handed in until nothing more can be.
    pub(crate) async fn deliver(self: Arc<Self>, mut letters: Letters) {
        let mut under_way = JoinSet::new();
        while let Some(errand) = letters.errands.recv().await {
            if under_way.len() >= AT_ONCE {
                noted(under_way.join_next().await);
            }
            let (inner, outbox) = (self.clone(), letters.outbox.clone());
            under_way.spawn(async move { inner.run_errand(errand, &*outbox).await });
        }
        while let Some(ended) = under_way.join_next().await {
            noted(Some(ended));
        }
    }

    async fn run_errand(&self, errand: Errand, outbox: &dyn Outbox) {
        match self.write_letter(&errand).await {
            Ok(Some((user, letter))) => self.post_letter(&user, &letter, outbox).await,
            Ok(None) => {}
            Err(error) => tracing::error!("A mail was not sent: {error}"),
        }
    }

    /// The letter somebody wants, with the token in it on disk; `None` where it is for nobody, not
    /// needed, or one too many.
    async fn write_letter(&self, errand: &Errand) -> Result<Option<(Box<str>, Letter)>, Rejection> {
        let Errand { purpose, email_key } = errand;
        let Some(user) = self.user_by_email(email_key).await? else { return Ok(None) };
        if *purpose == Purpose::Verify && user.record.verified_at.is_some() {
            return Ok(None);
        }
        let key = (*purpose, email_key.clone());
        let now = self.now();
        {
            let mut sent = self.by_mail.lock();
            if sent.begin(&key, now).is_err() {
                tracing::warn!(user.id = &*user.id, "Too many mails to one address are wanted");
                return Ok(None);
            }
            sent.failed(&key);
        }
        let token = self.mail_token(*purpose, &user).await?;
        let letter = Letter::new(*purpose, &user.record.email, &token, &self.settings);
        Ok(Some((user.id, letter)))
    }

    async fn mail_token(
        &self,
        purpose: Purpose,
        user: &Kept<Account>,
    ) -> Result<String, Rejection> {
        let token = format!("evm_{}", tokens::secret()?);
        let holds = match purpose {
            Purpose::Verify => self.settings.verify_ttl,
            Purpose::Reset => self.settings.reset_ttl,
        };
        let record = MailToken {
            user: user.id.to_string(),
            email_key: user.record.email_key.clone(),
            purpose,
            expires: self.now().plus(holds).as_millis(),
        };
        let change = records::insert(&tokens::hash(&token), &record, self.unannounced())?;
        match self.records.commit(vec![change], Vec::new()).await? {
            records::Written::Done => Ok(token),
            _ => Err(records::overrun()),
        }
    }

    /// Sends a letter, several times if need be; when the server stops, without long pauses.
    async fn post_letter(&self, user: &str, letter: &Letter, outbox: &dyn Outbox) {
        let mut pauses = PAUSES.into_iter();
        loop {
            let why = match outbox.send(letter).await {
                Ok(()) => {
                    tracing::debug!(user.id = user, "A mail was sent: {}", letter.subject);
                    return;
                }
                Err(Unsent::Never(why)) => {
                    return given_up(user, letter, &why);
                }
                Err(Unsent::NotNow(why)) => why,
            };
            let Some(pause) = pauses.next() else { return given_up(user, letter, &why) };
            tracing::warn!(user.id = user, "A mail was not sent, again in {pause:?}: {why}");
            if self.stop.is_cancelled() {
                tokio::time::sleep(PAUSES[0]).await;
                continue;
            }
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.stop.cancelled() => {}
            }
        }
    }
}

fn given_up(user: &str, letter: &Letter, why: &str) {
    let code = Code::MailFailed;
    tracing::error!(user.id = user, %code, "A mail is given up: {}: {why}", letter.subject);
}

fn noted(ended: Option<Result<(), tokio::task::JoinError>>) {
    if let Some(Err(error)) = ended {
        tracing::error!("Sending a mail fell over: {error}");
    }
}
