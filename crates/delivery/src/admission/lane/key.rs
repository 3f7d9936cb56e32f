//! The executions of one order key: sorted by acceptance, one call at a time.
//!
//! Those at the head that are due stand in a line of the lane, at most as many as fit in one call.
//! They may only stand in one line, since they may only go in one call; while they run none stands
//! anywhere.

use std::collections::VecDeque;

use evoke_model::{EventId, ExecutionId, Timestamp};

use super::super::{Entry, Offered};
use super::lines::LineId;
use super::queue::Rank;

#[derive(Debug)]
pub(super) struct KeyQueue<T> {
    waiting: VecDeque<Entry<T>>,
    /// Where those at the head stand, by rank and so by acceptance; without them `waiting`
    /// continues here.
    pub(super) standing: Vec<Rank>,
    pub(super) line: LineId,
    pub(super) running: Vec<EventId>,
    /// The head is looked at again at this time.
    pub(super) timer: Option<Timestamp>,
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
        Self {
            waiting: VecDeque::new(),
            standing: Vec::new(),
            line: LineId::PLAIN,
            running: Vec::new(),
            timer: None,
            store: Store::Empty,
        }
    }
}

impl<T> KeyQueue<T> {
    /// Whether an execution from intake may be taken: once one was left in the store all later ones
    /// must be, or they would overtake it.
    pub(super) fn may_take(&mut self, id: ExecutionId, window: usize) -> Offered {
        if self.holds(id) {
            return Offered::Known;
        }
        match self.store {
            Store::Empty if self.len() < window => return Offered::Taken,
            Store::Empty => self.store = Store::More,
            Store::Reading => self.store = Store::ReadingAndMore,
            Store::More | Store::ReadingAndMore => {}
        }
        Offered::KeyFull
    }

    /// Whether one that stands in a line is newer than this execution, and so has to come back.
    pub(super) fn has_newer_standing(&self, id: ExecutionId) -> bool {
        self.standing.last().is_some_and(|rank| rank.event > id.event)
    }

    /// Takes an execution in where it belongs. Its key holds no newer ones that stand in a line.
    pub(super) fn insert(&mut self, entry: Entry<T>) {
        let place = match self.waiting.back() {
            Some(last) if last.id.event > entry.id.event => {
                self.waiting.partition_point(|known| known.id.event < entry.id.event)
            }
            _ => self.waiting.len(),
        };
        self.waiting.insert(place, entry);
    }

    /// The first that does not stand in a line.
    pub(super) fn head(&self) -> Option<&Entry<T>> {
        self.waiting.front()
    }

    pub(super) fn pop_head(&mut self) -> Option<Entry<T>> {
        self.waiting.pop_front()
    }

    pub(super) fn get(&self, place: usize) -> Option<&Entry<T>> {
        self.waiting.get(place)
    }

    /// The place among those that do not stand in a line.
    pub(super) fn position(&self, id: ExecutionId) -> Option<usize> {
        self.waiting.binary_search_by_key(&id.event, |entry| entry.id.event).ok()
    }

    pub(super) fn remove(&mut self, id: ExecutionId) -> Option<Entry<T>> {
        self.waiting.remove(self.position(id)?)
    }

    /// How many wait, those that stand in a line included.
    pub(super) fn len(&self) -> usize {
        self.waiting.len() + self.standing.len()
    }

    /// One does not stand in its line any more.
    pub(super) fn left(&mut self, event: EventId) {
        self.standing.retain(|rank| rank.event != event);
    }

    pub(super) fn began(&mut self, event: EventId) {
        self.left(event);
        self.running.push(event);
    }

    pub(super) fn ended(&mut self, event: EventId) {
        self.running.retain(|running| *running != event);
    }

    pub(super) fn overflowed(&self) -> bool {
        self.store != Store::Empty
    }

    /// Whether nothing more is to be remembered of the key.
    pub(super) fn is_spent(&self) -> bool {
        self.len() == 0 && self.running.is_empty() && self.store == Store::Empty
    }

    /// Whether the store should be read now; then it counts as being read.
    pub(super) fn start_reading(&mut self, low: usize) -> bool {
        let hungry = self.store == Store::More && self.len() <= low;
        if hungry {
            self.store = Store::Reading;
        }
        hungry
    }

    pub(super) fn end_reading(&mut self, has_more: bool) {
        let came_meanwhile = self.store == Store::ReadingAndMore;
        self.store = if has_more || came_meanwhile { Store::More } else { Store::Empty };
    }

    pub(super) fn holds(&self, id: ExecutionId) -> bool {
        self.running.contains(&id.event)
            || self.standing.iter().any(|rank| rank.event == id.event)
            || self.position(id).is_some()
    }
}
