//! The service on a store in memory, with a clock that stands still and hooks that say what a test
//! wants.

use std::sync::Arc;

use async_trait::async_trait;
use evoke_document::Collection;
use evoke_model::{Code, Data, EventId, IdSource, Millis, Rejection, Timestamp};
use evoke_ports::store::{Change, DocumentChange, Ingest, Receipt, Store, Write, Writer};
use evoke_ports::{Agreed, Asked, Journal, News, Unkept};
use evoke_stores::memory::MemoryStore;
use evoke_testkit::plain_event;
use parking_lot::Mutex;
use serde_json::{Map, Value};
use tokio::sync::Notify;

use crate::settings::{Hashing, Mail, Settings};
use crate::{Auth, Credentials, Identities, NewAccount, Parts, SignedIn, Visitor};

pub(super) const EMAIL: &str = "Ada@Example.test";
pub(super) const PASSWORD: &str = "correct horse battery";

/// What hooks do with news.
type Hook = Box<dyn Fn(&News) -> Result<(), Rejection> + Send + Sync>;

/// Holds back the answer to a commit.
#[derive(Default)]
pub(super) struct Gate {
    /// Somebody has come to it.
    pub(super) reached: Notify,
    /// Lets one through.
    pub(super) open: Notify,
}

pub(super) struct Straight {
    writer: Mutex<Box<dyn Writer>>,
    ids: IdSource,
    now: Mutex<Timestamp>,
    hook: Mutex<Option<Hook>>,
    /// Where whoever commits waits for the answer, once the change is on disk.
    gate: Mutex<Option<Arc<Gate>>>,
    /// The data of all news that were committed.
    pub(super) told: Mutex<Vec<Value>>,
}

#[async_trait]
impl Journal for Straight {
    fn now(&self) -> Timestamp {
        *self.now.lock()
    }

    fn fresh_id(&self) -> EventId {
        self.ids.event(self.now())
    }

    async fn ask(&self, news: News) -> Result<Agreed, Rejection> {
        if let Some(hook) = &*self.hook.lock() {
            hook(&news)?;
        }
        let mut event = plain_event(self.fresh_id(), &news.source, &news.kind);
        event.subject = news.subject;
        event.data = Data::from_value(&news.data);
        Ok(Agreed { event: Arc::new(event), hooks: Asked::default(), revised: None })
    }

    async fn commit(
        &self,
        changes: Vec<DocumentChange>,
        agreed: Vec<Agreed>,
    ) -> Result<(), Unkept> {
        let told: Vec<Value> = agreed.iter().map(|agreed| agreed.event.data.to_value()).collect();
        let events = agreed.into_iter().map(|agreed| agreed.event).collect();
        let ingest = Write::Ingest(Ingest { events, ..Ingest::default() });
        self.write(Write::All(vec![Change::Documents(changes).into(), ingest]))?;
        self.told.lock().extend(told);
        let gate = self.gate.lock().take();
        if let Some(gate) = gate {
            gate.reached.notify_one();
            gate.open.notified().await;
        }
        Ok(())
    }

    async fn define(&self, collection: Collection) -> Result<(), Unkept> {
        self.write(Change::Collection(collection).into())
    }

    async fn drop_collection(&self, name: &str) -> Result<(), Unkept> {
        self.write(Change::RemoveCollection(name.into()).into())
    }
}

impl Straight {
    fn write(&self, write: Write) -> Result<(), Unkept> {
        let receipts = self.writer.lock().commit(&[write]);
        let receipts =
            receipts.map_err(|error| Rejection::new(Code::StoreUnavailable, error.to_string()))?;
        match receipts.into_iter().next() {
            Some(Receipt::Refused(conflicts)) => Err(Unkept::Conflict(conflicts)),
            _ => Ok(()),
        }
    }
}

pub(super) struct World {
    pub(super) auth: Auth,
    pub(super) journal: Arc<Straight>,
    pub(super) identities: Arc<Identities>,
    store: MemoryStore,
    settings: Settings,
    mails: Arc<Mutex<Vec<String>>>,
}

pub(super) fn settings() -> Settings {
    Settings { hashing: Hashing { memory_kib: 8, passes: 1 }, ..Settings::default() }
}

async fn begin(
    settings: &Settings,
    store: &MemoryStore,
    journal: &Arc<Straight>,
) -> (Auth, Arc<Identities>) {
    let identities = Arc::new(Identities::default());
    let parts = Parts {
        settings: settings.clone(),
        journal: journal.clone(),
        documents: store.documents(),
        identities: identities.clone(),
    };
    (Auth::start(parts).await.unwrap(), identities)
}

impl World {
    pub(super) async fn new() -> Self {
        Self::with(settings()).await
    }

    /// With mail that is kept for [`Self::mails`].
    pub(super) async fn with(settings: Settings) -> Self {
        let store = MemoryStore::new();
        let journal = Arc::new(Straight {
            writer: Mutex::new(store.writer().unwrap()),
            ids: IdSource::new(0, 0),
            now: Mutex::new(Timestamp::from_millis(1_795_000_000_000)),
            hook: Mutex::new(None),
            gate: Mutex::new(None),
            told: Mutex::default(),
        });
        let mails: Arc<Mutex<Vec<String>>> = Arc::default();
        let shown = mails.clone();
        let mail = Mail::Shown(Arc::new(move |mail: &str| shown.lock().push(mail.to_owned())));
        let settings = Settings { mail, ..settings };
        let (auth, identities) = begin(&settings, &store, &journal).await;
        Self { auth, journal, identities, store, settings, mails }
    }

    /// The same after the process has died.
    pub(super) async fn restart(&mut self) {
        (self.auth, self.identities) = begin(&self.settings, &self.store, &self.journal).await;
    }

    /// What hashes cost from the next start on.
    pub(super) fn costs(&mut self, hashing: Hashing) {
        self.settings.hashing = hashing;
    }

    pub(super) fn pass(&self, secs: u64) {
        let mut now = self.journal.now.lock();
        *now = now.plus(Millis::from_secs(secs));
    }

    pub(super) fn now(&self) -> Timestamp {
        self.journal.now()
    }

    pub(super) fn hook(
        &self,
        hook: impl Fn(&News) -> Result<(), Rejection> + Send + Sync + 'static,
    ) {
        *self.journal.hook.lock() = Some(Box::new(hook));
    }

    /// The next commit is answered when the gate opens.
    pub(super) fn gate(&self) -> Arc<Gate> {
        let gate: Arc<Gate> = Arc::default();
        *self.journal.gate.lock() = Some(gate.clone());
        gate
    }

    pub(super) async fn signup(&self, email: &str) -> Result<SignedIn, Rejection> {
        let wanted = NewAccount {
            email: email.to_owned(),
            password: Some(PASSWORD.to_owned()),
            data: Map::new(),
            ..NewAccount::default()
        };
        self.auth.signup(wanted, &Visitor::default()).await
    }

    pub(super) async fn login(&self, email: &str, password: &str) -> Result<SignedIn, Rejection> {
        let credentials = Credentials { email: email.to_owned(), password: password.to_owned() };
        self.auth.login(credentials, &Visitor::default()).await
    }

    /// The actions that were told of, oldest first.
    pub(super) fn told(&self) -> Vec<String> {
        let told = self.journal.told.lock();
        told.iter().map(|data| data["action"].as_str().unwrap_or("?").to_owned()).collect()
    }

    /// All mails once what waited was sent. No more can be sent then.
    pub(super) async fn mails(&self) -> Vec<String> {
        self.auth.close(Millis::from_secs(60)).await;
        self.mails.lock().clone()
    }

    /// The tokens in all mails.
    pub(super) async fn mailed(&self) -> Vec<String> {
        let token = |mail: String| {
            mail.lines().find(|line| line.starts_with("evm_")).unwrap_or_default().to_owned()
        };
        self.mails().await.into_iter().map(token).collect()
    }
}

/// The code of a refusal.
pub(super) fn code<T>(result: Result<T, Rejection>) -> String {
    match result {
        Ok(_) => "ok".to_owned(),
        Err(rejection) => rejection.code.to_string(),
    }
}

/// The tokens of somebody who got in: access and refresh.
pub(super) fn tokens(signed_in: &SignedIn) -> (String, String) {
    let tokens = signed_in.tokens.as_ref().unwrap();
    (tokens.access.clone(), tokens.refresh.clone())
}
