//! The writing end: decides first what a batch would do, which may fail, and then does it, which
//! may not. So nothing of a refused batch is kept.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use evoke_model::{EventId, ExecutionId, Timestamp};
use evoke_ports::store::{Error, Ingest, Receipt, Write, Writer};

use super::Shared;
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
        let plan = plan(&tables, batch)
            .map_err(|refused| Error::new(format!("commit {} writes", batch.len()), refused))?;
        tables.once.extend(plan.claims);
        let mut taken = plan.taken.into_iter();
        Ok(batch.iter().map(|write| apply(&mut tables, write, &mut taken)).collect())
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

fn plan(tables: &Tables, batch: &[Write]) -> Result<Plan, Refused> {
    let mut planned = Planned { tables, claims: Claims::new() };
    let mut fresh = HashSet::new();
    let mut taken = Vec::new();
    for ingest in ingests(batch) {
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

/// The ingests of a batch, those within others included, in the order in which they are written.
fn ingests(batch: &[Write]) -> Vec<&Ingest> {
    let mut found = Vec::new();
    for write in batch {
        match write {
            Write::Ingest(ingest) => found.push(ingest),
            Write::All(writes) => found.extend(ingests(writes)),
            Write::Finish(_) | Write::Change(_) => {}
        }
    }
    found
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

fn apply(tables: &mut Tables, write: &Write, taken: &mut impl Iterator<Item = Taken>) -> Receipt {
    match write {
        Write::Ingest(ingest) => ingest_all(tables, ingest, taken.next().unwrap_or_default()),
        Write::Finish(finishes) => {
            let stale = finishes.iter().filter(|finish| tables.finish(finish) == Changed::No);
            let stale = stale.map(|finish| finish.id).collect();
            Receipt::Finished { stale }
        }
        Write::Change(change) => Receipt::Changed(tables.change(change) == Changed::Yes),
        Write::All(writes) => {
            Receipt::All(writes.iter().map(|write| apply(tables, write, taken)).collect())
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
