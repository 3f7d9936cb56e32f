//! The content of a segment: a byte that tells the format, the length of what follows when it is
//! unpacked (four bytes, little endian), and a zstd frame with the items in postcard.
//!
//! Postcard rather than JSON because payloads are bytes that must come back exactly, and because
//! a list unpacks whole segments to look for a few items.

use std::sync::Arc;

use bytes::Bytes;
use evoke_model::{Attempt, Data, Event, Execution};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::stored::{self, StoredEvent, StoredExecution};

/// The one format there is.
const VERSION: u8 = 1;

const HEAD: usize = 5;

/// 3 packs some 300 MB a second; higher levels cost twice the time for a tenth of the space.
const LEVEL: i32 = 3;

/// No segment is near this: the items of one are cut at a fraction of it (see [`super::pace`]), and
/// a length above it can only be damage.
const UNPACKED_BYTES_MAX: usize = 1 << 30;

/// An execution in the archive.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Archived {
    pub(crate) execution: Execution,
    /// All of them, oldest first.
    pub(crate) attempts: Vec<Attempt>,
    /// What it got instead of its event's data.
    pub(crate) edited: Option<Data>,
}

/// The content of a segment could not be read or made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unreadable {
    #[error("its format is {0}, which this version does not know")]
    Format(u8),
    #[error("it is damaged: {0}")]
    Damaged(&'static str),
    #[error("pack or unpack it")]
    Packing(#[source] std::io::Error),
    #[error("write or read its items")]
    Items(#[source] postcard::Error),
    #[error("its {what} {text:?} is not known")]
    Word { what: &'static str, text: String },
}

impl Unreadable {
    pub(super) fn word(what: &'static str, text: impl ToString) -> Self {
        Self::Word { what, text: text.to_string() }
    }
}

/// What a segment holds.
#[derive(Debug, Clone)]
pub(crate) enum Contents {
    Events(Vec<Arc<Event>>),
    Executions(Vec<Arc<Archived>>),
}

impl Contents {
    /// Packs the items.
    pub(crate) fn encode(&self) -> Result<Bytes, Unreadable> {
        match self {
            Self::Events(events) => pack(&stored::store_events(events)),
            Self::Executions(executions) => pack(&stored::store_executions(executions)),
        }
    }

    /// Unpacks events.
    pub(crate) fn events(content: &[u8]) -> Result<Self, Unreadable> {
        let events: Vec<StoredEvent> = unpack(content)?;
        Ok(Self::Events(events.into_iter().map(|event| Arc::new(event.into())).collect()))
    }

    /// Unpacks executions.
    pub(crate) fn executions(content: &[u8]) -> Result<Self, Unreadable> {
        let executions: Vec<StoredExecution> = unpack(content)?;
        let executions = executions.into_iter().map(|one| one.try_into().map(Arc::new));
        executions.collect::<Result<_, _>>().map(Self::Executions)
    }
}

/// How many bytes a content takes when it is unpacked.
pub(crate) fn unpacked_bytes(content: &[u8]) -> usize {
    head(content).map_or(0, |(bytes, _)| bytes)
}

fn head(content: &[u8]) -> Result<(usize, &[u8]), Unreadable> {
    let Some((head, frame)) = content.split_at_checked(HEAD) else {
        return Err(Unreadable::Damaged("it is too short"));
    };
    match *head {
        [VERSION, a, b, c, d] => Ok((u32::from_le_bytes([a, b, c, d]) as usize, frame)),
        [version, ..] => Err(Unreadable::Format(version)),
        [] => Err(Unreadable::Damaged("it is empty")),
    }
}

fn pack<T: Serialize>(items: &T) -> Result<Bytes, Unreadable> {
    let plain = postcard::to_stdvec(items).map_err(Unreadable::Items)?;
    let length = u32::try_from(plain.len()).ok().filter(|len| *len as usize <= UNPACKED_BYTES_MAX);
    let length = length.ok_or(Unreadable::Damaged("it is too large"))?;
    let frame = zstd::bulk::compress(&plain, LEVEL).map_err(Unreadable::Packing)?;
    let mut content = Vec::with_capacity(HEAD + frame.len());
    content.push(VERSION);
    content.extend_from_slice(&length.to_le_bytes());
    content.extend_from_slice(&frame);
    Ok(content.into())
}

fn unpack<T: DeserializeOwned>(content: &[u8]) -> Result<T, Unreadable> {
    let (length, frame) = head(content)?;
    if length > UNPACKED_BYTES_MAX {
        return Err(Unreadable::Damaged("its length makes no sense"));
    }
    let plain = zstd::bulk::decompress(frame, length).map_err(Unreadable::Packing)?;
    if plain.len() != length {
        return Err(Unreadable::Damaged("it ends too early"));
    }
    let (items, rest) = postcard::take_from_bytes(&plain).map_err(Unreadable::Items)?;
    match rest {
        [] => Ok(items),
        _ => Err(Unreadable::Damaged("something follows its items")),
    }
}
