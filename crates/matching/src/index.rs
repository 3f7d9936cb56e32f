//! All rules in the form that costs an event the least: a map by exact type, then by first segment,
//! then the few that could take anything. Immutable; made anew when a trigger changes.

use std::sync::Arc;

use ahash::AHashMap;
use evoke_model::trigger::Subscription;
use evoke_model::{Event, Policy, Problem, Trigger, TriggerId};

use crate::expression::{Expression, Scope};
use crate::pattern::{Anchor, Pattern, Separator};

/// A trigger and the events it wants.
#[derive(Clone, Debug)]
pub struct Rule {
    /// The trigger.
    pub trigger: Arc<Trigger>,
    /// The events; `None` for triggers whose executions are planned by their source (routes, direct
    /// calls): they are here for their keys.
    pub subscription: Option<Subscription>,
}

/// All rules, ready for [`crate::plan()`].
#[derive(Debug, Default)]
pub struct Index {
    /// By priority, higher first, then by id: places in here are ranks.
    entries: Vec<Entry>,
    by_id: AHashMap<TriggerId, usize>,
    exact: AHashMap<Box<str>, Vec<usize>>,
    by_first_segment: AHashMap<Box<str>, Vec<usize>>,
    open: Vec<usize>,
}

/// A rule with everything compiled.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) trigger: Arc<Trigger>,
    wanted: Option<Wanted>,
    pub(crate) filter: Option<Expression>,
    pub(crate) order_by: Option<Expression>,
    pub(crate) concurrency_key: Option<Expression>,
}

#[derive(Debug)]
struct Wanted {
    kind: Option<Pattern>,
    source: Option<Pattern>,
    subject: Option<Pattern>,
}

impl Wanted {
    fn compile(subscription: &Subscription, problems: &mut Vec<Problem>) -> Self {
        let mut part = |field: &str, text: &Option<String>, separator| {
            let text = text.as_deref()?;
            Pattern::parse(text, separator)
                .map_err(|problem| problems.push(at(field, problem)))
                .ok()
        };
        Self {
            kind: part("match", &subscription.kind, Separator::Dot),
            source: part("source", &subscription.source, Separator::Slash),
            subject: part("subject", &subscription.subject, Separator::Slash),
        }
    }

    fn matches(&self, event: &Event) -> bool {
        self.kind.as_ref().is_none_or(|pattern| pattern.matches(&event.kind))
            && self.source.as_ref().is_none_or(|pattern| pattern.matches(&event.source))
            && self.subject.as_ref().is_none_or(|pattern| {
                event.subject.as_deref().is_some_and(|subject| pattern.matches(subject))
            })
    }
}

fn at(field: &str, problem: Problem) -> Problem {
    Problem { field: field.to_owned(), ..problem }
}

impl Entry {
    fn compile(rule: &Rule) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let wanted = rule.subscription.as_ref().map(|wants| Wanted::compile(wants, &mut problems));
        let policy = Compiled::of(&rule.trigger.policy, &mut problems);
        if !problems.is_empty() {
            return Err(problems);
        }
        Ok(Self {
            trigger: Arc::clone(&rule.trigger),
            wanted,
            filter: policy.filter,
            order_by: policy.order_by,
            concurrency_key: policy.concurrency_key,
        })
    }

    /// Whether patterns and filter take the event.
    ///
    /// # Errors
    /// Why the filter gave no answer.
    pub(crate) fn takes<'e>(
        &self,
        event: &'e Event,
        scope: &mut Option<Scope<'e>>,
    ) -> Result<bool, String> {
        if !self.wanted.as_ref().is_some_and(|wanted| wanted.matches(event)) {
            return Ok(false);
        }
        let Some(filter) = &self.filter else { return Ok(true) };
        let scope = scope.get_or_insert_with(|| Scope::new(event));
        filter.evaluate_bool(scope).map_err(|error| format!("filter: {error}"))
    }
}

struct Compiled {
    filter: Option<Expression>,
    order_by: Option<Expression>,
    concurrency_key: Option<Expression>,
}

impl Compiled {
    fn of(policy: &Policy, problems: &mut Vec<Problem>) -> Self {
        let mut part = |field: &str, text: Option<&String>| {
            Expression::compile(text?).map_err(|problem| problems.push(at(field, problem))).ok()
        };
        Self {
            filter: part("filter", policy.filter.as_ref()),
            order_by: part("order_by", policy.order_by.as_ref()),
            concurrency_key: part(
                "concurrency.key",
                policy.concurrency.as_ref().and_then(|concurrency| concurrency.key.as_ref()),
            ),
        }
    }
}

/// Everything that is wrong with the expressions of a policy and the patterns of a subscription;
/// fields are relative to the trigger (`filter`, `order_by`, `concurrency.key`, `match`, ...).
pub fn check(policy: &Policy, subscription: Option<&Subscription>) -> Vec<Problem> {
    let mut problems = Vec::new();
    if let Some(subscription) = subscription {
        Wanted::compile(subscription, &mut problems);
    }
    Compiled::of(policy, &mut problems);
    problems
}

impl Index {
    /// Makes the index. Rules that cannot be compiled are left out and told beside it, so that one
    /// broken trigger stops no other. Triggers that are not active match nothing.
    pub fn build(rules: &[Rule]) -> (Self, Vec<(TriggerId, Problem)>) {
        let mut index = Self::default();
        let mut broken = Vec::new();
        for rule in rules.iter().filter(|rule| rule.trigger.is_active()) {
            match Entry::compile(rule) {
                Ok(entry) => index.entries.push(entry),
                Err(problems) => {
                    broken.extend(problems.into_iter().map(|problem| (rule.trigger.id, problem)));
                }
            }
        }
        index.entries.sort_by_key(|entry| {
            (std::cmp::Reverse(entry.trigger.policy.priority), entry.trigger.id)
        });
        for rank in 0..index.entries.len() {
            index.place(rank);
        }
        (index, broken)
    }

    fn place(&mut self, rank: usize) {
        let entry = &self.entries[rank];
        self.by_id.insert(entry.trigger.id, rank);
        let Some(wanted) = &entry.wanted else { return };
        let Some(kind) = &wanted.kind else {
            self.open.push(rank);
            return;
        };
        for anchor in kind.anchors() {
            let list = match anchor {
                Anchor::Exact(text) => self.exact.entry(text.into()).or_default(),
                Anchor::First(segment) => self.by_first_segment.entry(segment.into()).or_default(),
                Anchor::Open => &mut self.open,
            };
            // Alternatives may lead to the same place.
            if list.last() != Some(&rank) {
                list.push(rank);
            }
        }
    }

    /// How many rules there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(crate) fn entry(&self, trigger: TriggerId) -> Option<&Entry> {
        self.by_id.get(&trigger).map(|rank| &self.entries[*rank])
    }

    /// The rules whose type pattern may take an event of this type, by rank.
    pub(crate) fn candidates(&self, kind: &str) -> Candidates<'_> {
        let exact = self.exact.get(kind).map_or(&[][..], Vec::as_slice);
        let nested = if self.by_first_segment.is_empty() {
            &[][..]
        } else {
            let first = kind.split('.').next().unwrap_or_default();
            self.by_first_segment.get(first).map_or(&[][..], Vec::as_slice)
        };
        Candidates { index: self, lists: [exact, nested, &self.open], last: None }
    }
}

/// Merges lists that are each in the order of ranks.
pub(crate) struct Candidates<'i> {
    index: &'i Index,
    lists: [&'i [usize]; 3],
    last: Option<usize>,
}

impl<'i> Iterator for Candidates<'i> {
    type Item = &'i Entry;

    fn next(&mut self) -> Option<&'i Entry> {
        loop {
            let lists = self.lists.iter_mut().filter(|list| !list.is_empty());
            let list = lists.min_by_key(|list| list[0])?;
            let (rank, rest) = list.split_first()?;
            *list = rest;
            // A pattern with alternatives may stand in two lists.
            if self.last.replace(*rank) != Some(*rank) {
                return Some(&self.index.entries[*rank]);
            }
        }
    }
}

#[cfg(test)]
mod tests;
