//! What the model knows: what was asked for, what was answered, and what follows from both.

use std::collections::{BTreeMap, BTreeSet};

use evoke_model::policy::Rate;
use evoke_model::{EventId, ExecutionId, Millis, Policy, Timestamp, TriggerId};
use evoke_ports::Clock;
use evoke_ports::store::{Change, Receipt, Write};
use serde_json::Value;

use crate::plan::{TriggerPlan, key_of};
use crate::world::World;

/// After a fault of the store, the engine may rest for so long before it tries again.
const TROUBLE: Millis = Millis::new(2_500);

/// Everything the model knows.
#[derive(Default)]
pub(crate) struct Book {
    /// The first thing that was not as it must be.
    pub(crate) wrong: Option<String>,
    pub(crate) triggers: BTreeMap<TriggerId, Known>,
    pub(crate) sent: Vec<Sending>,
    /// Executions whose end was seen in this life.
    pub(crate) concluded: BTreeSet<ExecutionId>,
    /// Executions that may have come to their end in this life.
    pub(crate) perhaps_over: BTreeSet<ExecutionId>,
    /// Executions that were seen to succeed.
    pub(crate) succeeded: BTreeSet<ExecutionId>,
    /// How often executions were opened again.
    pub(crate) reopened: BTreeMap<ExecutionId, u32>,
    /// How often executions became dead letters.
    pub(crate) deaths: BTreeMap<ExecutionId, u32>,
    /// Executions somebody asked to cancel.
    pub(crate) cancels: BTreeSet<ExecutionId>,
    /// Until when a fault of the store may keep the engine from what it would do.
    pub(crate) trouble: Timestamp,
    /// So long a token may be spent before its call begins: nothing begins before it is durable
    /// that it was spent, and that may fail at first.
    pub(crate) slack: Millis,
    /// The buckets of rates.
    pub(crate) buckets: Buckets,
}

/// A trigger as the model knows it.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub(crate) plan: TriggerPlan,
    pub(crate) enabled: bool,
    /// A change is under way: it holds already, or not yet.
    pub(crate) is_unsure: bool,
    /// Counts changes, those that were only asked for included.
    pub(crate) version: u32,
    /// Counts changes of its policy.
    policy_changes: u32,
    /// What was admitted before the last change may still begin.
    pub(crate) is_changing: bool,
    /// It stood still when nothing moved any more: nothing of it may begin.
    pub(crate) is_still: bool,
    /// The highest number of attempts its policies ever allowed.
    pub(crate) attempts_max: u32,
    /// Whether its policy was ever changed.
    pub(crate) was_changed: bool,
}

impl Known {
    pub(crate) fn new(plan: TriggerPlan) -> Self {
        let mut known = Self {
            plan,
            enabled: true,
            is_unsure: false,
            version: 0,
            policy_changes: 0,
            is_changing: false,
            is_still: false,
            attempts_max: 0,
            was_changed: false,
        };
        known.allow(&known.plan.policy.clone());
        known
    }

    /// A change is asked for.
    pub(crate) fn asked(&mut self) {
        self.is_unsure = true;
        self.is_still = false;
        self.version += 1;
    }

    /// How often its policy has changed, where that is clear.
    pub(crate) fn policy_version(&self) -> Option<u32> {
        (!self.is_changing && !self.is_unsure).then_some(self.policy_changes)
    }

    /// A policy may hold from now on.
    pub(crate) fn allow(&mut self, policy: &Policy) {
        let attempts = policy.retry.clone().unwrap_or_default().attempts;
        self.attempts_max = self.attempts_max.max(attempts);
    }

    /// What holds now is known again.
    pub(crate) fn settle(&mut self, policy: &Policy, enabled: bool) {
        let is_changed = self.plan.policy != *policy;
        self.was_changed |= is_changed;
        self.policy_changes += u32::from(is_changed);
        self.is_changing |= is_changed;
        self.plan.policy = policy.clone();
        self.enabled = enabled;
        self.is_unsure = false;
        self.version += 1;
    }
}

/// Events that were sent together.
#[derive(Debug)]
pub(crate) struct Sending {
    pub(crate) drafts: Vec<Drafted>,
    pub(crate) sent_at: Timestamp,
    /// For each trigger, its version and whether it was on.
    pub(crate) saw: BTreeMap<TriggerId, (u32, Wants)>,
    pub(crate) answer: Told,
}

impl Sending {
    /// What a trigger wanted is not clear if it was changed while the events were under way.
    fn answered(&mut self, told: Told, triggers: &BTreeMap<TriggerId, Known>) {
        self.answer = told;
        for (id, (version, wants)) in &mut self.saw {
            if triggers.get(id).is_none_or(|known| known.version != *version) {
                *wants = Wants::Perhaps;
            }
        }
    }
}

/// Whether a trigger was to take events.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Wants {
    Yes,
    No,
    Perhaps,
}

/// One event that was sent.
#[derive(Debug, Clone)]
pub(crate) struct Drafted {
    pub(crate) number: u64,
    pub(crate) kind: &'static str,
    pub(crate) data: Value,
    pub(crate) due: Option<Timestamp>,
    /// Keys under which it is taken only once.
    pub(crate) once: Vec<String>,
}

/// What a sender was told.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Told {
    /// Nothing yet.
    Nothing,
    /// The process died before.
    Never,
    /// Taken; the id of each, and whether it was there already.
    Taken(Vec<(EventId, bool)>),
    /// Refused.
    Refused,
}

/// Token buckets, kept in nanoseconds.
#[derive(Default, Debug)]
pub(crate) struct Buckets(BTreeMap<(Option<TriggerId>, Option<String>), i128>);

impl Buckets {
    /// Takes a token; says whether there was one.
    pub(crate) fn take(
        &mut self,
        owner: (Option<TriggerId>, Option<String>),
        rate: &Rate,
        (now, slack): (Timestamp, Millis),
    ) -> bool {
        let now = i128::from(now.as_micros()) * 1_000;
        let each = i128::from(rate.per.as_u64()) * 1_000_000 / i128::from(rate.limit);
        let burst = i128::from(rate.burst.unwrap_or(rate.limit));
        let full_at = self.0.entry(owner).or_insert(now);
        *full_at = (*full_at).max(now) + each;
        *full_at - now <= each * burst + i128::from(slack.as_u64()) * 1_000_000
    }

    /// Forgets what a trigger has spent.
    pub(crate) fn forget(&mut self, trigger: TriggerId) {
        self.0.retain(|(owner, _), _| *owner != Some(trigger));
    }
}

impl Book {
    /// Something of the store failed just now.
    pub(crate) fn trouble_at(&mut self, world: &World) {
        self.trouble = self.trouble.max(world.clock.now().plus(TROUBLE));
        self.slack = TROUBLE;
    }

    /// The process died.
    pub(crate) fn died(&mut self) {
        self.concluded.clear();
        self.perhaps_over.clear();
        for sending in self.sent.iter_mut().filter(|sending| sending.answer == Told::Nothing) {
            sending.answered(Told::Never, &self.triggers);
        }
    }

    /// For each trigger, whether it is to take events sent now.
    pub(crate) fn see(&self) -> BTreeMap<TriggerId, (u32, Wants)> {
        let wants = |known: &Known| match (known.is_unsure, known.enabled) {
            (true, _) => Wants::Perhaps,
            (false, true) => Wants::Yes,
            (false, false) => Wants::No,
        };
        self.triggers.iter().map(|(id, known)| (*id, (known.version, wants(known)))).collect()
    }

    /// A sender was told something.
    pub(crate) fn told(&mut self, sending: usize, told: Told) {
        if let Some(sending) = self.sent.get_mut(sending) {
            sending.answered(told, &self.triggers);
        }
    }

    /// The key an expression of a trigger's policy gives for an event.
    pub(crate) fn key(expression: Option<&String>, data: &Value) -> Option<String> {
        key_of(expression.map(String::as_str), data)
    }
}

impl World {
    /// Takes note of what is in the store now.
    pub(crate) fn committed(&self, write: &Write, receipt: &Receipt) {
        match (write, receipt) {
            (Write::All(writes), Receipt::All(receipts)) => {
                for (write, receipt) in writes.iter().zip(receipts) {
                    self.committed(write, receipt);
                }
            }
            (Write::Change(change), Receipt::Changed(true)) => {
                if let Change::Reopen { id, .. } = &**change {
                    let mut book = self.book.lock();
                    *book.reopened.entry(*id).or_default() += 1;
                    book.concluded.remove(id);
                }
            }
            (Write::Finish(finishes), Receipt::Finished { stale }) => {
                let mut book = self.book.lock();
                let kept = finishes.iter().filter(|finish| !stale.contains(&finish.id));
                for finish in kept.filter(|finish| finish.cause.is_some()) {
                    *book.deaths.entry(finish.id).or_default() += 1;
                }
            }
            _ => {}
        }
    }
}
