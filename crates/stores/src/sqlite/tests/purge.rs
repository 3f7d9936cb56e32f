//! What has expired goes in slices.

use evoke_model::{Millis, Timestamp};
use evoke_ports::Store;
use evoke_ports::store::{Change, Spent, Write};
use rusqlite::Connection;

use super::{NOW, ingest_keyed, open, options};

const ROWS: u32 = 12_000;

fn soon() -> Timestamp {
    NOW.plus(Millis::from_secs(60))
}

fn late() -> Timestamp {
    NOW.plus(Millis::from_secs(600))
}

/// When the row `n` expires: one in ten of them late.
fn expires(n: u32) -> Timestamp {
    if n.is_multiple_of(10) { late() } else { soon() }
}

/// `batch` writes [`ROWS`] rows of `table`, which expire as [`expires`] says.
fn goes_in_slices(table: &str, batch: &[Write]) {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let mut writer = store.writer().unwrap();
    writer.commit(batch).unwrap();
    let file = Connection::open(options(&folder).path).unwrap();
    let sql = format!("SELECT count(*) FROM {table}");
    let left = || file.query_row(&sql, [], |row| row.get(0)).unwrap();
    let mut counts: Vec<u32> = vec![left()];
    assert_eq!(counts, [ROWS], "{table}");
    for _ in 0..4 {
        writer.housekeep(soon()).unwrap();
        counts.push(left());
    }
    assert!(counts[1] > 7_000, "one round looked at too many: {table} {counts:?}");
    assert!(counts.is_sorted_by(|a, b| a >= b), "{table} {counts:?}");
    assert_eq!(counts[3..], [ROWS / 10, ROWS / 10], "{table}");
    for _ in 0..3 {
        writer.housekeep(late()).unwrap();
    }
    assert_eq!(left(), 0, "{table}");
}

#[test]
fn every_round_of_housekeeping_forgets_a_slice() {
    let batch: Vec<Write> = (0..ROWS).map(|n| ingest_keyed(n.into(), expires(n))).collect();
    goes_in_slices("once_keys", &batch);
}

#[test]
fn what_limits_have_spent_goes_in_slices_too() {
    let spent = (0..ROWS).map(|n| Spent {
        owner: format!("trg_{}", n % 3).into(),
        key: format!("{n}").into(),
        until: expires(n),
    });
    goes_in_slices("spent", &[Write::from(Change::Spend(spent.collect()))]);
}
