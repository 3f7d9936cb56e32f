//! What people see of a poll.

use evoke_model::{Timestamp, TriggerId};
use serde_json::Value;

use super::place::Tally;
use super::{Skip, SkipReason};
use crate::start::Engine;

/// Where a poll stands.
#[derive(Clone, Debug, PartialEq)]
pub struct PollStatus {
    /// The next question; `None` for a poll that is off.
    pub next_poll: Option<Timestamp>,
    /// When it was asked last.
    pub last_poll: Option<Timestamp>,
    /// When it fired last.
    pub last_fired: Option<Timestamp>,
    /// How many questions were asked.
    pub polls: u64,
    /// How many of them fired.
    pub fired: u64,
    /// How often it did not fire, by reason.
    pub skips: [(SkipReason, u64); 5],
    /// The last time it did not.
    pub last_skip: Option<Skip>,
    /// What the function gave back last.
    pub state: Value,
}

impl Engine {
    /// Where a poll stands; `None` for a trigger that is none.
    pub fn poll_status(&self, id: TriggerId) -> Option<PollStatus> {
        let place = self.inner.timed.polls.find(id)?.place;
        let Tally { last_poll, last_fired, polls, fired, skips, last_skip } = place.tally;
        let count = |reason| (reason, skips.get(&reason).copied().unwrap_or_default());
        Some(PollStatus {
            next_poll: place.next,
            last_poll,
            last_fired,
            polls,
            fired,
            skips: SkipReason::ALL.map(count),
            last_skip,
            state: place.state,
        })
    }
}
