//! What is in documents: as callers give it, as events carry it.

use bytes::Bytes;
use evoke_document::Document;
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
pub(crate) fn fields(document: &Document) -> Map<String, Value> {
    serde_json::from_slice(&document.body).unwrap_or_else(|error| {
        tracing::error!(document.id = %document.id, "A document cannot be read: {error}");
        Map::new()
    })
}

/// The text of fields.
pub(crate) fn body(fields: &Map<String, Value>) -> Result<Bytes, Rejection> {
    let text = serde_json::to_vec(fields)
        .map_err(|error| Rejection::new(Code::Internal, format!("write a document: {error}")))?;
    Ok(Bytes::from(text))
}

/// A document as a caller gives it: its id, if it says it, and its fields. Names of the server's own
/// are left out, so that what was read can be written back.
///
/// # Errors
/// Why it is no document, with fields under `at`.
pub(crate) fn read<'a>(
    given: &'a Value,
    at: &str,
) -> Result<(Option<&'a str>, Map<String, Value>), Vec<Problem>> {
    let Value::Object(given) = given else {
        return Err(vec![Problem::new(at, "expected an object: the fields of a document")]);
    };
    let id = id_in(given, at)?;
    let mut fields = given.clone();
    fields.retain(|name, _| is_own(name));
    limits(&fields, at)?;
    Ok((id, fields))
}

/// A document with something merged in (RFC 7396), and the id that stands in that.
///
/// # Errors
/// Why it is no document then.
pub(crate) fn merged<'a>(
    document: &Document,
    patch: &'a Value,
    at: &str,
) -> Result<(Option<&'a str>, Map<String, Value>), Vec<Problem>> {
    let Value::Object(given) = patch else {
        return Err(vec![Problem::new(at, "expected an object: the fields that change")]);
    };
    let id = id_in(given, at)?;
    let mut fields = fields(document);
    for (name, value) in given.iter().filter(|(name, _)| is_own(name)) {
        merge(&mut fields, name, value);
    }
    limits(&fields, at)?;
    Ok((id, fields))
}

/// What is to be merged into many documents.
///
/// # Errors
/// Why it cannot be.
pub(crate) fn check_set(set: &Value) -> Result<(), Vec<Problem>> {
    let (id, _) = read(set, SET)?;
    match id {
        Some(_) => {
            let message = "the id of a document stays as it is";
            Err(vec![Problem::new(format!("{SET}.{ID}"), message)])
        }
        None => Ok(()),
    }
}

/// The fields a hook gives a document.
///
/// # Errors
/// Why they cannot be taken.
pub(crate) fn revised(
    given: &Value,
    id: &str,
    at: &str,
) -> Result<Map<String, Value>, Vec<Problem>> {
    let (own, fields) = read(given, at)?;
    match own {
        Some(own) if own != id => {
            let message = "the id of a document stays as it is";
            Err(vec![Problem::new(format!("{at}.{ID}"), message)])
        }
        _ => Ok(fields),
    }
}

/// The id in what a caller gives.
fn id_in<'a>(given: &'a Map<String, Value>, at: &str) -> Result<Option<&'a str>, Vec<Problem>> {
    let Some(id) = given.get(ID) else { return Ok(None) };
    let problem = match id.as_str().map(|id| (id, wrong_id(id))) {
        Some((id, None)) => return Ok(Some(id)),
        Some((_, Some(wrong))) => wrong,
        None => "expected a text",
    };
    Err(vec![Problem::new(format!("{at}.{ID}"), problem)])
}

/// Why a text is no id.
pub(crate) fn wrong_id(id: &str) -> Option<&'static str> {
    const LEN_MAX: usize = 200;
    if id.is_empty() || id.chars().count() > LEN_MAX {
        return Some("an id has 1 to 200 characters");
    }
    if matches!(id, "." | "..") || id.contains('/') || id.contains(char::is_control) {
        return Some("an id has no \"/\" and no control characters, and is not \".\" or \"..\"");
    }
    None
}

/// Whether a name is one of the caller's.
fn is_own(name: &str) -> bool {
    !name.starts_with('_') && name != ID
}

/// Merges one field (RFC 7396).
fn merge(into: &mut Map<String, Value>, name: &str, patch: &Value) {
    match patch {
        Value::Null => {
            into.remove(name);
        }
        Value::Object(patch) => {
            let target = into.entry(name).or_insert_with(|| json!({}));
            if !target.is_object() {
                *target = json!({});
            }
            for (name, value) in patch {
                if let Value::Object(target) = target {
                    merge(target, name, value);
                }
            }
        }
        other => {
            into.insert(name.to_owned(), other.clone());
        }
    }
}

/// Whether fields are within what a document may be.
fn limits(fields: &Map<String, Value>, at: &str) -> Result<(), Vec<Problem>> {
    let _ = (fields, at);
    Ok(())
}

/// What an event says of a change.
pub(crate) fn of_change(change: &Change) -> Value {
    let (id, old, new) = (&change.id, change.old(), change.new_fields());
    json!({
        "document": new.map(|fields| whole(id, fields)),
        "previous_document": old.map(|fields| whole(id, fields)),
        "action": change.action().as_str(),
        "collection": &*change.collection.name,
        "changed_fields": changed_fields(old, new),
    })
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

/// The names of the fields that differ.
fn changed_fields<'a>(
    old: Option<&'a Map<String, Value>>,
    new: Option<&'a Map<String, Value>>,
) -> Vec<&'a str> {
    let names = |fields: Option<&'a Map<String, Value>>| fields.into_iter().flat_map(Map::keys);
    let value = |fields: Option<&'a Map<String, Value>>, name: &str| fields?.get(name);
    let mut changed: Vec<&str> = names(old)
        .chain(names(new))
        .filter(|name| value(old, name) != value(new, name))
        .map(String::as_str)
        .collect();
    changed.sort_unstable();
    changed.dedup();
    changed
}
