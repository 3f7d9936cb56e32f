//! Executions: the record, the live feed, and what a person does to one.

use axum::Json;
use axum::response::{IntoResponse, Response};
use evoke_api::{Attempt, Execution, ExecutionNotice, Explanation, Page};
use evoke_model::{Cause, State};
use evoke_ports::store::ExecutionQuery;
use utoipa::IntoParams;

use super::selection::{Selection, Whose, cause, id_of, states};
use crate::extract::{Segment, Shared};
use crate::query::{FromQuery, Look, Paging, Params, Query, Span};
use crate::refusal::Refusal;
use crate::stream::follow;

/// Which executions.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Filter {
    /// Of triggers of this kind.
    trigger_type: Option<String>,
    /// In these states, separated by commas.
    #[param(value_type = Option<String>, example = "failed,timed_out")]
    status: Vec<State>,
    /// Of this event.
    event: Option<String>,
    /// Only test runs, or only others.
    is_test_run: Option<bool>,
    /// Only those that are part of a replay, or only others.
    is_replay: Option<bool>,
    /// Only dead letters of this cause.
    #[param(value_type = Option<String>, example = "9f86d081884c7d65")]
    cause: Option<Cause>,
}

impl FromQuery for Filter {
    fn read(query: &mut Query) -> Self {
        Self {
            trigger_type: query.text("trigger_type"),
            status: states(query),
            event: query.text("event"),
            is_test_run: query.flag("is_test_run"),
            is_replay: query.flag("is_replay"),
            cause: cause(query),
        }
    }
}

/// All that a list of executions may be narrowed by.
type Asked = ((Whose, Filter), Span, Paging, Look);

fn selection(((whose, filter), span, paging, look): Asked) -> Selection {
    Selection {
        whose,
        trigger_type: filter.trigger_type,
        event: filter.event,
        span,
        paging,
        tier: look.tier,
        rest: ExecutionQuery {
            states: filter.status,
            is_test_run: filter.is_test_run,
            is_replay: filter.is_replay,
            only_dead_letters: filter.cause.is_some(),
            cause: filter.cause,
            ..ExecutionQuery::default()
        },
    }
}

/// List executions
///
/// The record, newest event first, without what may be large; with `follow=true` the live feed.
#[utoipa::path(
    get, path = "/executions", tag = "executions",
    operation_id = "list_executions",
    params(Whose, Filter, Span, Paging, Look),
    responses((status = 200, description = "A page, or a stream", content(
        (Page<Execution> = "application/json"),
        (String = "text/event-stream"),
    ))),
)]
pub(crate) async fn list(
    Shared(server): Shared,
    Params(asked): Params<Asked>,
) -> Result<Response, Refusal> {
    let is_followed = asked.3.follow;
    let selection = selection(asked);
    if !is_followed {
        let page = selection.page(&server.engine).await?;
        return Ok(Json(Page::of(page, |view| Execution::summary(&view))).into_response());
    }
    let triggers = selection.triggers(&server.engine)?;
    let states = selection.rest.states;
    Ok(follow(&server, "execution", move |notice| {
        let notice = ExecutionNotice::of(notice)?;
        let is_state = states.is_empty() || states.contains(&notice.status);
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
    let payload = server.engine.payload_of(id).await?;
    Ok(Json(Execution::whole(&view, payload.as_ref())))
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
