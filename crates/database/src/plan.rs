//! What becomes of operations, given the documents that are there now. Pure.

use std::sync::Arc;

use evoke_document::{Document, Input, check_id};
use evoke_model::{Code, Problem, Rejection};
use serde_json::{Map, Value};

use crate::collections::Defined;
use crate::data;
use crate::operation::{Action, Asked, Operation, Wanted};
use crate::refusal;

/// An operation with what it is about.
pub(crate) struct Found {
    /// `None` where there is no such collection, which is so while nobody created a document in it.
    pub(crate) collection: Option<Arc<Defined>>,
    /// The document that is there. Not looked for where one is to be created.
    pub(crate) document: Option<Arc<Document>>,
}

/// What becomes of one document.
#[derive(Debug)]
pub(crate) enum Step {
    /// It stays as it is, and must still be so.
    Stays(Kept),
    /// There is none, and must still be none.
    Missing(Missing),
    /// It changes.
    Changes(Arc<Change>),
}

/// A document that stays.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) collection: Arc<Defined>,
    pub(crate) document: Arc<Document>,
}

/// A document that is not there.
#[derive(Debug)]
pub(crate) struct Missing {
    pub(crate) collection: Arc<Defined>,
    pub(crate) id: Box<str>,
}

/// A document that changes.
#[derive(Debug)]
pub(crate) struct Change {
    pub(crate) collection: Arc<Defined>,
    pub(crate) id: Box<str>,
    pub(crate) what: What,
}

/// In which way.
#[derive(Debug)]
pub(crate) enum What {
    /// It comes.
    Create {
        /// Its fields.
        new: Map<String, Value>,
        /// What it means that there is one with this id already.
        rival: Rival,
    },
    /// It becomes another.
    Update {
        /// What is there.
        before: Arc<Document>,
        /// Its fields.
        old: Map<String, Value>,
        /// The fields it is to have.
        new: Map<String, Value>,
    },
    /// It goes.
    Delete {
        /// What is there.
        before: Arc<Document>,
        /// Its fields.
        old: Map<String, Value>,
    },
}

/// What it means that there is a document with the id of a new one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Rival {
    /// The new one is refused.
    Wins,
    /// All is done anew: with it, or with another id.
    IsTaken,
}

impl Change {
    pub(crate) fn action(&self) -> Action {
        match self.what {
            What::Create { .. } => Action::Create,
            What::Update { .. } => Action::Update,
            What::Delete { .. } => Action::Delete,
        }
    }

    /// The fields before.
    pub(crate) fn old(&self) -> Option<&Map<String, Value>> {
        match &self.what {
            What::Create { .. } => None,
            What::Update { old, .. } | What::Delete { old, .. } => Some(old),
        }
    }

    /// The fields after.
    pub(crate) fn new_fields(&self) -> Option<&Map<String, Value>> {
        match &self.what {
            What::Create { new, .. } | What::Update { new, .. } => Some(new),
            What::Delete { .. } => None,
        }
    }
}

impl Step {
    /// The collection.
    pub(crate) fn collection(&self) -> &Arc<Defined> {
        match self {
            Self::Stays(kept) => &kept.collection,
            Self::Missing(missing) => &missing.collection,
            Self::Changes(change) => &change.collection,
        }
    }

    fn change(collection: Arc<Defined>, id: Box<str>, what: What) -> Self {
        Self::Changes(Arc::new(Change { collection, id, what }))
    }

    /// A document that takes other fields, if they are others.
    ///
    /// # Errors
    /// In what they do not fit the schema.
    pub(crate) fn update(
        collection: Arc<Defined>,
        (before, old): (Arc<Document>, Map<String, Value>),
        new: Map<String, Value>,
        at: &str,
    ) -> Result<Self, Vec<Problem>> {
        collection.check(&before.id, &new, at)?;
        if old == new {
            return Ok(Self::Stays(Kept { collection, document: before }));
        }
        Ok(Self::change(collection, before.id.clone(), What::Update { before, old, new }))
    }

    /// A document that goes.
    pub(crate) fn delete(
        collection: Arc<Defined>,
        (before, old): (Arc<Document>, Map<String, Value>),
    ) -> Self {
        Self::change(collection, before.id.clone(), What::Delete { before, old })
    }
}

/// Plans operations.
///
/// # Errors
/// DB_002 and DB_004 of the first of them; DB_003 with everything that is wrong with documents.
pub(crate) fn plan(
    operations: &[Operation],
    found: Vec<Found>,
    asked: Asked,
    fresh: impl Fn() -> Box<str>,
) -> Result<Vec<Step>, Rejection> {
    let mut steps = Vec::with_capacity(operations.len());
    let mut problems = Vec::new();
    for (place, (operation, found)) in operations.iter().zip(found).enumerate() {
        let at = asked.document(place);
        match step(operation, found, &at, &fresh) {
            Ok(step) => steps.push(step),
            Err(Refused::Document(more)) => problems.extend(more),
            Err(Refused::Whole(rejection)) => return Err(located(rejection, asked, place)),
        }
    }
    match problems.is_empty() {
        true => Ok(steps),
        false => Err(Rejection::of(Code::DocumentInvalid, problems)),
    }
}

/// Says which operation of several is meant.
pub(crate) fn located(mut rejection: Rejection, asked: Asked, place: usize) -> Rejection {
    let field = asked.operation(place);
    if !field.is_empty() && rejection.problems.is_empty() {
        rejection.problems.push(Problem::new(field, rejection.message.clone()));
    }
    rejection
}

enum Refused {
    /// The document is not one that may be written.
    Document(Vec<Problem>),
    /// There is nothing to look at further.
    Whole(Rejection),
}

impl From<Rejection> for Refused {
    fn from(rejection: Rejection) -> Self {
        Self::Whole(rejection)
    }
}

impl From<Vec<Problem>> for Refused {
    fn from(problems: Vec<Problem>) -> Self {
        Self::Document(problems)
    }
}

fn step(
    operation: &Operation,
    found: Found,
    at: &str,
    fresh: &impl Fn() -> Box<str>,
) -> Result<Step, Refused> {
    let Operation { id, wanted, revision, .. } = operation;
    let Found { collection, document } = found;
    let missing = || refusal::no_document(&operation.collection, id.as_deref().unwrap_or_default());
    let collection = collection.ok_or_else(missing)?;
    let new = match wanted {
        Wanted::Create(new) => Some((new, Rival::Wins)),
        Wanted::Upsert(new) if document.is_none() && revision.is_none() => {
            Some((new, Rival::IsTaken))
        }
        _ => None,
    };
    if let Some((new, rival)) = new {
        let Input { id: own, fields: new } = Input::read(new.clone(), at)?;
        let (id, rival) = match same_id(id.as_deref(), own, at)? {
            Some(id) => (id.into(), rival),
            None => (fresh(), Rival::IsTaken),
        };
        collection.check(&id, &new, at)?;
        return Ok(Step::change(collection, id, What::Create { new, rival }));
    }
    if *wanted == Wanted::Absent {
        let id = same_id(id.as_deref(), None, at)?.unwrap_or_default();
        return match document {
            Some(_) => Err(refusal::there(&operation.collection, &id).into()),
            None => Ok(Step::Missing(Missing { collection, id: id.into() })),
        };
    }
    let document = document.ok_or_else(missing)?;
    if revision.is_some_and(|expected| expected != document.revision) {
        return Err(refusal::changed(&operation.collection, &document.id).into());
    }
    if *wanted == Wanted::Check {
        return Ok(Step::Stays(Kept { collection, document }));
    }
    let old = data::fields(&document)?;
    let Input { id: own, fields: new } = match wanted {
        Wanted::Check | Wanted::Absent | Wanted::Delete => {
            return Ok(Step::delete(collection, (document, old)));
        }
        Wanted::Merge(patch) => data::merged(old.clone(), patch, at)?,
        Wanted::Create(new) | Wanted::Replace(new) | Wanted::Upsert(new) => {
            Input::read(new.clone(), at)?
        }
    };
    same_id(Some(&document.id), own, at)?;
    Ok(Step::update(collection, (document, old), new, at)?)
}

/// The id of a document that may say it itself: what it says must be what was asked for.
fn same_id(
    asked: Option<&str>,
    own: Option<String>,
    at: &str,
) -> Result<Option<String>, Vec<Problem>> {
    match (asked, own) {
        (Some(asked), Some(own)) if asked != own => {
            let message = format!("is not that of the document, which stays {asked:?}");
            Err(vec![Problem::new(format!("{at}.id"), message)])
        }
        (Some(asked), _) => match check_id(asked) {
            Ok(()) => Ok(Some(asked.to_owned())),
            Err(wrong) => Err(vec![Problem::new("id", wrong)]),
        },
        (None, own) => Ok(own),
    }
}
