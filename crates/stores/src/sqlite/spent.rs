//! What rate limits have spent.

use evoke_model::Timestamp;
use evoke_ports::store::Spent;
use rusqlite::Connection;

use super::error::Error;

const LIST: &str = "SELECT owner, key, until FROM spent WHERE until > ?1 ORDER BY owner, key";

/// All that still counts.
pub(super) fn list(connection: &Connection, now: Timestamp) -> Result<Vec<Spent>, Error> {
    let mut statement = connection.prepare_cached(LIST)?;
    let rows = statement.query_map([now.as_micros()], |row| {
        Ok(Spent {
            owner: row.get(0)?,
            key: row.get(1)?,
            until: Timestamp::from_micros(row.get(2)?),
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}
