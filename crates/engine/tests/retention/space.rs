//! The space is bounded and given back.

use std::path::Path;
use std::sync::Arc;

use evoke_engine::{Draft, RetentionPolicy};
use evoke_model::{ByteSize, Data, Millis};
use evoke_ports::Store;
use evoke_ports::store::ExecutionQuery;
use evoke_stores::memory::MemoryStore;
use evoke_stores::sqlite::{SqliteOptions, SqliteStore};

use crate::support;
use crate::world::{Tier, World, hours, policy};

/// Bytes that no compression makes smaller.
fn noise(seed: u64, bytes: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    (0..bytes.div_ceil(8)).flat_map(|_| next().to_le_bytes()).take(bytes).collect()
}

/// Sends so many events of 2 KiB that nobody wants.
async fn fill(world: &World, count: u64) {
    for first in (0..count).step_by(1_000) {
        let draft = |number| Draft {
            data: Data::Binary(noise(first + number, 2_048).into()),
            content_type: Some("application/octet-stream".into()),
            ..support::draft("noise")
        };
        world.engine.emit((0..1_000).map(draft).collect()).await.expect("accepted");
    }
}

fn bytes_at(path: &Path) -> u64 {
    std::fs::metadata(path).expect("the file is there").len()
}

async fn stays_below_its_limit(store: Arc<dyn Store>) {
    let limit = 6 << 20;
    let policy = RetentionPolicy {
        max_bytes: Some(ByteSize::new(limit)),
        ..policy(Some(24), [1_000, 1_000, 1_000])
    };
    let world = World::new(store, policy).await;
    world.trigger("dead", None).await;
    world.send("dead", 10).await;
    for _ in 0..4 {
        fill(&world, 2_000).await;
        world.pass(hours(1));
    }
    let used = async || world.engine.retention().await.expect("a view").size.used;
    assert!(used().await > 2 * limit);
    world.engine.retain_now().await.expect("a run");
    let now = used().await;
    assert!(now <= limit, "{now} bytes are used");
    assert!(now > limit / 2, "far more than needed went: {now} bytes are left");
    // Who asks from where on everything is there is told what is left.
    let oldest = world.engine.retention().await.expect("a view").oldest_archived;
    assert_eq!(world.engine.kept_since("noise").await.ok(), oldest);
    let dead = ExecutionQuery { only_dead_letters: true, ..Default::default() };
    assert_eq!(world.executions(Tier::Active, dead).await.len(), 10);
    world.engine.stop(Millis::ZERO).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_in_memory_stays_below_its_limit() {
    stays_below_its_limit(Arc::new(MemoryStore::new())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_on_disk_stays_below_its_limit() {
    let dir = tempfile::tempdir().expect("a folder");
    let options = SqliteOptions::at(dir.path().join("test.db"));
    stays_below_its_limit(Arc::new(SqliteStore::open(options).expect("a store"))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_file_becomes_smaller() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("test.db");
    let store = Arc::new(SqliteStore::open(SqliteOptions::at(&path)).expect("a store"));
    let world = World::new(store, policy(None, [1, 1, 1])).await;
    fill(&world, 20_000).await;
    world.pass(hours(2));
    fill(&world, 1_000).await;
    let full = world.engine.retention().await.expect("a view").size;
    assert!(full.used > 40 << 20, "{full:?}");
    let done = world.engine.retain_now().await.expect("a run");
    assert_eq!(done.removed_events, 20_000);
    assert!(done.freed_bytes > 20 << 20, "{done:?}");
    let size = world.engine.retention().await.expect("a view").size;
    assert!(size.free <= 17 << 20, "{size:?}");
    assert!(size.used < 8 << 20, "{size:?}");
    world.engine.stop(Millis::ZERO).await;
    drop(world);
    let bytes = bytes_at(&path);
    assert!(bytes < 28 << 20, "the file has {bytes} bytes");
}
