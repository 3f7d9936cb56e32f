//! Reading functions, triggers, keys, operations and the audit trail.

use std::sync::Arc;

use async_trait::async_trait;
use evoke_model::function::FunctionRecord;
use evoke_model::{AuditId, Operation, Trigger};
use evoke_ports::store::{AuditEntry, AuditQuery, Cursor, Definitions, Error, Key, Page};

use super::MemoryStore;
use crate::page::{self, EventPlace, Fits, Look, Pager};

#[async_trait]
impl Definitions for MemoryStore {
    async fn functions(&self) -> Result<Vec<FunctionRecord>, Error> {
        Ok(self.shared.tables.read().functions.values().cloned().collect())
    }

    async fn triggers(&self) -> Result<Vec<Arc<Trigger>>, Error> {
        Ok(self.shared.tables.read().triggers.values().cloned().collect())
    }

    async fn keys(&self) -> Result<Vec<Key>, Error> {
        Ok(self.shared.tables.read().keys.values().cloned().collect())
    }

    async fn operations(&self) -> Result<Vec<Operation>, Error> {
        Ok(self.shared.tables.read().operations.values().cloned().collect())
    }

    async fn cursors(&self) -> Result<Vec<Cursor>, Error> {
        Ok(self.shared.tables.read().cursors.values().cloned().collect())
    }

    async fn audit(&self, query: AuditQuery) -> Result<Page<AuditEntry>, Error> {
        let range = page::audit_range(&query).map_err(|bad| Error::new("read the trail", bad))?;
        let mut pager = Pager::new(query.limit);
        let tables = self.shared.tables.read();
        let end = AuditId::from_u64(range.before.0 as u64);
        for (id, entry) in tables.audit.range(..end).rev() {
            let fits = Fits::from(page::audit_fits(&query, &entry.action, &entry.subject));
            match pager.look(EventPlace(id.as_u64() as i64), fits) {
                Look::Take => pager.push(entry.clone()),
                Look::Skip => {}
                Look::Stop => break,
            }
        }
        Ok(pager.finish())
    }
}
