//! Changes of the definitions, and of single executions by hand.

use evoke_model::function::FunctionRecord;
use evoke_model::{
    Attempt, Data, ExecutionId, Failure, Operation, Redirect, State, Timestamp, Trigger,
};
use evoke_ports::store::{AuditEntry, Change, Cursor, Finish, Key, Next, Receipt, Spent};
use std::sync::Arc;

use super::{Apply, Changed, Payload, key, number};
use crate::sqlite::error::Error;
use crate::sqlite::stored::{
    StoredAudit, StoredCursor, StoredFunction, StoredKey, StoredOperation, StoredTrigger,
};

const FUNCTION: &str = "INSERT OR REPLACE INTO functions (id, name, version, deleted_at, body) \
     VALUES (?1, ?2, ?3, ?4, ?5)";
const TRIGGER: &str = "INSERT OR REPLACE INTO triggers (id, name, kind, enabled, deleted_at, body) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
const KEY: &str = "INSERT OR REPLACE INTO keys (id, name, body) VALUES (?1, ?2, ?3)";
const REMOVE_KEY: &str = "DELETE FROM keys WHERE id = ?1";
/// Nothing can be done for an event that is gone.
const REOPEN: &str = "UPDATE executions SET state = 0, attempts = 0, cause = NULL, \
     due_at = iif(order_key IS NULL, ?3, ?4), \
     not_before = iif(order_key IS NOT NULL AND ?3 > ?4, ?3, NULL), \
     redirect = coalesce(?5, redirect) \
     WHERE event_id = ?1 AND trigger_id = ?2";
const HAS_EVENT: &str = "SELECT 1 FROM events WHERE id = ?1";
const MARK_EDITED: &str = "UPDATE executions SET flags = flags | 4 \
     WHERE event_id = ?1 AND trigger_id = ?2 AND state >= 2";
const EDIT: &str = "INSERT OR REPLACE INTO edits (event_id, trigger_id, data_kind, data) \
     VALUES (?1, ?2, ?3, ?4)";
const DISCARD: &str = "UPDATE executions SET cause = NULL \
     WHERE event_id = ?1 AND trigger_id = ?2 AND cause IS NOT NULL";
const AUDIT: &str = "INSERT INTO audit (id, action, subject, body) VALUES (?1, ?2, ?3, ?4) \
     ON CONFLICT DO NOTHING";
const FORGET_AUDIT: &str = "DELETE FROM audit WHERE id < ?1";
const REMOVE_OPERATION: &str = "DELETE FROM operations WHERE id = ?1";
const OPERATION: &str = "INSERT OR REPLACE INTO operations (id, body) VALUES (?1, ?2)";
const SPEND: &str = "INSERT OR REPLACE INTO spent (owner, key, until) VALUES (?1, ?2, ?3)";
const CURSOR: &str = "INSERT OR REPLACE INTO cursors (id, next_at, body) VALUES (?1, ?2, ?3)";
const REMOVE_CURSOR: &str = "DELETE FROM cursors WHERE id = ?1";

impl Apply<'_> {
    pub(super) fn change(&mut self, change: &Change) -> Result<Receipt, Error> {
        let changed = match change {
            Change::Collection(collection) => return self.put_collection(collection),
            Change::Documents(changes) => return self.change_documents(changes),
            Change::Function(function) => self.put_function(function),
            Change::Trigger(trigger) => self.put_trigger(trigger),
            Change::Key(key) => self.put_key(key),
            Change::RemoveKey(id) => {
                let mut remove = self.connection.prepare_cached(REMOVE_KEY)?;
                Ok(remove.execute([number(id.as_u64())])?.into())
            }
            Change::Reopen { id, due, redirect } => self.reopen(*id, *due, redirect.as_ref()),
            Change::Edit { id, data } => self.edit(*id, data),
            Change::Discard(ids) => self.discard(ids),
            Change::Abandon { id, at, why } => self.abandon(*id, *at, why),
            Change::Audit(entry) => self.add_audit(entry),
            Change::Operation(operation) => self.put_operation(operation),
            Change::ForgetAudit { before } => {
                let mut forget = self.connection.prepare_cached(FORGET_AUDIT)?;
                Ok(forget.execute([number(before.as_u64())])?.into())
            }
            Change::RemoveOperations(ids) => {
                let mut remove = self.connection.prepare_cached(REMOVE_OPERATION)?;
                let mut removed = 0;
                for id in ids {
                    removed += remove.execute([number(id.as_u64())])?;
                }
                Ok(removed.into())
            }
            Change::Spend(spent) => self.spend(spent),
            Change::Cursors(cursors) => self.put_cursors(cursors),
            Change::RemoveCursors(triggers) => {
                let mut remove = self.connection.prepare_cached(REMOVE_CURSOR)?;
                let mut removed = 0;
                for trigger in triggers {
                    removed += remove.execute([number(trigger.as_u64())])?;
                }
                Ok(removed.into())
            }
            Change::RemoveCollection(name) => self.remove_collection(name),
            Change::Archive(segment) => self.archive(segment),
            Change::RemoveSegments(ids) => self.remove_segments(ids),
            Change::Remove(removal) => self.remove(removal),
            Change::Shrink { bytes, within } => self.shrink(*bytes, *within),
        };
        Ok(Receipt::Changed(changed? == Changed::Yes))
    }

    fn put_function(&mut self, function: &FunctionRecord) -> Result<Changed, Error> {
        let rows = self.connection.prepare_cached(FUNCTION)?.execute((
            number(function.id.as_u64()),
            &function.spec.name,
            function.version,
            function.deleted_at.map(Timestamp::as_micros),
            serde_json::to_string(&StoredFunction::V1(function.clone()))?,
        ))?;
        Ok(rows.into())
    }

    fn put_trigger(&mut self, trigger: &Arc<Trigger>) -> Result<Changed, Error> {
        let rows = self.connection.prepare_cached(TRIGGER)?.execute((
            number(trigger.id.as_u64()),
            &trigger.name,
            &trigger.kind,
            trigger.enabled,
            trigger.deleted_at.map(Timestamp::as_micros),
            serde_json::to_string(&StoredTrigger::V1(Arc::clone(trigger)))?,
        ))?;
        Ok(rows.into())
    }

    fn put_key(&mut self, key: &Key) -> Result<Changed, Error> {
        let rows = self.connection.prepare_cached(KEY)?.execute((
            number(key.id.as_u64()),
            &key.name,
            serde_json::to_string(&StoredKey::from(key))?,
        ))?;
        Ok(rows.into())
    }

    fn add_audit(&mut self, entry: &AuditEntry) -> Result<Changed, Error> {
        let rows = self.connection.prepare_cached(AUDIT)?.execute((
            number(entry.id.as_u64()),
            &entry.action,
            &entry.subject,
            serde_json::to_string(&StoredAudit::V1(entry.clone()))?,
        ))?;
        Ok(rows.into())
    }

    fn put_operation(&mut self, operation: &Operation) -> Result<Changed, Error> {
        let body = serde_json::to_string(&StoredOperation::V1(operation.clone()))?;
        let mut put = self.connection.prepare_cached(OPERATION)?;
        Ok(put.execute((number(operation.id.as_u64()), body))?.into())
    }

    fn put_cursors(&mut self, cursors: &[Cursor]) -> Result<Changed, Error> {
        let mut put = self.connection.prepare_cached(CURSOR)?;
        for cursor in cursors {
            let body = serde_json::to_string(&StoredCursor::V1(cursor.clone()))?;
            let next = cursor.next.map(Timestamp::as_micros);
            put.execute((number(cursor.trigger.as_u64()), next, body))?;
        }
        Ok(cursors.len().into())
    }

    fn spend(&mut self, spent: &[Spent]) -> Result<Changed, Error> {
        let mut spend = self.connection.prepare_cached(SPEND)?;
        for Spent { owner, key, until } in spent {
            spend.execute((owner, key, until.as_micros()))?;
        }
        Ok(spent.len().into())
    }

    fn reopen(
        &mut self,
        id: ExecutionId,
        due: Timestamp,
        redirect: Option<&Redirect>,
    ) -> Result<Changed, Error> {
        let (event, trigger) = key(id);
        match self.look(id)? {
            Some(found) if found.is_final() => {}
            _ => return Ok(Changed::No),
        }
        if !self.connection.prepare_cached(HAS_EVENT)?.exists([event])? {
            return Ok(Changed::No);
        }
        self.keep_last(id)?;
        let redirect = redirect.map(serde_json::to_string).transpose()?;
        let accepted = id.event.made_at().as_micros();
        let mut reopen = self.connection.prepare_cached(REOPEN)?;
        Ok(reopen.execute((event, trigger, due.as_micros(), accepted, redirect))?.into())
    }

    fn edit(&mut self, id: ExecutionId, data: &Data) -> Result<Changed, Error> {
        let (event, trigger) = key(id);
        if self.connection.prepare_cached(MARK_EDITED)?.execute((event, trigger))? == 0 {
            return Ok(Changed::No);
        }
        let mut edit = self.connection.prepare_cached(EDIT)?;
        Ok(edit.execute((event, trigger, data.tag(), Payload(data)))?.into())
    }

    fn discard(&mut self, ids: &[ExecutionId]) -> Result<Changed, Error> {
        let mut discard = self.connection.prepare_cached(DISCARD)?;
        let mut rows = 0;
        for id in ids {
            rows += discard.execute(key(*id))?;
        }
        Ok(rows.into())
    }

    fn abandon(&mut self, id: ExecutionId, at: Timestamp, why: &Failure) -> Result<Changed, Error> {
        match self.look(id)? {
            Some(found) if !found.is_final() => self.finish(&Finish {
                id,
                attempt: Some(Attempt::not_made(found.attempts, at, why.clone())),
                next: Next::Done(State::Cancelled),
                cause: None,
            }),
            _ => Ok(Changed::No),
        }
    }
}
