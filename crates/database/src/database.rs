//! The handle.

use std::collections::BTreeMap;
use std::sync::Arc;

use evoke_document::{Collection, Condition, Document, Query};
use evoke_model::{Code, EventId, Problem, Rejection};
use evoke_ports::store::{Documents, Error, Events, Page};
use evoke_ports::{Journal, Origin};

use crate::changes::{Changes, OldEvents};
use crate::collections::{Collections, Defined, Definition};
use crate::data;
use crate::ongoing::Ongoing;
use crate::operation::{Asked, Operation, Outcome, Wanted};
use crate::plan::{self, Found};
use crate::refusal;
use crate::turns::{Place, Turns, WAIT};
use crate::write::{ROUNDS_MAX, Round};

/// Documents that are changed at once: a commit holds up all others while it is made.
pub const OPERATIONS_MAX: usize = 1_000;

/// What becomes of a collection nobody declared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unknown {
    /// It is refused, since it may be a slip.
    Refused,
    /// It is created with its first document.
    Created,
}

/// What a database is made of.
pub struct Parts {
    /// Where changes are committed.
    pub journal: Arc<dyn Journal>,
    /// Where documents are read.
    pub documents: Arc<dyn Documents>,
    /// Where the news of changes is read.
    pub events: Arc<dyn Events>,
    /// Where it is read once it is old.
    pub archive: Arc<dyn OldEvents>,
    /// What becomes of a collection nobody declared.
    pub unknown: Unknown,
}

/// The collections of a project. Cheap to clone.
#[derive(Clone)]
pub struct Database {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) journal: Arc<dyn Journal>,
    pub(crate) documents: Arc<dyn Documents>,
    pub(crate) events: Arc<dyn Events>,
    pub(crate) archive: Arc<dyn OldEvents>,
    pub(crate) collections: Collections,
    pub(crate) ongoing: Arc<Ongoing>,
    turns: Arc<Turns>,
}

impl Database {
    /// Opens what is stored.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn open(parts: Parts) -> Result<Self, Error> {
        let Parts { journal, documents, events, archive, unknown } = parts;
        let collections = Collections::read(journal.clone(), documents.as_ref(), unknown).await?;
        let ongoing = Arc::new(Ongoing::default());
        let turns = Arc::default();
        let inner = Inner { journal, documents, events, archive, collections, ongoing, turns };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// All collections, by name.
    pub fn collections(&self) -> Vec<Collection> {
        self.inner.collections.all()
    }

    /// One collection.
    ///
    /// # Errors
    /// DB_001.
    pub fn collection(&self, name: &str) -> Result<Collection, Rejection> {
        self.inner.collections.existing(name).map(|defined| defined.collection.clone())
    }

    /// Puts a collection with its schema and its indexes. Documents that are there are not looked
    /// at again.
    ///
    /// # Errors
    /// DB_003 with what is wrong; DB_007 where documents stand against a unique index.
    pub async fn define(&self, collection: Collection) -> Result<Definition, Rejection> {
        self.inner.collections.define(collection).await
    }

    /// Removes a collection with all its documents, without a word of each.
    ///
    /// # Errors
    /// DB_001.
    pub async fn drop_collection(&self, name: &str) -> Result<(), Rejection> {
        self.inner.collections.drop(name).await
    }

    /// One document.
    ///
    /// # Errors
    /// DB_001, DB_002.
    pub async fn get(&self, collection: &str, id: &str) -> Result<Arc<Document>, Rejection> {
        self.inner.collections.to_read(collection)?;
        let found = self.inner.document(collection, id).await?;
        found.ok_or_else(|| refusal::no_document(collection, id))
    }

    /// A page of documents.
    ///
    /// # Errors
    /// DB_001; DB_006 for a cursor of another query.
    pub async fn find(
        &self,
        collection: &str,
        query: Query,
    ) -> Result<Page<Arc<Document>>, Rejection> {
        self.inner.collections.to_read(collection)?;
        let found = self.inner.documents.find(collection, query).await;
        found.map_err(|error| refusal::unavailable(&error))
    }

    /// How many documents meet all conditions.
    ///
    /// # Errors
    /// DB_001.
    pub async fn count(&self, collection: &str, filter: Vec<Condition>) -> Result<u64, Rejection> {
        self.inner.collections.to_read(collection)?;
        let counted = self.inner.documents.count(collection, filter).await;
        counted.map_err(|error| refusal::unavailable(&error))
    }

    /// How a query would be carried out, one step a line.
    ///
    /// # Errors
    /// DB_001.
    pub async fn explain(&self, collection: &str, query: Query) -> Result<Vec<String>, Rejection> {
        self.inner.collections.to_read(collection)?;
        let plan = self.inner.documents.plan(collection, query).await;
        plan.map_err(|error| refusal::unavailable(&error))
    }

    /// Makes one change.
    ///
    /// # Errors
    /// See [`Database::transact`].
    pub async fn change(
        &self,
        operation: Operation,
        origin: &Origin,
    ) -> Result<Outcome, Rejection> {
        let mut outcomes = self.transact(&[operation], Asked::Alone, origin).await?;
        let missing = || Rejection::new(Code::Internal, "a change came to nothing");
        outcomes.pop().flatten().ok_or_else(missing)
    }

    /// Makes several changes, all or none, each with its event and its hooks. What came of each, in
    /// their order; `None` of a document that is not there, as it should be.
    ///
    /// # Errors
    /// DB_001 to DB_005; what a hook says; API_001 for too many at once, or two of one document.
    pub async fn transact(
        &self,
        operations: &[Operation],
        asked: Asked,
        origin: &Origin,
    ) -> Result<Vec<Option<Outcome>>, Rejection> {
        check(operations, asked)?;
        let turns = &self.inner.turns;
        let places = places(operations);
        let mut turn = None;
        for round in 0..ROUNDS_MAX {
            // Who is first alone, which is nearly always so, waits for nobody.
            if turn.is_none() && (round > 0 || turns.are_awaited(&places)) {
                turn = Some(turns.take(places.clone(), WAIT).await);
            }
            let found = self.inner.look(operations).await?;
            let fresh = || data::made_id(self.inner.journal.fresh_id());
            let steps = plan::plan(operations, found, asked, fresh)?;
            // A document that is refused here makes no collection; one a hook refuses may.
            for step in &steps {
                self.inner.collections.ensure(step.collection()).await?;
            }
            if let Round::Written(outcomes) = self.inner.write(steps, asked, origin).await? {
                return Ok(outcomes);
            }
        }
        Err(refusal::contended())
    }

    /// What happens in a collection from now on, or from behind an event on.
    ///
    /// # Errors
    /// DB_001.
    pub fn changes(&self, collection: &str, after: Option<EventId>) -> Result<Changes, Rejection> {
        self.inner.collections.to_read(collection)?;
        Ok(Changes::new(self.inner.clone(), collection, after))
    }
}

impl Inner {
    pub(crate) async fn document(
        &self,
        collection: &str,
        id: &str,
    ) -> Result<Option<Arc<Document>>, Rejection> {
        let found = self.documents.document(collection, id).await;
        found.map_err(|error| refusal::unavailable(&error))
    }

    /// Looks what operations are about.
    async fn look(&self, operations: &[Operation]) -> Result<Vec<Found>, Rejection> {
        let mut found = Vec::with_capacity(operations.len());
        let mut wanted: BTreeMap<&str, (Vec<usize>, Vec<String>)> = BTreeMap::new();
        let mut last: Option<(&str, Arc<Defined>)> = None;
        for (place, Operation { collection, id, wanted: what, .. }) in operations.iter().enumerate()
        {
            let may_be_new = matches!(what, Wanted::Create(_) | Wanted::Upsert(_) | Wanted::Absent);
            let defined = match &last {
                Some((name, defined)) if *name == collection.as_str() => Some(defined.clone()),
                _ if may_be_new => Some(self.collections.to_fill(collection)?),
                _ => self.collections.to_read(collection)?,
            };
            if let (Some(id), Some(_)) = (id, &defined)
                && !matches!(what, Wanted::Create(_))
            {
                let (places, ids) = wanted.entry(collection).or_default();
                places.push(place);
                ids.push(id.clone());
            }
            if let Some(defined) = &defined {
                last = Some((collection, defined.clone()));
            }
            found.push(Found { collection: defined, document: None });
        }
        for (collection, (places, ids)) in wanted {
            let documents = self.documents.documents(collection, ids).await;
            let documents = documents.map_err(|error| refusal::unavailable(&error))?;
            for (place, document) in places.into_iter().zip(documents) {
                found[place].document = document;
            }
        }
        Ok(found)
    }
}

/// The documents operations are about, as far as they are known before.
fn places(operations: &[Operation]) -> Vec<Place> {
    let place = |operation: &Operation| {
        let id = operation.id.as_deref()?;
        Some((operation.collection.as_str().into(), id.into()))
    };
    operations.iter().filter_map(place).collect()
}

/// Whether operations can be carried out together.
fn check(operations: &[Operation], asked: Asked) -> Result<(), Rejection> {
    let count = operations.len();
    if count > OPERATIONS_MAX {
        let message = format!("{count} at once; at most {OPERATIONS_MAX} are changed together");
        let problem = Problem::new("", message);
        return Err(Rejection::of(Code::InvalidRequest, vec![problem]));
    }
    let mut problems = Vec::new();
    let mut seen = std::collections::HashMap::new();
    for (place, operation) in operations.iter().enumerate() {
        let Operation { collection, id, wanted, .. } = operation;
        let own = match wanted {
            Wanted::Create(new) => data::own_id(new),
            _ => None,
        };
        let Some(id) = id.as_deref().or(own) else {
            if !matches!(wanted, Wanted::Create(_)) {
                problems.push(Problem::new(asked.id(place), "is missing"));
            }
            continue;
        };
        if let Some(first) = seen.insert((collection.as_str(), id), place) {
            let message = format!("is that of {} already", asked.operation(first));
            problems.push(Problem::new(asked.id(place), message));
        }
    }
    match problems.is_empty() {
        true => Ok(()),
        false => Err(Rejection::of(Code::InvalidRequest, problems)),
    }
}
