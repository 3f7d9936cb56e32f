//! All rules in the form that costs an event the least: a map by exact type, then by first segment,
//! then the few that could take anything. Immutable; made anew when a trigger changes.

use std::sync::Arc;

use ahash::AHashMap;
use evoke_model::trigger::Subscription;
use evoke_model::{Event, Policy, Problem, Trigger, TriggerId};

use crate::expression::{Expression, Scope};
use crate::keys::{Evaluated, KeyExpressions, compile};
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
    unanswered: Unanswered,
}

/// What a filter means that gives no answer: a field is missing, types do not fit.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Unanswered {
    /// The event is not wanted.
    #[default]
    LeftOut,
    /// It is wanted: whoever guards something is asked rather than passed by.
    Taken,
}

/// A rule with everything compiled.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) trigger: Arc<Trigger>,
    wanted: Option<Wanted>,
    /// All must hold: what the subscription asks for beside its patterns, and the trigger's own.
    filters: Vec<Expression>,
    /// That of all its executions, if they do not have their own.
    priority: i32,
    keys: Option<Box<KeyExpressions>>,
    transform: Option<Expression>,
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

    fn takes_type(&self, kind: &str) -> bool {
        self.kind.as_ref().is_none_or(|pattern| pattern.matches(kind))
    }

    /// Whether it wants an event of a type that fits.
    fn takes(&self, event: &Event) -> bool {
        self.source.as_ref().is_none_or(|pattern| pattern.matches(&event.source))
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
        let policy = &rule.trigger.policy;
        let asked = rule.subscription.as_ref().and_then(|wants| wants.filter.as_ref());
        let filters = [asked, policy.filter.as_ref()];
        let compiled = filters.into_iter().map(|text| compile("filter", text, &mut problems));
        let filters = compiled.collect::<Vec<_>>().into_iter().flatten().collect();
        let entry = Self {
            trigger: Arc::clone(&rule.trigger),
            wanted,
            filters,
            priority: policy.priority.fixed(),
            keys: KeyExpressions::compile(policy, &mut problems),
            transform: compile("transform", policy.transform.as_ref(), &mut problems),
        };
        if problems.is_empty() { Ok(entry) } else { Err(problems) }
    }

    /// Whether patterns and filter take the event, whose type fits.
    ///
    /// # Errors
    /// Why the filter gave no answer.
    pub(crate) fn takes<'e>(
        &self,
        event: &'e Event,
        scope: &mut Option<Scope<'e>>,
    ) -> Result<bool, String> {
        if !self.wanted.as_ref().is_some_and(|wanted| wanted.takes(event)) {
            return Ok(false);
        }
        let mut trouble = None;
        for filter in &self.filters {
            let scope = scope.get_or_insert_with(|| Scope::new(event));
            match filter.evaluate_bool(scope) {
                Ok(true) => {}
                Ok(false) => return Ok(false),
                Err(error) => trouble = Some(format!("filter: {error}")),
            }
        }
        trouble.map_or(Ok(true), Err)
    }

    /// The keys and the priority of an execution for the event.
    #[inline]
    pub(crate) fn evaluate<'e>(
        &self,
        event: &'e Event,
        scope: &mut Option<Scope<'e>>,
    ) -> Evaluated {
        let Some(keys) = self.keys.as_deref() else {
            return Evaluated { priority: self.priority, ..Evaluated::default() };
        };
        let scope = scope.get_or_insert_with(|| Scope::new(event));
        keys.evaluate(scope, self.priority)
    }
}

/// Everything that is wrong with a policy and the patterns of a subscription; fields are relative
/// to the trigger (`filter`, `order_by`, `concurrency.key`, `match`, ...).
pub fn check(policy: &Policy, subscription: Option<&Subscription>) -> Vec<Problem> {
    let mut problems = Vec::new();
    if let Some(subscription) = subscription {
        Wanted::compile(subscription, &mut problems);
        compile("filter", subscription.filter.as_ref(), &mut problems);
    }
    compile("filter", policy.filter.as_ref(), &mut problems);
    KeyExpressions::compile(policy, &mut problems);
    compile("transform", policy.transform.as_ref(), &mut problems);
    problems.extend(crate::check::check(policy));
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
        index.entries.sort_by_key(|entry| (std::cmp::Reverse(entry.priority), entry.trigger.id));
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

    fn entry(&self, trigger: TriggerId) -> Option<&Entry> {
        self.by_id.get(&trigger).map(|rank| &self.entries[*rank])
    }

    /// The keys of an execution that is not planned by [`crate::plan()`]: its source planned it (a
    /// route, a direct call), or it was read back from the store. A trigger that is not in the
    /// index has none.
    pub fn keys_for(&self, trigger: TriggerId, event: &Event) -> Evaluated {
        let Some(entry) = self.entry(trigger) else { return Evaluated::default() };
        entry.evaluate(event, &mut None)
    }

    /// What the target of a trigger gets as event data instead of the event's own; `None` where the
    /// trigger has no transform.
    ///
    /// # Errors
    /// Why the transform gave no answer: the execution must fail, since the target expects another
    /// form than the event's.
    pub fn transform(
        &self,
        trigger: TriggerId,
        event: &Event,
    ) -> Option<Result<serde_json::Value, String>> {
        let transform = self.entry(trigger)?.transform.as_ref()?;
        let answer = transform.evaluate_json(&Scope::new(event));
        Some(answer.map_err(|error| format!("transform: {error}")))
    }

    /// The same index where a filter without an answer means this.
    #[must_use]
    pub fn unanswered(self, unanswered: Unanswered) -> Self {
        Self { unanswered, ..self }
    }

    /// Whether an event is taken for which a filter gives no answer.
    pub(crate) fn takes_unanswered(&self) -> bool {
        self.unanswered == Unanswered::Taken
    }

    /// The rules whose type pattern takes an event of this type, by rank.
    pub(crate) fn candidates<'i>(&'i self, kind: &'i str) -> Candidates<'i> {
        let exact = self.exact.get(kind).map_or(&[][..], Vec::as_slice);
        let nested = if self.by_first_segment.is_empty() {
            &[][..]
        } else {
            let first = kind.split('.').next().unwrap_or_default();
            self.by_first_segment.get(first).map_or(&[][..], Vec::as_slice)
        };
        Candidates { index: self, kind, lists: [exact, nested, &self.open], last: None }
    }
}

/// Merges lists that are each in the order of ranks.
pub(crate) struct Candidates<'i> {
    index: &'i Index,
    kind: &'i str,
    lists: [&'i [usize]; 3],
    last: Option<usize>,
}

/// The list of those that are found by the whole type: their pattern need not be looked at.
const EXACT: usize = 0;

impl<'i> Candidates<'i> {
    fn next_place(&self) -> Option<usize> {
        // Nearly always there is nothing to merge.
        match self.lists {
            [_, [], []] => return Some(EXACT),
            [[], _, []] => return Some(1),
            [[], [], _] => return Some(2),
            _ => {}
        }
        let first = |(place, list): (usize, &&[usize])| Some((*list.first()?, place));
        self.lists.iter().enumerate().filter_map(first).min().map(|(_, place)| place)
    }
}

impl<'i> Iterator for Candidates<'i> {
    type Item = &'i Entry;

    fn next(&mut self) -> Option<&'i Entry> {
        loop {
            let place = self.next_place()?;
            let (rank, rest) = self.lists[place].split_first()?;
            self.lists[place] = rest;
            // A pattern with alternatives may stand in two lists.
            if self.last.replace(*rank) == Some(*rank) {
                continue;
            }
            let entry = &self.index.entries[*rank];
            let wanted = entry.wanted.as_ref();
            if place == EXACT || wanted.is_some_and(|wanted| wanted.takes_type(self.kind)) {
                return Some(entry);
            }
        }
    }
}

#[cfg(test)]
mod tests;
