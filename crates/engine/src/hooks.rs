//! Hooks: triggers that are asked before a change is made, and may say no. They run one after the
//! other, the highest priority first, while nothing is locked and nothing is written. What they did
//! is recorded with the event of the change or, where one said no, with an event that tells of
//! that.

mod answer;
mod unmade;

use std::sync::Arc;

use evoke_matching::{LoopBreak, Planned};
use evoke_model::policy::OnFailure;
use evoke_model::{
    Attempt, Code, Data, Event, ExecutionId, Failure, Millis, Outcome, Problem, Rejection, State,
    Trigger,
};
use evoke_ports::runtime::Deployed;
use evoke_ports::store::NewExecution;
use evoke_ports::{Agreed, Asked, Call, Functions, HttpReply, Input, News, Reply, Revise};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::call::{bounded, http_outcome, outcome_of, state_of};
use crate::catalog::Snapshot;
use crate::draft::Draft;
use crate::execute::{Beginning, Running};
use crate::ingest::Matched;
use crate::start::Inner;
use answer::Verdict;
pub(crate) use unmade::Unmade;

/// How long a hook may take where its trigger does not say.
const TIMEOUT_DEFAULT: Millis = Millis::from_secs(5);

impl Inner {
    /// Gives news its event and asks the hooks that want it.
    pub(crate) async fn ask_hooks(self: &Arc<Self>, news: News) -> Result<Agreed, Rejection> {
        if !self.dispatcher.has_begun() {
            // Not all triggers are known: a change would pass by who guards it, or is told of it.
            let message = "the server is starting: its functions are not deployed yet";
            let rejection = Rejection::new(Code::Starting, message);
            return Err(rejection.retry_after(Millis::from_secs(1)));
        }
        let News { kind, source, subject, data, origin, revise } = news;
        let event = Arc::new(self.accept(Draft {
            kind,
            source: Some(source),
            subject,
            data: Data::from_value(&data),
            traceparent: origin.traceparent,
            cause: origin.cause,
            ..Draft::default()
        }));
        let snapshot = self.catalog.load_full();
        if snapshot.hooks.is_empty() {
            return Ok(Agreed { event, hooks: Asked::default(), revised: None });
        }
        let mut asking = Asking {
            inner: self.clone(),
            snapshot,
            event,
            data,
            revise,
            request_id: origin.request_id,
            is_revised: false,
            asked: Vec::new(),
            under_way: None,
            refused: None,
            is_over: false,
        };
        asking.run().await
    }
}

/// Hooks being asked about one change. Dropped before its end, the change is recorded as refused:
/// its caller left.
struct Asking {
    inner: Arc<Inner>,
    snapshot: Arc<Snapshot>,
    event: Arc<Event>,
    data: Value,
    revise: Option<Revise>,
    request_id: Option<Arc<str>>,
    is_revised: bool,
    /// Those that were asked.
    asked: Vec<NewExecution>,
    under_way: Option<(Matched, Arc<Running>)>,
    /// Who said no, and why.
    refused: Option<(Arc<Trigger>, Rejection)>,
    is_over: bool,
}

impl Asking {
    async fn run(&mut self) -> Result<Agreed, Rejection> {
        while let Some(next) = self.next() {
            if let Err(rejection) = self.ask(next).await {
                // Before the answer, so that no more is refused than can be written.
                let inner = self.inner.clone();
                let place = inner.committer.place().await;
                let (write, settles) = self.unmade().entry(&inner);
                place.finish(write, settles);
                return Err(rejection);
            }
        }
        self.is_over = true;
        Ok(Agreed {
            event: self.event.clone(),
            hooks: self.agreed(),
            revised: self.is_revised.then(|| self.data.take()),
        })
    }

    /// The hooks that were asked, for who makes the change.
    fn agreed(&mut self) -> Asked {
        let asked = std::mem::take(&mut self.asked);
        if asked.is_empty() {
            return Asked::default();
        }
        let (inner, event) = (self.inner.clone(), self.event.clone());
        Asked::new(asked, Box::new(move |asked| inner.tell_unmade(Unmade::new(&event, asked))))
    }

    /// The next hook that wants the change as it is now.
    fn next(&self) -> Option<Planned> {
        let events = std::slice::from_ref(&self.event);
        let limits = self.inner.plan_limits;
        let now = self.inner.clock.now();
        let plan = evoke_matching::plan(events, &self.snapshot.hooks, limits, now);
        for trouble in &plan.trouble {
            // It is asked all the same: what a caller leaves out must not open what a hook guards.
            tracing::debug!(trigger.id = %trouble.trigger, "Not evaluated: {}", trouble.message);
        }
        let was_asked = |planned: &Planned| {
            self.asked.iter().any(|asked| asked.id.trigger == planned.trigger.id)
        };
        plan.executions.into_iter().find(|planned| !was_asked(planned))
    }

    async fn ask(&mut self, planned: Planned) -> Result<(), Rejection> {
        let Planned { trigger, due, keys, priority, broken, .. } = planned;
        let matched = Matched { trigger: trigger.clone(), due, keys, priority };
        if let Some(broken) = broken {
            return self.leave_out(matched, broken);
        }
        let id = ExecutionId { event: self.event.id, trigger: trigger.id };
        let running = self.inner.begin(Beginning {
            id,
            event: self.event.clone(),
            trigger: trigger.clone(),
            attempt: 1,
            cancel: CancellationToken::new(),
        });
        self.under_way = Some((matched, running.clone()));
        let said = self.inner.call_hook(&running, self.request_id.clone()).await;
        let Said { outcome, verdict, version } = said;
        let verdict = verdict.and_then(|verdict| self.take(&trigger, verdict));
        let outcome = match (&verdict, outcome) {
            // What it answered stays readable beside why that was not taken.
            (Err(failure), Outcome::Success(_)) => Outcome::Failure(failure.clone()),
            (_, outcome) => outcome,
        };
        self.record(outcome, version);
        match verdict {
            Ok(None) => Ok(()),
            Ok(Some(rejection)) => self.refuse(&trigger, rejection),
            Err(failure) if trigger.policy.on_failure == Some(OnFailure::Continue) => {
                let why = &failure.message;
                tracing::warn!(execution.id = %id, "A hook failed, the change goes on: {why}");
                Ok(())
            }
            Err(failure) => self.refuse(&trigger, failed(&trigger, &failure)),
        }
    }

    /// Takes what a hook says: the refusal, or the document it gave.
    fn take(&mut self, trigger: &Trigger, verdict: Verdict) -> Result<Option<Rejection>, Failure> {
        let document = match verdict {
            Verdict::Refused(rejection) => return Ok(Some(rejection)),
            Verdict::Agreed(None) => return Ok(None),
            Verdict::Agreed(Some(document)) => document,
        };
        let revise = self.revise.as_ref().filter(|_| trigger.policy.allow_modify == Some(true));
        let revise = revise.ok_or_else(|| {
            let message = "it gave back a document, which only `allow_modify: true` allows";
            Failure::new(Code::HookFailed, message)
        })?;
        let data = revise(&self.data, document).map_err(|problems| {
            let problems: Vec<_> = problems.iter().map(ToString::to_string).collect();
            let message = format!("its document is not valid: {}", problems.join("; "));
            Failure::new(Code::HookFailed, message)
        })?;
        self.event = Arc::new(Event { data: Data::from_value(&data), ..(*self.event).clone() });
        self.data = data;
        self.is_revised = true;
        Ok(None)
    }

    /// A hook that is part of what caused the change is not asked. A chain without end is cut.
    fn leave_out(&mut self, matched: Matched, broken: LoopBreak) -> Result<(), Rejection> {
        let trigger = matched.trigger.clone();
        self.inner.metrics.ended(&trigger.kind, State::Cancelled);
        let attempt = Attempt::not_made(0, self.inner.clock.now(), broken.failure());
        let done = Some(Box::new((State::Cancelled, attempt)));
        let new = NewExecution { done, once: None, ..matched.new_execution(&self.event) };
        self.asked.push(new);
        match broken {
            LoopBreak::OwnEffect => Ok(()),
            LoopBreak::TooDeep { .. } => {
                let failure = broken.failure();
                self.refuse(&trigger, Rejection::new(failure.code, failure.message))
            }
        }
    }

    fn refuse(&mut self, trigger: &Arc<Trigger>, rejection: Rejection) -> Result<(), Rejection> {
        self.refused = Some((trigger.clone(), rejection.clone()));
        Err(rejection)
    }

    /// Notes how the hook under way ended.
    fn record(&mut self, outcome: Outcome, version: u32) {
        let Some((matched, running)) = self.under_way.take() else { return };
        let state = state_of(&outcome);
        let attempt = Attempt {
            number: 1,
            started_at: running.started_at,
            finished_at: self.inner.clock.now(),
            outcome,
            logs: running.lines.take(),
            version,
        };
        self.inner.finished(&running, &attempt, Some(state));
        let done = Some(Box::new((state, attempt)));
        let new = NewExecution { done, once: None, ..matched.new_execution(&self.event) };
        self.asked.push(new);
    }

    /// The change as one that is not made, with the hooks that were asked.
    fn unmade(&mut self) -> Unmade {
        self.is_over = true;
        let unmade = Unmade::new(&self.event, std::mem::take(&mut self.asked));
        match &self.refused {
            Some((trigger, no)) => unmade.because(self.data.take(), trigger, no),
            None => unmade,
        }
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        if let Some((_, running)) = &self.under_way {
            running.cancel.cancel();
        }
        self.record(Outcome::Cancelled, 0);
        let unmade = self.unmade();
        self.inner.tell_unmade(unmade);
    }
}

/// What came of a call of a hook.
struct Said {
    outcome: Outcome,
    verdict: Result<Verdict, Failure>,
    version: u32,
}

impl Said {
    fn failed(failure: Failure, version: u32) -> Self {
        Self { outcome: outcome_of(failure.clone()), verdict: Err(failure), version }
    }
}

impl Inner {
    async fn call_hook(&self, running: &Arc<Running>, request_id: Option<Arc<str>>) -> Said {
        let Some(function) = running.trigger.target.function_name() else {
            // Stored by another release.
            let message = "only a function can say whether a change may be made";
            return Said::failed(Failure::new(Code::InvalidTrigger, message), 0);
        };
        match self.registry.current(function) {
            Ok(deployed) => call_function(running, deployed, request_id).await,
            Err(failure) => Said::failed(failure, 0),
        }
    }
}

async fn call_function(
    running: &Arc<Running>,
    deployed: Deployed,
    request_id: Option<Arc<str>>,
) -> Said {
    let version = deployed.version.number;
    let limit = limit(&running.trigger).min(deployed.version.spec.timeout);
    let call = Call {
        execution: running.id,
        attempt: 1,
        deadline: running.started_at.plus(limit),
        trigger_kind: running.kind.clone(),
        trigger_name: running.name.clone(),
        traceparent: running.event.traceparent.as_deref().map(Into::into),
        request_id,
        input: Input::Event(running.event.clone()),
        logs: running.lines.clone(),
        cancel: running.cancel.clone(),
        token: running.token.clone(),
    };
    let (outcome, verdict) = match deployed.pool.call(call).await {
        Err(failure) => return Said::failed(failure, version),
        Ok(Reply::Value(data)) => {
            (Outcome::Success(bounded(&data)), understood(answer::of_value(&data)))
        }
        Ok(Reply::Http(HttpReply { status, headers, body })) => match body.collect().await {
            Err(failure) => return Said::failed(failure, version),
            Ok(body) => (
                http_outcome(status, &headers, &body),
                understood(answer::of_response(status.as_u16(), &body)),
            ),
        },
    };
    Said { outcome, verdict, version }
}

fn limit(trigger: &Trigger) -> Millis {
    trigger.policy.timeout.unwrap_or(TIMEOUT_DEFAULT)
}

fn understood(verdict: Result<Verdict, String>) -> Result<Verdict, Failure> {
    verdict.map_err(|message| Failure::new(Code::HookFailed, message))
}

/// The refusal of a change because a hook failed.
fn failed(trigger: &Trigger, failure: &Failure) -> Rejection {
    let code = match failure.code {
        Code::FunctionTimeout | Code::TargetTimeout => Code::HookTimeout,
        _ => Code::HookFailed,
    };
    let problem = Problem::new("", format!("{}: {}", failure.code, failure.message));
    let message = format!("the hook {:?} failed: {}", trigger.name, failure.message);
    Rejection { message, ..Rejection::of(code, vec![problem]) }
}
