//! What is in documents: as callers give it, as events carry it.

use evoke_document::{Document, Input, changed_fields, check_fields, merge};
use evoke_model::{Code, EventId, Problem, Rejection};
use serde_json::{Map, Value, json};

use crate::plan::Change;

/// The field callers know the id by.
const ID: &str = "id";

/// What is merged into many documents at once.
pub(crate) const SET: &str = "set";

/// An id of ours, from a number that was never given out before: the later the higher.
pub(crate) fn made_id(fresh: EventId) -> Box<str> {
    let text = fresh.to_string();
    let number = text.split_once('_').map_or(text.as_str(), |(_, number)| number);
    format!("doc_{number}").into()
}

/// The id a document says itself, if it is one.
pub(crate) fn own_id(given: &Value) -> Option<&str> {
    given.get(ID)?.as_str()
}

/// The fields of a document.
///
/// # Errors
/// API_006: it was not written by us.
pub(crate) fn fields(document: &Document) -> Result<Map<String, Value>, Rejection> {
    document.fields().map_err(|error| broken(document, &error))
}

/// A document that cannot be read.
pub(crate) fn broken(document: &Document, error: &serde_json::Error) -> Rejection {
    let message = format!("the document {:?} cannot be read: {error}", document.id);
    tracing::error!(document.id = %document.id, "{message}");
    Rejection::new(Code::Internal, message)
}

/// Fields with something merged in (RFC 7396), and the id that stands in that.
///
/// # Errors
/// Why they are no document's then.
pub(crate) fn merged(
    mut fields: Map<String, Value>,
    patch: &Value,
    at: &str,
) -> Result<Input, Vec<Problem>> {
    let Input { id, fields: patch } = Input::read(patch.clone(), at)?;
    merge(&mut fields, patch);
    check_fields(&fields, at)?;
    Ok(Input { id, fields })
}

/// What is to be merged into many documents.
///
/// # Errors
/// Why it cannot be.
pub(crate) fn check_set(set: &Value) -> Result<(), Vec<Problem>> {
    match Input::read(set.clone(), SET)?.id {
        Some(_) => {
            let message = "the id of a document stays as it is";
            Err(vec![Problem::new(format!("{SET}.{ID}"), message)])
        }
        None => Ok(()),
    }
}

/// What an event says of a change.
pub(crate) fn of_change(change: &Change) -> Value {
    let (id, old, new) = (&change.id, change.old(), change.new_fields());
    let document =
        |fields: Option<&Map<_, _>>| fields.map_or(Value::Null, |fields| whole(id, fields));
    // Made without `json!`, which copies what it is given: documents with all that is in them.
    Value::from_iter([
        ("document", document(new)),
        ("previous_document", document(old)),
        ("action", change.action().as_str().into()),
        ("collection", change.collection.name.as_ref().into()),
        ("changed_fields", changed_fields(old, new).into()),
    ])
}

/// The data of an event with another document in it.
pub(crate) fn with_document(
    data: &Value,
    id: &str,
    old: Option<&Map<String, Value>>,
    new: &Map<String, Value>,
) -> Value {
    let mut data = data.clone();
    data["document"] = whole(id, new);
    data["changed_fields"] = json!(changed_fields(old, Some(new)));
    data
}

/// The fields of the document in the data of an event.
pub(crate) fn document_of(data: &Value) -> Option<Map<String, Value>> {
    let mut fields = data.get("document")?.as_object()?.clone();
    fields.remove(ID);
    Some(fields)
}

/// A document as events carry it.
fn whole(id: &str, fields: &Map<String, Value>) -> Value {
    let mut whole = fields.clone();
    whole.insert(ID.to_owned(), json!(id));
    Value::Object(whole)
}
