//! Questions to a collection.

use axum::Json as Out;
use axum::response::Response;
use evoke_api::Page;
use evoke_api::document::{Count, Document, QueryBody, QueryPlan};
use evoke_document::{Condition, Parameters, Query as Wanted, parse_filter_parameters};
use evoke_model::{Code, Problem};
use utoipa::IntoParams;

use super::pages;
use crate::extract::{Json, JsonOrNothing, Segment, Shared};
use crate::query::{FromQuery, Query};
use crate::refusal::Refusal;

/// A query with something wrong in it.
pub(crate) fn invalid(problems: Vec<Problem>) -> Refusal {
    Refusal::of(Code::QueryInvalid, problems)
}

/// Which documents, in which order.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct List {
    /// All must hold: `field,operator,value`, repeated, where the value is JSON if it can be read
    /// so and else a text; or `[[field, operator, value], ...]`.
    #[param(rename = "where", value_type = Option<Vec<String>>, example = json!(["age,>=,18"]))]
    filter: Vec<String>,
    /// Fields to order by, with commas between; `-` in front for the other way round.
    #[param(example = "-age,name")]
    order_by: Option<String>,
    /// Documents in the page, 1 to 1,000; 50 if not given.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 1000)]
    limit: Option<String>,
    /// From `next_cursor` of the page before.
    cursor: Option<String>,
}

impl FromQuery for List {
    fn read(query: &mut Query) -> Self {
        Self {
            filter: query.texts("where"),
            order_by: query.text("order_by"),
            limit: query.text("limit"),
            cursor: query.text("cursor"),
        }
    }
}

impl List {
    pub(crate) fn query(&self) -> Result<Wanted, Refusal> {
        let parameters = Parameters {
            filter: &self.filter,
            order_by: self.order_by.as_deref(),
            limit: self.limit.as_deref(),
            cursor: self.cursor.as_deref(),
        };
        Wanted::from_parameters(&parameters).map_err(invalid)
    }
}

/// The documents that go.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Doomed {
    /// All must hold: `field,operator,value`, repeated, or a list in JSON; `[]` for all documents.
    #[param(rename = "where", value_type = Vec<String>)]
    filter: Vec<String>,
}

impl FromQuery for Doomed {
    fn read(query: &mut Query) -> Self {
        Self { filter: query.texts("where") }
    }
}

impl Doomed {
    /// The conditions. To leave them out is a mistake that would cost all documents.
    pub(crate) fn conditions(&self) -> Result<Vec<Condition>, Refusal> {
        if self.filter.is_empty() {
            let problem = Problem::new("where", "is missing: say which documents go");
            return Err(invalid(vec![problem.suggest("where=[] for all of them")]));
        }
        parse_filter_parameters(&self.filter).map_err(invalid)
    }
}

/// Query a collection
#[utoipa::path(
    post, path = "/collections/{name}/query", tag = "database",
    operation_id = "query_documents",
    params(("name" = String, Path)), request_body = QueryBody,
    responses((status = 200, description = "The documents", body = Page<Document>)),
)]
pub(crate) async fn find(
    Shared(server): Shared,
    Segment(name): Segment,
    JsonOrNothing(body): JsonOrNothing,
) -> Result<Response, Refusal> {
    let query = Wanted::parse(&body).map_err(invalid)?;
    Ok(pages::page(&server.options.services.database()?.find(&name, query).await?))
}

/// Count documents
///
/// All that meet the conditions; order and limit are of no use here.
#[utoipa::path(
    post, path = "/collections/{name}/count", tag = "database",
    operation_id = "count_documents",
    params(("name" = String, Path)), request_body = QueryBody,
    responses((status = 200, description = "How many", body = Count)),
)]
pub(crate) async fn count(
    Shared(server): Shared,
    Segment(name): Segment,
    JsonOrNothing(body): JsonOrNothing,
) -> Result<Out<Count>, Refusal> {
    let query = Wanted::parse(&body).map_err(invalid)?;
    let count = server.options.services.database()?.count(&name, query.filter).await?;
    Ok(Out(Count { count }))
}

/// Explain a query
///
/// Which index it uses, or that all documents are looked through.
#[utoipa::path(
    post, path = "/collections/{name}/explain", tag = "database",
    operation_id = "explain_query",
    params(("name" = String, Path)), request_body = QueryBody,
    responses((status = 200, description = "The plan", body = QueryPlan)),
)]
pub(crate) async fn explain(
    Shared(server): Shared,
    Segment(name): Segment,
    Json(body): Json,
) -> Result<Out<QueryPlan>, Refusal> {
    let query = Wanted::parse(&body).map_err(invalid)?;
    let plan = server.options.services.database()?.explain(&name, query).await?;
    Ok(Out(QueryPlan { plan }))
}
