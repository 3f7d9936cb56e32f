//! What callers are told where something cannot be had.

use evoke_document::Collection;
use evoke_model::suggest::nearest;
use evoke_model::{Code, Problem, Rejection};
use evoke_ports::store::{BadCursor, Error};

/// More of what a caller gave is not said back to it: the longest id has as many.
const SHOWN_CHARS_MAX: usize = 200;

/// There is no such collection.
pub(crate) fn no_collection<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Rejection {
    let shown: String = name.chars().take(SHOWN_CHARS_MAX).collect();
    let mut problem = Problem::new("collection", format!("there is no collection {shown:?}"));
    if let Some(near) = nearest(name, known) {
        problem = problem.suggest(format!("did you mean \"{near}\"?"));
    }
    let message = problem.to_string().replacen("collection: ", "", 1);
    Rejection { message, ..Rejection::of(Code::CollectionNotFound, vec![problem]) }
}

/// There is no such document.
pub(crate) fn no_document(collection: &str, id: &str) -> Rejection {
    // Callers may ask for whatever they like.
    let id: String = id.chars().take(SHOWN_CHARS_MAX).collect();
    let message = format!("there is no document {id:?} in {collection:?}");
    Rejection::new(Code::DocumentNotFound, message)
}

/// It has another revision than the caller knows.
pub(crate) fn changed(collection: &str, id: &str) -> Rejection {
    let message = format!("the document {id:?} in {collection:?} was changed meanwhile");
    Rejection::new(Code::DocumentChanged, message)
}

/// It is there, and was not to be.
pub(crate) fn there(collection: &str, id: &str) -> Rejection {
    let message =
        format!("there is a document {id:?} in {collection:?}, which was not to be there");
    Rejection::new(Code::DocumentChanged, message)
}

/// There is a document with this id.
pub(crate) fn exists(field: String, collection: &str, id: &str) -> Rejection {
    let message = format!("there is a document {id:?} in {collection:?} already");
    let problem = Problem::new(field, message.clone());
    Rejection { message, ..Rejection::of(Code::DocumentConflict, vec![problem]) }
}

/// Another document has the values of a unique index.
pub(crate) fn not_unique(prefix: &str, collection: &Collection, index: &str) -> Rejection {
    let fields: Vec<&str> = collection
        .indexes
        .iter()
        .filter(|known| known.name == index)
        .flat_map(|known| known.fields.iter().map(|field| field.as_str()))
        .collect();
    let name = &collection.name;
    let message = format!(
        "another document in {name:?} has the same {}, which the unique index {index:?} forbids",
        fields.join(" and ")
    );
    let dot = if prefix.is_empty() { "" } else { "." };
    let problem = |field: &&str| Problem::new(format!("{prefix}{dot}{field}"), message.clone());
    let problems = fields.iter().map(problem).collect();
    Rejection { message: message.clone(), ..Rejection::of(Code::DocumentConflict, problems) }
}

/// Others were quicker again and again.
pub(crate) fn contended() -> Rejection {
    let message = "others change these documents all the time; nothing was changed";
    Rejection::new(Code::DocumentConflict, message)
}

/// A read of the store did not work.
pub(crate) fn unavailable(error: &Error) -> Rejection {
    if error.source.is::<BadCursor>() {
        let problem = Problem::new("cursor", error.source.to_string())
            .suggest("the next_cursor of a page of the same query");
        return Rejection::of(Code::QueryInvalid, vec![problem]);
    }
    tracing::error!("A read of documents failed: {error}: {}", error.source);
    Rejection::new(Code::StoreUnavailable, format!("the store failed: {error}"))
}
