//! What leaves the record, into the archive or for good, and the space it leaves behind.

use std::time::{Duration, Instant};

use evoke_model::SegmentId;
use evoke_ports::store::{Removal, Segment};

use super::{Apply, Changed, key, number};
use crate::sqlite::error::Error;

const SEGMENT: &str = "INSERT INTO segments (id, holds, class, first, last, items, bytes, content) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT DO NOTHING";
const REMOVE_SEGMENT: &str = "DELETE FROM segments WHERE id = ?1";
pub(in crate::sqlite) const REMOVE_EXECUTION: &str =
    "DELETE FROM executions WHERE event_id = ?1 AND trigger_id = ?2 AND state >= 2";
pub(in crate::sqlite) const REMOVE_ATTEMPTS: &str =
    "DELETE FROM attempts WHERE event_id = ?1 AND trigger_id = ?2";
pub(in crate::sqlite) const REMOVE_EDIT: &str =
    "DELETE FROM edits WHERE event_id = ?1 AND trigger_id = ?2";
/// An event stays as long as one of its executions may still want it.
pub(in crate::sqlite) const REMOVE_EVENT: &str = "DELETE FROM events WHERE id = ?1 AND NOT EXISTS \
     (SELECT 1 FROM executions WHERE event_id = ?1 AND state < 2)";

impl Apply<'_> {
    pub(super) fn archive(&mut self, segment: &Segment) -> Result<Changed, Error> {
        let info = &segment.info;
        let added = self.connection.prepare_cached(SEGMENT)?.execute((
            number(info.id.as_u64()),
            info.holds as u8,
            &info.class,
            number(info.first.as_u64()),
            number(info.last.as_u64()),
            info.items,
            i64::try_from(info.bytes).unwrap_or(i64::MAX),
            &segment.content[..],
        ))?;
        if added > 0 {
            self.remove(&segment.removes)?;
        }
        Ok(added.into())
    }

    pub(super) fn remove_segments(&mut self, ids: &[SegmentId]) -> Result<Changed, Error> {
        let mut remove = self.connection.prepare_cached(REMOVE_SEGMENT)?;
        let mut rows = 0;
        for id in ids {
            rows += remove.execute([number(id.as_u64())])?;
        }
        Ok(rows.into())
    }

    pub(super) fn remove(&mut self, removal: &Removal) -> Result<Changed, Error> {
        let mut execution = self.connection.prepare_cached(REMOVE_EXECUTION)?;
        let mut attempts = self.connection.prepare_cached(REMOVE_ATTEMPTS)?;
        let mut edit = self.connection.prepare_cached(REMOVE_EDIT)?;
        let mut rows = 0;
        for id in &removal.executions {
            if execution.execute(key(*id))? > 0 {
                attempts.execute(key(*id))?;
                edit.execute(key(*id))?;
                rows += 1;
            }
        }
        let mut event = self.connection.prepare_cached(REMOVE_EVENT)?;
        for id in &removal.events {
            rows += event.execute([number(id.as_u64())])?;
        }
        Ok(rows.into())
    }

    /// Cuts free pages off the end of the file, which becomes shorter when the log is moved.
    pub(super) fn shrink(&mut self, bytes: u64, within: Duration) -> Result<Changed, Error> {
        let began = Instant::now();
        let number = |pragma: &str| {
            self.connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0))
        };
        let pages = bytes / number("page_size")?.max(1) as u64;
        // Asked for none, the pragma would give back all.
        if pages == 0 {
            return Ok(Changed::No);
        }
        let before = number("page_count")?;
        let sql = format!("PRAGMA incremental_vacuum({})", pages.min(u64::from(u32::MAX >> 1)));
        let mut vacuum = self.connection.prepare(&sql)?;
        let mut rows = vacuum.query([])?;
        // Each step gives back one page, for which it may have to look through the list of gaps.
        while rows.next()?.is_some() && began.elapsed() < within {}
        drop(rows);
        Ok((number("page_count")? < before).into())
    }
}
