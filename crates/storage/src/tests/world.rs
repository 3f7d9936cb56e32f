//! Storage on a store in memory, with a clock that stands still, hooks that say what a test wants,
//! and janitors that do nothing before they are told.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use evoke_document::{Collection, Condition, Document, Query};
use evoke_model::{Code, Data, EventId, IdSource, Rejection, Timestamp};
use evoke_ports::store::{
    Change, DocumentChange, Documents, Error, Ingest, Page, Receipt, Store, Write, Writer,
};
use evoke_ports::{Agreed, Journal, News, Origin, Unkept};
use evoke_stores::memory::MemoryStore;
use evoke_testkit::plain_event;
use futures_util::{TryStreamExt as _, stream};
use parking_lot::Mutex;
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::{mpsc, oneshot};

use crate::janitor::Trash;
use crate::start::Inner;
use crate::{
    Checksums, Conditions, File, NewBuckets, NewFile, Options, Pieces, Settings, Storage, Uploaded,
};

/// What hooks do with news.
type Hook = Box<dyn Fn(&News) -> Result<(), Rejection> + Send + Sync>;

/// Something that is done later.
type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A journal that writes at once.
pub(super) struct Straight {
    writer: Mutex<Box<dyn Writer>>,
    ids: IdSource,
    pub(super) now: Mutex<Timestamp>,
    pub(super) hook: Mutex<Option<Hook>>,
    /// The data of all news that were committed.
    pub(super) told: Mutex<Vec<Value>>,
    /// Told when the next commit is written, and waited for before it is answered.
    pub(super) pause: Mutex<Option<(oneshot::Sender<()>, oneshot::Receiver<()>)>>,
    /// After how many commits one fails.
    pub(super) failure: Mutex<Option<usize>>,
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
        Ok(Agreed { event: Arc::new(event), hooks: Default::default(), revised: None })
    }

    async fn commit(
        &self,
        changes: Vec<DocumentChange>,
        agreed: Vec<Agreed>,
    ) -> Result<(), Unkept> {
        let left = self.failure.lock().take();
        if left == Some(0) {
            return Err(Rejection::new(Code::StoreUnavailable, "as the test wants it").into());
        }
        *self.failure.lock() = left.map(|left| left - 1);
        let told: Vec<Value> = agreed.iter().map(|agreed| agreed.event.data.to_value()).collect();
        let events = agreed.iter().map(|agreed| agreed.event.clone()).collect();
        let ingest = Write::Ingest(Ingest { events, ..Ingest::default() });
        self.write(Write::All(vec![Change::Documents(changes).into(), ingest]))?;
        self.told.lock().extend(told);
        let pause = self.pause.lock().take();
        if let Some((written, go_on)) = pause {
            written.send(()).unwrap();
            go_on.await.unwrap();
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

/// The documents of the store, with something that is done before one of the next questions.
pub(super) struct Watched {
    documents: Arc<dyn Documents>,
    trap: Mutex<Option<(usize, Work)>>,
}

impl Watched {
    /// Does something before a question that comes after this many others.
    pub(super) fn after(&self, others: usize, work: impl Future<Output = ()> + Send + 'static) {
        *self.trap.lock() = Some((others, Box::pin(work)));
    }

    /// Whether it was done.
    pub(super) fn is_done(&self) -> bool {
        self.trap.lock().is_none()
    }

    async fn asked(&self) {
        let work = {
            let mut trap = self.trap.lock();
            match trap.take() {
                Some((0, work)) => Some(work),
                Some((others, work)) => {
                    *trap = Some((others - 1, work));
                    None
                }
                None => None,
            }
        };
        if let Some(work) = work {
            work.await;
        }
    }
}

#[async_trait]
impl Documents for Watched {
    async fn collections(&self) -> Result<Vec<Collection>, Error> {
        self.documents.collections().await
    }

    async fn document(&self, collection: &str, id: &str) -> Result<Option<Arc<Document>>, Error> {
        self.asked().await;
        self.documents.document(collection, id).await
    }

    async fn find(&self, collection: &str, query: Query) -> Result<Page<Arc<Document>>, Error> {
        self.asked().await;
        self.documents.find(collection, query).await
    }

    async fn count(&self, collection: &str, filter: Vec<Condition>) -> Result<u64, Error> {
        self.asked().await;
        self.documents.count(collection, filter).await
    }

    async fn plan(&self, collection: &str, query: Query) -> Result<Vec<String>, Error> {
        self.documents.plan(collection, query).await
    }
}

pub(super) struct World {
    pub(super) storage: Storage,
    pub(super) journal: Arc<Straight>,
    pub(super) documents: Arc<Watched>,
    thrown: mpsc::Receiver<Trash>,
    _folder: TempDir,
}

impl World {
    /// With a bucket `b`.
    pub(super) async fn new() -> Self {
        let store = MemoryStore::new();
        let journal = Arc::new(Straight {
            writer: Mutex::new(store.writer().unwrap()),
            ids: IdSource::new(0, 0),
            now: Mutex::new(Timestamp::from_millis(1_795_000_000_000)),
            hook: Mutex::default(),
            told: Mutex::default(),
            pause: Mutex::default(),
            failure: Mutex::default(),
        });
        let documents =
            Arc::new(Watched { documents: Store::documents(&store), trap: Mutex::default() });
        let folder = tempfile::tempdir().unwrap();
        let options = Options {
            url: "file:blobs".to_owned(),
            root: folder.path().to_owned(),
            new_buckets: NewBuckets::ByHand,
        };
        let opened = Inner::open(journal.clone(), documents.clone(), options).await;
        let (inner, thrown) = opened.unwrap();
        let storage = Storage::new(Arc::new(inner), Vec::new());
        storage.put_bucket("b", Settings::default()).await.unwrap();
        Self { storage, journal, documents, thrown, _folder: folder }
    }

    /// Writes a file of the bucket `b`.
    pub(super) async fn put(&self, name: &str, bytes: &'static str) -> Result<Uploaded, Rejection> {
        put(&self.storage, new(name), bytes).await
    }

    /// The bytes of a file of the bucket `b`.
    pub(super) async fn get(&self, name: &str) -> Result<String, Rejection> {
        let (_, pieces) = self.read(name).await?;
        text(pieces).await.map_err(|error| Rejection::new(Code::Internal, error.to_string()))
    }

    /// Begins to read a file of the bucket `b`.
    pub(super) async fn read(&self, name: &str) -> Result<(File, Pieces), Rejection> {
        let whole = |file: &File| Ok(Some(0..file.size()));
        let (file, pieces) = self.storage.read("b", name, whole).await?;
        Ok((file, pieces.unwrap()))
    }

    /// Begins an upload to the bucket `b` with these parts; gives its id.
    pub(super) async fn begin(&self, name: &str, parts: &[&'static str]) -> String {
        let upload = self.storage.begin_upload(new(name)).await.unwrap();
        for (number, bytes) in (1..).zip(parts) {
            part(&self.storage, &upload.id, number, bytes).await.unwrap();
        }
        upload.id
    }

    /// Makes a file of an upload.
    pub(super) async fn complete(&self, id: &str) -> Result<Uploaded, Rejection> {
        complete(&self.storage, id).await
    }

    /// Does what the janitor would do with what was thrown away.
    pub(super) async fn tidy(&mut self) {
        while let Ok(trash) = self.thrown.try_recv() {
            self.storage.inner.remove_thrown(trash).await;
        }
    }

    /// How many blobs there are.
    pub(super) async fn blobs(&self) -> usize {
        self.storage.inner.blobs.list().try_collect::<Vec<_>>().await.unwrap().len()
    }

    /// What hooks say from now on.
    pub(super) fn hook(
        &self,
        hook: impl Fn(&News) -> Result<(), Rejection> + Send + Sync + 'static,
    ) {
        *self.journal.hook.lock() = Some(Box::new(hook));
    }

    /// The next commit is written and not answered: gives what tells that it is written, and what
    /// lets it be answered.
    pub(super) fn pause(&self) -> (oneshot::Receiver<()>, oneshot::Sender<()>) {
        let (written, is_written) = oneshot::channel();
        let (go_on, may_go_on) = oneshot::channel();
        *self.journal.pause.lock() = Some((written, may_go_on));
        (is_written, go_on)
    }
}

/// A file of the bucket `b`.
pub(super) fn new(name: &str) -> NewFile {
    NewFile { bucket: "b".to_owned(), name: name.to_owned(), ..NewFile::default() }
}

/// Bytes as they come.
pub(super) fn bytes(
    text: &'static str,
) -> impl futures_util::Stream<Item = Result<Bytes, Rejection>> + Unpin {
    stream::iter([Ok(Bytes::from_static(text.as_bytes()))])
}

pub(super) async fn put(
    storage: &Storage,
    new: NewFile,
    text: &'static str,
) -> Result<Uploaded, Rejection> {
    let mut batch = storage.batch();
    batch.add(new, bytes(text)).await?;
    Ok(batch.publish(&Origin::default()).await?.remove(0))
}

pub(super) async fn part(
    storage: &Storage,
    id: &str,
    number: u32,
    text: &'static str,
) -> Result<(), Rejection> {
    let checksums = Checksums::default();
    storage.put_part(("b", id), number, checksums, bytes(text)).await.map(|_| ())
}

pub(super) async fn complete(storage: &Storage, id: &str) -> Result<Uploaded, Rejection> {
    storage.complete_upload(("b", id), &Conditions::default(), &Origin::default()).await
}

/// All that is read.
pub(super) async fn text(pieces: Pieces) -> Result<String, std::io::Error> {
    let bytes: Vec<Bytes> = pieces.try_collect().await?;
    Ok(String::from_utf8(bytes.concat()).unwrap())
}
