//! First in, first out per key: the part of a lane that decides which executions of an order key
//! stand in a line.

use evoke_model::{ExecutionId, Timestamp};

use super::super::{Admitted, Entry, Offered};
use super::board::Board;
use super::key::KeyQueue;
use super::queue::Rank;
use super::timers::Wake;
use super::{Lane, change};

impl<T> Lane<T> {
    /// The key an execution has to keep its order under.
    pub(super) fn order_key(&self, entry: &Entry<T>) -> Option<Box<str>> {
        if self.policy.ordered { entry.keys.order.clone() } else { None }
    }

    /// Takes an execution from intake, if there is room for one of its key.
    pub(super) fn offer_to_key(&mut self, key: &str, entry: Entry<T>) -> Offered {
        let window = self.policy.key_window;
        let offered = change(&mut self.keys, key, |queue| queue.may_take(entry.id, window));
        if offered == Offered::Taken {
            return self.insert_into_key(key, entry);
        }
        self.advance(key);
        offered
    }

    /// Takes an execution wherever it belongs, whatever the window: one that comes back for a
    /// retry, from the store, or from a debounce.
    pub(super) fn insert_into_key(&mut self, key: &str, entry: Entry<T>) -> Offered {
        let bytes = entry.bytes;
        let offered = change(&mut self.keys, key, |queue| {
            if queue.holds(entry.id) {
                return Offered::Known;
            }
            if queue.has_newer_standing(entry.id) {
                recall(queue, &mut self.board, self.clock);
            }
            queue.insert(entry);
            Offered::Taken
        });
        if offered == Offered::Taken {
            self.waiting.add(bytes);
            self.advance(key);
        }
        offered
    }

    /// Puts those of a key that are due into their line, as many as fit in one call; forgets the
    /// key if nothing is left of it, and tells if it runs low.
    pub(super) fn advance(&mut self, key: &str) {
        let low = self.policy.key_window / 4;
        let Some(queue) = self.keys.get_mut(key) else { return };
        if queue.start_reading(low) {
            self.hungry.push(key.into());
        }
        if queue.is_spent() {
            self.keys.remove(key);
            return;
        }
        while queue.running.is_empty() && queue.standing.len() < self.board.size.entries {
            let Some(head) = queue.head() else { return };
            if head.due > self.clock {
                let due = head.due;
                if queue.timer.is_none_or(|timer| timer > due) {
                    queue.timer = Some(due);
                    self.board.timers.set(due, Wake::Key(key.into()));
                }
                return;
            }
            let is_same_line = || self.board.lines.find(&head.keys) == Some(queue.line);
            if !queue.standing.is_empty() && !is_same_line() {
                return;
            }
            let Some(head) = queue.pop_head() else { return };
            let rank = Rank::of(&head).behind(queue.standing.last().copied());
            queue.standing.push(rank);
            queue.line = self.board.push(head, rank, self.clock);
        }
    }

    /// The head of a key is due.
    pub(super) fn wake_key(&mut self, key: &str) {
        if let Some(queue) = self.keys.get_mut(key) {
            queue.timer = None;
            self.advance(key);
        }
    }

    /// Executions begin: those behind them with the same key come back from the line.
    pub(super) fn begin_keys(&mut self, call: &Admitted<T>) {
        if !self.policy.ordered {
            return;
        }
        for entry in call.entries() {
            if let Some(queue) = entry.keys.order.as_deref().and_then(|key| self.keys.get_mut(key))
            {
                queue.began(entry.id.event);
            }
        }
        for key in call.entries().filter_map(|entry| entry.keys.order.as_deref()) {
            if let Some(queue) = self.keys.get_mut(key)
                && !queue.standing.is_empty()
            {
                recall(queue, &mut self.board, self.clock);
            }
            self.advance(key);
        }
    }

    /// An execution that ran is over for now.
    pub(super) fn end_key(&mut self, id: ExecutionId, key: Option<&str>) {
        let Some(key) = key.filter(|_| self.policy.ordered) else { return };
        if let Some(queue) = self.keys.get_mut(key) {
            queue.ended(id.event);
            self.advance(key);
        }
    }

    /// An execution that stood in a line was taken out of the lane.
    pub(super) fn left_line(&mut self, entry: &Entry<T>) {
        let Some(key) = entry.keys.order.as_deref().filter(|_| self.policy.ordered) else { return };
        if let Some(queue) = self.keys.get_mut(key) {
            queue.left(entry.id.event);
            self.advance(key);
        }
    }
}

/// Takes those of a key that stand in a line back.
fn recall<T>(queue: &mut KeyQueue<T>, board: &mut Board<T>, now: Timestamp) {
    for rank in std::mem::take(&mut queue.standing) {
        if let Some(entry) = board.take_back(queue.line, rank, now) {
            queue.insert(entry);
        }
    }
}
