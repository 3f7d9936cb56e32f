//! After a call: what comes next for each of its executions, and the write that records it.

use std::sync::Arc;

use evoke_delivery::admission::Entry;
use evoke_delivery::fingerprint;
use evoke_delivery::retry::{self, Counted, Tries};
use evoke_model::execution::Level;
use evoke_model::{Attempt, Cause, Data, Event, LogLine, Outcome, Policy, State, Timestamp};
use evoke_ports::Delivered;
use evoke_ports::store::{Finish, Next, Write};
use serde_json::json;

use super::Running;
use crate::call::bounded;
use crate::committer::Settles;
use crate::dispatch::{Berth, Item};
use crate::draft::Draft;
use crate::start::Inner;
use crate::traces::{Ended, Open, Traces};

/// What became of one execution of a call.
struct End {
    entry: Entry<Item>,
    attempt: Attempt,
    next: After,
    cause: Option<Cause>,
}

/// What comes after an attempt.
enum After {
    /// It is over.
    Done(State),
    /// Another attempt.
    Again(Timestamp),
    /// The same attempt once more: it did not count, so nothing is written.
    Repeat(Timestamp),
}

impl Inner {
    pub(super) async fn settle(
        self: &Arc<Self>,
        berth: &Berth,
        entries: Vec<Entry<Item>>,
        begun: &[Arc<Running>],
        delivered: Vec<Delivered>,
    ) {
        let ends = self.ends(entries, begun, delivered);
        let mut finishes = Vec::with_capacity(ends.len());
        let mut again = Vec::with_capacity(ends.len());
        let mut published = Vec::new();
        let mut traced = Vec::new();
        for (mut end, running) in ends.into_iter().zip(begun) {
            let (state, due) = match end.next {
                After::Done(state) => (Some(state), None),
                After::Again(due) => (None, Some(due)),
                After::Repeat(due) => {
                    end.entry.payload.elsewhere += 1;
                    self.finished(running, &end.attempt, None);
                    again.push((end.entry, Some(due)));
                    continue;
                }
            };
            self.count_end(running, state, end.cause);
            if end.cause.is_some() {
                // Made while it still counts as running: what it causes names it as its cause.
                let draft = dead_letter_event(running, &end);
                published.extend(draft.map(|draft| Arc::new(self.accept(draft))));
            }
            self.finished(running, &end.attempt, state);
            traced.extend(self.close_span(running, &end));
            berth.lane.settling(end.entry.id.event);
            let next = match (state, due) {
                (Some(state), _) => Next::Done(state),
                (None, due) => {
                    end.entry.payload.waiting.attempts += 1;
                    end.entry.attempts += 1;
                    Next::Retry { due: due.unwrap_or(end.attempt.finished_at) }
                }
            };
            finishes.push(Finish {
                id: end.entry.id,
                attempt: Some(end.attempt),
                next,
                cause: end.cause,
            });
            again.push((end.entry, due));
        }
        self.write(finishes, published, traced).await;
        self.dispatcher.finished(berth, again);
    }

    /// Writes ends of attempts, and the events that tell of dead letters, in one commit.
    async fn write(&self, finishes: Vec<Finish>, published: Vec<Arc<Event>>, traced: Vec<Open>) {
        if finishes.is_empty() {
            return;
        }
        let ids = finishes.iter().map(|finish| finish.id).collect();
        let finish = Write::Finish(finishes);
        if published.is_empty() {
            let settles = Settles { ids, planned: Vec::new(), traced };
            return self.committer.finish(finish, settles).await;
        }
        let (ingest, planned) = self.plan_events(published, Vec::new(), &self.catalog.load());
        let write = Write::All(vec![finish, Write::Ingest(ingest)]);
        self.committer.finish(write, Settles { ids, planned, traced }).await;
    }

    /// Tells of the attempt; gives back the span of what is left to do, recording it.
    fn close_span(&self, running: &Running, end: &End) -> Option<Open> {
        let open = running.span?;
        self.traces.executed(&Ended {
            open,
            due: end.entry.due,
            running,
            outcome: &end.attempt.outcome,
            end: end.attempt.finished_at,
        });
        Some(Traces::within(open, end.attempt.finished_at))
    }

    /// What comes next for each.
    fn ends(
        &self,
        entries: Vec<Entry<Item>>,
        begun: &[Arc<Running>],
        delivered: Vec<Delivered>,
    ) -> Vec<End> {
        let now = self.clock.now();
        let mut logs = begun.first().map(|running| running.lines.take()).unwrap_or_default();
        let elsewhere = shared_log(begun, &logs, now);
        let mut ends: Vec<End> = Vec::with_capacity(entries.len());
        for ((entry, running), end) in entries.into_iter().zip(begun).zip(delivered) {
            let attempt = Attempt {
                number: running.attempt,
                started_at: running.started_at,
                finished_at: now,
                outcome: match end.outcome {
                    Outcome::Success(data) => Outcome::Success(bounded(&data)),
                    other => other,
                },
                logs: std::mem::replace(&mut logs, elsewhere.clone()),
                version: end.version,
            };
            let is_behind = entry.keys.order.is_some()
                && ends.iter().any(|before| {
                    !matches!(before.next, After::Done(_))
                        && before.entry.keys.order == entry.keys.order
                });
            let end = if is_behind {
                // What came before it in its key comes again, and so does it, after that.
                End { entry, attempt, next: After::Repeat(now), cause: None }
            } else {
                after(entry, running, attempt)
            };
            ends.push(end);
        }
        ends
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

/// What the executions of a batch but the first show as their log, where the call printed any.
fn shared_log(begun: &[Arc<Running>], logs: &[LogLine], now: Timestamp) -> Vec<LogLine> {
    match begun.first() {
        Some(first) if !logs.is_empty() => vec![LogLine {
            time: now,
            level: Level::Info,
            message: format!("what the call printed is in the log of {}", first.id),
        }],
        _ => Vec::new(),
    }
}

/// What comes after an attempt of one execution.
fn after(entry: Entry<Item>, running: &Running, mut attempt: Attempt) -> End {
    let now = attempt.finished_at;
    if attempt.outcome == Outcome::Cancelled {
        let next = match running.stopped() {
            Some(why) => {
                if let Some(why) = why {
                    attempt.outcome = Outcome::Failure(why.clone());
                }
                After::Done(State::Cancelled)
            }
            // It was not meant: another one of its call was, or the server stops.
            None => After::Repeat(now),
        };
        return End { entry, attempt, next, cause: None };
    }
    let policy = &running.trigger.policy;
    let tries = Tries { attempts: attempt.number, elsewhere: entry.payload.elsewhere };
    let retries = policy.retry.clone().unwrap_or_default();
    match retry::decide(&attempt.outcome, &retries, tries, now, fastrand::f64()) {
        retry::Next::Done(state) => End { entry, attempt, next: After::Done(state), cause: None },
        retry::Next::Dead(state) => {
            let cause = cause(policy, &attempt.outcome);
            End { entry, attempt, next: After::Done(state), cause }
        }
        retry::Next::Retry { due, attempt: Counted::Yes } => {
            End { entry, attempt, next: After::Again(due), cause: None }
        }
        // An attempt whose worker went down with another call is not one.
        retry::Next::Retry { due, attempt: Counted::No } => {
            End { entry, attempt, next: After::Repeat(due), cause: None }
        }
    }
}

/// The cause of a dead letter; `None` where the trigger keeps none.
fn cause(policy: &Policy, outcome: &Outcome) -> Option<Cause> {
    let failure = outcome.failure().filter(|_| policy.keeps_dead_letters())?;
    Some(Cause(fingerprint(failure)))
}

/// The event that tells of a dead letter, where its trigger wants one.
fn dead_letter_event(running: &Running, end: &End) -> Option<Draft> {
    let kind = running.trigger.policy.dead_letter_event()?;
    let data = json!({
        "execution_id": running.id,
        "event_id": running.event.id,
        "event_type": running.event.kind,
        "trigger": { "id": running.id.trigger, "name": running.trigger.name },
        "function": running.trigger.target.function_name(),
        "attempts": end.attempt.number,
        "error": end.attempt.outcome.failure()
            .map(|failure| json!({ "code": failure.code, "message": failure.message })),
        "cause": end.cause.map(|cause| cause.to_string()),
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
