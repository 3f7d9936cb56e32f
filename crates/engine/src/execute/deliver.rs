//! From admitted executions to their target and back: what the target gets, and what each of the
//! executions of a call got out of it.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use evoke_delivery::admission::Entry;
use evoke_delivery::batch::failed_items;
use evoke_matching::{Index, Rule};
use evoke_model::policy::{DebounceMode, Policy};
use evoke_model::{Code, Data, Event, Failure, Outcome, Redirect, Target, Trigger};
use evoke_ports::{Delivered, Endpoint, Functions, Job};
use futures_util::FutureExt;

use super::Running;
use crate::dispatch::{Berth, Item};
use crate::start::Inner;
use crate::traces::Traces;

/// Whether the target of a trigger gets lists of events.
fn is_batched(policy: &Policy) -> bool {
    policy.batch.is_some()
        || policy.debounce.as_ref().is_some_and(|debounce| debounce.mode == DebounceMode::All)
}

fn failed(failure: Failure) -> Delivered {
    Delivered { outcome: Outcome::Failure(failure), version: 0 }
}

/// One execution of a call, ready to go.
struct Part<'a> {
    /// Its place in the call.
    place: usize,
    event: Arc<Event>,
    redirect: Option<&'a Redirect>,
}

impl Inner {
    /// Carries out a call; gives back how it ended for each of its executions.
    pub(super) async fn deliver(
        &self,
        berth: &Berth,
        entries: &[Entry<Item>],
        begun: &[Arc<Running>],
    ) -> Vec<Delivered> {
        let mut ends: Vec<Option<Delivered>> = entries.iter().map(|_| None).collect();
        let mut parts = Vec::with_capacity(entries.len());
        for (place, entry) in entries.iter().enumerate() {
            if begun[place].stopped().is_some() {
                ends[place] = Some(Delivered { outcome: Outcome::Cancelled, version: 0 });
                continue;
            }
            match self.prepared(&begun[place]) {
                Ok(event) => {
                    let redirect = entry.payload.waiting.redirect.as_deref();
                    parts.push(Part { place, event, redirect });
                }
                Err(failure) => ends[place] = Some(failed(failure)),
            }
        }
        // Those of a call that were sent elsewhere by hand make calls of their own.
        for same in parts.chunk_by(|a, b| a.redirect == b.redirect) {
            for (part, end) in same.iter().zip(self.call(berth, same, begun).await) {
                ends[part.place] = Some(end);
            }
        }
        let lost = || failed(Failure::new(Code::Internal, "the call did not come to an end"));
        ends.into_iter().map(|end| end.unwrap_or_else(lost)).collect()
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

    /// Makes one call of the executions in `parts`; gives back how it ended for each.
    async fn call(
        &self,
        berth: &Berth,
        parts: &[Part<'_>],
        begun: &[Arc<Running>],
    ) -> Vec<Delivered> {
        let Some(first) = parts.first() else { return Vec::new() };
        let running = &begun[first.place];
        let endpoint = match first.redirect {
            Some(redirect) => self.redirected(redirect),
            None => berth
                .lane
                .endpoint()
                .map_err(|message| Failure::new(Code::InvalidTrigger, message).for_good()),
        };
        let endpoint = match endpoint {
            Ok(endpoint) => endpoint,
            Err(failure) => return parts.iter().map(|_| failed(failure.clone())).collect(),
        };
        let timeout = running.trigger.policy.timeout;
        let mut events: Vec<_> = parts.iter().map(|part| part.event.clone()).collect();
        let span = running.span.map(|span| Traces::within(span, self.clock.now()));
        if let Some(span) = span {
            // What the target causes is caused by this call of it.
            let traceparent = Some(span.context.to_string().into());
            events[0] = Arc::new(Event { traceparent, ..Event::clone(&events[0]) });
        }
        let job = Job {
            execution: running.id,
            attempt: running.attempt,
            event: events[0].clone(),
            trigger: running.trigger.clone(),
            deadline: timeout.map(|timeout| running.started_at.plus(timeout)),
            cancel: running.cancel.clone(),
            logs: running.lines.clone(),
            token: running.token.clone(),
        };
        let is_list = is_batched(&running.trigger.policy);
        let end = match is_list {
            false => carry_out(endpoint.deliver(job)).await,
            true => carry_out(endpoint.deliver_batch(job, &events)).await,
        };
        if let Some(span) = span {
            self.traces.called(span, &running.target, &events, self.clock.now());
        }
        if first.redirect.is_none() {
            self.dispatcher.heard(berth, &end.outcome);
        }
        if is_list { share(end, &events) } else { vec![end] }
    }

    /// The function an execution was sent to by hand.
    fn redirected(&self, redirect: &Redirect) -> Result<Arc<dyn Endpoint>, Failure> {
        let Redirect { function, version } = redirect;
        let current = self.registry.current(function)?.version.number;
        if version.is_some_and(|version| version != current) {
            let wished = version.unwrap_or_default();
            let message = format!(
                "version {wished} of function {function:?} is not there any more, {current} is"
            );
            return Err(Failure::new(Code::FunctionNotFound, message).for_good());
        }
        self.catalog.open(&Target::function(function)).map_err(|problems| {
            let message = problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
            Failure::new(Code::InvalidTrigger, message).for_good()
        })
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
        Err(_) => failed(Failure::new(Code::Internal, "the target panicked")),
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
