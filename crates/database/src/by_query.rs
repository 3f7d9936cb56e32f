//! Changes of all documents that meet conditions: one portion after the other, each in a commit of
//! its own, so that many documents hold nobody up.

use std::sync::Arc;

use evoke_document::{Condition, Document, Query};
use evoke_model::{Code, Rejection};
use evoke_ports::Origin;
use serde_json::Value;

use crate::collections::Defined;
use crate::data;
use crate::database::{Database, Inner};
use crate::operation::{Asked, Tally};
use crate::plan::Step;
use crate::refusal;
use crate::write::{ROUNDS_MAX, Round};

/// Documents changed in one commit.
const PORTION: u32 = 100;

/// What becomes of each document.
#[derive(Clone, Debug, PartialEq)]
enum Each {
    /// This is merged in.
    Merged(Value),
    /// It is removed.
    Deleted,
}

/// The next portion, and how to find it.
struct Portion<'a> {
    collection: Arc<Defined>,
    filter: &'a [Condition],
    each: &'a Each,
    cursor: Option<String>,
}

impl Database {
    /// Merges `set` into all documents that meet all conditions.
    ///
    /// # Errors
    /// As for one document. What was changed before stays so, and the message says how much.
    pub async fn update_all(
        &self,
        collection: &str,
        filter: &[Condition],
        set: Value,
        origin: &Origin,
    ) -> Result<Tally, Rejection> {
        data::check_set(&set).map_err(|problems| Rejection::of(Code::DocumentInvalid, problems))?;
        self.inner.change_all(collection, filter, &Each::Merged(set), origin).await
    }

    /// Removes all documents that meet all conditions.
    ///
    /// # Errors
    /// As for one document. What was removed before stays so, and the message says how much.
    pub async fn delete_all(
        &self,
        collection: &str,
        filter: &[Condition],
        origin: &Origin,
    ) -> Result<Tally, Rejection> {
        self.inner.change_all(collection, filter, &Each::Deleted, origin).await
    }
}

impl Inner {
    async fn change_all(
        &self,
        collection: &str,
        filter: &[Condition],
        each: &Each,
        origin: &Origin,
    ) -> Result<Tally, Rejection> {
        let mut tally = Tally::default();
        let Some(collection) = self.collections.to_read(collection)? else { return Ok(tally) };
        let mut portion = Portion { collection, filter, each, cursor: None };
        loop {
            let done = self.change_portion(&portion, origin).await;
            let (done, next) = done.map_err(|rejection| after(rejection, tally))?;
            tally.matched += done.matched;
            tally.changed += done.changed;
            match next {
                Some(next) => portion.cursor = Some(next),
                None => return Ok(tally),
            }
        }
    }

    async fn change_portion(
        &self,
        portion: &Portion<'_>,
        origin: &Origin,
    ) -> Result<(Tally, Option<String>), Rejection> {
        for _ in 0..ROUNDS_MAX {
            let query = Query {
                filter: portion.filter.to_vec(),
                limit: PORTION,
                cursor: portion.cursor.clone(),
                ..Query::default()
            };
            let page = self.documents.find(&portion.collection.name, query).await;
            let page = page.map_err(|error| refusal::unavailable(&error))?;
            let step = |document: Arc<Document>| portion.step(document);
            let steps: Result<Vec<Step>, _> = page.items.into_iter().map(step).collect();
            if let Round::Written(outcomes) = self.write(steps?, Asked::Alone, origin).await? {
                let changed =
                    outcomes.iter().flatten().filter(|outcome| outcome.action.is_some()).count();
                let tally = Tally { matched: outcomes.len() as u64, changed: changed as u64 };
                return Ok((tally, page.next));
            }
        }
        Err(refusal::contended())
    }
}

impl Portion<'_> {
    fn step(&self, document: Arc<Document>) -> Result<Step, Rejection> {
        let collection = self.collection.clone();
        let old = data::fields(&document)?;
        match self.each {
            Each::Deleted => Ok(Step::delete(collection, (document, old))),
            Each::Merged(set) => {
                let invalid = |problems| Rejection::of(Code::DocumentInvalid, problems);
                let new = data::merged(old.clone(), set, data::SET).map_err(invalid)?.fields;
                Step::update(collection, (document, old), new, data::SET).map_err(invalid)
            }
        }
    }
}

/// A refusal, with what was done before.
fn after(rejection: Rejection, tally: Tally) -> Rejection {
    if tally.changed == 0 {
        return rejection;
    }
    let Rejection { message, .. } = &rejection;
    let message = format!("{message} ({} documents were changed before)", tally.changed);
    Rejection { message, ..rejection }
}
