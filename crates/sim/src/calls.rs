//! The calls of the target: those under way, and what must hold when one begins.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use evoke_model::execution::RetryHint;
use evoke_model::policy::{DebounceMode, Overflow, Policy};
use evoke_model::{Event, ExecutionId, Outcome, State, Timestamp, TriggerId};
use evoke_ports::store::{Due, Executions, Waiting};
use evoke_ports::{Clock, Job};
use serde_json::Value;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::book::{Book, Known};
use crate::world::{World, event_label, now};

/// The calls of this life.
#[derive(Default)]
pub(crate) struct Calls {
    count: u64,
    pub(crate) open: BTreeMap<u64, Open>,
}

/// A call under way.
pub(crate) struct Open {
    pub(crate) label: String,
    pub(crate) trigger: TriggerId,
    pub(crate) ids: Vec<ExecutionId>,
    pub(crate) events: Vec<Arc<Event>>,
    pub(crate) attempt: u32,
    pub(crate) is_list: bool,
    /// It shares the places of the group.
    is_shared: bool,
    /// How often its policy had changed when it began; `None` if that was not clear.
    policy_version: Option<u32>,
    concurrency_key: Option<String>,
    order_keys: BTreeSet<String>,
    cancel: CancellationToken,
    answer: Option<oneshot::Sender<Outcome>>,
}

/// What the target needs to carry a call out.
pub(crate) struct Begun {
    pub(crate) number: u64,
    pub(crate) answer: oneshot::Receiver<Outcome>,
    pub(crate) obeys: Obeys,
}

/// Whether a call ends when it is cancelled.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Obeys {
    Yes,
    /// It goes on until it is done.
    No,
}

impl Calls {
    /// The process died.
    pub(crate) fn died(&mut self) {
        self.open.clear();
    }

    /// Ends a call; its target learns of it when it is its turn.
    pub(crate) fn answer(&mut self, number: u64, outcome: Outcome) {
        let answer = self.open.get_mut(&number).and_then(|call| call.answer.take());
        // Nobody listens any more where the call was cancelled or ran out of time meanwhile.
        if let Some(Err(_)) = answer.map(|answer| answer.send(outcome)) {
            self.open.remove(&number);
        }
    }

    /// Calls that were not answered yet.
    pub(crate) fn waiting(&self) -> Vec<u64> {
        let waiting = self.open.iter().filter(|(_, call)| call.answer.is_some());
        waiting.map(|(number, _)| *number).collect()
    }
}

impl Open {
    fn new(book: &Book, job: &Job, events: &[Arc<Event>]) -> Self {
        let trigger = job.trigger.id;
        let known = book.triggers.get(&trigger);
        let policy = known.map(|known| known.plan.policy.clone()).unwrap_or_default();
        let concurrency = policy.concurrency.as_ref();
        let data: Vec<Value> = events.iter().map(|event| event.data.to_value()).collect();
        let key = |expression: Option<&String>| Book::key(expression, &data[0]);
        let order = data.iter().filter_map(|data| Book::key(policy.order_by.as_ref(), data));
        let ids = events.iter().map(|event| ExecutionId { event: event.id, trigger });
        let labels: Vec<_> = events.iter().map(|event| event_label(event)).collect();
        Self {
            label: format!("{}>{}", labels.join("+"), job.trigger.name),
            trigger,
            ids: ids.collect(),
            events: events.to_vec(),
            attempt: job.attempt,
            is_list: is_list(&job.trigger.policy),
            is_shared: known.is_some_and(|known| known.plan.endpoint.group.is_some()),
            policy_version: known.and_then(Known::policy_version),
            concurrency_key: key(concurrency.and_then(|limit| limit.key.as_ref())),
            order_keys: order.collect(),
            cancel: job.cancel.clone(),
            answer: None,
        }
    }
}

/// Whether calls under a policy get lists.
pub(crate) fn is_list(policy: &Policy) -> bool {
    let debounce = policy.debounce.as_ref();
    policy.batch.is_some() || debounce.is_some_and(|debounce| debounce.mode == DebounceMode::All)
}

impl World {
    /// A call begins.
    pub(crate) fn begin_call(&self, job: &Job, events: &[Arc<Event>]) -> Begun {
        let mut call = Open::new(&self.book.lock(), job, events);
        self.say(format!("call {} attempt {}", call.label, call.attempt));
        for problem in self.problems_of(&call) {
            self.wrong(format!("call {}: {problem}", call.label));
        }
        let obeys = {
            let mut faults = self.faults.lock();
            if faults.rng.u32(..5) == 0 { Obeys::No } else { Obeys::Yes }
        };
        let (sender, answer) = oneshot::channel();
        call.answer = Some(sender);
        let mut calls = self.calls.lock();
        calls.count += 1;
        let number = calls.count;
        calls.open.insert(number, call);
        Begun { number, answer, obeys }
    }

    /// A call ended.
    pub(crate) fn end_call(&self, number: u64, outcome: &Outcome) {
        let Some(call) = self.calls.lock().open.remove(&number) else { return };
        self.say(format!("end {}: {}", call.label, say(outcome)));
        let mut book = self.book.lock();
        let failed = failed_items(outcome);
        let mut held_keys = BTreeSet::new();
        for (place, (id, event)) in call.ids.iter().zip(&call.events).enumerate() {
            let Some(known) = book.triggers.get(&id.trigger) else { continue };
            let order = Book::key(known.plan.policy.order_by.as_ref(), &event.data.to_value());
            let is_held = order.as_ref().is_some_and(|key| held_keys.contains(key));
            let is_named = failed.contains(&event.public_id());
            let fate = match fate(outcome, is_named, call.attempt, known) {
                // A call tells the attempt of its first execution only.
                Fate::Again | Fate::Over if place > 0 && !is_for_good(outcome) => Fate::Perhaps,
                fate => fate,
            };
            if fate == Fate::Succeeded {
                book.succeeded.insert(*id);
            }
            if fate == Fate::Again {
                held_keys.extend(order);
            } else if fate == Fate::Perhaps || is_held {
                held_keys.extend(order);
                book.perhaps_over.insert(*id);
            } else {
                book.concluded.insert(*id);
            }
        }
    }

    /// What is not as it must be when a call begins.
    fn problems_of(&self, call: &Open) -> Vec<String> {
        let mut problems = Vec::new();
        let book = &mut *self.book.lock();
        let calls = self.calls.lock();
        let Some(known) = book.triggers.get(&call.trigger).cloned() else {
            return vec!["its trigger is not known".to_owned()];
        };
        problems.extend(self.check_executions(call, book, &calls));
        if known.is_still {
            problems.push("its trigger is disabled".to_owned());
        }
        if call.attempt > known.attempts_max {
            problems.push(format!("its trigger allows {} attempts", known.attempts_max));
        }
        problems.extend(check_places(call, &known, &calls));
        problems.extend(self.check_order(call, book, &calls));
        for id in &call.ids {
            book.perhaps_over.remove(id);
        }
        if call.policy_version.is_some() {
            problems.extend(check_batch(call, &known));
            problems.extend(self.check_rate(call, &known, book));
            if call.attempt == 1 && !known.was_changed {
                problems.extend(self.check_quiet(call, &known));
            }
        }
        problems
    }

    fn check_executions(&self, call: &Open, book: &Book, calls: &Calls) -> Vec<String> {
        let mut problems = Vec::new();
        let time = self.clock.now();
        for id in &call.ids {
            let Some(stored) = now(self.record.execution(*id)) else {
                problems.push(format!("{id} is not in the record"));
                continue;
            };
            if stored.state != State::Pending {
                problems.push(format!("{id} is over, it is {}", stored.state.as_str()));
            }
            if stored.attempts == 0 && stored.due > time {
                problems.push(format!("{id} is due at {}", stored.due));
            }
            if book.concluded.contains(id) {
                problems.push(format!("{id} came to its end before in this life"));
            }
            if calls.open.values().any(|open| open.ids.contains(id)) {
                problems.push(format!("{id} is under way already"));
            }
        }
        problems
    }

    /// Whoever is before it in its key is over.
    fn check_order(&self, call: &Open, book: &Book, calls: &Calls) -> Vec<String> {
        let mut problems = Vec::new();
        let siblings = calls.open.values().filter(|open| open.trigger == call.trigger);
        for open in siblings {
            let both: Vec<_> = open.order_keys.intersection(&call.order_keys).collect();
            if !both.is_empty() {
                problems.push(format!("{} runs with the same order key", open.label));
            }
        }
        if call.order_keys.is_empty() {
            return problems;
        }
        // Debounce comes before order: a delayed one arrives when it is due.
        let known = book.triggers.get(&call.trigger);
        let policy = known.map(|known| &known.plan.policy);
        let debounce = policy.and_then(|policy| policy.debounce.as_ref());
        let is_debounced = debounce.is_some();
        // Those of one order key may wait for different quiet times.
        let is_mixed = debounce
            .and_then(|debounce| debounce.key.as_ref())
            .is_some_and(|key| policy.and_then(|policy| policy.order_by.as_ref()) != Some(key));
        if is_mixed {
            return problems;
        }
        for id in &call.ids {
            let Some(key) = now(self.record.execution(*id)).and_then(|found| found.order_key)
            else {
                continue;
            };
            let query = Due {
                trigger: call.trigger,
                after: None,
                until: Timestamp::from_micros(i64::MAX),
                order_key: Some(key),
                limit: 1_000,
            };
            let is_before = |found: &Waiting| {
                let other = found.id;
                other.event < id.event
                    && (!is_debounced || found.due <= other.event.made_at())
                    && !book.concluded.contains(&other)
                    && !book.perhaps_over.contains(&other)
                    && !book.cancels.contains(&other)
                    && !book.reopened.contains_key(&other)
                    && !call.ids.contains(&other)
            };
            let waiting = now(self.record.due(query));
            if let Some(before) = waiting.iter().find(|waiting| is_before(waiting)) {
                let label = event_label(&before.event);
                problems.push(format!("{label} is before it in its order key and not over"));
            }
        }
        problems
    }

    fn check_rate(&self, call: &Open, known: &Known, book: &mut Book) -> Vec<String> {
        let mut problems = Vec::new();
        let time = self.clock.now();
        let data = call.events[0].data.to_value();
        if let Some(rate) = &known.plan.policy.rate {
            let key = Book::key(rate.key.as_ref(), &data);
            let is_allowed =
                book.buckets.take((Some(call.trigger), key.clone()), rate, (time, book.slack));
            if !is_allowed {
                problems.push(format!("the bucket of its rate is empty (key {key:?})"));
            }
        }
        let group = known.plan.endpoint.group.as_ref();
        if let Some(rate) = group.and_then(|group| group.rate.as_ref()) {
            let slack = book.slack;
            let is_allowed = book.buckets.take((None, None), rate, (time, slack));
            if !is_allowed {
                problems.push("the bucket of its group's rate is empty".to_owned());
            }
        }
        problems
    }

    /// A debounced call has waited for its quiet time.
    fn check_quiet(&self, call: &Open, known: &Known) -> Option<String> {
        let debounce = known.plan.policy.debounce.as_ref()?;
        let time = self.clock.now();
        let accepted = call.ids.iter().map(|id| id.event.made_at());
        let quiet_at = accepted.max()?.plus(debounce.wait);
        // Who came first may be in another call, or have been superseded.
        let is_quiet = time >= quiet_at || debounce.max_wait.is_some();
        (!is_quiet).then(|| format!("its quiet time ends at {quiet_at}"))
    }
}

/// What becomes of an execution after a call, as far as the model can tell.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Succeeded,
    Over,
    /// It may be over: its policy was changed, or somebody wanted it to stop.
    Perhaps,
    Again,
}

fn fate(outcome: &Outcome, is_named: bool, attempt: u32, known: &Known) -> Fate {
    let after_failure = if known.was_changed || known.is_unsure {
        Fate::Perhaps
    } else if attempt >= known.attempts_max {
        Fate::Over
    } else {
        Fate::Again
    };
    match outcome {
        Outcome::Success(_) if !is_named => Fate::Succeeded,
        Outcome::Success(_) => after_failure,
        Outcome::Failure(failure) | Outcome::TimedOut(failure) => match failure.retry {
            RetryHint::Never => Fate::Over,
            RetryHint::Policy | RetryHint::After(_) => after_failure,
            // So often that it is no bystander any more.
            RetryHint::Elsewhere if after_failure == Fate::Over => Fate::Perhaps,
            RetryHint::Elsewhere => Fate::Again,
        },
        Outcome::Cancelled => Fate::Perhaps,
    }
}

fn is_for_good(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Failure(failure) | Outcome::TimedOut(failure) => failure.retry == RetryHint::Never,
        Outcome::Success(_) | Outcome::Cancelled => false,
    }
}

/// The items a batch names as failed.
fn failed_items(outcome: &Outcome) -> BTreeSet<String> {
    let Outcome::Success(data) = outcome else { return BTreeSet::new() };
    let answer = data.to_value();
    let named = answer["failed"].as_array().into_iter().flatten();
    named.filter_map(Value::as_str).map(str::to_owned).collect()
}

fn check_places(call: &Open, known: &Known, calls: &Calls) -> Vec<String> {
    let mut problems = Vec::new();
    let own = || calls.open.values().filter(|open| open.trigger == call.trigger);
    let capacity = known.plan.endpoint.capacity;
    if own().count() >= capacity {
        problems.push(format!("its target takes {capacity} at once"));
    }
    let group = known.plan.endpoint.group.as_ref().and_then(|group| group.capacity);
    let shared = calls.open.values().filter(|open| open.is_shared).count();
    if let Some(capacity) = group.filter(|capacity| shared >= *capacity) {
        problems.push(format!("its group takes {capacity} at once"));
    }
    let Some(concurrency) = known.plan.policy.concurrency.as_ref() else { return problems };
    if known.is_unsure || (concurrency.key.is_some() && call.concurrency_key.is_none()) {
        return problems;
    }
    let counts = |open: &&Open| {
        open.policy_version.is_some()
            && open.policy_version == call.policy_version
            && open.concurrency_key == call.concurrency_key
            && !(concurrency.overflow == Overflow::Cancel && open.cancel.is_cancelled())
    };
    let running = own().filter(counts).count();
    if running >= concurrency.limit as usize {
        let limit = concurrency.limit;
        problems.push(format!("{running} run under its concurrency limit of {limit}"));
    }
    problems
}

fn check_batch(call: &Open, known: &Known) -> Vec<String> {
    let mut problems = Vec::new();
    let policy = &known.plan.policy;
    let data: Vec<Value> = call.events.iter().map(|event| event.data.to_value()).collect();
    let mut same = |name: &str, expression: Option<&String>| {
        let mut keys = data.iter().map(|data| Book::key(expression, data));
        let first = keys.next();
        if keys.any(|key| Some(&key) != first.as_ref()) {
            problems.push(format!("its executions have different {name} keys"));
        }
    };
    same("concurrency", policy.concurrency.as_ref().and_then(|limit| limit.key.as_ref()));
    same("rate", policy.rate.as_ref().and_then(|rate| rate.key.as_ref()));
    if let Some(batch) = &policy.batch {
        same("batch", batch.key.as_ref());
        let is_all = policy.debounce.as_ref().is_some_and(|wait| wait.mode == DebounceMode::All);
        if call.ids.len() > batch.size as usize && !is_all {
            problems.push(format!("{} in a batch of at most {}", call.ids.len(), batch.size));
        }
        let bytes: u64 = call.events.iter().map(|event| event.data.len() as u64).sum();
        let bound = batch.bytes.map(|bytes| bytes.as_u64());
        if call.ids.len() > 1 && !is_all && bound.is_some_and(|bound| bytes > bound) {
            problems.push(format!("{bytes} bytes in one call"));
        }
    } else if !is_list(policy) && call.ids.len() > 1 {
        problems.push(format!("{} executions in one call", call.ids.len()));
    }
    problems
}

fn say(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Success(data) => format!("success {}", data.to_value()),
        Outcome::Failure(failure) => format!("failure {}: {}", failure.code, failure.message),
        Outcome::TimedOut(failure) => format!("timed out: {}", failure.message),
        Outcome::Cancelled => "cancelled".to_owned(),
    }
}
