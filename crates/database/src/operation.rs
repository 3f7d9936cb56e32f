//! What is asked for, and what came of it.

use std::sync::Arc;

use evoke_document::Document;
use serde_json::Value;

/// One change of one document.
#[derive(Clone, Debug, PartialEq)]
pub struct Operation {
    /// The collection.
    pub collection: String,
    /// The document; only a creation may leave it out.
    pub id: Option<String>,
    /// What is to become of it.
    pub wanted: Wanted,
    /// The revision the document must have.
    pub revision: Option<u64>,
}

impl Operation {
    /// An operation on a document whatever its revision.
    pub fn new(collection: &str, id: Option<&str>, wanted: Wanted) -> Self {
        Self {
            collection: collection.to_owned(),
            id: id.map(str::to_owned),
            wanted,
            revision: None,
        }
    }
}

/// What is to become of a document.
#[derive(Clone, Debug, PartialEq)]
pub enum Wanted {
    /// It is new. Its id may stand in it.
    Create(Value),
    /// This is merged in (RFC 7396).
    Merge(Value),
    /// This takes its place.
    Replace(Value),
    /// This takes its place, or is new.
    Upsert(Value),
    /// It is removed.
    Delete,
    /// Nothing; it must be there.
    Check,
    /// Nothing; it may not be there.
    Absent,
}

/// How what is wrong with documents is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// There is one: `document.email`.
    Alone,
    /// They are a list: `[2].email`.
    List,
    /// They belong to operations: `operations[2].document.email`.
    Operations,
}

impl Asked {
    /// The field of the operation in this place.
    pub(crate) fn operation(self, place: usize) -> String {
        match self {
            Self::Alone => String::new(),
            Self::List => format!("[{place}]"),
            Self::Operations => format!("operations[{place}]"),
        }
    }

    /// The field of the document of the operation in this place.
    pub(crate) fn document(self, place: usize) -> String {
        match self {
            Self::Alone => "document".to_owned(),
            Self::List => self.operation(place),
            Self::Operations => format!("{}.document", self.operation(place)),
        }
    }

    /// The field of the id of the operation in this place.
    pub(crate) fn id(self, place: usize) -> String {
        match self {
            Self::Alone => "id".to_owned(),
            _ => format!("{}.id", self.operation(place)),
        }
    }
}

/// What happened to a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// It is new.
    Create,
    /// It is another.
    Update,
    /// It is gone.
    Delete,
}

impl Action {
    /// As it is named in events.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }
}

impl std::str::FromStr for Action {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "create" | "insert" => Ok(Self::Create),
            "update" => Ok(Self::Update),
            "delete" => Ok(Self::Delete),
            _ => Err(()),
        }
    }
}

/// What came of an operation.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// What happened; `None` where nothing had to.
    pub action: Option<Action>,
    /// The document as it is now, or was before it was deleted.
    pub document: Arc<Document>,
}

/// What came of a change of all documents that meet conditions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many met them.
    pub matched: u64,
    /// How many were changed: the others were already as they should be.
    pub changed: u64,
}
