//! The state machine of one trigger.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use ahash::AHashMap;
use evoke_model::{EventId, ExecutionId, Timestamp};

use super::key::KeyQueue;
use super::{Admitted, Dropped, Entry, Head, Keys, LanePolicy, Offered, Rest, Verdict};

/// The executions of one trigger that wait in memory, and how many of it run.
#[derive(Debug)]
pub struct Lane<T> {
    policy: LanePolicy,
    /// Due and next to be looked at.
    ready: VecDeque<Turn<T>>,
    /// Not yet due.
    later: BinaryHeap<Reverse<Later<T>>>,
    keys: AHashMap<Box<str>, KeyQueue<T>>,
    places: AHashMap<Box<str>, Places<T>>,
    hungry: Vec<Box<str>>,
    waiting: usize,
    running: usize,
    pause: Option<Pause>,
}

/// Something whose turn it is: an execution, or the head of a key, whoever that is by then.
#[derive(Debug)]
enum Turn<T> {
    Entry(Entry<T>),
    Key(Box<str>),
    /// The same, woken for a free place under this concurrency key: whoever takes the turn passes
    /// the place on if it does not use it, since nobody else is told of it.
    Woken {
        key: Box<str>,
        place: Box<str>,
    },
}

#[derive(Debug)]
struct Later<T> {
    due: Timestamp,
    event: EventId,
    turn: Turn<T>,
}

/// The places under the concurrency limit of one key.
#[derive(Debug)]
struct Places<T> {
    running: u32,
    parked: VecDeque<Turn<T>>,
}

#[derive(Debug)]
struct Pause {
    until: Option<Timestamp>,
    why: Box<str>,
}

impl<T> Default for Places<T> {
    fn default() -> Self {
        Self { running: 0, parked: VecDeque::new() }
    }
}

impl<T> PartialEq for Later<T> {
    fn eq(&self, other: &Self) -> bool {
        (self.due, self.event) == (other.due, other.event)
    }
}

impl<T> Eq for Later<T> {}

impl<T> PartialOrd for Later<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Later<T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.due, self.event).cmp(&(other.due, other.event))
    }
}

impl<T> Lane<T> {
    /// An empty lane.
    pub fn new(policy: LanePolicy) -> Self {
        Self {
            policy,
            ready: VecDeque::new(),
            later: BinaryHeap::new(),
            keys: AHashMap::new(),
            places: AHashMap::new(),
            hungry: Vec::new(),
            waiting: 0,
            running: 0,
            pause: None,
        }
    }

    /// How many wait here.
    pub const fn len(&self) -> usize {
        self.waiting
    }

    /// Whether nothing waits here.
    pub const fn is_empty(&self) -> bool {
        self.waiting == 0
    }

    /// How many run.
    pub const fn running(&self) -> usize {
        self.running
    }

    /// Adds an execution that waits. O(1), or O(log n) when it is not due yet or came out of order.
    pub fn offer(&mut self, entry: Entry<T>, now: Timestamp) -> Offered {
        match &entry.keys.order {
            Some(key) if self.policy.ordered => {
                let key = key.clone();
                let window = self.policy.key_window;
                let offered = self.keys.entry(key.clone()).or_default().offer(entry, window);
                self.note(key, offered)
            }
            _ => {
                self.waiting += 1;
                self.queue(entry, now);
                Offered::Taken
            }
        }
    }

    /// The next execution that may run. It counts as running from now on, until [`Lane::finish`] or
    /// [`Lane::retry`]. `capacity_left` is how many more the target takes.
    pub fn next(&mut self, now: Timestamp, capacity_left: usize) -> Option<Admitted<T>> {
        if self.is_paused(now) || capacity_left == 0 || self.is_full() {
            return None;
        }
        self.pause = None;
        self.wake_due(now);
        while let Some(turn) = self.ready.pop_front() {
            let entry = match turn {
                Turn::Entry(entry) => self.admit_entry(entry),
                Turn::Key(key) => self.admit_key(key, now),
                Turn::Woken { key, place } => self.admit_woken(key, &place, now),
            };
            if entry.is_some() {
                self.waiting -= 1;
                self.running += 1;
                return entry.map(Admitted::one);
            }
        }
        None
    }

    /// An execution that ran is over, for good or for this node. The keys are those of its entry.
    pub fn finish(&mut self, id: ExecutionId, keys: &Keys) {
        let (order_key, concurrency_key) = (keys.order.as_deref(), keys.concurrency.as_deref());
        self.running = self.running.saturating_sub(1);
        self.free_place(concurrency_key);
        let Some(key) = order_key.filter(|_| self.policy.ordered) else { return };
        if let Some(queue) = self.keys.get_mut(key) {
            if queue.running == Some(id) {
                queue.running = None;
            }
            self.advance(key);
        }
    }

    /// An execution that ran comes back for another attempt at `entry.due`. Unlike a finish and an
    /// offer it keeps its place at the head of its key.
    pub fn retry(&mut self, entry: Entry<T>, now: Timestamp) {
        self.running = self.running.saturating_sub(1);
        self.free_place(entry.keys.concurrency.as_deref());
        self.waiting += 1;
        match entry.keys.order.clone().filter(|_| self.policy.ordered) {
            Some(key) => {
                let queue = self.keys.entry(key.clone()).or_default();
                if queue.running == Some(entry.id) {
                    queue.running = None;
                }
                if queue.insert(entry) != Offered::Taken {
                    self.waiting -= 1;
                }
                self.advance(&key);
            }
            None => self.queue(entry, now),
        }
    }

    /// Waiting executions that will never run, and why. They are no longer in the lane.
    pub fn take_dropped(&mut self) -> Vec<(Entry<T>, Dropped)> {
        Vec::new()
    }

    /// Running executions to cancel; they end through [`Lane::finish`].
    pub fn take_cancels(&mut self) -> Vec<ExecutionId> {
        Vec::new()
    }

    /// What the rates have spent since the last call, by key (`""` for none).
    pub fn take_spent(&mut self) -> Vec<(Box<str>, Timestamp)> {
        Vec::new()
    }

    /// What the rates have spent, by key.
    pub fn spent(&self) -> Vec<(Box<str>, Timestamp)> {
        Vec::new()
    }

    /// Takes over what was spent before a restart or a change of policy.
    pub fn restore_spent(&mut self, _spent: impl IntoIterator<Item = (Box<str>, Timestamp)>) {}

    /// What [`Lane::next`] would look at first.
    pub fn head(&self, _now: Timestamp) -> Option<Head> {
        None
    }

    /// When to ask again if nothing else happens: the earliest due time, not before the end of a
    /// pause. `None` when nothing waits for a time.
    pub fn next_due(&self) -> Option<Timestamp> {
        if let Some(pause) = &self.pause {
            return if self.is_empty() { None } else { pause.until };
        }
        self.later.peek().map(|Reverse(later)| later.due)
    }

    /// Takes a waiting execution out. `None` when it does not wait here. O(n): only people do this.
    pub fn cancel(&mut self, id: ExecutionId) -> Option<T> {
        let entry = self.take_out(id)?;
        self.waiting -= 1;
        // Its turn may have been the one that was given a free place.
        if let Some(key) = &entry.keys.concurrency {
            self.pass_place_on(key);
        }
        Some(entry.payload)
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
        let Some(queue) = self.keys.get_mut(key) else { return };
        for entry in entries {
            if queue.insert(entry) == Offered::Taken {
                self.waiting += 1;
            }
        }
        queue.end_reading(rest == Rest::More);
        self.advance(key);
    }

    /// Why an execution waits; `None` when it does not wait here. O(n): only people ask.
    pub fn explain(
        &self,
        id: ExecutionId,
        now: Timestamp,
        capacity_left: usize,
    ) -> Option<Verdict> {
        let (entry, before) = self.find(id)?;
        if self.is_paused(now)
            && let Some(pause) = &self.pause
        {
            return Some(Verdict::Paused { until: pause.until, why: pause.why.clone() });
        }
        if before.position > 0 {
            let key = entry.keys.order.clone().unwrap_or_default();
            return Some(Verdict::BehindKey { key, position: before.position, of: before.of });
        }
        if entry.due > now {
            return Some(Verdict::NotDue { at: entry.due });
        }
        Some(self.limit_verdict(entry).unwrap_or(match capacity_left {
            0 => Verdict::NoCapacity { running: self.running },
            _ => Verdict::Ready,
        }))
    }
}

/// Where an execution stands in its key.
#[derive(Default)]
struct Before {
    position: usize,
    of: usize,
}

impl<T> Lane<T> {
    fn is_paused(&self, now: Timestamp) -> bool {
        self.pause.as_ref().is_some_and(|pause| pause.until.is_none_or(|until| until > now))
    }

    /// Whether the limit that counts all is reached.
    fn is_full(&self) -> bool {
        self.policy.concurrency.as_ref().is_some_and(|concurrency| {
            concurrency.key.is_none() && self.running >= concurrency.limit.max(1) as usize
        })
    }

    /// The limit of each concurrency key, where there is one.
    fn limit_per_key(&self) -> Option<u32> {
        let concurrency = self.policy.concurrency.as_ref()?;
        concurrency.key.is_some().then_some(concurrency.limit.max(1))
    }

    fn queue(&mut self, entry: Entry<T>, now: Timestamp) {
        if entry.due <= now {
            self.ready.push_back(Turn::Entry(entry));
        } else {
            let (due, event) = (entry.due, entry.id.event);
            self.later.push(Reverse(Later { due, event, turn: Turn::Entry(entry) }));
        }
    }

    fn note(&mut self, key: Box<str>, offered: Offered) -> Offered {
        self.waiting += usize::from(offered == Offered::Taken);
        self.advance(&key);
        offered
    }

    /// Gives a key its turn if it has something to do, forgets it if it has not, and tells if it
    /// runs low.
    fn advance(&mut self, key: &str) {
        let low = self.policy.key_window / 4;
        let Some(queue) = self.keys.get_mut(key) else { return };
        if queue.start_reading(low) {
            self.hungry.push(key.into());
        }
        if queue.is_spent() {
            self.keys.remove(key);
        } else if queue.needs_turn() {
            queue.turn = Some(Timestamp::EPOCH);
            self.ready.push_back(Turn::Key(key.into()));
        }
    }

    fn wake_due(&mut self, now: Timestamp) {
        while self.later.peek().is_some_and(|Reverse(later)| later.due <= now) {
            if let Some(Reverse(later)) = self.later.pop() {
                self.ready.push_back(later.turn);
            }
        }
    }

    fn admit_entry(&mut self, entry: Entry<T>) -> Option<Entry<T>> {
        if self.take_place(entry.keys.concurrency.as_deref()) {
            return Some(entry);
        }
        let places = entry.keys.concurrency.as_ref().and_then(|key| self.places.get_mut(key));
        if let Some(places) = places {
            places.parked.push_back(Turn::Entry(entry));
        }
        None
    }

    fn admit_woken(&mut self, key: Box<str>, place: &str, now: Timestamp) -> Option<Entry<T>> {
        let admitted = self.admit_key(key, now);
        let uses = admitted.as_ref().and_then(|entry| entry.keys.concurrency.as_deref());
        if uses != Some(place) {
            self.pass_place_on(place);
        }
        admitted
    }

    fn admit_key(&mut self, key: Box<str>, now: Timestamp) -> Option<Entry<T>> {
        let queue = self.keys.get_mut(&key)?;
        queue.turn = None;
        let head = queue.head().filter(|_| queue.running.is_none())?;
        let (due, event) = (head.due, head.id.event);
        if due > now {
            queue.turn = Some(due);
            self.later.push(Reverse(Later { due, event, turn: Turn::Key(key) }));
            return None;
        }
        let wants = head.keys.concurrency.clone();
        if !self.take_place(wants.as_deref()) {
            self.park(key, wants);
            return None;
        }
        let admitted = self.keys.get_mut(&key).and_then(KeyQueue::take_head);
        self.advance(&key);
        admitted
    }

    /// Takes a place under the limit of a concurrency key, if there is one left or none is needed.
    fn take_place(&mut self, key: Option<&str>) -> bool {
        let (Some(limit), Some(key)) = (self.limit_per_key(), key) else { return true };
        if !self.places.contains_key(key) {
            self.places.insert(key.into(), Places::default());
        }
        let places = self.places.get_mut(key);
        places.is_some_and(|places| {
            let free = places.running < limit;
            places.running += u32::from(free);
            free
        })
    }

    fn park(&mut self, key: Box<str>, wants: Option<Box<str>>) {
        let places = wants.as_ref().and_then(|wants| self.places.get_mut(wants));
        if let (Some(places), Some(queue)) = (places, self.keys.get_mut(&key)) {
            queue.turn = Some(Timestamp::EPOCH);
            places.parked.push_back(Turn::Key(key));
        }
    }

    fn free_place(&mut self, concurrency_key: Option<&str>) {
        if self.limit_per_key().is_none() {
            return;
        }
        let Some(key) = concurrency_key else { return };
        if let Some(places) = self.places.get_mut(key) {
            places.running = places.running.saturating_sub(1);
        }
        self.pass_place_on(key);
    }

    /// Lets the longest waiting one of a concurrency key try again, if there is a place for it.
    /// Once too often does no harm.
    fn pass_place_on(&mut self, place: &str) {
        let limit = self.limit_per_key().unwrap_or(u32::MAX);
        let Some(places) = self.places.get_mut(place).filter(|places| places.running < limit)
        else {
            return;
        };
        match places.parked.pop_front() {
            Some(Turn::Key(key)) => {
                self.ready.push_front(Turn::Woken { key, place: place.into() });
            }
            Some(turn) => self.ready.push_front(turn),
            None if places.running == 0 => {
                self.places.remove(place);
            }
            None => {}
        }
    }

    fn limit_verdict(&self, entry: &Entry<T>) -> Option<Verdict> {
        let limit = self.policy.concurrency.as_ref()?.limit.max(1);
        if self.is_full() {
            let running = u32::try_from(self.running).unwrap_or(u32::MAX);
            return Some(Verdict::ConcurrencyFull { limit, key: None, running });
        }
        self.limit_per_key()?;
        let key = entry.keys.concurrency.clone()?;
        let running = self.places.get(&key)?.running;
        (running >= limit).then_some(Verdict::ConcurrencyFull { limit, key: Some(key), running })
    }

    fn find(&self, id: ExecutionId) -> Option<(&Entry<T>, Before)> {
        let plain = self
            .ready
            .iter()
            .chain(self.later.iter().map(|Reverse(later)| &later.turn))
            .chain(self.places.values().flat_map(|places| &places.parked))
            .find_map(|turn| match turn {
                Turn::Entry(entry) if entry.id == id => Some((entry, Before::default())),
                _ => None,
            });
        plain.or_else(|| {
            self.keys.values().find_map(|queue| {
                let place = queue.position(id)?;
                let running = usize::from(queue.running.is_some());
                let before = Before { position: place + running, of: queue.len() + running };
                Some((queue.get(place)?, before))
            })
        })
    }

    fn take_out(&mut self, id: ExecutionId) -> Option<Entry<T>> {
        let key = self.keys.iter().find(|(_, queue)| queue.position(id).is_some());
        if let Some(key) = key.map(|(key, _)| key.clone()) {
            let entry = self.keys.get_mut(&key)?.remove(id);
            self.advance(&key);
            return entry;
        }
        if let Some(entry) = remove_entry(&mut self.ready, id) {
            return Some(entry);
        }
        let parked = self.places.values_mut();
        if let Some(entry) = parked.filter_map(|places| remove_entry(&mut places.parked, id)).next()
        {
            return Some(entry);
        }
        let mut found = None;
        let later = std::mem::take(&mut self.later).into_vec();
        let is_other = |Reverse(later): &Reverse<Later<T>>| match &later.turn {
            Turn::Entry(entry) => entry.id != id,
            Turn::Key(_) | Turn::Woken { .. } => true,
        };
        let (others, mine): (Vec<_>, Vec<_>) = later.into_iter().partition(is_other);
        self.later = others.into();
        for Reverse(later) in mine {
            if let Turn::Entry(entry) = later.turn {
                found = Some(entry);
            }
        }
        found
    }
}

fn remove_entry<T>(turns: &mut VecDeque<Turn<T>>, id: ExecutionId) -> Option<Entry<T>> {
    let place =
        turns.iter().position(|turn| matches!(turn, Turn::Entry(entry) if entry.id == id))?;
    match turns.remove(place)? {
        Turn::Entry(entry) => Some(entry),
        Turn::Key(_) | Turn::Woken { .. } => None,
    }
}
