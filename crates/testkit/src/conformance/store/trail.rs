//! The audit trail, operations, and what rate limits have spent.

use evoke_model::operation::{OperationKind, OperationStatus, Progress};
use evoke_model::{AuditId, Millis, Operation, OperationId, Timestamp, TriggerId};
use evoke_ports::store::{AuditEntry, AuditQuery, BadCursor, Change, Cursor, Spent};
use serde_json::json;

use super::bench::Bench;
use super::{Harness, bench};

pub(super) async fn run<H: Harness>(harness: &H) {
    the_trail_comes_in_pages(&mut bench(harness).1).await;
    the_trail_is_filtered(&mut bench(harness).1).await;
    an_entry_is_never_changed(&mut bench(harness).1).await;
    operations_are_put_and_read(&mut bench(harness).1).await;
    what_is_old_is_forgotten(&mut bench(harness).1).await;
    what_is_spent_counts_until_its_time(&mut bench(harness).1).await;
    triggers_stand_where_they_were_put(&mut bench(harness).1).await;
}

fn entry(id: u64, action: &str, subject: &str) -> AuditEntry {
    AuditEntry {
        id: AuditId::from_u64(id),
        actor: "ci \"deploy\"".to_owned(),
        action: action.to_owned(),
        subject: subject.to_owned(),
        detail: json!({ "before": null, "after": [id, 1.5] }),
    }
}

/// All pages of a query.
async fn trail(bench: &Bench, mut query: AuditQuery) -> Vec<AuditEntry> {
    let mut found = Vec::new();
    loop {
        let page = bench.store.definitions().audit(query.clone()).await.expect("read the trail");
        assert!(page.items.len() <= query.limit as usize, "{} items", page.items.len());
        found.extend(page.items);
        match page.next {
            Some(cursor) => query.cursor = Some(cursor),
            None => return found,
        }
    }
}

async fn the_trail_comes_in_pages(bench: &mut Bench) {
    let mut entries: Vec<AuditEntry> =
        (1..=7).map(|id| entry(id, "trigger.disable", "trg_1")).collect();
    for entry in &entries {
        assert!(bench.change(Change::Audit(entry.clone())));
    }
    entries.reverse();
    for limit in [1, 3, 7, 100] {
        let query = AuditQuery { limit, ..AuditQuery::default() };
        assert_eq!(trail(bench, query).await, entries, "{limit} a page");
    }
    let query = AuditQuery { limit: 1, cursor: Some("x".to_owned()), ..AuditQuery::default() };
    let error = bench.store.definitions().audit(query).await.expect_err("a foreign cursor");
    assert!(error.source.is::<BadCursor>(), "{error:?}");
}

async fn the_trail_is_filtered(bench: &mut Bench) {
    let entries = [
        entry(1, "trigger.disable", "trg_1"),
        entry(2, "trigger.enable", "trg_1"),
        entry(3, "trigger.disable", "trg_2"),
        entry(4, "dead_letter.edit", "exe_1"),
    ];
    for entry in &entries {
        bench.change(Change::Audit(entry.clone()));
    }
    let cases: [(Option<&str>, Option<&str>, &[usize]); 6] = [
        (None, None, &[3, 2, 1, 0]),
        (Some("trigger.*"), None, &[2, 1, 0]),
        (Some("trigger.disable"), None, &[2, 0]),
        (None, Some("trg_1"), &[1, 0]),
        (Some("trigger.disable"), Some("trg_1"), &[0]),
        (Some("trigger"), None, &[]),
    ];
    for (action, subject, expected) in cases {
        let query = AuditQuery {
            action: action.map(str::to_owned),
            subject: subject.map(str::to_owned),
            limit: 2,
            cursor: None,
        };
        let expected: Vec<AuditEntry> = expected.iter().map(|n| entries[*n].clone()).collect();
        assert_eq!(trail(bench, query.clone()).await, expected, "{query:?}");
    }
}

async fn an_entry_is_never_changed(bench: &mut Bench) {
    let first = entry(1, "trigger.disable", "trg_1");
    assert!(bench.change(Change::Audit(first.clone())));
    assert!(!bench.change(Change::Audit(entry(1, "trigger.enable", "trg_2"))));
    let all = AuditQuery { limit: 10, ..AuditQuery::default() };
    assert_eq!(trail(bench, all).await, [first]);
}

fn operation(id: u64, at: Timestamp) -> Operation {
    Operation {
        id: OperationId::from_u64(id),
        kind: OperationKind::Redrive,
        status: OperationStatus::Running,
        request: json!({ "trigger": "trg_1", "rate": "50/s" }),
        progress: Progress { seen: 3, taken: 2, executions: 2, succeeded: 1, failed: 0 },
        cursor: Some("exe_1".to_owned()),
        actor: "local".to_owned(),
        reason: None,
        created_at: at,
        updated_at: at,
        ended_at: None,
    }
}

async fn operations_are_put_and_read(bench: &mut Bench) {
    let (first, second) = (operation(1, bench.now), operation(2, bench.now));
    assert!(bench.change(Change::Operation(second.clone())));
    assert!(bench.change(Change::Operation(first.clone())));
    let ended = Operation {
        status: OperationStatus::Stopped,
        reason: Some("it failed of the same cause again".to_owned()),
        ended_at: Some(bench.now),
        ..second
    };
    assert!(bench.change(Change::Operation(ended.clone())));
    let found = bench.store.definitions().operations().await.expect("read operations");
    assert_eq!(found, [first, ended]);
}

async fn what_is_old_is_forgotten(bench: &mut Bench) {
    for id in 1..=4 {
        assert!(bench.change(Change::Audit(entry(id, "trigger.disable", "trg_1"))));
        assert!(bench.change(Change::Operation(operation(id, Timestamp::EPOCH))));
    }
    assert!(bench.change(Change::ForgetAudit { before: AuditId::from_u64(3) }));
    assert!(!bench.change(Change::ForgetAudit { before: AuditId::from_u64(3) }));
    let left = trail(bench, AuditQuery { limit: 10, ..AuditQuery::default() }).await;
    let left: Vec<_> = left.iter().map(|entry| entry.id.as_u64()).collect();
    assert_eq!(left, [4, 3]);
    let old = [1, 9].map(OperationId::from_u64).to_vec();
    assert!(bench.change(Change::RemoveOperations(old)));
    let left = bench.store.definitions().operations().await.expect("the operations");
    let left: Vec<_> = left.iter().map(|operation| operation.id.as_u64()).collect();
    assert_eq!(left, [2, 3, 4]);
}

async fn triggers_stand_where_they_were_put(bench: &mut Bench) {
    let cursor = |trigger, next: Option<u64>| Cursor {
        trigger: TriggerId::from_u64(trigger),
        next: next.map(|seconds| bench.now.plus(Millis::from_secs(seconds))),
        state: json!({ "last": null, "of": trigger }),
    };
    let (first, second, later) = (cursor(1, Some(5)), cursor(2, None), cursor(1, Some(9)));
    assert!(!bench.change(Change::Cursors(Vec::new())));
    assert!(bench.change(Change::Cursors(vec![second.clone(), first.clone()])));
    let read = async |bench: &Bench| bench.store.definitions().cursors().await.expect("cursors");
    assert_eq!(read(bench).await, [first, second.clone()]);
    assert!(bench.change(Change::Cursors(vec![later.clone()])));
    assert_eq!(read(bench).await, [later, second.clone()]);
    let gone = vec![TriggerId::from_u64(1), TriggerId::from_u64(7)];
    assert!(bench.change(Change::RemoveCursors(gone.clone())));
    assert!(!bench.change(Change::RemoveCursors(gone)));
    assert_eq!(read(bench).await, [second]);
}

async fn what_is_spent_counts_until_its_time(bench: &mut Bench) {
    let at = |seconds| bench.now.plus(Millis::from_secs(seconds));
    let spent =
        |owner: &str, key: &str, until| Spent { owner: owner.into(), key: key.into(), until };
    let (a, b, all) = (
        spent("trg_1", "a", at(10)),
        spent("trg_1", "b\0", at(20)),
        spent("function:f", "", at(5)),
    );
    let times = [at(0), at(5), at(10), at(20)];
    assert!(!bench.change(Change::Spend(Vec::new())));
    assert!(bench.change(Change::Spend(vec![a.clone(), b.clone(), all.clone()])));
    let read = async |bench: &Bench, now| bench.store.executions().spent(now).await.expect("read");
    assert_eq!(read(bench, times[0]).await, [all.clone(), a.clone(), b.clone()]);
    assert_eq!(read(bench, times[1]).await, [a, b.clone()]);
    assert_eq!(read(bench, times[2]).await, std::slice::from_ref(&b));
    assert_eq!(read(bench, times[3]).await, []);
    // The last word counts, also where it is less.
    let less = Spent { until: times[1], ..b };
    bench.change(Change::Spend(vec![less.clone()]));
    bench.writer.housekeep(times[0]).expect("housekeeping");
    assert_eq!(read(bench, times[0]).await.len(), 3);
    for _ in 0..2 {
        bench.writer.housekeep(times[1]).expect("housekeeping");
    }
    let left = read(bench, times[0]).await;
    assert_eq!(left.iter().map(|spent| &*spent.key).collect::<Vec<_>>(), ["a"]);
}
