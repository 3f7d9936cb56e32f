//! How a collection is laid out: its table, its indexes, and how a field is written in SQL.
//!
//! A field is one expression whose values SQLite orders as [`evoke_document::FieldValue`] does:
//! NULL, numbers, texts, and BLOBs for what JSON has beside. Indexes are made of the same
//! expressions, which is how SQLite knows that they fit. The names in them are the user's, so each
//! is quoted; nothing else of the user's is ever in the text of a statement.

use evoke_document::{FieldPath, FieldValue, Index, Kept, Number, Scalar};
use rusqlite::types::Value;

/// A name, quoted.
fn name(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

/// A text, quoted.
fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn with_capitals(text: &str) -> String {
    let mut marked = String::with_capacity(text.len() + 4);
    for c in text.chars() {
        if c.is_ascii_uppercase() {
            marked.push('^');
        }
        marked.push(c);
    }
    marked
}

/// The table of a collection, quoted.
pub fn table(collection: &str) -> String {
    name(&format!("doc_{}", with_capitals(collection)))
}

/// The name of an index as SQLite has it.
pub fn index_name(collection: &str, index: &str) -> String {
    format!("doc_{}.{}", with_capitals(collection), with_capitals(index))
}

/// Makes the table of a collection. With a rowid, because a WITHOUT ROWID table takes a third
/// longer to append to and four times as long to look up documents of some kilobytes.
pub fn create_table(collection: &str) -> String {
    format!(
        "CREATE TABLE {} (id TEXT PRIMARY KEY NOT NULL, revision INTEGER NOT NULL, \
         created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL, body TEXT NOT NULL)",
        table(collection)
    )
}

/// Adds a document.
pub fn insert(collection: &str) -> String {
    let table = table(collection);
    format!(
        "INSERT INTO {table} (id, revision, created_at, updated_at, body) \
         VALUES (?1, ?2, ?3, ?4, ?5)"
    )
}

/// Adds a document, or puts it in place of the one that is there.
pub fn upsert(collection: &str) -> String {
    let insert = insert(collection);
    format!(
        "{insert} ON CONFLICT (id) DO UPDATE SET revision = excluded.revision, \
         created_at = excluded.created_at, updated_at = excluded.updated_at, body = excluded.body"
    )
}

/// Puts a document in place of the one with a revision.
pub fn update(collection: &str) -> String {
    let table = table(collection);
    format!(
        "UPDATE {table} SET revision = ?2, created_at = ?3, updated_at = ?4, body = ?5 \
         WHERE id = ?1 AND revision = ?6"
    )
}

/// Removes a document.
pub fn delete(collection: &str) -> String {
    format!("DELETE FROM {} WHERE id = ?1", table(collection))
}

/// Removes a document with a revision.
pub fn delete_revision(collection: &str) -> String {
    format!("DELETE FROM {} WHERE id = ?1 AND revision = ?2", table(collection))
}

/// Reads the revision of a document.
pub fn revision(collection: &str) -> String {
    format!("SELECT revision FROM {} WHERE id = ?1", table(collection))
}

/// Removes the table of a collection with its indexes.
pub fn drop_table(collection: &str) -> String {
    format!("DROP TABLE IF EXISTS {}", table(collection))
}

/// Makes an index. One that is not unique has the id behind its fields, so that it is in the order
/// of a query.
pub fn create_index(collection: &str, index: &Index) -> String {
    let mut terms: Vec<String> = index.fields.iter().map(expression).collect();
    let unique = if index.unique { "UNIQUE " } else { "" };
    if !index.unique {
        terms.push("id".to_owned());
    }
    let (index, table) = (name(&index_name(collection, &index.name)), table(collection));
    format!("CREATE {unique}INDEX {index} ON {table} ({})", terms.join(", "))
}

/// Removes an index.
pub fn drop_index(collection: &str, index: &str) -> String {
    format!("DROP INDEX IF EXISTS {}", name(&index_name(collection, index)))
}

/// A field as a path of SQLite's JSON functions, quoted.
pub fn json_path(path: &FieldPath) -> String {
    let names: String = path.names().map(|name| format!(".\"{name}\"")).collect();
    literal(&format!("${names}"))
}

/// The value of a field.
pub fn expression(path: &FieldPath) -> String {
    match path.kept() {
        Some(Kept::Id) => "id".to_owned(),
        Some(Kept::CreatedAt) => "created_at".to_owned(),
        Some(Kept::UpdatedAt) => "updated_at".to_owned(),
        None => {
            let path = json_path(path);
            let whole = format!("CAST(json_extract(body, {path}) AS BLOB)");
            format!(
                "CASE json_type(body, {path}) WHEN 'false' THEN x'00' WHEN 'true' THEN x'01' \
                 WHEN 'array' THEN {whole} WHEN 'object' THEN {whole} \
                 ELSE json_extract(body, {path}) END"
            )
        }
    }
}

/// A value of a field as [`expression`] gives it.
pub fn value(value: &FieldValue<'_>) -> Value {
    match value {
        FieldValue::Null => Value::Null,
        FieldValue::Time(time) => Value::Integer(time.as_micros()),
        FieldValue::Number(Number::Int(number)) => Value::Integer(*number),
        FieldValue::Number(Number::Float(number)) => Value::Real(*number),
        FieldValue::Text(text) => Value::Text(text.clone().into_owned()),
        FieldValue::Bool(yes) => Value::Blob(vec![u8::from(*yes)]),
        // JSON text begins behind the bytes of the two above.
        FieldValue::Whole(text) => Value::Blob(text.as_bytes().to_vec()),
    }
}

/// A scalar as [`expression`] gives it, unless a field of this kind never has such a value.
pub fn scalar(path: &FieldPath, scalar: &Scalar) -> Option<Value> {
    let fits = match path.kept() {
        Some(Kept::Id) => matches!(scalar, Scalar::Text(_)),
        Some(Kept::CreatedAt | Kept::UpdatedAt) => matches!(scalar, Scalar::Time(_)),
        None => !matches!(scalar, Scalar::Time(_)),
    };
    fits.then(|| value(&FieldValue::of_scalar(scalar)))
}
