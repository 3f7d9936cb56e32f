//! Changes of the definitions, and of single executions by hand.

use evoke_model::function::FunctionRecord;
use evoke_model::{ExecutionId, Failure, State, Timestamp, Trigger};
use evoke_ports::store::{Change, Finish, Key, Next};
use std::sync::Arc;

use super::{Apply, Changed, key, number};
use crate::attempt;
use crate::sqlite::error::Error;
use crate::sqlite::stored::{StoredFunction, StoredKey, StoredTrigger};

const FUNCTION: &str = "INSERT OR REPLACE INTO functions (id, name, version, deleted_at, body) \
     VALUES (?1, ?2, ?3, ?4, ?5)";
const TRIGGER: &str = "INSERT OR REPLACE INTO triggers (id, name, kind, enabled, deleted_at, body) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
const KEY: &str = "INSERT OR REPLACE INTO keys (id, name, body) VALUES (?1, ?2, ?3)";
const REMOVE_KEY: &str = "DELETE FROM keys WHERE id = ?1";
const REOPEN: &str = "UPDATE executions SET state = 0, attempts = 0, due_at = ?3 \
     WHERE event_id = ?1 AND trigger_id = ?2";

impl Apply<'_> {
    pub(super) fn change(&mut self, change: &Change) -> Result<Changed, Error> {
        match change {
            Change::Function(function) => self.put_function(function),
            Change::Trigger(trigger) => self.put_trigger(trigger),
            Change::Key(key) => self.put_key(key),
            Change::RemoveKey(id) => {
                let mut remove = self.connection.prepare_cached(REMOVE_KEY)?;
                Ok(remove.execute([number(id.as_u64())])?.into())
            }
            Change::Reopen { id, due } => self.reopen(*id, *due),
            Change::Abandon { id, at, why } => self.abandon(*id, *at, why),
        }
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

    fn reopen(&mut self, id: ExecutionId, due: Timestamp) -> Result<Changed, Error> {
        match self.look(id)? {
            Some(found) if found.is_final() => {
                self.keep_last(id)?;
                let (event, trigger) = key(id);
                let mut reopen = self.connection.prepare_cached(REOPEN)?;
                Ok(reopen.execute((event, trigger, due.as_micros()))?.into())
            }
            _ => Ok(Changed::No),
        }
    }

    fn abandon(&mut self, id: ExecutionId, at: Timestamp, why: &Failure) -> Result<Changed, Error> {
        match self.look(id)? {
            Some(found) if !found.is_final() => self.finish(&Finish {
                id,
                attempt: Some(attempt::abandoned(found.attempts, at, why)),
                next: Next::Done(State::Cancelled),
            }),
            _ => Ok(Changed::No),
        }
    }
}
