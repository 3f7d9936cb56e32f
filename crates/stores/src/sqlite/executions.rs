//! Reading the executions.

use async_trait::async_trait;
use evoke_model::{Attempt, Data, Execution, ExecutionId, Redirect, Timestamp, TriggerId};
use evoke_ports::store::{
    DeadLetters, Due, Error, ExecutionQuery, Executions, Order, Page, Spent, Waiting,
};
use rusqlite::Connection;

use super::decode::{self, ATTEMPT, EXECUTION, Flags};
use super::pool::Pool;
use super::{dead_letters, error, spent, waiting};
use crate::page::{self, ExecutionFields, ExecutionPlace, Fits, Look, Pager, Range};

/// The triggers with open executions, and where their queues begin.
pub(super) const BACKLOG: &str = "SELECT trigger_id, count(*), min(due_at) FROM executions \
     WHERE state < 2 GROUP BY trigger_id";

#[async_trait]
impl Executions for Pool {
    async fn execution(&self, id: ExecutionId) -> Result<Option<Execution>, Error> {
        self.read("read an execution", move |connection| one(connection, id)).await
    }

    async fn attempts(&self, id: ExecutionId) -> Result<Vec<Attempt>, Error> {
        self.read("read attempts", move |connection| attempts(connection, id)).await
    }

    async fn executions(&self, query: ExecutionQuery) -> Result<Page<Execution>, Error> {
        const ACTION: &str = "list executions";
        let range = page::execution_range(&query).map_err(|bad| Error::new(ACTION, bad))?;
        self.read(ACTION, move |connection| {
            if dead_letters::wanted(&query) {
                dead_letters::list(connection, &query, range)
            } else {
                list(connection, &query, range)
            }
        })
        .await
    }

    async fn due(&self, query: Due) -> Result<Vec<Waiting>, Error> {
        self.read("read due executions", move |connection| waiting::due(connection, &query)).await
    }

    async fn backlog(&self) -> Result<Vec<(TriggerId, u64, Timestamp)>, Error> {
        self.read("count waiting executions", |connection| {
            let mut statement = connection.prepare_cached(BACKLOG)?;
            let rows = statement.query_map([], |row| {
                let due = Timestamp::from_micros(row.get(2)?);
                Ok((decode::trigger_id(row.get(0)?), row.get::<_, i64>(1)? as u64, due))
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }

    async fn dead_letters(&self) -> Result<Vec<DeadLetters>, Error> {
        self.read("count dead letters", dead_letters::count).await
    }

    async fn edited(&self, id: ExecutionId) -> Result<Option<Data>, Error> {
        self.read("read edited data", move |connection| waiting::edited(connection, id)).await
    }

    async fn redirects(&self) -> Result<Vec<Redirect>, Error> {
        self.read("read where executions were sent", redirects).await
    }

    async fn spent(&self, now: Timestamp) -> Result<Vec<Spent>, Error> {
        self.read("read what limits have spent", move |connection| spent::list(connection, now))
            .await
    }
}

/// Where open executions were sent by hand. Asked for now and then, beside which all of them are
/// looked through: an index would cost each of the others.
const REDIRECTS: &str =
    "SELECT DISTINCT redirect FROM executions WHERE state < 2 AND redirect IS NOT NULL";

fn redirects(connection: &Connection) -> Result<Vec<Redirect>, error::Error> {
    let mut statement = connection.prepare_cached(REDIRECTS)?;
    let mut rows = statement.query([])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        // What cannot be read names no version; whoever reads its execution is told.
        found.extend(serde_json::from_str(&row.get::<_, String>(0)?).ok());
    }
    Ok(found)
}

/// One execution.
pub(super) fn one(
    connection: &Connection,
    id: ExecutionId,
) -> Result<Option<Execution>, error::Error> {
    let ExecutionPlace(event, trigger) = ExecutionPlace::of(id);
    let sql = format!("SELECT {EXECUTION} FROM executions WHERE event_id = ?1 AND trigger_id = ?2");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query([event, trigger])?;
    rows.next()?.map(decode::execution).transpose()
}

fn attempts(connection: &Connection, id: ExecutionId) -> Result<Vec<Attempt>, error::Error> {
    let ExecutionPlace(event, trigger) = ExecutionPlace::of(id);
    let sql = format!(
        "SELECT {ATTEMPT} FROM attempts WHERE event_id = ?1 AND trigger_id = ?2 ORDER BY position"
    );
    // Between two reads the last attempt could become an earlier one and be missed.
    let snapshot = connection.unchecked_transaction()?;
    let mut attempts = Vec::new();
    let mut statement = snapshot.prepare_cached(&sql)?;
    let mut rows = statement.query([event, trigger])?;
    while let Some(row) = rows.next()? {
        attempts.push(decode::attempt(row, id)?);
    }
    attempts.extend(one(&snapshot, id)?.and_then(|execution| execution.last));
    Ok(attempts)
}

/// What a query asks for of the executions of a range, by event, then trigger.
pub(super) fn list_sql(order: Order) -> String {
    let direction = decode::direction(order);
    format!(
        "SELECT event_id, trigger_id, state, flags, cause FROM executions \
         WHERE (event_id, trigger_id) > (?1, ?2) AND (event_id, trigger_id) < (?3, ?4) \
         ORDER BY event_id {direction}, trigger_id {direction}"
    )
}

fn list(
    connection: &Connection,
    query: &ExecutionQuery,
    range: Range<ExecutionPlace>,
) -> Result<Page<Execution>, error::Error> {
    let mut pager = Pager::new(query.limit);
    let snapshot = connection.unchecked_transaction()?;
    let mut statement = snapshot.prepare_cached(&list_sql(query.order))?;
    let Range { after, before } = range;
    let mut rows = statement.query([after.0, after.1, before.0, before.1])?;
    while let Some(row) = rows.next()? {
        let columns = decode::execution_columns(row)?;
        let place = decode::execution_place(row)?;
        let flags = columns.flags(3)?;
        let fields = ExecutionFields {
            trigger: place.id().trigger,
            state: columns.state(2)?,
            is_test_run: flags.has(Flags::TEST_RUN),
            is_replay: flags.has(Flags::REPLAY),
            cause: columns.cause(4)?,
        };
        match pager.look(place, Fits::from(page::execution_fits(query, fields))) {
            Look::Take => {
                if let Some(execution) = one(&snapshot, place.id())? {
                    pager.push(execution);
                }
            }
            Look::Skip => {}
            Look::Stop => break,
        }
    }
    Ok(pager.finish())
}
