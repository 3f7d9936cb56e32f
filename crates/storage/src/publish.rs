//! How a file becomes visible: hooks are asked, then its document, its event and whatever else
//! belongs to it are committed at once, and only then what it replaces is removed.

use std::sync::Arc;

use evoke_model::{Code, Rejection};
use evoke_ports::store::{Conflict, DocumentChange, Effect, Expect, Why};
use evoke_ports::{Agreed, News, Origin, Unkept};
use tokio::task::JoinError;

use crate::bucket::Bucket;
use crate::content::Content;
use crate::draft::Hold;
use crate::file::{File, Metadata};
use crate::janitor::Trash;
use crate::name::FileName;
use crate::records::{BUCKETS, FILES};
use crate::start::{Inner, Storage};

/// How often a change is made anew because another one came between.
const ROUNDS_MAX: usize = 10;

/// What must be so for a file to be read, written or removed.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Conditions {
    /// It is there, with one of these hashes.
    pub if_match: Option<Tags>,
    /// It is not there with one of these.
    pub if_none_match: Option<Tags>,
    /// It was not changed after this second, where it is there and `if_match` says nothing.
    pub unmodified_since: Option<i64>,
}

/// Hashes of files.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Tags {
    /// That of any file.
    Any,
    /// One of these, without quotes.
    These(Vec<String>),
}

/// A file that was written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Uploaded {
    /// The file.
    pub file: File,
    /// Whether there was none of its name.
    pub is_new: bool,
}

impl Tags {
    /// Whether the hash of a file is one of them.
    pub fn has(&self, etag: &str) -> bool {
        match self {
            Self::Any => true,
            Self::These(tags) => tags.iter().any(|tag| tag == etag),
        }
    }
}

impl Conditions {
    /// Whether they hold of what is there.
    ///
    /// # Errors
    /// SO_006.
    pub(crate) fn check(&self, file: Option<&File>) -> Result<(), Rejection> {
        let has = |tags: &Tags| file.is_some_and(|file| tags.has(file.etag()));
        let since = self.unmodified_since.filter(|_| self.if_match.is_none());
        let is_newer =
            |since| file.is_some_and(|file| file.updated_at.as_millis().div_euclid(1_000) > since);
        let message = if self.if_match.as_ref().is_some_and(|tags| !has(tags))
            || since.is_some_and(is_newer)
        {
            "the file is not the one that was expected"
        } else if self.if_none_match.as_ref().is_some_and(has) {
            "there is such a file already"
        } else {
            return Ok(());
        };
        Err(Rejection::new(Code::FileChanged, message))
    }
}

/// A file that is to become visible.
pub(crate) struct Planned {
    pub(crate) bucket: Arc<Bucket>,
    pub(crate) name: FileName,
    pub(crate) content_type: Box<str>,
    pub(crate) metadata: Metadata,
    pub(crate) content: Content,
    pub(crate) conditions: Conditions,
}

/// Why nothing was published.
pub(crate) enum Unpublished {
    /// What was to be changed along with it is not as it was expected.
    Along(Conflict),
    /// Anything else.
    Rejected(Rejection),
}

impl From<Rejection> for Unpublished {
    fn from(rejection: Rejection) -> Self {
        Self::Rejected(rejection)
    }
}

/// What else belongs to a publication.
#[derive(Default)]
pub(crate) struct Along {
    /// Changes that are made with it, or not at all.
    pub(crate) changes: Vec<DocumentChange>,
    /// Blobs that are named by it.
    pub(crate) holds: Vec<Hold>,
}

/// One round of an attempt to publish.
struct Round {
    changes: Vec<DocumentChange>,
    agreed: Vec<Agreed>,
    files: Vec<Uploaded>,
    replaced: Vec<Content>,
}

impl Storage {
    /// Makes files visible: all of them, or none.
    pub(crate) async fn publish(
        &self,
        mut planned: Vec<Planned>,
        mut along: Along,
        origin: &Origin,
    ) -> Result<Vec<Uploaded>, Unpublished> {
        for _ in 0..ROUNDS_MAX {
            let mut round = self.round(&planned, origin).await?;
            let own = round.changes.len();
            round.changes.append(&mut along.changes.clone());
            let change = Change {
                changes: round.changes,
                agreed: round.agreed,
                holds: std::mem::take(&mut along.holds),
                replaced: round.replaced,
            };
            let (unkept, holds) = match self.commit(change).await {
                Ok(()) => return Ok(round.files),
                Err(unkept) => unkept,
            };
            along.holds = holds;
            match unkept {
                Unkept::Rejected(rejection) => return Err(rejection.into()),
                Unkept::Conflict(conflicts) => {
                    let is_along = |conflict: &&Conflict| conflict.change >= own;
                    if let Some(conflict) = conflicts.iter().find(is_along) {
                        return Err(Unpublished::Along(conflict.clone()));
                    }
                }
            }
            // A bucket may have been changed or removed meanwhile.
            for one in &mut planned {
                one.bucket = self.inner.bucket(&one.bucket.name)?;
                one.bucket.settings.takes_size(one.content.size)?;
                one.bucket.settings.takes_type(&one.content_type)?;
            }
        }
        Err(contended().into())
    }

    async fn round(&self, planned: &[Planned], origin: &Origin) -> Result<Round, Rejection> {
        let mut round = Round {
            changes: Vec::with_capacity(planned.len() * 2),
            agreed: Vec::with_capacity(planned.len()),
            files: Vec::with_capacity(planned.len()),
            replaced: Vec::new(),
        };
        for one in planned {
            let previous = self.inner.find(&one.bucket.name, &one.name).await?;
            one.conditions.check(previous.as_ref())?;
            let now = self.inner.journal.now();
            let mut file = File {
                bucket: one.bucket.name.clone(),
                name: one.name.clone(),
                content_type: one.content_type.clone(),
                metadata: one.metadata.clone(),
                created_at: previous.as_ref().map_or(now, |previous| previous.created_at),
                updated_at: now,
                content: one.content.clone(),
                revision: 0,
            };
            let agreed = self.ask(&file, "upload", origin).await?;
            file.revision = agreed.event.id.as_u64();
            round.agreed.push(agreed);
            round.changes.push(DocumentChange {
                collection: FILES.into(),
                id: file.id(),
                expect: match &previous {
                    Some(previous) => Expect::Revision(previous.revision),
                    None => Expect::Absent,
                },
                effect: Effect::Put(file.document()),
            });
            round.changes.push(one.bucket.must_stay());
            round.files.push(Uploaded { file, is_new: previous.is_none() });
            round.replaced.extend(previous.map(|previous| previous.content));
        }
        Ok(round)
    }

    /// Asks the hooks that want to know what is about to happen to a file.
    pub(crate) async fn ask(
        &self,
        file: &File,
        action: &str,
        origin: &Origin,
    ) -> Result<Agreed, Rejection> {
        let news = News {
            kind: format!("storage.{}.{action}", file.bucket).into(),
            source: format!("/storage/{}", file.bucket).into(),
            subject: Some(file.name.as_str().into()),
            data: file.news(action),
            origin: origin.clone(),
            revise: None,
        };
        self.inner.journal.ask(news).await
    }
}

impl Bucket {
    /// The bucket is still there, and asks of files what it did.
    pub(crate) fn must_stay(&self) -> DocumentChange {
        DocumentChange {
            collection: BUCKETS.into(),
            id: self.name.as_str().into(),
            expect: Expect::Revision(self.revision),
            effect: Effect::Keep,
        }
    }
}

/// A change with all that hangs on it.
#[derive(Default)]
pub(crate) struct Change {
    pub(crate) changes: Vec<DocumentChange>,
    pub(crate) agreed: Vec<Agreed>,
    /// Blobs it names.
    pub(crate) holds: Vec<Hold>,
    /// Contents that perhaps nobody names once it is made.
    pub(crate) replaced: Vec<Content>,
}

impl Storage {
    /// Commits a change. A caller that leaves meanwhile does not stop it: whether the blobs are
    /// named is known only once it is over.
    pub(crate) async fn commit(&self, change: Change) -> Result<(), (Unkept, Vec<Hold>)> {
        let inner = self.inner.clone();
        let done = self.inner.tasks.spawn(async move {
            let Change { changes, agreed, holds, replaced } = change;
            let kept = {
                let _open = inner.buckets_stay.read().await;
                inner.journal.commit(changes, agreed).await
            };
            match kept {
                Ok(()) => {
                    holds.into_iter().for_each(Hold::named);
                    replaced.into_iter().for_each(|one| inner.discard(Trash::Replaced(one)));
                    Ok(())
                }
                Err(unkept) => Err((unkept, holds)),
            }
        });
        done.await.unwrap_or_else(|error| Err((fell_over(&error).into(), Vec::new())))
    }

    /// Commits a change in which nothing is to be made anew.
    pub(crate) async fn commit_or(
        &self,
        change: Change,
        refused: impl FnOnce(&Conflict) -> Rejection,
    ) -> Result<(), Rejection> {
        self.commit(change).await.map_err(|(unkept, _)| rejection_of(unkept, refused))
    }
}

/// The refusal of a change that was not made.
pub(crate) fn rejection_of(
    unkept: Unkept,
    refused: impl FnOnce(&Conflict) -> Rejection,
) -> Rejection {
    match unkept {
        Unkept::Rejected(rejection) => rejection,
        Unkept::Conflict(conflicts) => match conflicts.first() {
            Some(conflict) if conflict.why != Why::NoCollection => refused(conflict),
            _ => Rejection::new(Code::Internal, "a collection of storage is missing"),
        },
    }
}

/// The refusal of a change that others always came before.
pub(crate) fn contended() -> Rejection {
    let message = "it was changed by others again and again; try again";
    Rejection::new(Code::UploadConflict, message)
}

fn fell_over(error: &JoinError) -> Rejection {
    Rejection::new(Code::Internal, format!("a change fell over: {error}"))
}

impl Inner {
    /// Does something to its end, even where who waits for it leaves.
    pub(crate) async fn finish<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, Rejection>> + Send + 'static,
    ) -> Result<T, Rejection> {
        self.tasks.spawn(work).await.unwrap_or_else(|error| Err(fell_over(&error)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_speak_of_hashes() {
        assert!(Conditions::default().check(None).is_ok());
        let tags = Tags::These(vec!["a".to_owned(), "b".to_owned()]);
        assert!(tags.has("b") && !tags.has("c") && Tags::Any.has("c"));
        let must = Conditions { if_match: Some(Tags::Any), ..Conditions::default() };
        assert_eq!(must.check(None).unwrap_err().code, Code::FileChanged);
        let none = Conditions { if_none_match: Some(Tags::Any), ..Conditions::default() };
        assert!(none.check(None).is_ok());
    }
}
