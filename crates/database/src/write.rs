//! Changes as they are made: planned from what is there, agreed to by the hooks, committed only if
//! it is still so. Where it is not, all of it once more.

use std::sync::Arc;

use evoke_document::{Document, Input};
use evoke_model::{Code, Problem, Rejection, Timestamp};
use evoke_ports::store::{Conflict, DocumentChange, Effect, Expect, Why};
use evoke_ports::{Agreed, News, Origin, Revise, Unkept};
use serde_json::{Map, Value};

use crate::data;
use crate::database::Inner;
use crate::ongoing::Begun;
use crate::operation::{Asked, Outcome};
use crate::plan::{Change, Kept, Missing, Rival, Step, What};
use crate::refusal;

/// How often a change is made anew where others are quicker.
pub(crate) const ROUNDS_MAX: usize = 10;

/// What came of a round.
pub(crate) enum Round {
    /// It is on disk.
    Written(Vec<Option<Outcome>>),
    /// What is there is not what was seen; nothing was written.
    Overtaken,
}

impl Inner {
    /// Asks who may say no, and commits.
    ///
    /// # Errors
    /// A hook says no, a unique index stands against it, the store is not there.
    pub(crate) async fn write(
        &self,
        steps: Vec<Step>,
        asked: Asked,
        origin: &Origin,
    ) -> Result<Round, Rejection> {
        match steps.as_slice() {
            [] => return Ok(Round::Written(Vec::new())),
            [Step::Stays(kept)] => return Ok(Round::Written(vec![Some(kept.outcome())])),
            [Step::Missing(_)] => return Ok(Round::Written(vec![None])),
            _ => {}
        }
        let mut collections: Vec<_> =
            steps.iter().map(|step| step.collection().name.clone()).collect();
        collections.dedup();
        let begun = self.ongoing.begin(self.journal.as_ref(), collections);
        let mut made = Made::default();
        for (place, step) in steps.iter().enumerate() {
            match step {
                Step::Stays(kept) => made.keep(kept),
                Step::Missing(missing) => made.leave_out(missing),
                Step::Changes(change) => {
                    let agreed = self.journal.ask(news(change, origin)).await;
                    let agreed = agreed.map_err(|no| refused(no, asked, place))?;
                    made.change(change, agreed, self.journal.now())?;
                }
            }
        }
        let Made { changes, agreed, outcomes } = made;
        match self.commit(changes, agreed, begun).await {
            Ok(()) => Ok(Round::Written(outcomes)),
            Err(Unkept::Rejected(rejection)) => Err(rejection),
            Err(Unkept::Conflict(conflicts)) => overtaken(&steps, &conflicts, asked),
        }
    }

    /// Commits changes that are under way for as long as that takes, also where their caller leaves
    /// meanwhile: who follows a collection would pass by what comes into the log afterwards.
    async fn commit(
        &self,
        changes: Vec<DocumentChange>,
        agreed: Vec<Agreed>,
        begun: Begun,
    ) -> Result<(), Unkept> {
        let journal = self.journal.clone();
        let committing = tokio::spawn(async move {
            let kept = journal.commit(changes, agreed).await;
            drop(begun);
            kept
        });
        committing.await.unwrap_or_else(|error| {
            tracing::error!("A change of documents fell over: {error}");
            Err(Rejection::new(Code::Internal, "this is our mistake; the log has more").into())
        })
    }
}

/// A hook says no: which document it speaks of, where there are several.
fn refused(mut rejection: Rejection, asked: Asked, place: usize) -> Rejection {
    if asked == Asked::Alone {
        return rejection;
    }
    let at = asked.operation(place);
    for problem in &mut rejection.problems {
        problem.field = match problem.field.as_str() {
            "" => at.clone(),
            field => format!("{at}.{field}"),
        };
    }
    if rejection.problems.is_empty() {
        rejection.problems.push(Problem::new(at, rejection.message.clone()));
    }
    rejection
}

/// Why a commit was refused: for good, or until it is made anew.
fn overtaken(steps: &[Step], conflicts: &[Conflict], asked: Asked) -> Result<Round, Rejection> {
    for Conflict { change, why } in conflicts {
        let Some(step) = steps.get(*change) else { continue };
        let collection = step.collection();
        match (why, step) {
            (Why::NotUnique { index }, _) => {
                let at = asked.document(*change);
                return Err(refusal::not_unique(&at, &collection.collection, index));
            }
            (Why::Exists, Step::Changes(new)) if new.yields() => {
                return Err(refusal::exists(asked.id(*change), &collection.name, &new.id));
            }
            _ => {}
        }
    }
    Ok(Round::Overtaken)
}

impl Kept {
    fn outcome(&self) -> Outcome {
        Outcome { action: None, document: self.document.clone() }
    }
}

impl Change {
    /// Whether it is refused where there is a document with its id.
    fn yields(&self) -> bool {
        matches!(self.what, What::Create { rival: Rival::Wins, .. })
    }
}

/// The news of a change. Hooks may change the document in it, unless it goes.
fn news(change: &Arc<Change>, origin: &Origin) -> News {
    let name = &change.collection.name;
    News {
        kind: format!("database.{name}.{}", change.action().as_str()).into(),
        source: format!("/database/{name}").into(),
        subject: Some(change.id.clone()),
        data: data::of_change(change),
        origin: origin.clone(),
        revise: change.new_fields().map(|_| revise(change)),
    }
}

/// What a hook gives is checked like what the caller gave.
fn revise(change: &Arc<Change>) -> Revise {
    const AT: &str = "document";
    let change = change.clone();
    Arc::new(move |data: &Value, document: Value| {
        let Input { id: own, fields: new } = Input::read(document, AT)?;
        if own.is_some_and(|own| *own != *change.id) {
            return Err(vec![Problem::new(format!("{AT}.id"), "the id of a document stays")]);
        }
        change.collection.check(&change.id, &new, AT)?;
        Ok(data::with_document(data, &change.id, change.old(), &new))
    })
}

/// Changes with what was agreed to.
#[derive(Default)]
struct Made {
    changes: Vec<DocumentChange>,
    agreed: Vec<Agreed>,
    outcomes: Vec<Option<Outcome>>,
}

impl Made {
    fn keep(&mut self, kept: &Kept) {
        self.changes.push(DocumentChange {
            collection: kept.collection.name.clone(),
            id: kept.document.id.clone(),
            expect: Expect::Revision(kept.document.revision),
            effect: Effect::Keep,
        });
        self.outcomes.push(Some(kept.outcome()));
    }

    fn leave_out(&mut self, missing: &Missing) {
        self.changes.push(DocumentChange {
            collection: missing.collection.name.clone(),
            id: missing.id.clone(),
            expect: Expect::Absent,
            effect: Effect::Keep,
        });
        self.outcomes.push(None);
    }

    fn change(&mut self, change: &Change, agreed: Agreed, now: Timestamp) -> Result<(), Rejection> {
        let revised = agreed.revised.as_ref().and_then(data::document_of);
        let put = |new: &Map<String, Value>, created_at| {
            let fields = revised.as_ref().unwrap_or(new);
            let body = Document::body_of(fields).map_err(|error| {
                Rejection::new(Code::Internal, format!("write a document: {error}"))
            })?;
            let revision = agreed.event.id.as_u64();
            let id = change.id.clone();
            Ok::<_, Rejection>(Arc::new(Document {
                id,
                revision,
                created_at,
                updated_at: now,
                body,
            }))
        };
        let (expect, document, effect) = match &change.what {
            What::Create { new, .. } => {
                let document = put(new, now)?;
                (Expect::Absent, document.clone(), Effect::Put(document))
            }
            What::Update { before, new, .. } => {
                let document = put(new, before.created_at)?;
                (Expect::Revision(before.revision), document.clone(), Effect::Put(document))
            }
            What::Delete { before, .. } => {
                (Expect::Revision(before.revision), before.clone(), Effect::Remove)
            }
        };
        let collection = change.collection.name.clone();
        self.changes.push(DocumentChange { collection, id: change.id.clone(), expect, effect });
        self.outcomes.push(Some(Outcome { action: Some(change.action()), document }));
        self.agreed.push(agreed);
        Ok(())
    }
}
