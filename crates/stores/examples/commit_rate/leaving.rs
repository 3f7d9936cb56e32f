//! How long a commit takes that moves events out of the record, which all other commits wait for.

use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use evoke_model::{ExecutionId, IdSource, SegmentId};
use evoke_ports::Store;
use evoke_ports::store::{Change, Holds, Removal, Segment, SegmentInfo, Write};
use evoke_stores::{SqliteOptions, SqliteStore};

const EVENTS: usize = 256;
const ROUNDS: usize = 100;
/// What a segment of so many small events takes, compressed.
const SEGMENT_BYTES: usize = 16 * 1024;

/// Prints how long removing, archiving and shrinking take.
pub fn measure(path: &Path) {
    let store = SqliteStore::open(SqliteOptions::at(path)).unwrap();
    let mut writer = store.writer().unwrap();
    let ids = IdSource::new(0, 0);
    let mut removals = Vec::new();
    for _ in 0..3 * ROUNDS {
        let (ingests, ids): (Vec<Write>, Vec<ExecutionId>) =
            (0..EVENTS).map(|_| super::ingest(&ids)).unzip();
        writer.commit(&ingests).unwrap();
        writer.commit(&ids.iter().map(|id| super::finish(*id)).collect::<Vec<_>>()).unwrap();
        removals.push(Removal { events: ids.iter().map(|id| id.event).collect(), executions: ids });
    }
    let mut time = |what: &str, changes: Vec<Change>| {
        let times = changes.into_iter().map(|change| {
            let batch = [Write::from(change)];
            let before = Instant::now();
            writer.commit(&batch).unwrap();
            before.elapsed()
        });
        let mut times: Vec<Duration> = times.collect();
        times.sort_unstable();
        let at = |share: usize| times[(times.len() - 1) * share / 100];
        println!("  {what:<24} p50 {:?} p99 {:?} max {:?}", at(50), at(99), at(100));
    };
    let mut next = removals.into_iter();
    let removed = next.by_ref().take(ROUNDS).map(Change::Remove).collect();
    let archived = next.by_ref().take(ROUNDS).zip(1..).map(segment).collect();
    time("remove", removed);
    time("archive", archived);
    let shrink =
        (0..ROUNDS).map(|_| Change::Shrink { bytes: 256 * 1024, within: Duration::MAX }).collect();
    time("shrink by 256 KiB", shrink);
}

fn segment((removes, id): (Removal, u64)) -> Change {
    let info = SegmentInfo {
        id: SegmentId::from_u64(id),
        holds: Holds::Events,
        class: "default".into(),
        first: removes.events[0],
        last: removes.events[EVENTS - 1],
        items: EVENTS as u32,
        bytes: SEGMENT_BYTES as u64,
    };
    let content = Bytes::from(vec![id as u8; SEGMENT_BYTES]);
    Change::Archive(Segment { info, content, removes })
}
