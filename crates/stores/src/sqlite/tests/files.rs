//! The file: who may open it, what is in it, how its log is kept short.

use evoke_ports::Store;
use evoke_ports::store::{EventQuery, Writer};
use rusqlite::Connection;

use super::{event_id, ingest, open, options};
use crate::sqlite::checkpoint::{self, Gates, Limits, Meter, Stretch};
use crate::sqlite::schema::{self, MIGRATIONS};
use crate::{SqliteOptions, SqliteStore};

/// The whole chain of causes.
fn refusal(options: SqliteOptions) -> String {
    let error = SqliteStore::open(options).err().unwrap();
    let mut text = error.to_string();
    let mut cause: Option<&dyn std::error::Error> = Some(&*error.source);
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}

#[test]
fn a_file_in_use_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let first = open(&folder);
    let text = refusal(options(&folder));
    assert!(text.contains("evoke.db is in use by another process"), "{text}");
    assert!(text.contains(&format!("process {}", std::process::id())), "{text}");
    let other_name = folder.path().join("other.db");
    std::os::unix::fs::symlink(options(&folder).path, &other_name).unwrap();
    let text = refusal(SqliteOptions::at(other_name));
    assert!(text.contains("evoke.db is in use"), "{text}");
    // The file is free when the last handle is gone, whichever that is.
    let writer = first.writer().unwrap();
    drop(first);
    refusal(options(&folder));
    drop(writer);
    drop(open(&folder));
}

#[test]
fn a_folder_is_made_and_a_place_that_is_none_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let deep = SqliteOptions::at(folder.path().join("a/b/evoke.db"));
    drop(SqliteStore::open(deep).unwrap());
    let file = SqliteOptions::at(folder.path().join("a/b/evoke.db/c/evoke.db"));
    assert!(refusal(file).contains("make the folder"));
    std::fs::create_dir(folder.path().join("folder.db")).unwrap();
    assert!(refusal(SqliteOptions::at(folder.path().join("folder.db"))).contains("folder.db"));
    let text = folder.path().join("text.db");
    std::fs::write(&text, "not a database, but long enough to be read as one".repeat(20)).unwrap();
    assert!(refusal(SqliteOptions::at(text)).contains("not a database"));
}

#[test]
fn a_file_of_a_newer_version_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    drop(open(&folder));
    let file = Connection::open(options(&folder).path).unwrap();
    file.execute("INSERT INTO schema_migrations VALUES (99, '0099_later')", []).unwrap();
    let text = refusal(options(&folder));
    assert!(text.contains("newer version") && text.contains("99"), "{text}");
}

fn tables(connection: &Connection) -> Vec<(String, String)> {
    let sql = "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name";
    let mut statement = connection.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

#[test]
fn a_fresh_file_is_what_all_migrations_make() {
    let folder = tempfile::tempdir().unwrap();
    drop(open(&folder));
    drop(open(&folder));
    let mut fresh = tables(&Connection::open(options(&folder).path).unwrap());
    fresh.retain(|(name, _)| name != "schema_migrations");
    let applied = Connection::open_in_memory().unwrap();
    for migration in MIGRATIONS {
        applied.execute_batch(migration.up).unwrap();
    }
    assert_eq!(fresh, tables(&applied));
}

#[test]
fn migrations_are_numbered_as_they_are_listed() {
    for (version, migration) in (1..).zip(MIGRATIONS) {
        assert!(migration.name.starts_with(&format!("{version:04}_")), "{}", migration.name);
    }
}

#[test]
fn what_is_missing_is_applied_once() {
    let mut connection = Connection::open_in_memory().unwrap();
    schema::migrate(&mut connection).unwrap();
    let before = tables(&connection);
    schema::migrate(&mut connection).unwrap();
    assert_eq!(tables(&connection), before);
}

/// What is in the file and its log at any moment is all that a new process finds after a kill.
#[tokio::test]
async fn a_copy_taken_while_it_runs_has_everything() {
    let (folder, copy) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = open(&folder);
    let mut writer = store.writer().unwrap();
    for n in 0..100 {
        writer.commit(&[ingest(n, b"x")]).unwrap();
    }
    for name in ["evoke.db", "evoke.db-wal"] {
        std::fs::copy(folder.path().join(name), copy.path().join(name)).unwrap();
    }
    let found = open(&copy).events().newest().await.unwrap();
    assert_eq!(found, event_id(99).as_u64());
}

/// The writer of a database with a log of some pages, and the connection that moves it.
fn with_log(folder: &tempfile::TempDir) -> (Box<dyn Writer>, Connection) {
    let store = open(folder);
    let mut writer = store.writer().unwrap();
    writer.commit(&[ingest(1, &[7; 100_000])]).unwrap();
    let connection = Connection::open(options(folder).path).unwrap();
    connection.pragma_update(None, "wal_autocheckpoint", 0).unwrap();
    (writer, connection)
}

fn log_bytes(folder: &tempfile::TempDir) -> u64 {
    std::fs::metadata(folder.path().join("evoke.db-wal")).unwrap().len()
}

const NEVER: u32 = u32::MAX;

#[test]
fn a_log_is_moved_and_one_that_is_far_too_large_is_cut_off() {
    let folder = tempfile::tempdir().unwrap();
    let (_writer, connection) = with_log(&folder);
    let gates = Gates::default();
    let limits = Limits { hold_writer_pages: NEVER, hold_readers_pages: NEVER };
    let log = checkpoint::checkpoint(&connection, &gates, &limits).unwrap();
    assert!(log.pages > 20 && log.moved == log.pages, "{log:?}");
    assert!(log_bytes(&folder) > 100_000, "the log is kept for the next commits");
    let limits = Limits { hold_writer_pages: 1, hold_readers_pages: 1 };
    checkpoint::checkpoint(&connection, &gates, &limits).unwrap();
    assert_eq!(log_bytes(&folder), 0);
}

/// What is committed while a checkpoint is under way is moved before it ends, or the log would only
/// ever grow under load.
#[test]
fn a_log_begins_anew_whatever_was_added_while_it_was_moved() {
    let folder = tempfile::tempdir().unwrap();
    let (mut writer, connection) = with_log(&folder);
    let gates = Gates::default();
    let limits = Limits { hold_writer_pages: 1, hold_readers_pages: NEVER };
    let log = std::thread::scope(|scope| {
        let (gates, limits) = (&gates, &limits);
        let commits = gates.commits.lock();
        let moving = scope.spawn(move || checkpoint::checkpoint(&connection, gates, limits));
        // The first steps find what is there; the last one waits for the gate.
        std::thread::sleep(std::time::Duration::from_millis(100));
        writer.commit(&[ingest(2, &[7; 100_000])]).unwrap();
        drop(commits);
        moving.join().unwrap().unwrap()
    });
    assert_eq!(log.moved, log.pages);
    let before = log_bytes(&folder);
    writer.commit(&[ingest(3, &[7; 100_000])]).unwrap();
    assert_eq!(log_bytes(&folder), before, "the commit was written at the log's beginning");
}

#[test]
fn a_reader_from_outside_delays_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let (_writer, connection) = with_log(&folder);
    let outside = Connection::open(options(&folder).path).unwrap();
    outside.execute_batch("BEGIN; SELECT count(*) FROM events").unwrap();
    connection.busy_timeout(std::time::Duration::ZERO).unwrap();
    let limits = Limits { hold_writer_pages: 1, hold_readers_pages: 1 };
    let gates = Gates::default();
    checkpoint::checkpoint(&connection, &gates, &limits).unwrap();
    assert!(log_bytes(&folder) > 0);
    outside.execute_batch("COMMIT").unwrap();
    checkpoint::checkpoint(&connection, &gates, &limits).unwrap();
    assert_eq!(log_bytes(&folder), 0);
}

#[test]
fn a_meter_asks_once_for_each_stretch_of_the_log() {
    let mut meter = Meter::default();
    let mut asked = Vec::new();
    for pages in [1, 4_095, 4_096, 5_000, 8_192, 9_000, 10, 4_000, 4_106] {
        if meter.wants(pages, Stretch::NORMAL) {
            asked.push(pages);
        }
    }
    assert_eq!(asked, [4_096, 8_192, 4_106]);
}

#[test]
fn a_meter_asks_earlier_for_changes_all_over_the_file() {
    let mut meter = Meter::default();
    assert!(!meter.wants(1_100, Stretch::NORMAL));
    assert!(meter.wants(1_200, Stretch::SCATTERED));
    assert!(!meter.wants(2_200, Stretch::SCATTERED));
    assert!(!meter.wants(2_300, Stretch::NORMAL));
    assert!(meter.wants(2_300, Stretch::SCATTERED));
}

/// Enough is written that the log is moved many times, with the writer held back for some of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commits_reads_and_checkpoints_go_on_together() {
    const BATCHES: u64 = 80;
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let mut writer = store.writer().unwrap();
    let (done, is_done) = tokio::sync::watch::channel(false);
    let readers: Vec<_> = (0..6)
        .map(|_| {
            let (events, is_done) = (store.events(), is_done.clone());
            tokio::spawn(async move {
                let mut newest = 0;
                while !*is_done.borrow() {
                    let seen = events.newest().await.unwrap();
                    assert!(seen >= newest, "a commit was lost: {seen} after {newest}");
                    newest = seen;
                    let query = EventQuery { limit: 3, ..EventQuery::default() };
                    events.events(query).await.unwrap();
                }
            })
        })
        .collect();
    let writing = tokio::task::spawn_blocking(move || {
        for batch in 0..BATCHES {
            let batch: Vec<_> = (0..20).map(|n| ingest(batch * 20 + n, &[7; 64 * 1024])).collect();
            writer.commit(&batch).unwrap();
        }
        writer.housekeep(super::NOW).unwrap();
    });
    writing.await.unwrap();
    done.send(true).unwrap();
    for reader in readers {
        reader.await.unwrap();
    }
    assert_eq!(store.events().newest().await.unwrap(), event_id(BATCHES * 20 - 1).as_u64());
}
