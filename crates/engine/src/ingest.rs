//! Ingest: events from any number of senders are given their ids, planned against the triggers and
//! handed to the committer. What returns from here is durable.

use std::sync::Arc;

use evoke_delivery::admission::Entry;
use evoke_model::{
    Attempt, Code, Event, ExecutionId, Failure, Keys, Lineage, Millis, Problem, Rejection, State,
    Timestamp, Trigger,
};
use evoke_ports::store::{Ingest, NewExecution, OnceKey, Receipt, TriggerKey, Write};

use crate::catalog::Snapshot;
use crate::dispatch::{Item, Planned};
use crate::draft::{Draft, Emitted};
use crate::feed::Notice;
use crate::settings::EVENTS_PER_REQUEST_MAX;
use crate::start::{Engine, Inner};
use crate::token::Tokens;
use crate::traces::Open;

/// The `source` of events whose sender named none.
const SOURCE_DEFAULT: &str = "/api/events";

/// How long a trigger remembers the key of an event where its policy does not say.
const TRIGGER_KEY_TTL: Millis = Millis::from_secs(86_400);

impl Engine {
    /// Accepts events: all of them or, when one is not valid, none. When this returns they are on
    /// disk together with their planned executions. What happened to the data services and to
    /// triggers only they can say: an event from one of their sources is not valid.
    ///
    /// # Errors
    /// EV_001 with all problems; EV_003 or ST_001 when they cannot be kept.
    pub async fn emit(&self, drafts: Vec<Draft>) -> Result<Vec<Emitted>, Rejection> {
        self.inner.check(&drafts)?;
        self.take("event", drafts).await
    }

    /// Accepts events that were checked, of this kind of source.
    pub(crate) async fn take(
        &self,
        kind: &'static str,
        mut drafts: Vec<Draft>,
    ) -> Result<Vec<Emitted>, Rejection> {
        let inner = &self.inner;
        let snapshot = inner.catalog.load();
        let spans = inner.open_spans(&mut drafts);
        let (write, planned) = inner.plan(drafts, &snapshot);
        let traced = spans.map(|spans| (spans, write.events.clone(), inner.clock.now()));
        let ids: Vec<_> = write.events.iter().map(|event| event.id).collect();
        let watched = inner.feed.is_watched().then(|| write.events.clone());
        let receipt = inner.committer.ingest(Write::Ingest(write), planned).await;
        let receipt = receipt.inspect_err(|_| inner.metrics.throttled())?;
        inner.metrics.accepted(kind, ids.len() as u64);
        if let Some((spans, events, planned_at)) = traced {
            inner.close_spans(&spans, &events, planned_at);
        }
        for event in watched.into_iter().flatten() {
            inner.feed.tell(|| Notice::Event(event));
        }
        let mut emitted: Vec<_> =
            ids.into_iter().map(|id| Emitted { id, is_duplicate: false }).collect();
        if let Receipt::Ingested { duplicates, .. } = receipt {
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

    /// Whether a text is the token of a function by its form, be it good or not.
    pub fn is_token(text: &str) -> bool {
        Tokens::has_form(text)
    }
}

impl Inner {
    fn check(&self, drafts: &[Draft]) -> Result<(), Rejection> {
        if drafts.len() > EVENTS_PER_REQUEST_MAX {
            let message = format!(
                "a request may carry {EVENTS_PER_REQUEST_MAX} events, this one has {}",
                drafts.len()
            );
            return Err(Rejection::of(Code::InvalidEvent, vec![Problem::new("events", message)]));
        }
        let mut problems = Vec::new();
        for (index, draft) in drafts.iter().enumerate() {
            if draft.kind.is_empty() {
                problems.push(Problem::new(format!("events[{index}].type"), "may not be empty"));
            }
            if let Some(source) =
                draft.source.as_deref().filter(|source| self.catalog.is_own(source))
            {
                let message = format!("{source:?} is the server's own");
                let problem = Problem::new(format!("events[{index}].source"), message);
                problems.push(problem.suggest("another source, or none"));
            }
        }
        if problems.is_empty() { Ok(()) } else { Err(Rejection::of(Code::InvalidEvent, problems)) }
    }

    /// Opens the spans of events on their way in; what follows from an event is caused by its span.
    /// `None` where nobody wants spans.
    fn open_spans(&self, drafts: &mut [Draft]) -> Option<Vec<Option<Open>>> {
        if !self.traces.is_on() {
            return None;
        }
        let now = self.clock.now();
        let open = |draft: &mut Draft| {
            let open = self.traces.open(draft.traceparent.as_deref(), now)?;
            draft.traceparent = Some(open.context.to_string().into());
            Some(open)
        };
        Some(drafts.iter_mut().map(open).collect())
    }

    fn close_spans(&self, spans: &[Option<Open>], events: &[Arc<Event>], planned_at: Timestamp) {
        let now = self.clock.now();
        for (open, event) in spans.iter().zip(events) {
            if let Some(open) = open {
                self.traces.ingested(*open, event, (planned_at, now));
            }
        }
    }

    /// Gives drafts their ids and plans their executions.
    pub(crate) fn plan(&self, drafts: Vec<Draft>, snapshot: &Snapshot) -> (Ingest, Vec<Planned>) {
        let mut once = Vec::new();
        let mut events = Vec::with_capacity(drafts.len());
        for (index, draft) in drafts.into_iter().enumerate() {
            self.once_keys(&draft, index, &mut once);
            events.push(Arc::new(self.accept(draft)));
        }
        self.plan_events(events, once, snapshot)
    }

    /// Plans the executions of events.
    pub(crate) fn plan_events(
        &self,
        events: Vec<Arc<Event>>,
        once: Vec<OnceKey>,
        snapshot: &Snapshot,
    ) -> (Ingest, Vec<Planned>) {
        let now = self.clock.now();
        let plan = evoke_matching::plan(&events, &snapshot.index, self.plan_limits, now);
        for trouble in &plan.trouble {
            let evoke_matching::Trouble { event, trigger, message } = trouble;
            tracing::debug!(event.id = %event, trigger.id = %trigger, "Not evaluated: {message}");
        }
        let mut executions = Vec::with_capacity(plan.executions.len());
        let mut planned = Vec::with_capacity(plan.executions.len());
        for matched in plan.executions {
            let event = &events[matched.event];
            let broken = matched.broken;
            let matched = Matched {
                trigger: matched.trigger,
                due: matched.due,
                keys: matched.keys,
                priority: matched.priority,
            };
            let mut new = matched.new_execution(event);
            if let Some(loop_break) = broken {
                self.metrics.ended(&matched.trigger.kind, State::Cancelled);
                let attempt = Attempt::not_made(0, now, loop_break.failure());
                new = NewExecution {
                    done: Some(Box::new((State::Cancelled, attempt))),
                    once: None,
                    ..new
                };
            } else {
                planned.push(matched.planned(&new, event));
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
            replay_of: None,
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

/// An event's match with a trigger.
pub(crate) struct Matched {
    pub(crate) trigger: Arc<Trigger>,
    pub(crate) due: Timestamp,
    pub(crate) keys: Keys,
    pub(crate) priority: i32,
}

impl Matched {
    /// The execution to be written.
    pub(crate) fn new_execution(&self, event: &Event) -> NewExecution {
        let id = ExecutionId { event: event.id, trigger: self.trigger.id };
        NewExecution {
            id,
            due: self.due,
            order_key: self.keys.order.clone(),
            concurrency_key: self.keys.concurrency.clone(),
            done: None,
            is_test_run: event.is_test_run,
            is_replay: event.replay_of.is_some(),
            once: self.once(event),
            redirect: None,
        }
    }

    /// The key under which the trigger takes the event only once.
    fn once(&self, event: &Event) -> Option<Box<TriggerKey>> {
        let policy = self.trigger.policy.idempotency.as_ref()?;
        let key = self.keys.idempotency.as_ref()?;
        let now = event.id.made_at();
        let message = format!("the trigger has taken an event with the key {key:?} already");
        let failure = Failure::new(Code::ExecutionSkipped, message).for_good();
        Some(Box::new(TriggerKey {
            key: format!("trigger\0{}\0{key}", self.trigger.id).into(),
            expires: now.plus(policy.ttl.unwrap_or(TRIGGER_KEY_TTL)),
            skipped: (State::Cancelled, Attempt::not_made(0, now, failure)),
        }))
    }

    /// The execution on its way to its lane.
    pub(crate) fn planned(self, new: &NewExecution, event: &Arc<Event>) -> Planned {
        let item = Item { event: event.clone(), redirect: new.redirect.clone(), elsewhere: 0 };
        let entry = Entry {
            id: new.id,
            due: new.due,
            attempts: 0,
            keys: self.keys,
            priority: self.priority,
            bytes: item.size(),
            payload: item,
        };
        Planned { entry, trigger: self.trigger }
    }
}
