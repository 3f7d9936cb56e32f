//! Collections and their documents.

mod transaction;

use evoke_document::FieldPath;
use evoke_model::suggest::did_you_mean;
use evoke_model::{EventId, Problem, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::schemas;

pub use transaction::{Done, Transacted, TransactionBody};

/// A collection of documents.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Collection {
    /// The name.
    pub name: String,
    /// JSON Schema that every document fits; `null` where there is none.
    #[schema(schema_with = schemas::any)]
    pub schema: Value,
    /// What is looked up fast, and what may be there only once.
    pub indexes: Vec<Index>,
}

/// An index of a collection.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Index {
    /// The name.
    pub name: String,
    /// The fields, the most important first.
    #[schema(example = json!(["email"]))]
    pub fields: Vec<String>,
    /// Whether no two documents may have the same values.
    pub unique: bool,
}

impl From<evoke_document::Collection> for Collection {
    fn from(collection: evoke_document::Collection) -> Self {
        let evoke_document::Collection { name, schema, indexes } = collection;
        let index = |index: evoke_document::Index| Index {
            name: index.name,
            fields: index.fields.iter().map(|field| FieldPath::as_str(field).to_owned()).collect(),
            unique: index.unique,
        };
        Self {
            name,
            schema: schema.unwrap_or_default(),
            indexes: indexes.into_iter().map(index).collect(),
        }
    }
}

/// What a collection is made from.
#[derive(ToSchema)]
#[schema(example = json!({
    "schema": { "type": "object", "required": ["email"] },
    "indexes": [{ "fields": ["email"], "unique": true }],
}))]
pub struct CollectionBody {
    /// JSON Schema that every document must fit. Documents that are there are not looked at again.
    #[schema(value_type = Option<Object>)]
    pub schema: Option<Value>,
    /// What is looked up fast, and what may be there only once.
    pub indexes: Option<Vec<IndexBody>>,
}

/// What an index is made from.
#[derive(ToSchema)]
pub struct IndexBody {
    /// The name; made of the fields if not given.
    pub name: Option<String>,
    /// The fields, the most important first: 1 to 8.
    pub fields: Vec<String>,
    /// Whether no two documents may have the same values; documents that lack one may be many.
    pub unique: Option<bool>,
}

impl CollectionBody {
    /// Reads the body of a collection.
    ///
    /// # Errors
    /// Everything that is wrong with its form.
    pub fn read(name: &str, body: Value) -> Result<evoke_document::Collection, Vec<Problem>> {
        let mut fields = object(body, &["schema", "indexes"])?;
        let schema = fields.remove("schema").filter(|schema| !schema.is_null());
        let indexes = fields.remove("indexes");
        evoke_document::Collection::declared(name, schema, indexes.as_ref())
    }
}

/// A document: its fields, and what is kept beside them.
#[derive(ToSchema)]
#[schema(example = json!({
    "id": "ada", "email": "ada@example.com", "active": true,
    "_revision": "evt_01j9z3k5m7n8p",
    "_created_at": "2026-12-01T09:00:00Z", "_updated_at": "2026-12-01T09:00:00Z",
}))]
pub struct Document {
    /// The id, unique in its collection.
    pub id: String,
    /// Another one after each change: the id of the event that tells of it.
    #[schema(rename = "_revision")]
    pub revision: String,
    /// When it was created.
    #[schema(rename = "_created_at", schema_with = schemas::time)]
    pub created_at: Timestamp,
    /// When it was last changed.
    #[schema(rename = "_updated_at", schema_with = schemas::time)]
    pub updated_at: Timestamp,
}

/// A document as it is given, or the fields of it that change.
#[derive(ToSchema)]
#[schema(example = json!({ "id": "ada", "email": "ada@example.com", "active": true }))]
pub struct DocumentBody {
    /// The id; made if it is not given.
    pub id: Option<String>,
}

/// Which documents, in which order.
#[derive(ToSchema)]
#[schema(example = json!({ "where": [["active", "==", true]], "order_by": ["-age"], "limit": 20 }))]
pub struct QueryBody {
    /// All must hold: `[field, operator, value]`, with an operator of `==`, `!=`, `<`, `<=`, `>`,
    /// `>=`, `in`, `contains`, `array-contains`.
    #[schema(rename = "where", value_type = Option<Vec<Vec<Value>>>)]
    pub filter: Option<Vec<Value>>,
    /// Fields to order by, `-` in front for the other way round; ids decide what is left open.
    pub order_by: Option<Vec<String>>,
    /// Documents in the page, 1 to 1,000; 50 if not given.
    pub limit: Option<u32>,
    /// From `next_cursor` of the page before.
    pub cursor: Option<String>,
}

/// Documents that meet conditions, and what becomes of them.
#[derive(ToSchema)]
#[schema(example = json!({ "where": [["active", "==", false]], "set": { "archived": true } }))]
pub struct UpdateBody {
    /// As in a query; `[]` for all documents.
    #[schema(rename = "where", value_type = Vec<Vec<Value>>)]
    pub filter: Vec<Value>,
    /// What is merged into each (RFC 7396).
    #[schema(value_type = Object)]
    pub set: Value,
}

impl UpdateBody {
    /// Reads the body of a change of many documents: the conditions and what is merged.
    ///
    /// # Errors
    /// Everything that is wrong with its form.
    pub fn read(body: Value) -> Result<(Value, Value), Vec<Problem>> {
        let mut fields = object(body, &["where", "set"])?;
        let missing = |name: &str| vec![Problem::new(name, "is missing")];
        let filter = fields.remove("where").ok_or_else(|| {
            vec![Problem::new("where", "is missing").suggest("[] for all documents")]
        })?;
        let set = fields.remove("set").ok_or_else(|| missing("set"))?;
        Ok((filter, set))
    }
}

/// How many documents there are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Count {
    /// How many.
    pub count: u64,
}

/// How a query would be carried out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct QueryPlan {
    /// In the store's own words, one step a line.
    pub plan: Vec<String>,
}

/// What came of a change of many documents.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Tally {
    /// How many met the conditions.
    pub matched: u64,
    /// How many were changed: the others were so already.
    pub changed: u64,
}

impl From<evoke_database::Tally> for Tally {
    fn from(tally: evoke_database::Tally) -> Self {
        Self { matched: tally.matched, changed: tally.changed }
    }
}

/// Something that happened to a document.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DocumentChange {
    /// The event that tells of it; also the id of the message and the revision of the document.
    #[schema(value_type = String)]
    pub event_id: EventId,
    /// When.
    #[schema(schema_with = schemas::time)]
    pub time: Timestamp,
    /// The collection.
    pub collection: String,
    /// `create`, `update` or `delete`.
    pub action: String,
    /// The document's id.
    pub id: String,
    /// What is there now; `null` after a deletion.
    #[schema(value_type = Option<Object>)]
    pub document: Value,
    /// What was there before; `null` before a creation.
    #[schema(value_type = Option<Object>)]
    pub previous_document: Value,
    /// The fields that differ.
    #[schema(value_type = Vec<String>)]
    pub changed_fields: Value,
}

impl From<&evoke_model::Event> for DocumentChange {
    fn from(event: &evoke_model::Event) -> Self {
        let mut data = event.data.to_value();
        let mut take = |name: &str| data.get_mut(name).map(Value::take).unwrap_or_default();
        let text = |value: Value| value.as_str().unwrap_or_default().to_owned();
        Self {
            event_id: event.id,
            time: event.time,
            collection: text(take("collection")),
            action: text(take("action")),
            id: event.subject.as_deref().unwrap_or_default().to_owned(),
            document: take("document"),
            previous_document: take("previous_document"),
            changed_fields: take("changed_fields"),
        }
    }
}

/// The fields of a body, which may have these and no others.
fn object(body: Value, known: &[&str]) -> Result<Map<String, Value>, Vec<Problem>> {
    let Value::Object(fields) = body else {
        return Err(vec![Problem::new("", "expected an object")]);
    };
    let unknown = fields.keys().filter(|name| !known.contains(&name.as_str()));
    let problems: Vec<Problem> = unknown
        .map(|name| {
            let shown: String = name.chars().take(100).collect();
            Problem::new(shown, "is not a field here")
                .suggest(did_you_mean(name, known.iter().copied()))
        })
        .collect();
    if problems.is_empty() { Ok(fields) } else { Err(problems) }
}
