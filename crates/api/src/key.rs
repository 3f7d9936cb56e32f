//! API keys.

use evoke_model::{KeyId, Timestamp};
use evoke_ports::store;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::schemas;

/// An API key, without the key itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Key {
    /// The id.
    #[schema(value_type = String, example = "key_01j9z3k5m7n8p")]
    pub id: KeyId,
    /// A name for people.
    pub name: String,
    /// The first characters, to recognise it by.
    pub hint: String,
    /// When it was made.
    #[schema(schema_with = schemas::time)]
    pub created_at: Timestamp,
}

/// A key that was just made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct NewKey {
    /// The id.
    #[schema(value_type = String)]
    pub id: KeyId,
    /// A name for people.
    pub name: String,
    /// The key. It is not kept and cannot be shown again.
    #[schema(example = "evk_...")]
    pub key: String,
    /// When it was made.
    #[schema(schema_with = schemas::time)]
    pub created_at: Timestamp,
}

/// What a key is made from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct NewKeyBody {
    /// A name for people, 1 to 100 bytes.
    pub name: String,
}

impl From<store::Key> for Key {
    fn from(key: store::Key) -> Self {
        Self { id: key.id, name: key.name, hint: key.hint, created_at: key.created_at }
    }
}

impl NewKey {
    /// The key as it is shown this once.
    pub fn new(key: store::Key, secret: String) -> Self {
        Self { id: key.id, name: key.name, key: secret, created_at: key.created_at }
    }
}
