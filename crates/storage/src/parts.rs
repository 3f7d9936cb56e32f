//! Uploads in parts: begun, filled in any order and as often as it takes, and made a file of at the
//! end, without moving their bytes again.

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;
use evoke_document::{Condition, Document, Op, Query, Scalar, Sort};
use evoke_model::{Code, Problem, Rejection, Timestamp};
use evoke_ports::store::{DocumentChange, Effect, Expect};
use evoke_ports::{Origin, Unkept};
use futures_util::{Stream, StreamExt as _};
use serde::{Deserialize, Serialize};

use crate::blobs::ContentKey;
use crate::buckets::of_bucket;
use crate::content::{Content, Part};
use crate::draft::{Checksums, Draft};
use crate::file::Metadata;
use crate::janitor::{Trash, UPLOAD_LIFE};
use crate::name::{BucketName, FileName};
use crate::publish::{
    Along, Change, Conditions, Planned, Unpublished, Uploaded, contended, rejection_of,
};
use crate::records::{self, NUMBER, PARTS, UPLOAD, UPLOADS, field, unreadable};
use crate::start::{Inner, Storage};
use crate::upload::{Checked, NewFile};

/// A file's document names all its parts, so they are not too many.
pub(crate) const PARTS_MAX: u32 = 1_000;

/// A part where nobody says how large the file will be.
const PART_BYTES: u64 = 8 << 20;

/// Uploads to a bucket that are open at once: each may keep bytes for a day that nobody sees.
const UPLOADS_MAX: u64 = 10_000;

const ROUNDS_MAX: usize = 10;

/// An upload as it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Upload {
    /// Its id.
    pub id: String,
    /// The bucket of the file.
    pub bucket: BucketName,
    /// The name of the file.
    pub name: FileName,
    /// Its media type.
    pub content_type: Box<str>,
    /// What is kept with it.
    pub metadata: Metadata,
    /// How many bytes it will have, as far as its sender said.
    pub size: Option<u64>,
    /// When it was begun.
    pub created_at: Timestamp,
    content: ContentKey,
    revision: u64,
}

/// A part that is there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PartInfo {
    /// Its place, from 1.
    pub number: u32,
    /// How many bytes it has.
    pub size: u64,
    /// Their SHA-256 in hex.
    pub etag: String,
}

/// An upload as it is stored.
#[derive(Serialize, Deserialize)]
struct Stored {
    bucket: String,
    name: String,
    content_type: Box<str>,
    #[serde(default)]
    metadata: Metadata,
    size: Option<u64>,
    blob: String,
}

/// A part as it is stored.
#[derive(Serialize, Deserialize)]
struct StoredPart {
    upload: String,
    number: u32,
    blob: u32,
    size: u64,
    sha256: String,
}

impl StoredPart {
    fn part(&self) -> Result<Part, Rejection> {
        let mut sha256 = [0; 32];
        hex::decode_to_slice(&self.sha256, &mut sha256).map_err(|error| {
            Rejection::new(Code::StoreUnavailable, format!("a part has no hash: {error}"))
        })?;
        Ok(Part { blob: self.blob, size: self.size, sha256 })
    }
}

impl Upload {
    /// Bytes a part should have.
    pub fn part_size(&self) -> u64 {
        let least = self.size.unwrap_or(0).div_ceil(u64::from(PARTS_MAX));
        least.div_ceil(1 << 20).max(PART_BYTES >> 20) << 20
    }

    /// When it is given up.
    pub fn expires_at(&self) -> Timestamp {
        self.created_at.plus(UPLOAD_LIFE)
    }

    fn read(document: &Document) -> Result<Self, Rejection> {
        let stored: Stored = records::read(document)?;
        let content = stored.blob.parse().map_err(|()| {
            Rejection::new(Code::StoreUnavailable, "an upload has no place for its bytes")
        })?;
        Ok(Self {
            id: document.id.to_string(),
            bucket: BucketName::parse(&stored.bucket)?,
            name: FileName::parse(&stored.name)?,
            content_type: stored.content_type,
            metadata: stored.metadata,
            size: stored.size,
            created_at: document.created_at,
            content,
            revision: document.revision,
        })
    }

    fn document(&self) -> Arc<Document> {
        let stored = Stored {
            bucket: self.bucket.to_string(),
            name: self.name.to_string(),
            content_type: self.content_type.clone(),
            metadata: self.metadata.clone(),
            size: self.size,
            blob: self.content.to_string(),
        };
        Arc::new(Document {
            id: self.id.as_str().into(),
            revision: self.revision,
            created_at: self.created_at,
            updated_at: self.created_at,
            body: Bytes::from(serde_json::to_vec(&stored).unwrap_or_default()),
        })
    }

    fn change(&self, effect: Effect) -> DocumentChange {
        DocumentChange {
            collection: UPLOADS.into(),
            id: self.id.as_str().into(),
            expect: Expect::Revision(self.revision),
            effect,
        }
    }

    fn part_id(&self, number: u32) -> Box<str> {
        format!("{}-{number}", self.id).into()
    }
}

fn gone(id: &str) -> Rejection {
    let shown: String = id.chars().take(80).collect();
    Rejection::new(Code::UploadNotFound, format!("there is no upload {shown:?}"))
}

impl Storage {
    /// Begins an upload.
    ///
    /// # Errors
    /// SO_001, SO_003, SO_004, SO_005; SO_008 where too many are open.
    pub async fn begin_upload(&self, file: NewFile) -> Result<Upload, Rejection> {
        let Checked { bucket, name, content_type } = self.check(&file).await?;
        let open = self.inner.documents.count(UPLOADS, vec![of_bucket(&bucket.name)?]).await;
        if open.map_err(|error| unreadable(&error))? >= UPLOADS_MAX {
            let message = format!("{UPLOADS_MAX} uploads to the bucket {} are open", bucket.name);
            return Err(Rejection::new(Code::UploadConflict, message));
        }
        let unlucky = |error| Rejection::new(Code::Internal, format!("no random number: {error}"));
        let upload = Upload {
            // Nobody guesses it, and it tells nothing of where the bytes are.
            id: format!("upl_{}", ContentKey::random().map_err(unlucky)?),
            bucket: bucket.name.clone(),
            name,
            content_type,
            metadata: file.metadata,
            size: file.checksums.size,
            created_at: self.inner.journal.now(),
            content: ContentKey::random().map_err(unlucky)?,
            revision: self.inner.journal.fresh_id().as_u64(),
        };
        let mut change = upload.change(Effect::Put(upload.document()));
        change.expect = Expect::Absent;
        let changes = vec![change, bucket.must_stay()];
        self.commit_or(changes.into(), |_| contended()).await?;
        Ok(upload)
    }

    /// An upload with the parts that are there, by number.
    ///
    /// # Errors
    /// SO_007.
    pub async fn find_upload(
        &self,
        bucket: &str,
        id: &str,
    ) -> Result<(Upload, Vec<PartInfo>), Rejection> {
        let upload = self.open_upload(bucket, id).await?;
        let parts = self.inner.parts_of(id).await?;
        let info = |(_, part): &(Arc<Document>, StoredPart)| PartInfo {
            number: part.number,
            size: part.size,
            etag: part.sha256.clone(),
        };
        Ok((upload, parts.iter().map(info).collect()))
    }

    async fn open_upload(&self, bucket: &str, id: &str) -> Result<Upload, Rejection> {
        let bucket = self.inner.bucket(&BucketName::parse(bucket)?)?;
        let found = self.inner.documents.document(UPLOADS, id).await;
        let found = found.map_err(|error| unreadable(&error))?.ok_or_else(|| gone(id))?;
        let upload = Upload::read(&found)?;
        let is_open = self.inner.journal.now() < upload.expires_at();
        if upload.bucket == bucket.name && is_open { Ok(upload) } else { Err(gone(id)) }
    }

    /// Puts a part, in place of the one of this number where there is one.
    ///
    /// # Errors
    /// SO_007; SO_003 for a number out of range or bytes that are not what their sender says of
    /// them; SO_004; what the stream says; SO_011.
    pub async fn put_part<S>(
        &self,
        (bucket, id): (&str, &str),
        number: u32,
        checksums: Checksums,
        mut bytes: S,
    ) -> Result<PartInfo, Rejection>
    where
        S: Stream<Item = Result<Bytes, Rejection>> + Unpin,
    {
        if !(1..=PARTS_MAX).contains(&number) {
            let problem = Problem::new("number", format!("{number} is out of range"));
            let problem = problem.suggest(format!("1 to {PARTS_MAX}"));
            return Err(Rejection::of(Code::FileInvalid, vec![problem]));
        }
        let upload = self.open_upload(bucket, id).await?;
        let bucket = self.inner.bucket(&upload.bucket)?;
        bucket.settings.takes_size(checksums.size.unwrap_or(0))?;
        let max = upload.size.unwrap_or(u64::MAX).min(bucket.settings.max_file_bytes);
        let mut draft = Draft::begin(&self.inner, upload.content, max, checksums).await?;
        while let Some(piece) = bytes.next().await {
            draft.write(piece?).await?;
        }
        let fresh = draft.finish().await?;
        let stored = StoredPart {
            upload: upload.id.clone(),
            number,
            blob: fresh.part.blob,
            size: fresh.part.size,
            sha256: hex::encode(fresh.part.sha256),
        };
        let part = PartInfo { number, size: stored.size, etag: stored.sha256.clone() };
        self.keep_part(&upload, stored, fresh.hold, max).await?;
        Ok(part)
    }

    /// Keeps a part, where all of them have at most `max` bytes together.
    async fn keep_part(
        &self,
        upload: &Upload,
        part: StoredPart,
        hold: crate::draft::Hold,
        max: u64,
    ) -> Result<(), Rejection> {
        let id = upload.part_id(part.number);
        let mut holds = vec![hold];
        for _ in 0..ROUNDS_MAX {
            let there = self.inner.parts_of(&upload.id).await?;
            let (before, others): (Vec<_>, Vec<_>) =
                there.into_iter().partition(|(_, other)| other.number == part.number);
            let others: u64 = others.iter().map(|(_, other)| other.size).sum();
            if others.saturating_add(part.size) > max {
                let message = format!("the parts may have at most {max} bytes together");
                return Err(Rejection::new(Code::FileTooLarge, message));
            }
            let before = before.first();
            let now = self.inner.journal.now();
            let document = Arc::new(Document {
                id: id.clone(),
                revision: self.inner.journal.fresh_id().as_u64(),
                created_at: now,
                updated_at: now,
                body: Bytes::from(serde_json::to_vec(&part).unwrap_or_default()),
            });
            let put = DocumentChange {
                collection: PARTS.into(),
                id: id.clone(),
                expect: before
                    .map_or(Expect::Absent, |(before, _)| Expect::Revision(before.revision)),
                effect: Effect::Put(document),
            };
            let change = Change {
                changes: vec![upload.change(Effect::Keep), put],
                holds: std::mem::take(&mut holds),
                ..Change::default()
            };
            match self.commit(change).await {
                Ok(()) => {
                    if let Some((_, before)) = before {
                        self.inner.discard(Trash::Blob(upload.content.part(before.blob)));
                    }
                    return Ok(());
                }
                Err((Unkept::Rejected(rejection), _)) => return Err(rejection),
                Err((Unkept::Conflict(conflicts), left)) => {
                    if conflicts.iter().any(|conflict| conflict.change == 0) {
                        return Err(gone(&upload.id));
                    }
                    holds = left;
                }
            }
        }
        Err(contended())
    }

    /// Makes a file of an upload.
    ///
    /// # Errors
    /// SO_007; SO_008 where a part is missing; SO_004, SO_005; SO_006; what a hook says, and then
    /// the upload stays as it is.
    pub async fn complete_upload(
        &self,
        (bucket, id): (&str, &str),
        conditions: &Conditions,
        origin: &Origin,
    ) -> Result<Uploaded, Rejection> {
        for _ in 0..ROUNDS_MAX {
            let upload = self.open_upload(bucket, id).await?;
            let stored = self.inner.parts_of(id).await?;
            let content = complete(&upload, &stored)?;
            let bucket = self.inner.bucket(&upload.bucket)?;
            bucket.settings.takes_size(content.size)?;
            bucket.settings.takes_type(&upload.content_type)?;
            let mut changes = vec![upload.change(Effect::Remove)];
            changes.extend(stored.iter().map(|(document, _)| forget(document)));
            let planned = Planned {
                bucket,
                name: upload.name.clone(),
                content_type: upload.content_type.clone(),
                metadata: upload.metadata.clone(),
                content,
                conditions: conditions.clone(),
            };
            let along = Along { changes, holds: Vec::new() };
            match self.publish(vec![planned], along, origin).await {
                Ok(written) => {
                    // A part that came between the look at them and the commit is no part of it.
                    // The file is there, whatever becomes of that part.
                    if let Err(error) = self.inner.forget_parts(&upload).await {
                        let id = &upload.id;
                        tracing::warn!("Parts of the upload {id} stay for the next sweep: {error}");
                    }
                    let none = || Rejection::new(Code::Internal, "an upload is not there");
                    return written.into_iter().next().ok_or_else(none);
                }
                Err(Unpublished::Rejected(rejection)) => return Err(rejection),
                // A part came meanwhile, or somebody else was first.
                Err(Unpublished::Along(_)) => {}
            }
        }
        Err(contended())
    }

    /// Gives an upload up, with all its parts.
    ///
    /// # Errors
    /// SO_007.
    pub async fn abandon_upload(&self, bucket: &str, id: &str) -> Result<(), Rejection> {
        let upload = self.open_upload(bucket, id).await?;
        self.inner.forget_upload(&upload).await
    }
}

/// What the parts of an upload are together.
fn complete(upload: &Upload, stored: &[(Arc<Document>, StoredPart)]) -> Result<Content, Rejection> {
    let incomplete = |message: String| Err(Rejection::new(Code::UploadConflict, message));
    let mut parts = Vec::with_capacity(stored.len());
    for (expected, (_, part)) in (1..).zip(stored) {
        if part.number != expected {
            return incomplete(format!("part {expected} is missing"));
        }
        parts.push(part.part()?);
    }
    if parts.is_empty() {
        return incomplete("there is no part yet".to_owned());
    }
    let content = Content::joined(upload.content, &parts);
    match upload.size.filter(|size| *size != content.size) {
        Some(size) => incomplete(format!(
            "the parts have {} bytes, the file should have {size}",
            content.size
        )),
        None => Ok(content),
    }
}

fn forget(document: &Document) -> DocumentChange {
    DocumentChange {
        collection: PARTS.into(),
        id: document.id.clone(),
        expect: Expect::Revision(document.revision),
        effect: Effect::Remove,
    }
}

impl Inner {
    /// The parts of an upload, by number.
    async fn parts_of(&self, id: &str) -> Result<Vec<(Arc<Document>, StoredPart)>, Rejection> {
        let filter =
            vec![Condition { field: field(UPLOAD)?, op: Op::Eq(Scalar::Text(id.to_owned())) }];
        let order = vec![Sort { field: field(NUMBER)?, descending: false }];
        let query = Query { filter, order, limit: PARTS_MAX, cursor: None };
        let page = self.documents.find(PARTS, query).await.map_err(|error| unreadable(&error))?;
        page.items
            .into_iter()
            .map(|document| {
                let part = records::read(&document)?;
                Ok((document, part))
            })
            .collect()
    }

    /// The blobs of the parts of an upload.
    pub(crate) async fn blobs_of(&self, upload: &str) -> Result<HashSet<u32>, Rejection> {
        let parts = self.parts_of(upload).await?;
        Ok(parts.into_iter().map(|(_, part)| part.blob).collect())
    }

    /// Removes an upload. Its blobs are found by the next sweep where they are not removed here.
    async fn forget_upload(&self, upload: &Upload) -> Result<(), Rejection> {
        let removed = vec![upload.change(Effect::Remove)];
        match self.journal.commit(removed, Vec::new()).await {
            // From now on no part comes to it any more.
            Ok(()) => self.forget_parts(upload).await,
            Err(Unkept::Rejected(rejection)) => Err(rejection),
            Err(Unkept::Conflict(_)) => Err(gone(&upload.id)),
        }
    }

    /// Removes the parts of an upload that is over.
    async fn forget_parts(&self, upload: &Upload) -> Result<(), Rejection> {
        let stored = self.parts_of(&upload.id).await?;
        if stored.is_empty() {
            return Ok(());
        }
        let forgotten = |(document, _): &(Arc<Document>, StoredPart)| DocumentChange {
            expect: Expect::Anything,
            ..forget(document)
        };
        let changes = stored.iter().map(forgotten).collect();
        self.journal
            .commit(changes, Vec::new())
            .await
            .map_err(|unkept| rejection_of(unkept, |_| contended()))?;
        for (_, part) in stored {
            self.discard(Trash::Blob(upload.content.part(part.blob)));
        }
        Ok(())
    }

    /// All uploads to a bucket.
    pub(crate) async fn uploads_to(
        &self,
        bucket: &BucketName,
    ) -> Result<Vec<Arc<Document>>, Rejection> {
        self.all(UPLOADS, vec![of_bucket(bucket)?]).await
    }

    /// Removes uploads.
    pub(crate) async fn forget_uploads(
        &self,
        uploads: Vec<Arc<Document>>,
    ) -> Result<(), Rejection> {
        for document in uploads {
            match self.forget_upload(&Upload::read(&document)?).await {
                // Somebody else was quicker.
                Err(rejection) if rejection.code == Code::UploadNotFound => {}
                done => done?,
            }
        }
        Ok(())
    }

    /// Removes uploads that were given up by their senders.
    pub(crate) async fn expire_uploads(&self) -> Result<(), Rejection> {
        let end = self.journal.now().minus(UPLOAD_LIFE);
        let old = Condition { field: field("_created_at")?, op: Op::Le(Scalar::Time(end)) };
        self.forget_uploads(self.all(UPLOADS, vec![old.clone()]).await?).await?;
        // A crash may leave parts of an upload that is gone; none is older than its upload.
        for document in self.all(PARTS, vec![old]).await? {
            let forgotten = DocumentChange { expect: Expect::Anything, ..forget(&document) };
            let kept = self.journal.commit(vec![forgotten], Vec::new()).await;
            kept.map_err(|unkept| rejection_of(unkept, |_| contended()))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_as_large_as_the_file_asks() {
        let upload = |size| Upload {
            id: "upl_1".to_owned(),
            bucket: BucketName::parse("b").unwrap(),
            name: FileName::parse("a").unwrap(),
            content_type: "a/b".into(),
            metadata: Metadata::new(),
            size,
            created_at: Timestamp::from_millis(0),
            content: "00112233445566778899aabbccddeeff".parse().unwrap(),
            revision: 1,
        };
        assert_eq!(upload(None).part_size(), 8 << 20);
        assert_eq!(upload(Some(1)).part_size(), 8 << 20);
        assert_eq!(upload(Some(5 << 40)).part_size(), 5243 << 20);
    }
}
