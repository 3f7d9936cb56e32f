//! What is stored as text, and how it is read again.
//!
//! Definitions are JSON with a format tag. Each format is closed: a change of the record that
//! alters its JSON is a new format beside the old one, and the golden files in `golden/` must
//! decode for ever.

use std::sync::Arc;

use evoke_document::Collection;
use evoke_model::function::FunctionRecord;
use evoke_model::{KeyId, Operation, Timestamp, Trigger};
use evoke_ports::store::{AuditEntry, Cursor, Key};
use serde::{Deserialize, Serialize};

/// The body of a row of `functions`.
#[derive(Serialize, Deserialize)]
#[serde(tag = "format", content = "function")]
pub(super) enum StoredFunction {
    #[serde(rename = "function/1")]
    V1(FunctionRecord),
}

impl From<StoredFunction> for FunctionRecord {
    fn from(stored: StoredFunction) -> Self {
        let StoredFunction::V1(function) = stored;
        function
    }
}

/// The body of a row of `triggers`.
#[derive(Serialize, Deserialize)]
#[serde(tag = "format", content = "trigger")]
pub(super) enum StoredTrigger {
    #[serde(rename = "trigger/1")]
    V1(Arc<Trigger>),
}

impl From<StoredTrigger> for Arc<Trigger> {
    fn from(stored: StoredTrigger) -> Self {
        let StoredTrigger::V1(trigger) = stored;
        trigger
    }
}

/// The body of a row of `operations`.
#[derive(Serialize, Deserialize)]
#[serde(tag = "format", content = "operation")]
pub(super) enum StoredOperation {
    #[serde(rename = "operation/1")]
    V1(Operation),
}

impl From<StoredOperation> for Operation {
    fn from(stored: StoredOperation) -> Self {
        let StoredOperation::V1(operation) = stored;
        operation
    }
}

/// The body of a row of `cursors`.
#[derive(Serialize, Deserialize)]
#[serde(tag = "format", content = "cursor")]
pub(super) enum StoredCursor {
    #[serde(rename = "cursor/1")]
    V1(Cursor),
}

impl From<StoredCursor> for Cursor {
    fn from(stored: StoredCursor) -> Self {
        let StoredCursor::V1(cursor) = stored;
        cursor
    }
}

/// The body of a row of `collections`.
#[derive(Serialize, Deserialize)]
#[serde(tag = "format", content = "collection")]
pub(super) enum StoredCollection {
    #[serde(rename = "collection/1")]
    V1(Collection),
}

impl From<StoredCollection> for Collection {
    fn from(stored: StoredCollection) -> Self {
        let StoredCollection::V1(collection) = stored;
        collection
    }
}

/// The body of a row of `audit`.
#[derive(Serialize, Deserialize)]
#[serde(tag = "format", content = "audit")]
pub(super) enum StoredAudit {
    #[serde(rename = "audit/1")]
    V1(AuditEntry),
}

impl From<StoredAudit> for AuditEntry {
    fn from(stored: StoredAudit) -> Self {
        let StoredAudit::V1(entry) = stored;
        entry
    }
}

/// The body of a row of `keys`.
#[derive(Serialize, Deserialize)]
#[serde(tag = "format", content = "key")]
pub(super) enum StoredKey {
    #[serde(rename = "key/1")]
    V1(KeyV1),
}

/// An API key, its hash in hex so that people can compare it.
#[derive(Serialize, Deserialize)]
pub(super) struct KeyV1 {
    id: KeyId,
    name: String,
    hash: String,
    hint: String,
    created_at: Timestamp,
}

impl From<&Key> for StoredKey {
    fn from(key: &Key) -> Self {
        Self::V1(KeyV1 {
            id: key.id,
            name: key.name.clone(),
            hash: key.hash.iter().map(|byte| format!("{byte:02x}")).collect(),
            hint: key.hint.clone(),
            created_at: key.created_at,
        })
    }
}

/// The hash of a stored key is not 32 bytes in hex.
#[derive(Debug, thiserror::Error)]
#[error("the hash of the key is not 64 hexadecimal digits")]
pub(super) struct BadHash;

impl TryFrom<StoredKey> for Key {
    type Error = BadHash;
    fn try_from(stored: StoredKey) -> Result<Self, BadHash> {
        let StoredKey::V1(key) = stored;
        Ok(Self {
            id: key.id,
            name: key.name,
            hash: unhex(&key.hash).ok_or(BadHash)?,
            hint: key.hint,
            created_at: key.created_at,
        })
    }
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let digits = text.as_bytes();
    if digits.len() != 64 {
        return None;
    }
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let pair = std::str::from_utf8(pair).ok()?;
        *byte = u8::from_str_radix(pair, 16).ok()?;
    }
    Some(bytes)
}
