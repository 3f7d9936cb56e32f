//! Forgets what has expired, a slice at a time. No index on the time of expiry is kept for this: it
//! would cost every event with a key.

use evoke_model::Timestamp;
use rusqlite::{Connection, OptionalExtension};

use super::error::Error;
use super::writer::in_transaction;

/// Rows looked at in one round: a few milliseconds during which commits wait.
const SLICE: u32 = 5_000;

const KEYS_END: &str = "SELECT max(key), count(*) FROM \
     (SELECT key FROM once_keys WHERE key > ?1 ORDER BY key LIMIT ?2)";
const FORGET_KEYS: &str = "DELETE FROM once_keys WHERE key > ?1 AND key <= ?2 AND expires_at <= ?3";

pub(super) const SPENT_END: &str = "SELECT owner, key FROM spent WHERE (owner, key) > (?1, ?2) \
     ORDER BY owner, key LIMIT 1 OFFSET ?3";
pub(super) const FORGET_SPENT: &str = "DELETE FROM spent \
     WHERE (owner, key) > (?1, ?2) AND (owner, key) <= (?3, ?4) AND until <= ?5";
/// Behind the last full slice.
pub(super) const FORGET_LAST_SPENT: &str =
    "DELETE FROM spent WHERE (owner, key) > (?1, ?2) AND until <= ?3";

/// How far housekeeping has looked.
#[derive(Debug, Default)]
pub(super) struct Purge {
    key: Vec<u8>,
    /// An owner and a key of theirs.
    spent: (String, String),
}

impl Purge {
    /// Forgets expired once keys of the next slice.
    pub fn once_keys(&mut self, connection: &Connection, now: Timestamp) -> Result<(), Error> {
        let (end, count) =
            connection.prepare_cached(KEYS_END)?.query_row((&self.key, SLICE), |row| {
                Ok((row.get::<_, Option<Vec<u8>>>(0)?, row.get::<_, u32>(1)?))
            })?;
        if let Some(end) = &end {
            in_transaction(connection, |connection| {
                let mut forget = connection.prepare_cached(FORGET_KEYS)?;
                Ok(forget.execute((&self.key, end, now.as_micros()))?)
            })?;
        }
        self.key = end.filter(|_| count == SLICE).unwrap_or_default();
        Ok(())
    }

    /// Forgets what limits had spent and does not count any more, of the next slice.
    pub fn spent(&mut self, connection: &Connection, now: Timestamp) -> Result<(), Error> {
        let (owner, key) = &self.spent;
        let end = connection
            .prepare_cached(SPENT_END)?
            .query_row((owner, key, SLICE - 1), |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let end: Option<(String, String)> = end;
        in_transaction(connection, |connection| {
            let now = now.as_micros();
            Ok(match &end {
                Some((last, key_of_last)) => connection.prepare_cached(FORGET_SPENT)?.execute((
                    owner,
                    key,
                    last,
                    key_of_last,
                    now,
                ))?,
                None => connection.prepare_cached(FORGET_LAST_SPENT)?.execute((owner, key, now))?,
            })
        })?;
        self.spent = end.unwrap_or_default();
        Ok(())
    }
}
