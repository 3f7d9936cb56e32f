//! Ingest: events from any number of senders are given their ids, planned against the triggers and
//! handed to the committer. What returns from here is durable.

use std::sync::Arc;

use evoke_model::{Attempt, Code, Event, ExecutionId, Lineage, Outcome, Problem, Rejection, State};
use evoke_ports::store::{Ingest, NewExecution, OnceKey, Receipt, Waiting, Write};

use crate::catalog::Snapshot;
use crate::dispatch::Planned;
use crate::draft::{Draft, Emitted};
use crate::feed::Notice;
use crate::settings::EVENTS_PER_REQUEST_MAX;
use crate::start::{Engine, Inner};

/// The `source` of events whose sender named none.
const SOURCE_DEFAULT: &str = "/api/events";

impl Engine {
    /// Accepts events: all of them or, when one is not valid, none. When this returns they are on
    /// disk together with their planned executions.
    ///
    /// # Errors
    /// EV_001 with all problems; EV_003 or ST_001 when they cannot be kept.
    pub async fn emit(&self, drafts: Vec<Draft>) -> Result<Vec<Emitted>, Rejection> {
        check(&drafts)?;
        let inner = &self.inner;
        let snapshot = inner.catalog.load();
        let (write, planned) = inner.plan(drafts, &snapshot);
        let ids: Vec<_> = write.events.iter().map(|event| event.id).collect();
        let watched = inner.feed.is_watched().then(|| write.events.clone());
        let receipt = inner.committer.ingest(Write::Ingest(write), planned).await;
        let receipt = receipt.inspect_err(|_| inner.metrics.throttled())?;
        inner.metrics.accepted("event", ids.len() as u64);
        for event in watched.into_iter().flatten() {
            inner.feed.tell(|| Notice::Event(event));
        }
        let mut emitted: Vec<_> =
            ids.into_iter().map(|id| Emitted { id, is_duplicate: false }).collect();
        if let Receipt::Ingested { duplicates } = receipt {
            for (index, id) in duplicates {
                emitted[index] = Emitted { id, is_duplicate: true };
            }
        }
        Ok(emitted)
    }

    /// The execution a function's token belongs to, while it runs.
    pub fn cause_of(&self, token: &str) -> Option<ExecutionId> {
        let id = self.inner.tokens.verify(token)?;
        self.inner.running.get(id).map(|_| id)
    }
}

fn check(drafts: &[Draft]) -> Result<(), Rejection> {
    if drafts.len() > EVENTS_PER_REQUEST_MAX {
        let message = format!(
            "a request may carry {EVENTS_PER_REQUEST_MAX} events, this one has {}",
            drafts.len()
        );
        return Err(Rejection::of(Code::InvalidEvent, vec![Problem::new("events", message)]));
    }
    let problems: Vec<_> = drafts
        .iter()
        .enumerate()
        .filter(|(_, draft)| draft.kind.is_empty())
        .map(|(index, _)| Problem::new(format!("events[{index}].type"), "may not be empty"))
        .collect();
    if problems.is_empty() { Ok(()) } else { Err(Rejection::of(Code::InvalidEvent, problems)) }
}

impl Inner {
    /// Gives drafts their ids and plans their executions.
    fn plan(&self, drafts: Vec<Draft>, snapshot: &Snapshot) -> (Ingest, Vec<Planned>) {
        let now = self.clock.now();
        let mut once = Vec::new();
        let mut events = Vec::with_capacity(drafts.len());
        for (index, draft) in drafts.into_iter().enumerate() {
            self.once_keys(&draft, index, &mut once);
            events.push(Arc::new(self.accept(draft)));
        }
        let plan = evoke_matching::plan(&events, &snapshot.index, self.plan_limits, now);
        for trouble in &plan.trouble {
            let evoke_matching::Trouble { event, trigger, message } = trouble;
            tracing::debug!(event.id = %event, trigger.id = %trigger, "Not evaluated: {message}");
        }
        let mut executions = Vec::with_capacity(plan.executions.len());
        let mut planned = Vec::with_capacity(plan.executions.len());
        for matched in plan.executions {
            let event = &events[matched.event];
            let id = ExecutionId { event: event.id, trigger: matched.trigger.id };
            let done = matched.broken.map(|loop_break| {
                self.metrics.ended(&matched.trigger.kind, State::Cancelled);
                Box::new((State::Cancelled, not_run(loop_break.failure(), now)))
            });
            let runs = done.is_none();
            let new = NewExecution {
                id,
                due: matched.due,
                order_key: matched.order_key,
                concurrency_key: matched.concurrency_key,
                done,
                is_test_run: event.is_test_run,
            };
            if runs {
                planned.push(Planned { waiting: waiting(&new, event), trigger: matched.trigger });
            }
            executions.push(new);
        }
        (Ingest { events, executions, once }, planned)
    }

    /// The event of a draft, with its id.
    pub(crate) fn accept(&self, draft: Draft) -> Event {
        let now = self.clock.now();
        let id = self.ids.event(now);
        let lineage = draft.cause.and_then(|cause| self.lineage_after(cause));
        Event {
            id,
            sender_id: draft.id,
            source: draft.source.unwrap_or_else(|| SOURCE_DEFAULT.into()),
            kind: draft.kind,
            subject: draft.subject,
            time: draft.time.unwrap_or(now),
            content_type: draft.content_type,
            data_schema: draft.data_schema,
            data: draft.data,
            extensions: draft.extensions,
            lineage,
            traceparent: draft.traceparent,
            ordering_key: draft.ordering_key,
            due: draft.due,
            is_test_run: draft.is_test_run,
        }
    }

    /// The lineage of what a running execution causes.
    fn lineage_after(&self, cause: ExecutionId) -> Option<Box<Lineage>> {
        let running = self.running.get(cause)?;
        let before = running.event.lineage.as_deref();
        let mut chain = before.map(|lineage| lineage.chain.clone()).unwrap_or_default();
        chain.push(cause.trigger);
        Some(Box::new(Lineage {
            root: Some(running.event.root()),
            cause: Some(cause),
            depth: running.event.depth().saturating_add(1),
            chain,
        }))
    }

    /// The keys under which a draft is taken only once.
    pub(crate) fn once_keys(&self, draft: &Draft, event: usize, out: &mut Vec<OnceKey>) {
        let expires = || self.clock.now().plus(self.settings.idempotency_window);
        if let Some(id) = &draft.id {
            let source = draft.source.as_deref().unwrap_or(SOURCE_DEFAULT);
            let key = format!("id\0{source}\0{id}").into();
            out.push(OnceKey { event, key, expires: expires() });
        }
        if let Some(key) = &draft.idempotency_key {
            let key = format!("key\0{key}").into();
            out.push(OnceKey { event, key, expires: expires() });
        }
    }
}

/// A new execution as the dispatcher keeps it.
pub(crate) fn waiting(new: &NewExecution, event: &Arc<Event>) -> Waiting {
    Waiting {
        id: new.id,
        due: new.due,
        attempts: 0,
        order_key: new.order_key.clone(),
        concurrency_key: new.concurrency_key.clone(),
        event: event.clone(),
    }
}

/// The entry of something that was refused before it ran.
fn not_run(failure: evoke_model::Failure, now: evoke_model::Timestamp) -> Attempt {
    Attempt {
        number: 0,
        started_at: now,
        finished_at: now,
        outcome: Outcome::Failure(failure),
        logs: Vec::new(),
        version: 0,
    }
}
