//! Documents.

use std::sync::Arc;

use async_trait::async_trait;
use evoke_document::{Collection, Condition, Document, Query};
use evoke_ports::store::{Documents, Error, Page};

use super::MemoryStore;

#[async_trait]
impl Documents for MemoryStore {
    async fn collections(&self) -> Result<Vec<Collection>, Error> {
        Ok(Vec::new())
    }

    async fn document(&self, _: &str, _: &str) -> Result<Option<Arc<Document>>, Error> {
        Ok(None)
    }

    async fn find(&self, _: &str, _: Query) -> Result<Page<Arc<Document>>, Error> {
        Ok(Page { items: Vec::new(), next: None })
    }

    async fn count(&self, _: &str, _: Vec<Condition>) -> Result<u64, Error> {
        Ok(0)
    }

    async fn plan(&self, _: &str, _: Query) -> Result<Vec<String>, Error> {
        Ok(Vec::new())
    }
}
