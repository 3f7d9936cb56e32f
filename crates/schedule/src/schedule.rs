//! A schedule: when it fires, in which zone, between which bounds.

use std::fmt;
use std::ops::Range;

use evoke_model::{Millis, Timestamp};

use crate::civil::LOCAL_MAX;
use crate::cron::Cron;
use crate::due::Missed;
use crate::instants::Instants;
use crate::zone::{Zone, begin_of, second_of};

/// The last instant of the supported years, in microseconds.
pub(crate) const LAST_MICROS: i64 = (LOCAL_MAX + 1) * 1_000_000 - 1;

/// When a schedule trigger fires. Made by [`Schedule::new`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Schedule {
    pub(crate) when: When,
    pub(crate) zone: Zone,
    pub(crate) start: Option<Timestamp>,
    pub(crate) end: Option<Timestamp>,
    pub(crate) jitter: Millis,
    pub(crate) missed: Missed,
}

/// What a schedule is made of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum When {
    /// A cron expression, by the local clock of the zone.
    Cron(Cron),
    /// An interval, in elapsed time, whatever the local clock does.
    Every(Millis),
    /// A single instant.
    At(Timestamp),
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cron(cron) => fmt::Display::fmt(cron, f),
            Self::Every(interval) => write!(f, "every {interval}"),
            Self::At(at) => write!(f, "at {at}"),
        }
    }
}

/// The expression.
impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.when, f)
    }
}

impl Schedule {
    /// What it is made of.
    pub const fn when(&self) -> &When {
        &self.when
    }

    /// Whose clock it goes by.
    pub const fn zone(&self) -> &Zone {
        &self.zone
    }

    /// The first instant at which it may fire.
    pub const fn start(&self) -> Option<Timestamp> {
        self.start
    }

    /// The last instant at which it may fire.
    pub const fn end(&self) -> Option<Timestamp> {
        self.end
    }

    /// What occurrences are spread over.
    pub const fn jitter(&self) -> Millis {
        self.jitter
    }

    /// What becomes of occurrences that were missed.
    pub const fn missed(&self) -> Missed {
        self.missed
    }

    /// The first occurrence strictly later than `after`, if there is one before the end of the
    /// schedule or of the year 2199. An interval counts from `start`, else from `anchor`, in both
    /// directions.
    pub fn next_after(&self, after: Timestamp, anchor: Timestamp) -> Option<Timestamp> {
        self.first_from(just_after(after), anchor)
    }

    /// The occurrences from `from` up to but not including `to`, in order. They are calculated as
    /// they are asked for.
    pub fn between(
        &self,
        from: Timestamp,
        to: Timestamp,
        anchor: Timestamp,
    ) -> impl Iterator<Item = Timestamp> + '_ {
        let mut next = Some(from);
        std::iter::from_fn(move || {
            let found = self.first_from(next?, anchor).filter(|at| *at < to);
            next = found.map(just_after);
            found
        })
    }

    /// How many occurrences [`between`](Self::between) lists, by arithmetic: a century of seconds
    /// takes a step for each month, not for each second.
    pub fn count(&self, from: Timestamp, to: Timestamp, anchor: Timestamp) -> u64 {
        let range = self.within_bounds(from, to);
        if range.is_empty() {
            return 0;
        }
        match &self.when {
            When::Cron(cron) => {
                self.instants(cron).count(second_from(range.start)..second_from(range.end))
            }
            When::Every(interval) => {
                let grid = Grid::new(*interval, self.start.unwrap_or(anchor));
                (grid.steps_before(range.end) - grid.steps_before(range.start)) as u64
            }
            When::At(at) => u64::from(range.contains(at)),
        }
    }

    /// How much later than `at` the occurrence of that instant is to be carried out: from zero up
    /// to but not including the jitter, evenly spread over instants and seeds, and always the same
    /// for the same two. The seed tells schedules apart: the number of the trigger's id.
    pub fn offset(&self, seed: u64, at: Timestamp) -> Millis {
        let mixed = mix(mix(seed) ^ at.as_micros() as u64);
        let share = u128::from(mixed) * u128::from(self.jitter.as_u64());
        Millis::new((share >> 64) as u64)
    }

    /// The first occurrence that is not before `from`.
    pub(crate) fn first_from(&self, from: Timestamp, anchor: Timestamp) -> Option<Timestamp> {
        let from = self.start.map_or(from, |start| from.max(start)).max(Timestamp::EPOCH);
        let found = match &self.when {
            When::Cron(cron) => self.instants(cron).first_from(second_from(from)).map(begin_of),
            When::Every(interval) => {
                Some(Grid::new(*interval, self.start.unwrap_or(anchor)).first_from(from))
            }
            When::At(at) => Some(*at).filter(|at| *at >= from),
        };
        found.filter(|at| *at <= self.last_possible())
    }

    /// The last occurrence before `before`, unless it is before `floor`.
    pub(crate) fn last_before(
        &self,
        before: Timestamp,
        floor: Timestamp,
        anchor: Timestamp,
    ) -> Option<Timestamp> {
        let range = self.within_bounds(floor, before);
        if range.is_empty() {
            return None;
        }
        let found = match &self.when {
            When::Cron(cron) => self
                .instants(cron)
                .last_until(second_from(range.end) - 1, second_from(range.start))
                .map(begin_of),
            When::Every(interval) => {
                let grid = Grid::new(*interval, self.start.unwrap_or(anchor));
                Some(grid.last_before(range.end))
            }
            When::At(at) => Some(*at),
        };
        found.filter(|at| range.contains(at))
    }

    fn instants<'a>(&'a self, cron: &'a Cron) -> Instants<'a> {
        Instants { cron, zone: &self.zone }
    }

    fn last_possible(&self) -> Timestamp {
        let last = Timestamp::from_micros(LAST_MICROS);
        self.end.map_or(last, |end| end.min(last))
    }

    fn within_bounds(&self, from: Timestamp, to: Timestamp) -> Range<Timestamp> {
        let from = self.start.map_or(from, |start| from.max(start)).max(Timestamp::EPOCH);
        from..to.min(just_after(self.last_possible()))
    }
}

/// The instants of an interval: its anchor and every multiple of it before and after. In
/// microseconds, and wide enough that no sum overflows.
struct Grid {
    interval: i128,
    anchor: i128,
}

impl Grid {
    fn new(interval: Millis, anchor: Timestamp) -> Self {
        let interval = i128::from(interval.as_u64()) * 1_000;
        Self { interval, anchor: i128::from(anchor.as_micros()) }
    }

    /// How many steps of the grid, from its anchor on, are before `at`; negative before the anchor.
    fn steps_before(&self, at: Timestamp) -> i128 {
        (i128::from(at.as_micros()) - self.anchor + self.interval - 1).div_euclid(self.interval)
    }

    fn first_from(&self, from: Timestamp) -> Timestamp {
        self.step(self.steps_before(from))
    }

    fn last_before(&self, before: Timestamp) -> Timestamp {
        self.step(self.steps_before(before) - 1)
    }

    fn step(&self, step: i128) -> Timestamp {
        let at = self.anchor + step * self.interval;
        Timestamp::from_micros(i64::try_from(at).unwrap_or(i64::MAX))
    }
}

pub(crate) const fn just_after(at: Timestamp) -> Timestamp {
    Timestamp::from_micros(at.as_micros().saturating_add(1))
}

/// The first second that does not begin before `at`.
const fn second_from(at: Timestamp) -> i64 {
    let second = second_of(at);
    second + (begin_of(second).as_micros() < at.as_micros()) as i64
}

/// The finalizer of SplitMix64: a change of one bit changes each bit of the result half the time.
const fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}
