//! Logging in, and what keeps others from trying passwords out.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use evoke_model::{Code, Millis, Rejection, Timestamp};

use crate::address::Address;
use crate::attempts::{Failed, Stop};
use crate::handle::{Auth, Inner, Visitor};
use crate::news::{About, Action, news};
use crate::password::Verdict;
use crate::records::{self, Kept, ROUNDS, Written, overrun};
use crate::session::SignedIn;
use crate::settings::VerifiedOnly;
use crate::user::{Account, Lock};

/// Why nobody may try for a while.
const WRONG_PASSWORDS: &str = "too many wrong passwords";

/// What somebody logs in with.
#[derive(Clone, Default)]
pub struct Credentials {
    /// The address.
    pub email: String,
    /// The password.
    pub password: String,
}

impl Auth {
    /// Begins a session.
    ///
    /// # Errors
    /// AU_001 for a wrong password and for an unknown address alike, AU_003 after too many of
    /// them, EV_003 where too many passwords are being checked, what hooks on `login` say.
    pub async fn login(
        &self,
        credentials: Credentials,
        visitor: &Visitor,
    ) -> Result<SignedIn, Rejection> {
        let inner = &self.inner;
        let key = match Address::read(&credentials.email) {
            Some(address) => address.key,
            None => return Err(wrong()),
        };
        let user = inner.user_by_email(&key).await?;
        let verdict = inner.prove(&key, user.as_ref(), &credentials.password, visitor.ip).await?;
        let user = user.ok_or_else(wrong)?;
        let rehashed = match verdict {
            Verdict::Stale => Some(inner.hasher.hash(credentials.password).await?),
            Verdict::Right | Verdict::Wrong => None,
        };
        inner.log_in(user, rehashed, visitor).await
    }
}

impl Inner {
    /// Compares a password with that of an account, unless there were too many wrong ones. The
    /// answer to an account that is not there is the same, and as much work.
    ///
    /// # Errors
    /// AU_001, AU_003, EV_003.
    pub(crate) async fn prove(
        self: &Arc<Self>,
        key: &str,
        user: Option<&Kept<Account>>,
        password: &str,
        ip: Option<IpAddr>,
    ) -> Result<Verdict, Rejection> {
        let now = self.now();
        let kept_lock = user.and_then(|user| user.record.lock);
        self.must_be_open(key, kept_lock, now)?;
        let attempt = Attempt::begin(self, key, ip, now)
            .map_err(|stop| stopped(WRONG_PASSWORDS, stop, now))?;
        let kept = user.and_then(|user| user.record.password.as_deref());
        let verdict = self.hasher.compare(password, kept).await?;
        if verdict != Verdict::Wrong {
            attempt.succeeded();
            return Ok(verdict);
        }
        if attempt.failed() == Failed::Last {
            tracing::warn!(user.id = user.map(|user| &*user.id), "Too many wrong passwords");
            let lock = self.locks.lock().add(key, kept_lock, self.now());
            // From here on the lock says when the next may try.
            self.by_account.lock().clear(key);
            if let Some(user) = user {
                self.keep_lock(&user.id, lock).await?;
            }
        }
        Err(wrong())
    }

    /// Nobody may try a password of an address that is locked.
    ///
    /// # Errors
    /// AU_003.
    fn must_be_open(&self, key: &str, kept: Option<Lock>, now: Timestamp) -> Result<(), Rejection> {
        let locks = [kept, self.locks.lock().get(key)];
        let until = locks.into_iter().flatten().map(|lock| lock.until).max();
        match until.filter(|until| *until > now) {
            Some(until) => Err(stopped(WRONG_PASSWORDS, Stop::Until(until), now)),
            None => Ok(()),
        }
    }

    /// Wrong passwords of an address no longer count, and no lock of it.
    pub(crate) fn forgive(&self, key: &str) {
        self.by_account.lock().clear(key);
        self.locks.lock().clear(key);
    }

    /// Keeps the lock of an account with it, so that it outlasts a restart. Who leaves meanwhile
    /// does not stop that.
    async fn keep_lock(self: &Arc<Self>, id: &str, lock: Lock) -> Result<(), Rejection> {
        let (inner, id) = (self.clone(), id.to_owned());
        self.to_the_end(async move {
            for _ in 0..ROUNDS {
                let Some(mut user) = inner.records.get::<Account>(&id).await? else {
                    return Ok(());
                };
                // It may have been ended already.
                if inner.locks.lock().get(&user.record.email_key) != Some(lock) {
                    return Ok(());
                }
                user.record.lock = Some(lock);
                let change = records::replace(&user, inner.unannounced())?;
                if inner.records.commit(vec![change], Vec::new()).await? == Written::Done {
                    return Ok(());
                }
            }
            Err(overrun())
        })
        .await
    }

    /// Whether an address has to be verified, and is not.
    ///
    /// # Errors
    /// AU_001 with the status 403.
    pub(crate) fn must_be_verified(&self, account: &Account) -> Result<(), Rejection> {
        if self.settings.verified == VerifiedOnly::No || account.verified_at.is_some() {
            return Ok(());
        }
        let message = "the address has to be verified first: follow the link in the mail";
        let mut refused = Rejection::new(Code::CredentialsWrong, message);
        refused.status = Some(403);
        Err(refused)
    }

    async fn log_in(
        self: &Arc<Self>,
        mut user: Kept<Account>,
        rehashed: Option<String>,
        visitor: &Visitor,
    ) -> Result<SignedIn, Rejection> {
        for _ in 0..ROUNDS {
            self.must_be_verified(&user.record)?;
            if let Some(signed_in) = self.try_log_in(&user, rehashed.clone(), visitor).await? {
                return Ok(signed_in);
            }
            let before = user.record.password.take();
            user = self.records.get(&user.id).await?.ok_or_else(wrong)?;
            // The password was changed in between: what was compared no longer holds.
            if user.record.password != before && user.record.password != rehashed {
                return Err(wrong());
            }
            // Or others tried so many meanwhile that nobody may get in.
            self.must_be_open(&user.record.email_key, user.record.lock, self.now())?;
        }
        Err(overrun())
    }

    async fn try_log_in(
        self: &Arc<Self>,
        user: &Kept<Account>,
        rehashed: Option<String>,
        visitor: &Visitor,
    ) -> Result<Option<SignedIn>, Rejection> {
        let about = About { id: &user.id, email: &user.record.email, created_at: user.created_at };
        let agreed = self.ask(news(Action::Login, &about, visitor)).await?;
        let made = (agreed.event.id, self.now());
        let mut user = user.clone();
        user.record.last_login_at = Some(made.1);
        user.record.lock = None;
        if rehashed.is_some() {
            user.record.password = rehashed;
        }
        let mut surplus = self.surplus(&user.id, made.1).await?;
        let mut changes = self.end_sessions(&mut surplus, made)?;
        changes.push(records::replace(&user, made)?);
        let (session, tokens) = self.open_session(&user, visitor, made)?;
        changes.push(session);
        let key = user.record.email_key.clone();
        let ends = move |inner: &Self| {
            inner.forget_sessions(&surplus);
            inner.forgive(&key);
        };
        match self.commit(changes, vec![agreed], ends).await? {
            Written::Done => {
                user.updated_at = made.1;
                Ok(Some(SignedIn { user: (&user).into(), tokens: Some(tokens) }))
            }
            Written::Again | Written::Taken => Ok(None),
        }
    }
}

/// An attempt under way, counted for the account and for the address it comes from.
struct Attempt<'a> {
    inner: &'a Inner,
    account: String,
    address: Option<IpAddr>,
    is_open: bool,
}

impl<'a> Attempt<'a> {
    fn begin(
        inner: &'a Inner,
        account: &str,
        ip: Option<IpAddr>,
        now: Timestamp,
    ) -> Result<Self, Stop> {
        let account = account.to_owned();
        let address = ip.and_then(network);
        inner.by_account.lock().begin(&account, now)?;
        if let Some(address) = &address
            && let Err(stop) = inner.by_address.lock().begin(address, now)
        {
            inner.by_account.lock().ended(&account);
            return Err(stop);
        }
        Ok(Self { inner, account, address, is_open: true })
    }

    fn succeeded(self) {
        self.inner.by_account.lock().clear(&self.account);
    }

    fn failed(mut self) -> Failed {
        self.is_open = false;
        if let Some(address) = &self.address
            && self.inner.by_address.lock().failed(address) == Failed::Last
        {
            tracing::warn!(client.address = %address, "Too many wrong passwords from one address");
        }
        self.inner.by_account.lock().failed(&self.account)
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        if self.is_open {
            self.inner.by_account.lock().ended(&self.account);
            if let Some(address) = &self.address {
                self.inner.by_address.lock().ended(address);
            }
        }
    }
}

/// What counts as one address: an IPv6 network, since its owner has all of it. This machine is
/// none: behind a proxy everybody would come from it.
pub(crate) fn network(ip: IpAddr) -> Option<IpAddr> {
    match ip.to_canonical() {
        ip if ip.is_loopback() => None,
        IpAddr::V6(ip) => {
            let [a, b, c, d, ..] = ip.segments();
            Some(IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0)))
        }
        ip => Some(ip),
    }
}

/// The same for a wrong password and an unknown address.
pub(crate) fn wrong() -> Rejection {
    Rejection::new(Code::CredentialsWrong, "the email or the password is wrong")
}

/// Too many of something; its sender comes back later.
pub(crate) fn stopped(what: &str, stop: Stop, now: Timestamp) -> Rejection {
    let wait = match stop {
        Stop::Until(until) => Millis::new(until.since(now).as_millis() as u64),
        Stop::Busy => Millis::from_secs(1),
    };
    Rejection::new(Code::AccountLocked, format!("{what}; try again later")).retry_after(wait)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_counts_as_one_address_and_this_machine_as_none() {
        let network = |text: &str| network(text.parse().unwrap()).map(|ip| ip.to_string());
        assert_eq!(network("203.0.113.7").as_deref(), Some("203.0.113.7"));
        assert_eq!(network("::ffff:203.0.113.7").as_deref(), Some("203.0.113.7"));
        assert_eq!(network("2001:db8:1:2:3:4:5:6").as_deref(), Some("2001:db8:1:2::"));
        assert_eq!((network("127.0.0.1"), network("::1")), (None, None));
    }
}
