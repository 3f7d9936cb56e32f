//! Functions and what they did.

use axum::Json;
use evoke_api::{Execution, Function, Page, RollbackBody, Version};
use evoke_model::State;
use evoke_ports::store::ExecutionQuery;
use utoipa::IntoParams;

use super::selection::{Selection, Whose, states};
use crate::extract::{By, JsonOrNothing, Segment, Shared};
use crate::query::{FromQuery, Paging, Params, Query, Span, Window};
use crate::refusal::Refusal;

/// Which executions of a function.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Filter {
    /// Of this trigger, by name or id.
    trigger: Option<String>,
    /// In these states, separated by commas.
    #[param(value_type = Option<String>, example = "failed,timed_out")]
    status: Vec<State>,
}

impl FromQuery for Filter {
    fn read(query: &mut Query) -> Self {
        Self { trigger: query.text("trigger"), status: states(query) }
    }
}

/// List functions
///
/// All of them, by name.
#[utoipa::path(
    get, path = "/functions", tag = "functions",
    operation_id = "list_functions",
    params(Window),
    responses((status = 200, description = "The functions", body = Page<Function>)),
)]
pub(crate) async fn list(
    Shared(server): Shared,
    Params(window): Params<Window>,
) -> Result<Json<Page<Function>>, Refusal> {
    let functions = server.engine.functions();
    Ok(Json(window.page(functions.into_iter().map(Function::from).collect())))
}

/// Show a function
#[utoipa::path(
    get, path = "/functions/{id}", tag = "functions",
    operation_id = "get_function",
    params(("id" = String, Path, description = "Id or name")),
    responses((status = 200, description = "The function", body = Function)),
)]
pub(crate) async fn show(
    Shared(server): Shared,
    Segment(id): Segment,
) -> Result<Json<Function>, Refusal> {
    Ok(Json(server.engine.function(&id)?.into()))
}

/// List the versions of a function
///
/// Those that can be run, newest first: dead letters and events can be sent to them.
#[utoipa::path(
    get, path = "/functions/{id}/versions", tag = "functions",
    operation_id = "list_function_versions",
    params(("id" = String, Path, description = "Id or name"), Window),
    responses((status = 200, description = "The versions", body = Page<Version>)),
)]
pub(crate) async fn versions(
    Shared(server): Shared,
    Segment(id): Segment,
    Params(window): Params<Window>,
) -> Result<Json<Page<Version>>, Refusal> {
    let versions = server.engine.versions(&id)?;
    Ok(Json(window.page(versions.into_iter().map(Version::from).collect())))
}

/// Roll a function back
///
/// Makes the code of an older version current again, as a new version. Triggers stay as they are.
/// The function's folder is deployed again when it changes.
#[utoipa::path(
    post, path = "/functions/{id}/rollback", tag = "functions",
    operation_id = "roll_back_function",
    params(("id" = String, Path, description = "Id or name")),
    request_body(content = Option<RollbackBody>),
    responses((status = 200, description = "The function", body = Function)),
)]
pub(crate) async fn rollback(
    Shared(server): Shared,
    Segment(id): Segment,
    By(actor): By,
    JsonOrNothing(body): JsonOrNothing,
) -> Result<Json<Function>, Refusal> {
    let RollbackBody { version } = RollbackBody::read(&body).map_err(Refusal::invalid)?;
    Ok(Json(server.engine.rollback(&id, version, &actor).await?.into()))
}

/// List the executions of a function
#[utoipa::path(
    get, path = "/functions/{id}/executions", tag = "functions",
    operation_id = "list_function_executions",
    params(("id" = String, Path, description = "Id or name"), Filter, Span, Paging),
    responses((status = 200, description = "A page", body = Page<Execution>)),
)]
pub(crate) async fn executions(
    Shared(server): Shared,
    Segment(id): Segment,
    Params((filter, span, paging)): Params<(Filter, Span, Paging)>,
) -> Result<Json<Page<Execution>>, Refusal> {
    let selection = Selection {
        whose: Whose { function: Some(id), trigger: filter.trigger },
        span,
        paging,
        rest: ExecutionQuery { states: filter.status, ..ExecutionQuery::default() },
        ..Selection::default()
    };
    let page = selection.page(&server.engine).await?;
    Ok(Json(Page::of(page, |view| Execution::summary(&view))))
}
