//! The engine as the data services see it: they ask, and commit their changes with their news.

use std::sync::Arc;

use async_trait::async_trait;
use evoke_document::Collection;
use evoke_model::{Code, EventId, Rejection, Timestamp};
use evoke_ports::store::{Change, DocumentChange, Receipt, Write};
use evoke_ports::{Agreed, Journal, News, Unkept};

use crate::feed::Notice;
use crate::start::{Engine, Inner};

impl Engine {
    /// Where data services commit their changes.
    pub fn journal(&self) -> Arc<dyn Journal> {
        Arc::new(self.clone())
    }
}

#[async_trait]
impl Journal for Engine {
    fn now(&self) -> Timestamp {
        self.inner.clock.now()
    }

    fn fresh_id(&self) -> EventId {
        self.inner.ids.event(self.inner.clock.now())
    }

    async fn ask(&self, news: News) -> Result<Agreed, Rejection> {
        self.inner.ask_hooks(news).await
    }

    async fn commit(
        &self,
        changes: Vec<DocumentChange>,
        mut agreed: Vec<Agreed>,
    ) -> Result<(), Unkept> {
        let inner = &self.inner;
        let change = Write::from(Change::Documents(changes));
        if agreed.is_empty() {
            return kept(&inner.committer.change(change).await?);
        }
        // Events are written with rising ids.
        agreed.sort_unstable_by_key(|agreed| agreed.event.id);
        let events: Vec<_> = agreed.iter().map(|agreed| agreed.event.clone()).collect();
        let kinds: Vec<_> = events.iter().map(|event| inner.kind_of(&event.kind)).collect();
        let watched = inner.feed.is_watched().then(|| events.clone());
        let (mut ingest, planned) = inner.plan_events(events, Vec::new(), &inner.catalog.load());
        ingest.executions.extend(agreed.into_iter().flat_map(|agreed| agreed.hooks));
        let write = Write::All(vec![change, Write::Ingest(ingest)]);
        kept(&inner.committer.ingest(write, planned).await?)?;
        for kind in kinds {
            inner.metrics.accepted(kind, 1);
        }
        for event in watched.into_iter().flatten() {
            inner.feed.tell(|| Notice::Event(event));
        }
        Ok(())
    }

    async fn define(&self, collection: Collection) -> Result<(), Unkept> {
        let change = Write::from(Change::Collection(collection));
        kept(&self.inner.committer.change(change).await?)
    }

    async fn drop_collection(&self, name: &str) -> Result<(), Unkept> {
        let change = Write::from(Change::RemoveCollection(name.into()));
        kept(&self.inner.committer.change(change).await?)
    }
}

impl Inner {
    /// The kind of source whose events have a type that begins with its name.
    fn kind_of(&self, kind: &str) -> &'static str {
        self.catalog.kind(kind.split('.').next().unwrap_or_default())
    }
}

fn kept(receipt: &Receipt) -> Result<(), Unkept> {
    match receipt {
        Receipt::Refused(conflicts) => Err(Unkept::Conflict(conflicts.clone())),
        Receipt::Changed(_) | Receipt::All(_) => Ok(()),
        other => {
            tracing::error!("A change of documents was answered with {other:?}");
            Err(Rejection::new(Code::Internal, "the store gave an answer of another kind").into())
        }
    }
}
