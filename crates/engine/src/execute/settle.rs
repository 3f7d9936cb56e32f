//! After a call: what comes next for each of its executions, and the write that records it.

use std::sync::Arc;

use evoke_delivery::admission::Entry;
use evoke_delivery::breaker::Signal;
use evoke_delivery::fingerprint;
use evoke_delivery::retry::{self, Counted, Tries};
use evoke_model::execution::Level;
use evoke_model::{
    Attempt, Cause, Code, Data, Event, ExecutionId, Failure, LogLine, Outcome, Policy, State,
    Timestamp,
};
use evoke_ports::Delivered;
use evoke_ports::store::{Finish, Next, Write};
use serde_json::json;

use super::{Part, Running};
use crate::call::bounded;
use crate::committer::{Place, Settles};
use crate::dispatch::{Berth, Item};
use crate::draft::Draft;
use crate::start::Inner;
use crate::traces::{Ended, Open, Traces};

/// What comes after an attempt.
enum After {
    /// It is over; where it is a dead letter, this is its cause.
    Done(State, Option<Cause>),
    /// Another attempt.
    Again(Timestamp),
    /// The same attempt once more: it did not count, so nothing is written.
    Repeat(Timestamp),
}

impl Inner {
    pub(super) async fn settle(
        self: &Arc<Self>,
        berth: &Berth,
        mut parts: Vec<Part>,
        signal: Signal,
    ) {
        let now = self.clock.now();
        let place = self.committer.place().await;
        let mut printed = Printed::default();
        let mut finishes = Vec::with_capacity(parts.len());
        let mut settles = Ends::default();
        for index in 0..parts.len() {
            let (before, rest) = parts.split_at_mut(index);
            let Some(part) = rest.first_mut() else { break };
            let logs = printed.take(&part.running, now);
            let attempt = attempt(&part.running, part.end.take(), logs, now);
            let is_behind = is_behind(&part.entry, before);
            finishes.extend(self.conclude(berth, part, (attempt, is_behind), &mut settles));
        }
        self.write(place, finishes, settles);
        let ends = parts.into_iter().map(|part| (part.entry, part.again));
        self.dispatcher.finished(berth, ends, signal);
    }

    /// What follows from an attempt, and what is written of it; nothing where it did not count.
    fn conclude(
        self: &Arc<Self>,
        berth: &Berth,
        part: &mut Part,
        (mut attempt, is_behind): (Attempt, bool),
        settles: &mut Ends,
    ) -> Option<Finish> {
        let Part { entry, running, again, .. } = part;
        let next = if is_behind {
            After::Repeat(attempt.finished_at)
        } else {
            after(entry.payload.elsewhere, running, &mut attempt)
        };
        let (state, cause) = match next {
            After::Done(state, cause) => (Some(state), cause),
            After::Again(due) => {
                *again = Some(due);
                (None, None)
            }
            After::Repeat(due) => {
                *again = Some(due);
                entry.payload.elsewhere += 1;
                self.finished(running, &attempt, None);
                return None;
            }
        };
        self.count_end(running, state, cause);
        // Made while it still counts as running: what it causes names it as its cause.
        let draft = cause.and_then(|cause| dead_letter_event(running, &attempt, cause));
        settles.published.extend(draft.map(|draft| Arc::new(self.accept(draft))));
        self.finished(running, &attempt, state);
        settles.traced.extend(self.close_span(running, entry.due, &attempt));
        berth.lane.settling(entry.id.event);
        let next = match state {
            Some(state) => Next::Done(state),
            None => {
                entry.attempts += 1;
                Next::Retry { due: again.unwrap_or(attempt.finished_at) }
            }
        };
        Some(Finish { id: entry.id, attempt: Some(attempt), next, cause })
    }

    /// Writes ends of attempts, and the events that tell of dead letters, in one commit.
    fn write(&self, place: Place<'_>, finishes: Vec<Finish>, ends: Ends) {
        let Ends { published, traced } = ends;
        if finishes.is_empty() {
            return;
        }
        let finish = Write::Finish(finishes);
        if published.is_empty() {
            let settles = Settles { traced, ..Settles::default() };
            return place.finish(finish, settles);
        }
        let (ingest, planned) = self.plan_events(published, Vec::new(), &self.catalog.load());
        let write = Write::All(vec![finish, Write::Ingest(ingest)]);
        place.finish(write, Settles { planned, traced, turn: None });
    }

    /// Tells of the attempt; gives back the span of what is left to do, recording it.
    fn close_span(&self, running: &Running, due: Timestamp, attempt: &Attempt) -> Option<Open> {
        let (open, end) = (running.span?, attempt.finished_at);
        self.traces.executed(&Ended { open, due, running, outcome: &attempt.outcome, end });
        Some(Traces::within(open, end))
    }

    fn count_end(&self, running: &Running, end: Option<State>, cause: Option<Cause>) {
        match end {
            None => self.metrics.retried(),
            Some(_) => {
                self.dispatcher.count_open(-1);
                if cause.is_some() {
                    self.dead_letters.add(running.id.trigger, 1);
                }
            }
        }
        self.operations.ended(running.id, end, cause);
        tracing::trace!(execution.id = %running.id, ?end, "An attempt ended");
    }
}

/// Whether one that stands before it in its key comes again, so that it has to, after that.
fn is_behind(entry: &Entry<Item>, before: &[Part]) -> bool {
    entry.keys.order.is_some()
        && before
            .iter()
            .any(|part| part.again.is_some() && part.entry.keys.order == entry.keys.order)
}

/// What follows from the ends of a call beside their record.
#[derive(Default)]
struct Ends {
    /// Events that tell of dead letters.
    published: Vec<Arc<Event>>,
    /// Spans of recording them.
    traced: Vec<Open>,
}

/// What a call printed: the log of its first execution, which the others point to.
#[derive(Default)]
struct Printed {
    by: Option<ExecutionId>,
    is_any: bool,
}

impl Printed {
    fn take(&mut self, running: &Running, now: Timestamp) -> Vec<LogLine> {
        let Some(first) = self.by else {
            let lines = running.lines.take();
            (self.by, self.is_any) = (Some(running.id), !lines.is_empty());
            return lines;
        };
        let point = || LogLine {
            time: now,
            level: Level::Info,
            message: format!("what the call printed is in the log of {first}"),
        };
        self.is_any.then(point).into_iter().collect()
    }
}

fn attempt(
    running: &Running,
    end: Option<Delivered>,
    logs: Vec<LogLine>,
    now: Timestamp,
) -> Attempt {
    let lost = || {
        let failure = Failure::new(Code::Internal, "the call did not come to an end");
        Delivered { outcome: Outcome::Failure(failure), version: 0 }
    };
    let end = end.unwrap_or_else(lost);
    Attempt {
        number: running.attempt,
        started_at: running.started_at,
        finished_at: now,
        outcome: match end.outcome {
            Outcome::Success(data) => Outcome::Success(bounded(&data)),
            other => other,
        },
        logs,
        version: end.version,
    }
}

/// What comes after an attempt of one execution.
fn after(elsewhere: u32, running: &Running, attempt: &mut Attempt) -> After {
    let now = attempt.finished_at;
    if attempt.outcome == Outcome::Cancelled {
        return match running.stopped() {
            Some(why) => {
                if let Some(why) = why {
                    attempt.outcome = Outcome::Failure(why.clone());
                }
                After::Done(State::Cancelled, None)
            }
            // It was not meant: another one of its call was, or the server stops.
            None => After::Repeat(now),
        };
    }
    let policy = &running.trigger.policy;
    let tries = Tries { attempts: attempt.number, elsewhere };
    let retries = policy.retry.clone().unwrap_or_default();
    match retry::decide(&attempt.outcome, &retries, tries, now, fastrand::f64()) {
        retry::Next::Done(state) => After::Done(state, None),
        retry::Next::Dead(state) => After::Done(state, cause(policy, &attempt.outcome)),
        retry::Next::Retry { due, attempt: Counted::Yes } => After::Again(due),
        // An attempt whose worker went down with another call is not one.
        retry::Next::Retry { due, attempt: Counted::No } => After::Repeat(due),
    }
}

/// The cause of a dead letter; `None` where the trigger keeps none.
fn cause(policy: &Policy, outcome: &Outcome) -> Option<Cause> {
    let failure = outcome.failure().filter(|_| policy.keeps_dead_letters())?;
    Some(Cause(fingerprint(failure)))
}

/// The event that tells of a dead letter, where its trigger wants one.
fn dead_letter_event(running: &Running, attempt: &Attempt, cause: Cause) -> Option<Draft> {
    let kind = running.trigger.policy.dead_letter_event()?;
    let data = json!({
        "execution_id": running.id,
        "event_id": running.event.id,
        "event_type": running.event.kind,
        "trigger": { "id": running.id.trigger, "name": running.trigger.name },
        "function": running.trigger.target.function_name(),
        "attempts": attempt.number,
        "error": attempt.outcome.failure()
            .map(|failure| json!({ "code": failure.code, "message": failure.message })),
        "cause": cause.to_string(),
        "data": running.event.data.to_value(),
    });
    Some(Draft {
        source: Some("/dead-letters".into()),
        kind: kind.into(),
        subject: Some(running.id.to_string().into()),
        data: Data::from_value(&data),
        traceparent: running.event.traceparent.clone(),
        cause: Some(running.id),
        ..Draft::default()
    })
}
