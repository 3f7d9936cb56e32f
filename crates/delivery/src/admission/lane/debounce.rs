//! First attempts that wait for a quiet time, together with others of the same key.
//!
//! When an execution *arrived* is read from its id, never from the clock: after a restart, when all
//! are offered again one after the other, the same groups come about and end at the same instants.

use ahash::AHashMap;
use evoke_model::policy::{Debounce, DebounceMode};
use evoke_model::{ExecutionId, Timestamp};

use super::super::Entry;

#[derive(Debug)]
pub(super) struct Debouncer<T> {
    policy: Debounce,
    groups: AHashMap<Box<str>, Group<T>>,
}

/// Those that wait together, at least one; in mode `last` the newest alone.
#[derive(Debug)]
pub(super) struct Group<T> {
    pub(super) entries: Vec<Entry<T>>,
    first: Timestamp,
    last: Timestamp,
    /// It is looked at again then.
    timer: Timestamp,
}

/// What became of an execution that arrived.
#[derive(Debug)]
pub(super) enum Arrived<T> {
    /// It is here already.
    Known,
    /// It began a group; these were quiet for long enough before.
    Began(Vec<Entry<T>>),
    /// It waits with the others.
    Joined,
    /// It waits in the place of this one, which is older.
    Replaced(Entry<T>, ExecutionId),
    /// One that waits is newer.
    Superseded(Entry<T>, ExecutionId),
    /// It was quiet for long enough before the others arrived.
    Released(Entry<T>),
}

/// What became of a group whose time has come.
#[derive(Debug)]
pub(super) enum Woken<T> {
    /// It is quiet: these go on, oldest first.
    Released(Vec<Entry<T>>),
    /// It has to be looked at again.
    Again(Timestamp),
    /// It is gone.
    Gone,
}

impl<T> Debouncer<T> {
    pub(super) fn new(policy: Debounce) -> Self {
        Self { policy, groups: AHashMap::new() }
    }

    pub(super) fn arrive(&mut self, entry: Entry<T>) -> Arrived<T> {
        let arrived = entry.id.event.made_at().max(entry.due);
        let key = entry.keys.debounce.as_deref().unwrap_or_default();
        let alone_until = self.until(arrived, arrived);
        let Some(group) = self.groups.get(key) else {
            self.begin(key.into(), entry, arrived);
            return Arrived::Began(Vec::new());
        };
        if group.entries.iter().any(|known| known.id == entry.id) {
            return Arrived::Known;
        }
        if self.until(group.first, group.last) < arrived {
            return Arrived::Began(self.begin(key.into(), entry, arrived));
        }
        if alone_until < group.first {
            return Arrived::Released(entry);
        }
        self.join(entry, arrived)
    }

    fn begin(&mut self, key: Box<str>, entry: Entry<T>, arrived: Timestamp) -> Vec<Entry<T>> {
        let timer = Timestamp::from_micros(i64::MAX);
        let group = Group { entries: vec![entry], first: arrived, last: arrived, timer };
        self.groups.insert(key, group).map(|before| before.entries).unwrap_or_default()
    }

    fn join(&mut self, entry: Entry<T>, arrived: Timestamp) -> Arrived<T> {
        let key = entry.keys.debounce.as_deref().unwrap_or_default();
        let Some(group) = self.groups.get_mut(key) else { return Arrived::Released(entry) };
        group.first = group.first.min(arrived);
        group.last = group.last.max(arrived);
        if self.policy.mode == DebounceMode::All {
            let place = group.entries.partition_point(|known| known.id < entry.id);
            group.entries.insert(place, entry);
            return Arrived::Joined;
        }
        match group.entries.first_mut() {
            Some(waiting) if waiting.id > entry.id => Arrived::Superseded(entry, waiting.id),
            Some(waiting) => {
                let by = entry.id;
                Arrived::Replaced(std::mem::replace(waiting, entry), by)
            }
            None => Arrived::Released(entry),
        }
    }

    /// When to look at a group, if that is before the time at which it is looked at anyway.
    pub(super) fn arm(&mut self, key: &str) -> Option<Timestamp> {
        let group = self.groups.get_mut(key)?;
        let until = quiet_at(&self.policy, group.first, group.last);
        let is_earlier = until < group.timer;
        group.timer = group.timer.min(until);
        is_earlier.then_some(until)
    }

    /// The time of a group may have come.
    pub(super) fn wake(&mut self, key: &str, now: Timestamp) -> Woken<T> {
        let Some(group) = self.groups.get_mut(key) else { return Woken::Gone };
        if group.timer > now {
            // The timer was that of a group before this one.
            return Woken::Gone;
        }
        let until = quiet_at(&self.policy, group.first, group.last);
        if until > now {
            group.timer = until;
            return Woken::Again(until);
        }
        let released = self.groups.remove(key);
        Woken::Released(released.map(|group| group.entries).unwrap_or_default())
    }

    pub(super) fn groups(&self) -> impl Iterator<Item = &Group<T>> {
        self.groups.values()
    }

    pub(super) fn group(&self, key: &str) -> Option<&Group<T>> {
        self.groups.get(key)
    }

    /// When those of a group go on if no other one arrives.
    pub(super) fn ends(&self, group: &Group<T>) -> Timestamp {
        self.until(group.first, group.last)
    }

    /// Takes one out. O(n): only people do this.
    pub(super) fn remove(&mut self, id: ExecutionId) -> Option<Entry<T>> {
        let mut found = None;
        self.groups.retain(|_, group| {
            let place = group.entries.iter().position(|entry| entry.id == id);
            found = found.take().or_else(|| Some(group.entries.remove(place?)));
            !group.entries.is_empty()
        });
        found
    }

    fn until(&self, first: Timestamp, last: Timestamp) -> Timestamp {
        quiet_at(&self.policy, first, last)
    }
}

/// When it is quiet enough after the last one, or waited for long enough after the first.
fn quiet_at(policy: &Debounce, first: Timestamp, last: Timestamp) -> Timestamp {
    let quiet = last.plus(policy.wait);
    policy.max_wait.map_or(quiet, |max_wait| quiet.min(first.plus(max_wait)))
}
