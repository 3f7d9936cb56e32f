//! What is old, what leaves the record, and the archive it goes to.

use std::time::Duration;

use bytes::Bytes;
use evoke_model::{
    Attempt, Data, Event, EventId, Execution, ExecutionId, Millis, SegmentId, State, Timestamp,
};
use evoke_ports::store::{
    Change, Holds, NewExecution, Next, Removal, Ripe, Segment, SegmentInfo, SegmentQuery, Whole,
};

use super::bench::{Bench, done, failed, pending, rich_attempt, rich_event, succeeded};
use super::{Harness, bench};

pub(super) async fn run<H: Harness>(harness: &H) {
    what_is_old_comes_whole(&mut bench(harness).1).await;
    what_is_old_comes_in_parts(&mut bench(harness).1).await;
    what_is_removed_is_gone(&mut bench(harness).1).await;
    what_is_not_final_stays(&mut bench(harness).1).await;
    what_lost_its_event_is_not_opened_again(&mut bench(harness).1).await;
    a_segment_takes_the_place_of_what_it_holds(&mut bench(harness).1).await;
    segments_are_found_by_what_they_are_about(&mut bench(harness).1).await;
    the_archive_is_part_of_the_size(&mut bench(harness).1).await;
    shrinking_loses_nothing(&mut bench(harness).1).await;
}

const END: Timestamp = Timestamp::from_micros(i64::MAX);

fn all() -> Ripe {
    Ripe { after: EventId::from_u64(0), before: END, limit: 1_000 }
}

async fn ripe(bench: &Bench, query: Ripe) -> Vec<Whole> {
    bench.store.archive().ripe(query).await.expect("read what is old")
}

/// What can be compared of it.
type Parts = (EventId, Option<Event>, Vec<(Execution, Vec<Attempt>)>);

fn parts(whole: &Whole) -> Parts {
    let event = whole.event.as_deref().cloned();
    (whole.id, event, whole.executions.clone())
}

/// An event that is over, with two executions of which the second was tried three times.
fn over(bench: &mut Bench) -> (Event, [ExecutionId; 2]) {
    bench.now = bench.now.plus(Millis::from_secs(1));
    let event = rich_event(bench.event("over"));
    let executions = [bench.trigger(), bench.trigger()].map(|trigger| NewExecution {
        order_key: Some("user-1".into()),
        ..pending(&event, trigger, bench.now)
    });
    let ids = executions.each_ref().map(|execution| execution.id);
    bench.ingest_planned(std::slice::from_ref(&event), executions.to_vec());
    bench.finish(ids[0], Some(succeeded(1)), done(State::Success));
    for number in [1, 2] {
        let attempt = rich_attempt(failed(number));
        bench.finish(ids[1], Some(attempt), Next::Retry { due: bench.now });
    }
    bench.finish(ids[1], Some(failed(3)), done(State::Failed));
    (event, ids)
}

async fn what_is_old_comes_whole(bench: &mut Bench) {
    assert!(ripe(bench, all()).await.is_empty());
    let alone = bench.event("alone");
    bench.ingest_planned(std::slice::from_ref(&alone), Vec::new());
    let (event, ids) = over(bench);
    let waiting = bench.waiting();
    let found = ripe(bench, all()).await;
    let mut executions = Vec::new();
    for id in ids {
        executions.push((bench.execution(id).await, bench.attempts(id).await));
    }
    let waits = (bench.execution(waiting).await, Vec::new());
    let third = bench.stored_event(waiting.event).await;
    let expected = [
        (alone.id, Some(alone), Vec::new()),
        (event.id, Some(event), executions),
        (waiting.event, third, vec![waits]),
    ];
    assert_eq!(found.iter().map(parts).collect::<Vec<_>>(), expected);
    assert_eq!(found[1].executions[1].1.len(), 3);
}

async fn what_is_old_comes_in_parts(bench: &mut Bench) {
    let over: Vec<_> = (0..5).map(|_| over(bench)).collect();
    let ids: Vec<EventId> = over.iter().map(|(event, _)| event.id).collect();
    // Of the second only executions are left, of the fourth only the event.
    remove(bench, Removal { events: vec![ids[1]], executions: over[3].1.to_vec() });
    for limit in [1, 2, 3, 5, 6] {
        let mut query = Ripe { limit, ..all() };
        let mut found = Vec::new();
        loop {
            let part = ripe(bench, query.clone()).await;
            assert!(part.len() <= limit as usize, "{} events", part.len());
            let Some(last) = part.last() else { break };
            query.after = last.id;
            found.extend(part.iter().map(parts));
        }
        let whole = ripe(bench, all()).await;
        assert_eq!(found, whole.iter().map(parts).collect::<Vec<_>>(), "{limit} a part");
        assert_eq!(found.iter().map(|(id, ..)| *id).collect::<Vec<_>>(), ids);
        assert_eq!((found[1].1.as_ref(), found[1].2.len()), (None, 2));
        assert_eq!((found[3].1.is_some(), found[3].2.len()), (true, 0));
    }
    let of = |found: Vec<Whole>| found.iter().map(|whole| whole.id).collect::<Vec<_>>();
    let before = ids[3].made_at();
    assert_eq!(of(ripe(bench, Ripe { before, ..all() }).await), ids[..3]);
    let after = ids[1];
    assert_eq!(of(ripe(bench, Ripe { after, before, ..all() }).await), ids[2..3]);
    assert!(ripe(bench, Ripe { after: ids[4], before, ..all() }).await.is_empty());
    assert!(ripe(bench, Ripe { before: Timestamp::EPOCH, ..all() }).await.is_empty());
}

fn remove(bench: &mut Bench, removal: Removal) -> bool {
    bench.change(Change::Remove(removal))
}

async fn what_is_removed_is_gone(bench: &mut Bench) {
    let (event, ids) = over(bench);
    let (kept, kept_ids) = over(bench);
    let data = Data::Text(Bytes::from_static(b"edited"));
    bench.change(Change::Edit { id: ids[1], data });
    assert!(remove(bench, Removal { events: Vec::new(), executions: vec![ids[1]] }));
    assert!(bench.stored_event(event.id).await.is_some());
    assert!(bench.store.executions().execution(ids[0]).await.expect("read").is_some());
    assert_eq!(bench.store.executions().execution(ids[1]).await.expect("read"), None);
    assert_eq!(bench.attempts(ids[1]).await, []);
    assert_eq!(bench.store.executions().edited(ids[1]).await.expect("read"), None);

    let removal = Removal { events: vec![event.id], executions: ids.to_vec() };
    assert!(remove(bench, removal.clone()));
    assert_eq!(bench.stored_event(event.id).await, None);
    assert!(!remove(bench, removal), "nothing of it was there");
    assert!(!remove(bench, Removal::default()));
    let left = ripe(bench, all()).await;
    assert_eq!(left.iter().map(|whole| whole.id).collect::<Vec<_>>(), [kept.id]);
    assert_eq!(bench.attempts(kept_ids[1]).await.len(), 3);
}

async fn what_is_not_final_stays(bench: &mut Bench) {
    let (event, ids) = over(bench);
    bench.change(Change::Reopen { id: ids[1], due: bench.now, redirect: None });
    let removal = Removal { events: vec![event.id], executions: ids.to_vec() };
    assert!(remove(bench, removal.clone()), "the other one is over");
    assert_eq!(bench.store.executions().execution(ids[0]).await.expect("read"), None);
    assert_eq!(bench.due(ids[1].trigger).await[0].event.id, event.id);
    assert_eq!(bench.attempts(ids[1]).await.len(), 3);
    assert!(!remove(bench, removal.clone()));
    bench.finish(ids[1], Some(succeeded(1)), done(State::Success));
    assert!(remove(bench, removal));
    assert!(ripe(bench, all()).await.is_empty());
}

async fn what_lost_its_event_is_not_opened_again(bench: &mut Bench) {
    let (event, ids) = over(bench);
    assert!(remove(bench, Removal { events: vec![event.id], executions: Vec::new() }));
    assert!(!bench.change(Change::Reopen { id: ids[1], due: bench.now, redirect: None }));
    assert_eq!(bench.execution(ids[1]).await.state, State::Failed);
    assert_eq!(bench.attempts(ids[1]).await.len(), 3);
    assert!(bench.due(ids[1].trigger).await.is_empty());
}

fn segment(id: u64, holds: Holds, range: [EventId; 2]) -> Segment {
    let content = Bytes::from(vec![id as u8; 1_000 * id as usize]);
    let info = SegmentInfo {
        id: SegmentId::from_u64(id),
        holds,
        class: format!("class \"{id}\"").into(),
        first: range[0],
        last: range[1],
        items: 7,
        bytes: content.len() as u64,
    };
    Segment { info, content, removes: Removal::default() }
}

async fn segments(bench: &Bench, query: SegmentQuery) -> Vec<SegmentInfo> {
    bench.store.archive().segments(query).await.expect("list the archive")
}

async fn content(bench: &Bench, segment: &Segment) -> Option<Bytes> {
    bench.store.archive().segment(segment.info.id).await.expect("read from the archive")
}

async fn a_segment_takes_the_place_of_what_it_holds(bench: &mut Bench) {
    let (event, ids) = over(bench);
    let waiting = bench.waiting();
    let mut segment = segment(3, Holds::Events, [event.id, waiting.event]);
    assert_eq!(content(bench, &segment).await, None);
    let mut executions = ids.to_vec();
    executions.push(waiting);
    segment.removes = Removal { events: vec![event.id, waiting.event], executions };
    assert!(bench.change(Change::Archive(segment.clone())));
    assert_eq!(segments(bench, SegmentQuery::default()).await, [segment.info.clone()]);
    assert_eq!(content(bench, &segment).await, Some(segment.content.clone()));
    assert_eq!(bench.stored_event(event.id).await, None);
    assert_eq!(bench.due(waiting.trigger).await.len(), 1, "what is not final stays");
    // An id is taken once, and the second removes nothing.
    let (second, _) = over(bench);
    segment.removes.events = vec![second.id];
    assert!(!bench.change(Change::Archive(segment.clone())));
    assert!(bench.stored_event(second.id).await.is_some());

    let unknown = SegmentId::from_u64(99);
    assert!(!bench.change(Change::RemoveSegments(vec![unknown])));
    assert!(bench.change(Change::RemoveSegments(vec![unknown, segment.info.id])));
    assert_eq!(segments(bench, SegmentQuery::default()).await, []);
    assert_eq!(content(bench, &segment).await, None);
}

async fn segments_are_found_by_what_they_are_about(bench: &mut Bench) {
    let id = EventId::from_u64;
    let parts = [
        segment(5, Holds::Events, [id(10), id(20)]),
        segment(4, Holds::Executions, [id(15), id(30)]),
        segment(2, Holds::Events, [id(21), id(40)]),
        segment(1, Holds::Executions, [id(21), id(21)]),
    ];
    for part in parts.iter().rev() {
        bench.change(Change::Archive(part.clone()));
    }
    let query = |holds, from: Option<u64>, to: Option<u64>| SegmentQuery {
        holds,
        from: from.map(id),
        to: to.map(id),
    };
    let (events, executions) = (Some(Holds::Events), Some(Holds::Executions));
    let cases: [(SegmentQuery, &[u64]); 8] = [
        (query(None, None, None), &[5, 4, 1, 2]),
        (query(events, None, None), &[5, 2]),
        (query(executions, None, None), &[4, 1]),
        (query(None, Some(21), None), &[4, 1, 2]),
        (query(None, Some(20), Some(20)), &[5, 4]),
        (query(None, None, Some(15)), &[5, 4]),
        (query(executions, Some(22), Some(22)), &[4]),
        (query(events, Some(41), None), &[]),
    ];
    for (query, expected) in cases {
        let found = segments(bench, query.clone()).await;
        let ids: Vec<u64> = found.iter().map(|info| info.id.as_u64()).collect();
        assert_eq!(ids, expected, "{query:?}");
    }
}

async fn the_archive_is_part_of_the_size(bench: &mut Bench) {
    let size = async |bench: &Bench| bench.store.archive().size().await.expect("measure");
    let before = size(bench).await;
    assert_eq!(before.archived, 0);
    let about = [EventId::from_u64(1); 2];
    for id in [2, 300] {
        bench.change(Change::Archive(segment(id, Holds::Events, about)));
    }
    let after = size(bench).await;
    assert_eq!(after.archived, 302_000);
    // Some of it may fit into room that was in use before.
    assert!(after.used > before.used + 290_000, "{before:?} {after:?}");
    bench.change(Change::RemoveSegments(vec![SegmentId::from_u64(300)]));
    let removed = size(bench).await;
    assert_eq!(removed.archived, 2_000);
    assert!(removed.used <= after.used - 290_000, "{after:?} {removed:?}");
}

async fn shrinking_loses_nothing(bench: &mut Bench) {
    let (event, ids) = over(bench);
    let about = [event.id; 2];
    bench.change(Change::Archive(segment(200, Holds::Events, about)));
    bench.change(Change::RemoveSegments(vec![SegmentId::from_u64(200)]));
    let before = bench.store.archive().size().await.expect("measure");
    for bytes in [0, 1, 100_000, u64::MAX] {
        let shrunk = bench.change(Change::Shrink { bytes, within: Duration::MAX });
        let after = bench.store.archive().size().await.expect("measure");
        assert!(after.free <= before.free, "{before:?} {after:?}");
        assert!(!shrunk || after.free < before.free, "{before:?} {after:?}");
    }
    let all = Change::Shrink { bytes: u64::MAX, within: Duration::MAX };
    assert!(!bench.change(all), "it was given back already");
    assert_eq!(bench.stored_event(event.id).await, Some(event));
    assert_eq!(bench.attempts(ids[1]).await.len(), 3);
}
