use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use evoke_model::{Event, EventId, SegmentId};
use evoke_ports::store::{
    Archive, Error, EventQuery, Holds, Order, Page, Ripe, SegmentInfo, SegmentQuery, Size, Whole,
};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::retention::read::{self, SEGMENTS_PER_PAGE_MAX};
use crate::retention::segment::Contents;
use crate::retention::shelf::{Place, Shelf};
use crate::settings::CommitterRuns;

/// An archive of these segments.
struct Shelved(HashMap<SegmentId, (SegmentInfo, Bytes)>);

#[async_trait]
impl Archive for Shelved {
    async fn ripe(&self, _: Ripe) -> Result<Vec<Whole>, Error> {
        Ok(Vec::new())
    }
    async fn segments(&self, _: SegmentQuery) -> Result<Vec<SegmentInfo>, Error> {
        Ok(self.0.values().map(|(info, _)| info.clone()).collect())
    }
    async fn segment(&self, id: SegmentId) -> Result<Option<Bytes>, Error> {
        Ok(self.0.get(&id).map(|(_, content)| content.clone()))
    }
    async fn size(&self) -> Result<Size, Error> {
        Ok(Size::default())
    }
}

fn event(id: u64, kind: &str) -> Event {
    super::event(EventId::from_u64(id), kind)
}

/// Segments of these events; the segments get rising ids.
fn shelf(segments: &[Vec<Event>]) -> Shelf {
    let mut shelved = HashMap::new();
    for (place, events) in segments.iter().enumerate().filter(|(_, events)| !events.is_empty()) {
        let mut events = events.clone();
        events.sort_by_key(|event| event.id);
        events.dedup_by_key(|event| event.id);
        let id = SegmentId::from_u64(place as u64 + 1);
        let info = SegmentInfo {
            id,
            holds: Holds::Events,
            class: "default".into(),
            first: events[0].id,
            last: events[events.len() - 1].id,
            items: events.len() as u32,
            bytes: 1,
        };
        let contents = Contents::Events(events.into_iter().map(Arc::new).collect());
        shelved.insert(id, (info, contents.encode().unwrap()));
    }
    Shelf::new(Arc::new(Shelved(shelved)), CommitterRuns::Thread)
}

/// All pages, one after the other.
async fn pages(shelf: &Shelf, mut query: EventQuery) -> Vec<Page<Arc<Event>>> {
    let mut pages = Vec::new();
    loop {
        let page = read::events(shelf, &query).await.unwrap();
        query.cursor = page.next.clone();
        pages.push(page);
        assert!(pages.len() < 10_000, "the pages never end");
        if query.cursor.is_none() {
            return pages;
        }
    }
}

fn ids(pages: &[Page<Arc<Event>>]) -> Vec<u64> {
    pages.iter().flat_map(|page| &page.items).map(|event| event.id.as_u64()).collect()
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn pages_over_overlapping_segments_give_each_item_once_and_in_order(
        segments in vec(vec((1..60u64, prop::bool::ANY), 0..8), 0..12),
        limit in 1..7u32,
        is_oldest_first in any::<bool>(),
        filtered in any::<bool>(),
    ) {
        let named = |fits: bool| if fits { "wanted.x" } else { "other" };
        let segments: Vec<Vec<Event>> = segments
            .iter()
            .map(|some| {
                let mut seen = BTreeMap::new();
                for (id, fits) in some {
                    seen.entry(*id).or_insert_with(|| event(*id, named(*fits)));
                }
                seen.into_values().collect()
            })
            .collect();
        // What is in several segments counts as it is in the newest.
        let mut truth = BTreeMap::new();
        for event in segments.iter().flatten() {
            truth.insert(event.id.as_u64(), event.kind.clone());
        }
        let mut expected: Vec<u64> = truth
            .iter()
            .filter(|(_, kind)| !filtered || kind.starts_with("wanted."))
            .map(|(id, _)| *id)
            .collect();
        if !is_oldest_first {
            expected.reverse();
        }
        let query = EventQuery {
            kind: filtered.then(|| "wanted.*".to_owned()),
            order: if is_oldest_first { Order::OldestFirst } else { Order::NewestFirst },
            limit,
            ..EventQuery::default()
        };
        let pages = block_on(pages(&shelf(&segments), query));
        prop_assert_eq!(ids(&pages), expected);
        prop_assert!(pages.iter().all(|page| page.items.len() <= limit as usize));
    }
}

#[tokio::test]
async fn a_rare_filter_is_looked_for_so_many_segments_at_a_time() {
    let count = 3 * SEGMENTS_PER_PAGE_MAX as u64;
    let segments: Vec<Vec<Event>> = (1..=count)
        .map(|number| {
            let kind = if number == 2 { "rare" } else { "usual" };
            vec![event(10 * number, kind), event(10 * number + 5, "usual")]
        })
        .collect();
    let shelf = shelf(&segments);
    for order in [Order::NewestFirst, Order::OldestFirst] {
        let kind = Some("rare".to_owned());
        let query = EventQuery { kind, order, limit: 5, ..EventQuery::default() };
        let pages = pages(&shelf, query).await;
        assert_eq!(ids(&pages), [20]);
        assert_eq!(pages.len(), 3, "{order:?}");
    }
}

#[tokio::test]
async fn many_segments_over_the_same_time_do_not_stop_a_page() {
    let count = 2 * SEGMENTS_PER_PAGE_MAX as u64;
    let segments: Vec<Vec<Event>> =
        (1..=count).map(|number| vec![event(number, "a"), event(10_000, "b")]).collect();
    for order in [Order::NewestFirst, Order::OldestFirst] {
        let query = EventQuery { order, limit: 1_000, ..EventQuery::default() };
        assert_eq!(ids(&pages(&shelf(&segments), query).await).len(), count as usize + 1);
    }
}

#[tokio::test]
async fn foreign_cursors_are_refused() {
    let shelf = shelf(&[vec![event(1, "a")]]);
    for cursor in ["", "ff", "1.1", "ax.1.1", "ae.1", "ae.-1.0", "ae.1.2.3", "ae.g.0"] {
        let query = EventQuery { cursor: Some(cursor.into()), limit: 1, ..EventQuery::default() };
        let error = read::events(&shelf, &query).await.map(|page| page.items.len());
        let error = error.expect_err(cursor);
        assert!(error.source.is::<evoke_ports::store::BadCursor>(), "{cursor}");
    }
}

#[tokio::test]
async fn one_item_is_found_as_it_came_last() {
    let segments =
        [vec![event(1, "old"), event(5, "a")], vec![event(1, "new")], vec![event(3, "c")]];
    let shelf = shelf(&segments);
    let kind = async |id| {
        let found = shelf.one::<Event>(Place { event: id, trigger: 0 }).await.unwrap();
        found.map(|event| event.kind.to_string())
    };
    assert_eq!(kind(1).await.as_deref(), Some("new"));
    assert_eq!(kind(5).await.as_deref(), Some("a"));
    assert_eq!(kind(3).await.as_deref(), Some("c"));
    assert_eq!(kind(4).await, None);
    assert_eq!(kind(9).await, None);
}
