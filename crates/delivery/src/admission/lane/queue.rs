//! The executions of one line, in the order in which they go.
//!
//! While all have the same priority that is the order in which they came, and a plain deque does.
//! From the first one with another priority on they are kept sorted by [`Rank`], until the line is
//! empty. Where executions have order keys they are always sorted, since one whose key runs has to
//! be found and taken back.

use std::collections::{BTreeMap, VecDeque};
use std::iter;

use evoke_model::{EventId, ExecutionId};

use super::super::Entry;

/// Who goes first: the one whose virtual due time is the earliest, then the older one. It does not
/// change while time passes: who waits gains on all alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank {
    pub(super) virtual_due: i64,
    pub(super) event: EventId,
}

impl Rank {
    #[inline]
    pub(super) fn of<T>(entry: &Entry<T>) -> Self {
        Self { virtual_due: entry.virtual_due(), event: entry.id.event }
    }

    /// Never before the one that must go first.
    pub(super) fn behind(mut self, first: Option<Self>) -> Self {
        if let Some(first) = first {
            self.virtual_due = self.virtual_due.max(first.virtual_due);
        }
        self
    }
}

#[derive(Debug)]
pub(super) struct Queue<T> {
    form: Form<T>,
    order: Order,
}

/// Whether the order may be that of arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// While all have the same priority.
    Arrival,
    /// Never.
    Rank,
}

#[derive(Debug)]
enum Form<T> {
    Arrived(VecDeque<Entry<T>>),
    Sorted(BTreeMap<Rank, Entry<T>>),
}

impl<T> Queue<T> {
    pub(super) const fn new(order: Order) -> Self {
        let form = match order {
            Order::Arrival => Form::Arrived(VecDeque::new()),
            Order::Rank => Form::Sorted(BTreeMap::new()),
        };
        Self { form, order }
    }

    pub(super) fn len(&self) -> usize {
        match &self.form {
            Form::Arrived(deque) => deque.len(),
            Form::Sorted(map) => map.len(),
        }
    }

    #[inline]
    pub(super) fn push(&mut self, rank: Rank, entry: Entry<T>) {
        match &mut self.form {
            Form::Arrived(deque) => {
                let priority = entry.priority;
                if deque.front().is_none_or(|first| first.priority == priority) {
                    deque.push_back(entry);
                    return;
                }
                let arrived = std::mem::take(deque).into_iter();
                let mut map: BTreeMap<_, _> =
                    arrived.map(|entry| (Rank::of(&entry), entry)).collect();
                map.insert(rank, entry);
                self.form = Form::Sorted(map);
            }
            Form::Sorted(map) => {
                map.insert(rank, entry);
            }
        }
    }

    #[inline]
    pub(super) fn front(&self) -> Option<&Entry<T>> {
        match &self.form {
            Form::Arrived(deque) => deque.front(),
            Form::Sorted(map) => map.values().next(),
        }
    }

    #[inline]
    pub(super) fn front_rank(&self) -> Option<Rank> {
        match &self.form {
            Form::Arrived(deque) => deque.front().map(Rank::of),
            Form::Sorted(map) => map.keys().next().copied(),
        }
    }

    #[inline]
    pub(super) fn pop_front(&mut self) -> Option<Entry<T>> {
        match &mut self.form {
            Form::Arrived(deque) => deque.pop_front(),
            Form::Sorted(map) => {
                let (_, first) = map.pop_first()?;
                self.relax();
                Some(first)
            }
        }
    }

    /// Those that stand here, the first to go first, with their ranks.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Rank, &Entry<T>)> {
        let (arrived, sorted) = match &self.form {
            Form::Arrived(deque) => (Some(deque), None),
            Form::Sorted(map) => (None, Some(map)),
        };
        let arrived = arrived.into_iter().flatten();
        let sorted = sorted.into_iter().flatten();
        iter::chain(
            arrived.map(|entry| (Rank::of(entry), entry)),
            sorted.map(|(rank, entry)| (*rank, entry)),
        )
    }

    /// Takes one out by its rank, where the order is that of ranks.
    pub(super) fn remove_at(&mut self, rank: Rank) -> Option<Entry<T>> {
        match &mut self.form {
            Form::Arrived(_) => None,
            Form::Sorted(map) => map.remove(&rank),
        }
    }

    /// Takes one out, whichever way it stands. O(n), less where it is among the first.
    pub(super) fn remove(&mut self, id: ExecutionId) -> Option<Entry<T>> {
        match &mut self.form {
            Form::Arrived(deque) => {
                let place = deque.iter().position(|entry| entry.id == id)?;
                deque.remove(place)
            }
            Form::Sorted(map) => {
                let (rank, _) = map.iter().find(|(_, entry)| entry.id == id)?;
                let rank = *rank;
                let removed = map.remove(&rank);
                self.relax();
                removed
            }
        }
    }

    fn relax(&mut self) {
        if self.order == Order::Arrival && self.len() == 0 {
            self.form = Form::Arrived(VecDeque::new());
        }
    }
}
