//! The writing end: decides first what a batch would do, which may fail, and then does it, which
//! may not. So nothing of a refused batch is kept.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use evoke_model::{EventId, Timestamp};
use evoke_ports::store::{Error, OnceKey, Receipt, Write, Writer};

use super::Shared;
use super::tables::{Changed, Tables};
use crate::once::{self, Ledger, Refused};

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
        let receipts = batch
            .iter()
            .zip(plan.duplicates)
            .map(|(write, duplicates)| apply(&mut tables, write, duplicates))
            .collect();
        Ok(receipts)
    }

    fn housekeep(&mut self, now: Timestamp) -> Result<(), Error> {
        self.shared.tables.write().once.retain(|_, (_, expires)| *expires > now);
        Ok(())
    }
}

/// What a batch would do to the keys, and which events of each write are there already.
struct Plan {
    claims: Claims,
    duplicates: Vec<Vec<(usize, EventId)>>,
}

fn plan(tables: &Tables, batch: &[Write]) -> Result<Plan, Refused> {
    let mut planned = Planned { tables, claims: Claims::new() };
    let mut fresh = HashSet::new();
    let mut duplicates = Vec::with_capacity(batch.len());
    for write in batch {
        let Write::Ingest(ingest) = write else {
            duplicates.push(Vec::new());
            continue;
        };
        let found = once::duplicates(ingest, &mut planned)?;
        for (index, event) in ingest.events.iter().enumerate() {
            let skipped = found.iter().any(|(place, _)| *place == index);
            if !skipped && (tables.events.contains_key(&event.id) || !fresh.insert(event.id)) {
                return Err(Refused::EventTwice(event.id));
            }
        }
        duplicates.push(found);
    }
    Ok(Plan { claims: planned.claims, duplicates })
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

    fn take(&mut self, key: &OnceKey, event: EventId) -> Result<Option<EventId>, Refused> {
        let standing = self.standing(&key.key, event.made_at())?;
        if standing.is_none() {
            self.claims.insert(key.key.clone(), (event, key.expires));
        }
        Ok(standing)
    }
}

fn apply(tables: &mut Tables, write: &Write, duplicates: Vec<(usize, EventId)>) -> Receipt {
    match write {
        Write::Ingest(ingest) => {
            let skipped: Vec<EventId> =
                duplicates.iter().map(|(index, _)| ingest.events[*index].id).collect();
            for event in ingest.events.iter().filter(|event| !skipped.contains(&event.id)) {
                tables.events.insert(event.id, Arc::clone(event));
            }
            for new in ingest.executions.iter().filter(|new| !skipped.contains(&new.id.event)) {
                tables.insert(new);
            }
            Receipt::Ingested { duplicates }
        }
        Write::Finish(finishes) => {
            let stale = finishes.iter().filter(|finish| tables.finish(finish) == Changed::No);
            let stale = stale.map(|finish| finish.id).collect();
            Receipt::Finished { stale }
        }
        Write::Change(change) => Receipt::Changed(tables.change(change) == Changed::Yes),
    }
}
