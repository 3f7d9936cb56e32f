//! How many events a second go the whole way through the engine (accepted, committed, dispatched,
//! carried out by a target that does nothing, recorded) on SQLite with fsync, without server,
//! protocol or language. `cargo run --release -p evoke-engine --example path_rate`.

#![expect(clippy::expect_used, clippy::print_stdout, reason = "a measuring program")]

#[path = "../tests/support/mod.rs"]
mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use evoke_model::{Data, Millis, Policy};
use evoke_stores::sqlite::{SqliteOptions, SqliteStore};

const EVENTS: usize = 200_000;

#[tokio::main]
async fn main() {
    for (producers, batch) in [(1, 1), (64, 1), (256, 1), (8, 100)] {
        let events = if producers == 1 { EVENTS / 10 } else { EVENTS };
        let dir = tempfile::tempdir().expect("a folder");
        let options = SqliteOptions::at(dir.path().join("rate.db"));
        let store = Arc::new(SqliteStore::open(options).expect("a store"));
        let endpoint = support::script(1_000, |_| Ok(Data::None));
        let engine = support::engine(store, endpoint.clone()).await;
        engine
            .create_trigger(
                support::trigger("tick", Policy::default()),
                &evoke_engine::Actor::local(),
            )
            .await
            .expect("a trigger");
        let sent = Arc::new(AtomicUsize::new(0));
        let started = Instant::now();
        let mut senders = Vec::new();
        for _ in 0..producers {
            let (engine, sent) = (engine.clone(), sent.clone());
            senders.push(tokio::spawn(async move {
                while sent.fetch_add(batch, Ordering::Relaxed) < events {
                    let drafts = (0..batch).map(|_| support::draft("tick")).collect();
                    engine.emit(drafts).await.expect("accepted");
                }
            }));
        }
        for sender in senders {
            sender.await.expect("a sender");
        }
        let accepted = started.elapsed();
        while endpoint.count.load(Ordering::Relaxed) < sent_in_all(&sent, batch, producers) {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
        engine.stop(Millis::from_secs(60)).await;
        let recorded = started.elapsed();
        let ran = endpoint.count.load(Ordering::Relaxed);
        println!(
            "{producers:>4} producers, batches of {batch:>3}: accepted {:>7.0}/s, recorded {:>7.0}/s ({ran} ran)",
            events as f64 / accepted.as_secs_f64(),
            ran as f64 / recorded.as_secs_f64(),
        );
    }
}

/// Each producer counts one batch too many before it stops.
fn sent_in_all(sent: &AtomicUsize, batch: usize, producers: usize) -> usize {
    sent.load(Ordering::Relaxed) - batch * producers
}
