//! The archive, and what is old enough for it.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use evoke_model::{Attempt, Data, EventId, Outcome, SegmentId};
use evoke_ports::store::{Archive, Error, Ripe, SegmentInfo, SegmentQuery, Size, Whole};

use super::MemoryStore;
use super::tables::{Row, Tables};
use crate::page::ExecutionPlace;

/// About what an event or an execution takes beside its payloads: its struct, its keys, its places
/// in the maps.
const ITEM_BYTES: u64 = 400;

#[async_trait]
impl Archive for MemoryStore {
    async fn ripe(&self, query: Ripe) -> Result<Vec<Whole>, Error> {
        Ok(self.shared.tables.read().ripe(&query))
    }

    async fn segments(&self, query: SegmentQuery) -> Result<Vec<SegmentInfo>, Error> {
        let tables = self.shared.tables.read();
        let infos = tables.segments.values().map(|segment| &segment.info);
        let mut found: Vec<SegmentInfo> = infos
            .filter(|info| query.holds.is_none_or(|holds| holds == info.holds))
            .filter(|info| query.from.is_none_or(|from| info.last >= from))
            .filter(|info| query.to.is_none_or(|to| info.first <= to))
            .cloned()
            .collect();
        found.sort_by_key(|info| (info.first, info.id));
        Ok(found)
    }

    async fn segment(&self, id: SegmentId) -> Result<Option<Bytes>, Error> {
        let tables = self.shared.tables.read();
        Ok(tables.segments.get(&id).map(|segment| segment.content.clone()))
    }

    async fn size(&self) -> Result<Size, Error> {
        Ok(self.shared.tables.read().size())
    }

    async fn count_events(&self) -> Result<Option<u64>, Error> {
        Ok(Some(self.shared.tables.read().events.len() as u64))
    }
}

impl Tables {
    fn ripe(&self, query: &Ripe) -> Vec<Whole> {
        let end = EventId::first_at(query.before);
        let mut found: BTreeMap<EventId, Whole> = BTreeMap::new();
        if query.after >= end {
            return Vec::new();
        }
        let limit = query.limit as usize;
        let events = self.events.range((Bound::Excluded(query.after), Bound::Excluded(end)));
        for (id, event) in events.take(limit) {
            let event = Some(Arc::clone(event));
            found.insert(*id, Whole { id: *id, event, executions: Vec::new() });
        }
        let after = ExecutionPlace(query.after.as_u64() as i64, i64::MAX);
        let before = ExecutionPlace(end.as_u64() as i64, -1);
        let rows = self.executions.range((Bound::Excluded(after), Bound::Excluded(before)));
        for (place, row) in rows {
            let id = place.id().event;
            let is_behind = found.last_key_value().is_some_and(|(last, _)| id > *last);
            if found.len() >= limit && is_behind {
                break;
            }
            let whole =
                found.entry(id).or_insert(Whole { id, event: None, executions: Vec::new() });
            whole.executions.push((row.execution.clone(), row.attempts().cloned().collect()));
        }
        found.into_values().take(limit).collect()
    }

    fn size(&self) -> Size {
        let events = self.events.values().map(|event| ITEM_BYTES + event.data.len() as u64);
        let executions = self.executions.values().map(bytes_of);
        let archived = self.segments.values().map(|segment| segment.content.len() as u64).sum();
        let used = events.chain(executions).sum::<u64>() + archived;
        Size { used, free: 0, archived }
    }
}

fn bytes_of(row: &Row) -> u64 {
    let edited = row.edited.as_ref().map_or(0, |data| data.len() as u64);
    ITEM_BYTES + edited + row.attempts().map(attempt_bytes).sum::<u64>()
}

fn attempt_bytes(attempt: &Attempt) -> u64 {
    let said: usize = attempt.logs.iter().map(|line| line.message.len()).sum();
    let gave = match &attempt.outcome {
        Outcome::Success(data) => Data::len(data),
        Outcome::Failure(failure) | Outcome::TimedOut(failure) => failure.message.len(),
        Outcome::Cancelled => 0,
    };
    (said + gave) as u64
}
