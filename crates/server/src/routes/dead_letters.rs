//! Dead letters: executions that used up their attempts. They are a state, not a copy, so a list of
//! them is a list of executions.

use axum::Json as Out;
use axum::response::{IntoResponse, Response};
use evoke_api::{
    Counted, DeadLetterEdit, DeadLetterGroup, Execution, Operation, Page, RedriveBody,
};
use evoke_engine::{DeadLetterFilter, Engine};
use evoke_model::{Cause, Code, ExecutionId, Problem};
use evoke_ports::store::ExecutionQuery;
use utoipa::IntoParams;

use super::operations::started;
use super::selection::{Selection, Whose, cause, function_name, id_of, trigger_id};
use crate::extract::{By, Json, Segment, Shared};
use crate::query::{FromQuery, Paging, Params, Query, Span, Window};
use crate::refusal::Refusal;

/// Of which cause.
#[derive(IntoParams, Clone, Copy)]
#[into_params(parameter_in = Query)]
pub(crate) struct OfCause {
    /// Of this cause.
    #[param(value_type = Option<String>, example = "9f86d081884c7d65")]
    cause: Option<Cause>,
}

impl FromQuery for OfCause {
    fn read(query: &mut Query) -> Self {
        Self { cause: cause(query) }
    }
}

/// List dead letters
///
/// Executions that failed or timed out for good, newest event first.
#[utoipa::path(
    get, path = "/dead-letters", tag = "dead letters",
    operation_id = "list_dead_letters",
    params(OfCause, Whose, Span, Paging),
    responses((status = 200, description = "A page", body = Page<Execution>)),
)]
pub(crate) async fn list(
    Shared(server): Shared,
    Params((of, whose, span, paging)): Params<(OfCause, Whose, Span, Paging)>,
) -> Result<Out<Page<Execution>>, Refusal> {
    let cause = of.cause;
    let rest = ExecutionQuery { only_dead_letters: true, cause, ..ExecutionQuery::default() };
    let selection = Selection { whose, span, paging, rest, ..Selection::default() };
    let page = selection.page(&server.engine).await?;
    Ok(Out(Page::of(page, |view| Execution::summary(&view))))
}

/// List the causes of dead letters
///
/// By trigger and cause, the largest group first. A cause is a fingerprint of the error, in which
/// numbers, ids and quoted texts count as equal.
#[utoipa::path(
    get, path = "/dead-letters/groups", tag = "dead letters",
    operation_id = "list_dead_letter_groups",
    params(OfCause, Whose, Span, Window),
    responses((status = 200, description = "The groups", body = Page<DeadLetterGroup>)),
)]
pub(crate) async fn groups(
    Shared(server): Shared,
    Params((of, whose, span, window)): Params<(OfCause, Whose, Span, Window)>,
) -> Result<Out<Page<DeadLetterGroup>>, Refusal> {
    let filter = filter(&server.engine, of, &whose, span)?;
    let groups = server.engine.dead_letter_groups(&filter).await?;
    Ok(Out(window.page(groups.into_iter().map(DeadLetterGroup::from).collect())))
}

fn filter(
    engine: &Engine,
    of: OfCause,
    whose: &Whose,
    span: Span,
) -> Result<DeadLetterFilter, Refusal> {
    let function = whose.function.as_ref().map(|given| function_name(engine, given));
    let trigger = whose.trigger.as_ref().map(|given| trigger_id(engine, given));
    Ok(DeadLetterFilter {
        trigger: trigger.transpose()?,
        function: function.transpose()?,
        cause: of.cause,
        since: span.since,
        until: span.until,
        ..DeadLetterFilter::default()
    })
}

/// Show a dead letter
///
/// The whole execution with every attempt and what it gets.
#[utoipa::path(
    get, path = "/dead-letters/{id}", tag = "dead letters",
    operation_id = "get_dead_letter",
    params(("id" = String, Path)),
    responses((status = 200, description = "The whole execution", body = Execution)),
)]
pub(crate) async fn show(
    Shared(server): Shared,
    Segment(id): Segment,
) -> Result<Out<Execution>, Refusal> {
    whole(&server.engine, id_of(&id)?).await
}

async fn whole(engine: &Engine, id: ExecutionId) -> Result<Out<Execution>, Refusal> {
    let view = engine.execution(id).await?;
    if !view.execution.is_dead_letter() {
        let state = view.execution.state.as_str();
        let message = format!("execution {id} is no dead letter, it is {state}");
        return Err(Refusal::new(Code::NoDeadLetter, message));
    }
    let payload = engine.payload_of(id).await?;
    let attempts = engine.attempts(id).await?;
    Ok(Out(Execution::whole(&view, payload.as_ref()).with_history(&attempts)))
}

/// Edit a dead letter
///
/// Gives it other data than its event has, from now on. The event stays as it is, and the audit
/// trail keeps both.
#[utoipa::path(
    patch, path = "/dead-letters/{id}", tag = "dead letters",
    operation_id = "edit_dead_letter",
    params(("id" = String, Path)), request_body = DeadLetterEdit,
    responses((status = 200, description = "As it is now", body = Execution)),
)]
pub(crate) async fn edit(
    Shared(server): Shared,
    By(actor): By,
    Segment(id): Segment,
    Json(body): Json,
) -> Result<Out<Execution>, Refusal> {
    let id = id_of(&id)?;
    let data = DeadLetterEdit::read(&body).map_err(Refusal::invalid)?;
    server.engine.edit_dead_letter(id, data, &actor).await?;
    whole(&server.engine, id).await
}

/// Run dead letters again
///
/// With all their attempts, oldest first, at a limited rate, in the background. It stops by itself
/// when they die of the same cause again. With `dry_run` they are only counted.
#[utoipa::path(
    post, path = "/dead-letters/redrive", tag = "dead letters",
    operation_id = "redrive_dead_letters",
    request_body = RedriveBody,
    responses(
        (status = 200, description = "How many, of a dry run", body = Counted),
        (status = 202, description = "It goes on in the background", body = Operation),
    ),
)]
pub(crate) async fn redrive(
    Shared(server): Shared,
    By(actor): By,
    Json(body): Json,
) -> Result<Response, Refusal> {
    let asked = RedriveBody::read(&body).map_err(Refusal::invalid)?;
    let (engine, mut request) = (&server.engine, asked.request);
    if let Some(given) = &asked.trigger {
        request.filter.trigger = Some(trigger_id(engine, given)?);
    }
    if let Some(given) = &request.filter.function {
        request.filter.function = Some(function_name(engine, given)?);
    }
    if let Some(to) = &mut request.to {
        to.function = function_name(engine, &to.function)?.into();
    }
    if asked.is_dry_run {
        let count = engine.count_redrive(&request).await?;
        return Ok(Out(Counted { count }).into_response());
    }
    Ok(started(engine.redrive(request, &actor).await?))
}

/// What is purged.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Purged {
    /// These executions, separated by commas; at most 1,000.
    #[param(value_type = Option<String>)]
    ids: Vec<ExecutionId>,
    /// CEL condition over `event`, as it stands in the log.
    filter: Option<String>,
    /// All of them: needed where no filter is given.
    #[param(value_type = Option<bool>)]
    all: bool,
}

impl FromQuery for Purged {
    fn read(query: &mut Query) -> Self {
        let mut ids = Vec::new();
        for text in query.text("ids").iter().flat_map(|text| text.split(',')) {
            match text.trim().parse() {
                Ok(id) => ids.push(id),
                Err(error) => {
                    let error: <ExecutionId as std::str::FromStr>::Err = error;
                    query.problem(Problem::new("ids", error.to_string()));
                }
            }
        }
        Self { ids, filter: query.text("filter"), all: query.flag("all").unwrap_or(false) }
    }
}

/// Purge dead letters
///
/// Takes them off the list; the executions stay in the record as they ended. At least one filter,
/// or `all=true`, so that nobody purges all by leaving something out.
#[utoipa::path(
    delete, path = "/dead-letters", tag = "dead letters",
    operation_id = "purge_dead_letters",
    params(OfCause, Whose, Span, Purged),
    responses((status = 200, description = "How many were purged", body = Counted)),
)]
pub(crate) async fn purge(
    Shared(server): Shared,
    By(actor): By,
    Params((of, whose, span, purged)): Params<(OfCause, Whose, Span, Purged)>,
) -> Result<Out<Counted>, Refusal> {
    let Purged { ids, filter: condition, all } = purged;
    let filter = filter(&server.engine, of, &whose, span)?;
    let filter = DeadLetterFilter { ids, filter: condition, ..filter };
    let is_narrowed = filter != DeadLetterFilter::default();
    if is_narrowed == all {
        let what = match all {
            true => "a filter is given as well: which of them is meant?",
            false => "no filter is given; all=true purges all of them",
        };
        return Err(Refusal::invalid(vec![Problem::new("all", what)]));
    }
    let count = server.engine.purge_dead_letters(filter, &actor).await?;
    Ok(Out(Counted { count }))
}
