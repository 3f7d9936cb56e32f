//! Reading documents: all of a collection are looked through, and sorted.

use std::sync::Arc;

use async_trait::async_trait;
use evoke_document::{Collection, Condition, Document, Query};
use evoke_ports::store::{Documents, Error, Page};

use super::MemoryStore;
use super::collections::Row;
use crate::cursor;

#[async_trait]
impl Documents for MemoryStore {
    async fn collections(&self) -> Result<Vec<Collection>, Error> {
        Ok(self.shared.tables.read().collections.all().cloned().collect())
    }

    async fn document(&self, collection: &str, id: &str) -> Result<Option<Arc<Document>>, Error> {
        let tables = self.shared.tables.read();
        let row = tables.collections.get(collection).and_then(|kept| kept.row(id));
        Ok(row.map(|row| Arc::clone(&row.document)))
    }

    async fn find(&self, collection: &str, query: Query) -> Result<Page<Arc<Document>>, Error> {
        let after =
            cursor::decode(collection, &query).map_err(|bad| Error::new("find documents", bad))?;
        let tables = self.shared.tables.read();
        let rows = tables.collections.get(collection).into_iter().flat_map(|kept| kept.rows());
        let mut found: Vec<(_, &Row)> = rows
            .filter(|row| query.holds(row.fields()))
            .map(|row| (query.place(row.fields()), row))
            .filter(|(place, _)| {
                after.as_ref().is_none_or(|after| query.compare(place, after).is_gt())
            })
            .collect();
        found.sort_by(|(one, _), (other, _)| query.compare(one, other));
        let bytes = found.iter().map(|(_, row)| row.document.body.len());
        let count = cursor::page_len(&query, bytes);
        let last = count.checked_sub(1).and_then(|last| found.get(last));
        let last = last.filter(|_| found.len() > count);
        let next = last.map(|(place, _)| cursor::encode(collection, &query, place));
        let items = found.iter().take(count).map(|(_, row)| Arc::clone(&row.document)).collect();
        Ok(Page { items, next })
    }

    async fn count(&self, collection: &str, filter: Vec<Condition>) -> Result<u64, Error> {
        let tables = self.shared.tables.read();
        let rows = tables.collections.get(collection).into_iter().flat_map(|kept| kept.rows());
        let meets = |row: &&Row| filter.iter().all(|condition| condition.holds(row.fields()));
        Ok(rows.filter(meets).count() as u64)
    }

    async fn plan(&self, collection: &str, query: Query) -> Result<Vec<String>, Error> {
        let mut steps = vec![format!("look through all documents of {collection}")];
        if !query.filter.is_empty() {
            steps.push(format!("keep those that meet {} conditions", query.filter.len()));
        }
        steps.push("sort them".to_owned());
        Ok(steps)
    }
}
