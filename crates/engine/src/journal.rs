//! The engine as the data services see it: they ask, and commit their changes with their news.

use std::sync::Arc;

use async_trait::async_trait;
use evoke_document::Collection;
use evoke_model::{Code, Event, EventId, Rejection, Timestamp};
use evoke_ports::store::{Change, DocumentChange, NewExecution, Receipt, Why, Write};
use evoke_ports::{Agreed, Journal, News, Unkept};

use crate::feed::Notice;
use crate::hooks::Unmade;
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
        agreed: Vec<Agreed>,
    ) -> Result<(), Unkept> {
        let inner = self.inner.clone();
        // A caller who leaves while it is queued does not undo it, nor what follows it.
        let made = self.inner.tasks.spawn(async move { inner.make_changes(changes, agreed).await });
        made.await.unwrap_or_else(|error| {
            tracing::error!("A change of documents fell over: {error}");
            Err(Rejection::new(Code::Internal, "this is our mistake; the log has more").into())
        })
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
    async fn make_changes(
        &self,
        changes: Vec<DocumentChange>,
        mut agreed: Vec<Agreed>,
    ) -> Result<(), Unkept> {
        let change = Write::from(Change::Documents(changes));
        if agreed.is_empty() {
            return kept(&self.committer.change(change).await?);
        }
        // Events are written with rising ids.
        agreed.sort_unstable_by_key(|agreed| agreed.event.id);
        let events: Vec<_> = agreed.iter().map(|agreed| agreed.event.clone()).collect();
        let kinds: Vec<_> = events.iter().map(|event| self.kind_of(&event.kind)).collect();
        let watched = self.feed.is_watched().then(|| events.clone());
        let (mut ingest, planned) = self.plan_events(events, Vec::new(), &self.catalog.load());
        let mut asked = Vec::new();
        for Agreed { event, hooks, .. } in agreed {
            let hooks = hooks.take();
            ingest.executions.extend(hooks.iter().cloned());
            asked.push((event, hooks));
        }
        let write = Write::All(vec![change, Write::Ingest(ingest)]);
        let receipt = self.committer.ingest(write, planned).await.map_err(Unkept::from);
        if let Err(unkept) = receipt.and_then(|receipt| kept(&receipt)) {
            self.not_made(&unkept, asked).await;
            return Err(unkept);
        }
        for kind in kinds {
            self.metrics.accepted(kind, 1);
        }
        for event in watched.into_iter().flatten() {
            self.feed.tell(|| Notice::Event(event));
        }
        Ok(())
    }

    /// Records the hooks that were asked about changes that were not made. Where only a document
    /// was changed meanwhile they are asked once more, and recorded then.
    async fn not_made(&self, unkept: &Unkept, asked: Vec<(Arc<Event>, Vec<NewExecution>)>) {
        let is_overtaken = matches!(unkept, Unkept::Conflict(conflicts)
            if conflicts.iter().all(|conflict| conflict.why == Why::Changed));
        if is_overtaken {
            return;
        }
        for (event, hooks) in asked.into_iter().filter(|(_, hooks)| !hooks.is_empty()) {
            self.record_unmade(Unmade::new(&event, hooks)).await;
        }
    }

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
