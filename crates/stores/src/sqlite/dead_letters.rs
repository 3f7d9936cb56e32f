//! Reading dead letters. They are few among many executions, so they have an index, by trigger; a
//! list over several triggers is merged from the newest of each.

use evoke_model::Execution;
use evoke_ports::store::{DeadLetters, ExecutionQuery, Order, Page};
use rusqlite::Connection;

use super::decode::{self, Flags};
use super::error::Error;
use super::executions;
use crate::groups::Groups;
use crate::page::{self, ExecutionFields, ExecutionPlace, Fits, Look, Pager, Range, SCAN_MAX};

/// All of them, from the index alone. They are counted by the reader: SQLite would sort them to
/// group them.
pub(super) const COUNT: &str = "SELECT event_id, trigger_id, cause FROM executions \
     WHERE cause IS NOT NULL ORDER BY trigger_id, event_id";

/// The next trigger behind one that has any: a step instead of a walk over all of them.
pub(super) const NEXT_TRIGGER: &str = "SELECT trigger_id FROM executions \
     WHERE cause IS NOT NULL AND trigger_id > ?1 ORDER BY trigger_id LIMIT 1";

pub(super) fn count(connection: &Connection) -> Result<Vec<DeadLetters>, Error> {
    let mut statement = connection.prepare_cached(COUNT)?;
    let mut rows = statement.query([])?;
    let mut groups = Groups::default();
    while let Some(row) = rows.next()? {
        if let Some(cause) = decode::execution_columns(row)?.cause(2)? {
            groups.add(decode::execution_place(row)?.id(), cause);
        }
    }
    Ok(groups.finish())
}

/// Whether the query is for dead letters alone, of any event.
pub(super) fn wanted(query: &ExecutionQuery) -> bool {
    (query.only_dead_letters || query.cause.is_some()) && query.event.is_none()
}

/// What a list of dead letters reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reads {
    /// Only what is in the index.
    Index,
    /// Their rows, for what is asked beyond it.
    Rows,
}

impl Reads {
    fn of(query: &ExecutionQuery) -> Self {
        let asks_more =
            query.is_test_run.is_some() || query.is_replay.is_some() || !query.states.is_empty();
        if asks_more { Self::Rows } else { Self::Index }
    }
}

/// The dead letters of one trigger in a range of events.
pub(super) fn list_sql(order: Order, reads: Reads) -> String {
    let direction = decode::direction(order);
    // Where nothing of the row is asked for, anything will do.
    let rest = match reads {
        Reads::Index => "3, 0",
        Reads::Rows => "state, flags",
    };
    format!(
        "SELECT event_id, trigger_id, cause, {rest} FROM executions \
         WHERE trigger_id = ?1 AND cause IS NOT NULL AND event_id > ?2 AND event_id < ?3 \
         ORDER BY event_id {direction}"
    )
}

/// A page of dead letters.
pub(super) fn list(
    connection: &Connection,
    query: &ExecutionQuery,
    range: Range<ExecutionPlace>,
) -> Result<Page<Execution>, Error> {
    let mut pager = Pager::new(query.limit);
    let snapshot = connection.unchecked_transaction()?;
    let triggers = triggers(&snapshot, query)?;
    let mut search = Search {
        query,
        range,
        // One more than the page holds tells whether there is a next one.
        enough: pager.limit() + 1,
        rows_max: (SCAN_MAX / triggers.len().max(1)).max(pager.limit() + 1),
        found: Vec::new(),
        seen_to: None,
    };
    for trigger in triggers {
        search.look_at(&snapshot, trigger)?;
    }
    let seen_to = search.seen_to;
    for place in search.finish() {
        match pager.look(place, Fits::Yes) {
            Look::Take => {
                if let Some(execution) = executions::one(&snapshot, place.id())? {
                    pager.push(execution);
                }
            }
            Look::Skip => {}
            Look::Stop => return Ok(pager.finish()),
        }
    }
    if let Some(place) = seen_to {
        pager.break_off(place);
    }
    Ok(pager.finish())
}

fn triggers(connection: &Connection, query: &ExecutionQuery) -> Result<Vec<i64>, Error> {
    if !query.triggers.is_empty() {
        let mut wanted: Vec<i64> = query.triggers.iter().map(|id| id.as_u64() as i64).collect();
        wanted.sort_unstable();
        wanted.dedup();
        return Ok(wanted);
    }
    let mut statement = connection.prepare_cached(NEXT_TRIGGER)?;
    let mut triggers = Vec::new();
    loop {
        let last = triggers.last().copied().unwrap_or(-1);
        let mut rows = statement.query([last])?;
        match rows.next()? {
            Some(row) => triggers.push(row.get(0)?),
            None => return Ok(triggers),
        }
    }
}

/// The search for a page through the dead letters of one trigger after the other.
struct Search<'q> {
    query: &'q ExecutionQuery,
    range: Range<ExecutionPlace>,
    /// So many of one trigger make any page.
    enough: usize,
    /// So many of one trigger are looked at.
    rows_max: usize,
    found: Vec<ExecutionPlace>,
    /// Up to where the dead letters of every trigger were looked at, where not all of them were.
    seen_to: Option<ExecutionPlace>,
}

impl Search<'_> {
    fn look_at(&mut self, connection: &Connection, trigger: i64) -> Result<(), Error> {
        let Range { after, before } = self.range;
        // Within the event at an end of the range only the triggers on the inner side belong to it.
        let after = if trigger > after.1 { after.0 - 1 } else { after.0 };
        let before = if trigger < before.1 { before.0.saturating_add(1) } else { before.0 };
        let sql = list_sql(self.query.order, Reads::of(self.query));
        let mut statement = connection.prepare_cached(&sql)?;
        let mut rows = statement.query([trigger, after, before])?;
        let end = self.found.len() + self.enough;
        let mut seen = 0;
        while self.found.len() < end
            && let Some(row) = rows.next()?
        {
            let place = decode::execution_place(row)?;
            if page::execution_fits(self.query, fields(row)?) {
                self.found.push(place);
            }
            seen += 1;
            if seen == self.rows_max {
                self.stop_at(place);
                break;
            }
        }
        Ok(())
    }

    fn stop_at(&mut self, place: ExecutionPlace) {
        let nearest = match (self.seen_to, self.query.order) {
            (None, _) => place,
            (Some(other), Order::NewestFirst) => other.max(place),
            (Some(other), Order::OldestFirst) => other.min(place),
        };
        self.seen_to = Some(nearest);
    }

    /// What was found, as far as every trigger was looked at, in the order of the list.
    fn finish(mut self) -> Vec<ExecutionPlace> {
        self.found.sort_unstable();
        if self.query.order == Order::NewestFirst {
            self.found.reverse();
        }
        if let Some(end) = self.seen_to {
            self.found.retain(|place| match self.query.order {
                Order::NewestFirst => *place >= end,
                Order::OldestFirst => *place <= end,
            });
        }
        self.found
    }
}

fn fields(row: &rusqlite::Row<'_>) -> Result<ExecutionFields, Error> {
    let columns = decode::execution_columns(row)?;
    let flags = columns.flags(4)?;
    Ok(ExecutionFields {
        trigger: decode::execution_place(row)?.id().trigger,
        cause: columns.cause(2)?,
        state: columns.state(3)?,
        is_test_run: flags.has(Flags::TEST_RUN),
        is_replay: flags.has(Flags::REPLAY),
    })
}
