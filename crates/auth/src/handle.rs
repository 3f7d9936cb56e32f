//! The service: what it is made of, and how it starts and ends.

use std::net::IpAddr;
use std::sync::Arc;

use evoke_document::{Condition, Op, Scalar};
use evoke_model::{Code, EventId, Millis, Rejection, Timestamp};
use evoke_ports::store::{DocumentChange, Documents};
use evoke_ports::{Agreed, Journal, News, Origin};
use parking_lot::Mutex;
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::attempts::Attempts;
use crate::foreign::Foreign;
use crate::identities::{Identities, Known, Verified};
use crate::keeper;
use crate::keys::{self, Ring, SigningKey};
use crate::locks::Locks;
use crate::mail::{MailToken, Post};
use crate::password::Hasher;
use crate::records::{self, Kept, ROUNDS, Records, Written, internal, overrun, path};
use crate::session::Session;
use crate::settings::Settings;
use crate::user::Account;

/// Wrong passwords from one address before it has to wait, whichever accounts they are for.
const ADDRESS_FAILURES_MAX: u32 = 100;

/// Signups from one address in a quarter of an hour: a class or an office may come at once.
const SIGNUPS_MAX: u32 = 100;

/// Mails of one kind to one address in a quarter of an hour.
const MAILS_MAX: u32 = 5;

/// What the service is made of.
pub struct Parts {
    /// What it is told.
    pub settings: Settings,
    /// Where changes are committed.
    pub journal: Arc<dyn Journal>,
    /// Where documents are read.
    pub documents: Arc<dyn Documents>,
    /// Whom sources ask; it knows the users once the service has started.
    pub identities: Arc<Identities>,
}

/// The handle of the service.
#[derive(Clone)]
pub struct Auth {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) settings: Settings,
    pub(crate) records: Records,
    pub(crate) identities: Arc<Identities>,
    pub(crate) hasher: Hasher,
    pub(crate) by_account: Mutex<Attempts<String>>,
    pub(crate) locks: Mutex<Locks>,
    pub(crate) by_address: Mutex<Attempts<IpAddr>>,
    pub(crate) by_signup: Mutex<Attempts<IpAddr>>,
    pub(crate) by_mail: Mutex<Attempts<(crate::mail::Purpose, String)>>,
    pub(crate) foreign: Arc<[Foreign]>,
    pub(crate) post: Post,
    pub(crate) stop: CancellationToken,
    pub(crate) tasks: TaskTracker,
}

/// Who asks, as far as it is known.
#[derive(Clone, Debug, Default)]
pub struct Visitor {
    /// Where from.
    pub ip: Option<IpAddr>,
    /// What the client says of itself.
    pub user_agent: Option<String>,
    /// The request and what caused it.
    pub origin: Origin,
}

impl Auth {
    /// Starts the service: defines what it keeps, makes the first key, and begins what runs behind.
    ///
    /// # Errors
    /// The store cannot be read or written, or the settings of mail cannot be used.
    pub async fn start(parts: Parts) -> Result<Self, Rejection> {
        let Parts { settings, journal, documents, identities } = parts;
        let records = Records::new(documents, journal);
        records.define::<Account>().await?;
        records.define::<Session>().await?;
        records.define::<SigningKey>().await?;
        records.define::<MailToken>().await?;
        let (post, letters) = Post::open(&settings.mail)?;
        let inner = Arc::new(Inner {
            hasher: Hasher::new(settings.hashing)?,
            by_account: Mutex::new(Attempts::new(settings.lock_after)),
            locks: Mutex::new(Locks::new(settings.lock_for)),
            by_address: Mutex::new(Attempts::new(ADDRESS_FAILURES_MAX)),
            by_signup: Mutex::new(Attempts::new(SIGNUPS_MAX)),
            by_mail: Mutex::new(Attempts::new(MAILS_MAX)),
            foreign: settings.foreign.iter().map(Foreign::new).collect(),
            settings,
            records,
            identities,
            post,
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
        });
        inner.tend_keys().await?;
        inner.remember_revoked().await?;
        keeper::begin(&inner, letters);
        Ok(Self { inner })
    }

    /// Ends what runs behind: mail that waits is still sent for a while.
    pub async fn close(&self, grace: Millis) {
        self.inner.post.close();
        self.inner.stop.cancel();
        self.inner.tasks.close();
        if tokio::time::timeout(grace.duration(), self.inner.tasks.wait()).await.is_err() {
            tracing::warn!("Mail or a change was still under way when the server stopped");
        }
    }

    /// The public keys that verify our tokens: a JWKS.
    ///
    /// # Errors
    /// API_006.
    pub fn jwks(&self) -> Result<Value, Rejection> {
        self.inner.identities.published()
    }

    /// Everything a token says, if it holds. Tokens may come as `Bearer ...`.
    ///
    /// # Errors
    /// AU_002.
    pub fn verify_token(&self, token: &str) -> Result<Verified, Rejection> {
        let token = bare(token);
        self.inner.identities.verify(token, self.inner.now()).map_err(|why| refused(&why.0))
    }
}

/// A token without the scheme in front of it.
fn bare(token: &str) -> &str {
    let token = token.trim();
    match token.split_once(' ') {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("bearer") => rest.trim(),
        _ => token,
    }
}

/// A token that does not hold.
pub(crate) fn refused(why: &str) -> Rejection {
    Rejection::new(Code::TokenInvalid, why)
}

impl Inner {
    pub(crate) fn now(&self) -> Timestamp {
        self.records.journal.now()
    }

    /// A revision for a change without news, and the time.
    pub(crate) fn unannounced(&self) -> (EventId, Timestamp) {
        (self.records.journal.fresh_id(), self.now())
    }

    /// A new id with a prefix of ours.
    pub(crate) fn fresh(&self, prefix: &str) -> String {
        let id = self.records.journal.fresh_id().to_string();
        let body = id.rsplit('_').next().unwrap_or_default();
        format!("{prefix}{body}")
    }

    /// Commits changes with their news, and does what follows from them once they are on disk.
    /// A caller that leaves meanwhile does not stop that.
    ///
    /// # Errors
    /// See [`Records::commit`].
    pub(crate) async fn commit(
        self: &Arc<Self>,
        changes: Vec<DocumentChange>,
        agreed: Vec<Agreed>,
        then: impl FnOnce(&Self) + Send + 'static,
    ) -> Result<Written, Rejection> {
        let inner = self.clone();
        self.to_the_end(async move {
            let written = inner.records.commit(changes, agreed).await?;
            if written == Written::Done {
                then(&inner);
            }
            Ok(written)
        })
        .await
    }

    /// Does something to its end, also where its caller leaves.
    pub(crate) async fn to_the_end<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, Rejection>> + Send + 'static,
    ) -> Result<T, Rejection> {
        let done = self.tasks.spawn(work).await;
        done.unwrap_or_else(|error| Err(internal(&format!("a change fell over: {error}"))))
    }

    pub(crate) async fn ask(&self, news: News) -> Result<Agreed, Rejection> {
        self.records.journal.ask(news).await
    }

    /// The user whose address this is.
    pub(crate) async fn user_by_email(
        &self,
        key: &str,
    ) -> Result<Option<Kept<Account>>, Rejection> {
        let found = self.records.by("email_key", Scalar::Text(key.to_owned())).await?;
        Ok(found.into_iter().next())
    }

    /// A user by its id.
    ///
    /// # Errors
    /// AU_005.
    pub(crate) async fn user(&self, id: &str) -> Result<Kept<Account>, Rejection> {
        let found = self.records.get(id).await?;
        found.ok_or_else(|| Rejection::new(Code::UserNotFound, "there is no such user"))
    }

    /// Makes the next signing key where it is time, and drops those that have served.
    pub(crate) async fn tend_keys(&self) -> Result<(), Rejection> {
        let (rotation, holds) = (self.settings.key_rotation, self.settings.access_ttl);
        for _ in 0..ROUNDS {
            let mut keys: Vec<Kept<SigningKey>> = self.records.all(Vec::new()).await?;
            keys.sort_by(|a, b| a.created_at.cmp(&b.created_at).then_with(|| a.id.cmp(&b.id)));
            let made: Vec<Timestamp> = keys.iter().map(|key| key.created_at).collect();
            let now = self.now();
            let signing = self.identities.signer().and_then(|(id, since)| {
                let place = keys.iter().position(|key| *key.id == *id)?;
                Some((place, since))
            });
            let plan = keys::plan(&made, signing, rotation, holds, now);
            let mut changes: Vec<_> =
                plan.drop.iter().filter_map(|at| keys.get(*at)).map(records::remove).collect();
            if plan.make {
                let key = SigningKey::new()?;
                changes.push(records::insert(&self.fresh("sig_"), &key, self.unannounced())?);
            }
            if changes.is_empty() {
                let signs = plan.signs.ok_or_else(|| internal("there is no key to sign with"))?;
                let since = signing.filter(|(place, _)| *place == signs).map(|(_, since)| since);
                let ring = Ring::of(&keys, signs, since.unwrap_or(now))?;
                let known = Known::new(ring, self.foreign.clone(), &self.settings);
                self.identities.know(known);
                return Ok(());
            }
            // Read anew in either case: what others made counts as well.
            self.records.commit(changes, Vec::new()).await?;
        }
        Err(overrun())
    }

    /// Sessions that were ended and roles that were taken before a restart stay so.
    async fn remember_revoked(&self) -> Result<(), Rejection> {
        let ended: Vec<Kept<Session>> = self.records.by("revoked", Scalar::Bool(true)).await?;
        self.forget_sessions(&ended);
        let op = Op::Gt(records::instant(self.now()));
        let taken = Condition { field: path("taken_until")?, op };
        let users: Vec<Kept<Account>> = self.records.all(vec![taken]).await?;
        for user in &users {
            self.forget_roles(&user.id, &user.record);
        }
        Ok(())
    }

    /// Removes what has expired.
    pub(crate) async fn sweep(&self) -> Result<(), Rejection> {
        let now = self.now();
        self.identities.sweep(now);
        let over = || -> Result<_, Rejection> {
            Ok(vec![Condition { field: path("expires")?, op: Op::Lt(records::instant(now)) }])
        };
        let sessions: Vec<Kept<Session>> = self.records.all(over()?).await?;
        let tokens: Vec<Kept<MailToken>> = self.records.all(over()?).await?;
        let mut changes: Vec<_> = sessions.iter().map(records::remove).collect();
        changes.extend(tokens.iter().map(records::remove));
        for part in changes.chunks(keeper::SWEPT_AT_ONCE) {
            if self.records.commit(part.to_vec(), Vec::new()).await? == Written::Again {
                tracing::debug!(
                    "Something that has expired was changed; it is looked at again later"
                );
            }
        }
        Ok(())
    }
}
