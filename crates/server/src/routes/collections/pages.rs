//! Documents as answers. Their text is passed on as it is kept.

use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use evoke_document::Document;
use evoke_ports::store;
use http::header::{CONTENT_TYPE, ETAG};
use http::{HeaderValue, StatusCode};
use serde_json::Value;

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// One document, with its revision.
pub(crate) fn one(status: StatusCode, document: &Document) -> Response {
    let headers = [(CONTENT_TYPE, JSON), (ETAG, tag(document))];
    (status, headers, document.to_text()).into_response()
}

/// The revision of a document as a header.
pub(crate) fn tag(document: &Document) -> HeaderValue {
    HeaderValue::try_from(document.etag()).unwrap_or(HeaderValue::from_static("\"\""))
}

/// A page of documents.
pub(crate) fn page(page: &store::Page<Arc<Document>>) -> Response {
    let next = Value::from(page.next.clone());
    let end = format!(",\"next_cursor\":{next}");
    ([(CONTENT_TYPE, JSON)], listed(page.items.iter(), &end)).into_response()
}

/// Documents that were created together.
pub(crate) fn created<'a>(documents: impl Iterator<Item = &'a Arc<Document>>) -> Response {
    (StatusCode::CREATED, [(CONTENT_TYPE, JSON)], listed(documents, "")).into_response()
}

fn listed<'a>(documents: impl Iterator<Item = &'a Arc<Document>>, end: &str) -> String {
    let mut text = "{\"data\":[".to_owned();
    for (place, document) in documents.enumerate() {
        if place > 0 {
            text.push(',');
        }
        text.push_str(&document.to_text());
    }
    text.push(']');
    text.push_str(end);
    text.push('}');
    text
}
