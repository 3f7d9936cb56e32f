//! The server's own record, read from its SQLite file: what counts as done is what is committed,
//! not what a counter or an answer says.

use std::path::Path;

use rusqlite::{Connection, OpenFlags, OptionalExtension, params};

use crate::error::{Result, Stored};
use crate::histogram::{Histogram, Latency};

/// The state of a successful execution, as stored.
const SUCCESS: i64 = 2;

/// The record, opened for reading beside the running server.
pub(crate) struct Record(Connection);

/// The newest execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) struct Newest {
    pub(crate) event: i64,
    pub(crate) is_success: bool,
}

/// An occurrence of a schedule, in microseconds of the epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Firing {
    /// The type of its event, which holds the schedule's name.
    pub(crate) kind: String,
    pub(crate) scheduled_us: u64,
    /// When its event was made, to the nearest millisecond.
    pub(crate) fired_us: u64,
    /// When the attempt began.
    pub(crate) started_us: u64,
    /// The first line of the handler, once the execution is a success.
    pub(crate) handler_us: Option<u64>,
}

impl Record {
    /// Opens the store in the data folder of a project.
    pub(crate) fn open(data: &Path) -> Result<Self> {
        let file = data.join("evoke.db");
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&file, flags).stored("open the record")?;
        connection.busy_timeout(std::time::Duration::from_secs(5)).stored("open the record")?;
        Ok(Self(connection))
    }

    /// Executions that are not yet over; cheap, it only counts an index.
    pub(crate) fn open_executions(&self) -> Result<u64> {
        self.count("SELECT count(*) FROM executions WHERE state < 2", 0)
    }

    /// Whether at least so many executions are not yet over; it looks at no more than these.
    pub(crate) fn has_open(&self, count: u64) -> Result<bool> {
        let sql = "SELECT count(*) FROM (SELECT 1 FROM executions WHERE state < 2 LIMIT ?1)";
        Ok(self.count(sql, count.cast_signed())? >= count)
    }

    /// Successful executions of events behind this one.
    pub(crate) fn successes(&self, after: i64) -> Result<u64> {
        let sql = "SELECT count(*) FROM executions WHERE event_id > ?1 AND state = 2";
        self.count(sql, after)
    }

    /// Rows of events and executions together.
    pub(crate) fn rows(&self) -> Result<u64> {
        let events = self.count("SELECT count(*) FROM events WHERE id > ?1", 0)?;
        Ok(events + self.count("SELECT count(*) FROM executions WHERE event_id > ?1", 0)?)
    }

    fn count(&self, sql: &str, after: i64) -> Result<u64> {
        let mut statement = self.0.prepare_cached(sql).stored("count executions")?;
        let read = |row: &rusqlite::Row<'_>| row.get::<_, i64>(0);
        let count = match statement.parameter_count() {
            0 => statement.query_row([], read),
            _ => statement.query_row([after], read),
        };
        Ok(count.stored("count executions")?.unsigned_abs())
    }

    /// The execution of the newest event that has one.
    pub(crate) fn newest(&self) -> Result<Newest> {
        let mut statement = self
            .0
            .prepare_cached("SELECT event_id, state FROM executions ORDER BY event_id DESC LIMIT 1")
            .stored("read the newest execution")?;
        let newest = statement.query_row([], |row| {
            Ok(Newest { event: row.get(0)?, is_success: row.get::<_, i64>(1)? == SUCCESS })
        });
        Ok(newest.optional().stored("read the newest execution")?.unwrap_or_default())
    }

    /// From the acceptance of each event behind this one to the first line of its handler, which
    /// the function reports in its output.
    pub(crate) fn event_to_handler(&self, after: i64) -> Result<Latency> {
        Ok(self.waits("%", after)?.summary())
    }

    /// The same of the events whose type is like this, in SQL's sense.
    pub(crate) fn waits(&self, kind: &str, after: i64) -> Result<Histogram> {
        let mut statement = self
            .0
            .prepare(
                "SELECT json_extract(CAST(output AS TEXT), '$.began') - time
                 FROM executions JOIN events ON id = event_id
                 WHERE event_id > ?1 AND state = 2 AND type LIKE ?2",
            )
            .stored("read the waits")?;
        let mut rows = statement.query(params![after, kind]).stored("read the waits")?;
        let mut waits = Histogram::default();
        while let Some(row) = rows.next().stored("read the waits")? {
            let micros: Option<i64> = row.get(0).stored("read the waits")?;
            waits.record(micros.unwrap_or(0).max(0).unsigned_abs() * 1_000);
        }
        Ok(waits)
    }

    /// What schedules of a type like this, in SQL's sense, fired at the instants of this range, in
    /// the order of the instants.
    pub(crate) fn fired(&self, kind: &str, [first, last]: [u64; 2]) -> Result<Vec<Firing>> {
        let mut statement = self
            .0
            .prepare(
                "SELECT type, time,
                        CAST(round(unixepoch(json_extract(CAST(data AS TEXT), '$.fired_at'),
                                             'subsec') * 1e6) AS INTEGER),
                        coalesce(started_at, 0),
                        json_extract(CAST(output AS TEXT), '$.began')
                 FROM executions JOIN events ON id = event_id
                 WHERE type LIKE ?1 AND time BETWEEN ?2 AND ?3 ORDER BY time, id",
            )
            .stored("read what was fired")?;
        let bounds = [first, last].map(u64::cast_signed);
        let rows = statement.query_map(params![kind, bounds[0], bounds[1]], |row| {
            Ok(Firing {
                kind: row.get(0)?,
                scheduled_us: row.get::<_, i64>(1)?.unsigned_abs(),
                fired_us: row.get::<_, i64>(2)?.unsigned_abs(),
                started_us: row.get::<_, i64>(3)?.unsigned_abs(),
                handler_us: row.get::<_, Option<i64>>(4)?.map(i64::unsigned_abs),
            })
        });
        rows.and_then(Iterator::collect).stored("read what was fired")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_schedules_fired_is_read_in_the_order_of_their_instants() {
        let folder = tempfile::tempdir().unwrap();
        let store = Connection::open(folder.path().join("evoke.db")).unwrap();
        store
            .execute_batch(
                "CREATE TABLE events (id INTEGER PRIMARY KEY, time INTEGER, type TEXT, data);
                 CREATE TABLE executions (event_id INTEGER, started_at INTEGER, output);
                 INSERT INTO events VALUES
                   (1, 20000000, 'schedule.a', '{\"fired_at\":\"1970-01-01T00:00:20.002Z\"}'),
                   (2, 10000000, 'schedule.a', '{\"fired_at\":\"1970-01-01T00:00:10.001822Z\"}'),
                   (3, 30000000, 'schedule.a', '{\"fired_at\":\"1970-01-01T00:00:30Z\"}'),
                   (4, 10000000, 'other', '{}');
                 INSERT INTO executions VALUES (1, NULL, NULL), (2, 10000300, '{\"began\":10000700}'),
                   (3, 1, '{}'), (4, 1, '{}');",
            )
            .unwrap();
        let fired = Record::open(folder.path()).unwrap();
        let fired = fired.fired("schedule.%", [10_000_000, 20_000_000]).unwrap();
        let firing = |scheduled_us, fired_us, started_us, handler_us| Firing {
            kind: "schedule.a".to_owned(),
            scheduled_us,
            fired_us,
            started_us,
            handler_us,
        };
        assert_eq!(
            fired,
            [
                firing(10_000_000, 10_002_000, 10_000_300, Some(10_000_700)),
                firing(20_000_000, 20_002_000, 0, None),
            ]
        );
    }

    #[test]
    fn the_record_is_read_as_the_store_writes_it() {
        let folder = tempfile::tempdir().unwrap();
        let store = Connection::open(folder.path().join("evoke.db")).unwrap();
        store
            .execute_batch(
                "CREATE TABLE events (id INTEGER PRIMARY KEY, time INTEGER, type TEXT);
                 CREATE TABLE executions (event_id INTEGER, trigger_id INTEGER, state INTEGER,
                                          output, PRIMARY KEY (event_id, trigger_id));
                 INSERT INTO events VALUES (1, 100, 'a'), (2, 200, 'b'), (3, 300, 'a');
                 INSERT INTO executions VALUES (1, 9, 2, '{\"began\":150}'),
                   (2, 9, 2, CAST('{\"began\":1200}' AS BLOB)), (3, 9, 0, NULL);",
            )
            .unwrap();
        let record = Record::open(folder.path()).unwrap();
        assert_eq!(record.open_executions().unwrap(), 1);
        assert!(record.has_open(1).unwrap() && !record.has_open(2).unwrap());
        assert_eq!(record.successes(0).unwrap(), 2);
        assert_eq!(record.successes(1).unwrap(), 1);
        assert_eq!(record.rows().unwrap(), 6);
        assert_eq!(record.newest().unwrap(), Newest { event: 3, is_success: false });
        let waits = record.event_to_handler(0).unwrap();
        assert_eq!((waits.count, waits.min_us, waits.max_us), (2, 50.0, 1_000.0));
        let waits = record.waits("b", 0).unwrap().summary();
        assert_eq!((waits.count, waits.min_us), (1, 1_000.0));
    }
}
