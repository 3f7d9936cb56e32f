//! How documents lie in the file, and which indexes queries use.

use std::sync::Arc;

use bytes::Bytes;
use evoke_document::{Collection, Condition, Document, Index, Query};
use evoke_ports::Store;
use evoke_ports::store::{Change, DocumentChange, Effect, Expect, Receipt, Write, Writer};
use rusqlite::Connection;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{NOW, open, options};
use crate::sqlite::SqliteStore;

fn index(name: &str, fields: &[&str], unique: bool) -> Index {
    let fields = fields.iter().map(|field| field.parse().unwrap()).collect();
    Index { name: name.to_owned(), fields, unique }
}

fn people() -> Collection {
    Collection {
        name: "People".to_owned(),
        schema: None,
        indexes: vec![
            index("email", &["email"], true),
            index("by_age", &["age"], false),
            index("by_city", &["address.city", "age"], false),
            index("newest", &["_created_at"], false),
        ],
    }
}

fn create(id: &str, body: &Value) -> DocumentChange {
    let document = Document {
        id: id.into(),
        revision: 1,
        created_at: NOW,
        updated_at: NOW,
        body: Bytes::from(body.to_string()),
    };
    DocumentChange {
        collection: "People".into(),
        id: id.into(),
        expect: Expect::Absent,
        effect: Effect::Put(Arc::new(document)),
    }
}

fn fill(store: &SqliteStore) -> Box<dyn Writer> {
    let mut writer = store.writer().unwrap();
    let changes = (0..50).map(|n| {
        let city = if n % 2 == 0 { "Rome" } else { "Oslo" };
        let body = json!({"email": format!("{n}@x"), "age": n, "address": {"city": city}});
        create(&format!("{n:03}"), &body)
    });
    let writes = [Change::Collection(people()).into(), Change::Documents(changes.collect()).into()];
    writer.commit(&writes).unwrap();
    writer
}

async fn plan(store: &SqliteStore, query: &Query) -> String {
    store.documents().plan("People", query.clone()).await.unwrap().join("; ")
}

#[tokio::test]
async fn queries_use_the_indexes_that_fit() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let _writer = fill(&store);
    for (given, expected) in [
        (
            json!({"where": [["email", "==", "7@x"]]}),
            "SEARCH doc_^People USING INDEX doc_^People.email (<expr>=?)",
        ),
        (
            json!({"where": [["age", "==", 7]]}),
            "SEARCH doc_^People USING INDEX doc_^People.by_age (<expr>=?)",
        ),
        (json!({"where": [["age", "==", null]]}), "USING INDEX doc_^People.by_age (<expr>=?)"),
        (json!({"where": [["age", "<", 7]], "order_by": "age"}), "by_age (<expr><?)"),
        (
            json!({"where": [["age", ">=", 7]], "order_by": "-age"}),
            "by_age (<expr>>? AND <expr><?)",
        ),
        (json!({"where": [["age", ">", 7], ["age", "<=", 9]]}), "by_age (<expr>>? AND <expr><?)"),
        (json!({"where": [["email", "<", "7"]]}), "email (<expr>>? AND <expr><?)"),
        (json!({"where": [["age", "in", [1, 2, true]]]}), "by_age (<expr>=?)"),
        (
            json!({"where": [["address.city", "==", "Rome"]], "order_by": "age"}),
            "by_city (<expr>=?)",
        ),
        (
            json!({"where": [["address.city", "==", "Rome"], ["age", ">", 3]], "order_by": "-age"}),
            "by_city (<expr>=? AND <expr>>? AND <expr><?)",
        ),
        (json!({"order_by": "age"}), "SCAN doc_^People USING INDEX doc_^People.by_age"),
        (json!({"order_by": "-age"}), "SCAN doc_^People USING INDEX doc_^People.by_age"),
        (
            json!({"order_by": ["address.city", "age"]}),
            "SCAN doc_^People USING INDEX doc_^People.by_city",
        ),
        (json!({"order_by": "-_created_at"}), "SCAN doc_^People USING INDEX doc_^People.newest"),
        (json!({"where": [["_created_at", ">", "2026-01-01T00:00:00Z"]]}), "newest (created_at>?"),
        (json!({"where": [["id", "==", "007"]]}), "sqlite_autoindex_doc_^People_1 (id=?)"),
        (json!({}), "SCAN doc_^People USING INDEX sqlite_autoindex_doc_^People_1"),
    ] {
        let plan = plan(&store, &Query::parse(&given).unwrap()).await;
        assert!(plan.contains(expected), "{given}\n is read as {plan}");
    }
    for (given, is_sorted) in [
        (json!({"where": [["name", "==", "ann"]]}), false),
        (json!({"where": [["age", "!=", 7]]}), false),
        (json!({"where": [["address", "contains", "x"]]}), false),
        (json!({"order_by": "name"}), true),
    ] {
        let plan = plan(&store, &Query::parse(&given).unwrap()).await;
        assert!(
            plan.contains("SCAN doc_^People") && !plan.contains("SEARCH doc"),
            "{given}: {plan}"
        );
        assert_eq!(plan.contains("TEMP B-TREE"), is_sorted, "{given}: {plan}");
    }
}

#[tokio::test]
async fn further_pages_are_stretches_of_the_index() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let _writer = fill(&store);
    for given in [
        json!({"limit": 3, "order_by": "age"}),
        json!({"limit": 3, "order_by": "-age"}),
        json!({"limit": 3, "order_by": ["address.city", "age"]}),
        json!({"limit": 3, "order_by": ["-address.city", "-age"]}),
        json!({"limit": 3, "order_by": "-_created_at"}),
        json!({"limit": 3, "where": [["address.city", "==", "Rome"]], "order_by": "-age"}),
        json!({"limit": 3}),
    ] {
        let mut query = Query::parse(&given).unwrap();
        query.cursor = store.documents().find("People", query.clone()).await.unwrap().next;
        let steps = store.documents().plan("People", query).await.unwrap();
        for step in &steps {
            assert!(step.starts_with("SEARCH"), "{given}: {steps:?}");
        }
    }
}

#[tokio::test]
async fn indexes_come_and_go_with_their_collection() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let mut writer = fill(&store);
    let by_age = Query::parse(&json!({"where": [["age", "==", 7]]})).unwrap();
    let mut commit = |change: Change| writer.commit(&[Write::from(change)]).unwrap();
    let email = index("email", &["email"], true);
    let unique_age = index("by_age", &["age"], true);
    for (indexes, expected) in [
        (vec![email.clone()], "SCAN"),
        (vec![email.clone(), unique_age], "USING INDEX doc_^People.by_age (<expr>=?)"),
        (vec![], "SCAN"),
    ] {
        let receipts = commit(Change::Collection(Collection { indexes, ..people() }));
        assert_eq!(receipts, [Receipt::Changed(true)]);
        let plan = plan(&store, &by_age).await;
        assert!(plan.contains(expected), "{plan}");
    }
    commit(Change::RemoveCollection("People".into()));
    assert!(plan(&store, &by_age).await.is_empty());
    assert_eq!(tables(&folder), ["collections"]);
}

/// The tables and indexes of documents as they are in the file.
fn tables(folder: &TempDir) -> Vec<String> {
    let file = Connection::open(options(folder).path).unwrap();
    let mut names = file
        .prepare("SELECT name FROM sqlite_schema WHERE name LIKE 'doc%' OR name = 'collections'")
        .unwrap();
    let names = names.query_map([], |row| row.get(0)).unwrap();
    names.collect::<Result<_, _>>().unwrap()
}

/// What is written with `sqlite3` instead may not be what it should be.
#[tokio::test]
async fn a_document_that_is_none_is_an_error_that_harms_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let _writer = fill(&store);
    let file = Connection::open(options(&folder).path).unwrap();
    file.execute_batch(
        "DROP INDEX \"doc_^People.email\"; DROP INDEX \"doc_^People.by_age\"; \
         DROP INDEX \"doc_^People.by_city\"; \
         UPDATE \"doc_^People\" SET body = 'no JSON' WHERE id = '007'",
    )
    .unwrap();
    let documents = store.documents();
    assert_eq!(documents.document("People", "007").await.unwrap().unwrap().body, "no JSON");
    assert!(documents.document("People", "008").await.unwrap().is_some());
    let query = Query::parse(&json!({"where": [["email", "==", "8@x"]]})).unwrap();
    assert!(documents.find("People", query).await.is_err());
}

#[tokio::test]
async fn nothing_of_a_user_is_sql() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let mut writer = store.writer().unwrap();
    let evil = "x\" (id); DROP TABLE collections; --'";
    let field = "a) OR 1=1; DROP TABLE events; -- $[0]";
    let indexes = vec![index(evil, &[field], true)];
    let collection = Collection { name: evil.to_owned(), schema: None, indexes };
    let one = DocumentChange {
        collection: evil.into(),
        ..create("'; DROP TABLE events; --", &json!({field: "'; --"}))
    };
    let writes =
        [Change::Collection(collection.clone()).into(), Change::Documents(vec![one]).into()];
    assert_eq!(writer.commit(&writes).unwrap(), [Receipt::Changed(true), Receipt::Changed(true)]);
    let documents = store.documents();
    assert_eq!(documents.collections().await.unwrap(), [collection]);
    let filter: Vec<Condition> = ["==", "contains", ">="]
        .iter()
        .flat_map(|op| evoke_document::parse_filter(&json!([[field, op, "'; --"]]), "").unwrap())
        .collect();
    assert_eq!(documents.count(evil, filter).await.unwrap(), 1);
    assert_eq!(documents.count("'; DROP TABLE events; --", vec![]).await.unwrap(), 0);
    assert!(store.events().newest().await.is_ok());
}

/// Everything a query may have, all of it.
#[tokio::test]
async fn the_largest_query_is_answered() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let _writer = fill(&store);
    let field = |n: usize| format!("{n:02}{}", ".names of twenty one".repeat(9));
    let text = |n: usize| format!("{n} {}", "x".repeat(1_000));
    let any: Vec<Value> =
        (0..100).map(|n| if n == 0 { json!(null) } else { text(n).into() }).collect();
    let filter: Vec<Value> = (0..100)
        .map(|n| match n {
            0..50 => json!([field(n), "in", any]),
            50..60 => json!(["age", "array-contains", text(n)]),
            _ => json!(["email", "<", text(n)]),
        })
        .collect();
    let order: Vec<String> = (0..8).map(|n| format!("-{}", field(n))).collect();
    let given = json!({"where": filter, "order_by": order, "limit": 20});
    let query = Query::parse(&given).unwrap();
    let documents = store.documents();
    assert!(documents.find("People", query.clone()).await.unwrap().items.is_empty());
    assert_eq!(documents.count("People", query.filter.clone()).await.unwrap(), 0);
    let mut query = Query { filter: query.filter[..50].to_vec(), ..query };
    for first in [49, 29, 9] {
        let page = documents.find("People", query.clone()).await.unwrap();
        assert_eq!(&*page.items[0].id, format!("{first:03}"));
        query.cursor = page.next;
    }
    assert_eq!(query.cursor, None);
}
