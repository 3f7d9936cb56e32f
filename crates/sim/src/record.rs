//! What must hold in the end, when everything is over: the whole record against what was asked for
//! and answered.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use evoke_model::policy::{DebounceMode, Overflow};
use evoke_model::{
    Attempt, Code, Event, EventId, Execution, ExecutionId, Outcome, State, TriggerId,
};
use evoke_ports::store::{EventQuery, Events, Executions, Order};

use crate::book::{Book, Drafted, Known, Sending, Told, Wants};
use crate::plan::DEAD;
use crate::world::{World, event_label, now};

/// The record in the end.
struct Record {
    events: BTreeMap<EventId, Arc<Event>>,
    by_number: BTreeMap<u64, Vec<EventId>>,
    executions: BTreeMap<ExecutionId, Execution>,
}

impl World {
    /// Compares the record with what was asked for.
    pub(crate) fn check_record(&self) {
        let record = Record::read(self);
        let book = self.book.lock();
        let mut problems = record.check_once(&book);
        for sending in &book.sent {
            problems.extend(record.check_sending(sending, &book));
        }
        for execution in record.executions.values() {
            let attempts = now(self.record.attempts(execution.id));
            let found = record.check_execution(execution, &attempts, &book);
            problems.extend(found.map(|problem| format!("{}: {problem}", execution.id)));
        }
        for (id, known) in &book.triggers {
            problems.extend(record.check_once_keys(*id, known, &book));
            problems.extend(record.check_debounced(*id, known, &book));
        }
        problems.extend(record.check_published(&book));
        drop(book);
        for problem in problems {
            self.wrong(problem);
        }
    }
}

impl Record {
    fn read(world: &World) -> Self {
        let mut events = BTreeMap::new();
        let mut cursor = None;
        loop {
            let order = Order::OldestFirst;
            let query = EventQuery { order, limit: 1_000, cursor, ..EventQuery::default() };
            let page = now(world.record.events(query));
            events.extend(page.items.into_iter().map(|event| (event.id, event)));
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        let mut by_number: BTreeMap<u64, Vec<EventId>> = BTreeMap::new();
        for event in events.values().filter(|event| event.replay_of.is_none()) {
            if let Some(number) = event.data.to_value()["n"].as_u64() {
                by_number.entry(number).or_default().push(event.id);
            }
        }
        let executions = world.in_states(&[]).into_iter().map(|found| (found.id, found)).collect();
        Self { events, by_number, executions }
    }

    fn of_trigger(&self, id: TriggerId) -> impl Iterator<Item = (&Execution, &Arc<Event>)> {
        let own = self.executions.values().filter(move |execution| execution.id.trigger == id);
        own.filter_map(|execution| Some((execution, self.events.get(&execution.id.event)?)))
    }

    /// Nothing that was sent is there twice, and nothing under a key is.
    fn check_once(&self, book: &Book) -> Vec<String> {
        let mut problems = Vec::new();
        let drafts: BTreeMap<u64, &Drafted> =
            book.sent.iter().flat_map(|sent| &sent.drafts).map(|one| (one.number, one)).collect();
        let mut taken = BTreeMap::new();
        for (number, ids) in &self.by_number {
            if ids.len() > 1 {
                problems.push(format!("e{number} is in the record {} times", ids.len()));
            }
            for key in drafts.get(number).into_iter().flat_map(|draft| &draft.once) {
                if let Some(other) = taken.insert(key, number) {
                    problems.push(format!("e{other} and e{number} were both taken under {key}"));
                }
            }
        }
        problems
    }

    fn check_sending(&self, sending: &Sending, book: &Book) -> Vec<String> {
        let mut problems = Vec::new();
        for (place, draft) in sending.drafts.iter().enumerate() {
            let stored = self.by_number.get(&draft.number).and_then(|ids| ids.first());
            let name = format!("e{}", draft.number);
            match (&sending.answer, stored) {
                (Told::Taken(taken), stored) => match (taken.get(place), stored) {
                    (Some((id, false)), Some(stored)) if id == stored => {}
                    (Some((id, true)), None) if self.events.contains_key(id) => {}
                    other => problems.push(format!("{name} was answered and is not so: {other:?}")),
                },
                (Told::Refused, Some(_)) => {
                    problems.push(format!("{name} was refused and is in the record"));
                }
                (Told::Nothing, _) => problems.push(format!("{name} was never answered")),
                (Told::Refused | Told::Never, _) => {}
            }
            if let Some(stored) = stored {
                problems.extend(self.check_matches(*stored, draft, sending, book));
            }
        }
        problems.extend(self.check_all_or_none(sending));
        problems
    }

    /// Events that were sent together are all there or none of them, those aside that were there
    /// already.
    fn check_all_or_none(&self, sending: &Sending) -> Option<String> {
        let plain = sending.drafts.iter().filter(|draft| draft.once.is_empty());
        let there: Vec<_> = plain.map(|draft| self.by_number.contains_key(&draft.number)).collect();
        let is_torn = there.contains(&true) && there.contains(&false);
        is_torn.then(|| format!("of events sent together only some are kept: {sending:?}"))
    }

    /// A stored event has exactly one execution for each trigger that wanted it.
    fn check_matches(
        &self,
        event: EventId,
        draft: &Drafted,
        sending: &Sending,
        book: &Book,
    ) -> Vec<String> {
        let mut problems = Vec::new();
        for (trigger, (_, wants)) in &sending.saw {
            let Some(known) = book.triggers.get(trigger) else { continue };
            let is_there = self.executions.contains_key(&ExecutionId { event, trigger: *trigger });
            let is_wanted = known.plan.wants(draft.kind, &draft.data);
            let must = is_wanted && *wants == Wants::Yes;
            let may = is_wanted && *wants != Wants::No;
            let name = format!("e{}>{}", draft.number, known.plan.name);
            if must && !is_there {
                problems.push(format!("{name} has no execution, sent at {}", sending.sent_at));
            }
            if !may && is_there {
                problems.push(format!("{name} has an execution that nobody wants"));
            }
        }
        problems
    }

    fn check_execution(
        &self,
        execution: &Execution,
        attempts: &[Attempt],
        book: &Book,
    ) -> Option<String> {
        let known = book.triggers.get(&execution.id.trigger)?;
        if !self.events.contains_key(&execution.id.event) {
            return Some("its event is not in the record".to_owned());
        }
        let last = attempts.last();
        let failure = last.and_then(|attempt| match &attempt.outcome {
            Outcome::Failure(failure) | Outcome::TimedOut(failure) => Some(failure),
            Outcome::Success(_) | Outcome::Cancelled => None,
        });
        if execution.attempts > known.attempts_max {
            return Some(format!("{} attempts of {}", execution.attempts, known.attempts_max));
        }
        let is_reopened = book.reopened.contains_key(&execution.id);
        let numbers: Vec<u32> = attempts.iter().map(|attempt| attempt.number).collect();
        let is_rising = numbers.windows(2).all(|two| two[0] + 1 == two[1] || two[0] == two[1]);
        if !is_rising && !is_reopened {
            return Some(format!("its attempts are {numbers:?}"));
        }
        match execution.state {
            State::Pending | State::Running => Some("it is not over".to_owned()),
            State::Success if !book.succeeded.contains(&execution.id) => {
                Some("nobody saw it succeed".to_owned())
            }
            State::Success => None,
            State::Failed | State::TimedOut => match failure {
                None => Some("it failed of nothing".to_owned()),
                Some(_) => None,
            },
            State::Cancelled => check_cancelled(execution, failure.map(|f| f.code), known, book),
        }
    }

    /// A key of a trigger lets one event through.
    fn check_once_keys(&self, id: TriggerId, known: &Known, book: &Book) -> Vec<String> {
        let Some(once) = &known.plan.policy.idempotency else { return Vec::new() };
        let mut let_through: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (execution, event) in self.of_trigger(id) {
            let key = Book::key(Some(&once.key), &event.data.to_value());
            let is_exempt = event.replay_of.is_some()
                || is_kept_out(execution)
                || book.reopened.contains_key(&execution.id);
            if let Some(key) = key.filter(|_| !is_exempt) {
                let_through.entry(key).or_default().push(event_label(event));
            }
        }
        let twice = let_through.into_iter().filter(|(_, events)| events.len() > 1);
        let name = &known.plan.name;
        twice.map(|(key, events)| format!("{name} took {events:?} under the key {key}")).collect()
    }

    /// Who was superseded was so by a later one of its key.
    fn check_debounced(&self, id: TriggerId, known: &Known, book: &Book) -> Vec<String> {
        let mut problems = Vec::new();
        let debounce = known.plan.policy.debounce.as_ref();
        let Some(debounce) = debounce.filter(|debounce| debounce.mode == DebounceMode::Last) else {
            return problems;
        };
        let overflow = known.plan.policy.concurrency.as_ref().map(|limit| limit.overflow);
        if overflow == Some(Overflow::Cancel) {
            // There others take places as well, under another key.
            return problems;
        }
        for (execution, event) in self.of_trigger(id) {
            let Some(by) = superseded_by(execution) else { continue };
            if book.reopened.contains_key(&execution.id) || by == execution.id {
                continue;
            }
            let key = |event: &Event| Book::key(debounce.key.as_ref(), &event.data.to_value());
            let other = self.executions.get(&by).and_then(|_| self.events.get(&by.event));
            let is_right = by.trigger == id && other.is_some_and(|other| key(other) == key(event));
            if !is_right {
                let name = event_label(event);
                problems.push(format!("{name} was superseded by {by}, which is none of its key"));
            }
        }
        problems
    }

    /// Each dead letter was told of as often as it died.
    fn check_published(&self, book: &Book) -> Vec<String> {
        let mut told: BTreeMap<String, u32> = BTreeMap::new();
        let dead = self.events.values().filter(|event| &*event.kind == DEAD);
        for event in dead.filter(|event| event.replay_of.is_none()) {
            *told.entry(event.subject.as_deref().unwrap_or_default().to_owned()).or_default() += 1;
        }
        let mut problems = Vec::new();
        for (id, deaths) in &book.deaths {
            let Some(known) = book.triggers.get(&id.trigger) else { continue };
            let is_published = known.plan.policy.dead_letter_event().is_some();
            let count = told.remove(&id.to_string()).unwrap_or(0);
            if count != if is_published { *deaths } else { 0 } {
                problems.push(format!("{id} died {deaths} times and was told of {count} times"));
            }
        }
        let others: BTreeSet<_> = told.into_keys().collect();
        if !others.is_empty() {
            problems.push(format!("dead letters were told of that did not die: {others:?}"));
        }
        problems
    }
}

fn failure_text(execution: &Execution) -> Option<(Code, &str)> {
    match &execution.last.as_ref()?.outcome {
        Outcome::Failure(failure) => Some((failure.code, &failure.message)),
        _ => None,
    }
}

/// Whether a key of its trigger kept it out.
fn is_kept_out(execution: &Execution) -> bool {
    failure_text(execution).is_some_and(|(_, text)| text.contains("has taken an event"))
}

/// The newer one that took its place.
fn superseded_by(execution: &Execution) -> Option<ExecutionId> {
    let (_, text) = failure_text(execution)?;
    text.strip_suffix(" came after it and took its place")?.parse().ok()
}

fn check_cancelled(
    execution: &Execution,
    code: Option<Code>,
    known: &Known,
    book: &Book,
) -> Option<String> {
    let was_asked = book.cancels.contains(&execution.id);
    let policy = &known.plan.policy;
    let overflow = policy.concurrency.as_ref().map(|concurrency| concurrency.overflow);
    let drops = matches!(overflow, Some(Overflow::Skip | Overflow::Cancel))
        || policy.debounce.as_ref().is_some_and(|wait| wait.mode == DebounceMode::Last)
        || policy.idempotency.is_some();
    match code {
        // It ran and stopped when it was told to.
        None if was_asked => None,
        Some(Code::ExecutionCancelled) if was_asked => None,
        Some(Code::ExecutionSkipped) if drops => None,
        Some(Code::LoopBroken) => None,
        other => Some(format!("it is cancelled for {other:?}, and nobody asked")),
    }
}
