//! The executions of one order key: sorted by acceptance, one at a time.

use std::collections::VecDeque;

use evoke_model::{ExecutionId, Timestamp};

use super::{Entry, Offered};

#[derive(Debug)]
pub(super) struct KeyQueue<T> {
    waiting: VecDeque<Entry<T>>,
    pub(super) running: Option<ExecutionId>,
    /// A turn for this key stands somewhere in the lane and comes up at this time.
    pub(super) turn: Option<Timestamp>,
    store: Store,
}

/// What the store holds of the key beyond what is in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Store {
    /// Nothing.
    Empty,
    /// Something.
    More,
    /// Something, and it is being read.
    Reading,
    /// Being read, and something more came meanwhile that the reader may not have seen.
    ReadingAndMore,
}

impl<T> Default for KeyQueue<T> {
    fn default() -> Self {
        Self { waiting: VecDeque::new(), running: None, turn: None, store: Store::Empty }
    }
}

impl<T> KeyQueue<T> {
    /// Takes an entry that comes from intake: once one was left in the store all later ones must
    /// be, or they would overtake it.
    pub(super) fn offer(&mut self, entry: Entry<T>, window: usize) -> Offered {
        if self.store != Store::Empty {
            if self.store == Store::Reading {
                self.store = Store::ReadingAndMore;
            }
            return if self.holds(entry.id) { Offered::Known } else { Offered::KeyFull };
        }
        if self.waiting.len() >= window {
            self.store = Store::More;
            return Offered::KeyFull;
        }
        self.insert(entry)
    }

    /// Takes an entry wherever it belongs, whatever the window: one that comes back for a retry, or
    /// from the store.
    pub(super) fn insert(&mut self, entry: Entry<T>) -> Offered {
        let place = match self.waiting.back() {
            Some(last) if last.id.event >= entry.id.event => {
                match self.waiting.binary_search_by_key(&entry.id.event, |e| e.id.event) {
                    Ok(_) => return Offered::Known,
                    Err(place) => place,
                }
            }
            _ => self.waiting.len(),
        };
        if self.running == Some(entry.id) {
            return Offered::Known;
        }
        self.waiting.insert(place, entry);
        Offered::Taken
    }

    pub(super) fn head(&self) -> Option<&Entry<T>> {
        self.waiting.front()
    }

    /// Whether the head has to be looked at before any turn there is.
    pub(super) fn needs_turn(&self) -> bool {
        self.running.is_none()
            && self.head().is_some_and(|head| self.turn.is_none_or(|at| at > head.due))
    }

    pub(super) fn take_head(&mut self) -> Option<Entry<T>> {
        let head = self.waiting.pop_front();
        self.running = head.as_ref().map(|entry| entry.id);
        head
    }

    pub(super) fn get(&self, place: usize) -> Option<&Entry<T>> {
        self.waiting.get(place)
    }

    pub(super) fn position(&self, id: ExecutionId) -> Option<usize> {
        self.waiting.binary_search_by_key(&id.event, |entry| entry.id.event).ok()
    }

    pub(super) fn remove(&mut self, id: ExecutionId) -> Option<Entry<T>> {
        self.waiting.remove(self.position(id)?)
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn overflowed(&self) -> bool {
        self.store != Store::Empty
    }

    /// Whether nothing more is to be remembered of the key.
    pub(super) fn is_spent(&self) -> bool {
        self.waiting.is_empty() && self.running.is_none() && self.store == Store::Empty
    }

    /// Whether the store should be read now; then it counts as being read.
    pub(super) fn start_reading(&mut self, low: usize) -> bool {
        let hungry = self.store == Store::More && self.waiting.len() <= low;
        if hungry {
            self.store = Store::Reading;
        }
        hungry
    }

    pub(super) fn end_reading(&mut self, has_more: bool) {
        let came_meanwhile = self.store == Store::ReadingAndMore;
        self.store = if has_more || came_meanwhile { Store::More } else { Store::Empty };
    }

    fn holds(&self, id: ExecutionId) -> bool {
        self.running == Some(id) || self.position(id).is_some()
    }
}
