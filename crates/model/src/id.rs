//! Ids. Each kind is a type of its own; as text it is a prefix and 13 characters of Crockford's
//! base32, so that ids sort by the time they were made, in text as in the store.
//!
//! The number is 63 bits: 41 bits of milliseconds since 2024-01-01 UTC, 8 bits of the node that
//! made it, 14 bits of sequence. It is therefore a rowid in SQLite and a `BIGINT` elsewhere, and
//! inserting in order only ever appends to a table.

use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::time::Timestamp;

/// 2024-01-01T00:00:00Z in milliseconds of the Unix epoch: the zero of the time part of an id.
const EPOCH_MS: i64 = 1_704_067_200_000;
const SEQUENCE_BITS: u32 = 14;
const NODE_BITS: u32 = 8;
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// 13 characters of 5 bits hold the 63 bits of an id.
const TEXT_LEN: usize = 13;

/// The text is not an id of the expected kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected an id like {prefix}_01j9z3k5m7n8p, got {text:?}")]
pub struct ParseIdError {
    prefix: &'static str,
    text: String,
}

fn encode(value: u64, out: &mut String) {
    for position in (0..TEXT_LEN).rev() {
        let digit = (value >> (position * 5)) & 31;
        out.push(ALPHABET[digit as usize] as char);
    }
}

fn decode(text: &str) -> Option<u64> {
    if text.len() != TEXT_LEN {
        return None;
    }
    let mut value: u64 = 0;
    for byte in text.bytes() {
        let digit = ALPHABET.iter().position(|known| *known == byte.to_ascii_lowercase())?;
        value = value.checked_mul(32)? | digit as u64;
    }
    (value >> 63 == 0).then_some(value)
}

fn time_of(value: u64) -> Timestamp {
    let ms = (value >> (SEQUENCE_BITS + NODE_BITS)) as i64;
    Timestamp::from_millis(ms + EPOCH_MS)
}

fn first_at(instant: Timestamp) -> u64 {
    const MS_MAX: u64 = (1 << (63 - SEQUENCE_BITS - NODE_BITS)) - 1;
    let whole = instant.as_millis();
    let begun = i64::from(Timestamp::from_millis(whole) < instant);
    let ms = whole.saturating_add(begun).saturating_sub(EPOCH_MS).max(0) as u64;
    ms.min(MS_MAX) << (SEQUENCE_BITS + NODE_BITS)
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(u64);

        impl $name {
            /// What the text form starts with, before the underscore.
            pub const PREFIX: &'static str = $prefix;

            /// The id with this number: what a store keeps.
            pub const fn from_u64(value: u64) -> Self {
                Self(value)
            }

            /// The number of the id, at most 63 bits.
            pub const fn as_u64(self) -> u64 {
                self.0
            }

            /// When the id was made, to the millisecond.
            pub fn made_at(self) -> Timestamp {
                time_of(self.0)
            }

            /// The lowest id whose [`made_at`](Self::made_at) is not before `instant`: where a
            /// range of ids by time begins or ends.
            pub fn first_at(instant: Timestamp) -> Self {
                Self(first_at(instant))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut text = String::with_capacity($prefix.len() + 1 + TEXT_LEN);
                text.push_str($prefix);
                text.push('_');
                encode(self.0, &mut text);
                f.write_str(&text)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;
            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                text.strip_prefix(concat!($prefix, "_"))
                    .and_then(decode)
                    .map(Self)
                    .ok_or_else(|| ParseIdError { prefix: $prefix, text: text.to_owned() })
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

id!(
    /// An accepted event.
    EventId, "evt"
);
id!(
    /// A trigger: a standing rule.
    TriggerId, "trg"
);
id!(
    /// A function, whatever its versions.
    FunctionId, "fn"
);
id!(
    /// An API key.
    KeyId, "key"
);
id!(
    /// An entry of the audit trail.
    AuditId, "aud"
);
id!(
    /// A replay or a redrive: something that was asked for and takes its time.
    OperationId, "opr"
);
id!(
    /// A part of the archive.
    SegmentId, "seg"
);

/// One event for one trigger. It is made of both, so that there is exactly one for each pair.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExecutionId {
    /// The event that is handled.
    pub event: EventId,
    /// The trigger that matched it.
    pub trigger: TriggerId,
}

impl ExecutionId {
    /// What the text form starts with, before the underscore.
    pub const PREFIX: &'static str = "exe";
}

impl fmt::Display for ExecutionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::with_capacity(4 + 2 * TEXT_LEN);
        text.push_str("exe_");
        encode(self.event.0, &mut text);
        encode(self.trigger.0, &mut text);
        f.write_str(&text)
    }
}

impl fmt::Debug for ExecutionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for ExecutionId {
    type Err = ParseIdError;
    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        let refuse = || ParseIdError { prefix: Self::PREFIX, text: text.to_owned() };
        let body = text.strip_prefix("exe_").ok_or_else(refuse)?;
        let (event, trigger) = body.split_at_checked(TEXT_LEN).ok_or_else(refuse)?;
        Ok(Self {
            event: EventId(decode(event).ok_or_else(refuse)?),
            trigger: TriggerId(decode(trigger).ok_or_else(refuse)?),
        })
    }
}

impl serde::Serialize for ExecutionId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for ExecutionId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Makes ids that rise strictly, even when the clock goes back or more than 16,384 are made in one
/// millisecond (it then borrows from the next).
#[derive(Debug)]
pub struct IdSource {
    node: u8,
    /// Milliseconds since the epoch of ids, shifted by the sequence bits, plus the sequence.
    last: AtomicU64,
}

impl IdSource {
    /// A source for one node. `newest` is the highest id this node has stored, so that a clock that
    /// went back while the node was down cannot make an id twice.
    pub fn new(node: u8, newest: u64) -> Self {
        let ms = newest >> (SEQUENCE_BITS + NODE_BITS);
        let sequence = newest & ((1 << SEQUENCE_BITS) - 1);
        Self { node, last: AtomicU64::new((ms << SEQUENCE_BITS) | sequence) }
    }

    /// The next number; wrap it with the `from_u64` of an id.
    pub fn next(&self, now: Timestamp) -> u64 {
        let ms = now.as_millis().saturating_sub(EPOCH_MS).max(0) as u64;
        let floor = ms << SEQUENCE_BITS;
        let mut last = self.last.load(Ordering::Relaxed);
        let next = loop {
            let next = floor.max(last + 1);
            match self.last.compare_exchange_weak(last, next, Ordering::Relaxed, Ordering::Relaxed)
            {
                Ok(_) => break next,
                Err(seen) => last = seen,
            }
        };
        let sequence = next & ((1 << SEQUENCE_BITS) - 1);
        ((next >> SEQUENCE_BITS) << (SEQUENCE_BITS + NODE_BITS))
            | (u64::from(self.node) << SEQUENCE_BITS)
            | sequence
    }

    /// The next event id.
    pub fn event(&self, now: Timestamp) -> EventId {
        EventId(self.next(now))
    }

    /// The next trigger id.
    pub fn trigger(&self, now: Timestamp) -> TriggerId {
        TriggerId(self.next(now))
    }

    /// The next function id.
    pub fn function(&self, now: Timestamp) -> FunctionId {
        FunctionId(self.next(now))
    }

    /// The next key id.
    pub fn key(&self, now: Timestamp) -> KeyId {
        KeyId(self.next(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_micros(1_795_000_000_000_000);

    #[test]
    fn text_round_trips_and_sorts_like_the_number() {
        let ids = IdSource::new(3, 0);
        let first = ids.event(NOW);
        let second = ids.event(NOW);
        assert!(first < second);
        assert!(first.to_string() < second.to_string());
        assert_eq!(first.to_string().parse::<EventId>(), Ok(first));
        let execution = ExecutionId { event: first, trigger: ids.trigger(NOW) };
        assert_eq!(execution.to_string().parse::<ExecutionId>(), Ok(execution));
    }

    #[test]
    fn a_clock_that_went_back_makes_no_id_twice() {
        let before = IdSource::new(0, 0);
        let newest = (0..40_000).map(|_| before.next(NOW)).last().unwrap_or_default();
        let after = IdSource::new(0, newest);
        assert!(after.next(Timestamp::from_micros(0)) > newest);
    }

    #[test]
    fn an_id_tells_when_it_was_made() {
        let id = IdSource::new(0, 0).event(NOW);
        assert_eq!(id.made_at().as_millis(), NOW.as_millis());
    }

    #[test]
    fn a_range_of_ids_by_time_begins_with_the_first_of_its_millisecond() {
        let id = IdSource::new(0, 0).event(NOW);
        assert!(EventId::first_at(NOW) <= id);
        assert_eq!(EventId::first_at(NOW).made_at(), NOW);
        let within = Timestamp::from_micros(NOW.as_micros() + 1);
        assert_eq!(EventId::first_at(within).made_at().as_millis(), NOW.as_millis() + 1);
        assert_eq!(EventId::first_at(Timestamp::EPOCH).as_u64(), 0);
    }

    #[test]
    fn other_texts_are_refused_with_the_right_form() {
        for text in ["", "evt_", "trg_0000000000000", "evt_000000000000u", "evt_zzzzzzzzzzzzz"] {
            let error = text.parse::<EventId>().map(|id| id.to_string());
            assert!(error.is_err(), "{text} was taken as {error:?}");
        }
    }
}
