//! What is known of all segments, and the segments that were opened last. This process is the only
//! one that writes them, so the list is read once and then kept up.

use std::collections::HashMap;
use std::sync::Arc;

use evoke_model::{Event, EventId, SegmentId};
use evoke_ports::store::{Archive, Error, Holds, SegmentInfo, SegmentQuery};
use parking_lot::{Mutex, RwLock};
use tokio::sync::OnceCell;

use super::pace;
use super::segment::{self, Archived, Contents};
use crate::settings::CommitterRuns;

/// Bytes of unpacked segments that are kept: some thirty of the usual ones, so that turning pages
/// back and forth opens nothing twice.
const CACHE_BYTES_MAX: usize = 16 << 20;

type Infos = RwLock<Vec<Arc<SegmentInfo>>>;

/// The archive as readers see it.
pub(crate) struct Shelf {
    archive: Arc<dyn Archive>,
    runs: CommitterRuns,
    infos: OnceCell<Infos>,
    cache: Mutex<Cache>,
}

/// How much there is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    pub(crate) segments: u64,
    pub(crate) events: u64,
    pub(crate) executions: u64,
    pub(crate) oldest: Option<EventId>,
}

/// What can lie in a segment.
pub(crate) trait Item: Sized {
    const HOLDS: Holds;

    /// Where it stands in its list.
    fn place(&self) -> Place;

    /// The items of a segment.
    fn of(contents: &Contents) -> &[Arc<Self>];
}

/// An event and, for executions, a trigger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) event: u64,
    pub(crate) trigger: u64,
}

impl Item for Event {
    const HOLDS: Holds = Holds::Events;

    fn place(&self) -> Place {
        Place { event: self.id.as_u64(), trigger: 0 }
    }

    fn of(contents: &Contents) -> &[Arc<Self>] {
        match contents {
            Contents::Events(events) => events,
            Contents::Executions(_) => &[],
        }
    }
}

impl Item for Archived {
    const HOLDS: Holds = Holds::Executions;

    fn place(&self) -> Place {
        let id = self.execution.id;
        Place { event: id.event.as_u64(), trigger: id.trigger.as_u64() }
    }

    fn of(contents: &Contents) -> &[Arc<Self>] {
        match contents {
            Contents::Executions(executions) => executions,
            Contents::Events(_) => &[],
        }
    }
}

impl Shelf {
    pub(crate) fn new(archive: Arc<dyn Archive>, runs: CommitterRuns) -> Self {
        Self { archive, runs, infos: OnceCell::new(), cache: Mutex::default() }
    }

    async fn infos(&self) -> Result<&Infos, Error> {
        let read = || async {
            let infos = self.archive.segments(SegmentQuery::default()).await?;
            Ok(RwLock::new(infos.into_iter().map(Arc::new).collect()))
        };
        self.infos.get_or_try_init(read).await
    }

    /// The segments that fit, in no order.
    pub(crate) async fn find(
        &self,
        fits: impl Fn(&SegmentInfo) -> bool,
    ) -> Result<Vec<Arc<SegmentInfo>>, Error> {
        let infos = self.infos().await?.read();
        Ok(infos.iter().filter(|info| fits(info)).cloned().collect())
    }

    /// Notes segments that are about to be written. They are noted before, so that no reader finds
    /// an item neither in the record nor here; until they are written they open as nothing.
    pub(crate) async fn add(&self, new: &[SegmentInfo]) -> Result<(), Error> {
        let mut infos = self.infos().await?.write();
        infos.extend(new.iter().cloned().map(Arc::new));
        Ok(())
    }

    /// Forgets segments that are gone.
    pub(crate) fn remove(&self, ids: &[SegmentId]) {
        if let Some(infos) = self.infos.get() {
            infos.write().retain(|info| !ids.contains(&info.id));
        }
        let mut cache = self.cache.lock();
        for id in ids {
            cache.remove(*id);
        }
    }

    pub(crate) async fn totals(&self) -> Result<Totals, Error> {
        let infos = self.infos().await?.read();
        let mut totals = Totals { segments: infos.len() as u64, ..Totals::default() };
        for info in infos.iter() {
            match info.holds {
                Holds::Events => totals.events += u64::from(info.items),
                Holds::Executions => totals.executions += u64::from(info.items),
            }
            let oldest = totals.oldest.unwrap_or(info.first);
            totals.oldest = Some(oldest.min(info.first));
        }
        Ok(totals)
    }

    /// The items of a segment; nothing when it is not there (any more).
    pub(crate) async fn open(&self, info: &SegmentInfo) -> Result<Arc<Contents>, Error> {
        if let Some(known) = self.cache.lock().get(info.id) {
            return Ok(known);
        }
        let holds = info.holds;
        let Some(content) = self.archive.segment(info.id).await? else {
            return Ok(Arc::new(Contents::Events(Vec::new())));
        };
        let bytes = segment::unpacked_bytes(&content);
        let unpack = move || match holds {
            Holds::Events => Contents::events(&content),
            Holds::Executions => Contents::executions(&content),
        };
        let failed = |source| Error { action: format!("open segment {}", info.id), source };
        let contents = pace::aside(self.runs, unpack)
            .await
            .map_err(|panic| failed(Box::new(panic)))?
            .map_err(|unreadable| failed(Box::new(unreadable)))?;
        let contents = Arc::new(contents);
        self.cache.lock().put(info.id, contents.clone(), bytes);
        Ok(contents)
    }

    /// One item, wherever it is. What came into the archive twice counts as it came last.
    pub(crate) async fn one<T: Item>(&self, place: Place) -> Result<Option<Arc<T>>, Error> {
        let event = EventId::from_u64(place.event);
        let fits = |info: &SegmentInfo| {
            info.holds == T::HOLDS && info.first <= event && event <= info.last
        };
        let mut infos = self.find(fits).await?;
        infos.sort_unstable_by_key(|info| std::cmp::Reverse(info.id));
        for info in infos {
            let contents = self.open(&info).await?;
            let items = T::of(&contents);
            if let Ok(found) = items.binary_search_by_key(&place, |item| item.place()) {
                return Ok(Some(items[found].clone()));
            }
        }
        Ok(None)
    }
}

/// The segments that were opened last.
#[derive(Default)]
struct Cache {
    opened: HashMap<SegmentId, Opened>,
    bytes: usize,
    /// Counts the uses.
    tick: u64,
}

struct Opened {
    contents: Arc<Contents>,
    bytes: usize,
    used: u64,
}

impl Cache {
    fn get(&mut self, id: SegmentId) -> Option<Arc<Contents>> {
        self.tick += 1;
        let opened = self.opened.get_mut(&id)?;
        opened.used = self.tick;
        Some(opened.contents.clone())
    }

    fn remove(&mut self, id: SegmentId) {
        if let Some(opened) = self.opened.remove(&id) {
            self.bytes -= opened.bytes;
        }
    }

    /// Keeps a segment, at the cost of those that were not used for longest.
    fn put(&mut self, id: SegmentId, contents: Arc<Contents>, bytes: usize) {
        if bytes > CACHE_BYTES_MAX {
            return;
        }
        self.remove(id);
        while self.bytes + bytes > CACHE_BYTES_MAX {
            let oldest = self.opened.iter().min_by_key(|(_, opened)| opened.used);
            let Some(oldest) = oldest.map(|(id, _)| *id) else { break };
            self.remove(oldest);
        }
        self.tick += 1;
        self.bytes += bytes;
        self.opened.insert(id, Opened { contents, bytes, used: self.tick });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cache_holds_so_many_bytes_of_what_was_used_last() {
        let mut cache = Cache::default();
        let id = SegmentId::from_u64;
        let empty = || Arc::new(Contents::Events(Vec::new()));
        let third = CACHE_BYTES_MAX / 3;
        for number in 1..=3 {
            cache.put(id(number), empty(), third);
        }
        assert!(cache.get(id(1)).is_some());
        cache.put(id(4), empty(), third);
        let kept = |cache: &mut Cache| [1, 2, 3, 4].map(|n| cache.get(id(n)).is_some());
        assert_eq!(kept(&mut cache), [true, false, true, true]);
        cache.put(id(5), empty(), CACHE_BYTES_MAX + 1);
        assert_eq!(kept(&mut cache), [true, false, true, true]);
        cache.put(id(6), empty(), CACHE_BYTES_MAX);
        assert_eq!(kept(&mut cache), [false; 4]);
        cache.remove(id(6));
        assert_eq!(cache.bytes, 0);
    }
}
