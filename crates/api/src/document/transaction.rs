//! Several changes, all or none.

use evoke_database::{OPERATIONS_MAX, Operation, Outcome, Wanted};
use evoke_model::suggest::did_you_mean;
use evoke_model::{EventId, Problem};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::object;

const FIELDS: [&str; 6] = ["op", "collection", "id", "document", "if_match", "revision"];
/// More of a text that is no operation is not said back.
const OP_CHARS_SHOWN: usize = 50;
const OPS: [&str; 6] = ["create", "update", "replace", "upsert", "delete", "check"];

/// Several changes, all or none.
#[derive(ToSchema)]
#[schema(example = json!({ "operations": [
    { "op": "create", "collection": "orders", "document": { "total": 12 } },
    { "op": "update", "collection": "users", "id": "ada", "document": { "orders": 3 } },
] }))]
pub struct TransactionBody {
    /// The changes: 1 to 1,000, each of another document.
    pub operations: Vec<OperationBody>,
}

/// One of several changes.
#[derive(ToSchema)]
pub struct OperationBody {
    /// `create`, `update` (merges), `replace`, `upsert`, `delete`, or `check`: it must be there, or
    /// with a `revision` of `null` may not be.
    pub op: String,
    /// The collection.
    pub collection: String,
    /// The document; only a creation may leave it out.
    pub id: Option<String>,
    /// Its fields, or those that change.
    #[schema(value_type = Option<Object>)]
    pub document: Option<Value>,
    /// The revision it must have.
    pub if_match: Option<String>,
    /// Of a `check`: the same as `if_match`, or `null` where there may be no such document.
    pub revision: Option<String>,
}

/// What came of several changes.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Transacted {
    /// In the order of the operations.
    pub data: Vec<Done>,
}

/// What came of one of several changes.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Done {
    /// `create`, `update` or `delete`; `null` where nothing had to change.
    pub action: Option<String>,
    /// The collection.
    pub collection: String,
    /// The document as it is now, or was before it was deleted; `null` where there is none.
    #[schema(value_type = Option<super::Document>, required = true)]
    pub document: Value,
}

impl Done {
    /// What came of an operation; `None` for a document that is not there.
    ///
    /// # Errors
    /// The document cannot be read.
    pub fn new(collection: &str, outcome: Option<&Outcome>) -> Result<Self, serde_json::Error> {
        let action = outcome.and_then(|outcome| outcome.action);
        let document = outcome.map(|outcome| outcome.document.to_json()).transpose()?;
        Ok(Self {
            action: action.map(|action| action.as_str().to_owned()),
            collection: collection.to_owned(),
            document: document.unwrap_or_default(),
        })
    }
}

impl TransactionBody {
    /// Reads the body of a transaction.
    ///
    /// # Errors
    /// Everything that is wrong with its form.
    pub fn read(body: Value) -> Result<Vec<Operation>, Vec<Problem>> {
        let mut fields = object(body, &["operations"])?;
        let Some(Value::Array(given)) = fields.remove("operations") else {
            return Err(vec![Problem::new("operations", "expected a list of operations")]);
        };
        let count = given.len();
        if count > OPERATIONS_MAX {
            let message = format!("{count} at once; at most {OPERATIONS_MAX} are changed together");
            return Err(vec![Problem::new("operations", message)]);
        }
        let mut operations = Vec::with_capacity(count);
        let mut problems = Vec::new();
        for (place, one) in given.into_iter().enumerate() {
            let at = |problem: Problem| {
                let dot = if problem.field.is_empty() { "" } else { "." };
                let field = format!("operations[{place}]{dot}{}", problem.field);
                Problem { field, ..problem }
            };
            match object(one, &FIELDS).and_then(operation) {
                Ok(operation) => operations.push(operation),
                Err(more) => problems.extend(more.into_iter().map(at)),
            }
        }
        if problems.is_empty() { Ok(operations) } else { Err(problems) }
    }
}

fn operation(mut fields: Map<String, Value>) -> Result<Operation, Vec<Problem>> {
    let mut problems = Vec::new();
    // One that is left out asks for nothing, and `null` for a document that is not there.
    let is_absent = fields.get("revision").is_some_and(Value::is_null);
    let mut text = |name: &str| match fields.remove(name) {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) => Some(text),
        Some(_) => {
            problems.push(Problem::new(name, "expected a text"));
            None
        }
    };
    let (op, collection, id) = (text("op"), text("collection"), text("id"));
    let (if_match, checked) = (text("if_match"), text("revision"));
    let names_revision = is_absent || checked.is_some();
    let revision = if_match.as_ref().or(checked.as_ref()).map(|text| text.parse::<EventId>());
    let document = fields.remove("document").filter(|document| !document.is_null());
    let op = op.unwrap_or_default();
    if !OPS.contains(&op.as_str()) {
        let shown: String = op.chars().take(OP_CHARS_SHOWN).collect();
        let problem = Problem::new("op", format!("expected an operation, got {shown:?}"));
        problems.push(problem.suggest(did_you_mean(&shown, OPS)));
    } else if names_revision && op != "check" {
        let problem = Problem::new("revision", format!("{op:?} takes none"));
        problems.push(problem.suggest("if_match, with the revision it must have"));
    } else if names_revision && if_match.is_some() {
        problems.push(Problem::new("revision", "if_match says already what it must be"));
    }
    if collection.is_none() {
        problems.push(Problem::new("collection", "is missing"));
    }
    if let Some(Err(_)) = revision {
        let field = if if_match.is_some() { "if_match" } else { "revision" };
        problems.push(Problem::new(field, "is no revision of a document"));
    }
    let takes_none = matches!(op.as_str(), "delete" | "check");
    match &document {
        Some(_) if takes_none => {
            problems.push(Problem::new("document", format!("{op:?} takes none")));
        }
        None if !takes_none => problems.push(Problem::new("document", "is missing")),
        _ => {}
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let document = document.unwrap_or_default();
    let wanted = match op.as_str() {
        "create" => Wanted::Create(document),
        "update" => Wanted::Merge(document),
        "replace" => Wanted::Replace(document),
        "upsert" => Wanted::Upsert(document),
        "delete" => Wanted::Delete,
        _ if is_absent => Wanted::Absent,
        _ => Wanted::Check,
    };
    let revision = revision.and_then(Result::ok).map(EventId::as_u64);
    Ok(Operation { collection: collection.unwrap_or_default(), id, wanted, revision })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_operation_is_read() {
        let body = json!({ "operations": [
            { "op": "create", "collection": "a", "document": { "n": 1 } },
            { "op": "update", "collection": "a", "id": "x", "document": { "n": null } },
            { "op": "delete", "collection": "a", "id": "y", "if_match": EventId::from_u64(7) },
            { "op": "check", "collection": "b", "id": "z" },
            { "op": "check", "collection": "b", "id": "z", "revision": null },
            { "op": "check", "collection": "b", "id": "z", "revision": EventId::from_u64(7) },
        ] });
        let operations = TransactionBody::read(body).unwrap();
        let wanted: Vec<_> = operations.iter().map(|operation| operation.wanted.clone()).collect();
        assert_eq!(
            wanted,
            [
                Wanted::Create(json!({ "n": 1 })),
                Wanted::Merge(json!({ "n": null })),
                Wanted::Delete,
                Wanted::Check,
                Wanted::Absent,
                Wanted::Check
            ]
        );
        let revisions: Vec<_> = operations.iter().map(|operation| operation.revision).collect();
        assert_eq!(revisions, [None, None, Some(7), None, None, Some(7)]);
    }

    #[test]
    fn everything_that_is_wrong_is_told() {
        let body = json!({ "operations": [
            7,
            { "op": "creat", "collection": "a", "document": {} },
            { "op": "delete", "id": 7, "document": {} },
            { "op": "update", "collection": "a", "id": "x", "if_match": "7", "docment": {} },
            { "op": "update", "collection": "a", "id": "x", "if_match": "7" },
            { "op": "delete", "collection": "a", "id": "x", "revision": null },
            { "op": "check", "collection": "a", "id": "x", "revision": "7" },
            { "op": "check", "collection": "a", "id": "x", "revision": null,
              "if_match": "evt_0000000000007" },
        ] });
        let problems = TransactionBody::read(body).unwrap_err();
        let told: Vec<&str> = problems.iter().map(|problem| problem.field.as_str()).collect();
        let expected = [
            "operations[0]",
            "operations[1].op",
            "operations[2].id",
            "operations[2].collection",
            "operations[2].document",
            "operations[3].docment",
            "operations[4].if_match",
            "operations[4].document",
            "operations[5].revision",
            "operations[6].revision",
            "operations[7].revision",
        ];
        assert_eq!(told, expected);
        let long = "x".repeat(100_000);
        let body = json!({ "operations": [{ "op": long, "collection": "a" }] });
        let problem = &TransactionBody::read(body).unwrap_err()[0];
        assert!(problem.message.len() < 200, "{problem}");
        let many = TransactionBody::read(json!({ "operations": vec![7; 1_001] })).unwrap_err();
        assert_eq!((many.len(), many[0].field.as_str()), (1, "operations"));
        assert!(TransactionBody::read(json!([])).is_err());
        assert!(TransactionBody::read(json!({ "operations": {} })).is_err());
    }
}
