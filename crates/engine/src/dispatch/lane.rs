//! A lane: what waits and runs for one trigger. Admission itself is pure and lives in
//! `evoke_delivery`; the lane holds its state, the window in memory and the way to the target.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use evoke_delivery::admission::{Admitted, Dropped, Entry, Offered, Rest, Verdict};
use evoke_delivery::{Lane as Admission, LanePolicy};
use evoke_matching::Index;
use evoke_model::policy::Rate;
use evoke_model::{EventId, Execution, ExecutionId, Timestamp, Trigger, TriggerId};
use evoke_ports::store::{Spent, Waiting};
use parking_lot::Mutex;

use super::item::{Item, entry};
use super::known::Memory;
use super::window::{Share, Window};
use crate::catalog::Opened;
use crate::settings::DUE_HORIZON;

/// What a lane has to do now.
#[derive(Default)]
pub(crate) struct Turn {
    /// These calls begin.
    pub(crate) start: Vec<Start>,
    /// More would begin if the target took more at once.
    pub(crate) lacks_room: bool,
    /// The target takes no more, of whichever lane.
    pub(crate) fills_group: bool,
    /// These will never run.
    pub(crate) dropped: Vec<(Entry<Item>, Dropped)>,
    /// These run and have to stop, for a newer one.
    pub(crate) cancel: Vec<ExecutionId>,
    /// What its rate has spent; to be durable before anything starts.
    pub(crate) spent: Vec<Spent>,
    /// It wants another turn at this instant.
    pub(crate) wake: Option<Timestamp>,
    /// It wants to look into the store.
    pub(crate) look: bool,
    /// It wants to look for more of these order keys.
    pub(crate) hungry: Vec<Box<str>>,
}

/// What an execution was admitted by.
#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    /// The policy that holds.
    Policy,
    /// One before it.
    PolicyBefore,
}

/// A call that begins, with what it was admitted under.
pub(crate) struct Start {
    pub(crate) call: Admitted<Item>,
    pub(crate) trigger: Arc<Trigger>,
    pub(crate) endpoint: Opened,
}

impl Turn {
    /// Adds a later turn of the same lane.
    pub(crate) fn merge(&mut self, later: Self) {
        self.start.extend(later.start);
        self.lacks_room = later.lacks_room;
        self.fills_group = later.fills_group;
        self.dropped.extend(later.dropped);
        self.cancel.extend(later.cancel);
        self.spent.extend(later.spent);
        self.wake = later.wake;
        self.look |= later.look;
        self.hungry.extend(later.hungry);
    }
}

struct State {
    trigger: Arc<Trigger>,
    endpoint: Opened,
    admission: Admission<Item>,
    share: Share,
    /// How often the part of the policy changed that admission keeps to.
    policy: u32,
    /// Calls under way that were admitted under a policy before.
    old_calls: usize,
    memory: Memory,
    /// More waits in the store than is known here.
    has_more: bool,
    is_looking: bool,
    /// When the next one in the store is due that is not kept here.
    far: Option<Timestamp>,
}

/// What waits and runs for one trigger.
pub(crate) struct Lane {
    id: TriggerId,
    state: Mutex<State>,
    /// Executions that were admitted and are not to begin: hardly ever one, so that each that
    /// begins need not ask for the lock.
    called_off: AtomicUsize,
}

/// What stands in the way of a waiting execution, as far as its lane can tell.
pub(crate) enum Standing {
    /// Its target cannot be used.
    Unusable(String),
    /// Admission's own verdict.
    Here(Verdict),
    /// It waits in the store, behind so many of its trigger that are in memory.
    InStore { ahead: usize },
}

impl Lane {
    pub(super) fn new(trigger: Arc<Trigger>, endpoint: Opened, window: &Arc<Window>) -> Self {
        let mut share = Share::of(window.clone());
        share.set_debounced(trigger.policy.debounce.is_some());
        let admission = Admission::new(LanePolicy::of(&trigger.policy));
        Self {
            id: trigger.id,
            state: Mutex::new(State {
                trigger,
                endpoint,
                admission,
                share,
                policy: 0,
                old_calls: 0,
                memory: Memory::default(),
                has_more: false,
                is_looking: false,
                far: None,
            }),
            called_off: AtomicUsize::new(0),
        }
    }

    pub(crate) fn id(&self) -> TriggerId {
        self.id
    }

    pub(crate) fn trigger(&self) -> Arc<Trigger> {
        self.state.lock().trigger.clone()
    }

    /// How many more calls may begin, while so many of its group are under way.
    pub(crate) fn room(&self, group_running: usize) -> usize {
        self.state.lock().room(group_running).own
    }

    /// How often its target may be called.
    pub(crate) fn rate(&self) -> Option<Rate> {
        self.state.lock().endpoint.as_ref().ok()?.rate()
    }

    /// The priority of what would begin next.
    pub(crate) fn priority(&self, now: Timestamp) -> i32 {
        let state = self.state.lock();
        state
            .admission
            .head(now)
            .map_or_else(|| state.trigger.policy.priority.fixed(), |head| head.priority)
    }

    /// Takes the trigger anew.
    pub(crate) fn change(&self, trigger: Arc<Trigger>, endpoint: Opened) {
        let mut state = self.state.lock();
        let policy = LanePolicy::of(&trigger.policy);
        if policy != LanePolicy::of(&state.trigger.policy) {
            // What waits goes back to the store and comes in again under the new policy; limits
            // count from zero, since what runs was admitted under the old one. What was spent of a
            // rate stays spent.
            let spent = state.admission.spent();
            state.old_calls += state.admission.running();
            state.policy += 1;
            state.admission = Admission::new(policy);
            state.admission.restore_spent(spent);
            state.memory.nothing_waits();
            state.has_more = true;
            state.share.set_debounced(trigger.policy.debounce.is_some());
            state.weigh();
        }
        state.trigger = trigger;
        state.endpoint = endpoint;
    }

    /// Takes what the trigger's rate had spent before a restart.
    pub(crate) fn restore(&self, key: Box<str>, until: Timestamp) {
        self.state.lock().admission.restore_spent([(key, until)]);
    }

    /// Told of executions before they are committed: until they are handed over, or withdrawn, a
    /// look into the store leaves them alone.
    pub(crate) fn announce(&self, coming: impl Iterator<Item = EventId>) {
        let mut state = self.state.lock();
        for event in coming {
            state.memory.note(event).is_coming = true;
        }
    }

    /// An announced execution does not come: it was not committed.
    pub(crate) fn withdraw(&self, event: EventId) {
        self.state.lock().memory.release(event, |known| known.is_coming = false);
    }

    /// Takes executions that were just committed, as far as there is room. Gives back when the
    /// earliest is due that was left in the store because its time is far off.
    pub(crate) fn offer(
        &self,
        new: impl Iterator<Item = Entry<Item>>,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let mut state = self.state.lock();
        let horizon = now.plus(DUE_HORIZON);
        let mut far = None;
        for entry in new {
            state.memory.release(entry.id.event, |known| known.is_coming = false);
            // The head of an ordered key holds its followers back, however far off its time is.
            let is_ordered = entry.keys.order.is_some();
            if entry.due > horizon && !is_ordered {
                far = Some(far.map_or(entry.due, |far: Timestamp| far.min(entry.due)));
            } else if state.has_more || state.share.is_full() || (is_ordered && state.is_looking) {
                // Behind what waits in the store already: it will be found there in its turn. One
                // of its order key may be among what a look under way is about to bring.
                state.has_more = true;
            } else {
                state.keep(entry, now);
            }
        }
        if let Some(far) = far {
            state.far = Some(state.far.map_or(far, |known| known.min(far)));
        }
        far
    }

    /// Admits what may begin now: at most `most` calls, and no more than there is room for while so
    /// many of its group are under way.
    pub(crate) fn turn(&self, now: Timestamp, group_running: usize, most: usize) -> Turn {
        let mut state = self.state.lock();
        let mut turn = Turn::default();
        if !state.trigger.is_active() {
            return turn;
        }
        let policy = state.policy;
        let Room { own, shared } = state.room(group_running);
        let room = if state.waits_for_old() { 0 } else { own };
        while turn.start.len() < most {
            let left = room.saturating_sub(turn.start.len());
            let Some(admitted) = state.admission.next(now, left) else { break };
            for entry in admitted.entries() {
                if let Some(known) = state.memory.get(entry.id.event) {
                    (known.waits, known.runs) = (false, true);
                    known.policy = policy;
                }
            }
            let (trigger, endpoint) = (state.trigger.clone(), state.endpoint.clone());
            turn.start.push(Start { call: admitted, trigger, endpoint });
        }
        turn.lacks_room = room <= turn.start.len() && !state.admission.is_empty();
        turn.fills_group = shared.is_some_and(|shared| shared <= turn.start.len());
        state.take_rest(self.id, &mut turn);
        state.weigh();
        turn.wake = state.admission.next_due().filter(|instant| *instant > now);
        if state.has_more && state.share.is_low() && !state.is_looking {
            // From here on new ones are kept again; those the look finds beside them are known.
            state.has_more = false;
            state.is_looking = true;
            state.memory.reads_begin(1);
            turn.look = true;
        }
        turn
    }

    /// Takes what a look into the store found; says whether there is room for more.
    pub(crate) fn looked(&self, found: Vec<Waiting>, index: &Index, now: Timestamp) -> bool {
        let mut state = self.state.lock();
        for waiting in found {
            // The index knows no keys of a trigger that is off.
            if state.share.is_full() || !state.trigger.is_active() {
                return false;
            }
            if !state.memory.contains(waiting.id.event) {
                let entry = entry(waiting, &state.trigger.policy, index);
                state.keep(entry, now);
            }
        }
        true
    }

    /// A look is over; there may be more than it took.
    pub(crate) fn look_ended(&self, rest: Rest) {
        let mut state = self.state.lock();
        state.is_looking = false;
        state.has_more |= rest == Rest::More;
        state.memory.read_ended();
    }

    /// Takes what the store has of an order key.
    pub(crate) fn fed(&self, key: &str, found: Vec<Waiting>, rest: Rest, index: &Index) {
        let mut state = self.state.lock();
        let state = &mut *state;
        let is_active = state.trigger.is_active();
        let (found, rest) = if is_active { (found, rest) } else { (Vec::new(), Rest::More) };
        let mut new = Vec::with_capacity(found.len());
        for waiting in found {
            if !state.memory.contains(waiting.id.event) {
                state.memory.note(waiting.id.event).waits = true;
                new.push(entry(waiting, &state.trigger.policy, index));
            }
        }
        state.admission.refill(key, new, rest);
        state.weigh();
        state.memory.read_ended();
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

    /// Something about an execution is on its way to the record.
    pub(crate) fn settling(&self, event: EventId) {
        self.state.lock().memory.note(event).unsettled += 1;
    }

    /// They are in the record.
    pub(crate) fn settled(&self, events: impl Iterator<Item = EventId>) {
        let mut state = self.state.lock();
        for event in events {
            state.memory.release(event, |known| {
                known.unsettled = known.unsettled.saturating_sub(1);
            });
        }
    }

    /// A call ended; some of its executions may come again. Gives back when the first of those is
    /// due that are too far off to be kept here.
    pub(crate) fn finished(
        &self,
        ends: impl Iterator<Item = (Entry<Item>, Option<Timestamp>)>,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let mut state = self.state.lock();
        let policy = state.policy;
        let mut far = None;
        let mut was_old = false;
        for (entry, again) in ends {
            // Admission is told of ends of what it gave itself.
            let known = state.memory.note(entry.id.event);
            let by = if known.policy == policy { By::Policy } else { By::PolicyBefore };
            if std::mem::take(&mut known.is_called_off) {
                self.called_off.fetch_sub(1, Ordering::SeqCst);
            }
            was_old |= by == By::PolicyBefore;
            far = [far, state.ended(entry, again, by, now)].into_iter().flatten().min();
        }
        if was_old {
            state.old_calls = state.old_calls.saturating_sub(1);
        }
        state.weigh();
        far
    }

    /// Takes a waiting execution out of memory.
    pub(crate) fn forget(&self, id: ExecutionId) {
        let mut state = self.state.lock();
        if state.admission.cancel(id).is_some() {
            state.memory.release(id.event, |known| known.waits = false);
            state.weigh();
        }
    }

    /// Calls off an execution that was admitted, unless its attempt has ended: what its rate has
    /// spent may still be on its way to the record. Says whether there was one.
    pub(crate) fn call_off(&self, event: EventId) -> bool {
        let mut state = self.state.lock();
        let known = state.memory.get(event).filter(|known| known.runs && known.unsettled == 0);
        let Some(known) = known else { return false };
        if !std::mem::replace(&mut known.is_called_off, true) {
            self.called_off.fetch_add(1, Ordering::SeqCst);
        }
        true
    }

    /// Whether an execution that was admitted is not to begin.
    pub(crate) fn is_called_off(&self, event: EventId) -> bool {
        if self.called_off.load(Ordering::SeqCst) == 0 {
            return false;
        }
        self.state.lock().memory.get(event).is_some_and(|known| known.is_called_off)
    }

    /// What stands in the way of a waiting execution, while the target takes so many more calls.
    pub(crate) fn standing(&self, execution: &Execution, now: Timestamp, room: usize) -> Standing {
        let state = self.state.lock();
        if let Err(problem) = &state.endpoint {
            return Standing::Unusable(problem.message.clone());
        }
        match state.admission.explain(execution.id, now, room) {
            Some(Verdict::Ready | Verdict::NoCapacity { .. }) if state.waits_for_old() => {
                let why = "what began before its policy changed has to end first".into();
                Standing::Here(Verdict::Paused { until: None, why })
            }
            Some(verdict) => Standing::Here(verdict),
            None if execution.due > now => Standing::Here(Verdict::NotDue { at: execution.due }),
            None => Standing::InStore { ahead: state.admission.len() },
        }
    }

    pub(crate) fn waiting(&self) -> usize {
        self.state.lock().admission.len()
    }
}

/// How many more calls may begin.
struct Room {
    /// Of a lane.
    own: usize,
    /// Of all lanes of its group, where they share something.
    shared: Option<usize>,
}

impl State {
    /// How many more calls may begin, while so many of the group are under way. A target that
    /// cannot be used takes one at a time, so that its executions fail with its own error.
    fn room(&self, group_running: usize) -> Room {
        let own_running = self.admission.running() + self.old_calls;
        match &self.endpoint {
            Ok(endpoint) => {
                let own = endpoint.capacity().saturating_sub(own_running);
                let shared = endpoint.group_capacity();
                let shared = shared.map(|all| all.saturating_sub(group_running));
                Room { own: shared.map_or(own, |shared| shared.min(own)), shared }
            }
            Err(_) => Room { own: 1_usize.saturating_sub(own_running), shared: None },
        }
    }

    /// An execution is over or comes again. Gives back when it is due if that is too far off for it
    /// to be kept here.
    fn ended(
        &mut self,
        mut entry: Entry<Item>,
        again: Option<Timestamp>,
        by: By,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let event = entry.id.event;
        // The head of an ordered key keeps its place, however long it waits.
        let is_ordered = entry.keys.order.is_some();
        match again {
            Some(due) if due <= now.plus(DUE_HORIZON) || is_ordered => {
                entry.due = due;
                if let Some(known) = self.memory.get(event) {
                    (known.waits, known.runs) = (true, false);
                }
                if by == By::Policy {
                    self.admission.retry(entry, now);
                } else if self.admission.offer(entry, now) == Offered::KeyFull {
                    self.memory.release(event, |known| known.waits = false);
                }
                None
            }
            far => {
                if by == By::Policy {
                    self.admission.finish(entry.id, &entry.keys);
                }
                self.memory.release(event, |known| known.runs = false);
                if let Some(due) = far {
                    self.far = Some(self.far.map_or(due, |known| known.min(due)));
                }
                far
            }
        }
    }

    /// An order holds when the policy changes, too: what runs goes first.
    fn waits_for_old(&self) -> bool {
        self.old_calls > 0 && self.trigger.policy.order_by.is_some()
    }

    /// Takes note of how much is kept here.
    fn weigh(&mut self) {
        self.share.note(self.admission.len(), self.admission.bytes());
    }

    fn keep(&mut self, entry: Entry<Item>, now: Timestamp) {
        let event = entry.id.event;
        if self.admission.offer(entry, now) == Offered::Taken {
            self.memory.note(event).waits = true;
            self.weigh();
        }
    }

    /// What a turn brings beside starts.
    fn take_rest(&mut self, id: TriggerId, turn: &mut Turn) {
        turn.dropped = self.admission.take_dropped();
        for (entry, _) in &turn.dropped {
            let known = self.memory.note(entry.id.event);
            known.waits = false;
            known.unsettled += 1;
        }
        turn.cancel = self.admission.take_cancels();
        let spent = self.admission.take_spent();
        turn.spent.extend(spent.into_iter().map(|(key, until)| Spent {
            owner: id.to_string().into(),
            key,
            until,
        }));
        turn.hungry = self.admission.take_hungry_keys();
        self.memory.reads_begin(turn.hungry.len());
    }
}
