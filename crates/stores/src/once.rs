//! Taking an event once per key: what every store must decide alike.
//!
//! Whether a key has expired is measured against the instant the new event was made, which its id
//! tells: a commit reads no clock.

use evoke_model::{EventId, Timestamp};
use evoke_ports::store::{Ingest, NewExecution, OnceKey};

/// The batch cannot be written as it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    /// A key is for an event that is not in its ingest.
    #[error("a once key is for event {index} of {count}")]
    NoSuchEvent { index: usize, count: usize },
    /// The id is in the log.
    #[error("event {0} is in the log already")]
    EventTwice(EventId),
}

/// The keys a store keeps.
pub(crate) trait Ledger {
    type Error: From<Refused>;

    /// The event that stands under `key` at `now`; an expired key is free.
    fn standing(&mut self, key: &str, now: Timestamp) -> Result<Option<EventId>, Self::Error>;

    /// Takes a key where it is free; otherwise answers who stands there.
    fn take(&mut self, claim: Claim<'_>) -> Result<Option<EventId>, Self::Error>;
}

/// A key that an event wants.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Claim<'k> {
    pub key: &'k str,
    /// Who wants it, and when: at the instant the event was made.
    pub event: EventId,
    pub expires: Timestamp,
}

/// Whether another event stands under the key of an execution's trigger; takes the key if not.
pub(crate) fn is_skipped<L: Ledger>(
    execution: &NewExecution,
    ledger: &mut L,
) -> Result<bool, L::Error> {
    let Some(once) = execution.once.as_deref() else {
        return Ok(false);
    };
    let event = execution.id.event;
    let claim = Claim { key: &once.key, event, expires: once.expires };
    let standing = ledger.take(claim)?;
    Ok(standing.is_some_and(|standing| standing != event))
}

/// Takes the keys of an ingest and answers which of its events are there already: their place and
/// the id that stands. An event with several keys takes all of them or none.
pub(crate) fn duplicates<L: Ledger>(
    ingest: &Ingest,
    ledger: &mut L,
) -> Result<Vec<(usize, EventId)>, L::Error> {
    if ingest.once.is_empty() {
        return Ok(Vec::new());
    }
    let mut keys: Vec<&OnceKey> = ingest.once.iter().collect();
    keys.sort_by_key(|key| key.event);
    let mut duplicates = Vec::new();
    for keys in keys.chunk_by(|a, b| a.event == b.event) {
        let index = keys[0].event;
        let Some(event) = ingest.events.get(index) else {
            return Err(Refused::NoSuchEvent { index, count: ingest.events.len() }.into());
        };
        if let Some(standing) = take_all(keys, event.id, ledger)? {
            duplicates.push((index, standing));
        }
    }
    Ok(duplicates)
}

fn take_all<L: Ledger>(
    keys: &[&OnceKey],
    event: EventId,
    ledger: &mut L,
) -> Result<Option<EventId>, L::Error> {
    // A single key, the usual case, is taken without a look before.
    if keys.len() > 1 {
        for key in keys {
            if let Some(standing) = ledger.standing(&key.key, event.made_at())? {
                return Ok(Some(standing));
            }
        }
    }
    for key in keys {
        match ledger.take(Claim { key: &key.key, event, expires: key.expires })? {
            // An event may carry the same key twice.
            Some(standing) if standing != event => return Ok(Some(standing)),
            _ => {}
        }
    }
    Ok(None)
}
