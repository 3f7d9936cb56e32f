//! Requests to triggers: calls of a function, news of something that happened, or neither. News is
//! made into an event of the log; in between nothing is kept of a request that is refused.

use std::sync::Arc;

use evoke_model::policy::Mode;
use evoke_model::{Code, Event, EventId, ExecutionId, Failure, Rejection, Trigger, TriggerId};
use evoke_ports::store::{Ingest, OnceKey, Receipt, Write};
use evoke_ports::{Arrived, Denied, HttpCall, HttpIntake, HttpReply, Input, Received, Reply};

use super::HttpCallMeta;
use super::again::Arrival;
use super::direct::{Beside, Direct};
use super::reply::answer;
use crate::dispatch::Planned;
use crate::draft::{Draft, Emitted};
use crate::start::{Engine, Inner};

/// Looking at a larger body takes long enough to be felt by others on the same thread: reading
/// 10 MB for a signature takes some ten milliseconds.
const QUICK_BYTES_MAX: usize = 256 * 1024;

/// What a request was answered with.
#[derive(Debug)]
pub enum Answer {
    /// The function's own answer.
    Reply(ExecutionId, HttpReply),
    /// It is an event of the log, durable; what it starts runs later.
    Accepted(Emitted),
}

/// Why a request got no answer of its own.
#[derive(Debug)]
pub enum Unanswered {
    /// What the function failed of, with the execution if it came to one.
    Failed(Option<ExecutionId>, Failure),
    /// It was not let in.
    Refused(Box<Denied>),
}

impl From<Rejection> for Unanswered {
    fn from(rejection: Rejection) -> Self {
        Self::Refused(Box::new(Denied { rejection, challenge: None }))
    }
}

impl Engine {
    /// Answers a request that a trigger has.
    ///
    /// # Errors
    /// Why it is not answered.
    pub async fn receive(
        &self,
        trigger: TriggerId,
        call: HttpCall,
        meta: HttpCallMeta,
    ) -> Result<Answer, Unanswered> {
        let inner = &self.inner;
        let found = inner.catalog.load().triggers.get(&trigger).cloned();
        let gone = || Rejection::new(Code::TriggerNotFound, "the trigger is gone");
        let found = found.ok_or_else(gone)?;
        let intake = inner.catalog.intake(&found.kind).ok_or_else(gone)?;
        let (received, mut call) = inner.look(intake.clone(), trigger, call).await?;
        match received {
            Received::Call => self.reply(trigger, call, meta).await,
            Received::CallBy(user) => {
                call.user = Some(user);
                self.reply(trigger, call, meta).await
            }
            Received::Refused(denied) => Err(Unanswered::Refused(denied)),
            Received::Event(arrived) => self.arrived(found, *arrived, meta).await,
        }
    }

    /// Answers a request with the trigger's function.
    async fn reply(
        &self,
        trigger: TriggerId,
        call: HttpCall,
        meta: HttpCallMeta,
    ) -> Result<Answer, Unanswered> {
        match self.http(trigger, call, meta).await {
            Ok((execution, reply)) => Ok(Answer::Reply(execution, reply)),
            Err((execution, failure)) => Err(Unanswered::Failed(execution, failure)),
        }
    }

    /// Makes news an event of the log.
    async fn arrived(
        &self,
        trigger: Arc<Trigger>,
        arrived: Arrived,
        meta: HttpCallMeta,
    ) -> Result<Answer, Unanswered> {
        let kind = self.inner.catalog.kind(&trigger.kind);
        let origin = self.inner.catalog.origin(kind).unwrap_or_default();
        let draft = Draft {
            id: arrived.id.map(Into::into),
            source: Some(format!("{origin}/{}", trigger.id).into()),
            kind: arrived.kind.into(),
            data: arrived.data,
            traceparent: meta.traceparent.clone(),
            cause: meta.cause,
            ..Draft::default()
        };
        if trigger.policy.mode == Some(Mode::Sync) {
            return self.answer_at_once(trigger, draft, meta).await;
        }
        let mut emitted = self.take(kind, vec![draft]).await?;
        let lost = || Rejection::new(Code::Internal, "an event was taken and not named");
        Ok(Answer::Accepted(emitted.pop().ok_or_else(lost)?))
    }

    /// Runs the trigger's function while the sender waits. The event, this execution and those of
    /// other triggers are recorded behind the answer.
    async fn answer_at_once(
        &self,
        trigger: Arc<Trigger>,
        draft: Draft,
        meta: HttpCallMeta,
    ) -> Result<Answer, Unanswered> {
        let inner = &self.inner;
        let mut once = Vec::new();
        inner.once_keys(&draft, 0, &mut once);
        // Sent again while the first one is under way, it waits for what comes of that.
        let turn = match inner.arrival(&once).await? {
            Arrival::First(turn) => turn,
            Arrival::Again(known) => return Ok(Answer::Accepted(known)),
        };
        let event = Arc::new(inner.accept(draft));
        let id = ExecutionId { event: event.id, trigger: trigger.id };
        inner.metrics.accepted(inner.catalog.kind(&trigger.kind), 1);
        let beside = match inner.whose(&event, id, once)? {
            Whose::Own(beside) => Beside { turn, ..beside },
            Whose::Others(ingest, planned) => {
                let receipt = inner.committer.ingest(Write::Ingest(ingest), planned).await?;
                return Ok(Answer::Accepted(first(event.id, &receipt)));
            }
        };
        let event = Arc::unwrap_or_clone(event);
        let direct = Direct::of(inner, event, trigger)
            .map_err(|failure| Unanswered::Failed(None, failure))?
            .with(beside);
        let input = Input::Event(direct.event.clone());
        match direct.run(input, meta.request_id).await {
            Ok(Reply::Value(data)) => Ok(Answer::Reply(id, answer(&data))),
            Ok(Reply::Http(reply)) => Ok(Answer::Reply(id, reply)),
            Err(failure) => Err(Unanswered::Failed(Some(id), failure)),
        }
    }
}

impl Inner {
    /// Lets the intake look at a request: where that could take long, on a thread that may block.
    async fn look(
        &self,
        intake: Arc<dyn HttpIntake>,
        trigger: TriggerId,
        call: HttpCall,
    ) -> Result<(Received, HttpCall), Rejection> {
        let now = self.clock.now();
        let is_quick = call.body.len() <= QUICK_BYTES_MAX;
        let look = move || (intake.receive(trigger, &call, now), call);
        if is_quick {
            return Ok(look());
        }
        let looked = tokio::task::spawn_blocking(look).await;
        looked.map_err(|error| {
            tracing::error!(trigger.id = %trigger, "Looking at a request fell over: {error}");
            Rejection::new(Code::Internal, "this is our mistake; the log has more")
        })
    }

    /// Whose an event is whose sender waits: `own` is the execution that would answer.
    fn whose(
        &self,
        event: &Arc<Event>,
        own: ExecutionId,
        once: Vec<OnceKey>,
    ) -> Result<Whose, Unanswered> {
        let snapshot = self.catalog.load();
        let (mut ingest, mut planned) = self.plan_events(vec![event.clone()], once, &snapshot);
        let Some(place) = ingest.executions.iter().position(|new| new.id == own) else {
            return Ok(Whose::Others(ingest, planned));
        };
        let wished = ingest.executions.remove(place);
        let not_to_be = wished.done.as_ref().and_then(|done| done.1.outcome.failure());
        if let Some(failure) = not_to_be {
            return Err(Unanswered::Failed(None, failure.clone()));
        }
        planned.retain(|planned| planned.entry.id != own);
        let Ingest { executions, once, .. } = ingest;
        Ok(Whose::Own(Beside { executions, planned, once, ..Beside::default() }))
    }
}

/// Whose an event is whose sender waits.
enum Whose {
    /// Its own trigger's; the others begin when its call is recorded.
    Own(Beside),
    /// Only others', if any: the filter of its own trigger does not want it.
    Others(Ingest, Vec<Planned>),
}

/// An event that was written, or the one that stands in its place.
fn first(id: EventId, receipt: &Receipt) -> Emitted {
    let standing = match receipt {
        Receipt::Ingested { duplicates, .. } => duplicates.first().map(|(_, standing)| *standing),
        _ => None,
    };
    Emitted { id: standing.unwrap_or(id), is_duplicate: standing.is_some() }
}
