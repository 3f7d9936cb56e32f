//! From admitted executions to their target and back: what the target gets, and what each of the
//! executions of a call got out of it.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use evoke_delivery::batch::failed_items;
use evoke_delivery::breaker::Signal;
use evoke_matching::{Index, Rule};
use evoke_model::policy::{DebounceMode, Policy};
use evoke_model::{Code, Data, Event, Failure, Outcome, Redirect, Target, Trigger};
use evoke_ports::runtime::Deployed;
use evoke_ports::{Delivered, Endpoint, Job};
use futures_util::FutureExt;

use super::{Part, Running};
use crate::catalog::Opened;
use crate::start::Inner;
use crate::traces::{Open, Traces};

/// Whether the target of a trigger gets lists of events.
fn is_batched(policy: &Policy) -> bool {
    policy.batch.is_some()
        || policy.debounce.as_ref().is_some_and(|debounce| debounce.mode == DebounceMode::All)
}

impl Part {
    fn redirect(&self) -> Option<&Redirect> {
        self.entry.payload.redirect.as_deref()
    }
}

impl Inner {
    /// Carries out a call, so that each of its executions has an end; gives back what it says of
    /// the target.
    pub(super) async fn deliver(&self, endpoint: &Opened, parts: &mut [Part]) -> Signal {
        let mut signal = Signal::Unknown;
        // Those of a call that were sent elsewhere by hand make calls of their own, which say
        // nothing of the trigger's target.
        for same in parts.chunk_by_mut(|a, b| a.redirect() == b.redirect()) {
            match same[0].redirect().cloned() {
                None => signal = self.call(endpoint, None, same).await,
                Some(redirect) => self.redirected(&redirect, same).await,
            }
        }
        signal
    }

    /// The event as the target gets it.
    fn prepared(&self, running: &Running) -> Result<Arc<Event>, Failure> {
        if running.trigger.policy.transform.is_none() {
            return Ok(running.event.clone());
        }
        let known = self.catalog.load().index.transform(running.id.trigger, &running.event);
        // A trigger that was switched off meanwhile is in no index any more.
        match known
            .or_else(|| alone(&running.trigger).transform(running.id.trigger, &running.event))
        {
            None => Ok(running.event.clone()),
            Some(Ok(value)) => {
                let data = Data::from_value(&value);
                let event = Event { data, content_type: None, ..Event::clone(&running.event) };
                Ok(Arc::new(event))
            }
            // What cannot be transformed now cannot be transformed later.
            Some(Err(message)) => Err(Failure::new(Code::TransformFailed, message).for_good()),
        }
    }

    /// Makes one call of the executions in `parts` that can be called at all.
    async fn call(
        &self,
        endpoint: &Opened,
        version: Option<Deployed>,
        parts: &mut [Part],
    ) -> Signal {
        match parts {
            [only] if !is_batched(&only.running.trigger.policy) => {
                self.one(endpoint, version, only).await
            }
            parts => self.batch(endpoint, version, parts).await,
        }
    }

    /// The thing to call and the event it gets; `None` where the execution has ended without it.
    fn ready<'e>(
        &self,
        endpoint: &'e Opened,
        part: &mut Part,
    ) -> Option<(&'e Arc<dyn Endpoint>, Arc<Event>)> {
        let outcome = match endpoint {
            _ if part.running.stopped().is_some() => Outcome::Cancelled,
            Err(failure) => Outcome::Failure(failure.clone()),
            Ok(endpoint) => match self.prepared(&part.running) {
                Ok(event) => return Some((endpoint, event)),
                Err(failure) => Outcome::Failure(failure),
            },
        };
        part.end = Some(Delivered { outcome, version: 0 });
        None
    }

    /// A call of one execution, which is nearly every call.
    async fn one(&self, endpoint: &Opened, version: Option<Deployed>, part: &mut Part) -> Signal {
        let Some((endpoint, mut event)) = self.ready(endpoint, part) else {
            return Signal::Unknown;
        };
        let span = self.open_call(&part.running, &mut event);
        let end = carry_out(endpoint.deliver(Job { version, ..job(&part.running, event) })).await;
        if let Some(span) = span {
            self.traces.called(span, &part.running.target, &[], self.clock.now());
        }
        let signal = Signal::of(&end.outcome);
        part.end = Some(end);
        signal
    }

    /// A call of several executions, or of one where they come as a list.
    async fn batch(
        &self,
        endpoint: &Opened,
        version: Option<Deployed>,
        parts: &mut [Part],
    ) -> Signal {
        let mut events = Vec::with_capacity(parts.len());
        let mut target = None;
        for part in &mut *parts {
            if let Some((endpoint, event)) = self.ready(endpoint, part) {
                target.get_or_insert_with(|| (endpoint, part.running.clone()));
                events.push(event);
            }
        }
        let Some((endpoint, running)) = target else { return Signal::Unknown };
        let span = self.open_call(&running, &mut events[0]);
        let job = Job { version, ..job(&running, events[0].clone()) };
        let end = carry_out(endpoint.deliver_batch(job, &events)).await;
        if let Some(span) = span {
            self.traces.called(span, &running.target, &events[1..], self.clock.now());
        }
        let signal = Signal::of(&end.outcome);
        let ready = parts.iter_mut().filter(|part| part.end.is_none());
        for (part, end) in ready.zip(share(end, &events)) {
            part.end = Some(end);
        }
        signal
    }

    /// Opens the span of a call, where somebody wants it. What the target causes is caused by it.
    fn open_call(&self, running: &Running, event: &mut Arc<Event>) -> Option<Open> {
        let span = Traces::within(running.span?, self.clock.now());
        let traceparent = Some(span.context.to_string().into());
        *event = Arc::new(Event { traceparent, ..Event::clone(event) });
        Some(span)
    }

    /// Makes a call of executions that were sent to a function by hand.
    async fn redirected(&self, redirect: &Redirect, parts: &mut [Part]) {
        match self.version(redirect).await {
            Ok(lent) => {
                let endpoint = self.catalog.opened(&Target::function(&redirect.function));
                self.call(&endpoint, Some(lent.deployed.clone()), parts).await;
            }
            Err(failure) => {
                self.call(&Err(failure), None, parts).await;
            }
        }
    }
}

/// An index of this trigger alone, whether or not it fires.
fn alone(trigger: &Trigger) -> Index {
    let trigger = Arc::new(Trigger { enabled: true, deleted_at: None, ..trigger.clone() });
    Index::build(&[Rule { trigger, subscription: None }]).0
}

/// A panic in an adapter is that adapter's fault and ends only this attempt.
async fn carry_out(call: impl Future<Output = Delivered>) -> Delivered {
    match AssertUnwindSafe(call).catch_unwind().await {
        Ok(delivered) => delivered,
        Err(_) => {
            let failure = Failure::new(Code::Internal, "the target panicked");
            Delivered { outcome: Outcome::Failure(failure), version: 0 }
        }
    }
}

/// One attempt for a target.
fn job(running: &Running, event: Arc<Event>) -> Job {
    let timeout = running.trigger.policy.timeout;
    Job {
        execution: running.id,
        attempt: running.attempt,
        event,
        trigger: running.trigger.clone(),
        trigger_kind: running.kind.clone(),
        trigger_name: running.name.clone(),
        version: None,
        deadline: timeout.map(|timeout| running.started_at.plus(timeout)),
        cancel: running.cancel.clone(),
        logs: running.lines.clone(),
        token: running.token.clone(),
    }
}

/// How a batch ended for each of its events.
fn share(end: Delivered, events: &[Arc<Event>]) -> Vec<Delivered> {
    let version = end.version;
    let answer = match end.outcome {
        Outcome::Success(data) => data,
        other => {
            let end = Delivered { outcome: other, version };
            return events.iter().map(|_| end.clone()).collect();
        }
    };
    let ids: Vec<_> = events.iter().map(|event| event.public_id()).collect();
    let ids: Vec<_> = ids.iter().map(String::as_str).collect();
    let mut outcomes: Vec<_> = events.iter().map(|_| Outcome::Success(Data::None)).collect();
    match failed_items(&answer.to_value(), &ids) {
        Ok(failures) => {
            // The answer is one for all; it is kept with the first.
            outcomes[0] = Outcome::Success(answer);
            for item in failures {
                let message =
                    item.message.unwrap_or_else(|| "the function named it as failed".into());
                outcomes[item.index] =
                    Outcome::Failure(Failure::new(Code::BatchItemFailed, message));
            }
        }
        // Who is meant cannot be told: better twice than lost.
        Err(message) => {
            let failure = Failure::new(Code::BatchItemFailed, message);
            outcomes.fill(Outcome::Failure(failure));
        }
    }
    outcomes.into_iter().map(|outcome| Delivered { outcome, version }).collect()
}
