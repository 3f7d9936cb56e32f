//! Writes one batch, inside its transaction. Every microsecond here is paid by every event: what an
//! event does not have is not bound, and the usual course of an execution is one insert and one
//! update.

pub(super) mod archive;
mod change;
mod documents;
mod finish;
mod ingest;

use evoke_model::{Data, ExecutionId};
use evoke_ports::store::{Conflict, Receipt, Write};
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{CachedStatement, Connection, ToSql};

use super::error::Error;

/// The statements of one batch, prepared when the first write asks for them.
pub(super) struct Apply<'c> {
    connection: &'c Connection,
    plain_event: Lazy<'c>,
    event: Lazy<'c>,
    plain_execution: Lazy<'c>,
    execution: Lazy<'c>,
    plain_success: Lazy<'c>,
    end: Lazy<'c>,
    bury: Lazy<'c>,
    retry: Lazy<'c>,
}

impl<'c> Apply<'c> {
    pub fn new(connection: &'c Connection) -> Self {
        Self {
            connection,
            plain_event: Lazy(None),
            event: Lazy(None),
            plain_execution: Lazy(None),
            execution: Lazy(None),
            plain_success: Lazy(None),
            end: Lazy(None),
            bury: Lazy(None),
            retry: Lazy(None),
        }
    }

    /// Does one write.
    pub fn write(&mut self, write: &Write) -> Result<Receipt, Error> {
        match write {
            Write::Ingest(ingest) => self.ingest(ingest),
            Write::Finish(finishes) => {
                let mut stale = Vec::new();
                for finish in finishes {
                    if self.finish(finish)? == Changed::No {
                        stale.push(finish.id);
                    }
                }
                Ok(Receipt::Finished { stale })
            }
            Write::Change(change) => self.change(change),
            Write::All(writes) => self.all(writes),
        }
    }

    /// Does several writes, or none where one is refused.
    fn all(&mut self, writes: &[Write]) -> Result<Receipt, Error> {
        let connection = self.connection;
        // What stands first and is refused leaves nothing behind.
        let outcome = match writes.iter().skip(1).any(documents::may_be_refused) {
            false => self.in_turn(writes)?,
            true => documents::all_or_nothing(connection, || self.in_turn(writes))?,
        };
        Ok(outcome.map_or_else(Receipt::Refused, Receipt::All))
    }

    /// Does writes up to the first that is refused.
    fn in_turn(&mut self, writes: &[Write]) -> Result<Result<Vec<Receipt>, Vec<Conflict>>, Error> {
        let mut receipts = Vec::with_capacity(writes.len());
        for write in writes {
            match self.write(write)? {
                Receipt::Refused(conflicts) => return Ok(Err(conflicts)),
                receipt => receipts.push(receipt),
            }
        }
        Ok(Ok(receipts))
    }
}

/// Whether a row was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Changed {
    Yes,
    No,
}

impl From<bool> for Changed {
    fn from(yes: bool) -> Self {
        if yes { Self::Yes } else { Self::No }
    }
}

impl From<usize> for Changed {
    fn from(rows: usize) -> Self {
        if rows == 0 { Self::No } else { Self::Yes }
    }
}

/// A statement that is looked up in the connection's cache once a batch.
struct Lazy<'c>(Option<CachedStatement<'c>>);

impl<'c> Lazy<'c> {
    fn get(
        &mut self,
        connection: &'c Connection,
        sql: &str,
    ) -> Result<&mut CachedStatement<'c>, Error> {
        match self.0 {
            Some(ref mut statement) => Ok(statement),
            None => Ok(self.0.insert(connection.prepare_cached(sql)?)),
        }
    }
}

/// An id as SQLite keeps it: ids have 63 bits.
const fn number(id: u64) -> i64 {
    id as i64
}

/// The parameters 1 and 2 of every statement about one execution.
fn key(id: ExecutionId) -> (i64, i64) {
    (number(id.event.as_u64()), number(id.trigger.as_u64()))
}

/// A payload as its column: text where it is text, so that SQL can look into it.
struct Payload<'d>(&'d Data);

impl ToSql for Payload<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self.0 {
            Data::None => ValueRef::Null,
            Data::Json(bytes) | Data::Text(bytes) => ValueRef::Text(bytes),
            Data::Binary(bytes) => ValueRef::Blob(bytes),
        }))
    }
}
