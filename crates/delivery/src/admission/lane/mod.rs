//! The state machine of one trigger.
//!
//! An execution goes through stages, each in a file of its own: it waits for quiet ([`debounce`]),
//! for its time ([`timers`]), for its turn among those with the same key ([`order`], [`key`]), and
//! then stands in a [`line`] with all that may share a call with it. There it waits for others, for
//! a place ([`places`], [`overflow`]), a token ([`tokens`]), and until those before it are gone
//! ([`queue`]). The [`board`] knows what each line waits for.

mod board;
mod calls;
mod debounce;
mod find;
mod key;
mod line;
mod line_key;
mod lines;
mod order;
mod overflow;
mod places;
mod queue;
mod timers;
mod tokens;

use ahash::AHashMap;
use evoke_model::KeySet;
use evoke_model::policy::Overflow;
use evoke_model::{ExecutionId, Timestamp};

use super::{Admitted, Dropped, Entry, LanePolicy, Offered, Rest};
use board::{Board, Look};
use calls::{Calls, Ended, Keeps};
use debounce::{Arrived, Debouncer, Woken};
use key::KeyQueue;
use lines::LineId;
use queue::Rank;
use timers::Wake;

/// The executions of one trigger that wait in memory, and how many calls of it run.
#[derive(Debug)]
pub struct Lane<T> {
    policy: LanePolicy,
    debouncer: Option<Debouncer<T>>,
    keys: AHashMap<Box<str>, KeyQueue<T>>,
    board: Board<T>,
    calls: Calls,
    /// The latest instant it was told of.
    clock: Timestamp,
    waiting: Held,
    pause: Option<Pause>,
    hungry: Vec<Box<str>>,
    dropped: Vec<(Entry<T>, Dropped)>,
    cancels: Vec<ExecutionId>,
}

/// How much waits.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Held {
    entries: usize,
    bytes: u64,
}

impl Held {
    const fn add(&mut self, bytes: u32) {
        self.entries += 1;
        self.bytes += bytes as u64;
    }

    const fn take(&mut self, bytes: u32) {
        self.entries -= 1;
        self.bytes -= bytes as u64;
    }
}

#[derive(Debug)]
struct Pause {
    until: Option<Timestamp>,
    why: Box<str>,
}

impl<T> Lane<T> {
    /// An empty lane. It must only be told of ends of what it gave itself.
    pub fn new(policy: LanePolicy) -> Self {
        let overflow = policy.concurrency.as_ref().map(|concurrency| concurrency.overflow);
        let keeps = if overflow == Some(Overflow::Cancel) { Keeps::All } else { Keeps::Shared };
        Self {
            debouncer: policy.debounce.clone().map(Debouncer::new),
            keys: AHashMap::new(),
            board: Board::new(&policy),
            calls: Calls::new(keeps),
            clock: Timestamp::EPOCH,
            waiting: Held::default(),
            pause: None,
            hungry: Vec::new(),
            dropped: Vec::new(),
            cancels: Vec::new(),
            policy,
        }
    }

    /// How many executions wait here, for whatever it is.
    pub const fn len(&self) -> usize {
        self.waiting.entries
    }

    /// The bytes of the data of all that waits here.
    pub const fn bytes(&self) -> u64 {
        self.waiting.bytes
    }

    /// Whether nothing waits here.
    pub const fn is_empty(&self) -> bool {
        self.waiting.entries == 0
    }

    /// How many calls are under way; a batch is one.
    pub const fn running(&self) -> usize {
        self.calls.running()
    }

    /// Adds an execution that waits. O(1) on the plain path, else O(log n).
    pub fn offer(&mut self, entry: Entry<T>, now: Timestamp) -> Offered {
        self.clock = self.clock.max(now);
        if self.debouncer.is_some() && entry.attempts == 0 {
            return self.arrive(entry);
        }
        match self.order_key(&entry) {
            Some(key) => self.offer_to_key(&key, entry),
            None => {
                self.waiting.add(entry.bytes);
                self.queue(entry);
                Offered::Taken
            }
        }
    }

    /// The next call that may be made. It is under way from now on, until each of its executions
    /// had its [`Lane::finish`] or [`Lane::retry`]. `capacity_left` is how many more calls the
    /// target takes. What it spent of a rate is to be made durable before the call is made
    /// ([`Lane::take_spent`]).
    ///
    /// To be asked after anything happened, until it gives nothing; then also for what was dropped
    /// and is to be cancelled. To be asked without capacity, too: the overflow of a limit may have
    /// to be dealt with.
    pub fn next(&mut self, now: Timestamp, capacity_left: usize) -> Option<Admitted<T>> {
        self.clock = self.clock.max(now);
        if self.is_paused(now) {
            return None;
        }
        self.pause = None;
        self.wake();
        if capacity_left == 0 {
            self.turn_away();
            return None;
        }
        if self.board.places.is_closed() {
            return None;
        }
        while let Some(line) = self.board.first_open() {
            match self.board.look(line, self.clock) {
                Look::Go => return self.begin(line),
                Look::Full => self.overflow(line),
                Look::Blocked => {}
            }
        }
        None
    }

    /// An execution that ran is over, for good or for this node. The keys are those of its entry.
    /// The place of its call is free when all executions of the call are over.
    pub fn finish(&mut self, id: ExecutionId, keys: &KeySet) {
        if let Ended::Call(call, way) = self.calls.end(id) {
            let places = &mut self.board.places;
            if let Some(name) = places.name(keys.concurrency.as_deref()) {
                places.give_back(name, call, way);
            }
            self.board.pass(keys, self.clock);
        }
        self.end_key(id, keys.order.as_deref());
    }

    /// An execution that ran comes back for another attempt at `entry.due`. Unlike a finish and an
    /// offer it keeps its place at the head of its order key, and is not debounced.
    pub fn retry(&mut self, entry: Entry<T>, now: Timestamp) {
        self.clock = self.clock.max(now);
        let key = self.order_key(&entry);
        if let Some(queue) = key.as_ref().and_then(|key| self.keys.get_mut(key)) {
            // First, lest somebody behind it goes ahead when the call is over.
            queue.ended(entry.id.event);
        }
        let (id, keys) = (entry.id, entry.keys.clone());
        self.route(entry);
        self.finish(id, &keys);
    }

    /// Waiting executions that will never run, and why. They are no longer in the lane.
    pub fn take_dropped(&mut self) -> Vec<(Entry<T>, Dropped)> {
        std::mem::take(&mut self.dropped)
    }

    /// Running executions to cancel for newer ones; they end through [`Lane::finish`].
    pub fn take_cancels(&mut self) -> Vec<ExecutionId> {
        std::mem::take(&mut self.cancels)
    }

    /// What changed in the rate since the last call: by key (`""` for none) the instant at which
    /// its bucket is full again. To be made durable before the calls are made that were given
    /// since.
    pub fn take_spent(&mut self) -> Vec<(Box<str>, Timestamp)> {
        self.board.tokens.take_changed()
    }

    /// What the rate has spent, by key: the instant at which its bucket is full again. Buckets that
    /// have been full for a while are left out.
    pub fn spent(&self) -> Vec<(Box<str>, Timestamp)> {
        self.board.tokens.all()
    }

    /// Takes over what was spent before a restart or a change of policy.
    pub fn restore_spent(&mut self, spent: impl IntoIterator<Item = (Box<str>, Timestamp)>) {
        for (key, full_at) in spent {
            self.board.tokens.restore(&key, full_at);
        }
    }

    /// When to ask again if nothing else happens: the earliest instant at which [`Lane::next`] may
    /// give something for the sake of time alone. `None` when nothing waits for a time.
    pub fn next_due(&self) -> Option<Timestamp> {
        if self.is_empty() {
            return None;
        }
        match &self.pause {
            Some(pause) => pause.until,
            None => self.board.timers.first().map(|timer| timer.at),
        }
    }

    /// Stands still until `until`, or until [`Lane::resume`] where that is `None`. What runs goes
    /// on.
    pub fn pause(&mut self, until: Option<Timestamp>, why: impl Into<Box<str>>) {
        self.pause = Some(Pause { until, why: why.into() });
    }

    /// Goes on.
    pub fn resume(&mut self) {
        self.pause = None;
    }

    /// Whether the store holds executions of this order key that are not in memory.
    pub fn key_overflowed(&self, key: &str) -> bool {
        self.keys.get(key).is_some_and(KeyQueue::overflowed)
    }

    /// The order keys that run low and have more in the store. Each is told once; the caller reads
    /// the key's oldest waiting executions and answers with [`Lane::refill`], also when reading
    /// failed (with no entries and [`Rest::More`]: the key is told again).
    pub fn take_hungry_keys(&mut self) -> Vec<Box<str>> {
        std::mem::take(&mut self.hungry)
    }

    /// Adds what the store has of a key, oldest first. Those that are in the lane already, or run,
    /// are left out; those whose end is not yet committed the caller has to leave out.
    pub fn refill(&mut self, key: &str, entries: Vec<Entry<T>>, rest: Rest) {
        if !self.keys.contains_key(key) {
            return;
        }
        for entry in entries {
            self.insert_into_key(key, entry);
        }
        if let Some(queue) = self.keys.get_mut(key) {
            queue.end_reading(rest == Rest::More);
        }
        self.advance(key);
    }
}

impl<T> Lane<T> {
    fn is_paused(&self, now: Timestamp) -> bool {
        self.pause.as_ref().is_some_and(|pause| pause.until.is_none_or(|until| until > now))
    }

    /// Lets everybody move on whose time has come.
    fn wake(&mut self) {
        while let Some(wake) = self.board.timers.pop_until(self.clock) {
            match wake {
                Wake::Arrive(entry) => {
                    self.waiting.take(entry.bytes);
                    self.arrive(entry);
                }
                Wake::Due(entry) => self.queue(entry),
                Wake::Key(key) => self.wake_key(&key),
                Wake::Quiet(key) => self.wake_quiet(key),
                Wake::Line(line) => self.board.wake_line(line, self.clock),
                Wake::Token(key) => self.board.wake_token(&key, self.clock),
            }
        }
    }

    /// A first attempt comes in where it has to be debounced.
    fn arrive(&mut self, entry: Entry<T>) -> Offered {
        if entry.due > self.clock {
            // It has not come yet: nobody waits for quiet on its account.
            self.waiting.add(entry.bytes);
            self.board.timers.set(entry.due, Wake::Arrive(entry));
            return Offered::Taken;
        }
        let Some(debouncer) = &mut self.debouncer else { return Offered::Known };
        let key: Box<str> = entry.keys.debounce.clone().unwrap_or_default();
        let bytes = entry.bytes;
        let arrived = debouncer.arrive(entry);
        if let Some(at) = debouncer.arm(&key) {
            self.board.timers.set(at, Wake::Quiet(key));
        }
        match arrived {
            Arrived::Known => return Offered::Known,
            Arrived::Joined => self.waiting.add(bytes),
            Arrived::Began(before) => {
                self.waiting.add(bytes);
                self.release(before);
            }
            Arrived::Replaced(older, by) => {
                self.waiting.take(older.bytes);
                self.waiting.add(bytes);
                self.dropped.push((older, Dropped::Superseded { by }));
            }
            Arrived::Superseded(entry, by) => {
                self.dropped.push((entry, Dropped::Superseded { by }));
            }
            Arrived::Released(entry) => self.route(entry),
        }
        Offered::Taken
    }

    fn wake_quiet(&mut self, key: Box<str>) {
        let Some(debouncer) = &mut self.debouncer else { return };
        match debouncer.wake(&key, self.clock) {
            Woken::Released(entries) => self.release(entries),
            Woken::Again(at) => self.board.timers.set(at, Wake::Quiet(key)),
            Woken::Gone => {}
        }
    }

    /// Executions were quiet for long enough.
    fn release(&mut self, entries: Vec<Entry<T>>) {
        for entry in entries {
            self.waiting.take(entry.bytes);
            self.route(entry);
        }
    }

    /// Takes an execution past the debounce, whatever the window of its key.
    fn route(&mut self, entry: Entry<T>) {
        match self.order_key(&entry) {
            Some(key) => {
                self.insert_into_key(&key, entry);
            }
            None => {
                self.waiting.add(entry.bytes);
                self.queue(entry);
            }
        }
    }

    /// Puts an execution that keeps no order into its line, once it is due.
    #[inline]
    fn queue(&mut self, entry: Entry<T>) {
        if entry.due > self.clock {
            self.board.timers.set(entry.due, Wake::Due(entry));
        } else {
            let rank = Rank::of(&entry);
            self.board.push(entry, rank, self.clock);
        }
    }

    /// Makes the next call of a line: it takes its place and its token, and nothing else does.
    #[inline]
    fn begin(&mut self, line: LineId) -> Option<Admitted<T>> {
        let admitted = self.board.cut(line);
        if let Some(call) = &admitted {
            let id = self.calls.begin(call);
            for entry in call.entries() {
                self.waiting.take(entry.bytes);
            }
            let keys = &call.first.keys;
            if let Some(name) = self.board.places.name(keys.concurrency.as_deref()) {
                self.board.places.take(name, id);
            }
            if let Some(name) = self.board.tokens.name(keys.rate.as_deref()) {
                self.board.tokens.take(name, self.clock);
            }
            self.board.restand(line, self.clock);
            // If there are more, the lines that wait for them compete with this one by rank.
            self.board.pass(keys, self.clock);
            self.begin_keys(call);
        }
        admitted
    }
}

/// Changes what is known under a key, or begins to know something of it. Only then the key is
/// copied.
fn change<V: Default, R>(
    known: &mut AHashMap<Box<str>, V>,
    key: &str,
    how: impl FnOnce(&mut V) -> R,
) -> R {
    match known.get_mut(key) {
        Some(value) => how(value),
        None => how(known.entry(key.into()).or_default()),
    }
}

#[cfg(test)]
impl<T> Lane<T> {
    /// Nothing waits and nothing runs, and nothing is remembered but what was spent.
    pub(super) fn assert_at_rest(&self) {
        assert_eq!((self.waiting, self.calls.running()), (Held::default(), 0));
        assert!(self.calls.is_empty(), "calls are kept");
        assert!(self.keys.is_empty(), "order keys are kept");
        assert_eq!(self.debouncer.as_ref().map_or(0, |debouncer| debouncer.groups().count()), 0);
        self.board.assert_at_rest();
    }
}
