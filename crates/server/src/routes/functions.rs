//! Functions and what they did.

use axum::Json;
use evoke_api::{Execution, Function, Page};
use evoke_model::{State, Timestamp};
use utoipa::IntoParams;

use super::executions;
use crate::extract::{Segment, Shared};
use crate::query::{FromQuery, Params, Query, Window};
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
    /// Whose event was accepted at or after.
    #[param(value_type = Option<String>, format = DateTime)]
    since: Option<Timestamp>,
    /// Items in the page.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 1000)]
    limit: u32,
    /// From `next_cursor` of the page before.
    cursor: Option<String>,
}

impl FromQuery for Filter {
    fn read(query: &mut Query) -> Self {
        Self {
            trigger: query.text("trigger"),
            status: executions::states(query),
            since: query.time("since"),
            limit: query.limit(),
            cursor: query.text("cursor"),
        }
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

/// List the executions of a function
#[utoipa::path(
    get, path = "/functions/{id}/executions", tag = "functions",
    operation_id = "list_function_executions",
    params(("id" = String, Path, description = "Id or name"), Filter),
    responses((status = 200, description = "A page", body = Page<Execution>)),
)]
pub(crate) async fn executions(
    Shared(server): Shared,
    Segment(id): Segment,
    Params(filter): Params<Filter>,
) -> Result<Json<Page<Execution>>, Refusal> {
    let filter = executions::Filter {
        function: Some(id),
        trigger: filter.trigger,
        status: filter.status,
        since: filter.since,
        limit: filter.limit,
        cursor: filter.cursor,
        ..executions::Filter::default()
    };
    let page = executions::page(&server.engine, &filter).await?;
    Ok(Json(Page::of(page, |view| Execution::summary(&view))))
}
