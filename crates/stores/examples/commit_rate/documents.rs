//! How many documents a second are created, changed and found.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use evoke_document::{Collection, Document, Query};
use evoke_model::IdSource;
use evoke_ports::store::{Change, DocumentChange, Effect, Expect, Receipt, Write};
use evoke_ports::{Clock, Store, SystemClock, Writer};
use evoke_stores::{SqliteOptions, SqliteStore};
use serde_json::json;

const DOCUMENTS: usize = 10_000;
const COMMIT: usize = 100;

/// How the documents of a commit are given.
#[derive(Debug, Clone, Copy)]
enum Given {
    /// Each as a write.
    Single,
    /// All as one write.
    Bulk,
    /// Each as a write with the event that tells of it.
    WithEvent,
}

/// Prints how long creating, replacing and finding take.
pub fn measure(folder: &Path) {
    for indexes in [0, 1, 3] {
        for given in [Given::Single, Given::Bulk, Given::WithEvent] {
            let path = folder.join(format!("documents-{indexes}-{given:?}.db"));
            let store = SqliteStore::open(SqliteOptions::at(path)).unwrap();
            run(&store, indexes, given);
        }
    }
}

fn run(store: &SqliteStore, indexes: usize, given: Given) {
    let mut writer = store.writer().unwrap();
    let declared = json!([
        { "fields": "email", "unique": true },
        { "fields": "age" },
        { "fields": ["address.city", "_created_at"] },
    ]);
    let collection = Collection::declared("users", None, Some(&declared)).unwrap();
    let indexes = collection.indexes.iter().take(indexes).cloned().collect::<Vec<_>>();
    let count = indexes.len();
    writer.commit(&[Change::Collection(Collection { indexes, ..collection }).into()]).unwrap();

    let ids = IdSource::new(0, 0);
    let events: Vec<(u64, Write)> = (0..DOCUMENTS)
        .map(|_| super::ingest(&ids))
        .map(|(event, id)| (id.event.as_u64(), event))
        .collect();
    let revisions: Vec<u64> = events.iter().map(|(id, _)| *id).collect();
    let creations: Vec<Write> = events
        .into_iter()
        .enumerate()
        .map(|(n, (id, event))| create(n, id, event, given))
        .collect();
    let created = rate(&mut *writer, batches(creations, given));
    let replacements = revisions.iter().enumerate().map(|(n, revision)| {
        let change =
            DocumentChange { expect: Expect::Revision(*revision), ..put(n, *revision + 1) };
        Change::Documents(vec![change]).into()
    });
    let replaced = rate(&mut *writer, batches(replacements.collect(), Given::Single));
    let (read, found) = reads(store);
    println!(
        "  {count} indexes, {given:?}: created {created:.0}/s, replaced {replaced:.0}/s, \
         read by id {read:.0}/s, found by email {found:.0}/s"
    );
}

fn put(n: usize, revision: u64) -> DocumentChange {
    let now = SystemClock.now();
    let city = ["Rome", "Oslo", "Lima"][n % 3];
    let body = json!({
        "email": format!("{:08x}@example.org", n.wrapping_mul(0x9e37_79b9) & 0xffff_ffff),
        "age": n % 97,
        "address": {"city": city, "street": "Via Appia 1"},
        "note": "x".repeat(100),
    });
    let id: Box<str> = format!("doc_{n:013}").into();
    let body = Bytes::from(body.to_string());
    let document = Document { id: id.clone(), revision, created_at: now, updated_at: now, body };
    let effect = Effect::Put(Arc::new(document));
    DocumentChange { collection: "users".into(), id, expect: Expect::Absent, effect }
}

fn create(n: usize, id: u64, event: Write, given: Given) -> Write {
    let change = Write::from(Change::Documents(vec![put(n, id)]));
    match given {
        Given::Single | Given::Bulk => change,
        Given::WithEvent => Write::All(vec![change, event]),
    }
}

fn batches(writes: Vec<Write>, given: Given) -> Vec<Vec<Write>> {
    let mut batches = Vec::new();
    let mut writes = writes.into_iter().peekable();
    while writes.peek().is_some() {
        let batch: Vec<Write> = writes.by_ref().take(COMMIT).collect();
        batches.push(match given {
            Given::Single | Given::WithEvent => batch,
            Given::Bulk => {
                vec![Change::Documents(batch.into_iter().flat_map(changes).collect()).into()]
            }
        });
    }
    batches
}

fn changes(write: Write) -> Vec<DocumentChange> {
    match write {
        Write::Change(change) => match *change {
            Change::Documents(changes) => changes,
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}

fn rate(writer: &mut dyn Writer, batches: Vec<Vec<Write>>) -> f64 {
    let before = Instant::now();
    for batch in batches {
        for receipt in writer.commit(&batch).unwrap() {
            assert!(!matches!(receipt, Receipt::Refused(_)), "{receipt:?}");
        }
    }
    DOCUMENTS as f64 / before.elapsed().as_secs_f64()
}

/// Reads by id, and lookups by a field, one after the other.
fn reads(store: &SqliteStore) -> (f64, f64) {
    const READS: usize = 1_000;
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let documents = store.documents();
    runtime.block_on(async {
        let before = Instant::now();
        for n in 0..READS {
            let id = format!("doc_{:013}", n * 7);
            assert!(documents.document("users", &id).await.unwrap().is_some());
        }
        let read = READS as f64 / before.elapsed().as_secs_f64();
        let before = Instant::now();
        let lookups = READS / 10;
        for n in 0..lookups {
            let email = format!("{:08x}@example.org", n.wrapping_mul(0x9e37_79b9) & 0xffff_ffff);
            let query = Query::parse(&json!({"where": [["email", "==", email]]})).unwrap();
            assert_eq!(documents.find("users", query).await.unwrap().items.len(), 1);
        }
        (read, lookups as f64 / before.elapsed().as_secs_f64())
    })
}
