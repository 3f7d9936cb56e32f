//! Documents: how they are changed, and what is refused.

use std::sync::Arc;

use bytes::Bytes;
use evoke_document::{Collection, Condition, Document, Index, Op, Query, Scalar, Sort};
use evoke_model::{Event, Timestamp};
use evoke_ports::store::{
    BadCursor, Change, Conflict, DocumentChange, Effect, Expect, Ingest, Receipt, Why, Write,
};
use serde_json::{Value, json};

use super::bench::{Bench, ingested, pending};
use super::{Harness, Keeps, bench};

pub(super) async fn run<H: Harness>(harness: &H) {
    collections_are_kept_whole(&mut bench(harness).1).await;
    a_document_is_changed_as_expected(&mut bench(harness).1).await;
    what_is_unique_is_there_once(&mut bench(harness).1).await;
    an_index_is_refused_where_documents_stand_against_it(&mut bench(harness).1).await;
    all_changes_are_made_or_none(&mut bench(harness).1).await;
    a_refused_change_takes_its_news_with_it(&mut bench(harness).1).await;
    conditions_hold_between_values_of_one_type(&mut bench(harness).1).await;
    documents_come_in_order_and_in_pages(&mut bench(harness).1).await;
    a_page_ends_before_it_is_too_large(&mut bench(harness).1).await;
    several_documents_are_read_in_the_order_of_their_ids(&mut bench(harness).1).await;
    names_are_told_apart(&mut bench(harness).1).await;
    they_are_there_when_the_store_is_opened_again(harness).await;
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_micros(1_795_000_000_000_000 + second * 1_000_000)
}

fn document(id: &str, revision: u64, body: &Value) -> Arc<Document> {
    Arc::new(Document {
        id: id.into(),
        revision,
        created_at: at(revision as i64),
        updated_at: at(revision as i64),
        body: Bytes::from(body.to_string()),
    })
}

fn put(id: &str, expect: Expect, revision: u64, body: &Value) -> DocumentChange {
    let effect = Effect::Put(document(id, revision, body));
    DocumentChange { collection: "people".into(), id: id.into(), expect, effect }
}

fn create(id: &str, body: &Value) -> DocumentChange {
    put(id, Expect::Absent, 1, body)
}

fn leave(id: &str, expect: Expect, effect: Effect) -> DocumentChange {
    DocumentChange { collection: "people".into(), id: id.into(), expect, effect }
}

fn index(name: &str, fields: &[&str], unique: bool) -> Index {
    let fields = fields.iter().map(|field| field.parse().expect("a path")).collect();
    Index { name: name.to_owned(), fields, unique }
}

fn collection(name: &str, indexes: Vec<Index>) -> Collection {
    Collection { name: name.to_owned(), schema: None, indexes }
}

fn people(bench: &mut Bench, indexes: Vec<Index>) {
    assert!(bench.change(Change::Collection(collection("people", indexes))));
}

fn change(bench: &mut Bench, changes: Vec<DocumentChange>) -> Receipt {
    bench.commit(Write::from(Change::Documents(changes)))
}

fn refused(place: usize, why: Why) -> Receipt {
    Receipt::Refused(vec![Conflict { change: place, why }])
}

fn not_unique(place: usize, index: &str) -> Receipt {
    refused(place, Why::NotUnique { index: index.into() })
}

fn made() -> Receipt {
    Receipt::Changed(true)
}

async fn read(bench: &Bench, id: &str) -> Option<Arc<Document>> {
    bench.store.documents().document("people", id).await.expect("read a document")
}

fn query(order: &[&str], filter: Vec<Condition>) -> Query {
    let sort = |field: &&str| {
        let (descending, name) = match field.strip_prefix('-') {
            Some(name) => (true, name),
            None => (false, *field),
        };
        Sort { field: name.parse().expect("a path"), descending }
    };
    Query { filter, order: order.iter().map(sort).collect(), limit: 1_000, cursor: None }
}

fn on(field: &str, op: Op) -> Condition {
    Condition { field: field.parse().expect("a path"), op }
}

/// All pages of a query; no page is longer than asked, and none but the last is shorter.
async fn all(bench: &Bench, mut query: Query) -> Vec<String> {
    let mut ids = Vec::new();
    loop {
        let page = bench.store.documents().find("people", query.clone()).await.expect("find");
        let found = page.items.len();
        assert!(found <= query.limit as usize, "{found} documents");
        ids.extend(page.items.iter().map(|document| document.id.to_string()));
        match page.next {
            Some(cursor) => query.cursor = Some(cursor),
            None => return ids,
        }
        assert_eq!(found, query.limit as usize, "a page before the last is short");
    }
}

async fn collections_are_kept_whole(bench: &mut Bench) {
    let documents = bench.store.documents();
    assert_eq!(documents.collections().await.expect("collections"), []);
    assert_eq!(all(bench, query(&[], vec![])).await, [""; 0], "no collection is empty");
    assert_eq!(read(bench, "a").await, None);
    let first = collection("people", vec![index("by_name", &["name"], false)]);
    let other = Collection {
        schema: Some(json!({"type": "object"})),
        ..collection("_own", vec![index("once", &["a.b", "c"], true)])
    };
    assert!(bench.change(Change::Collection(first.clone())));
    assert!(bench.change(Change::Collection(other.clone())));
    assert!(!bench.change(Change::Collection(other.clone())), "it is so already");
    let found = documents.collections().await.expect("collections");
    assert_eq!(found, [other, first.clone()]);
    let changed = collection("people", vec![index("by_name", &["age"], true)]);
    assert!(bench.change(Change::Collection(changed.clone())));
    assert_eq!(documents.collections().await.expect("collections")[1], changed);
    assert_eq!(change(bench, vec![create("a", &json!({}))]), made());
    assert!(bench.change(Change::RemoveCollection("people".into())));
    assert!(!bench.change(Change::RemoveCollection("people".into())));
    assert_eq!(read(bench, "a").await, None);
    assert_eq!(documents.collections().await.expect("collections").len(), 1);
    assert!(bench.change(Change::Collection(first)));
    assert_eq!(read(bench, "a").await, None, "documents went with their collection");
}

async fn a_document_is_changed_as_expected(bench: &mut Bench) {
    use Expect::{Absent, Anything, Revision};
    let body = json!({"name": "ann", "n": [1, {"x": "\u{fc}\u{0}"}]});
    assert_eq!(change(bench, vec![create("a", &body)]), refused(0, Why::NoCollection));
    let keep = leave("a", Anything, Effect::Keep);
    assert_eq!(change(bench, vec![keep.clone()]), refused(0, Why::NoCollection));
    people(bench, vec![]);
    let cases = [
        (keep.clone(), Receipt::Changed(false)),
        (leave("a", Absent, Effect::Keep), Receipt::Changed(false)),
        (leave("a", Revision(1), Effect::Keep), refused(0, Why::Missing)),
        (leave("a", Anything, Effect::Remove), Receipt::Changed(false)),
        (leave("a", Absent, Effect::Remove), Receipt::Changed(false)),
        (leave("a", Revision(1), Effect::Remove), refused(0, Why::Missing)),
        (put("a", Revision(1), 2, &body), refused(0, Why::Missing)),
        (create("a", &body), made()),
        (create("a", &body), refused(0, Why::Exists)),
        (leave("a", Absent, Effect::Keep), refused(0, Why::Exists)),
        (leave("a", Absent, Effect::Remove), refused(0, Why::Exists)),
        (leave("a", Revision(1), Effect::Keep), Receipt::Changed(false)),
        (leave("a", Revision(2), Effect::Keep), refused(0, Why::Changed)),
        (leave("a", Revision(2), Effect::Remove), refused(0, Why::Changed)),
        (put("a", Revision(2), 3, &body), refused(0, Why::Changed)),
        (put("a", Revision(1), 4, &json!({"name": "bob"})), made()),
        (put("b", Anything, 5, &body), made()),
        (put("b", Anything, 6, &json!({})), made()),
        (leave("b", Revision(6), Effect::Remove), made()),
        (put("c", Anything, 7, &body), made()),
        (leave("c", Anything, Effect::Remove), made()),
    ];
    for (one, expected) in cases {
        assert_eq!(change(bench, vec![one.clone()]), expected, "{one:?}");
    }
    assert_eq!(read(bench, "a").await, Some(document("a", 4, &json!({"name": "bob"}))));
    assert_eq!(read(bench, "b").await, None);
    assert_eq!(read(bench, "c").await, None);
    assert_eq!(change(bench, vec![]), Receipt::Changed(false));
}

async fn what_is_unique_is_there_once(bench: &mut Bench) {
    let indexes = vec![index("email", &["email"], true), index("pair", &["a", "b"], true)];
    people(bench, indexes);
    let ann = json!({"email": "ann@x"});
    assert_eq!(change(bench, vec![create("a", &ann)]), made());
    assert_eq!(change(bench, vec![create("b", &ann)]), not_unique(0, "email"));
    assert_eq!(change(bench, vec![put("b", Expect::Anything, 1, &ann)]), not_unique(0, "email"));
    assert_eq!(change(bench, vec![create("a", &ann)]), refused(0, Why::Exists));
    let others = [json!({}), json!({"email": null}), json!({"email": ["ann@x"]}), json!({"a": 1})];
    for (n, other) in others.iter().enumerate() {
        let changes = vec![create(&format!("c{n}"), other), create(&format!("d{n}"), &json!({}))];
        assert_eq!(change(bench, changes), made(), "{other}");
    }
    assert_eq!(change(bench, vec![create("e", &json!({"a": 1, "b": true}))]), made());
    assert_eq!(change(bench, vec![create("f", &json!({"a": 1, "b": 1}))]), made());
    assert_eq!(
        change(bench, vec![create("g", &json!({"a": 1.0, "b": 1.0}))]),
        not_unique(0, "pair")
    );
    let both = json!({"email": "ann@x", "a": 1, "b": true});
    assert_eq!(change(bench, vec![create("h", &both)]), not_unique(0, "email"));
    let to_ann = put("e", Expect::Revision(1), 2, &ann);
    assert_eq!(change(bench, vec![to_ann.clone()]), not_unique(0, "email"));
    // A value is free as soon as its holder has another, or is gone.
    let from_ann = put("a", Expect::Revision(1), 2, &json!({"email": "bob@x"}));
    assert_eq!(change(bench, vec![to_ann.clone(), from_ann.clone()]), not_unique(0, "email"));
    assert_eq!(change(bench, vec![from_ann, to_ann]), made());
    let same = put("e", Expect::Revision(2), 3, &ann);
    let gone = leave("a", Expect::Anything, Effect::Remove);
    let bob = create("i", &json!({"email": "bob@x"}));
    assert_eq!(change(bench, vec![same, gone, bob]), made());
}

async fn an_index_is_refused_where_documents_stand_against_it(bench: &mut Bench) {
    people(bench, vec![index("old", &["old"], true)]);
    let twice = json!({"n": 1, "old": null});
    let changes = vec![create("a", &twice), create("b", &twice), create("c", &json!({"old": 1}))];
    assert_eq!(change(bench, changes), made());
    let wanted = collection("people", vec![index("n", &["n"], true)]);
    let before = bench.store.documents().collections().await.expect("collections");
    assert_eq!(bench.commit(Change::Collection(wanted.clone()).into()), not_unique(0, "n"));
    assert_eq!(bench.store.documents().collections().await.expect("collections"), before);
    // What was to go is still there.
    assert_eq!(change(bench, vec![create("d", &json!({"old": 1}))]), not_unique(0, "old"));
    let other = put("b", Expect::Anything, 2, &json!({"n": 2}));
    assert_eq!(change(bench, vec![other]), made());
    assert!(bench.change(Change::Collection(wanted)));
    assert_eq!(change(bench, vec![create("d", &json!({"n": 2, "old": 1}))]), not_unique(0, "n"));
    assert_eq!(change(bench, vec![create("d", &json!({"n": 3, "old": 1}))]), made());
}

async fn all_changes_are_made_or_none(bench: &mut Bench) {
    people(bench, vec![index("n", &["n"], true)]);
    assert_eq!(change(bench, vec![create("a", &json!({"n": 1}))]), made());
    let last = [
        (create("a", &json!({})), Why::Exists),
        (create("z", &json!({"n": 2})), Why::NotUnique { index: "n".into() }),
        (leave("a", Expect::Revision(1), Effect::Keep), Why::Changed),
        (leave("y", Expect::Revision(1), Effect::Keep), Why::Missing),
        (
            DocumentChange { collection: "none".into(), ..create("x", &json!({})) },
            Why::NoCollection,
        ),
    ];
    for (last, why) in last {
        let changes = vec![
            put("a", Expect::Revision(1), 2, &json!({"n": 2})),
            create("b", &json!({"n": 1})),
            leave("b", Expect::Revision(1), Effect::Remove),
            last,
        ];
        assert_eq!(change(bench, changes), refused(3, why));
        assert_eq!(read(bench, "a").await, Some(document("a", 1, &json!({"n": 1}))));
        assert_eq!(all(bench, query(&[], vec![])).await, ["a"]);
    }
    // Values that were given back are held again.
    assert_eq!(change(bench, vec![create("b", &json!({"n": 1}))]), not_unique(0, "n"));
    assert_eq!(change(bench, vec![create("b", &json!({"n": 2}))]), made());
}

async fn a_refused_change_takes_its_news_with_it(bench: &mut Bench) {
    people(bench, vec![]);
    let news = |bench: &Bench, event: &Event, changes: Vec<DocumentChange>| {
        let trigger = evoke_model::TriggerId::from_u64(5);
        Write::All(vec![
            Change::Documents(changes).into(),
            Write::Ingest(Ingest {
                events: vec![Arc::new(event.clone())],
                executions: vec![pending(event, trigger, bench.now)],
                once: vec![super::bench::once(0, "key", Timestamp::from_micros(i64::MAX))],
            }),
        ])
    };
    let events: Vec<Event> = (0..4).map(|_| bench.event("people.create")).collect();
    let two = vec![create("b", &json!({})), create("a", &json!({}))];
    let batch = [
        Change::Documents(vec![create("a", &json!({}))]).into(),
        news(bench, &events[0], vec![create("a", &json!({}))]),
        news(bench, &events[1], two.clone()),
        news(bench, &events[2], vec![create("b", &json!({}))]),
    ];
    let receipts = bench.writer.commit(&batch).expect("a batch with refused changes");
    let expected = [
        made(),
        refused(0, Why::Exists),
        refused(1, Why::Exists),
        Receipt::All(vec![made(), ingested()]),
    ];
    assert_eq!(receipts, expected);
    assert_eq!(all(bench, query(&[], vec![])).await, ["a", "b"]);
    for (event, is_there) in events.iter().zip([false, false, true, false]) {
        assert_eq!(bench.stored_event(event.id).await.is_some(), is_there, "{event:?}");
    }
    assert_eq!(bench.store.events().by_key("key").await.expect("a key"), Some(events[2].id));

    // A batch that fails leaves no document behind, whatever its changes.
    let gone = leave("a", Expect::Anything, Effect::Remove);
    let batch = [
        Change::Documents(vec![create("c", &json!({})), gone]).into(),
        Change::RemoveCollection("people".into()).into(),
        Change::Collection(collection("people", vec![])).into(),
        news(bench, &events[2], vec![create("d", &json!({}))]),
        Write::Ingest(Ingest { events: vec![Arc::new(events[2].clone())], ..Ingest::default() }),
    ];
    bench.writer.commit(&batch).expect_err("an event was written twice");
    assert_eq!(all(bench, query(&[], vec![])).await, ["a", "b"]);
    assert_eq!(change(bench, vec![create("a", &json!({}))]), refused(0, Why::Exists));
}

/// Conditions, and the documents of which they hold.
fn conditions() -> Vec<(&'static str, Op, &'static str)> {
    let text = |text: &str| Scalar::Text(text.to_owned());
    vec![
        ("v", Op::Eq(Scalar::Null), "09"),
        ("v", Op::Ne(Scalar::Null), "12345678"),
        ("v", Op::Eq(Scalar::Float(1.0)), "1"),
        ("v", Op::Eq(text("1")), "3"),
        ("v", Op::Eq(text("[1,\"b\",null,true]")), ""),
        ("v", Op::Eq(Scalar::Bool(true)), "6"),
        ("v", Op::Ne(Scalar::Int(1)), "023456789"),
        ("v", Op::Lt(Scalar::Int(2)), "12"),
        ("v", Op::Gt(Scalar::Int(1)), "2"),
        ("v", Op::Ge(Scalar::Int(1)), "12"),
        ("v", Op::Lt(text("c")), "34"),
        ("v", Op::Gt(text("")), "34"),
        ("v", Op::Lt(Scalar::Bool(true)), "5"),
        ("v", Op::Ge(Scalar::Bool(false)), "56"),
        ("v", Op::Gt(Scalar::Bool(true)), ""),
        ("v", Op::Lt(Scalar::Null), ""),
        ("v", Op::Ge(Scalar::Null), "09"),
        ("v", Op::In(vec![Scalar::Int(1), text("1"), Scalar::Bool(false), Scalar::Null]), "01359"),
        ("v", Op::In(vec![]), ""),
        ("v", Op::Contains("\u{e9}".to_owned()), "4"),
        ("v", Op::Contains(String::new()), "34"),
        ("v", Op::Contains("b".to_owned()), "4"),
        ("v", Op::ArrayContains(Scalar::Int(1)), "7"),
        ("v", Op::ArrayContains(text("b")), "7"),
        ("v", Op::ArrayContains(Scalar::Null), "7"),
        ("v", Op::ArrayContains(Scalar::Bool(true)), "7"),
        ("v", Op::ArrayContains(Scalar::Bool(false)), ""),
        ("v.x", Op::Eq(Scalar::Int(1)), "8"),
        ("w.x", Op::Eq(Scalar::Int(1)), "9"),
        ("v.x.y", Op::Ne(Scalar::Null), ""),
        ("id", Op::Eq(text("3")), "3"),
        ("id", Op::Eq(Scalar::Int(3)), ""),
        ("id", Op::Ge(text("7")), "789"),
        ("id", Op::Contains("5".to_owned()), "5"),
        ("id", Op::Ne(Scalar::Null), "0123456789"),
        ("id", Op::In(vec![text("2"), text("x"), Scalar::Null]), "2"),
        ("_created_at", Op::Eq(Scalar::Time(at(1))), "0123456789"),
        ("_updated_at", Op::Gt(Scalar::Time(at(1))), ""),
        ("_created_at", Op::Eq(Scalar::Int(at(1).as_micros())), ""),
        ("v", Op::Eq(Scalar::Time(at(1))), ""),
        ("v", Op::Ne(Scalar::Time(at(1))), "0123456789"),
    ]
}

async fn conditions_hold_between_values_of_one_type(bench: &mut Bench) {
    people(bench, vec![index("by_v", &["v"], false)]);
    let values = [
        json!(null),
        json!(1),
        json!(1.5),
        json!("1"),
        json!("b\u{e9}c"),
        json!(false),
        json!(true),
        json!([1, "b", null, true]),
        json!({"x": 1}),
    ];
    let mut changes: Vec<DocumentChange> = values
        .iter()
        .enumerate()
        .map(|(n, value)| create(&n.to_string(), &json!({"v": value})))
        .collect();
    changes.push(create("9", &json!({"w": {"x": 1}})));
    assert_eq!(change(bench, changes), made());
    for (field, op, expected) in conditions() {
        let filter = vec![on(field, op)];
        let found = all(bench, query(&[], filter.clone())).await.concat();
        assert_eq!(found, expected, "{filter:?}");
        let count = bench.store.documents().count("people", filter).await.expect("count");
        assert_eq!(count, expected.len() as u64);
    }
    let both = vec![on("v", Op::Gt(Scalar::Int(0))), on("v", Op::Ne(Scalar::Int(1)))];
    assert_eq!(all(bench, query(&[], both)).await, ["2"]);
    let none = bench.store.documents().count("nobody", vec![]).await.expect("count");
    assert_eq!(none, 0);
}

async fn documents_come_in_order_and_in_pages(bench: &mut Bench) {
    people(bench, vec![index("by_v", &["v"], false), index("by_both", &["v", "w"], false)]);
    let values = [
        json!({}),
        json!({"v": null, "w": 1}),
        json!({"v": -1}),
        json!({"v": 2, "w": "x"}),
        json!({"v": 2, "w": "a"}),
        json!({"v": 2.5}),
        json!({"v": "", "w": 1}),
        json!({"v": "", "w": 2}),
        json!({"v": false}),
        json!({"v": true}),
        json!({"v": [2]}),
        json!({"v": {"a": 1}}),
    ];
    let ids = |order: &str| order.chars().map(String::from).collect::<Vec<_>>();
    let named = ids("abcdefghijkl");
    let changes = named.iter().zip(&values).map(|(id, body)| create(id, body)).collect();
    assert_eq!(change(bench, changes), made());
    let orders: Vec<(Vec<&str>, &str)> = vec![
        (vec![], "abcdefghijkl"),
        (vec!["v"], "abcdefghijkl"),
        (vec!["-v"], "lkjihgfedcba"),
        (vec!["v", "w"], "abcedfghijkl"),
        (vec!["v", "-w"], "bacdefhgijkl"),
        (vec!["-v", "w"], "lkjighfedcab"),
        (vec!["-id"], "lkjihgfedcba"),
        (vec!["_created_at", "-id"], "lkjihgfedcba"),
        (vec!["nothing"], "abcdefghijkl"),
        (vec!["w", "-nothing"], "lkjifcagbhed"),
    ];
    for (order, expected) in orders {
        for limit in [1, 2, 5, 12, 1_000] {
            let query = Query { limit, ..query(&order, vec![]) };
            assert_eq!(all(bench, query).await, ids(expected), "{order:?}, {limit} a page");
        }
    }
    let filtered = query(&["-v"], vec![on("v", Op::Ge(Scalar::Int(0)))]);
    assert_eq!(all(bench, Query { limit: 1, ..filtered }).await, ids("fed"));
    let page = Query { limit: 2, ..query(&["v"], vec![]) };
    let documents = bench.store.documents();
    let cursor = documents.find("people", page.clone()).await.expect("find").next;
    // A place stays where it was, whatever becomes of the document.
    change(bench, vec![leave("b", Expect::Anything, Effect::Remove)]);
    let next = Query { cursor: cursor.clone(), ..page.clone() };
    let found = documents.find("people", next).await.expect("find").items;
    assert_eq!(found.iter().map(|found| &*found.id).collect::<Vec<_>>(), ["c", "d"]);
    for (order, cursor) in [
        (vec!["-v"], cursor.clone()),
        (vec!["w"], cursor),
        (vec!["v"], Some("nonsense".to_owned())),
    ] {
        let query = Query { cursor, ..query(&order, vec![]) };
        let error = documents.find("people", query).await.expect_err("a foreign cursor");
        assert!(error.source.is::<BadCursor>(), "{error:?}");
    }
    assert!(!documents.plan("people", page).await.expect("plan").is_empty());
    let none = Query { limit: 0, ..query(&["v"], vec![]) };
    let page = documents.find("people", none).await.expect("find");
    assert_eq!((page.items.len(), page.next.is_some()), (1, true), "a page has at least one");
}

async fn several_documents_are_read_in_the_order_of_their_ids(bench: &mut Bench) {
    people(bench, Vec::new());
    for id in ["a", "b"] {
        assert_eq!(change(bench, vec![create(id, &json!({ "of": id }))]), made());
    }
    let documents = bench.store.documents();
    let ids = || ["b", "none", "a", "b"].map(str::to_owned).to_vec();
    let found = documents.documents("people", ids()).await.expect("documents");
    let found: Vec<_> = found.iter().map(|one| one.as_ref().map(|one| &*one.id)).collect();
    assert_eq!(found, [Some("b"), None, Some("a"), Some("b")]);
    let none = documents.documents("nobody", ids()).await.expect("no documents");
    assert_eq!(none, vec![None; 4]);
}

async fn a_page_ends_before_it_is_too_large(bench: &mut Bench) {
    people(bench, Vec::new());
    let text = "x".repeat(1_000_000);
    for n in 0..20 {
        let body = json!({ "n": n, "text": text });
        assert_eq!(change(bench, vec![create(&format!("p{n:02}"), &body)]), made());
    }
    let mut query = Query { limit: 1_000, ..query(&["n"], Vec::new()) };
    let mut pages = Vec::new();
    loop {
        let page = bench.store.documents().find("people", query.clone()).await.expect("a page");
        pages.push(page.items.len());
        match page.next {
            Some(next) => query.cursor = Some(next),
            None => break,
        }
    }
    assert_eq!(pages, [8, 8, 4]);
}

async fn names_are_told_apart(bench: &mut Bench) {
    let field = "a b'c".replace('\'', "\u{2019}");
    for name in ["people", "People", "PEOPLE", "p-e", "p_e", "_people"] {
        let indexes = vec![index("By", &[&field], true), index("by", &["x"], false)];
        assert!(bench.change(Change::Collection(collection(name, indexes))), "{name}");
        let one = DocumentChange {
            collection: name.into(),
            ..create(name, &json!({field.as_str(): 1, "x": name}))
        };
        assert_eq!(change(bench, vec![one]), made());
    }
    for name in ["people", "People", "PEOPLE", "p-e", "p_e", "_people"] {
        let filter = vec![on(&field, Op::Eq(Scalar::Int(1)))];
        let found = bench.store.documents().find(name, query(&["x"], filter)).await.expect("find");
        assert_eq!(found.items.iter().map(|found| &*found.id).collect::<Vec<_>>(), [name]);
    }
    assert!(bench.change(Change::RemoveCollection("People".into())));
    assert!(read(bench, "people").await.is_some());
}

async fn they_are_there_when_the_store_is_opened_again<H: Harness>(harness: &H) {
    if harness.keeps() == Keeps::Nothing {
        return;
    }
    let (place, mut bench) = bench(harness);
    people(&mut bench, vec![index("n", &["n"], true)]);
    let changes = (0..5).map(|n| create(&n.to_string(), &json!({"n": n}))).collect();
    assert_eq!(change(&mut bench, changes), made());
    let mut page = Query { limit: 2, ..query(&["-n"], vec![]) };
    let first = bench.store.documents().find("people", page.clone()).await.expect("find");
    page.cursor = first.next;
    let before = bench.store.documents().collections().await.expect("collections");
    drop(bench);

    let mut bench = Bench::new(harness.open(&place));
    assert_eq!(bench.store.documents().collections().await.expect("collections"), before);
    assert_eq!(all(&bench, page).await, ["2", "1", "0"], "a cursor outlives the process");
    assert_eq!(change(&mut bench, vec![create("9", &json!({"n": 1}))]), not_unique(0, "n"));
}
