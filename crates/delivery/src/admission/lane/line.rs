//! A line: executions that may share a call, since they agree in every key that matters to one. A
//! call is cut from the front of its line at the moment it is made, so that those that come while
//! it waits for a place or a token still go along.

use ahash::AHashMap;
use evoke_model::policy::DebounceMode;
use evoke_model::{EventId, ExecutionId, Millis, Timestamp};

use super::super::{Admitted, Entry, LanePolicy};
use super::line_key::LineKey;
use super::queue::{Order, Queue, Rank};

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

    /// Whether a call that is not full is waited with.
    pub(super) fn waits(self) -> bool {
        self.wait > Millis::ZERO && self.entries > 1
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
    /// When each came into the line, where they wait for more.
    came: AHashMap<EventId, Timestamp>,
    /// The first of these times, where they do not fill a call.
    since: Timestamp,
}

impl<T> Line<T> {
    pub(super) fn new(key: LineKey, order: Order) -> Self {
        Self {
            key,
            stand: Stand::Idle,
            registered: None,
            timer: None,
            queue: Queue::new(order),
            bytes: 0,
            came: AHashMap::new(),
            since: Timestamp::EPOCH,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }

    pub(super) fn front(&self) -> Option<&Entry<T>> {
        self.queue.front()
    }

    pub(super) fn front_rank(&self) -> Option<Rank> {
        self.queue.front_rank()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Rank, &Entry<T>)> {
        self.queue.iter()
    }

    #[inline]
    pub(super) fn push(&mut self, rank: Rank, entry: Entry<T>) {
        self.bytes += u64::from(entry.bytes);
        self.queue.push(rank, entry);
    }

    /// One that was just pushed waits for more, from now on.
    pub(super) fn await_more(&mut self, event: EventId, now: Timestamp) {
        if self.came.is_empty() {
            self.since = now;
        }
        self.came.insert(event, now);
    }

    pub(super) fn remove_at(&mut self, rank: Rank, size: CallSize) -> Option<Entry<T>> {
        let removed = self.queue.remove_at(rank)?;
        self.left(&removed, size);
        Some(removed)
    }

    pub(super) fn remove(&mut self, id: ExecutionId, size: CallSize) -> Option<Entry<T>> {
        let removed = self.queue.remove(id)?;
        self.left(&removed, size);
        Some(removed)
    }

    fn left(&mut self, entry: &Entry<T>, size: CallSize) {
        self.bytes -= u64::from(entry.bytes);
        self.came.remove(&entry.id.event);
        self.count_since(size);
    }

    /// Whether the next call may be made: it is full, or was waited for long enough.
    pub(super) fn is_ripe(&self, size: CallSize, now: Timestamp) -> bool {
        let is_full = self.len() >= size.entries || self.bytes > size.bytes;
        self.len() > 0 && (is_full || !size.waits() || self.ripe_at(size) <= now)
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
    #[inline]
    pub(super) fn cut(&mut self, size: CallSize) -> Option<Admitted<T>> {
        // Not taken out of its `Option`: on the plain path that would be one copy more.
        let mut call = self.queue.pop_front().map(Admitted::one);
        if let Some(call) = &mut call {
            self.bytes -= u64::from(call.first.bytes);
            if size.entries > 1 {
                self.fill(call, size);
            }
        }
        call
    }

    fn fill(&mut self, call: &mut Admitted<T>, size: CallSize) {
        let mut bytes = u64::from(call.first.bytes);
        while call.len() < size.entries {
            let Some(next) = self.queue.front().map(|next| u64::from(next.bytes)) else { break };
            if bytes + next > size.bytes {
                break;
            }
            bytes += next;
            self.bytes -= next;
            call.more.extend(self.queue.pop_front());
        }
        // Who goes is decided by priority; in the call the oldest stands first.
        if let Some(oldest) = call.more.iter_mut().min_by_key(|entry| entry.id)
            && oldest.id < call.first.id
        {
            std::mem::swap(&mut call.first, oldest);
        }
        call.more.sort_unstable_by_key(|entry| entry.id);
        if size.waits() {
            for entry in call.entries() {
                self.came.remove(&entry.id.event);
            }
            self.count_since(size);
        }
    }

    /// Those that are left gather on, from the first of them on. Where they fill a call it does not
    /// matter when they came.
    fn count_since(&mut self, size: CallSize) {
        if size.waits() && self.len() < size.entries {
            self.since = self.came.values().min().copied().unwrap_or(Timestamp::EPOCH);
        }
    }
}
