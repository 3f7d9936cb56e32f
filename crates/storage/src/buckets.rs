//! Buckets: made, changed, listed, removed.

use std::collections::BTreeMap;
use std::sync::Arc;

use evoke_document::{Condition, Op, Query, Scalar};
use evoke_model::{Code, Rejection};
use evoke_ports::Unkept;
use evoke_ports::store::{DocumentChange, Effect, Expect};

use crate::bucket::{Bucket, Settings};
use crate::name::BucketName;
use crate::publish::{Change, contended, rejection_of};
use crate::records::{BUCKET, BUCKETS, FILES, field, unreadable};
use crate::start::{Inner, NewBuckets, Storage};

/// A store of many buckets is a store of many files under prefixes.
const BUCKETS_MAX: usize = 1_000;

impl Storage {
    /// All buckets, by name.
    pub fn buckets(&self) -> Vec<Arc<Bucket>> {
        self.inner.buckets.load().values().cloned().collect()
    }

    /// One bucket.
    ///
    /// # Errors
    /// SO_001, or SO_003 for a name that is none.
    pub fn bucket(&self, name: &str) -> Result<Arc<Bucket>, Rejection> {
        self.inner.bucket(&BucketName::parse(name)?)
    }

    /// Whether everybody may read the files of a bucket; one that is not there is nobody's.
    pub fn is_public(&self, name: &str) -> bool {
        self.bucket(name).is_ok_and(|bucket| bucket.settings.public)
    }

    /// Puts a bucket, new or changed; says whether it is new. Files that are there already stay,
    /// whatever the settings say.
    ///
    /// # Errors
    /// SO_003 with everything that is wrong, SO_008 where there are too many.
    pub async fn put_bucket(
        &self,
        name: &str,
        settings: Settings,
    ) -> Result<(Arc<Bucket>, bool), Rejection> {
        let name = BucketName::parse(name)?;
        settings.check()?;
        let inner = self.inner.clone();
        self.inner.finish(async move { inner.put_bucket(name, settings).await }).await
    }

    /// Removes a bucket that is empty. Uploads to it that are under way come to nothing.
    ///
    /// # Errors
    /// SO_001; SO_008 while there are files in it.
    pub async fn delete_bucket(&self, name: &str) -> Result<(), Rejection> {
        let name = BucketName::parse(name)?;
        let inner = self.inner.clone();
        self.inner.finish(async move { inner.delete_bucket(&name).await }).await
    }

    /// The bucket something is to be put into; made, where that is allowed.
    pub(crate) async fn bucket_for(&self, name: &BucketName) -> Result<Arc<Bucket>, Rejection> {
        match self.inner.bucket(name) {
            Err(_) if self.inner.new_buckets == NewBuckets::OnFirstUse => {
                let made = self.put_bucket(name.as_str(), Settings::default()).await?;
                Ok(made.0)
            }
            found => found,
        }
    }
}

/// All that is in a bucket.
pub(crate) fn of_bucket(name: &BucketName) -> Result<Condition, Rejection> {
    Ok(Condition { field: field(BUCKET)?, op: Op::Eq(Scalar::Text(name.to_string())) })
}

impl Inner {
    async fn put_bucket(
        &self,
        name: BucketName,
        settings: Settings,
    ) -> Result<(Arc<Bucket>, bool), Rejection> {
        let _alone = self.buckets_stay.write().await;
        let there = self.bucket(&name).ok();
        if there.is_none() && self.buckets.load().len() >= BUCKETS_MAX {
            let message = format!("there are {BUCKETS_MAX} buckets already");
            return Err(Rejection::new(Code::UploadConflict, message));
        }
        if let Some(there) = there.as_ref().filter(|there| there.settings == settings) {
            return Ok((there.clone(), false));
        }
        if there.is_none() {
            // What is left of an earlier bucket of this name does not come alive in this one.
            self.forget_uploads(self.uploads_to(&name).await?).await?;
        }
        let now = self.journal.now();
        let bucket = Arc::new(Bucket {
            name,
            settings,
            created_at: there.as_ref().map_or(now, |there| there.created_at),
            updated_at: now,
            revision: self.journal.fresh_id().as_u64(),
        });
        let effect = Effect::Put(bucket.document());
        self.change_bucket(&bucket.name, there.as_deref(), effect).await?;
        self.show_bucket(&bucket.name, Some(bucket.clone()));
        Ok((bucket, there.is_none()))
    }

    async fn delete_bucket(&self, name: &BucketName) -> Result<(), Rejection> {
        // No file comes in until it is gone.
        let alone = self.buckets_stay.write().await;
        let there = self.bucket(name)?;
        let query = Query { filter: vec![of_bucket(name)?], limit: 1, ..Query::default() };
        let found = self.documents.find(FILES, query).await;
        if !found.map_err(|error| unreadable(&error))?.items.is_empty() {
            let message = format!("the bucket {name} has files; delete them first");
            return Err(Rejection::new(Code::UploadConflict, message));
        }
        self.change_bucket(name, Some(&there), Effect::Remove).await?;
        self.show_bucket(name, None);
        let uploads = self.uploads_to(name).await?;
        drop(alone);
        self.forget_uploads(uploads).await
    }

    /// Changes a bucket in the store; who calls holds the door shut.
    async fn change_bucket(
        &self,
        name: &BucketName,
        there: Option<&Bucket>,
        effect: Effect,
    ) -> Result<(), Rejection> {
        let change = DocumentChange {
            collection: BUCKETS.into(),
            id: name.as_str().into(),
            expect: there.map_or(Expect::Absent, |there| Expect::Revision(there.revision)),
            effect,
        };
        let Err(unkept) = self.journal.commit(vec![change], Vec::new()).await else {
            return Ok(());
        };
        if matches!(unkept, Unkept::Conflict(_)) {
            // It is not what it is taken for here: the next caller meets it as it is.
            let stored = self.documents.document(BUCKETS, name.as_str()).await;
            let stored = stored.map_err(|error| unreadable(&error))?;
            let bucket = stored.map(|document| Bucket::read(&document)).transpose()?;
            self.show_bucket(name, bucket.map(Arc::new));
        }
        Err(rejection_of(unkept, |_| contended()))
    }

    /// From now on everybody sees a bucket so, or sees none.
    fn show_bucket(&self, name: &BucketName, bucket: Option<Arc<Bucket>>) {
        self.buckets.rcu(|buckets| {
            let mut buckets = BTreeMap::clone(buckets);
            match &bucket {
                Some(bucket) => buckets.insert(name.clone(), bucket.clone()),
                None => buckets.remove(name),
            };
            buckets
        });
    }
}

/// Nothing but documents is changed.
impl From<Vec<DocumentChange>> for Change {
    fn from(changes: Vec<DocumentChange>) -> Self {
        Self { changes, ..Self::default() }
    }
}
