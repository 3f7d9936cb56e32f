//! The poll host: asks functions at their intervals whether something happened, and fires what they
//! say. Each question is a task of its own, so that a slow one delays nothing but itself, and one
//! sleep waits for the first that is due.
//!
//! The cursor of a poll is what fences it: the next question, what the function keeps and what it
//! fired move on in the commit of the firing. One process has the store, so one node polls.

mod answer;
mod ask;
mod canonical;
mod counters;
mod fire;
mod place;
mod status;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use evoke_model::{Timestamp, Trigger, TriggerId};
use evoke_ports::Poll;
use evoke_ports::store::Cursor;
use parking_lot::Mutex;
use serde_json::Value;
use tokio::sync::Notify;

pub(crate) use counters::Counters;
pub(crate) use fire::run;
use place::Place;
pub use place::{Skip, SkipReason};
pub use status::PollStatus;

/// All polls, and when each is asked next.
#[derive(Default)]
pub(crate) struct Polls {
    state: Mutex<State>,
    nudge: Arc<Notify>,
    pub(crate) counters: Counters,
}

#[derive(Default)]
struct State {
    standing: HashMap<TriggerId, Standing>,
    /// Where polls stood at the last stop, until they are put to work.
    remembered: HashMap<TriggerId, Place>,
    due: BTreeSet<(Timestamp, TriggerId)>,
    /// The last time that was seen: one that is earlier was set back.
    seen: Timestamp,
}

/// A poll at work.
#[derive(Clone)]
pub(crate) struct Standing {
    trigger: Arc<Trigger>,
    poll: Arc<Poll>,
    place: Place,
    /// Whether a question is under way, the commit of its answer included.
    is_asked: bool,
    /// When its cursor was written last.
    written: Timestamp,
    /// Whether more is known of it than its cursor says.
    is_stale: bool,
}

/// A question that is due.
struct Question {
    trigger: Arc<Trigger>,
    poll: Arc<Poll>,
    /// The instant it is due.
    scheduled: Timestamp,
    /// When the one before was asked.
    last_poll: Option<Timestamp>,
    last_fired: Option<Timestamp>,
    /// What the function gave back last.
    state: Value,
}

impl Standing {
    /// What is written of it.
    pub(crate) fn cursor(&self) -> Cursor {
        crate::timed::cursor(self.trigger.id, self.place.next, &self.place)
    }

    /// Takes over what went on while this place was being written.
    fn catch_up(&mut self, live: Self) {
        self.is_asked = live.is_asked;
        self.place.tally = live.place.tally;
        let is_same_grid = live.place.every == self.place.every;
        if let (Some(next), Some(gone)) = (&mut self.place.next, live.place.next)
            && is_same_grid
        {
            *next = gone.max(*next);
        }
    }
}

impl Polls {
    /// Takes where a poll stood when the engine stopped.
    pub(crate) fn remember(&self, cursor: &Cursor) {
        if let Some(place) = Place::read(cursor) {
            self.state.lock().remembered.insert(cursor.trigger, place);
        }
    }

    /// Where a poll stands once its trigger is stored.
    pub(crate) fn place(
        &self,
        trigger: &Arc<Trigger>,
        poll: Arc<Poll>,
        now: Timestamp,
    ) -> Standing {
        let state = self.state.lock();
        let before = state.standing.get(&trigger.id).map(|standing| standing.place.clone());
        let before = before.or_else(|| state.remembered.get(&trigger.id).cloned());
        let place = Place::after(before, (trigger, &poll), now);
        let trigger = trigger.clone();
        Standing { trigger, poll, place, is_asked: false, written: now, is_stale: false }
    }

    /// Puts a poll to work. The caller has the turn since it asked for the place.
    pub(crate) fn take(&self, mut standing: Standing) {
        let mut state = self.state.lock();
        let id = standing.trigger.id;
        state.remembered.remove(&id);
        if let Some(live) = state.remove(id) {
            standing.catch_up(live);
        }
        state.put(standing);
        drop(state);
        self.nudge.notify_one();
    }

    /// Whether a trigger stands here, or stood at the last stop.
    pub(crate) fn knows(&self, trigger: TriggerId) -> bool {
        let state = self.state.lock();
        state.standing.contains_key(&trigger) || state.remembered.contains_key(&trigger)
    }

    /// A poll was deleted, or is none any more.
    pub(crate) fn forget(&self, trigger: TriggerId) {
        let mut state = self.state.lock();
        state.remembered.remove(&trigger);
        state.remove(trigger);
    }

    /// The questions that are due, each at the last instant that has come, and when to look again.
    fn due(&self, now: Timestamp) -> (Vec<Question>, Option<Timestamp>) {
        let mut state = self.state.lock();
        if now < state.seen {
            state.set_back(now);
        }
        state.seen = now;
        let mut questions = Vec::new();
        while let Some((due, id)) = state.due.first().copied().filter(|(due, _)| *due <= now) {
            state.due.remove(&(due, id));
            let Some(standing) = state.standing.get_mut(&id) else { continue };
            let Some((scheduled, next)) = standing.place.due(now) else { continue };
            standing.place.next = Some(next);
            questions.extend(standing.question(scheduled, now, &self.counters));
            state.due.insert((next, id));
        }
        let next = state.due.first().map(|(due, _)| *due);
        (questions, next)
    }

    fn find(&self, trigger: TriggerId) -> Option<Standing> {
        self.state.lock().standing.get(&trigger).cloned()
    }

    /// The poll a question was asked for, unless it was deleted, switched off, or asks another
    /// function now.
    fn still(&self, question: &Question) -> Option<Standing> {
        self.find(question.trigger.id).filter(|standing| {
            standing.place.next.is_some() && standing.poll.function == question.poll.function
        })
    }

    /// Changes what is known of a poll, if it is still there.
    fn change(&self, trigger: TriggerId, change: impl FnOnce(&mut Standing)) {
        if let Some(standing) = self.state.lock().standing.get_mut(&trigger) {
            change(standing);
        }
    }

    /// Those of whom more is known than their cursors say.
    fn stale(&self) -> Vec<Cursor> {
        let state = self.state.lock();
        let stale = state.standing.values().filter(|standing| standing.is_stale);
        stale.map(Standing::cursor).collect()
    }
}

impl Standing {
    /// The question to ask, unless the one before is still under way.
    fn question(
        &mut self,
        scheduled: Timestamp,
        now: Timestamp,
        counters: &Counters,
    ) -> Option<Question> {
        self.is_stale = true;
        let tally = &mut self.place.tally;
        if self.is_asked {
            let message = Some("the question before is still under way".to_owned());
            tally.skipped(Skip { at: now, reason: SkipReason::Busy, message });
            counters.skipped(SkipReason::Busy);
            return None;
        }
        let question = Question {
            trigger: self.trigger.clone(),
            poll: self.poll.clone(),
            scheduled,
            last_poll: tally.last_poll,
            last_fired: tally.last_fired,
            state: self.place.state.clone(),
        };
        tally.last_poll = Some(now);
        tally.polls += 1;
        counters.asked();
        self.is_asked = true;
        Some(question)
    }
}

impl State {
    fn put(&mut self, standing: Standing) {
        let id = standing.trigger.id;
        if let Some(next) = standing.place.next {
            self.due.insert((next, id));
        }
        self.standing.insert(id, standing);
    }

    fn remove(&mut self, trigger: TriggerId) -> Option<Standing> {
        let standing = self.standing.remove(&trigger)?;
        if let Some(next) = standing.place.next {
            self.due.remove(&(next, trigger));
        }
        Some(standing)
    }

    /// The clock was set back: nobody waits for an instant further ahead than the interval.
    fn set_back(&mut self, now: Timestamp) {
        self.due.clear();
        for (id, standing) in &mut self.standing {
            standing.place.next = standing.place.set_back(now);
            self.due.extend(standing.place.next.map(|next| (next, *id)));
        }
    }
}
