//! Brings the tables of a file up to date. Migrations only ever add; a file of a newer version is
//! refused rather than misread.

use rusqlite::{Connection, OptionalExtension, TransactionBehavior};

use super::error::Error;

/// One step, named by what it is for. Its version is its place in the list, from 1.
pub(super) struct Migration {
    pub name: &'static str,
    pub up: &'static str,
}

/// All steps, oldest first.
pub(super) const MIGRATIONS: &[Migration] = &[
    Migration { name: "0001_record", up: include_str!("migrations/0001_record.up.sql") },
    Migration { name: "0002_policies", up: include_str!("migrations/0002_policies.up.sql") },
    Migration { name: "0003_flags", up: include_str!("migrations/0003_flags.up.sql") },
    Migration { name: "0004_cursors", up: include_str!("migrations/0004_cursors.up.sql") },
    Migration { name: "0005_documents", up: include_str!("migrations/0005_documents.up.sql") },
];

const LEDGER: &str = "CREATE TABLE IF NOT EXISTS schema_migrations (
  version INTEGER PRIMARY KEY,
  name TEXT NOT NULL
)";

/// Applies what is missing, each step in a transaction of its own.
pub(super) fn migrate(connection: &mut Connection) -> Result<(), Error> {
    connection.execute_batch(LEDGER)?;
    let applied = version(connection)?;
    let known = MIGRATIONS.len() as u32;
    if applied > known {
        return Err(Error::Newer { found: applied, known });
    }
    for (version, migration) in (1..).zip(MIGRATIONS).skip(applied as usize) {
        apply(connection, version, migration)
            .map_err(|source| Error::Migrate { name: migration.name, source })?;
    }
    Ok(())
}

fn version(connection: &Connection) -> Result<u32, rusqlite::Error> {
    let newest = connection
        .query_row("SELECT max(version) FROM schema_migrations", [], |row| row.get(0))
        .optional()?;
    Ok(newest.flatten().unwrap_or(0))
}

fn apply(
    connection: &mut Connection,
    version: u32,
    migration: &Migration,
) -> Result<(), rusqlite::Error> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute_batch(migration.up)?;
    transaction.execute(
        "INSERT INTO schema_migrations (version, name) VALUES (?1, ?2)",
        (version, migration.name),
    )?;
    transaction.commit()
}
