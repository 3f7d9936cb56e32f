//! The store that keeps everything in ordered maps, and loses it with the process: for tests and
//! for servers that are thrown away. It answers exactly as a durable store does.

mod archive;
mod change;
mod collections;
mod definitions;
mod documents;
mod read;
mod tables;
mod write;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use evoke_ports::Store;
use evoke_ports::store::{Archive, Definitions, Documents, Error, Events, Executions, Writer};
use parking_lot::RwLock;

use crate::{Kind, WriterTaken};
use tables::Tables;
use write::MemoryWriter;

/// The kind `memory`.
pub(crate) const KIND: Kind = Kind {
    kind: "memory",
    summary: "Everything in memory; gone when the process ends.",
    example: "memory",
    open: |_| Ok(Arc::new(MemoryStore::new())),
};

/// The store in memory. Clones share what they keep.
#[derive(Clone, Default)]
pub struct MemoryStore {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    tables: RwLock<Tables>,
    writer_taken: AtomicBool,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }
}

impl Store for MemoryStore {
    fn kind(&self) -> &'static str {
        KIND.kind
    }

    fn writer(&self) -> Result<Box<dyn Writer>, Error> {
        if self.shared.writer_taken.swap(true, Ordering::AcqRel) {
            return Err(Error::new("take the writer", WriterTaken));
        }
        Ok(Box::new(MemoryWriter::new(Arc::clone(&self.shared))))
    }

    fn events(&self) -> Arc<dyn Events> {
        Arc::new(self.clone())
    }

    fn executions(&self) -> Arc<dyn Executions> {
        Arc::new(self.clone())
    }

    fn definitions(&self) -> Arc<dyn Definitions> {
        Arc::new(self.clone())
    }

    fn archive(&self) -> Arc<dyn Archive> {
        Arc::new(self.clone())
    }

    fn documents(&self) -> Arc<dyn Documents> {
        Arc::new(self.clone())
    }
}
