//! The spans that wait to be sent, between those who make them and the task that sends them.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use evoke_ports::Span;
use parking_lot::Mutex;
use tokio::sync::Notify;

/// What became of the spans so far. Each span is counted once it is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Taken by the receiver.
    pub sent: u64,
    /// Never queued: the queue was full, or the export had stopped.
    pub dropped: u64,
    /// Queued, but not taken by the receiver: it refused them or could not be reached in time.
    pub failed: u64,
}

impl Counts {
    /// Spans that were made and are nowhere to be found.
    #[must_use]
    pub const fn lost(self) -> u64 {
        self.dropped + self.failed
    }
}

/// A bounded queue. Whoever pushes never waits for more than the lock, which is held for a move of
/// memory at most.
#[derive(Debug)]
pub(crate) struct Queue {
    waiting: Mutex<Waiting>,
    /// Room for spans.
    len_max: usize,
    /// Spans that are worth a request of their own.
    batch: usize,
    full_batch: Notify,
    /// Spans that were ever queued.
    queued: AtomicU64,
    sent: AtomicU64,
    dropped: AtomicU64,
    failed: AtomicU64,
}

#[derive(Debug)]
struct Waiting {
    spans: VecDeque<Span>,
    is_open: bool,
}

impl Queue {
    pub(crate) fn new(len_max: usize, batch: usize) -> Self {
        // All room is taken at once, so that no push has to move what waits.
        let spans = VecDeque::with_capacity(len_max);
        Self {
            waiting: Mutex::new(Waiting { spans, is_open: true }),
            len_max,
            batch: batch.max(1),
            full_batch: Notify::new(),
            queued: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            failed: AtomicU64::new(0),
        }
    }

    /// Queues a span, or drops it when there is no room. The task is woken by a full batch only.
    pub(crate) fn push(&self, span: Span) {
        let mut waiting = self.waiting.lock();
        if !waiting.is_open || waiting.spans.len() >= self.len_max {
            drop(waiting);
            self.dropped.fetch_add(1, Relaxed);
            return;
        }
        waiting.spans.push_back(span);
        self.queued.fetch_add(1, Relaxed);
        let is_full_batch = waiting.spans.len().is_multiple_of(self.batch);
        drop(waiting);
        if is_full_batch {
            self.full_batch.notify_one();
        }
    }

    /// Returns when a batch became full since the last time.
    pub(crate) async fn full_batch(&self) {
        self.full_batch.notified().await;
    }

    /// The oldest spans, at most a batch of them.
    pub(crate) fn take(&self) -> Vec<Span> {
        let spans = &mut self.waiting.lock().spans;
        let batch = spans.len().min(self.batch);
        spans.drain(..batch).collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.waiting.lock().spans.len()
    }

    /// From now on everything is dropped; what waits stays.
    pub(crate) fn close(&self) {
        self.waiting.lock().is_open = false;
    }

    /// What was queued and not sent by now never will be: nobody takes from here any more.
    pub(crate) fn give_up(&self) {
        let mut waiting = self.waiting.lock();
        waiting.is_open = false;
        waiting.spans.clear();
        self.failed.store(self.queued.load(Relaxed) - self.sent.load(Relaxed), Relaxed);
    }

    pub(crate) fn count_sent(&self, spans: u64) {
        self.sent.fetch_add(spans, Relaxed);
    }

    pub(crate) fn count_failed(&self, spans: u64) {
        self.failed.fetch_add(spans, Relaxed);
    }

    pub(crate) fn counts(&self) -> Counts {
        Counts {
            sent: self.sent.load(Relaxed),
            dropped: self.dropped.load(Relaxed),
            failed: self.failed.load(Relaxed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::span;

    #[test]
    fn the_newest_is_dropped_when_there_is_no_room() {
        let queue = Queue::new(3, 2);
        for id in 1..=5 {
            queue.push(span(id));
        }
        assert_eq!((queue.len(), queue.counts().dropped), (3, 2));
        let ids = |spans: Vec<Span>| spans.iter().map(|s| s.context.span).collect::<Vec<_>>();
        assert_eq!(ids(queue.take()), [1, 2]);
        queue.push(span(6));
        assert_eq!(ids(queue.take()), [3, 6]);
        assert!(queue.take().is_empty());
    }

    #[test]
    fn a_closed_queue_drops_what_comes_and_keeps_what_waits() {
        let queue = Queue::new(3, 2);
        queue.push(span(1));
        queue.close();
        queue.push(span(2));
        assert_eq!((queue.len(), queue.counts().lost()), (1, 1));
        queue.give_up();
        assert_eq!((queue.len(), queue.counts().failed), (0, 1));
    }

    #[tokio::test]
    async fn a_full_batch_wakes_even_who_comes_later() {
        let queue = Queue::new(10, 2);
        queue.push(span(1));
        queue.push(span(2));
        queue.full_batch().await;
    }
}
