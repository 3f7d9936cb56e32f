//! A lane: what waits and runs for one trigger. Admission itself is pure and lives in
//! `evoke_delivery`; the lane holds its state, the window in memory and the way to the target.

use std::sync::Arc;

use ahash::AHashMap;
use evoke_delivery::admission::{Entry, Offered, Rest, Verdict};
use evoke_delivery::breaker::{Permit, Signal};
use evoke_delivery::{Breaker, Lane as Admission, LanePolicy};
use evoke_model::{Code, EventId, Execution, ExecutionId, Outcome, Timestamp, Trigger, TriggerId};
use evoke_ports::Endpoint;
use evoke_ports::store::Waiting;
use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::settings::{DUE_HORIZON, LANE_WINDOW_MAX};

/// Executions started in one turn, so that the lock is not held for long.
pub(crate) const STARTS_PER_TURN_MAX: usize = 256;

/// A waiting execution as a lane keeps it.
pub(crate) struct Item {
    pub(crate) waiting: Waiting,
    /// Attempts that did not count.
    pub(crate) elsewhere: u32,
}

/// What a lane has to do now.
#[derive(Default)]
pub(crate) struct Turn {
    /// These begin.
    pub(crate) start: Vec<Item>,
    /// It wants another turn at this instant.
    pub(crate) wake: Option<Timestamp>,
    /// It wants to look into the store.
    pub(crate) look: bool,
    /// It wants to look for more of these order keys.
    pub(crate) hungry: Vec<Box<str>>,
}

/// Why an execution is kept in mind.
#[derive(Default)]
struct Known {
    /// It is being committed: a look may see it before the committer hands it over.
    is_coming: bool,
    /// It waits here.
    waits: bool,
    /// It runs.
    runs: bool,
    /// Ends of attempts that are not in the record yet.
    unsettled: u32,
}

impl Known {
    fn is_over(&self) -> bool {
        !self.is_coming && !self.waits && !self.runs && self.unsettled == 0
    }
}

struct State {
    trigger: Arc<Trigger>,
    endpoint: Result<Arc<dyn Endpoint>, String>,
    admission: Admission<Item>,
    breaker: Breaker,
    /// The turn under way may make one attempt, to see whether the target is back.
    probes: bool,
    known: AHashMap<EventId, Known>,
    /// More waits in the store than is known here.
    has_more: bool,
    is_looking: bool,
    /// Reads of the store under way, and what was over before they ended: a read may still bring
    /// what it saw before it was over.
    reads: u32,
    over: Vec<EventId>,
    /// When the next one in the store is due that is not kept here.
    far: Option<Timestamp>,
}

/// What waits and runs for one trigger.
pub(crate) struct Lane {
    id: TriggerId,
    state: Mutex<State>,
}

impl Lane {
    pub(crate) fn new(trigger: Arc<Trigger>, endpoint: Result<Arc<dyn Endpoint>, String>) -> Self {
        let admission = Admission::new(LanePolicy::of(&trigger.policy));
        Self {
            id: trigger.id,
            state: Mutex::new(State {
                trigger,
                endpoint,
                admission,
                breaker: Breaker::default(),
                probes: false,
                known: AHashMap::new(),
                has_more: false,
                is_looking: false,
                reads: 0,
                over: Vec::new(),
                far: None,
            }),
        }
    }

    pub(crate) fn id(&self) -> TriggerId {
        self.id
    }

    pub(crate) fn trigger(&self) -> Arc<Trigger> {
        self.state.lock().trigger.clone()
    }

    pub(crate) fn endpoint(&self) -> Result<Arc<dyn Endpoint>, String> {
        self.state.lock().endpoint.clone()
    }

    /// Takes the trigger anew.
    pub(crate) fn change(
        &self,
        trigger: Arc<Trigger>,
        endpoint: Result<Arc<dyn Endpoint>, String>,
    ) {
        let mut state = self.state.lock();
        let policy = LanePolicy::of(&trigger.policy);
        if policy != LanePolicy::of(&state.trigger.policy) {
            // What waits goes back to the store and comes in again under the new policy; limits
            // count from zero, since what runs was admitted under the old one.
            state.admission = Admission::new(policy);
            state.known.retain(|_, known| {
                known.waits = false;
                !known.is_over()
            });
            state.has_more = true;
        }
        state.trigger = trigger;
        state.endpoint = endpoint;
        state.breaker = Breaker::default();
    }

    /// Told of executions before they are committed: until they are handed over, or withdrawn, a
    /// look into the store leaves them alone.
    pub(crate) fn announce<'a>(&self, coming: impl Iterator<Item = &'a Waiting>) {
        let mut state = self.state.lock();
        for waiting in coming {
            state.known.entry(waiting.id.event).or_default().is_coming = true;
        }
    }

    /// An announced execution does not come: it was not committed.
    pub(crate) fn withdraw(&self, event: EventId) {
        self.state.lock().release(event, |known| known.is_coming = false);
    }

    /// Takes executions that were just committed, as far as there is room. Gives back when the
    /// earliest is due that was left in the store because its time is far off.
    pub(crate) fn offer(&self, new: Vec<Waiting>, now: Timestamp) -> Option<Timestamp> {
        let mut state = self.state.lock();
        let horizon = now.plus(DUE_HORIZON);
        let mut far = None;
        for waiting in new {
            state.release(waiting.id.event, |known| known.is_coming = false);
            // The head of an ordered key holds its followers back, however far off its time is.
            let is_ordered = waiting.order_key.is_some();
            if waiting.due > horizon && !is_ordered {
                far = Some(far.map_or(waiting.due, |far: Timestamp| far.min(waiting.due)));
            } else if state.has_more || state.admission.len() >= LANE_WINDOW_MAX {
                // Behind what waits in the store already: it will be found there in its turn.
                state.has_more = true;
            } else {
                state.keep(Item { waiting, elsewhere: 0 }, now);
            }
        }
        if let Some(far) = far {
            state.far = Some(state.far.map_or(far, |known| known.min(far)));
        }
        far
    }

    /// Admits what may begin now.
    pub(crate) fn turn(&self, now: Timestamp) -> Turn {
        let mut state = self.state.lock();
        let mut turn = Turn::default();
        if !state.trigger.is_active() {
            return turn;
        }
        let capacity = match &state.endpoint {
            Ok(endpoint) => endpoint.capacity(),
            Err(_) => 1,
        };
        let capacity = state.permitted(capacity, now);
        while turn.start.len() < STARTS_PER_TURN_MAX {
            let room = capacity.saturating_sub(state.admission.running());
            let Some(entry) = state.admission.next(now, room) else { break };
            if let Some(known) = state.known.get_mut(&entry.id.event) {
                (known.waits, known.runs) = (false, true);
            }
            turn.start.push(entry.payload);
        }
        state.unused(turn.start.len(), now);
        turn.hungry = state.admission.take_hungry_keys();
        state.reads += turn.hungry.len() as u32;
        let reopens = state.breaker.open_until().filter(|_| !state.admission.is_empty());
        let instants = [state.admission.next_due(), reopens];
        // What is due already waits for a free place, which is told by the end of an attempt.
        turn.wake = instants.into_iter().flatten().filter(|instant| *instant > now).min();
        let has_room = state.admission.len() < LANE_WINDOW_MAX / 2;
        if state.has_more && has_room && !state.is_looking {
            // From here on new ones are kept again; those the look finds beside them are known.
            state.has_more = false;
            state.is_looking = true;
            state.reads += 1;
            turn.look = true;
        }
        turn
    }

    /// Takes what a look into the store found; says whether there is room for more.
    pub(crate) fn looked(&self, found: Vec<Waiting>, now: Timestamp) -> bool {
        let mut state = self.state.lock();
        for waiting in found {
            if state.admission.len() >= LANE_WINDOW_MAX {
                return false;
            }
            if !state.known.contains_key(&waiting.id.event) {
                state.keep(Item { waiting, elsewhere: 0 }, now);
            }
        }
        true
    }

    /// A look is over; there may be more than it took.
    pub(crate) fn look_ended(&self, rest: Rest) {
        let mut state = self.state.lock();
        state.is_looking = false;
        state.has_more |= rest == Rest::More;
        state.read_ended();
    }

    /// Takes what the store has of an order key.
    pub(crate) fn fed(&self, key: &str, found: Vec<Waiting>, rest: Rest) {
        let mut state = self.state.lock();
        let state = &mut *state;
        let mut new = Vec::with_capacity(found.len());
        for waiting in found {
            if let std::collections::hash_map::Entry::Vacant(free) =
                state.known.entry(waiting.id.event)
            {
                free.insert(Known { waits: true, ..Known::default() });
                new.push(entry(Item { waiting, elsewhere: 0 }));
            }
        }
        state.admission.refill(key, new, rest);
        state.read_ended();
    }

    /// Something waits in the store that this lane has not seen.
    pub(crate) fn want_look(&self) {
        self.state.lock().has_more = true;
    }

    /// Until when a look into the store has to look: a follower may not overtake the head of its
    /// key because the head waits for a later time.
    pub(crate) fn look_until(&self, now: Timestamp) -> Timestamp {
        match self.state.lock().trigger.policy.order_by {
            Some(_) => Timestamp::from_micros(i64::MAX),
            None => now.plus(DUE_HORIZON),
        }
    }

    /// The next one in the store is due then.
    pub(crate) fn far(&self, due: Timestamp) {
        self.state.lock().far = Some(due);
    }

    /// The horizon has moved on: what was far off may be near now.
    pub(crate) fn reach(&self, horizon: Timestamp) {
        let mut state = self.state.lock();
        if state.far.is_some_and(|far| far <= horizon) {
            state.far = None;
            state.has_more = true;
        }
    }

    /// The end of an attempt is on its way to the record.
    pub(crate) fn settling(&self, event: EventId) {
        self.state.lock().known.entry(event).or_default().unsettled += 1;
    }

    /// The end of an attempt is in the record.
    pub(crate) fn settled(&self, event: EventId) {
        self.state
            .lock()
            .release(event, |known| known.unsettled = known.unsettled.saturating_sub(1));
    }

    /// An attempt ended. Gives back when the next one is due if it is too far off to be kept here.
    pub(crate) fn finished(
        &self,
        mut item: Item,
        again: Option<Timestamp>,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let horizon = now.plus(DUE_HORIZON);
        let mut state = self.state.lock();
        let (id, event) = (item.waiting.id, item.waiting.id.event);
        // The head of an ordered key keeps its place, however long it waits.
        let is_ordered = item.waiting.order_key.is_some();
        match again {
            Some(due) if due <= horizon || is_ordered => {
                item.waiting.due = due;
                if let Some(known) = state.known.get_mut(&event) {
                    (known.waits, known.runs) = (true, false);
                }
                state.admission.retry(entry(item), now);
                None
            }
            far => {
                let Waiting { order_key, concurrency_key, .. } = &item.waiting;
                state.admission.finish(id, order_key.as_deref(), concurrency_key.as_deref());
                state.release(event, |known| known.runs = false);
                if let Some(due) = far {
                    state.far = Some(state.far.map_or(due, |known| known.min(due)));
                }
                far
            }
        }
    }

    /// Takes a waiting execution out of memory.
    pub(crate) fn forget(&self, id: ExecutionId) {
        let mut state = self.state.lock();
        if state.admission.cancel(id).is_some() {
            state.release(id.event, |known| known.waits = false);
        }
    }

    /// Takes note of how the target answered.
    pub(crate) fn heard(&self, outcome: &Outcome, now: Timestamp) {
        let signal = match outcome {
            Outcome::Failure(failure) | Outcome::TimedOut(failure) => match failure.code {
                Code::TargetUnreachable | Code::TargetTimeout => Signal::Down,
                _ => Signal::Up,
            },
            Outcome::Success(_) => Signal::Up,
            Outcome::Cancelled => Signal::Unknown,
        };
        self.state.lock().breaker.record(signal, now);
    }

    /// Why a pending execution does not run, by admission's own verdict.
    pub(crate) fn explain(&self, execution: &Execution, now: Timestamp) -> (String, Value) {
        let state = self.state.lock();
        if let Err(problem) = &state.endpoint {
            let text = format!("its target cannot be used: {problem}");
            return (text, json!({ "why": "target_unusable", "problem": problem }));
        }
        let capacity = state.endpoint.as_ref().map_or(1, |endpoint| endpoint.capacity());
        let left = capacity.saturating_sub(state.admission.running());
        if let Some(at) = state.breaker.open_until() {
            let text = format!("its target does not answer; the next try is at {at}");
            return (text, json!({ "why": "target_down", "until": at }));
        }
        match state.admission.explain(execution.id, now, left) {
            Some(verdict) => say(&verdict, execution.attempts),
            None if execution.due > now => {
                say(&Verdict::NotDue { at: execution.due }, execution.attempts)
            }
            None => {
                let ahead = state.admission.len();
                let text = format!("it waits in the store, behind {ahead} others of its trigger");
                (text, json!({ "why": "behind_window", "waiting_before_at_least": ahead }))
            }
        }
    }

    pub(crate) fn waiting(&self) -> usize {
        self.state.lock().admission.len()
    }

    pub(crate) fn running(&self) -> usize {
        self.state.lock().admission.running()
    }
}

fn entry(item: Item) -> Entry<Item> {
    Entry {
        id: item.waiting.id,
        due: item.waiting.due,
        order_key: item.waiting.order_key.clone(),
        concurrency_key: item.waiting.concurrency_key.clone(),
        payload: item,
    }
}

impl State {
    /// How many may be under way, the breaker's word included.
    fn permitted(&mut self, capacity: usize, now: Timestamp) -> usize {
        if self.admission.is_empty() {
            return 0;
        }
        let running = self.admission.running();
        match self.breaker.permit(now) {
            Permit::Go => capacity,
            Permit::Probe => {
                self.probes = true;
                running + 1
            }
            Permit::Wait { .. } => 0,
        }
    }

    /// Gives a probe back that found nothing to be made with.
    fn unused(&mut self, started: usize, now: Timestamp) {
        if std::mem::take(&mut self.probes) && started == 0 {
            self.breaker.record(Signal::Unknown, now);
        }
    }

    fn keep(&mut self, item: Item, now: Timestamp) {
        let event = item.waiting.id.event;
        if self.admission.offer(entry(item), now) == Offered::Taken {
            self.known.entry(event).or_default().waits = true;
        }
    }

    /// Forgets an execution once it is neither here nor on its way to the record: until then a look
    /// into the store could find it again.
    fn release(&mut self, event: EventId, change: impl FnOnce(&mut Known)) {
        let Some(known) = self.known.get_mut(&event) else { return };
        change(known);
        if known.is_over() {
            if self.reads > 0 {
                self.over.push(event);
            } else {
                self.known.remove(&event);
            }
        }
    }

    fn read_ended(&mut self) {
        self.reads = self.reads.saturating_sub(1);
        if self.reads == 0 {
            for event in std::mem::take(&mut self.over) {
                if self.known.get(&event).is_some_and(Known::is_over) {
                    self.known.remove(&event);
                }
            }
        }
    }
}

/// A verdict in words and for machines.
fn say(verdict: &Verdict, attempts: u32) -> (String, Value) {
    match verdict {
        Verdict::Ready => ("it is about to begin".into(), json!({ "why": "ready" })),
        Verdict::NotDue { at } if attempts > 0 => (
            format!("attempt {} follows at {at}", attempts + 1),
            json!({ "why": "retry_wait", "attempt": attempts + 1, "until": at }),
        ),
        Verdict::NotDue { at } => {
            (format!("it is due at {at}"), json!({ "why": "not_due", "until": at }))
        }
        Verdict::BehindKey { key, position, of } => (
            format!("{position} of {of} with the key {key:?} are before it"),
            json!({ "why": "behind_key", "key": key, "position": position, "of": of }),
        ),
        Verdict::ConcurrencyFull { limit, key, running } => (
            match key {
                Some(key) => format!("{running} with the key {key:?} run, the limit is {limit}"),
                None => format!("{running} run, the limit is {limit}"),
            },
            json!({ "why": "concurrency", "limit": limit, "key": key, "running": running }),
        ),
        Verdict::NoCapacity { running } => (
            format!("the target takes no more: {running} of this trigger run"),
            json!({ "why": "no_capacity", "running": running }),
        ),
        Verdict::Paused { until, why } => {
            (format!("its trigger stands still: {why}"), json!({ "why": "paused", "until": until }))
        }
    }
}
