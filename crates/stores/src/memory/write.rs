//! The writing end: decides first what a batch would do, which may fail, and then does it, which
//! may not. So nothing of a refused batch is kept.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use evoke_model::{EventId, ExecutionId, Timestamp};
use evoke_ports::store::{Change, Error, Ingest, Receipt, Write, Writer};

use super::Shared;
use super::collections::Decided;
use super::tables::{Changed, Tables};
use crate::once::{self, Claim, Ledger, Refused};

/// The writer of a memory store.
pub(super) struct MemoryWriter {
    shared: Arc<Shared>,
}

impl MemoryWriter {
    pub fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }
}

impl Writer for MemoryWriter {
    fn commit(&mut self, batch: &[Write]) -> Result<Vec<Receipt>, Error> {
        let mut tables = self.shared.tables.write();
        let decided: Vec<Decided> =
            batch.iter().map(|write| tables.collections.decide(write)).collect();
        let made = batch.iter().zip(&decided);
        let made = made.filter(|(_, decided)| matches!(decided, Decided::Made(_)));
        let plan = match plan(&tables, made.map(|(write, _)| write)) {
            Ok(plan) => plan,
            Err(refused) => {
                tables.collections.undo_all();
                return Err(Error::new(format!("commit {} writes", batch.len()), refused));
            }
        };
        tables.collections.keep_all();
        tables.once.extend(plan.claims);
        let mut taken = plan.taken.into_iter();
        let answers = batch.iter().zip(decided).map(|(write, decided)| match decided {
            Decided::Refused(conflicts) => Receipt::Refused(conflicts),
            Decided::Made(made) => {
                apply(&mut tables, write, &mut Found { taken: &mut taken, made: made.into_iter() })
            }
        });
        Ok(answers.collect())
    }

    fn housekeep(&mut self, now: Timestamp) -> Result<(), Error> {
        let mut tables = self.shared.tables.write();
        tables.once.retain(|_, (_, expires)| *expires > now);
        tables.spent.retain(|_, until| *until > now);
        Ok(())
    }
}

/// What a batch would do to the keys, and what each of its ingests finds there.
struct Plan {
    claims: Claims,
    taken: Vec<Taken>,
}

/// What an ingest found under its keys.
#[derive(Default)]
struct Taken {
    duplicates: Vec<(usize, EventId)>,
    /// Places in [`Ingest::executions`].
    skipped: Vec<usize>,
}

fn plan<'w>(tables: &Tables, batch: impl Iterator<Item = &'w Write>) -> Result<Plan, Refused> {
    let mut planned = Planned { tables, claims: Claims::new() };
    let mut fresh = HashSet::new();
    let mut taken = Vec::new();
    for ingest in batch.flat_map(ingests) {
        let duplicates = once::duplicates(ingest, &mut planned)?;
        let is_duplicate = |id: EventId| duplicate_ids(ingest, &duplicates).any(|of| of == id);
        for event in ingest.events.iter().filter(|event| !is_duplicate(event.id)) {
            if tables.events.contains_key(&event.id) || !fresh.insert(event.id) {
                return Err(Refused::EventTwice(event.id));
            }
        }
        let mut skipped = Vec::new();
        for (place, new) in ingest.executions.iter().enumerate() {
            if !is_duplicate(new.id.event) && once::is_skipped(new, &mut planned)? {
                skipped.push(place);
            }
        }
        taken.push(Taken { duplicates, skipped });
    }
    Ok(Plan { claims: planned.claims, taken })
}

/// The ingests of a write, those within others included, in the order in which they are written.
fn ingests(write: &Write) -> Vec<&Ingest> {
    match write {
        Write::Ingest(ingest) => vec![ingest],
        Write::All(writes) => writes.iter().flat_map(ingests).collect(),
        Write::Finish(_) | Write::Change(_) => Vec::new(),
    }
}

fn duplicate_ids<'a>(
    ingest: &'a Ingest,
    duplicates: &'a [(usize, EventId)],
) -> impl Iterator<Item = EventId> + 'a {
    duplicates.iter().map(|(index, _)| ingest.events[*index].id)
}

type Claims = HashMap<Box<str>, (EventId, Timestamp)>;

/// The keys as they will be when the batch so far is written.
struct Planned<'t> {
    tables: &'t Tables,
    claims: Claims,
}

impl Ledger for Planned<'_> {
    type Error = Refused;

    fn standing(&mut self, key: &str, now: Timestamp) -> Result<Option<EventId>, Refused> {
        let entry = self.claims.get(key).or_else(|| self.tables.once.get(key));
        Ok(entry.filter(|(_, expires)| *expires > now).map(|(event, _)| *event))
    }

    fn take(&mut self, claim: Claim<'_>) -> Result<Option<EventId>, Refused> {
        let standing = self.standing(claim.key, claim.event.made_at())?;
        if standing.is_none() {
            self.claims.insert(claim.key.into(), (claim.event, claim.expires));
        }
        Ok(standing)
    }
}

/// What was decided of a write before, in the order in which it is written.
struct Found<'t> {
    /// For each ingest of the batch.
    taken: &'t mut std::vec::IntoIter<Taken>,
    /// For each change of documents and collections in the write.
    made: std::vec::IntoIter<bool>,
}

fn apply(tables: &mut Tables, write: &Write, found: &mut Found<'_>) -> Receipt {
    match write {
        Write::Ingest(ingest) => ingest_all(tables, ingest, found.taken.next().unwrap_or_default()),
        Write::Finish(finishes) => {
            let stale = finishes.iter().filter(|finish| tables.finish(finish) == Changed::No);
            let stale = stale.map(|finish| finish.id).collect();
            Receipt::Finished { stale }
        }
        Write::Change(change) => Receipt::Changed(match **change {
            Change::Collection(_) | Change::RemoveCollection(_) | Change::Documents(_) => {
                found.made.next().unwrap_or_default()
            }
            _ => tables.change(change) == Changed::Yes,
        }),
        Write::All(writes) => {
            Receipt::All(writes.iter().map(|write| apply(tables, write, found)).collect())
        }
    }
}

fn ingest_all(tables: &mut Tables, ingest: &Ingest, taken: Taken) -> Receipt {
    let Taken { duplicates, skipped } = taken;
    let left_out: Vec<EventId> = duplicate_ids(ingest, &duplicates).collect();
    for event in ingest.events.iter().filter(|event| !left_out.contains(&event.id)) {
        tables.events.insert(event.id, Arc::clone(event));
    }
    let mut written_as_skipped: Vec<ExecutionId> = Vec::new();
    for (place, new) in ingest.executions.iter().enumerate() {
        if left_out.contains(&new.id.event) {
            continue;
        }
        let once = new.once.as_deref().filter(|_| skipped.contains(&place));
        let done = once.map(|once| &once.skipped).or(new.done.as_deref());
        if tables.insert(new, done) == Changed::Yes && once.is_some() {
            written_as_skipped.push(new.id);
        }
    }
    Receipt::Ingested { duplicates, skipped: written_as_skipped }
}
