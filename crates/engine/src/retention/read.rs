//! Lists and look-ups in the archive, with the meaning they have in the record: the same filters,
//! orders, limits and cursors.

use std::collections::BTreeMap;
use std::sync::Arc;

use evoke_model::{Event, EventId, ExecutionId, Rejection, SegmentId, Timestamp};
use evoke_ports::store::{
    BadCursor, Error, EventQuery, ExecutionQuery, Holds, Order, Page, SegmentInfo,
};

use super::policy::About;
use super::segment::Archived;
use super::shelf::{Item, Place, Shelf};
use crate::record::{ExecutionView, unavailable};
use crate::start::{Engine, Inner};

/// More items in one answer take too much memory; the record has the same limit.
const LIMIT_MAX: u32 = 1_000;

/// Segments one page opens at most, some 50 ms of unpacking: a rare filter is looked for in so many
/// at a time.
pub(super) const SEGMENTS_PER_PAGE_MAX: usize = 64;

impl Engine {
    /// A page of the archive's events. What is in the record is never listed here.
    ///
    /// # Errors
    /// API_001 for a bad cursor, ST_001.
    pub async fn archived_events(&self, query: EventQuery) -> Result<Page<Arc<Event>>, Rejection> {
        self.inner.list_events(&query).await.map_err(|error| unavailable(&error))
    }

    /// Since when all events of a type are in the record or in the archive. Those before may be
    /// gone; where there is a limit to the space they take, they may have gone early.
    ///
    /// # Errors
    /// ST_001.
    pub async fn kept_since(&self, kind: &str) -> Result<Timestamp, Rejection> {
        let policy = &self.inner.settings.retention;
        let rule = policy.rule_for(Some(kind), About::Event);
        let since = self.inner.clock.now().minus(policy.keep(Holds::Events, rule));
        if policy.max_bytes.is_none() {
            return Ok(since);
        }
        let shelf = &self.inner.retention.shelf;
        let segments = shelf.find(|info| info.holds == Holds::Events).await;
        let segments = segments.map_err(|error| unavailable(&error))?;
        let oldest = segments.iter().map(|info| info.first.made_at()).min();
        Ok(oldest.map_or(since, |oldest| since.max(oldest)))
    }

    /// A page of the archive's executions. What is in the record is never listed here.
    ///
    /// # Errors
    /// API_001 for a bad cursor, ST_001.
    pub async fn archived_executions(
        &self,
        query: ExecutionQuery,
    ) -> Result<Page<ExecutionView>, Rejection> {
        let page = self.inner.list_executions(&query).await;
        let page = page.map_err(|error| unavailable(&error))?;
        let view = |found: Arc<Archived>| self.inner.view_execution(found.execution.clone());
        Ok(Page { items: page.items.into_iter().map(view).collect(), next: page.next })
    }
}

impl Inner {
    /// An event of the archive.
    pub(crate) async fn archived_event(&self, id: EventId) -> Result<Option<Arc<Event>>, Error> {
        self.retention.shelf.one(Place { event: id.as_u64(), trigger: 0 }).await
    }

    /// An event, wherever it is: in the record or in the archive.
    pub(crate) async fn any_event(&self, id: EventId) -> Result<Option<Arc<Event>>, Error> {
        match self.store.events().event(id).await? {
            None => self.archived_event(id).await,
            found => Ok(found),
        }
    }

    /// An execution of the archive, with its attempts and its edited payload.
    pub(crate) async fn archived_execution(
        &self,
        id: ExecutionId,
    ) -> Result<Option<Arc<Archived>>, Error> {
        let place = Place { event: id.event.as_u64(), trigger: id.trigger.as_u64() };
        self.retention.shelf.one(place).await
    }

    /// Whether an execution is in the archive and no longer in the record.
    pub(crate) async fn is_archived(&self, id: ExecutionId) -> Result<bool, Error> {
        let is_recorded = self.store.executions().execution(id).await?.is_some();
        Ok(!is_recorded && self.archived_execution(id).await?.is_some())
    }

    /// A page of the archive's events, without those that are in the record.
    pub(crate) async fn list_events(&self, query: &EventQuery) -> Result<Page<Arc<Event>>, Error> {
        let page = events(&self.retention.shelf, query).await?;
        let record = self.store.events();
        let mut items = Vec::with_capacity(page.items.len());
        for event in page.items {
            if record.event(event.id).await?.is_none() {
                items.push(event);
            }
        }
        Ok(Page { items, next: page.next })
    }

    /// A page of the archive's executions, without those that are in the record.
    pub(crate) async fn list_executions(
        &self,
        query: &ExecutionQuery,
    ) -> Result<Page<Arc<Archived>>, Error> {
        let page = executions(&self.retention.shelf, query).await?;
        let record = self.store.executions();
        let mut items = Vec::with_capacity(page.items.len());
        for found in page.items {
            if record.execution(found.execution.id).await?.is_none() {
                items.push(found);
            }
        }
        Ok(Page { items, next: page.next })
    }
}

/// A page of the events of all segments.
pub(super) async fn events(shelf: &Shelf, query: &EventQuery) -> Result<Page<Arc<Event>>, Error> {
    let list = List::new("ae.", (query.since, query.until), query.order, query.limit);
    let list = list.behind_cursor(query.cursor.as_deref());
    let list = list.map_err(|bad| Error::new("list archived events", bad))?;
    list.read(shelf, |event| event_fits(query, event)).await
}

/// A page of the executions of all segments.
async fn executions(shelf: &Shelf, query: &ExecutionQuery) -> Result<Page<Arc<Archived>>, Error> {
    let mut list = List::new("ax.", (query.since, query.until), query.order, query.limit);
    if let Some(event) = query.event {
        list = list.about(event);
    }
    let list = list.behind_cursor(query.cursor.as_deref());
    let list = list.map_err(|bad| Error::new("list archived executions", bad))?;
    list.read(shelf, |found| execution_fits(query, found)).await
}

/// Whether an event fits all of a query but its place.
fn event_fits(query: &EventQuery, event: &Event) -> bool {
    let kind_fits = query.kind.as_deref().is_none_or(|wanted| match wanted.strip_suffix('*') {
        Some(prefix) => event.kind.starts_with(prefix),
        None => *event.kind == *wanted,
    });
    kind_fits
        && query.source.as_deref().is_none_or(|source| source == &*event.source)
        && query.subject.as_deref().is_none_or(|subject| Some(subject) == event.subject.as_deref())
        && query.root.is_none_or(|root| event.root() == root || event.id == root)
}

/// Whether an execution fits all of a query but its place.
fn execution_fits(query: &ExecutionQuery, found: &Archived) -> bool {
    let execution = &found.execution;
    (query.triggers.is_empty() || query.triggers.contains(&execution.id.trigger))
        && (query.states.is_empty() || query.states.contains(&execution.state))
        && query.is_test_run.is_none_or(|wanted| wanted == execution.is_test_run)
        && query.is_replay.is_none_or(|wanted| wanted == execution.is_replay)
        && (!query.only_dead_letters || execution.is_dead_letter())
        && query.cause.is_none_or(|cause| execution.cause == Some(cause))
}

/// Which part of a list is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct List {
    /// What the cursors of the list begin with, so that it knows its own.
    sign: &'static str,
    /// The first place.
    from: Place,
    /// The first place behind the last.
    to: Place,
    order: Order,
    limit: usize,
}

impl List {
    fn new(
        sign: &'static str,
        (since, until): (Option<Timestamp>, Option<Timestamp>),
        order: Order,
        limit: u32,
    ) -> Self {
        let first_at = |instant| EventId::first_at(instant).as_u64();
        let from = Place { event: since.map_or(0, first_at), trigger: 0 };
        let to = Place { event: until.map_or(u64::MAX, first_at), trigger: 0 };
        Self { sign, from, to, order, limit: limit.clamp(1, LIMIT_MAX) as usize }
    }

    /// The part of the list about one event.
    fn about(mut self, event: EventId) -> Self {
        let event = event.as_u64();
        self.from = self.from.max(Place { event, trigger: 0 });
        self.to = self.to.min(Place { event: event + 1, trigger: 0 });
        self
    }

    /// The part of the list behind a cursor.
    fn behind_cursor(mut self, cursor: Option<&str>) -> Result<Self, BadCursor> {
        let Some(text) = cursor else { return Ok(self) };
        let place = text.strip_prefix(self.sign).and_then(parse);
        let place = place.ok_or_else(|| BadCursor(text.to_owned()))?;
        match self.order {
            Order::NewestFirst => self.to = self.to.min(place),
            Order::OldestFirst => self.from = self.from.max(place),
        }
        Ok(self)
    }

    /// A page whose next one begins at this place.
    fn page<T>(&self, items: Vec<Arc<T>>, next: Place) -> Page<Arc<T>> {
        let next = format!("{}{:x}.{:x}", self.sign, next.event, next.trigger);
        Page { items, next: Some(next) }
    }

    /// Where a page begins whose first item is at this place.
    fn at(&self, place: Place) -> Place {
        match self.order {
            Order::NewestFirst => Place { trigger: place.trigger + 1, ..place },
            Order::OldestFirst => place,
        }
    }

    /// Where the next page begins when everything up to this segment was looked at.
    fn before(&self, info: &SegmentInfo) -> Place {
        match self.order {
            Order::NewestFirst => Place { event: info.last.as_u64() + 1, trigger: 0 },
            Order::OldestFirst => Place { event: info.first.as_u64(), trigger: 0 },
        }
    }

    /// Whether a page that ends here is any further than where it began.
    fn is_progress(&self, end: Place) -> bool {
        match self.order {
            Order::NewestFirst => end < self.to,
            Order::OldestFirst => end > self.from,
        }
    }

    /// The segments that may hold something of it, the one to be opened first at the end.
    async fn segments<T: Item>(&self, shelf: &Shelf) -> Result<Vec<Arc<SegmentInfo>>, Error> {
        let fits = |info: &SegmentInfo| {
            info.holds == T::HOLDS
                && info.last.as_u64() >= self.from.event
                && info.first.as_u64() <= self.to.event
        };
        let mut infos = shelf.find(fits).await?;
        match self.order {
            Order::NewestFirst => infos.sort_unstable_by_key(|info| info.last),
            Order::OldestFirst => infos.sort_unstable_by_key(|info| std::cmp::Reverse(info.first)),
        }
        Ok(infos)
    }

    /// Reads the page. Segments may overlap; one is opened when the next item may be in it.
    async fn read<T: Item>(
        &self,
        shelf: &Shelf,
        fits: impl Fn(&T) -> bool,
    ) -> Result<Page<Arc<T>>, Error> {
        let mut closed = self.segments::<T>(shelf).await?;
        let mut ahead = Ahead { order: self.order, items: BTreeMap::new() };
        let mut items: Vec<Arc<T>> = Vec::new();
        let mut opened = 0;
        loop {
            let ready = ahead.next();
            let may_hold = |info: &Arc<SegmentInfo>| match (self.order, ready) {
                (_, None) => true,
                (Order::NewestFirst, Some(place)) => info.last.as_u64() >= place.event,
                (Order::OldestFirst, Some(place)) => info.first.as_u64() <= place.event,
            };
            if let Some(info) = closed.pop_if(|info| may_hold(info)) {
                let edge = self.before(&info);
                if opened >= SEGMENTS_PER_PAGE_MAX && self.is_progress(edge) {
                    return Ok(self.page(items, edge));
                }
                opened += 1;
                let contents = shelf.open(&info).await?;
                let within = |item: &&Arc<T>| (self.from..self.to).contains(&item.place());
                for item in T::of(&contents).iter().filter(within) {
                    ahead.put(info.id, item, fits(item));
                }
                continue;
            }
            let Some(place) = ready else { return Ok(Page { items, next: None }) };
            if let Some(item) = ahead.take(place) {
                if items.len() == self.limit {
                    return Ok(self.page(items, self.at(place)));
                }
                items.push(item);
            }
        }
    }
}

fn parse(text: &str) -> Option<Place> {
    let (event, trigger) = text.split_once('.')?;
    let number = |text| u64::from_str_radix(text, 16).ok().filter(|number| number >> 63 == 0);
    Some(Place { event: number(event)?, trigger: number(trigger)? })
}

/// Items of opened segments whose turn comes. What came into the archive twice counts as it came
/// last, even if it no longer fits as that.
struct Ahead<T> {
    order: Order,
    items: BTreeMap<Place, (SegmentId, Option<Arc<T>>)>,
}

impl<T: Item> Ahead<T> {
    fn next(&self) -> Option<Place> {
        let end = match self.order {
            Order::NewestFirst => self.items.last_key_value(),
            Order::OldestFirst => self.items.first_key_value(),
        };
        end.map(|(place, _)| *place)
    }

    fn put(&mut self, segment: SegmentId, item: &Arc<T>, fits: bool) {
        let new = (segment, fits.then(|| item.clone()));
        let entry = self.items.entry(item.place()).or_insert_with(|| new.clone());
        if entry.0 < segment {
            *entry = new;
        }
    }

    fn take(&mut self, place: Place) -> Option<Arc<T>> {
        self.items.remove(&place).and_then(|(_, item)| item)
    }
}
