//! How mail leaves: through a server for mail, or shown to whoever runs this one.

use std::time::Duration;

use async_trait::async_trait;
use evoke_model::{Code, Rejection};
use lettre::message::{Mailbox, MultiPart};
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};

use super::Letter;
use crate::settings::Show;

/// How long a server for mail may take for one mail.
const PATIENCE: Duration = Duration::from_secs(20);

/// Where letters go.
#[async_trait]
pub trait Outbox: Send + Sync {
    /// Sends a letter.
    ///
    /// # Errors
    /// Why it was not taken.
    async fn send(&self, letter: &Letter) -> Result<(), Unsent>;
}

/// Why a letter was not taken.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Unsent {
    /// It may be later.
    NotNow(String),
    /// It never will.
    Never(String),
}

/// Shows letters instead of sending them.
pub(super) struct Shown(pub(super) Show);

#[async_trait]
impl Outbox for Shown {
    async fn send(&self, letter: &Letter) -> Result<(), Unsent> {
        let Letter { to, subject, text, .. } = letter;
        (self.0)(&format!("Mail to {to}: {subject}\n\n{text}"));
        Ok(())
    }
}

/// Sends letters through a server.
pub(super) struct Smtp {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

impl Smtp {
    /// # Errors
    /// FN_006: the address of the server or of the sender is none. Neither is repeated: the first
    /// holds a password.
    pub(super) fn open(url: &str, from: &str) -> Result<Self, Rejection> {
        let wrong = |what: &str| Rejection::new(Code::InvalidConfiguration, what);
        let from = from.parse().map_err(|_| wrong("[mail] from is no address of a sender"))?;
        let builder = AsyncSmtpTransport::<Tokio1Executor>::from_url(url)
            .map_err(|_| wrong("[mail] url is no address of a server for mail"))?;
        Ok(Self { transport: builder.timeout(Some(PATIENCE)).build(), from })
    }
}

#[async_trait]
impl Outbox for Smtp {
    async fn send(&self, letter: &Letter) -> Result<(), Unsent> {
        let never = |what: &dyn std::fmt::Display| Unsent::Never(what.to_string());
        let to = letter.to.parse().map_err(|error: lettre::address::AddressError| never(&error))?;
        let message = Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(letter.subject.clone())
            .multipart(MultiPart::alternative_plain_html(letter.text.clone(), letter.html.clone()))
            .map_err(|error| never(&error))?;
        match self.transport.send(message).await {
            Ok(_) => Ok(()),
            Err(error) if error.is_permanent() => Err(Unsent::Never(error.to_string())),
            Err(error) => Err(Unsent::NotNow(error.to_string())),
        }
    }
}
