//! Reading the definitions, whole.

use std::sync::Arc;

use async_trait::async_trait;
use evoke_model::Trigger;
use evoke_model::function::FunctionRecord;
use evoke_ports::store::{self, Definitions, Key};
use rusqlite::Connection;
use serde::de::DeserializeOwned;

use super::decode::{Columns, Name};
use super::error::Error;
use super::pool::Pool;
use super::stored::{StoredFunction, StoredKey, StoredTrigger};

#[async_trait]
impl Definitions for Pool {
    async fn functions(&self) -> Result<Vec<FunctionRecord>, store::Error> {
        self.read("read functions", |connection| {
            let decode = |stored: StoredFunction| Ok(FunctionRecord::from(stored));
            all(connection, "functions", decode)
        })
        .await
    }

    async fn triggers(&self) -> Result<Vec<Arc<Trigger>>, store::Error> {
        self.read("read triggers", |connection| {
            let decode = |stored: StoredTrigger| Ok(Arc::<Trigger>::from(stored));
            all(connection, "triggers", decode)
        })
        .await
    }

    async fn keys(&self) -> Result<Vec<Key>, store::Error> {
        self.read("read keys", |connection| {
            let decode = |stored: StoredKey| Key::try_from(stored).map_err(|bad| bad.to_string());
            all(connection, "keys", decode)
        })
        .await
    }
}

fn all<S: DeserializeOwned, T>(
    connection: &Connection,
    table: &'static str,
    decode: impl Fn(S) -> Result<T, String>,
) -> Result<Vec<T>, Error> {
    let sql = format!("SELECT body, id FROM {table} ORDER BY id");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query([])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let columns = Columns::new(row, table, Name::Number(row.get(1)?), 0);
        found.push(decode(columns.json(0)?).map_err(|what| columns.corrupt(what))?);
    }
    Ok(found)
}
