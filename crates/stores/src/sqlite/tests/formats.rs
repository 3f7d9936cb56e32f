//! What was ever stored decodes for ever. When a record changes so that its JSON does, the file
//! here stays and a new format and a new file join it.

use std::sync::Arc;

use evoke_document::Collection;
use evoke_model::event::Extensions;
use evoke_model::function::FunctionRecord;
use evoke_model::{Failure, Lineage, LogLine, Operation, Redirect, Trigger};
use evoke_ports::store::{AuditEntry, Cursor, Key};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::sqlite::stored::{
    StoredAudit, StoredCollection, StoredCursor, StoredFunction, StoredKey, StoredOperation,
    StoredTrigger,
};

/// Decodes a golden file and checks that the same would be written today.
fn stays<T: DeserializeOwned + Serialize>(golden: &str) -> T {
    let value: T = serde_json::from_str(golden).unwrap();
    let written = serde_json::to_value(&value).unwrap();
    let golden: serde_json::Value = serde_json::from_str(golden).unwrap();
    assert_eq!(written, golden, "what is written today is another format");
    value
}

#[test]
fn functions() {
    let stored = stays::<StoredFunction>(include_str!("../golden/function.1.json"));
    let function = FunctionRecord::from(stored);
    assert_eq!(function.spec.name, "resize");
    assert_eq!(function.spec.scaling.max_instances, 100);
    assert_eq!(function.versions, [], "written before versions were kept");

    let stored = stays::<StoredFunction>(include_str!("../golden/function.versions.1.json"));
    let function = FunctionRecord::from(stored);
    assert_eq!(function.kept(2).and_then(|version| version.rollback_to), Some(1));
}

#[test]
fn triggers() {
    let stored = stays::<StoredTrigger>(include_str!("../golden/trigger.1.json"));
    let trigger = Arc::<Trigger>::from(stored);
    assert_eq!(trigger.target.function_name(), Some("resize"));
    assert_eq!(trigger.policy.retry.as_ref().map(|retry| retry.attempts), Some(3));
}

#[test]
fn keys() {
    let stored = stays::<StoredKey>(include_str!("../golden/key.1.json"));
    let key = Key::try_from(stored).unwrap();
    assert_eq!(key.hash, [0xab; 32]);
}

#[test]
fn operations() {
    let stored = stays::<StoredOperation>(include_str!("../golden/operation.1.json"));
    let operation = Operation::from(stored);
    assert_eq!((operation.progress.taken, operation.kind.as_str()), (40, "redrive"));
}

#[test]
fn cursors() {
    let stored = stays::<StoredCursor>(include_str!("../golden/cursor.1.json"));
    assert!(Cursor::from(stored).next.is_some());
}

#[test]
fn collections() {
    let stored = stays::<StoredCollection>(include_str!("../golden/collection.1.json"));
    let collection = Collection::from(stored);
    assert_eq!(collection.indexes[1].fields[0].as_str(), "address.city");
    assert!(collection.indexes[0].unique);
}

#[test]
fn audit() {
    let stored = stays::<StoredAudit>(include_str!("../golden/audit.1.json"));
    assert_eq!(AuditEntry::from(stored).action, "dead_letter.edit");
}

#[test]
fn redirects() {
    let redirects = stays::<Vec<Redirect>>(include_str!("../golden/redirect.json"));
    let versions: Vec<_> = redirects.iter().map(|redirect| redirect.version).collect();
    assert_eq!(versions, [None, Some(3)]);
}

#[test]
fn failures() {
    for failure in stays::<Vec<Failure>>(include_str!("../golden/error.json")) {
        assert!(!failure.message.is_empty());
    }
}

#[test]
fn logs() {
    assert_eq!(stays::<Vec<LogLine>>(include_str!("../golden/logs.json")).len(), 2);
}

#[test]
fn lineage() {
    assert_eq!(stays::<Lineage>(include_str!("../golden/lineage.json")).depth, 3);
}

#[test]
fn extensions() {
    assert_eq!(stays::<Extensions>(include_str!("../golden/extensions.json")).len(), 3);
}

#[test]
fn a_key_whose_hash_is_none_is_refused() {
    let golden = include_str!("../golden/key.1.json");
    for hash in ["", "ab", &"zz".repeat(32), &"é".repeat(32)] {
        let text = golden.replace(&"ab".repeat(32), hash);
        let stored: StoredKey = serde_json::from_str(&text).unwrap();
        assert!(Key::try_from(stored).is_err(), "{hash:?} was taken");
    }
}
