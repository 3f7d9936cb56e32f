//! What is to become of an event and its executions at this moment. Pure.

use std::sync::Arc;

use evoke_model::{Execution, Millis, Timestamp};
use evoke_ports::store::{Holds, Whole};

use super::policy::{About, RetentionPolicy};

/// An end that came this much after the event is an end of its own: retention counts from it, so
/// that what was planned for next year is not forgotten the moment it is done. Retries within the
/// hour do not count, so that the events of an hour share their segments.
const LATE: Millis = Millis::from_secs(3_600);

/// Where something goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It stays in the record.
    Stay,
    /// Into the archive, into this class.
    Archive(Bin),
    /// Away.
    Remove,
}

/// What shares a segment: the rule it falls under, and when it ended if that was late.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Bin {
    pub(crate) rule: Option<usize>,
    pub(crate) settled: Option<Timestamp>,
}

/// Why the record is gone through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// Some of it is old.
    Age,
    /// All of it takes too much space.
    Space,
}

/// What becomes of an event and of each of its executions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) event: Fate,
    pub(crate) executions: Vec<Fate>,
}

/// What the decision is made by.
pub(crate) struct Judge<'p> {
    pub(crate) policy: &'p RetentionPolicy,
    pub(crate) reason: Reason,
    pub(crate) now: Timestamp,
}

impl Judge<'_> {
    /// Decides. `functions` are the functions of the executions, in their order.
    pub(crate) fn judge(&self, whole: &Whole, functions: &[Option<Arc<str>>]) -> Verdict {
        let case = Case::new(self, whole, functions);
        let mut event = case.event();
        let mut executions: Vec<Fate> =
            (0..whole.executions.len()).map(|place| case.execution(place)).collect();
        if event == Fate::Remove {
            event = case.part(&mut executions);
        }
        Verdict { event, executions }
    }
}

/// One event with its executions before the judge.
struct Case<'c> {
    judge: &'c Judge<'c>,
    whole: &'c Whole,
    functions: &'c [Option<Arc<str>>],
    since: Timestamp,
    settled: Option<Timestamp>,
    /// Whether an execution is open or a dead letter.
    is_held: bool,
}

impl<'c> Case<'c> {
    fn new(judge: &'c Judge<'c>, whole: &'c Whole, functions: &'c [Option<Arc<str>>]) -> Self {
        let settled = settled_late(whole);
        let since = settled.unwrap_or(whole.id.made_at());
        let mut case = Self { judge, whole, functions, since, settled, is_held: false };
        case.is_held = whole.executions.iter().any(|(execution, _)| case.holds_on(execution));
        case
    }

    fn is_past(&self, keep: Millis) -> bool {
        self.since.plus(keep) <= self.judge.now
    }

    /// Whether this execution keeps its event in the record.
    fn holds_on(&self, execution: &Execution) -> bool {
        !execution.state.is_final()
            || (execution.is_dead_letter() && !self.is_past(self.judge.policy.dead_letters))
    }

    fn kind(&self) -> Option<&str> {
        self.whole.event.as_ref().map(|event| &*event.kind)
    }

    /// The rule of the execution at this place.
    fn rule(&self, place: usize) -> Option<usize> {
        let function = self.functions.get(place).and_then(Option::as_deref);
        self.judge.policy.rule_for(self.kind(), About::Execution(function))
    }

    /// Whether what nothing holds leaves the record, if only for the archive.
    fn is_ripe(&self) -> bool {
        match self.judge.reason {
            Reason::Age => self.judge.policy.archive_after.is_some_and(|age| self.is_past(age)),
            Reason::Space => true,
        }
    }

    /// What becomes of what is ripe.
    fn leave(&self, rule: Option<usize>) -> Fate {
        match self.judge.policy.archive_after {
            Some(_) => Fate::Archive(Bin { rule, settled: self.settled }),
            None => Fate::Remove,
        }
    }

    fn execution(&self, place: usize) -> Fate {
        let execution = &self.whole.executions[place].0;
        if self.holds_on(execution) {
            return Fate::Stay;
        }
        let rule = self.rule(place);
        // A dead letter whose time is over: those are never archived.
        let is_over = execution.is_dead_letter()
            || self.is_past(self.judge.policy.keep(Holds::Executions, rule));
        if is_over {
            Fate::Remove
        } else if self.is_ripe() && !self.is_held {
            self.leave(rule)
        } else {
            Fate::Stay
        }
    }

    fn event(&self) -> Fate {
        if self.whole.event.is_none() || self.is_held {
            return Fate::Stay;
        }
        let rule = self.judge.policy.rule_for(self.kind(), About::Event);
        if self.is_past(self.judge.policy.keep(Holds::Events, rule)) {
            Fate::Remove
        } else if self.is_ripe() {
            self.leave(rule)
        } else {
            Fate::Stay
        }
    }

    /// What becomes of an event that goes while executions of it stay. Without it nobody would know
    /// any more that a rule over types is about them: they go to the archive under that rule now,
    /// or where there is none, the event waits for them.
    fn part(&self, executions: &mut [Fate]) -> Fate {
        let has_archive = self.judge.policy.archive_after.is_some();
        for (place, fate) in executions.iter_mut().enumerate() {
            let rule = self.rule(place);
            let by_kind = rule.is_some_and(|rule| self.judge.policy.rules[rule].kind.is_some());
            match fate {
                Fate::Stay if has_archive => *fate = self.leave(rule),
                Fate::Stay if by_kind => return Fate::Stay,
                _ => {}
            }
        }
        Fate::Remove
    }
}

/// When the last execution ended, to the next full hour, if that was late.
fn settled_late(whole: &Whole) -> Option<Timestamp> {
    const HOUR_US: i64 = LATE.as_u64() as i64 * 1_000;
    let ends = whole.executions.iter().filter_map(|(execution, _)| execution.last.as_ref());
    let last = ends.map(|attempt| attempt.finished_at).max()?;
    let hour = last.as_micros().div_euclid(HOUR_US).saturating_add(1).saturating_mul(HOUR_US);
    (last > whole.id.made_at().plus(LATE)).then_some(Timestamp::from_micros(hour))
}
