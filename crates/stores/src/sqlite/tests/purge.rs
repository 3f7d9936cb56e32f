//! Expired keys go in slices.

use evoke_model::Millis;
use evoke_ports::Store;
use evoke_ports::store::{Change, Spent, Write};
use rusqlite::Connection;

use super::{NOW, ingest_keyed, open, options};

#[test]
fn every_round_of_housekeeping_forgets_a_slice() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let mut writer = store.writer().unwrap();
    let (soon, late) = (NOW.plus(Millis::from_secs(60)), NOW.plus(Millis::from_secs(600)));
    let batch: Vec<_> =
        (0..12_000).map(|n| ingest_keyed(n, if n % 10 == 0 { late } else { soon })).collect();
    writer.commit(&batch).unwrap();
    let file = Connection::open(options(&folder).path).unwrap();
    let left = || file.query_row("SELECT count(*) FROM once_keys", [], |row| row.get(0)).unwrap();
    let mut counts: Vec<u32> = vec![left()];
    for _ in 0..4 {
        writer.housekeep(soon).unwrap();
        counts.push(left());
    }
    assert!(counts[1] > 7_000, "one round looked at too many: {counts:?}");
    assert!(counts.is_sorted_by(|a, b| a >= b), "{counts:?}");
    assert_eq!(counts[3..], [1_200, 1_200]);
    for _ in 0..3 {
        writer.housekeep(late).unwrap();
    }
    assert_eq!(left(), 0);
}

#[test]
fn what_limits_have_spent_goes_in_slices_too() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let mut writer = store.writer().unwrap();
    let (soon, late) = (NOW.plus(Millis::from_secs(60)), NOW.plus(Millis::from_secs(600)));
    let spent = |n: u32| Spent {
        owner: format!("trg_{}", n % 3).into(),
        key: format!("{n}").into(),
        until: if n.is_multiple_of(10) { late } else { soon },
    };
    let spent = (0..12_000).map(spent).collect();
    writer.commit(&[Write::Change(Change::Spend(spent))]).unwrap();
    let file = Connection::open(options(&folder).path).unwrap();
    let left = || file.query_row("SELECT count(*) FROM spent", [], |row| row.get(0)).unwrap();
    let mut counts: Vec<u32> = vec![left()];
    for _ in 0..4 {
        writer.housekeep(soon).unwrap();
        counts.push(left());
    }
    assert!(counts[1] > 7_000, "one round looked at too many: {counts:?}");
    assert!(counts.is_sorted_by(|a, b| a >= b), "{counts:?}");
    assert_eq!(counts[3..], [1_200, 1_200]);
    for _ in 0..3 {
        writer.housekeep(late).unwrap();
    }
    assert_eq!(left(), 0);
}
