//! What is kept, as documents: reading them, and the changes that write them.

use std::sync::Arc;

use bytes::Bytes;
use evoke_document::{Collection, Condition, Document, FieldPath, Index, Op, Query, Scalar};
use evoke_model::{Code, EventId, Problem, Rejection, Timestamp};
use evoke_ports::store::{BadCursor, DocumentChange, Documents, Effect, Error, Expect, Page, Why};
use evoke_ports::{Agreed, Journal, Unkept};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

/// How often a change is made anew because somebody else was quicker.
pub(crate) const ROUNDS: usize = 10;

/// Documents of a page where all of them are wanted.
const PAGE: u32 = 500;

/// Something that is kept.
pub(crate) trait Record: Serialize + DeserializeOwned {
    /// The collection it is kept in.
    const COLLECTION: &'static str;
    /// What is looked up: name, field, and whether it is there only once.
    const INDEXES: &'static [(&'static str, bool)];
}

/// A record with what is kept beside it.
#[derive(Clone, Debug)]
pub(crate) struct Kept<R> {
    pub(crate) id: Box<str>,
    pub(crate) revision: u64,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
    pub(crate) record: R,
}

/// What came of a commit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Written {
    /// It is on disk.
    Done,
    /// Somebody else was quicker: read anew and make it anew.
    Again,
    /// Another document has the value that may be there only once.
    Taken,
}

/// The documents and where they are committed.
#[derive(Clone)]
pub(crate) struct Records {
    documents: Arc<dyn Documents>,
    pub(crate) journal: Arc<dyn Journal>,
}

impl Records {
    pub(crate) fn new(documents: Arc<dyn Documents>, journal: Arc<dyn Journal>) -> Self {
        Self { documents, journal }
    }

    /// Makes sure that there is a collection for records of this kind.
    pub(crate) async fn define<R: Record>(&self) -> Result<(), Rejection> {
        let mut wanted = Collection { name: R::COLLECTION.to_owned(), ..Collection::default() };
        for (field, unique) in R::INDEXES {
            let fields = vec![path(field)?];
            wanted.indexes.push(Index { name: (*field).to_owned(), fields, unique: *unique });
        }
        let there = self.documents.collections().await.map_err(|error| unavailable(&error))?;
        if there.contains(&wanted) {
            return Ok(());
        }
        self.journal.define(wanted).await.map_err(|unkept| match unkept {
            Unkept::Rejected(rejection) => rejection,
            Unkept::Conflict(conflicts) => internal(&format!("{}: {conflicts:?}", R::COLLECTION)),
        })
    }

    /// A record by its id.
    pub(crate) async fn get<R: Record>(&self, id: &str) -> Result<Option<Kept<R>>, Rejection> {
        let found = self.documents.document(R::COLLECTION, id).await;
        found.map_err(|error| unavailable(&error))?.as_deref().map(read).transpose()
    }

    /// The records whose field has this value.
    pub(crate) async fn by<R: Record>(
        &self,
        field: &str,
        value: Scalar,
    ) -> Result<Vec<Kept<R>>, Rejection> {
        self.all(vec![Condition { field: path(field)?, op: Op::Eq(value) }]).await
    }

    /// All records of which this holds.
    pub(crate) async fn all<R: Record>(
        &self,
        filter: Vec<Condition>,
    ) -> Result<Vec<Kept<R>>, Rejection> {
        let mut all = Vec::new();
        let mut query = Query { filter, limit: PAGE, ..Query::default() };
        loop {
            let page = self.page(query.clone()).await?;
            all.extend(page.items);
            match page.next {
                Some(cursor) => query.cursor = Some(cursor),
                None => return Ok(all),
            }
        }
    }

    /// A page of records.
    pub(crate) async fn page<R: Record>(&self, query: Query) -> Result<Page<Kept<R>>, Rejection> {
        let found = self.documents.find(R::COLLECTION, query).await;
        let page = found.map_err(|error| unavailable(&error))?;
        let items: Result<_, _> = page.items.iter().map(|document| read(document)).collect();
        Ok(Page { items: items?, next: page.next })
    }

    /// Commits changes with their news.
    ///
    /// # Errors
    /// What the store or the engine refuses for other reasons than that somebody was quicker.
    pub(crate) async fn commit(
        &self,
        changes: Vec<DocumentChange>,
        agreed: Vec<Agreed>,
    ) -> Result<Written, Rejection> {
        match self.journal.commit(changes, agreed).await {
            Ok(()) => Ok(Written::Done),
            Err(Unkept::Rejected(rejection)) => Err(rejection),
            Err(Unkept::Conflict(conflicts)) => {
                let is = |wanted: fn(&Why) -> bool| conflicts.iter().any(|it| wanted(&it.why));
                if is(|why| *why == Why::NoCollection) {
                    return Err(internal("a collection of the users is gone"));
                }
                let is_taken = is(|why| matches!(why, Why::NotUnique { .. }));
                Ok(if is_taken { Written::Taken } else { Written::Again })
            }
        }
    }
}

/// A record that was not there.
pub(crate) fn insert<R: Record>(
    id: &str,
    record: &R,
    made: (EventId, Timestamp),
) -> Result<DocumentChange, Rejection> {
    let (revision, now) = made;
    let kept = Kept { id: id.into(), revision: 0, created_at: now, updated_at: now, record };
    put(&kept, R::COLLECTION, Expect::Absent, revision, now)
}

/// A record in place of what was read.
pub(crate) fn replace<R: Record>(
    kept: &Kept<R>,
    made: (EventId, Timestamp),
) -> Result<DocumentChange, Rejection> {
    put(kept, R::COLLECTION, Expect::Revision(kept.revision), made.0, made.1)
}

/// A record that is no longer wanted, as it was read.
pub(crate) fn remove<R: Record>(kept: &Kept<R>) -> DocumentChange {
    DocumentChange {
        collection: R::COLLECTION.into(),
        id: kept.id.clone(),
        expect: Expect::Revision(kept.revision),
        effect: Effect::Remove,
    }
}

fn put(
    kept: &Kept<impl Serialize>,
    collection: &str,
    expect: Expect,
    revision: EventId,
    now: Timestamp,
) -> Result<DocumentChange, Rejection> {
    let body = serde_json::to_vec(&kept.record).map_err(|error| internal(&error.to_string()))?;
    let document = Document {
        id: kept.id.clone(),
        revision: revision.as_u64(),
        created_at: kept.created_at,
        updated_at: now,
        body: Bytes::from(body),
    };
    Ok(DocumentChange {
        collection: collection.into(),
        id: kept.id.clone(),
        expect,
        effect: Effect::Put(Arc::new(document)),
    })
}

fn read<R: Record>(document: &Document) -> Result<Kept<R>, Rejection> {
    let record = serde_json::from_slice(&document.body).map_err(|error| {
        internal(&format!("{} {} cannot be read: {error}", R::COLLECTION, document.id))
    })?;
    Ok(Kept {
        id: document.id.clone(),
        revision: document.revision,
        created_at: document.created_at,
        updated_at: document.updated_at,
        record,
    })
}

/// A field by its name.
pub(crate) fn path(field: &str) -> Result<FieldPath, Rejection> {
    serde_json::from_value(json!(field)).map_err(|error| internal(&error.to_string()))
}

/// An instant as it is kept where it is compared: in whole milliseconds.
pub(crate) fn instant(time: Timestamp) -> Scalar {
    Scalar::Int(time.as_millis())
}

/// Somebody else was quicker again and again.
pub(crate) fn overrun() -> Rejection {
    Rejection::new(Code::DocumentConflict, "too many changes of the same account at once")
}

pub(crate) fn internal(what: &str) -> Rejection {
    tracing::error!("Users: {what}");
    Rejection::new(Code::Internal, "this is our mistake; the log has more")
}

fn unavailable(error: &Error) -> Rejection {
    if error.source.is::<BadCursor>() {
        let problem = Problem::new("cursor", error.source.to_string());
        let problem = problem.suggest("the next_cursor of a page of the same list");
        return Rejection::of(Code::InvalidRequest, vec![problem]);
    }
    tracing::error!("Users cannot be read: {error}");
    Rejection::new(Code::StoreUnavailable, "the store cannot be read at this moment")
}
