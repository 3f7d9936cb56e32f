//! Collections of documents: what they are, what is in them, what happens in them.

pub(crate) mod changes;
pub(crate) mod documents;
mod pages;
pub(crate) mod query;
pub(crate) mod transactions;

use axum::Json as Out;
use evoke_api::Page;
use evoke_api::document::{Collection, CollectionBody};
use evoke_database::Definition;
use evoke_ports::Origin;
use http::StatusCode;

use crate::context::Context;
use crate::extract::{About, Json, Segment, Shared};
use crate::query::{Params, Window};
use crate::refusal::Refusal;

/// Who makes a change.
fn origin(context: &Context) -> Origin {
    Origin {
        cause: context.caller.cause(),
        traceparent: context.traceparent.clone(),
        request_id: Some(context.request_id.clone()),
    }
}

/// List collections
#[utoipa::path(
    get, path = "/collections", tag = "database",
    operation_id = "list_collections",
    params(Window),
    responses((status = 200, description = "The collections, by name", body = Page<Collection>)),
)]
pub(crate) async fn list(
    Shared(server): Shared,
    Params(window): Params<Window>,
) -> Result<Out<Page<Collection>>, Refusal> {
    let all = server.options.services.database()?.collections();
    Ok(Out(window.page(all.into_iter().map(Collection::from).collect())))
}

/// Show a collection
#[utoipa::path(
    get, path = "/collections/{name}", tag = "database",
    operation_id = "get_collection",
    params(("name" = String, Path)),
    responses((status = 200, description = "The collection", body = Collection)),
)]
pub(crate) async fn show(
    Shared(server): Shared,
    Segment(name): Segment,
) -> Result<Out<Collection>, Refusal> {
    Ok(Out(server.options.services.database()?.collection(&name)?.into()))
}

/// Put a collection
///
/// New, or with another schema and other indexes. Documents that are there are not looked at again,
/// but a unique index they stand against is refused.
#[utoipa::path(
    put, path = "/collections/{name}", tag = "database",
    operation_id = "put_collection",
    params(("name" = String, Path)), request_body = CollectionBody,
    responses(
        (status = 200, description = "The collection, which was there", body = Collection),
        (status = 201, description = "The collection, which is new", body = Collection),
    ),
)]
pub(crate) async fn put(
    Shared(server): Shared,
    About(context): About,
    Segment(name): Segment,
    Json(body): Json,
) -> Result<(StatusCode, Out<Collection>), Refusal> {
    let database = server.options.services.database()?;
    let collection = CollectionBody::read(&name, body).map_err(Refusal::invalid)?;
    let _patient = context.patience.begin();
    let status = match database.define(collection.clone()).await? {
        Definition::New => StatusCode::CREATED,
        Definition::Changed | Definition::Same => StatusCode::OK,
    };
    Ok((status, Out(collection.into())))
}

/// Delete a collection
///
/// With all its documents, without an event of each.
#[utoipa::path(
    delete, path = "/collections/{name}", tag = "database",
    operation_id = "delete_collection",
    params(("name" = String, Path)),
    responses((status = 204, description = "Gone")),
)]
pub(crate) async fn delete(
    Shared(server): Shared,
    About(context): About,
    Segment(name): Segment,
) -> Result<StatusCode, Refusal> {
    let _patient = context.patience.begin();
    server.options.services.database()?.drop_collection(&name).await?;
    Ok(StatusCode::NO_CONTENT)
}
