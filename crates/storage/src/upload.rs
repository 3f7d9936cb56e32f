//! Uploads in one piece: bytes go into a blob first, and a file is made of it once they are all
//! there.

use std::sync::Arc;

use bytes::Bytes;
use evoke_model::{Code, Problem, Rejection};
use evoke_ports::Origin;
use futures_util::{Stream, StreamExt as _};

use crate::blobs::ContentKey;
use crate::bucket::Bucket;
use crate::content::Content;
use crate::draft::{Checksums, Draft};
use crate::file::{self, Metadata};
use crate::name::{BucketName, FileName};
use crate::publish::{Along, Conditions, Planned, Unpublished, Uploaded};
use crate::start::Storage;

/// What is known of a file before its bytes come.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct NewFile {
    /// Its bucket.
    pub bucket: String,
    /// Its name.
    pub name: String,
    /// Its media type; guessed from the name where it is not given.
    pub content_type: Option<String>,
    /// What is kept with it.
    pub metadata: Metadata,
    /// What must be so for it to be written.
    pub conditions: Conditions,
    /// What its sender says of its bytes.
    pub checksums: Checksums,
}

/// A file that was checked, as far as it can be without its bytes.
pub(crate) struct Checked {
    pub(crate) bucket: Arc<Bucket>,
    pub(crate) name: FileName,
    pub(crate) content_type: Box<str>,
}

/// Files that come one after the other and become visible together. Dropped, it leaves nothing
/// behind.
pub struct Batch {
    storage: Storage,
    planned: Vec<Planned>,
    along: Along,
}

impl Storage {
    /// Begins to write files, one or several at once.
    pub fn batch(&self) -> Batch {
        Batch { storage: self.clone(), planned: Vec::new(), along: Along::default() }
    }

    /// Checks what is known of a file before its bytes come.
    pub(crate) async fn check(&self, new: &NewFile) -> Result<Checked, Rejection> {
        let name = FileName::parse(&new.name)?;
        let bucket = BucketName::parse(&new.bucket)?;
        file::check_metadata(&new.metadata)?;
        let content_type = file::content_type(new.content_type.as_deref(), &name)?;
        let bucket = self.bucket_for(&bucket).await?;
        bucket.settings.takes_type(&content_type)?;
        bucket.settings.takes_size(new.checksums.size.unwrap_or(0))?;
        if new.conditions != Conditions::default() {
            // Looked at again with the commit; nobody should send a gigabyte in vain.
            let there = self.inner.find(&bucket.name, &name).await?;
            new.conditions.check(there.as_ref())?;
        }
        Ok(Checked { bucket, name, content_type })
    }
}

impl Batch {
    /// Takes the bytes of a file.
    ///
    /// # Errors
    /// SO_001, SO_003, SO_004, SO_005; SO_006 where a condition does not hold already; what the
    /// stream says; SO_011.
    pub async fn add<S>(&mut self, new: NewFile, mut bytes: S) -> Result<(), Rejection>
    where
        S: Stream<Item = Result<Bytes, Rejection>> + Unpin,
    {
        let Checked { bucket, name, content_type } = self.storage.check(&new).await?;
        if self.planned.iter().any(|one| one.name == name && one.bucket.name == bucket.name) {
            let problem = Problem::new("name", format!("{name} comes twice"));
            return Err(Rejection::of(Code::FileInvalid, vec![problem]));
        }
        let unlucky = |error| Rejection::new(Code::Internal, format!("no random number: {error}"));
        let key = ContentKey::random().map_err(unlucky)?;
        let max = bucket.settings.max_file_bytes;
        let mut draft = Draft::begin(&self.storage.inner, key, max, new.checksums).await?;
        while let Some(piece) = bytes.next().await {
            draft.write(piece?).await?;
        }
        let fresh = draft.finish().await?;
        self.planned.push(Planned {
            bucket,
            name,
            content_type,
            metadata: new.metadata,
            content: Content::whole(key, fresh.part),
            conditions: new.conditions,
        });
        self.along.holds.push(fresh.hold);
        Ok(())
    }

    /// Makes all of them visible, or none. When this returns, they survive a power cut and
    /// everybody sees them.
    ///
    /// # Errors
    /// SO_001, SO_004, SO_005 of a bucket that was changed meanwhile; SO_006 where a condition does
    /// not hold; what a hook says.
    pub async fn publish(self, origin: &Origin) -> Result<Vec<Uploaded>, Rejection> {
        let Self { storage, planned, along } = self;
        storage.publish(planned, along, origin).await.map_err(|unpublished| match unpublished {
            Unpublished::Rejected(rejection) => rejection,
            Unpublished::Along(conflict) => {
                Rejection::new(Code::Internal, format!("nothing came along, yet {conflict:?}"))
            }
        })
    }
}
