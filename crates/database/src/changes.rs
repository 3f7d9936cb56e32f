//! What happens in a collection, in the order of the log: each change once, none left out, whenever
//! a reader comes back, be it that the log has moved what happened meanwhile into its archive.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use evoke_model::{Event, EventId, Rejection, Timestamp};
use evoke_ports::store::{EventQuery, Order, Page};
use tokio::sync::watch;

use crate::database::Inner;
use crate::operation::Action;
use crate::refusal;

/// How long a collection is quiet before what others wrote meanwhile is passed by.
const REST: Duration = Duration::from_secs(10);

/// How far a reader to whom nothing is told gets before it is told how far it got.
const FAR: Duration = Duration::from_secs(600);

/// Events read at a time.
const EVENTS_MAX: u32 = 500;

/// Events that left the log as they grew old.
#[async_trait]
pub trait OldEvents: Send + Sync {
    /// A page of them; see [`evoke_ports::store::Events::events`]. An event that leaves the log is
    /// here before it is gone there.
    ///
    /// # Errors
    /// They cannot be read.
    async fn events(&self, query: EventQuery) -> Result<Page<Arc<Event>>, Rejection>;

    /// Since when all events of a type are here or in the log. Those before may be gone for good.
    ///
    /// # Errors
    /// It cannot be found out.
    async fn kept_since(&self, kind: &str) -> Result<Timestamp, Rejection>;
}

/// What a reader is told.
#[derive(Clone, Debug)]
pub enum Told {
    /// A change.
    Change(Arc<Event>),
    /// Nothing but how far it got: whoever comes back goes on behind this.
    UpTo(EventId),
    /// It was away for so long that what happened before this may be gone. What is left follows.
    Missed(Timestamp),
}

/// A reader of the changes of one collection.
pub struct Changes {
    inner: Arc<Inner>,
    collection: Arc<str>,
    ended: watch::Receiver<u64>,
    /// What was given out, or looked at, up to here.
    after: u64,
    /// Up to where the reader was told that it got; `None` before it was told anything.
    told: Option<u64>,
    /// It comes from somewhere and was not told yet whether something is missing.
    is_back: bool,
    ready: VecDeque<Arc<Event>>,
}

/// Where events are.
#[derive(Clone, Copy, Debug)]
enum Kept {
    Log,
    Archive,
}

impl Changes {
    pub(crate) fn new(inner: Arc<Inner>, collection: &str, after: Option<EventId>) -> Self {
        let collection: Arc<str> = collection.into();
        let ended = inner.ongoing.watch(collection.clone());
        let now = || inner.ongoing.settled(inner.journal.as_ref(), &collection).as_u64() - 1;
        let told = after.map(EventId::as_u64);
        let after = told.unwrap_or_else(now);
        let (is_back, ready) = (told.is_some(), VecDeque::new());
        Self { inner, collection, ended, after, told, is_back, ready }
    }

    /// What comes next; waits for it as long as it takes. May be dropped and asked again.
    ///
    /// # Errors
    /// The log cannot be read.
    pub async fn next(&mut self) -> Result<Told, Rejection> {
        if self.is_back {
            let since = self.kept_since().await?;
            self.is_back = false;
            if EventId::from_u64(self.after).made_at() < since {
                return Ok(Told::Missed(since));
            }
        }
        loop {
            if let Some(event) = self.ready.pop_front() {
                self.after = event.id.as_u64();
                self.told = Some(self.after);
                return Ok(Told::Change(event));
            }
            if self.is_far() {
                self.told = Some(self.after);
                return Ok(Told::UpTo(EventId::from_u64(self.after)));
            }
            // Noted before it is looked, so that nothing falls between the two.
            self.ended.borrow_and_update();
            self.look().await?;
            if self.ready.is_empty() {
                self.wait().await;
            }
        }
    }

    /// Since when all changes of the collection are kept.
    async fn kept_since(&self) -> Result<Timestamp, Rejection> {
        let mut since = Timestamp::default();
        for action in [Action::Create, Action::Update, Action::Delete] {
            let kind = format!("database.{}.{}", self.collection, action.as_str());
            since = since.max(self.inner.archive.kept_since(&kind).await?);
        }
        Ok(since)
    }

    /// Whether the reader got further than it knows.
    fn is_far(&self) -> bool {
        let Some(told) = self.told else { return true };
        let at = |id| EventId::from_u64(id).made_at();
        at(self.after).since(at(told)) >= FAR
    }

    /// Waits until a change of the collection came to its end, or the reader got far.
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
                () = tokio::time::sleep(REST) => {
                    self.pass_by();
                    if self.is_far() {
                        return;
                    }
                }
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
        // The log first: what leaves it meanwhile is in the archive by then.
        let (mut events, end) = self.read(Kept::Log, settled).await?;
        let (old, old_end) = self.read(Kept::Archive, settled).await?;
        // Beyond the nearer end only a part is known.
        let end = end.min(old_end);
        events.extend(old);
        events.retain(|event| event.id.as_u64() <= end);
        events.sort_unstable_by_key(|event| event.id);
        events.dedup_by_key(|event| event.id);
        self.ready.extend(events);
        if self.ready.is_empty() {
            self.after = self.after.max(end);
        }
        Ok(())
    }

    /// The next events of those that are settled, and up to where these are all.
    async fn read(&self, kept: Kept, settled: u64) -> Result<(Vec<Arc<Event>>, u64), Rejection> {
        let mut query = EventQuery {
            kind: Some(format!("database.{}.*", self.collection)),
            source: Some(format!("/database/{}", self.collection)),
            since: Some(EventId::from_u64(self.after).made_at()),
            order: Order::OldestFirst,
            limit: EVENTS_MAX,
            ..EventQuery::default()
        };
        let is_new = |event: &Arc<Event>| (self.after + 1..settled).contains(&event.id.as_u64());
        loop {
            let page = match kept {
                Kept::Log => {
                    let page = self.inner.events.events(query.clone()).await;
                    page.map_err(|error| refusal::unavailable(&error))?
                }
                Kept::Archive => self.inner.archive.events(query.clone()).await?,
            };
            let last = page.items.last().map(|last| last.id.as_u64());
            let events: Vec<_> = page.items.into_iter().filter(is_new).collect();
            match (page.next, last) {
                (None, _) => return Ok((events, settled - 1)),
                (_, Some(last)) if last >= settled => return Ok((events, settled - 1)),
                (_, Some(last)) if !events.is_empty() => return Ok((events, last)),
                (next, _) => query.cursor = next,
            }
        }
    }
}
