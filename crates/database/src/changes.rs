//! What happens in a collection, in the order of the log: each change once, none left out, whenever
//! a reader comes back.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use evoke_model::{Event, EventId, Rejection};
use evoke_ports::store::{EventQuery, Order};
use tokio::sync::watch;

use crate::database::Inner;
use crate::refusal;

/// How long a collection is quiet before what others wrote meanwhile is passed by.
const REST: Duration = Duration::from_secs(10);

/// Events read at a time.
const EVENTS_MAX: u32 = 500;

/// A reader of the changes of one collection.
pub struct Changes {
    inner: Arc<Inner>,
    collection: Arc<str>,
    ended: watch::Receiver<u64>,
    /// What was given out, or looked at, up to here.
    after: u64,
    ready: VecDeque<Arc<Event>>,
}

impl Changes {
    pub(crate) fn new(inner: Arc<Inner>, collection: &str, after: Option<EventId>) -> Self {
        let collection: Arc<str> = collection.into();
        let ended = inner.ongoing.watch(collection.clone());
        let now = || inner.ongoing.settled(inner.journal.as_ref(), &collection).as_u64() - 1;
        let after = after.map_or_else(now, EventId::as_u64);
        Self { inner, collection, ended, after, ready: VecDeque::new() }
    }

    /// The next change; waits for it as long as it takes. May be dropped and asked again.
    ///
    /// # Errors
    /// The log cannot be read.
    pub async fn next(&mut self) -> Result<Arc<Event>, Rejection> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                self.after = event.id.as_u64();
                return Ok(event);
            }
            // Noted before it is looked, so that nothing falls between the two.
            self.ended.borrow_and_update();
            self.look().await?;
            if self.ready.is_empty() {
                self.wait().await;
            }
        }
    }

    /// Waits until a change of the collection came to its end.
    async fn wait(&mut self) {
        loop {
            tokio::select! {
                changed = self.ended.changed() => {
                    if changed.is_err() {
                        tracing::debug!("Changes of a collection are no more told");
                        std::future::pending::<()>().await;
                    }
                    return;
                }
                () = tokio::time::sleep(REST) => self.pass_by(),
            }
        }
    }

    /// Passes by what came into the log meanwhile, which is of others, so that it is not looked
    /// through once there is a change.
    pub(crate) fn pass_by(&mut self) {
        let journal = self.inner.journal.as_ref();
        let settled = self.inner.ongoing.settled(journal, &self.collection).as_u64();
        if self.ended.has_changed().is_ok_and(|has_changed| !has_changed) {
            self.after = self.after.max(settled - 1);
        }
    }

    /// Reads what came into the log and has nothing before it that may still come.
    async fn look(&mut self) -> Result<(), Rejection> {
        let journal = self.inner.journal.as_ref();
        let settled = self.inner.ongoing.settled(journal, &self.collection).as_u64();
        let mut query = EventQuery {
            kind: Some(format!("database.{}.*", self.collection)),
            source: Some(format!("/database/{}", self.collection)),
            since: Some(EventId::from_u64(self.after).made_at()),
            order: Order::OldestFirst,
            limit: EVENTS_MAX,
            ..EventQuery::default()
        };
        loop {
            let page = self.inner.events.events(query.clone()).await;
            let page = page.map_err(|error| refusal::unavailable(&error))?;
            let is_new =
                |event: &Arc<Event>| (self.after + 1..settled).contains(&event.id.as_u64());
            let is_beyond = page.items.last().is_some_and(|last| last.id.as_u64() >= settled);
            self.ready.extend(page.items.into_iter().filter(is_new));
            if !self.ready.is_empty() {
                return Ok(());
            }
            match page.next {
                Some(next) if !is_beyond => query.cursor = Some(next),
                _ => break,
            }
        }
        self.after = self.after.max(settled - 1);
        Ok(())
    }
}
