//! Reading the record: what is stored, with what runs right now merged in. And the three things a
//! person does to an execution: explain, retry, cancel.

use std::sync::Arc;

use evoke_model::{
    Attempt, Code, Event, EventId, Execution, ExecutionId, Failure, Problem, Rejection, State,
    Timestamp, Trigger, TriggerId,
};
use evoke_ports::store::{
    BadCursor, Change, Due, Error, EventQuery, ExecutionQuery, Order, Page, Receipt, Write,
};
use serde_json::json;

use crate::committer::Chain;
use crate::execute::Running;
use crate::start::{Engine, Inner};

/// Executions cancelled in one step when their trigger is deleted.
const ABANDON_STEP: u32 = 500;

/// An execution with what it belongs to.
#[derive(Clone, Debug)]
pub struct ExecutionView {
    /// The execution.
    pub execution: Execution,
    /// Its trigger, even if it was deleted since.
    pub trigger: Option<Arc<Trigger>>,
    /// The function it runs, if it runs one.
    pub function: Option<Arc<str>>,
}

/// Why an execution is where it is.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// Its state.
    pub state: State,
    /// One sentence.
    pub reason: String,
    /// The same for machines.
    pub detail: serde_json::Value,
}

pub(crate) fn unavailable(error: &Error) -> Rejection {
    if error.source.is::<BadCursor>() {
        let problem = Problem::new("cursor", error.source.to_string())
            .suggest("the next_cursor of a page of the same list");
        return Rejection::of(Code::InvalidRequest, vec![problem]);
    }
    tracing::error!(error = %Chain(error), "A read of the store failed");
    Rejection::new(Code::StoreUnavailable, format!("the store failed: {error}"))
}

fn no_execution(id: ExecutionId) -> Rejection {
    Rejection::new(Code::ExecutionNotFound, format!("there is no execution {id}"))
}

impl Engine {
    /// One event, by our id or the sender's.
    ///
    /// # Errors
    /// EV_002.
    pub async fn event(&self, id: &str) -> Result<Arc<Event>, Rejection> {
        let ours = match id.parse::<EventId>() {
            Ok(ours) => Some(ours),
            Err(_) => self.by_sender_id(id).await?,
        };
        let found = match ours {
            Some(ours) => self.inner.any_event(ours).await.map_err(|error| unavailable(&error))?,
            None => None,
        };
        found
            .ok_or_else(|| Rejection::new(Code::EventNotFound, format!("there is no event {id:?}")))
    }

    /// A sender's id is only unique with its source; the usual ones are tried.
    async fn by_sender_id(&self, id: &str) -> Result<Option<EventId>, Rejection> {
        let (source, id) = id.rsplit_once('#').unwrap_or(("/api/events", id));
        let key = format!("id\0{source}\0{id}");
        self.inner.store.events().by_key(&key).await.map_err(|error| unavailable(&error))
    }

    /// A page of the event log.
    ///
    /// # Errors
    /// API_001 for a bad cursor, ST_001.
    pub async fn events(&self, query: EventQuery) -> Result<Page<Arc<Event>>, Rejection> {
        self.inner.store.events().events(query).await.map_err(|error| unavailable(&error))
    }

    /// One execution.
    ///
    /// # Errors
    /// EX_001.
    pub async fn execution(&self, id: ExecutionId) -> Result<ExecutionView, Rejection> {
        let stored = self.inner.store.executions().execution(id).await;
        match stored.map_err(|error| unavailable(&error))? {
            Some(execution) => Ok(self.inner.view_execution(execution)),
            // A synchronous call is in the record only when it has ended.
            None => match self.inner.running.get(id) {
                Some(running) => Ok(self.inner.view_execution(Execution {
                    id,
                    state: State::Running,
                    due: running.started_at,
                    attempts: 0,
                    order_key: None,
                    concurrency_key: None,
                    last: None,
                    is_test_run: running.event.is_test_run,
                    is_replay: running.event.replay_of.is_some(),
                    cause: None,
                    redirect: None,
                    is_edited: false,
                })),
                None => {
                    let archived = self.inner.archived_execution(id).await;
                    let archived = archived.map_err(|error| unavailable(&error))?;
                    let archived = archived.ok_or_else(|| no_execution(id))?;
                    Ok(self.inner.view_execution(archived.execution.clone()))
                }
            },
        }
    }

    /// A page of executions.
    ///
    /// # Errors
    /// API_001 for a bad cursor, ST_001.
    pub async fn executions(
        &self,
        query: ExecutionQuery,
    ) -> Result<Page<ExecutionView>, Rejection> {
        if query.states == [State::Running] {
            return self.running(&query).await;
        }
        let query_states = query.states.clone();
        let executions = self.inner.store.executions();
        let page = executions.executions(query).await.map_err(|error| unavailable(&error))?;
        let views = page.items.into_iter().map(|execution| self.inner.view_execution(execution));
        // What runs stands in the store as pending: only its view tells.
        let is_asked = |view: &ExecutionView| {
            query_states.is_empty() || query_states.contains(&view.execution.state)
        };
        Ok(Page { items: views.filter(is_asked).collect(), next: page.next })
    }

    /// A page of what runs. Only this process knows it: nothing is written when an attempt begins.
    async fn running(&self, query: &ExecutionQuery) -> Result<Page<ExecutionView>, Rejection> {
        let after = query.cursor.as_deref().map(str::parse::<ExecutionId>).transpose();
        let after = after.map_err(|_| {
            Rejection::new(Code::InvalidRequest, "the cursor is not one of this list")
        })?;
        let all = self.inner.running.all();
        let asked_for = all.iter().filter(|one| is_asked_for(one, query)).map(|one| one.id);
        // What ran at the cursor may be over: the page goes on behind where it stood.
        let mut ids: Vec<_> = match query.order {
            Order::NewestFirst => asked_for.filter(|id| after.is_none_or(|at| *id < at)).collect(),
            Order::OldestFirst => asked_for.filter(|id| after.is_none_or(|at| *id > at)).collect(),
        };
        ids.sort_unstable();
        if query.order == Order::NewestFirst {
            ids.reverse();
        }
        let is_more = ids.len() > query.limit as usize;
        ids.truncate(query.limit as usize);
        let next = ids.last().filter(|_| is_more).map(ToString::to_string);
        let mut items = Vec::with_capacity(ids.len());
        for id in ids {
            match self.execution(id).await {
                // It may have ended meanwhile.
                Ok(view) if view.execution.state == State::Running => items.push(view),
                Ok(_) => {}
                Err(rejection) if rejection.code == Code::ExecutionNotFound => {}
                Err(rejection) => return Err(rejection),
            }
        }
        Ok(Page { items, next })
    }

    /// The finished attempts of an execution, oldest first.
    ///
    /// # Errors
    /// ST_001.
    pub async fn attempts(&self, id: ExecutionId) -> Result<Vec<Attempt>, Rejection> {
        let attempts = self.inner.store.executions().attempts(id).await;
        let attempts = attempts.map_err(|error| unavailable(&error))?;
        if !attempts.is_empty() {
            return Ok(attempts);
        }
        let archived = self.inner.archived_execution(id).await;
        let archived = archived.map_err(|error| unavailable(&error))?;
        Ok(archived.map(|archived| archived.attempts.clone()).unwrap_or_default())
    }

    /// Dead letters by trigger.
    ///
    /// # Errors
    /// ST_001.
    pub async fn dead_letter_counts(&self) -> Result<Vec<(TriggerId, u64)>, Rejection> {
        let groups = self.inner.store.executions().dead_letters().await;
        let mut counts = std::collections::BTreeMap::new();
        for group in groups.map_err(|error| unavailable(&error))? {
            *counts.entry(group.trigger).or_default() += group.count;
        }
        Ok(counts.into_iter().collect())
    }

    /// Why an execution is where it is.
    ///
    /// # Errors
    /// EX_001.
    pub async fn explain(&self, id: ExecutionId) -> Result<Explanation, Rejection> {
        let view = self.execution(id).await?;
        let state = view.execution.state;
        let (reason, detail) = match state {
            State::Pending => self.inner.why_waiting(&view),
            State::Running => {
                let since = self.inner.running.get(id).map(|running| running.started_at);
                let text = since.map_or("it runs".to_owned(), |at| format!("it runs since {at}"));
                (text, json!({ "why": "running", "since": since }))
            }
            _ => ended(&view.execution),
        };
        Ok(Explanation { state, reason, detail })
    }

    /// Runs a final execution again, with all its attempts.
    ///
    /// # Errors
    /// EX_001; EX_002 while it is not over, and when it is archived.
    pub async fn retry(&self, id: ExecutionId) -> Result<(), Rejection> {
        let _by_hand = self.inner.operations.by_hand().await;
        let view = self.execution(id).await?;
        let state = view.execution.state;
        let refuse = |message: String| Err(Rejection::new(Code::ExecutionState, message));
        if !state.is_final() {
            return refuse(format!("execution {id} is {}, it is not over", state.as_str()));
        }
        if view.trigger.is_none_or(|trigger| trigger.deleted_at.is_some()) {
            return refuse(format!("the trigger of execution {id} was deleted"));
        }
        if self.inner.is_archived(id).await.map_err(|error| unavailable(&error))? {
            return refuse(format!(
                "execution {id} is archived, it can only be read; replay its event to run it again"
            ));
        }
        let due = self.inner.clock.now();
        let change = Change::Reopen { id, due, redirect: None };
        match self.inner.reopen(&[view.execution], vec![change]).await? {
            1 => Ok(()),
            _ => refuse(format!("execution {id} changed meanwhile")),
        }
    }

    /// Stops an execution: one that runs gets its cancellation signal and is then ended, one that
    /// waits never starts.
    ///
    /// # Errors
    /// EX_001; EX_002 when it is over already.
    pub async fn cancel(&self, id: ExecutionId) -> Result<(), Rejection> {
        if let Some(running) = self.inner.running.get(id) {
            running.stop(None);
            return Ok(());
        }
        let view = self.execution(id).await?;
        if self.inner.dispatcher.call_off(id) {
            // It may have begun meanwhile.
            if let Some(running) = self.inner.running.get(id) {
                running.stop(None);
            }
            return Ok(());
        }
        // Until it is in the record, a look into the store under way must not bring it back.
        self.inner.dispatcher.settling(id);
        self.inner.dispatcher.forget(id);
        let at = self.inner.clock.now();
        let why = Failure::new(Code::ExecutionCancelled, "cancelled by request");
        let change = Change::Abandon { id, at, why };
        match self.inner.committer.change(Write::from(change)).await? {
            Receipt::Changed(true) => {
                // It may have come in since.
                self.inner.dispatcher.forget(id);
                self.inner.dispatcher.pump_lane(id.trigger);
                self.inner.dispatcher.count_open(-1);
                if let Some(trigger) = &view.trigger {
                    self.inner.metrics.ended(&trigger.kind, State::Cancelled);
                }
                Ok(())
            }
            _ => {
                let state = view.execution.state.as_str();
                let message = format!("execution {id} is {state}, there is nothing to cancel");
                Err(Rejection::new(Code::ExecutionState, message))
            }
        }
    }
}

fn ended(execution: &Execution) -> (String, serde_json::Value) {
    let state = execution.state.as_str();
    let failure = execution.last.as_ref().and_then(|attempt| attempt.outcome.failure());
    let attempts = execution.attempts;
    let at = execution.last.as_ref().map(|attempt| attempt.finished_at);
    let text = match failure {
        Some(failure) => format!(
            "it ended as {state} after {attempts} attempts: {}: {}",
            failure.code, failure.message
        ),
        None => format!("it ended as {state} after {attempts} attempts"),
    };
    (text, json!({ "why": "ended", "at": at, "attempts": attempts, "error": failure }))
}

/// Whether a query is after what runs here.
fn is_asked_for(running: &Running, query: &ExecutionQuery) -> bool {
    let accepted = running.id.event.made_at();
    (query.triggers.is_empty() || query.triggers.contains(&running.id.trigger))
        && query.event.is_none_or(|event| event == running.id.event)
        && query.is_test_run.is_none_or(|test| test == running.event.is_test_run)
        && query.is_replay.is_none_or(|replay| replay == running.event.replay_of.is_some())
        && !query.only_dead_letters
        && query.cause.is_none()
        && query.since.is_none_or(|since| accepted >= since)
        && query.until.is_none_or(|until| accepted < until)
}

impl Inner {
    pub(crate) fn view_execution(&self, mut execution: Execution) -> ExecutionView {
        let trigger = self.catalog.load().triggers.get(&execution.id.trigger).cloned();
        if !execution.state.is_final() && self.running.get(execution.id).is_some() {
            execution.state = State::Running;
        }
        let function =
            trigger.as_ref().and_then(|trigger| trigger.target.function_name()).map(Into::into);
        ExecutionView { execution, trigger, function }
    }

    fn why_waiting(&self, view: &ExecutionView) -> (String, serde_json::Value) {
        let Some(trigger) = &view.trigger else {
            return ("its trigger is gone".into(), json!({ "why": "trigger_gone" }));
        };
        if let Some(at) = trigger.deleted_at {
            let text = format!("its trigger {:?} was deleted at {at}", trigger.name);
            return (text, json!({ "why": "trigger_deleted", "at": at }));
        }
        if !trigger.enabled {
            let (at, by) = (trigger.updated_at, trigger.updated_by.as_deref());
            let who = by.map(|by| format!(" by {by}")).unwrap_or_default();
            let text = format!("its trigger {:?} was disabled{who} at {at}", trigger.name);
            return (text, json!({ "why": "trigger_disabled", "at": at, "by": by }));
        }
        self.dispatcher.explain(&view.execution, &trigger.policy)
    }

    /// Cancels everything that waits for a deleted trigger.
    pub(crate) async fn abandon_all(&self, trigger: &Trigger) -> Result<(), Rejection> {
        loop {
            let query = Due {
                trigger: trigger.id,
                after: None,
                until: Timestamp::from_micros(i64::MAX),
                order_key: None,
                limit: ABANDON_STEP,
            };
            let found = self.store.executions().due(query).await;
            let found = found.map_err(|error| unavailable(&error))?;
            let mut changed = false;
            for waiting in found {
                if self.running.get(waiting.id).is_some() {
                    continue;
                }
                let at = self.clock.now();
                let why = Failure::new(Code::ExecutionCancelled, "its trigger was deleted");
                let change = Change::Abandon { id: waiting.id, at, why };
                let receipt = self.committer.change(Write::from(change)).await?;
                if receipt == Receipt::Changed(true) {
                    self.dispatcher.count_open(-1);
                    self.metrics.ended(&trigger.kind, State::Cancelled);
                    changed = true;
                }
            }
            if !changed {
                return Ok(());
            }
        }
    }
}
