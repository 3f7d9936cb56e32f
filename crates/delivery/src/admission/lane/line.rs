//! A line: executions that may share a call, since they agree in every key that matters to one. A
//! call is cut from the front of its line at the moment it is made, so that those that come while
//! it waits for a place or a token still go along.

use evoke_model::policy::DebounceMode;
use evoke_model::{ExecutionId, Millis, Timestamp};

use super::super::{Admitted, LanePolicy};
use super::line_key::LineKey;
use super::queue::{Order, Queue, Rank, Standing};

/// At most so many go in the one call at the end of a debounce, where the trigger has no `batch` to
/// say: what one call may bring has to fit in memory a few times over.
const DEBOUNCED_TOGETHER_MAX: usize = 1_000;

/// What fits in one call.
#[derive(Clone, Copy, Debug)]
pub(super) struct CallSize {
    /// Executions.
    pub(super) entries: usize,
    /// Bytes of their events' data; one larger event goes alone.
    bytes: u64,
    /// How long is waited for more, from the first one on.
    wait: Millis,
}

impl CallSize {
    pub(super) fn of(policy: &LanePolicy) -> Self {
        let debounces_all =
            policy.debounce.as_ref().is_some_and(|debounce| debounce.mode == DebounceMode::All);
        match &policy.batch {
            Some(batch) => Self {
                entries: batch.size.max(1) as usize,
                bytes: batch.bytes.map_or(u64::MAX, |bytes| bytes.as_u64()),
                wait: batch.wait,
            },
            None => Self {
                entries: if debounces_all { DEBOUNCED_TOGETHER_MAX } else { 1 },
                bytes: u64::MAX,
                wait: Millis::ZERO,
            },
        }
    }
}

/// What a line waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stand {
    /// Nobody stands in it.
    Idle,
    /// More executions.
    Gathering,
    /// Nothing: it is looked at in its turn.
    Open,
    /// A place under the concurrency limit.
    ForPlace,
    /// A token of the rate.
    ForToken,
}

#[derive(Debug)]
pub(super) struct Line<T> {
    pub(super) key: LineKey,
    pub(super) stand: Stand,
    /// The rank under which it is registered with what it waits for.
    pub(super) registered: Option<Rank>,
    /// The line is looked at again at this time at the latest.
    pub(super) timer: Option<Timestamp>,
    queue: Queue<T>,
    bytes: u64,
    /// When the first of those came that will go next.
    since: Timestamp,
}

impl<T> Line<T> {
    pub(super) const fn new(key: LineKey, order: Order) -> Self {
        Self {
            key,
            stand: Stand::Idle,
            registered: None,
            timer: None,
            queue: Queue::new(order),
            bytes: 0,
            since: Timestamp::EPOCH,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }

    pub(super) fn front(&self) -> Option<&Standing<T>> {
        self.queue.front()
    }

    pub(super) fn front_rank(&self) -> Option<Rank> {
        self.queue.front_rank()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Rank, &Standing<T>)> {
        self.queue.iter()
    }

    pub(super) fn push(&mut self, rank: Rank, standing: Standing<T>) {
        if self.queue.len() == 0 {
            self.since = standing.since;
        }
        self.bytes += u64::from(standing.entry.bytes);
        self.queue.push(rank, standing);
    }

    pub(super) fn remove_at(&mut self, rank: Rank, size: CallSize) -> Option<Standing<T>> {
        let removed = self.queue.remove_at(rank);
        self.left(removed, size)
    }

    pub(super) fn remove(&mut self, id: ExecutionId, size: CallSize) -> Option<Standing<T>> {
        let removed = self.queue.remove(id);
        self.left(removed, size)
    }

    fn left(&mut self, removed: Option<Standing<T>>, size: CallSize) -> Option<Standing<T>> {
        if let Some(standing) = &removed {
            self.bytes -= u64::from(standing.entry.bytes);
            self.count_since(size);
        }
        removed
    }

    /// Whether the next call may be made: it is full, or was waited for long enough.
    pub(super) fn is_ripe(&self, size: CallSize, now: Timestamp) -> bool {
        let is_full = self.len() >= size.entries || self.bytes > size.bytes;
        self.len() > 0 && (is_full || size.wait == Millis::ZERO || self.ripe_at(size) <= now)
    }

    /// When the next call is made although it is not full.
    pub(super) fn ripe_at(&self, size: CallSize) -> Timestamp {
        self.since.plus(size.wait)
    }

    /// How many calls those that stand here need, not counting what their bytes say.
    pub(super) fn calls(&self, size: CallSize) -> usize {
        self.len().div_ceil(size.entries)
    }

    /// Takes what goes in the next call.
    pub(super) fn cut(&mut self, size: CallSize) -> Option<Admitted<T>> {
        let Standing { entry: first, .. } = self.queue.pop_front()?;
        self.bytes -= u64::from(first.bytes);
        let mut call = Admitted::one(first);
        if size.entries > 1 {
            self.fill(&mut call, size);
            self.count_since(size);
        }
        Some(call)
    }

    fn fill(&mut self, call: &mut Admitted<T>, size: CallSize) {
        let mut bytes = u64::from(call.first.bytes);
        while call.len() < size.entries {
            let Some(next) = self.queue.front().map(|next| u64::from(next.entry.bytes)) else {
                break;
            };
            if bytes + next > size.bytes {
                break;
            }
            bytes += next;
            self.bytes -= next;
            call.more.extend(self.queue.pop_front().map(|standing| standing.entry));
        }
        // Who goes is decided by priority; in the call the oldest stands first.
        if let Some(oldest) = call.more.iter_mut().min_by_key(|entry| entry.id)
            && oldest.id < call.first.id
        {
            std::mem::swap(&mut call.first, oldest);
        }
        call.more.sort_unstable_by_key(|entry| entry.id);
    }

    /// Those that are left gather on, from the first of them on. Where they fill a call it does not
    /// matter when they came.
    fn count_since(&mut self, size: CallSize) {
        if size.wait > Millis::ZERO && self.len() < size.entries {
            let since = self.queue.iter().map(|(_, standing)| standing.since).min();
            self.since = since.unwrap_or(Timestamp::EPOCH);
        }
    }
}
