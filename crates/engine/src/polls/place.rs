//! Where a poll stands: when it is asked next, what it keeps for its function, what it has fired
//! that is not done, and what is counted. This is what its cursor in the store holds.

use std::collections::BTreeMap;

use evoke_model::{EventId, Millis, Timestamp, Trigger};
use evoke_ports::Poll;
use evoke_ports::store::Cursor;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// From the moment a poll is stored, or switched on, to its first question: as long as the shortest
/// interval, so that the function a manifest brings with it is there.
pub(super) const FIRST: Millis = Millis::from_secs(1);

/// Why a poll did not fire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SkipReason {
    /// The function said no.
    No,
    /// An execution with the same context is still open.
    SameContext,
    /// The question before is still under way, or too much that was fired is still open.
    Busy,
    /// The function took too long.
    Timeout,
    /// The function failed, gave no answer that can be read, or what it fired could not be written.
    Error,
}

impl SkipReason {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::No, Self::SameContext, Self::Busy, Self::Timeout, Self::Error];

    /// The word of the API and of the metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::No => "no",
            Self::SameContext => "same_context",
            Self::Busy => "busy",
            Self::Timeout => "timeout",
            Self::Error => "error",
        }
    }
}

/// A time a poll did not fire.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skip {
    /// When.
    pub at: Timestamp,
    /// Why.
    pub reason: SkipReason,
    /// What the function or the engine said of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// Where a poll stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Place {
    /// The next question; `None` while it is switched off.
    #[serde(skip)]
    pub(super) next: Option<Timestamp>,
    /// The function this holds for.
    pub(super) function: String,
    /// The interval the next question was reckoned with.
    pub(super) every: Millis,
    /// What the function gave back last.
    #[serde(default)]
    pub(super) state: Value,
    /// What was fired and was not done when it was looked at last.
    #[serde(default)]
    pub(super) open: Vec<Open>,
    #[serde(default)]
    pub(super) tally: Tally,
}

/// A firing that is not done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Open {
    /// The hash of its context.
    pub(super) hash: String,
    /// Its event.
    pub(super) event: EventId,
}

/// What is counted of a poll.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Tally {
    /// When it was asked last.
    #[serde(default)]
    pub(super) last_poll: Option<Timestamp>,
    /// When it fired last.
    #[serde(default)]
    pub(super) last_fired: Option<Timestamp>,
    /// How many questions were asked.
    #[serde(default)]
    pub(super) polls: u64,
    /// How many of them fired.
    #[serde(default)]
    pub(super) fired: u64,
    /// How often it did not fire.
    #[serde(default)]
    pub(super) skips: BTreeMap<SkipReason, u64>,
    /// The last time it did not.
    #[serde(default)]
    pub(super) last_skip: Option<Skip>,
}

impl Tally {
    pub(super) fn skipped(&mut self, skip: Skip) {
        *self.skips.entry(skip.reason).or_default() += 1;
        self.last_skip = Some(skip);
    }
}

impl Place {
    /// Reads a cursor; `None` for that of another kind of trigger.
    pub(super) fn read(cursor: &Cursor) -> Option<Self> {
        let place = Self::deserialize(&cursor.state);
        place.ok().map(|place| Self { next: cursor.next, ..place })
    }

    /// Where a poll stands once its trigger is stored. Its questions stay on their grid while the
    /// interval does; one that was off goes on from now. What is kept for a function is not given
    /// to another.
    pub(super) fn after(
        before: Option<Self>,
        (trigger, poll): (&Trigger, &Poll),
        now: Timestamp,
    ) -> Self {
        let before = before.unwrap_or_else(|| Self {
            next: None,
            function: poll.function.clone(),
            every: poll.every,
            state: Value::Null,
            open: Vec::new(),
            tally: Tally::default(),
        });
        let goes_on = before.every == poll.every;
        let next = before.next.filter(|_| goes_on).unwrap_or_else(|| now.plus(FIRST));
        let is_same = before.function == poll.function;
        let place = Self {
            next: trigger.is_active().then_some(next),
            function: poll.function.clone(),
            every: poll.every,
            state: if is_same { before.state } else { Value::Null },
            ..before
        };
        Self { next: place.set_back(now), ..place }
    }

    /// The instant that is asked for at `now`, which is the last one of the grid that has come, and
    /// the one after it. `None` while none has come.
    pub(super) fn due(&self, now: Timestamp) -> Option<(Timestamp, Timestamp)> {
        let next = self.next.filter(|next| *next <= now)?;
        let steps = (now.as_micros() - next.as_micros()) / self.step();
        let at = Timestamp::from_micros(next.as_micros() + steps * self.step());
        Some((at, at.plus(self.every)))
    }

    /// The next instant once a clock was set back to `now`. A clock that is only put right leaves
    /// it as it is, so that no instant is asked for twice.
    pub(super) fn set_back(&self, now: Timestamp) -> Option<Timestamp> {
        let next = self.next?;
        let ahead = (next.as_micros() - now.as_micros() - 1) / self.step();
        let steps = if ahead > 1 { ahead } else { 0 };
        Some(Timestamp::from_micros(next.as_micros() - steps * self.step()))
    }

    fn step(&self) -> i64 {
        (self.every.as_u64() as i64).saturating_mul(1_000).max(1)
    }
}
