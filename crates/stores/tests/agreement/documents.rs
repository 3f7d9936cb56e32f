//! Random changes of documents that hit one another, and random queries: few ids, few fields, and
//! values of all types that are near to one another.

use std::sync::Arc;

use bytes::Bytes;
use evoke_document::{Collection, Condition, Document, FieldPath, Index, Op, Query, Scalar, Sort};
use evoke_model::{Data, Event, EventId, Timestamp};
use evoke_ports::Store;
use evoke_ports::store::{Change, DocumentChange, Effect, Expect, Ingest, OnceKey, Page, Write};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

const COLLECTIONS: [&str; 2] = ["people", "People"];
const FIELDS: [&str; 5] = ["a", "b", "n.x", "n.y.z", "a.b"];
const BESIDE: [&str; 3] = ["id", "_created_at", "_updated_at"];

/// One write.
#[derive(Debug, Clone)]
pub enum Operation {
    Change(Vec<OneChange>),
    /// A collection with these indexes.
    Define(usize, Vec<Index>),
    Drop(usize),
    /// Several as one, with an event, which may stand first.
    Together(Vec<Operation>, bool),
    /// An event that is in the log: the batch is refused.
    Collide,
}

/// A change of a document; the revision it expects is one of the last.
#[derive(Debug, Clone)]
pub struct OneChange {
    collection: usize,
    id: u8,
    expect: Option<Option<u64>>,
    effect: Option<Option<Value>>,
}

fn value() -> impl Strategy<Value = Value> {
    let scalars = vec![
        json!(null),
        json!(false),
        json!(true),
        json!(0),
        json!(-0.0),
        json!(1),
        json!(1.0),
        json!(1.5),
        json!(-1.0e300),
        json!(0.1),
        json!(9_007_199_254_740_993_i64),
        json!(9_007_199_254_740_992.0),
        json!(i64::MAX),
        json!(i64::MIN),
        json!(u64::MAX),
        json!(9_223_372_036_854_775_808.0),
        json!(""),
        json!("1"),
        json!("a"),
        json!("A"),
        json!("ab\u{0}c"),
        json!("\u{e9}"),
        json!("\u{1f600}"),
        json!("\"'\\\n%_"),
        json!("[1]"),
    ];
    let scalar = prop_oneof![
        6 => select(scalars),
        1 => any::<f64>().prop_filter("JSON has none", |n| n.is_finite()).prop_map(|n| json!(n)),
        1 => any::<i64>().prop_map(|n| json!(n)),
    ];
    scalar.prop_recursive(2, 6, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            (select(vec!["x", "b", "\u{e9}"]), inner)
                .prop_map(|(name, value)| json!({ name: value })),
        ]
    })
}

fn body() -> impl Strategy<Value = Value> {
    let field = || prop::option::weighted(0.7, value());
    let nested = prop_oneof![
        3 => field().prop_map(|x| x.map(|x| json!({"x": x}))),
        1 => field().prop_map(|z| z.map(|z| json!({"y": {"z": z}}))),
        1 => field(),
    ];
    (field(), field(), nested).prop_map(|(a, b, n)| {
        let fields = [("a", a), ("b", b), ("n", n)];
        let there = fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
        Value::Object(there.collect())
    })
}

fn field() -> impl Strategy<Value = FieldPath> {
    prop_oneof![5 => select(FIELDS.to_vec()), 1 => select(BESIDE.to_vec())]
        .prop_map(|field| field.parse().unwrap())
}

fn scalar() -> impl Strategy<Value = Scalar> {
    prop_oneof![
        12 => value().prop_map(|value| match value {
            Value::Bool(yes) => Scalar::Bool(yes),
            Value::Number(number) => match number.as_i64() {
                Some(whole) => Scalar::Int(whole),
                None => Scalar::Float(number.as_f64().unwrap()),
            },
            Value::String(text) => Scalar::Text(text),
            Value::Null => Scalar::Null,
            whole => Scalar::Text(whole.to_string()),
        }),
        2 => (0..8_u8).prop_map(|id| Scalar::Text(id.to_string())),
        2 => (0..20_i64).prop_map(|n| Scalar::Time(Timestamp::from_micros(n))),
    ]
}

fn condition() -> impl Strategy<Value = Condition> {
    let op = prop_oneof![
        scalar().prop_map(Op::Eq),
        scalar().prop_map(Op::Ne),
        scalar().prop_map(Op::Lt),
        scalar().prop_map(Op::Le),
        scalar().prop_map(Op::Gt),
        scalar().prop_map(Op::Ge),
        prop::collection::vec(scalar(), 0..4).prop_map(Op::In),
        select(vec!["", "a", "1", "\u{0}", "\u{e9}", "\\"])
            .prop_map(|part| Op::Contains(part.into())),
        scalar().prop_map(Op::ArrayContains),
    ];
    (field(), op).prop_map(|(field, op)| Condition { field, op })
}

/// Queries whose pages are asked for one after the other.
pub fn query() -> impl Strategy<Value = (usize, Query)> {
    let sort = (field(), any::<bool>()).prop_map(|(field, descending)| Sort { field, descending });
    let filter = prop::collection::vec(condition(), 0..3);
    let order = prop::collection::vec(sort, 0..4);
    (0..2_usize, filter, order, 1..6_u32).prop_map(|(collection, filter, order, limit)| {
        (collection, Query { filter, order, limit, cursor: None })
    })
}

fn indexes() -> impl Strategy<Value = Vec<Index>> {
    let index = (prop::collection::vec(field(), 1..3), prop::bool::weighted(0.4));
    prop::collection::vec(index, 0..4).prop_map(|indexes| {
        let named = indexes.into_iter().enumerate();
        named.map(|(n, (fields, unique))| Index { name: format!("i{n}"), fields, unique }).collect()
    })
}

fn one_change() -> impl Strategy<Value = OneChange> {
    let collection = prop_oneof![5 => Just(0_usize), 1 => Just(1)];
    let expect = prop_oneof![
        3 => Just(None),
        2 => Just(Some(None)),
        3 => (0..6_u64).prop_map(|back| Some(Some(back))),
    ];
    let effect = prop_oneof![
        6 => body().prop_map(|body| Some(Some(body))),
        1 => Just(Some(None)),
        1 => Just(None),
    ];
    (collection, 0..8_u8, expect, effect).prop_map(|(collection, id, expect, effect)| OneChange {
        collection,
        id,
        expect,
        effect,
    })
}

fn operation() -> impl Strategy<Value = Operation> {
    let plain = prop_oneof![
        12 => prop::collection::vec(one_change(), 1..2).prop_map(Operation::Change),
        4 => prop::collection::vec(one_change(), 0..5).prop_map(Operation::Change),
        2 => (0..2_usize, indexes()).prop_map(|(which, indexes)| Operation::Define(which, indexes)),
        1 => Just(Operation::Drop(1)),
    ];
    let together = (prop::collection::vec(plain.clone(), 1..4), any::<bool>());
    prop_oneof![
        18 => plain,
        5 => together.prop_map(|(operations, first)| Operation::Together(operations, first)),
        1 => Just(Operation::Collide),
    ]
}

/// Batches.
pub fn batches() -> impl Strategy<Value = Vec<Vec<Operation>>> {
    prop::collection::vec(prop::collection::vec(operation(), 1..6), 1..12)
}

/// Makes writes of operations.
pub struct World {
    revision: u64,
}

impl World {
    /// Without a revision given out.
    pub fn new() -> Self {
        Self { revision: 10 }
    }

    /// What makes the collections, so that there is something to hit from the first batch on.
    pub fn begin(indexes: Vec<Index>) -> Vec<Write> {
        let schema = Some(json!({"type": "object"}));
        let first = Collection { name: COLLECTIONS[0].to_owned(), schema, indexes };
        let events = vec![Arc::new(event(1))];
        let event = Write::Ingest(Ingest { events, ..Ingest::default() });
        vec![Change::Collection(first).into(), event]
    }

    /// The writes of a batch.
    pub fn batch(&mut self, operations: &[Operation]) -> Vec<Write> {
        operations.iter().map(|operation| self.write(operation)).collect()
    }

    fn write(&mut self, operation: &Operation) -> Write {
        match operation {
            Operation::Change(changes) => {
                let changes = changes.iter().map(|change| self.change(change)).collect();
                Change::Documents(changes).into()
            }
            Operation::Define(which, indexes) => {
                let name = COLLECTIONS[*which].to_owned();
                Change::Collection(Collection { name, schema: None, indexes: indexes.clone() })
                    .into()
            }
            Operation::Drop(which) => Change::RemoveCollection(COLLECTIONS[*which].into()).into(),
            Operation::Together(operations, event_first) => {
                let mut writes = self.batch(operations);
                let place = if *event_first { 0 } else { writes.len() };
                writes.insert(place, self.news());
                Write::All(writes)
            }
            Operation::Collide => {
                Write::Ingest(Ingest { events: vec![Arc::new(event(1))], ..Ingest::default() })
            }
        }
    }

    fn news(&mut self) -> Write {
        self.revision += 1;
        let key = format!("key\0{}", self.revision % 3).into();
        let expires = Timestamp::from_micros(i64::MAX);
        Write::Ingest(Ingest {
            events: vec![Arc::new(event(self.revision))],
            executions: Vec::new(),
            once: vec![OnceKey { event: 0, key, expires }],
        })
    }

    fn change(&mut self, change: &OneChange) -> DocumentChange {
        self.revision += 1;
        let id: Box<str> = change.id.to_string().into();
        let time = Timestamp::from_micros(self.revision as i64 % 20);
        let document = |body: &Value| Document {
            id: id.clone(),
            revision: self.revision,
            created_at: time,
            updated_at: Timestamp::from_micros(self.revision as i64 % 7),
            body: Bytes::from(body.to_string()),
        };
        DocumentChange {
            collection: COLLECTIONS[change.collection].into(),
            expect: match change.expect {
                None => Expect::Anything,
                Some(None) => Expect::Absent,
                Some(Some(back)) => Expect::Revision(self.revision - 1 - back),
            },
            effect: match &change.effect {
                None => Effect::Keep,
                Some(None) => Effect::Remove,
                Some(Some(body)) => Effect::Put(Arc::new(document(body))),
            },
            id,
        }
    }
}

fn event(number: u64) -> Event {
    Event {
        id: EventId::from_u64(number),
        sender_id: None,
        source: "/tests".into(),
        kind: "people.changed".into(),
        subject: None,
        time: Timestamp::EPOCH,
        content_type: None,
        data_schema: None,
        data: Data::None,
        extensions: None,
        lineage: None,
        traceparent: None,
        ordering_key: None,
        due: None,
        is_test_run: false,
        replay_of: None,
    }
}

/// What a store answers.
#[derive(Debug, PartialEq)]
pub struct Answers {
    collections: Vec<Collection>,
    documents: Vec<Option<Arc<Document>>>,
    /// Each page of each query, cursors included, and how many there are.
    found: Vec<(Vec<Page<Arc<Document>>>, u64)>,
    events: Vec<bool>,
}

/// Reads everything there is, and what is asked for.
pub async fn everything(store: &dyn Store, queries: &[(usize, Query)], world: &World) -> Answers {
    let documents = store.documents();
    let mut answers = Answers {
        collections: documents.collections().await.unwrap(),
        documents: Vec::new(),
        found: Vec::new(),
        events: Vec::new(),
    };
    for (collection, id) in COLLECTIONS.iter().flat_map(|name| (0..8).map(move |id| (name, id))) {
        answers.documents.push(documents.document(collection, &id.to_string()).await.unwrap());
    }
    for number in 1..=world.revision {
        let event = store.events().event(EventId::from_u64(number)).await.unwrap();
        answers.events.push(event.is_some());
    }
    for (which, query) in queries {
        let (name, mut query) = (COLLECTIONS[*which], query.clone());
        let mut pages = Vec::new();
        loop {
            let page = documents.find(name, query.clone()).await.unwrap();
            query.cursor = page.next.clone();
            pages.push(page);
            if query.cursor.is_none() {
                break;
            }
            assert!(pages.len() < 20, "a list without end: {query:?}");
        }
        let count = documents.count(name, query.filter).await.unwrap();
        let found: usize = pages.iter().map(|page| page.items.len()).sum();
        assert_eq!(found as u64, count, "what is found is not what is counted");
        answers.found.push((pages, count));
    }
    answers
}

/// The indexes of the collection that is there from the beginning.
pub fn first_indexes() -> impl Strategy<Value = Vec<Index>> {
    indexes()
}
