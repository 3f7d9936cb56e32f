//! One document.

use bytes::Bytes;
use evoke_model::Timestamp;

/// A document as it is kept. What a caller sees of it is its fields and beside them `id`,
/// `_revision`, `_created_at` and `_updated_at`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Document {
    /// The id, unique in its collection: 1 to 200 characters.
    pub id: Box<str>,
    /// Another one after each change, and a higher one: that of the event that tells of it.
    pub revision: u64,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Its fields: the text of a JSON object as this crate writes it: without spaces and no
    /// name twice.
    pub body: Bytes,
}
