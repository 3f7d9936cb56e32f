//! Dead letters: executions that used up their attempts. They are a state, not a copy, so this is a
//! list of executions.

use axum::Json;
use evoke_api::{Execution, Page};
use evoke_model::{State, Timestamp};
use utoipa::IntoParams;

use super::executions;
use crate::extract::Shared;
use crate::query::{FromQuery, Params, Query};
use crate::refusal::Refusal;

/// Which dead letters.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Filter {
    /// Of this function, by name or id.
    function: Option<String>,
    /// Of this trigger, by name or id.
    trigger: Option<String>,
    /// Whose event was accepted at or after.
    #[param(value_type = Option<String>, format = DateTime)]
    since: Option<Timestamp>,
    /// Whose event was accepted before.
    #[param(value_type = Option<String>, format = DateTime)]
    until: Option<Timestamp>,
    /// Items in the page.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 1000)]
    limit: u32,
    /// From `next_cursor` of the page before.
    cursor: Option<String>,
}

impl FromQuery for Filter {
    fn read(query: &mut Query) -> Self {
        Self {
            function: query.text("function"),
            trigger: query.text("trigger"),
            since: query.time("since"),
            until: query.time("until"),
            limit: query.limit(),
            cursor: query.text("cursor"),
        }
    }
}

/// List dead letters
///
/// Executions that failed or timed out for good; retry them one by one.
#[utoipa::path(
    get, path = "/dead-letters", tag = "executions",
    operation_id = "list_dead_letters",
    params(Filter),
    responses((status = 200, description = "A page", body = Page<Execution>)),
)]
pub(crate) async fn list(
    Shared(server): Shared,
    Params(filter): Params<Filter>,
) -> Result<Json<Page<Execution>>, Refusal> {
    let filter = executions::Filter {
        function: filter.function,
        trigger: filter.trigger,
        since: filter.since,
        until: filter.until,
        limit: filter.limit,
        cursor: filter.cursor,
        status: vec![State::Failed, State::TimedOut],
        ..executions::Filter::default()
    };
    let page = executions::page(&server.engine, &filter).await?;
    Ok(Json(Page::of(page, |view| Execution::summary(&view))))
}
