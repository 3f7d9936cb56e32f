//! Collections and their indexes.

use serde_json::Value;

use crate::path::FieldPath;

/// A collection as it is declared.
#[derive(Clone, PartialEq, Debug, Default, serde::Serialize, serde::Deserialize)]
pub struct Collection {
    /// The name: a letter, then letters, digits, `_` and `-`, 63 at most. Those that begin with `_`
    /// are the server's own.
    pub name: String,
    /// JSON Schema that every document must fit, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<Value>,
    /// What is looked up fast, and what may be there only once.
    #[serde(default)]
    pub indexes: Vec<Index>,
}

/// An index of a collection.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
pub struct Index {
    /// The name, unique in its collection, with the characters of a collection's.
    pub name: String,
    /// The fields, the most important first; 1 to 8.
    pub fields: Vec<FieldPath>,
    /// Whether no two documents may have the same values. Documents that lack one of the fields, or
    /// have `null` there, may be many.
    #[serde(default)]
    pub unique: bool,
}
