//! Everything in a lane that waits for a time, in one heap.
//!
//! A timer is never taken back: whoever is woken too early looks and sets another one. So everybody
//! who waits remembers the time it will be woken at, and sets a timer only for an earlier one.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use evoke_model::{EventId, Timestamp};

use super::super::Entry;
use super::lines::LineId;

/// What there is to do at a time.
#[derive(Debug)]
pub(super) enum Wake<T> {
    /// The execution comes in now: its sender gave a time.
    Arrive(Entry<T>),
    /// The execution is due.
    Due(Entry<T>),
    /// The head of this order key is due.
    Key(Box<str>),
    /// It may have been quiet for long enough under this debounce key.
    Quiet(Box<str>),
    /// The line may have gathered for long enough.
    Line(LineId),
    /// A token may be back under this rate key.
    Token(Box<str>),
}

#[derive(Debug)]
pub(super) struct Timer<T> {
    pub(super) at: Timestamp,
    /// Of those due at the same time the oldest comes first.
    event: EventId,
    pub(super) wake: Wake<T>,
}

#[derive(Debug)]
pub(super) struct Timers<T> {
    heap: BinaryHeap<Reverse<Timer<T>>>,
}

impl<T> Default for Timers<T> {
    fn default() -> Self {
        Self { heap: BinaryHeap::new() }
    }
}

impl<T> Timers<T> {
    pub(super) fn set(&mut self, at: Timestamp, wake: Wake<T>) {
        let event = match &wake {
            Wake::Arrive(entry) | Wake::Due(entry) => entry.id.event,
            _ => EventId::from_u64(0),
        };
        self.heap.push(Reverse(Timer { at, event, wake }));
    }

    pub(super) fn first(&self) -> Option<&Timer<T>> {
        self.heap.peek().map(|Reverse(timer)| timer)
    }

    pub(super) fn pop_until(&mut self, now: Timestamp) -> Option<Wake<T>> {
        if self.first()?.at > now {
            return None;
        }
        self.heap.pop().map(|Reverse(timer)| timer.wake)
    }

    /// The executions that wait here, with the time they wait for.
    pub(super) fn entries(&self) -> impl Iterator<Item = (Timestamp, &Entry<T>)> {
        self.heap.iter().filter_map(|Reverse(timer)| match &timer.wake {
            Wake::Arrive(entry) | Wake::Due(entry) => Some((timer.at, entry)),
            _ => None,
        })
    }

    /// Takes an execution out. O(n): only people do this.
    pub(super) fn remove(&mut self, event: EventId) -> Option<Entry<T>> {
        let is_mine = |Reverse(timer): &Reverse<Timer<T>>| {
            timer.event == event && matches!(timer.wake, Wake::Arrive(_) | Wake::Due(_))
        };
        if !self.heap.iter().any(is_mine) {
            return None;
        }
        let all = std::mem::take(&mut self.heap).into_vec();
        let (mine, others): (Vec<_>, Vec<_>) = all.into_iter().partition(is_mine);
        self.heap = others.into();
        mine.into_iter().find_map(|Reverse(timer)| match timer.wake {
            Wake::Arrive(entry) | Wake::Due(entry) => Some(entry),
            _ => None,
        })
    }
}

impl<T> PartialEq for Timer<T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<T> Eq for Timer<T> {}

impl<T> PartialOrd for Timer<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Timer<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.at, self.event).cmp(&(other.at, other.event))
    }
}
