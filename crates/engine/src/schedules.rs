//! The schedule host: keeps the next occurrence of every schedule planned and fires it when its
//! time comes. Occurrences stand in memory by their instant, and one sleep waits for the first:
//! however many schedules there are, those that are not due cost nothing.

mod api;
mod fire;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use evoke_model::{EventId, Millis, Problem, Timestamp, Trigger, TriggerId};
use evoke_ports::Recurring;
use evoke_ports::store::Cursor;
use evoke_schedule::LATE_MAX;
use evoke_schedule::When;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

pub use api::{BACKFILL_MAX, Backfill, Backfilled, Fired, ScheduleStatus};
pub(crate) use fire::run;

/// A clock that goes back by less is only set right.
const SET_BACK: Millis = Millis::from_secs(1);

/// All schedules, and when each fires next.
#[derive(Default)]
pub(crate) struct Schedules {
    state: Mutex<State>,
    nudge: Arc<Notify>,
}

#[derive(Default)]
struct State {
    standing: HashMap<TriggerId, Standing>,
    /// Where schedules stood at the last stop, until they are put to work.
    remembered: HashMap<TriggerId, Place>,
    /// When each that waits is carried out.
    due: BTreeSet<(Timestamp, TriggerId)>,
    /// The latest the clock was seen at.
    seen: Timestamp,
}

/// A schedule at work.
#[derive(Clone)]
pub(crate) struct Standing {
    trigger: Arc<Trigger>,
    recurring: Arc<Recurring>,
    place: Place,
}

/// Where a schedule stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Place {
    /// The occurrence that is waited for.
    #[serde(skip)]
    next: Option<Timestamp>,
    /// The timetable this holds for.
    timetable: String,
    /// What an interval counts from.
    anchor: Timestamp,
    /// Whether it was switched off.
    #[serde(default)]
    is_paused: bool,
    /// What fired last.
    #[serde(default)]
    last: Option<Last>,
}

/// What fired last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Last {
    /// The instant it was planned for.
    scheduled: Timestamp,
    /// When it was fired.
    fired: Timestamp,
    /// Its event.
    event: EventId,
}

impl Place {
    fn read(cursor: &Cursor) -> Option<Self> {
        let place = Self::deserialize(&cursor.state);
        place.ok().map(|place| Self { next: cursor.next, ..place })
    }

    /// From a place of before, or from none: what was planned stays while the timetable does, and
    /// changes bear on the future alone. One that was off goes on from now.
    fn after(before: Option<Self>, standing: (&Trigger, &Recurring), now: Timestamp) -> Self {
        let (trigger, recurring) = standing;
        let timetable = timetable(recurring);
        let is_paused = !trigger.enabled;
        let last = before.as_ref().and_then(|before| before.last);
        let same = before.filter(|before| before.timetable == timetable);
        let anchor = same.as_ref().map_or(now, |same| same.anchor);
        let next = match same {
            _ if is_paused => None,
            Some(same) if !same.is_paused => {
                same.next.map(|next| near(next, recurring, (now, anchor)))
            }
            _ => recurring.schedule.next_after(now, anchor),
        };
        Self { next, timetable, anchor, is_paused, last }
    }
}

/// The occurrence to wait for where it is said to be `next`. An earlier one lies between only where
/// the clock was set back: those that fired already are known by their ids and do not fire again.
fn near(
    next: Timestamp,
    recurring: &Recurring,
    (now, anchor): (Timestamp, Timestamp),
) -> Timestamp {
    recurring.schedule.next_after(now, anchor).map_or(next, |first| first.min(next))
}

/// What tells one timetable from another. What becomes of missed occurrences, and what they carry,
/// is no part of it.
fn timetable(recurring: &Recurring) -> String {
    let schedule = &recurring.schedule;
    let bound = |bound: Option<Timestamp>| bound.map(|at| at.to_string()).unwrap_or_default();
    let (start, end) = (bound(schedule.start()), bound(schedule.end()));
    format!("{schedule} {} {start}..{end} ~{}", schedule.zone().name(), schedule.jitter())
}

/// What is wrong with a timetable that has no occurrence left, unless it was there `before`.
pub(crate) fn no_future(
    recurring: &Recurring,
    before: Option<&Recurring>,
    now: Timestamp,
) -> Option<Problem> {
    let schedule = &recurring.schedule;
    let is_old = before.is_some_and(|before| timetable(before) == timetable(recurring));
    if is_old || schedule.next_after(now, now).is_some() {
        return None;
    }
    let (field, message) = match (schedule.when(), schedule.end()) {
        (When::At(at), _) => ("at", format!("{at} is over: it would never fire")),
        (_, Some(end)) => ("end", format!("no occurrence is left before {end}")),
        (When::Cron(_), None) => ("cron", "no occurrence is left".to_owned()),
        (When::Every(_), None) => ("every", "no occurrence is left".to_owned()),
    };
    Some(Problem::new(field, message))
}

impl Standing {
    /// When its next occurrence is carried out.
    fn due(&self) -> Option<Timestamp> {
        let next = self.place.next?;
        Some(next.plus(self.offset(next)))
    }

    fn offset(&self, at: Timestamp) -> Millis {
        self.recurring.schedule.offset(self.trigger.id.as_u64(), at)
    }

    /// What is written of it.
    pub(crate) fn cursor(&self) -> Cursor {
        crate::timed::cursor(self.trigger.id, self.place.next, &self.place)
    }
}

impl Schedules {
    /// Takes where a schedule stood when the engine stopped.
    pub(crate) fn remember(&self, cursor: &Cursor) {
        if let Some(place) = Place::read(cursor) {
            self.state.lock().remembered.insert(cursor.trigger, place);
        }
    }

    /// Where a schedule stands once its trigger is stored.
    pub(crate) fn place(
        &self,
        trigger: &Arc<Trigger>,
        recurring: Arc<Recurring>,
        now: Timestamp,
    ) -> Standing {
        let state = self.state.lock();
        let before = state.standing.get(&trigger.id).map(|standing| standing.place.clone());
        let before = before.or_else(|| state.remembered.get(&trigger.id).cloned());
        let place = Place::after(before, (trigger, &recurring), now);
        Standing { trigger: trigger.clone(), recurring, place }
    }

    /// Puts a schedule to work.
    pub(crate) fn take(&self, standing: Standing) {
        let mut state = self.state.lock();
        state.remembered.remove(&standing.trigger.id);
        let is_first = state.put(standing);
        drop(state);
        if is_first {
            self.nudge.notify_one();
        }
    }

    /// Whether a trigger stands here, or stood at the last stop.
    pub(crate) fn knows(&self, trigger: TriggerId) -> bool {
        let state = self.state.lock();
        state.standing.contains_key(&trigger) || state.remembered.contains_key(&trigger)
    }

    /// A schedule was deleted, or is none any more.
    pub(crate) fn forget(&self, trigger: TriggerId) {
        let mut state = self.state.lock();
        state.remembered.remove(&trigger);
        state.remove(trigger);
    }

    /// How many there are that wait, that are off, and that have ended.
    pub(crate) fn count(&self) -> [(&'static str, i64); 3] {
        let (mut active, mut paused, mut ended) = (0, 0, 0);
        for standing in self.state.lock().standing.values() {
            match standing.place {
                Place { is_paused: true, .. } => paused += 1,
                Place { next: None, .. } => ended += 1,
                Place { .. } => active += 1,
            }
        }
        [("active", active), ("paused", paused), ("ended", ended)]
    }

    fn find(&self, trigger: TriggerId) -> Option<Standing> {
        self.state.lock().standing.get(&trigger).cloned()
    }
}

impl State {
    /// Sees the clock. Where it was set back all schedules are planned anew: one that was ahead by
    /// a year must not keep them waiting for a year.
    fn see(&mut self, now: Timestamp) {
        if now.plus(SET_BACK) >= self.seen {
            self.seen = self.seen.max(now);
            return;
        }
        tracing::warn!("The clock was set back from {} to {now}", self.seen);
        self.seen = now;
        // Since it was set back some time has passed before it was seen.
        let from = now.minus(LATE_MAX);
        let standings: Vec<_> = self.standing.values().cloned().collect();
        for mut standing in standings {
            if let Some(next) = &mut standing.place.next {
                *next = near(*next, &standing.recurring, (from, standing.place.anchor));
                self.put(standing);
            }
        }
    }

    /// Says whether it is now the first of all to fire.
    fn put(&mut self, standing: Standing) -> bool {
        let id = standing.trigger.id;
        self.remove(id);
        let due = standing.due();
        self.standing.insert(id, standing);
        due.is_some_and(|due| {
            self.due.insert((due, id));
            self.due.first() == Some(&(due, id))
        })
    }

    fn remove(&mut self, trigger: TriggerId) {
        if let Some(due) = self.standing.remove(&trigger).and_then(|standing| standing.due()) {
            self.due.remove(&(due, trigger));
        }
    }
}
