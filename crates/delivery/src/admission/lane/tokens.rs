//! The tokens of a rate, in all or per key. A token is taken in the moment a call is made. The
//! state of a key is one instant (see [`crate::rate`]), which the caller makes durable.

use std::collections::BTreeSet;

use ahash::AHashMap;
use evoke_model::Timestamp;
use evoke_model::policy::Rate;

use super::change;
use super::lines::LineId;
use super::queue::Rank;
use crate::rate::Gcra;

/// Full buckets are forgotten once there are twice as many buckets as were left the last time, and
/// not before there are so many.
const BUCKETS_MIN: usize = 256;

#[derive(Debug)]
pub(super) struct Tokens {
    pub(super) gcra: Option<Gcra>,
    has_key: bool,
    /// The bucket of calls without a key.
    plain: Bucket,
    buckets: AHashMap<Box<str>, Bucket>,
    /// Those that changed since they were last made durable.
    changed: Vec<Box<str>>,
    sweep_at: usize,
}

#[derive(Debug, Default)]
struct Bucket {
    /// When it is full again.
    full_at: Timestamp,
    is_changed: bool,
    /// When it is looked at again.
    timer: Option<Timestamp>,
    /// Lines that wait for a token.
    waiting: BTreeSet<(Rank, LineId)>,
}

/// What there is to do about the lines that wait for a token.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Pass {
    /// Nothing.
    Nothing,
    /// This line may try.
    Line(LineId),
    /// They have to be looked at again then.
    At(Timestamp),
}

impl Tokens {
    pub(super) fn new(rate: Option<&Rate>) -> Self {
        Self {
            gcra: rate.map(Gcra::new),
            has_key: rate.is_some_and(|rate| rate.key.is_some()),
            plain: Bucket::default(),
            buckets: AHashMap::new(),
            changed: Vec::new(),
            sweep_at: BUCKETS_MIN,
        }
    }

    /// The bucket of calls with this rate key; `None` where there is no rate.
    pub(super) fn name<'a>(&self, key: Option<&'a str>) -> Option<&'a str> {
        self.gcra?;
        Some(key.filter(|_| self.has_key).unwrap_or_default())
    }

    /// The key to tell people.
    pub(super) fn key_of(&self, name: &str) -> Option<Box<str>> {
        (self.has_key && !name.is_empty()).then(|| name.into())
    }

    pub(super) fn full_at(&self, name: &str) -> Timestamp {
        self.get(name).map_or(Timestamp::EPOCH, |bucket| bucket.full_at)
    }

    /// Whether there is a token; the error is when there is one.
    pub(super) fn check(&self, name: &str, now: Timestamp) -> Result<Timestamp, Timestamp> {
        self.gcra.map_or(Ok(now), |gcra| gcra.check(self.full_at(name), now))
    }

    pub(super) fn take(&mut self, name: &str, now: Timestamp) {
        if let Ok(full_at) = self.check(name, now) {
            self.sweep(now);
            let was_changed = self.with(name, |bucket| {
                bucket.full_at = full_at;
                std::mem::replace(&mut bucket.is_changed, true)
            });
            if !was_changed {
                self.changed.push(name.into());
            }
        }
    }

    pub(super) fn wait(&mut self, name: &str, rank: Rank, line: LineId) {
        self.with(name, |bucket| bucket.waiting.insert((rank, line)));
    }

    pub(super) fn leave(&mut self, name: &str, rank: Rank, line: LineId) {
        if let Some(bucket) = self.get_mut(name) {
            bucket.waiting.remove(&(rank, line));
        }
    }

    /// Whose turn it is to try, or else when to look again. Once too often does no harm.
    pub(super) fn pass(&mut self, name: &str, now: Timestamp) -> Pass {
        let token = self.check(name, now);
        let Some(bucket) = self.get_mut(name) else { return Pass::Nothing };
        match (bucket.waiting.first(), token) {
            (None, _) => Pass::Nothing,
            (Some((_, line)), Ok(_)) => Pass::Line(*line),
            (Some(_), Err(at)) if bucket.timer.is_some_and(|timer| timer <= at) => Pass::Nothing,
            (Some(_), Err(at)) => {
                bucket.timer = Some(at);
                Pass::At(at)
            }
        }
    }

    /// The timer of a bucket went off.
    pub(super) fn woken(&mut self, name: &str) {
        if let Some(bucket) = self.get_mut(name) {
            bucket.timer = None;
        }
    }

    pub(super) fn first_waiting(&self, name: &str) -> Option<LineId> {
        self.get(name)?.waiting.first().map(|(_, line)| *line)
    }

    pub(super) fn take_changed(&mut self) -> Vec<(Box<str>, Timestamp)> {
        let changed = std::mem::take(&mut self.changed);
        let state = |name: Box<str>| {
            let bucket = self.get_mut(&name)?;
            bucket.is_changed = false;
            Some((name, bucket.full_at))
        };
        changed.into_iter().filter_map(state).collect()
    }

    pub(super) fn all(&self) -> Vec<(Box<str>, Timestamp)> {
        let plain = (Box::default(), self.plain.full_at);
        let keyed = self.buckets.iter().map(|(name, bucket)| (name.clone(), bucket.full_at));
        let all = std::iter::once(plain).chain(keyed);
        all.filter(|(_, full_at)| *full_at > Timestamp::EPOCH).collect()
    }

    pub(super) fn restore(&mut self, name: &str, full_at: Timestamp) {
        if self.gcra.is_some() {
            self.with(name, |bucket| bucket.full_at = bucket.full_at.max(full_at));
        }
    }

    fn get(&self, name: &str) -> Option<&Bucket> {
        if name.is_empty() { Some(&self.plain) } else { self.buckets.get(name) }
    }

    fn get_mut(&mut self, name: &str) -> Option<&mut Bucket> {
        if name.is_empty() { Some(&mut self.plain) } else { self.buckets.get_mut(name) }
    }

    /// Does something with the bucket of a key, known or not.
    fn with<R>(&mut self, name: &str, how: impl FnOnce(&mut Bucket) -> R) -> R {
        if name.is_empty() { how(&mut self.plain) } else { change(&mut self.buckets, name, how) }
    }

    /// Forgets the full buckets nobody waits for, now and then: a full bucket is like none.
    fn sweep(&mut self, now: Timestamp) {
        if self.buckets.len() < self.sweep_at {
            return;
        }
        self.buckets.retain(|_, bucket| {
            bucket.full_at > now || bucket.is_changed || !bucket.waiting.is_empty()
        });
        self.sweep_at = BUCKETS_MIN.max(self.buckets.len() * 2);
    }
}

#[cfg(test)]
impl Tokens {
    pub(super) fn assert_at_rest(&self) {
        assert!(self.plain.waiting.is_empty());
        assert!(self.buckets.values().all(|bucket| bucket.waiting.is_empty()));
    }
}
