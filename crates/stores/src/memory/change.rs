//! Changes of the definitions, and of the record by hand.

use std::collections::BTreeMap;
use std::sync::Arc;

use evoke_model::{EventId, SegmentId};
use evoke_ports::store::{AuditEntry, Change, Removal, Segment, Spent};

use super::tables::{Changed, Tables};
use crate::page::ExecutionPlace;

impl Tables {
    /// Applies a change.
    pub fn change(&mut self, change: &Change) -> Changed {
        match change {
            Change::Function(function) => put(&mut self.functions, function.id, function.clone()),
            Change::Trigger(trigger) => put(&mut self.triggers, trigger.id, Arc::clone(trigger)),
            Change::Key(key) => put(&mut self.keys, key.id, key.clone()),
            Change::RemoveKey(id) => self.keys.remove(id).is_some().into(),
            Change::Reopen { id, due, redirect } => self.reopen(*id, *due, redirect.as_ref()),
            Change::Edit { id, data } => self.edit(*id, data),
            Change::Discard(ids) => any(ids, |id| self.discard(*id)),
            Change::Abandon { id, at, why } => self.abandon(*id, *at, why),
            Change::Audit(entry) => self.add_audit(entry),
            Change::Operation(operation) => {
                put(&mut self.operations, operation.id, operation.clone())
            }
            Change::ForgetAudit { before } => {
                let all = self.audit.len();
                self.audit.retain(|id, _| id >= before);
                (self.audit.len() < all).into()
            }
            Change::RemoveOperations(ids) => {
                any(ids, |id| self.operations.remove(id).is_some().into())
            }
            Change::Spend(spent) => any(spent, |spent| self.spend(spent)),
            Change::Cursors(cursors) => {
                any(cursors, |cursor| put(&mut self.cursors, cursor.trigger, cursor.clone()))
            }
            Change::RemoveCursors(triggers) => {
                any(triggers, |trigger| self.cursors.remove(trigger).is_some().into())
            }
            // Made when the batch was decided, see `Collections::decide`.
            Change::Collection(_) | Change::RemoveCollection(_) | Change::Documents(_) => {
                Changed::No
            }
            Change::Archive(segment) => self.archive(segment),
            Change::RemoveSegments(ids) => any(ids, |id| self.remove_segment(*id)),
            Change::Remove(removal) => self.remove(removal),
            Change::Shrink { .. } => Changed::No,
        }
    }

    fn add_audit(&mut self, entry: &AuditEntry) -> Changed {
        if self.audit.contains_key(&entry.id) {
            return Changed::No;
        }
        put(&mut self.audit, entry.id, entry.clone())
    }

    fn spend(&mut self, spent: &Spent) -> Changed {
        put(&mut self.spent, (spent.owner.clone(), spent.key.clone()), spent.until)
    }

    fn archive(&mut self, segment: &Segment) -> Changed {
        if self.segments.contains_key(&segment.info.id) {
            return Changed::No;
        }
        let kept = Segment { removes: Removal::default(), ..segment.clone() };
        self.segments.insert(segment.info.id, kept);
        self.remove(&segment.removes);
        Changed::Yes
    }

    fn remove_segment(&mut self, id: SegmentId) -> Changed {
        self.segments.remove(&id).is_some().into()
    }

    fn remove(&mut self, removal: &Removal) -> Changed {
        let executions = any(&removal.executions, |id| {
            let place = ExecutionPlace::of(*id);
            let is_final = |row: &super::tables::Row| row.execution.state.is_final();
            if !self.executions.get(&place).is_some_and(is_final) {
                return Changed::No;
            }
            self.executions.remove(&place).is_some().into()
        });
        let events = any(&removal.events, |id| {
            if self.is_awaited(*id) {
                return Changed::No;
            }
            self.events.remove(id).is_some().into()
        });
        (executions == Changed::Yes || events == Changed::Yes).into()
    }

    /// Whether an execution of the event is not final.
    fn is_awaited(&self, id: EventId) -> bool {
        let event = id.as_u64() as i64;
        let range = ExecutionPlace(event, -1)..=ExecutionPlace(event, i64::MAX);
        self.executions.range(range).any(|(_, row)| !row.execution.state.is_final())
    }
}

fn put<K: Ord, V>(map: &mut BTreeMap<K, V>, key: K, value: V) -> Changed {
    map.insert(key, value);
    Changed::Yes
}

/// Does something with each; whether any of it changed something.
fn any<T>(items: &[T], mut change: impl FnMut(&T) -> Changed) -> Changed {
    let changed = items.iter().filter(|item| change(item) == Changed::Yes).count();
    (changed > 0).into()
}
