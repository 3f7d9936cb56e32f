//! Functions, triggers and keys: put, put again, read whole.

use std::sync::Arc;

use evoke_model::function::{FunctionRecord, VersionRecord};
use evoke_model::policy::{Policy, Priority};
use evoke_model::trigger::Owner;
use evoke_model::{
    FunctionId, FunctionSpec, KeyId, Millis, Scaling, Target, Timestamp, Trigger, TriggerId,
};
use evoke_ports::store::{Change, Key};
use serde_json::json;

use super::bench::Bench;
use super::{Harness, bench};

pub(super) async fn run<H: Harness>(harness: &H) {
    functions_are_put_and_read(&mut bench(harness).1).await;
    triggers_are_put_and_read(&mut bench(harness).1).await;
    keys_are_put_read_and_removed(&mut bench(harness).1).await;
}

async fn functions_are_put_and_read(bench: &mut Bench) {
    let first = function(1, bench.now);
    let second = function(2, bench.now);
    assert!(bench.change(Change::Function(second.clone())));
    assert!(bench.change(Change::Function(first.clone())));
    let deleted = FunctionRecord { deleted_at: Some(bench.now), version: 3, ..second };
    assert!(bench.change(Change::Function(deleted.clone())));
    let found = bench.store.definitions().functions().await.expect("read functions");
    assert_eq!(found, [first, deleted]);
}

async fn triggers_are_put_and_read(bench: &mut Bench) {
    let first = trigger(1, bench.now);
    let second = trigger(2, bench.now);
    assert!(bench.change(Change::Trigger(Arc::new(second.clone()))));
    assert!(bench.change(Change::Trigger(Arc::new(first.clone()))));
    let disabled = Trigger { enabled: false, owner: Owner::Project, ..second };
    assert!(bench.change(Change::Trigger(Arc::new(disabled.clone()))));
    let found = bench.store.definitions().triggers().await.expect("read triggers");
    assert_eq!(found, [Arc::new(first), Arc::new(disabled)]);
}

async fn keys_are_put_read_and_removed(bench: &mut Bench) {
    let keys = [key(1, bench.now), key(2, bench.now)];
    for key in &keys {
        assert!(bench.change(Change::Key(key.clone())));
    }
    assert_eq!(bench.store.definitions().keys().await.expect("read keys"), keys);
    assert!(bench.change(Change::RemoveKey(keys[0].id)));
    assert!(!bench.change(Change::RemoveKey(keys[0].id)));
    assert_eq!(bench.store.definitions().keys().await.expect("read keys"), keys[1..]);
}

/// A function with everything set.
pub(super) fn function(id: u64, at: Timestamp) -> FunctionRecord {
    FunctionRecord {
        id: FunctionId::from_u64(id),
        version: 2,
        hash: "ab".repeat(32),
        spec: FunctionSpec {
            name: format!("resize-{id}"),
            runtime: "nodejs20".to_owned(),
            handler: Some("index.handler".to_owned()),
            memory: FunctionSpec::MEMORY_DEFAULT,
            timeout: FunctionSpec::TIMEOUT_DEFAULT,
            environment: [("MODE".to_owned(), "${secrets.MODE}".to_owned())].into(),
            scaling: Scaling::default(),
        },
        code: format!("functions/resize-{id}").into(),
        created_at: at,
        updated_at: at.plus(Millis::from_secs(1)),
        deleted_at: None,
        versions: vec![version(1, Some(3), at), version(2, None, at)],
        rolled_back: Some("cd".repeat(32)),
    }
}

fn version(number: u32, rollback_to: Option<u32>, at: Timestamp) -> VersionRecord {
    VersionRecord {
        number,
        hash: format!("{number:064x}"),
        spec: FunctionSpec {
            name: "resize".to_owned(),
            runtime: "nodejs20".to_owned(),
            handler: None,
            memory: FunctionSpec::MEMORY_DEFAULT,
            timeout: FunctionSpec::TIMEOUT_DEFAULT,
            environment: [("MODE".to_owned(), "${secrets.MODE}".to_owned())].into(),
            scaling: Scaling::default(),
        },
        created_at: at,
        rollback_to,
    }
}

fn trigger(id: u64, at: Timestamp) -> Trigger {
    Trigger {
        id: TriggerId::from_u64(id),
        name: format!("on-order-{id}"),
        kind: "event".to_owned(),
        config: json!({ "match": "order.*", "filter": "event.data.total > 100" }),
        target: Target::function("resize"),
        policy: Policy {
            timeout: Some(Millis::from_secs(5)),
            priority: Priority::Fixed(3),
            ..Policy::default()
        },
        enabled: true,
        owner: Owner::Manifest("resize".to_owned()),
        created_at: at,
        updated_at: at,
        updated_by: Some("admin".to_owned()),
        deleted_at: None,
    }
}

fn key(id: u64, at: Timestamp) -> Key {
    Key {
        id: KeyId::from_u64(id),
        name: format!("key \"{id}\""),
        hash: [id as u8; 32],
        hint: "evk_ab".to_owned(),
        created_at: at,
    }
}
