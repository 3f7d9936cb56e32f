//! Events against the index: which executions there will be. A value that can be printed; committed
//! together with the events it was made from.

use std::sync::Arc;

use evoke_model::execution::Failure;
use evoke_model::problem::Code;
use evoke_model::{Event, EventId, Keys, Timestamp, Trigger, TriggerId};

use crate::expression::Scope;
use crate::index::{Entry, Index};
use crate::keys::Evaluated;

/// What bounds a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlanLimits {
    /// Events deeper than this in a chain of causes start nothing.
    pub depth_max: u16,
}

/// The executions of some events.
#[derive(Debug, Default)]
pub struct Plan {
    /// By event, in the order given; those of one event by priority, higher first, then by trigger.
    pub executions: Vec<Planned>,
    /// Expressions that gave no answer. What a filter without one means, the index says
    /// ([`Unanswered`](crate::Unanswered)); a key without an answer is no key, so the execution
    /// runs, but outside of any order.
    pub trouble: Vec<Trouble>,
}

/// An execution to be.
#[derive(Debug, Clone)]
pub struct Planned {
    /// Place of the event among those given.
    pub event: usize,
    /// The trigger.
    pub trigger: Arc<Trigger>,
    /// When it is due.
    pub due: Timestamp,
    /// Its keys.
    pub keys: Keys,
    /// Who goes first where places are short: seconds of head start, at most
    /// [`Priority::MAX`](evoke_model::policy::Priority::MAX) either way.
    pub priority: i32,
    /// It is not to run: it would close or deepen a loop. Recorded as failed.
    pub broken: Option<LoopBreak>,
}

/// Why an execution is not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoopBreak {
    /// The trigger is in the chain of causes of the event already.
    OwnEffect,
    /// The chain of causes is too long.
    TooDeep {
        /// How deep the event is.
        depth: u16,
        /// How deep it may be.
        depth_max: u16,
    },
}

impl LoopBreak {
    /// What the record of the execution says.
    pub fn failure(self) -> Failure {
        let message = match self {
            Self::OwnEffect => {
                "the event was caused by this trigger itself; a trigger does not fire on its own \
                 effect"
                    .to_owned()
            }
            Self::TooDeep { depth, depth_max } => format!(
                "the event stands {depth} executions away from its root; the limit is {depth_max}"
            ),
        };
        Failure::new(Code::LoopBroken, message).for_good()
    }
}

/// An expression that gave no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// For this event.
    pub event: EventId,
    /// The trigger whose expression it is.
    pub trigger: TriggerId,
    /// Which one, and why.
    pub message: String,
}

/// Plans the executions of `events`. `now` is when those without a due time of their own are due.
pub fn plan(events: &[Arc<Event>], index: &Index, limits: PlanLimits, now: Timestamp) -> Plan {
    let mut plan = Plan { executions: Vec::with_capacity(events.len()), trouble: Vec::new() };
    for (place, event) in events.iter().enumerate() {
        let mut scope = None;
        for entry in index.candidates(&event.kind) {
            match entry.takes(event, &mut scope) {
                Ok(false) => {}
                Ok(true) => plan.add((place, event), entry, &mut scope, limits, now),
                Err(message) => {
                    plan.trouble(event, entry.trigger.id, message);
                    if index.takes_unanswered() {
                        plan.add((place, event), entry, &mut scope, limits, now);
                    }
                }
            }
        }
    }
    plan
}

impl Plan {
    fn add<'e>(
        &mut self,
        (place, event): (usize, &'e Event),
        entry: &Entry,
        scope: &mut Option<Scope<'e>>,
        limits: PlanLimits,
        now: Timestamp,
    ) {
        let Evaluated { keys, priority, trouble } = entry.evaluate(event, scope);
        for message in trouble {
            self.trouble(event, entry.trigger.id, message);
        }
        self.executions.push(Planned {
            event: place,
            trigger: Arc::clone(&entry.trigger),
            due: event.due.unwrap_or(now),
            keys,
            priority,
            broken: loop_break(event, entry.trigger.id, limits),
        });
    }

    fn trouble(&mut self, event: &Event, trigger: TriggerId, message: String) {
        self.trouble.push(Trouble { event: event.id, trigger, message });
    }
}

/// Whether an execution of `trigger` for `event` would close or deepen a loop. Also for executions
/// that are planned by their source.
pub fn loop_break(event: &Event, trigger: TriggerId, limits: PlanLimits) -> Option<LoopBreak> {
    let lineage = event.lineage.as_deref()?;
    if lineage.chain.contains(&trigger) {
        return Some(LoopBreak::OwnEffect);
    }
    let (depth, depth_max) = (lineage.depth, limits.depth_max);
    (depth > depth_max).then_some(LoopBreak::TooDeep { depth, depth_max })
}
