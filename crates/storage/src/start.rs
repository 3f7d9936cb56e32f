//! The handle, and how storage starts.

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use evoke_document::Document;
use evoke_model::{Code, Rejection};
use evoke_ports::store::{DocumentChange, Documents, Effect, Expect};
use evoke_ports::{Journal, Unkept};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use crate::blobs::{self, BlobKey, Blobs, ContentKey, LocalBlobs, S3Blobs};
use crate::bucket::Bucket;
use crate::file::File;
use crate::janitor::{self, TRASH_MAX, Trash};
use crate::name::{BucketName, FileName};
use crate::pin::Pins;
use crate::records::{self, BUCKETS, FILES, SETTINGS, unreadable};

/// The document with what is made at the first start.
const SETTINGS_ID: &str = "settings";

/// Storage could not be started.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Blobs cannot be kept where they should be.
    #[error("keep files at {url}")]
    Blobs {
        /// Where.
        url: String,
        /// Why not.
        #[source]
        source: blobs::Error,
    },
    /// The store failed.
    #[error("prepare the collections of storage: {}", .0.message)]
    Store(Rejection),
}

/// What becomes of an upload to a bucket that is not there.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum NewBuckets {
    /// It is refused.
    #[default]
    ByHand,
    /// The bucket is made.
    OnFirstUse,
}

/// What storage is told.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where blobs are kept: `file:FOLDER` or `s3://BUCKET/PREFIX?endpoint=...&region=...`.
    pub url: String,
    /// What a relative folder is relative to.
    pub root: PathBuf,
    /// What becomes of an upload to a bucket that is not there.
    pub new_buckets: NewBuckets,
}

/// Buckets and files. Clones are the same storage.
#[derive(Clone)]
pub struct Storage {
    pub(crate) inner: Arc<Inner>,
    /// End with the last handle.
    _janitors: Arc<[AbortOnDropHandle<()>]>,
}

/// What all verbs share.
pub(crate) struct Inner {
    pub(crate) journal: Arc<dyn Journal>,
    pub(crate) documents: Arc<dyn Documents>,
    pub(crate) blobs: Box<dyn Blobs>,
    pub(crate) new_buckets: NewBuckets,
    /// Signs links.
    pub(crate) link_key: Box<[u8]>,
    /// All of them; read from the store at the start and kept as it is there.
    pub(crate) buckets: ArcSwap<BTreeMap<BucketName, Arc<Bucket>>>,
    /// Held by each commit of files, and alone by whoever removes a bucket.
    pub(crate) buckets_stay: tokio::sync::RwLock<()>,
    /// Blobs that nobody names yet and that are no rubbish.
    pub(crate) held: Mutex<HashSet<BlobKey>>,
    /// Contents that stay because they are being read.
    pub(crate) pins: Pins,
    pub(crate) tasks: TaskTracker,
    trash: mpsc::Sender<Trash>,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inner").finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Storage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Storage").finish_non_exhaustive()
    }
}

/// What is made at the first start.
#[derive(Serialize, Deserialize)]
struct Made {
    /// The folder of this store's blobs: another store at the same place has another one, and
    /// neither sweeps the other's.
    folder: String,
    /// Signs links, in base64.
    link_key: String,
}

impl Storage {
    /// Starts storage on the store of `documents`.
    ///
    /// # Errors
    /// Blobs cannot be kept where `options` say, or the store failed.
    pub async fn start(
        journal: Arc<dyn Journal>,
        documents: Arc<dyn Documents>,
        options: Options,
    ) -> Result<Self, Error> {
        let (inner, thrown) = Inner::open(journal, documents, options).await?;
        let inner = Arc::new(inner);
        let weak = Arc::downgrade(&inner);
        let janitors = vec![
            AbortOnDropHandle::new(tokio::spawn(janitor::remove(weak.clone(), thrown))),
            AbortOnDropHandle::new(tokio::spawn(janitor::sweep_now_and_then(weak))),
        ];
        Ok(Self::new(inner, janitors))
    }

    /// Storage with those who clean up behind it.
    pub(crate) fn new(inner: Arc<Inner>, janitors: Vec<AbortOnDropHandle<()>>) -> Self {
        Self { inner, _janitors: janitors.into() }
    }
}

fn open(options: &Options, folder: &str) -> Result<Box<dyn Blobs>, blobs::Error> {
    if let Some(path) = options.url.strip_prefix("file:") {
        let root = options.root.join(path.trim_start_matches("//")).join(folder);
        return Ok(Box::new(LocalBlobs::open(root)?));
    }
    let address = blobs::S3Address::parse(&options.url)?;
    Ok(Box::new(S3Blobs::open(&address, folder)?))
}

async fn define(journal: &dyn Journal, documents: &dyn Documents) -> Result<(), Rejection> {
    let there = documents.collections().await.map_err(|error| unreadable(&error))?;
    for collection in records::collections()? {
        if !there.contains(&collection) {
            journal.define(collection).await.map_err(lost)?;
        }
    }
    Ok(())
}

fn lost(unkept: Unkept) -> Rejection {
    match unkept {
        Unkept::Rejected(rejection) => rejection,
        Unkept::Conflict(conflicts) => {
            Rejection::new(Code::Internal, format!("a start of storage met {conflicts:?}"))
        }
    }
}

/// What was made at the first start, which this may be.
async fn made(journal: &dyn Journal, documents: &dyn Documents) -> Result<Made, Rejection> {
    let there = documents.document(SETTINGS, SETTINGS_ID).await;
    if let Some(document) = there.map_err(|error| unreadable(&error))? {
        return records::read(&document);
    }
    let unlucky = |error| Rejection::new(Code::Internal, format!("no random number: {error}"));
    let mut key = [0; 32];
    getrandom::fill(&mut key).map_err(unlucky)?;
    let folder = ContentKey::random().map_err(unlucky)?.to_string();
    let made = Made { folder, link_key: BASE64.encode(key) };
    let now = journal.now();
    let document = Document {
        id: SETTINGS_ID.into(),
        revision: journal.fresh_id().as_u64(),
        created_at: now,
        updated_at: now,
        body: serde_json::to_vec(&made).unwrap_or_default().into(),
    };
    let change = DocumentChange {
        collection: SETTINGS.into(),
        id: SETTINGS_ID.into(),
        expect: Expect::Absent,
        effect: Effect::Put(Arc::new(document)),
    };
    journal.commit(vec![change], Vec::new()).await.map_err(lost)?;
    Ok(made)
}

impl Inner {
    /// Opens what is kept, with the end at which what is thrown away comes out.
    pub(crate) async fn open(
        journal: Arc<dyn Journal>,
        documents: Arc<dyn Documents>,
        options: Options,
    ) -> Result<(Self, mpsc::Receiver<Trash>), Error> {
        define(&*journal, &*documents).await.map_err(Error::Store)?;
        let made = made(&*journal, &*documents).await.map_err(Error::Store)?;
        let link_key = BASE64.decode(&made.link_key).map_err(|error| {
            Error::Store(Rejection::new(Code::StoreUnavailable, error.to_string()))
        })?;
        let at_fault = |source| Error::Blobs { url: options.url.clone(), source };
        let blobs = open(&options, &made.folder).map_err(at_fault)?;
        blobs.check().await.map_err(at_fault)?;
        let (trash, thrown) = mpsc::channel(TRASH_MAX);
        let inner = Self {
            journal,
            documents,
            blobs,
            new_buckets: options.new_buckets,
            link_key: link_key.into(),
            buckets: ArcSwap::default(),
            buckets_stay: tokio::sync::RwLock::default(),
            held: Mutex::default(),
            pins: Pins::default(),
            tasks: TaskTracker::new(),
            trash,
        };
        inner.load_buckets().await.map_err(Error::Store)?;
        Ok((inner, thrown))
    }

    /// A bucket.
    ///
    /// # Errors
    /// SO_001.
    pub(crate) fn bucket(&self, name: &BucketName) -> Result<Arc<Bucket>, Rejection> {
        self.buckets.load().get(name).cloned().ok_or_else(|| {
            Rejection::new(Code::BucketNotFound, format!("there is no bucket {name}"))
        })
    }

    /// A file, if there is one.
    pub(crate) async fn find(
        &self,
        bucket: &BucketName,
        name: &FileName,
    ) -> Result<Option<File>, Rejection> {
        let found = self.documents.document(FILES, &name.id(bucket)).await;
        let found = found.map_err(|error| unreadable(&error))?;
        found.map(|document| File::read(&document)).transpose()
    }

    /// A file.
    ///
    /// # Errors
    /// SO_002.
    pub(crate) async fn file(
        &self,
        bucket: &BucketName,
        name: &FileName,
    ) -> Result<File, Rejection> {
        let found = self.find(bucket, name).await?;
        found.ok_or_else(|| {
            let message = format!("there is no file {name} in the bucket {bucket}");
            Rejection::new(Code::FileNotFound, message)
        })
    }

    async fn load_buckets(&self) -> Result<(), Rejection> {
        let mut buckets = BTreeMap::new();
        for document in self.all(BUCKETS, Vec::new()).await? {
            let bucket = Bucket::read(&document)?;
            buckets.insert(bucket.name.clone(), Arc::new(bucket));
        }
        self.buckets.store(Arc::new(buckets));
        Ok(())
    }

    /// All documents of a collection that meet conditions; for few.
    pub(crate) async fn all(
        &self,
        collection: &str,
        filter: Vec<evoke_document::Condition>,
    ) -> Result<Vec<Arc<Document>>, Rejection> {
        let mut query = evoke_document::Query { filter, limit: 1_000, ..Default::default() };
        let mut all = Vec::new();
        loop {
            let page = self.documents.find(collection, query.clone()).await;
            let page = page.map_err(|error| unreadable(&error))?;
            all.extend(page.items);
            match page.next {
                Some(next) => query.cursor = Some(next),
                None => return Ok(all),
            }
        }
    }

    /// Throws something away. What there is no room for is found by the next sweep.
    pub(crate) fn discard(&self, trash: Trash) {
        if let Err(error) = self.trash.try_send(trash) {
            tracing::debug!("Left for the next sweep: {error}");
        }
    }
}
