//! Many schedules at once: written into the store of a server that does not run, as copies of one
//! that the server itself has stored. Through the API each new trigger costs the more the more
//! there are, which is told beside, but is not what is measured.

use std::path::Path;

use evoke_model::TriggerId;
use rusqlite::{Connection, params};

use crate::error::{Error, Result, Stored};

/// Adds `count` copies of the schedule with this name to the store in the data folder of a project.
/// A copy has the name with a number behind it, and waits for the same instant.
pub(crate) fn add_copies(data: &Path, name: &str, count: u32) -> Result<()> {
    let mut store = Connection::open(data.join("evoke.db")).stored("open the store")?;
    let transaction = store.transaction().stored("copy a schedule")?;
    let model = Model::read(&transaction, name).stored("read the schedule to copy")?;
    let known = id_text(model.id);
    if !(model.trigger.contains(&known) && model.cursor.contains(&known)) {
        return Err(Error::Wrong(format!("the stored schedule {name} does not name {known}")));
    }
    model.write(&transaction, count).stored("copy a schedule")?;
    transaction.commit().stored("copy a schedule")
}

/// The stored schedule that is copied.
struct Model<'a> {
    id: i64,
    name: &'a str,
    next: Option<i64>,
    trigger: String,
    cursor: String,
}

impl<'a> Model<'a> {
    fn read(store: &Connection, name: &'a str) -> rusqlite::Result<Self> {
        let sql = "SELECT t.id, c.next_at, t.body, c.body
                   FROM triggers t JOIN cursors c ON c.id = t.id WHERE t.name = ?1";
        store.query_row(sql, [name], |row| {
            Ok(Self {
                id: row.get(0)?,
                name,
                next: row.get(1)?,
                trigger: row.get(2)?,
                cursor: row.get(3)?,
            })
        })
    }

    fn write(&self, store: &Connection, count: u32) -> rusqlite::Result<()> {
        let mut triggers = store.prepare(
            "INSERT INTO triggers (id, name, kind, enabled, body) VALUES (?1, ?2, 'schedule', 1, ?3)",
        )?;
        let mut cursors =
            store.prepare("INSERT INTO cursors (id, next_at, body) VALUES (?1, ?2, ?3)")?;
        let known = id_text(self.id);
        for number in 1..=count {
            let id = self.id + i64::from(number);
            let (text, name) = (id_text(id), format!("{}-{number}", self.name));
            let trigger = self.trigger.replace(&known, &text).replace(self.name, &name);
            triggers.execute(params![id, name, trigger])?;
            cursors.execute(params![id, self.next, self.cursor.replace(&known, &text)])?;
        }
        Ok(())
    }
}

/// The id of a trigger as it is written, of its number in the store.
fn id_text(id: i64) -> String {
    TriggerId::from_u64(id.unsigned_abs()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_have_ids_and_names_of_their_own() {
        let folder = tempfile::tempdir().unwrap();
        let store = Connection::open(folder.path().join("evoke.db")).unwrap();
        store
            .execute_batch(
                r#"CREATE TABLE triggers (id INTEGER PRIMARY KEY, name, kind, enabled, deleted_at, body);
                   CREATE TABLE cursors (id INTEGER PRIMARY KEY, next_at, body);
                   INSERT INTO triggers VALUES (382570466310619136, 'far', 'schedule', 1, NULL,
                     '{"id":"trg_0aks9szn00000","name":"far"}'), (7, 'x', 'event', 1, NULL, '{}');
                   INSERT INTO cursors VALUES (382570466310619136, 5,
                     '{"trigger":"trg_0aks9szn00000"}');"#,
            )
            .unwrap();
        add_copies(folder.path(), "far", 33).unwrap();
        let all: (i64, String) = store
            .query_row(
                "SELECT count(*), max(body) FROM triggers WHERE kind = 'schedule'",
                [],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
            .unwrap();
        assert_eq!(all, (34, r#"{"id":"trg_0aks9szn00011","name":"far-33"}"#.to_owned()));
        let last: (i64, String) = store
            .query_row("SELECT next_at, body FROM cursors ORDER BY id DESC", [], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .unwrap();
        assert_eq!(last, (5, r#"{"trigger":"trg_0aks9szn00011"}"#.to_owned()));
        assert!(add_copies(folder.path(), "x", 1).is_err(), "it stands nowhere");
    }
}
