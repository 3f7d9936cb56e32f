//! The places under a concurrency limit, in all or per key. A place is taken by a call, not by an
//! execution, and only in the moment the call is made: who waits for anything holds none.

use std::collections::BTreeSet;

use ahash::AHashMap;
use evoke_model::policy::{Concurrency, Overflow};

use super::calls::{CallId, Way};
use super::change;
use super::lines::LineId;
use super::queue::Rank;

#[derive(Debug)]
pub(super) struct Places {
    pub(super) limit: u32,
    pub(super) overflow: Overflow,
    scope: Scope,
    all: Place,
    keys: AHashMap<Box<str>, Place>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scope {
    /// There is no limit.
    Nobody,
    /// The limit counts all calls.
    All,
    /// The limit counts the calls of each key; without a key there is none.
    Key,
}

/// The places of one key, or of all.
#[derive(Debug, Default)]
pub(super) struct Place {
    pub(super) running: u32,
    /// The calls that run, where one of them may have to be cancelled.
    pub(super) calls: Vec<CallId>,
    /// How many of them are being cancelled.
    pub(super) cancelling: usize,
    /// Lines that wait for a place.
    pub(super) waiting: BTreeSet<(Rank, LineId)>,
}

impl Places {
    pub(super) fn new(concurrency: Option<&Concurrency>) -> Self {
        let scope = match concurrency {
            None => Scope::Nobody,
            Some(Concurrency { key: None, .. }) => Scope::All,
            Some(_) => Scope::Key,
        };
        Self {
            limit: concurrency.map_or(u32::MAX, |concurrency| concurrency.limit.max(1)),
            overflow: concurrency.map_or(Overflow::Queue, |concurrency| concurrency.overflow),
            scope,
            all: Place::default(),
            keys: AHashMap::new(),
        }
    }

    /// What calls with this concurrency key are counted under; `None` where they are not.
    pub(super) fn name<'a>(&self, key: Option<&'a str>) -> Option<&'a str> {
        match self.scope {
            Scope::Nobody => None,
            Scope::All => Some(""),
            Scope::Key => key,
        }
    }

    /// The key to tell people.
    pub(super) fn key_of(&self, name: &str) -> Option<Box<str>> {
        (self.scope == Scope::Key).then(|| name.into())
    }

    pub(super) fn get(&self, name: &str) -> Option<&Place> {
        if self.scope == Scope::All { Some(&self.all) } else { self.keys.get(name) }
    }

    pub(super) fn get_mut(&mut self, name: &str) -> Option<&mut Place> {
        if self.scope == Scope::All { Some(&mut self.all) } else { self.keys.get_mut(name) }
    }

    /// Does something with the places of a key, known or not.
    fn with(&mut self, name: &str, how: impl FnOnce(&mut Place)) {
        if self.scope == Scope::All {
            how(&mut self.all)
        } else {
            change(&mut self.keys, name, how)
        }
    }

    pub(super) fn is_free(&self, name: &str) -> bool {
        self.get(name).is_none_or(|place| place.running < self.limit)
    }

    /// Whether nobody may go, and nobody has to be turned away for it either.
    pub(super) fn is_closed(&self) -> bool {
        self.scope == Scope::All
            && self.overflow == Overflow::Queue
            && self.all.running >= self.limit
    }

    pub(super) fn take(&mut self, name: &str, call: Option<CallId>) {
        self.with(name, |place| {
            place.running += 1;
            place.calls.extend(call);
        });
    }

    pub(super) fn give_back(&mut self, name: &str, call: Option<CallId>, way: Way) {
        let Some(place) = self.get_mut(name) else { return };
        place.running = place.running.saturating_sub(1);
        if way == Way::Cancelled {
            place.cancelling -= 1;
        }
        if call.is_some() {
            place.calls.retain(|running| Some(*running) != call);
        }
        if place.is_spent() {
            self.forget(name);
        }
    }

    pub(super) fn wait(&mut self, name: &str, rank: Rank, line: LineId) {
        self.with(name, |place| {
            place.waiting.insert((rank, line));
        });
    }

    pub(super) fn leave(&mut self, name: &str, rank: Rank, line: LineId) {
        if let Some(place) = self.get_mut(name) {
            place.waiting.remove(&(rank, line));
            if place.is_spent() {
                self.forget(name);
            }
        }
    }

    /// The line to go next, if there is a place for it. Once too often does no harm.
    pub(super) fn first(&self, name: &str) -> Option<LineId> {
        let place = self.get(name).filter(|place| place.running < self.limit)?;
        place.waiting.first().map(|(_, line)| *line)
    }

    fn forget(&mut self, name: &str) {
        if self.scope == Scope::Key {
            self.keys.remove(name);
        }
    }
}

impl Place {
    fn is_spent(&self) -> bool {
        self.running == 0 && self.waiting.is_empty()
    }
}

#[cfg(test)]
impl Places {
    pub(super) fn assert_at_rest(&self) {
        assert!(self.keys.is_empty(), "places are kept: {:?}", self.keys);
        assert_eq!((self.all.running, self.all.cancelling), (0, 0));
        assert!(self.all.calls.is_empty() && self.all.waiting.is_empty());
    }
}
