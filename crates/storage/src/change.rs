//! What happens to files that are there: copied, removed, described anew.

use evoke_model::{Code, Rejection};
use evoke_ports::store::{DocumentChange, Effect, Expect};
use evoke_ports::{Origin, Unkept};

use crate::file::{self, File, Metadata};
use crate::name::{BucketName, FileName};
use crate::publish::{
    Along, Change, Conditions, Planned, Unpublished, Uploaded, contended, rejection_of,
};
use crate::records::FILES;
use crate::start::Storage;

const ROUNDS_MAX: usize = 10;

/// Files that are removed in one commit.
const BATCH: usize = 100;
/// Files that are removed by one call: a caller waits for it.
const DELETED_MAX: usize = 10_000;

/// Where a file is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place {
    /// Its bucket.
    pub bucket: String,
    /// Its name.
    pub name: String,
}

/// What is changed of what is known of a file.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Description {
    /// Another media type.
    pub content_type: Option<String>,
    /// All there is kept with it from now on.
    pub metadata: Option<Metadata>,
}

impl File {
    fn change(&self, effect: Effect) -> DocumentChange {
        DocumentChange {
            collection: FILES.into(),
            id: self.id(),
            expect: Expect::Revision(self.revision),
            effect,
        }
    }
}

impl Storage {
    /// Copies a file. No bytes are moved: both have the same content.
    ///
    /// # Errors
    /// SO_001, SO_002, SO_003; SO_004 and SO_005 of the bucket it comes into; SO_006; what a hook
    /// says.
    pub async fn copy(
        &self,
        from: &Place,
        to: &Place,
        conditions: &Conditions,
        origin: &Origin,
    ) -> Result<Uploaded, Rejection> {
        let name = FileName::parse(&to.name)?;
        let target = BucketName::parse(&to.bucket)?;
        for _ in 0..ROUNDS_MAX {
            let source = self.file(&from.bucket, &from.name).await?;
            if source.name == name && source.bucket == target {
                let message = "a file cannot be copied onto itself";
                return Err(Rejection::new(Code::FileInvalid, message));
            }
            let bucket = self.bucket_for(&target).await?;
            bucket.settings.takes_size(source.size())?;
            bucket.settings.takes_type(&source.content_type)?;
            // The content has a name at any moment, so nobody removes it.
            let along = Along { changes: vec![source.change(Effect::Keep)], holds: Vec::new() };
            let planned = Planned {
                bucket,
                name: name.clone(),
                content_type: source.content_type,
                metadata: source.metadata,
                content: source.content,
                conditions: conditions.clone(),
            };
            match self.publish(vec![planned], along, origin).await {
                Ok(written) => {
                    let none = || Rejection::new(Code::Internal, "a copy is not there");
                    return written.into_iter().next().ok_or_else(none);
                }
                Err(Unpublished::Rejected(rejection)) => return Err(rejection),
                // The source was changed meanwhile: it is copied as it is now.
                Err(Unpublished::Along(_)) => {}
            }
        }
        Err(contended())
    }

    /// Removes a file.
    ///
    /// # Errors
    /// SO_001, SO_002, SO_003; SO_006; what a hook says.
    pub async fn delete(
        &self,
        place: &Place,
        conditions: &Conditions,
        origin: &Origin,
    ) -> Result<(), Rejection> {
        for _ in 0..ROUNDS_MAX {
            let file = self.file(&place.bucket, &place.name).await?;
            conditions.check(Some(&file))?;
            match self.remove(vec![file], origin).await? {
                Removed::All => return Ok(()),
                Removed::Changed => {}
            }
        }
        Err(contended())
    }

    /// Removes the files whose names begin so, a hundred at a time; gives how many, and whether
    /// there are more than one call removes.
    ///
    /// # Errors
    /// SO_001; what a hook says. What was removed until then stays so.
    pub async fn delete_all(
        &self,
        bucket: &str,
        prefix: &str,
        origin: &Origin,
    ) -> Result<(usize, bool), Rejection> {
        let bucket = self.inner.bucket(&BucketName::parse(bucket)?)?.name.clone();
        let mut removed = 0;
        let mut rounds = 0;
        while removed < DELETED_MAX {
            let files = self.names_from(&bucket, prefix, prefix, BATCH).await?;
            if files.is_empty() {
                return Ok((removed, false));
            }
            let count = files.len();
            match self.remove(files, origin).await? {
                Removed::All => (removed, rounds) = (removed + count, 0),
                Removed::Changed if rounds < ROUNDS_MAX => rounds += 1,
                Removed::Changed => return Err(contended()),
            }
        }
        Ok((removed, true))
    }

    /// Removes files in one commit: all of them, or those before the first one that a hook keeps.
    async fn remove(&self, files: Vec<File>, origin: &Origin) -> Result<Removed, Rejection> {
        let mut change = Change::default();
        let mut refused = None;
        for file in files {
            match self.ask(&file, "delete", origin).await {
                Ok(agreed) => change.agreed.push(agreed),
                Err(rejection) => {
                    refused = Some(rejection);
                    break;
                }
            }
            change.changes.push(file.change(Effect::Remove));
            change.replaced.push(file.content);
        }
        if !change.changes.is_empty() {
            match self.commit(change).await {
                Ok(()) => {}
                Err((Unkept::Conflict(_), _)) => return Ok(Removed::Changed),
                Err((Unkept::Rejected(rejection), _)) => return Err(rejection),
            }
        }
        refused.map_or(Ok(Removed::All), Err)
    }

    /// Changes what is known of a file as `change` says of the file as it is. Its bytes stay. To
    /// those who are told and asked another media type is an upload; of metadata nothing is told.
    ///
    /// # Errors
    /// SO_001, SO_002, SO_003, SO_005; SO_006; what `change` says; what a hook says.
    pub async fn describe(
        &self,
        place: &Place,
        conditions: &Conditions,
        origin: &Origin,
        change: impl Fn(&File) -> Result<Description, Rejection>,
    ) -> Result<File, Rejection> {
        for _ in 0..ROUNDS_MAX {
            let there = self.file(&place.bucket, &place.name).await?;
            conditions.check(Some(&there))?;
            let mut file = self.described(&there, change(&there)?)?;
            let mut change = Change::default();
            if file.content_type == there.content_type {
                file.revision = self.inner.journal.fresh_id().as_u64();
            } else {
                let agreed = self.ask(&file, "upload", origin).await?;
                file.revision = agreed.event.id.as_u64();
                change.agreed.push(agreed);
            }
            change.changes.push(there.change(Effect::Put(file.document())));
            match self.commit(change).await {
                Ok(()) => return Ok(file),
                Err((Unkept::Conflict(_), _)) => {}
                Err((unkept, _)) => return Err(rejection_of(unkept, |_| contended())),
            }
        }
        Err(contended())
    }

    /// A file described anew.
    fn described(&self, there: &File, description: Description) -> Result<File, Rejection> {
        let mut file = there.clone();
        if let Some(given) = description.content_type {
            file.content_type = file::content_type(Some(&given), &file.name)?;
            self.inner.bucket(&file.bucket)?.settings.takes_type(&file.content_type)?;
        }
        if let Some(metadata) = description.metadata {
            file::check_metadata(&metadata)?;
            file.metadata = metadata;
        }
        file.updated_at = self.inner.journal.now();
        Ok(file)
    }
}

/// What came of removing files.
enum Removed {
    /// They are gone.
    All,
    /// One of them is not what it was: nothing was removed.
    Changed,
}
