//! The collections of this service: what is in them and how it is read.

use evoke_document::{Collection, Document, FieldPath, Index};
use evoke_model::{Code, Rejection};
use evoke_ports::store;
use serde::de::DeserializeOwned;

pub(crate) const BUCKETS: &str = "_buckets";
pub(crate) const FILES: &str = "_files";
pub(crate) const UPLOADS: &str = "_uploads";
pub(crate) const PARTS: &str = "_upload_parts";
/// What is made at the first start and stays.
pub(crate) const SETTINGS: &str = "_storage";

/// Files are listed by name, and blobs are looked up to see who names them.
pub(crate) const BUCKET: &str = "bucket";
pub(crate) const NAME: &str = "name";
pub(crate) const CONTENT: &str = "content.blob";
pub(crate) const BLOB: &str = "blob";
pub(crate) const UPLOAD: &str = "upload";
pub(crate) const NUMBER: &str = "number";

/// A field of these collections.
///
/// # Errors
/// API_006: a mistake of ours.
pub(crate) fn field(name: &str) -> Result<FieldPath, Rejection> {
    FieldPath::parse(name).map_err(|error| Rejection::new(Code::Internal, error.to_string()))
}

/// The collections with their indexes.
pub(crate) fn collections() -> Result<Vec<Collection>, Rejection> {
    let index = |name: &str, fields: &[&str]| {
        let fields = fields.iter().map(|name| field(name)).collect::<Result<Vec<_>, _>>()?;
        Ok::<_, Rejection>(Index { name: name.to_owned(), fields, unique: false })
    };
    let collection =
        |name: &str, indexes| Collection { name: name.to_owned(), schema: None, indexes };
    Ok(vec![
        collection(SETTINGS, Vec::new()),
        collection(BUCKETS, Vec::new()),
        collection(FILES, vec![index("by_name", &[BUCKET, NAME])?, index("by_blob", &[CONTENT])?]),
        collection(UPLOADS, vec![index("by_blob", &[BLOB])?, index("by_bucket", &[BUCKET])?]),
        collection(PARTS, vec![index("by_upload", &[UPLOAD, NUMBER])?]),
    ])
}

/// What a document of ours says.
///
/// # Errors
/// ST_001: it cannot be read.
pub(crate) fn read<T: DeserializeOwned>(document: &Document) -> Result<T, Rejection> {
    serde_json::from_slice(&document.body).map_err(|error| {
        let message = format!("the record {} of storage cannot be read: {error}", document.id);
        Rejection::new(Code::StoreUnavailable, message)
    })
}

/// The refusal when the store cannot be read.
pub(crate) fn unreadable(error: &store::Error) -> Rejection {
    tracing::error!("The store cannot be read: {error}");
    Rejection::new(Code::StoreUnavailable, format!("the store cannot be read: {error}"))
}
