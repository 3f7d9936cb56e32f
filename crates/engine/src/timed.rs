//! Triggers that fire by themselves: schedules and polls. Where one stands is written in the commit
//! that stores its trigger, and moved on in the commit of what it fires.

use std::sync::Arc;

use evoke_model::{Timestamp, Trigger, TriggerId};
use evoke_ports::store::{Change, Cursor};
use evoke_ports::{Store, Timing};
use tokio_util::sync::CancellationToken;

use crate::polls::Polls;
use crate::schedules::Schedules;
use crate::start::{Engine, Inner};

/// The hosts of triggers that fire by themselves.
#[derive(Default)]
pub(crate) struct Timed {
    pub(crate) schedules: Schedules,
    pub(crate) polls: Polls,
    /// Written while a trigger is changed, and shared while one fires, so that what fires does so
    /// before a change or not at all, and no cursor of before is written after one of later. Those
    /// that fire do not wait for each other: their commits may be one.
    pub(crate) turn: tokio::sync::RwLock<()>,
    pub(crate) stop: CancellationToken,
}

impl Timed {
    /// Whether it is written where a trigger stands.
    fn knows(&self, trigger: TriggerId) -> bool {
        self.schedules.knows(trigger) || self.polls.knows(trigger)
    }
}

/// Where a trigger stands from now on: written first, put to work once that is durable.
pub(crate) enum Place {
    /// It does not fire by itself.
    None,
    /// It fires no more.
    Gone,
    /// At these instants.
    Schedule(crate::schedules::Standing),
    /// Whenever its function says so.
    Poll(Box<crate::polls::Standing>),
}

impl Place {
    /// What is written of it.
    pub(crate) fn change(&self, trigger: &Trigger) -> Option<Change> {
        match self {
            Self::None => None,
            Self::Gone => Some(Change::RemoveCursors(vec![trigger.id])),
            Self::Schedule(standing) => Some(Change::Cursors(vec![standing.cursor()])),
            Self::Poll(standing) => Some(Change::Cursors(vec![standing.cursor()])),
        }
    }
}

impl Engine {
    /// When something comes due next by itself: an occurrence of a schedule, a retry, a wait that
    /// ends. A virtual clock goes on from one such instant to the next.
    pub fn next_moment(&self) -> Option<Timestamp> {
        let inner = &self.inner;
        let moments = [inner.timed.schedules.next(), inner.dispatcher.next_wake()];
        moments.into_iter().flatten().min()
    }
}

impl Inner {
    /// Where a trigger that is about to be stored stands from then on. The caller has the turn.
    pub(crate) fn place(&self, trigger: &Arc<Trigger>) -> Place {
        let timing = self.catalog.timing(trigger).filter(|_| trigger.deleted_at.is_none());
        match timing {
            Some(Timing::Schedule(recurring)) => {
                let now = self.clock.now();
                Place::Schedule(self.timed.schedules.place(trigger, recurring, now))
            }
            Some(Timing::Poll(poll)) => {
                let now = self.clock.now();
                Place::Poll(Box::new(self.timed.polls.place(trigger, poll, now)))
            }
            // It was deleted, or it is of another kind now.
            None if self.timed.knows(trigger.id) => Place::Gone,
            None => Place::None,
        }
    }

    /// Puts a trigger to work where it stands. The caller has the turn.
    pub(crate) fn stand(&self, trigger: &Trigger, place: Place) {
        let Timed { schedules, polls, .. } = &self.timed;
        // One that was of another kind before does not go on as that.
        if !matches!(place, Place::Schedule(_)) {
            schedules.forget(trigger.id);
        }
        if !matches!(place, Place::Poll(_)) {
            polls.forget(trigger.id);
        }
        match place {
            Place::None | Place::Gone => {}
            Place::Schedule(standing) => schedules.take(standing),
            Place::Poll(standing) => polls.take(*standing),
        }
    }

    /// Takes up where the triggers stood when the engine stopped.
    pub(crate) async fn take_up(
        &self,
        store: &Arc<dyn Store>,
    ) -> Result<(), evoke_ports::store::Error> {
        self.metrics.register_more(|registry| self.timed.polls.counters.register(registry));
        let cursors = store.definitions().cursors().await?;
        let snapshot = self.catalog.load();
        let _turn = self.timed.turn.write().await;
        for cursor in cursors {
            self.timed.polls.remember(&cursor);
            self.timed.schedules.remember(&cursor);
        }
        for trigger in snapshot.triggers.values().filter(|trigger| trigger.deleted_at.is_none()) {
            let place = self.place(trigger);
            // Nothing is written here: what is remembered of others stays to be removed.
            if matches!(place, Place::Schedule(_) | Place::Poll(_)) {
                self.stand(trigger, place);
            }
        }
        Ok(())
    }

    /// From now on triggers fire by themselves.
    pub(crate) fn start_timed(self: &Arc<Self>) {
        let inner = Arc::downgrade(self);
        let stop = self.timed.stop.clone();
        self.tasks.spawn(crate::schedules::run(inner.clone(), stop.clone()));
        self.tasks.spawn(crate::polls::run(inner, stop));
    }
}

/// A cursor of a state that can be written as JSON, as all of ours can.
pub(crate) fn cursor(
    trigger: TriggerId,
    next: Option<Timestamp>,
    state: &impl serde::Serialize,
) -> Cursor {
    let state = serde_json::to_value(state).unwrap_or_default();
    Cursor { trigger, next, state }
}
