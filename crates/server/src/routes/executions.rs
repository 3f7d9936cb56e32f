//! Executions: the record, the live feed, and what a person does to one.

use axum::Json;
use axum::response::{IntoResponse, Response};
use evoke_api::{Attempt, Execution, ExecutionNotice, Explanation, Page};
use evoke_engine::Engine;
use evoke_model::{Code, ExecutionId, Problem, State, Timestamp, TriggerId};
use evoke_ports::store::{ExecutionQuery, Page as Found};
use utoipa::IntoParams;

use crate::extract::{Segment, Shared};
use crate::query::{FromQuery, Params, Query};
use crate::refusal::Refusal;
use crate::stream::follow;

/// Which executions.
#[derive(IntoParams, Default)]
#[into_params(parameter_in = Query)]
pub(crate) struct Filter {
    /// Of this function, by name or id.
    pub(crate) function: Option<String>,
    /// Of this trigger, by name or id.
    pub(crate) trigger: Option<String>,
    /// Of triggers of this kind.
    pub(crate) trigger_type: Option<String>,
    /// In these states, separated by commas.
    #[param(value_type = Option<String>, example = "failed,timed_out")]
    pub(crate) status: Vec<State>,
    /// Of this event.
    pub(crate) event: Option<String>,
    /// Only test runs, or only others.
    pub(crate) is_test_run: Option<bool>,
    /// Whose event was accepted at or after.
    #[param(value_type = Option<String>, format = DateTime)]
    pub(crate) since: Option<Timestamp>,
    /// Whose event was accepted before.
    #[param(value_type = Option<String>, format = DateTime)]
    pub(crate) until: Option<Timestamp>,
    /// Items in the page.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 1000)]
    pub(crate) limit: u32,
    /// From `next_cursor` of the page before.
    pub(crate) cursor: Option<String>,
    /// Stream changes as they come (SSE) instead of listing what is.
    #[param(value_type = Option<bool>)]
    pub(crate) follow: bool,
}

impl FromQuery for Filter {
    fn read(query: &mut Query) -> Self {
        Self {
            function: query.text("function"),
            trigger: query.text("trigger"),
            trigger_type: query.text("trigger_type"),
            status: states(query),
            event: query.text("event"),
            is_test_run: query.flag("is_test_run"),
            since: query.time("since"),
            until: query.time("until"),
            limit: query.limit(),
            cursor: query.text("cursor"),
            follow: query.flag("follow").unwrap_or(false),
        }
    }
}

/// The states a caller asks for.
pub(crate) fn states(query: &mut Query) -> Vec<State> {
    let Some(text) = query.text("status") else { return Vec::new() };
    let mut states = Vec::new();
    for word in text.split(',') {
        match word.trim().parse() {
            Ok(state) => states.push(state),
            Err(()) => {
                let shown: String = word.chars().take(64).collect();
                let hint = evoke_model::suggest::did_you_mean(word, State::ALL.map(State::as_str));
                let problem = Problem::new("status", format!("{shown:?} is not a state"));
                query.problem(problem.suggest(hint));
            }
        }
    }
    states
}

impl Filter {
    /// The question to the record; `None` when nothing can match.
    async fn query(&self, engine: &Engine) -> Result<Option<ExecutionQuery>, Refusal> {
        let triggers = match self.triggers(engine)? {
            Some(triggers) if triggers.is_empty() => return Ok(None),
            triggers => triggers.unwrap_or_default(),
        };
        let event = match &self.event {
            Some(id) => Some(engine.event(id).await?.id),
            None => None,
        };
        Ok(Some(ExecutionQuery {
            triggers,
            event,
            states: self.status.clone(),
            is_test_run: self.is_test_run,
            since: self.since,
            until: self.until,
            limit: self.limit,
            cursor: self.cursor.clone(),
            ..ExecutionQuery::default()
        }))
    }

    /// The triggers that function, trigger and kind leave; `None` when none of them is asked for.
    fn triggers(&self, engine: &Engine) -> Result<Option<Vec<TriggerId>>, Refusal> {
        if self.function.is_none() && self.trigger.is_none() && self.trigger_type.is_none() {
            return Ok(None);
        }
        // A deleted trigger is found by its id alone, so that its history stays within reach.
        if let (None, Some(Ok(id)), None) =
            (&self.function, self.trigger.as_deref().map(str::parse), &self.trigger_type)
        {
            return Ok(Some(vec![id]));
        }
        let function = match &self.function {
            Some(name) => Some(engine.function(name)?.record.spec.name),
            None => None,
        };
        let trigger = match &self.trigger {
            Some(name) => Some(engine.trigger(name)?.id),
            None => None,
        };
        let triggers = engine.triggers();
        let left = triggers.iter().filter(|known| {
            let is_function =
                function.as_deref().is_none_or(|name| known.target.function_name() == Some(name));
            let is_kind = self.trigger_type.as_ref().is_none_or(|kind| *kind == known.kind);
            is_function && is_kind && trigger.is_none_or(|id| id == known.id)
        });
        Ok(Some(left.map(|trigger| trigger.id).collect()))
    }
}

/// A page of the record.
pub(crate) async fn page(
    engine: &Engine,
    filter: &Filter,
) -> Result<Found<evoke_engine::ExecutionView>, Refusal> {
    match filter.query(engine).await? {
        Some(query) => Ok(engine.executions(query).await?),
        None => Ok(Found { items: Vec::new(), next: None }),
    }
}

/// Reads an id; what is not one cannot be found.
fn id_of(text: &str) -> Result<ExecutionId, Refusal> {
    text.parse().map_err(|error| {
        Refusal::new(Code::ExecutionNotFound, format!("there is no execution {text:?}: {error}"))
    })
}

/// List executions
///
/// The record, newest event first, without what may be large; with `follow=true` the live feed.
#[utoipa::path(
    get, path = "/executions", tag = "executions",
    operation_id = "list_executions",
    params(Filter),
    responses((status = 200, description = "A page, or a stream", content(
        (Page<Execution> = "application/json"),
        (String = "text/event-stream"),
    ))),
)]
pub(crate) async fn list(
    Shared(server): Shared,
    Params(filter): Params<Filter>,
) -> Result<Response, Refusal> {
    if !filter.follow {
        let page = page(&server.engine, &filter).await?;
        return Ok(Json(Page::of(page, |view| Execution::summary(&view))).into_response());
    }
    let triggers = filter.triggers(&server.engine)?;
    Ok(follow(&server, "execution", move |notice| {
        let notice = ExecutionNotice::of(notice)?;
        let is_state = filter.status.is_empty() || filter.status.contains(&notice.status);
        let is_trigger =
            triggers.as_ref().is_none_or(|triggers| triggers.contains(&notice.id.trigger));
        (is_state && is_trigger).then_some(notice)
    }))
}

/// Show an execution
#[utoipa::path(
    get, path = "/executions/{id}", tag = "executions",
    operation_id = "get_execution",
    params(("id" = String, Path)),
    responses((status = 200, description = "The whole execution", body = Execution)),
)]
pub(crate) async fn show(
    Shared(server): Shared,
    Segment(id): Segment,
) -> Result<Json<Execution>, Refusal> {
    let id = id_of(&id)?;
    let view = server.engine.execution(id).await?;
    // Retention may take the event away before the execution.
    let event = server.engine.event(&id.event.to_string()).await.ok();
    Ok(Json(Execution::whole(&view, event.as_ref().map(|event| &event.data))))
}

/// List the attempts of an execution
#[utoipa::path(
    get, path = "/executions/{id}/attempts", tag = "executions",
    operation_id = "list_attempts",
    params(("id" = String, Path)),
    responses((status = 200, description = "All attempts, oldest first", body = Page<Attempt>)),
)]
pub(crate) async fn attempts(
    Shared(server): Shared,
    Segment(id): Segment,
) -> Result<Json<Page<Attempt>>, Refusal> {
    let id = id_of(&id)?;
    server.engine.execution(id).await?;
    let attempts = server.engine.attempts(id).await?;
    Ok(Json(Page::whole(attempts.iter().map(Attempt::from).collect())))
}

/// Explain an execution
///
/// Why it is where it is: waiting for its key, its rate, its retry time, a worker.
#[utoipa::path(
    get, path = "/executions/{id}/explain", tag = "executions",
    operation_id = "explain_execution",
    params(("id" = String, Path)),
    responses((status = 200, description = "The reason", body = Explanation)),
)]
pub(crate) async fn explain(
    Shared(server): Shared,
    Segment(id): Segment,
) -> Result<Json<Explanation>, Refusal> {
    let id = id_of(&id)?;
    let explanation = server.engine.explain(id).await?;
    Ok(Json(Explanation::new(id, explanation)))
}

/// Cancel an execution
#[utoipa::path(
    post, path = "/executions/{id}/cancel", tag = "executions",
    operation_id = "cancel_execution",
    params(("id" = String, Path)),
    responses((status = 200, description = "As it is now", body = Execution)),
)]
pub(crate) async fn cancel(
    Shared(server): Shared,
    Segment(id): Segment,
) -> Result<Json<Execution>, Refusal> {
    let id = id_of(&id)?;
    server.engine.cancel(id).await?;
    Ok(Json(Execution::summary(&server.engine.execution(id).await?)))
}

/// Retry an execution
///
/// Makes one that is over pending again; its history stays.
#[utoipa::path(
    post, path = "/executions/{id}/retry", tag = "executions",
    operation_id = "retry_execution",
    params(("id" = String, Path)),
    responses((status = 200, description = "As it is now", body = Execution)),
)]
pub(crate) async fn retry(
    Shared(server): Shared,
    Segment(id): Segment,
) -> Result<Json<Execution>, Refusal> {
    let id = id_of(&id)?;
    server.engine.retry(id).await?;
    Ok(Json(Execution::summary(&server.engine.execution(id).await?)))
}
