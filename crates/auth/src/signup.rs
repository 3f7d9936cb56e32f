//! Signing up: an account, and the session that begins with it.

use std::sync::Arc;

use evoke_model::{Code, Problem, Rejection};
use serde_json::{Map, Value};

use crate::address::Address;
use crate::attempts::Failed;
use crate::handle::{Auth, Inner, Visitor};
use crate::login::{network, stopped};
use crate::mail::Purpose;
use crate::news::{About, Action, news};
use crate::password;
use crate::records::{self, Kept, ROUNDS, Written, overrun};
use crate::session::SignedIn;
use crate::settings::{Signup, VerifiedOnly};
use crate::user::{Account, check_data, check_roles, distinct};

/// What an account is made from.
#[derive(Clone, Default)]
pub struct NewAccount {
    /// The address.
    pub email: String,
    /// The password; the operator may leave it out, and its owner sets it by mail.
    pub password: Option<String>,
    /// What the application keeps with the user.
    pub data: Map<String, Value>,
    /// The roles; only the operator gives them.
    pub roles: Vec<String>,
    /// Whether the address is known to be its owner's; only the operator says so.
    pub is_verified: bool,
}

/// Who makes an account.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    /// Its owner.
    Owner,
    /// Whoever runs the server.
    Operator,
}

impl Auth {
    /// Makes an account of somebody who signs up, and a session.
    ///
    /// # Errors
    /// AU_004 for an address that has one, AU_006, AU_003 after too many signups from one place,
    /// what hooks on `signup` say.
    pub async fn signup(
        &self,
        wanted: NewAccount,
        visitor: &Visitor,
    ) -> Result<SignedIn, Rejection> {
        let inner = &self.inner;
        if inner.settings.signup == Signup::Closed {
            let mut refused =
                Rejection::new(Code::SignupInvalid, "accounts are made by the operator");
            refused.status = Some(403);
            return Err(refused);
        }
        let wanted = NewAccount { roles: Vec::new(), is_verified: false, ..wanted };
        inner.sign_up(wanted, visitor, By::Owner).await
    }
}

impl Inner {
    pub(crate) async fn sign_up(
        self: &Arc<Self>,
        wanted: NewAccount,
        visitor: &Visitor,
        by: By,
    ) -> Result<SignedIn, Rejection> {
        let address = check(&wanted, by)?;
        if by == By::Owner {
            self.count_signup(visitor)?;
        }
        if self.user_by_email(&address.key).await?.is_some() {
            return Err(taken());
        }
        let password = match wanted.password {
            Some(password) => Some(self.hasher.hash(password).await?),
            None => None,
        };
        let now = self.now();
        let account = Account {
            email: address.shown,
            email_key: address.key,
            verified_at: wanted.is_verified.then_some(now),
            password,
            roles: distinct(wanted.roles),
            data: wanted.data,
            last_login_at: None,
            lock: None,
            taken_roles: Vec::new(),
            taken_until: None,
        };
        let id = self.fresh("usr_");
        for _ in 0..ROUNDS {
            if let Some(signed_in) = self.try_sign_up(&id, &account, visitor, by).await? {
                return Ok(signed_in);
            }
        }
        Err(overrun())
    }

    /// Counts a signup, unless there were too many from where it comes.
    fn count_signup(&self, visitor: &Visitor) -> Result<(), Rejection> {
        let Some(network) = visitor.ip.and_then(network) else { return Ok(()) };
        let now = self.now();
        let mut signups = self.by_signup.lock();
        signups
            .begin(&network, now)
            .map_err(|stop| stopped("too many signups from one address", stop, now))?;
        // Each of them counts, whatever comes of it.
        if signups.failed(&network) == Failed::Last {
            tracing::warn!(client.address = %network, "Too many signups from one address");
        }
        Ok(())
    }

    async fn try_sign_up(
        self: &Arc<Self>,
        id: &str,
        account: &Account,
        visitor: &Visitor,
        by: By,
    ) -> Result<Option<SignedIn>, Rejection> {
        let created_at = self.now();
        let about = About { id, email: &account.email, created_at };
        let agreed = self.ask(news(Action::Signup, &about, visitor)).await?;
        let made = (agreed.event.id, created_at);
        let user = Kept {
            id: id.into(),
            revision: agreed.event.id.as_u64(),
            created_at,
            updated_at: created_at,
            record: account.clone(),
        };
        let mut changes = vec![records::insert(id, account, made)?];
        let is_let_in = by == By::Owner
            && (self.settings.verified == VerifiedOnly::No || account.verified_at.is_some());
        let tokens = match is_let_in {
            true => {
                let (session, tokens) = self.open_session(&user, visitor, made)?;
                changes.push(session);
                Some(tokens)
            }
            false => None,
        };
        let unverified = account.verified_at.is_none().then(|| account.email_key.clone());
        let mails = move |inner: &Self| {
            if let Some(email_key) = unverified {
                inner.send_on_signup(&email_key);
            }
        };
        match self.commit(changes, vec![agreed], mails).await? {
            Written::Done => Ok(Some(SignedIn { user: (&user).into(), tokens })),
            Written::Taken => Err(taken()),
            Written::Again => Ok(None),
        }
    }

    /// A new account's address is to be verified, where mail can be sent at all.
    fn send_on_signup(&self, email_key: &str) {
        if self.post.is_none() {
            return;
        }
        if let Err(full) = self.send_later(Purpose::Verify, email_key.to_owned()) {
            tracing::warn!("The mail that verifies a new address was not sent: {full}");
        }
    }
}

fn taken() -> Rejection {
    let problem = Problem::new("email", "has an account already");
    Rejection::of(Code::EmailTaken, vec![problem.suggest("log in, or reset the password")])
}

/// Checks everything at once.
fn check(wanted: &NewAccount, by: By) -> Result<Address, Rejection> {
    let mut problems = Vec::new();
    let address = Address::read(&wanted.email);
    if address.is_none() {
        let problem = Problem::new("email", "is no address mail can be sent to");
        problems.push(problem.suggest("ada@example.com"));
    }
    match &wanted.password {
        Some(password) => problems.extend(password::check("password", password).err()),
        None if by == By::Owner => problems.push(Problem::new("password", "is missing")),
        None => {}
    }
    problems.extend(check_data(&wanted.data).err());
    problems.extend(check_roles(&wanted.roles).err());
    match address {
        Some(address) if problems.is_empty() => Ok(address),
        _ => Err(Rejection::of(Code::SignupInvalid, problems)),
    }
}
