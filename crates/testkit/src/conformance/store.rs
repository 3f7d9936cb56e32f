//! The suite of [`evoke_ports::Store`]: what a commit does, what reads answer, what is there after
//! the store was dropped without a word.

mod archive;
mod bench;
mod change;
mod dead_letters;
mod definitions;
mod documents;
mod durability;
mod finish;
mod ingest;
mod lists;
mod once;
mod ordered;
mod together;
mod trail;
mod waiting;

use std::sync::Arc;

use evoke_ports::Store;

pub use bench::{Bench, rich_attempt, rich_event};

/// Makes the stores the suite runs on.
pub trait Harness: Sync {
    /// What outlives a store: a folder, a database, nothing.
    type Place: Send + Sync;

    /// A place that holds nothing yet.
    fn place(&self) -> Self::Place;

    /// Opens the store at a place.
    fn open(&self, place: &Self::Place) -> Arc<dyn Store>;

    /// What is there when a place is opened again.
    fn keeps(&self) -> Keeps;
}

/// What is there when a place is opened again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keeps {
    /// Everything that was committed.
    Everything,
    /// Nothing: the store lives in memory.
    Nothing,
}

/// Runs the whole suite; panics at the first thing that is not as the contract says.
pub async fn run<H: Harness>(harness: &H) {
    writer_is_handed_out_once(&*harness.open(&harness.place()));
    ingest::run(harness).await;
    once::run(harness).await;
    finish::run(harness).await;
    change::run(harness).await;
    definitions::run(harness).await;
    dead_letters::run(harness).await;
    lists::run(harness).await;
    waiting::run(harness).await;
    ordered::run(harness).await;
    archive::run(harness).await;
    trail::run(harness).await;
    together::run(harness).await;
    documents::run(harness).await;
    durability::run(harness).await;
}

fn writer_is_handed_out_once(store: &dyn Store) {
    let writer = store.writer().expect("the writer is free");
    assert!(store.writer().is_err(), "the writer was handed out twice");
    drop(writer);
    assert!(store.writer().is_err(), "the writer was handed out again after it was dropped");
}

/// A fresh store with its writer taken.
fn bench<H: Harness>(harness: &H) -> (H::Place, Bench) {
    let place = harness.place();
    let bench = Bench::new(harness.open(&place));
    (place, bench)
}
