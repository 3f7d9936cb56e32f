//! Buckets and their files.

mod conditions;
mod content;
pub(crate) mod file;
pub(crate) mod files;
mod form;
mod headers;
pub(crate) mod links;
pub(crate) mod uploads;

use axum::Json as Out;
use evoke_api::Page;
use evoke_api::storage::{Bucket, BucketBody};
use http::StatusCode;

use crate::extract::{About, JsonOrNothing, Segment, Shared};
use crate::query::{Params, Window};
use crate::refusal::Refusal;

/// List buckets
#[utoipa::path(
    get, path = "/buckets", tag = "storage",
    operation_id = "list_buckets",
    params(Window),
    responses((status = 200, description = "The buckets, by name", body = Page<Bucket>)),
)]
pub(crate) async fn list(
    Shared(server): Shared,
    Params(window): Params<Window>,
) -> Result<Out<Page<Bucket>>, Refusal> {
    let all = server.options.services.storage()?.buckets();
    Ok(Out(window.page(all.iter().map(|bucket| Bucket::from(&**bucket)).collect())))
}

/// Show a bucket
#[utoipa::path(
    get, path = "/buckets/{bucket}", tag = "storage",
    operation_id = "get_bucket",
    params(("bucket" = String, Path)),
    responses((status = 200, description = "The bucket", body = Bucket)),
)]
pub(crate) async fn show(
    Shared(server): Shared,
    Segment(name): Segment,
) -> Result<Out<Bucket>, Refusal> {
    let bucket = server.options.services.storage()?.bucket(&name)?;
    Ok(Out(Bucket::from(&*bucket)))
}

/// Put a bucket
///
/// New, or with other settings. Files that are there already stay, whatever the settings say.
#[utoipa::path(
    put, path = "/buckets/{bucket}", tag = "storage",
    operation_id = "put_bucket",
    params(("bucket" = String, Path)), request_body = BucketBody,
    responses(
        (status = 200, description = "The bucket, which was there", body = Bucket),
        (status = 201, description = "The bucket, which is new", body = Bucket),
    ),
)]
pub(crate) async fn put(
    Shared(server): Shared,
    About(context): About,
    Segment(name): Segment,
    JsonOrNothing(body): JsonOrNothing,
) -> Result<(StatusCode, Out<Bucket>), Refusal> {
    let settings = BucketBody::read(body).map_err(Refusal::invalid)?;
    let storage = server.options.services.storage()?;
    let _patient = context.patience.begin();
    let (bucket, is_new) = storage.put_bucket(&name, settings).await?;
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Out(Bucket::from(&*bucket))))
}

/// Delete a bucket
///
/// Only an empty one; uploads in parts that are under way are given up.
#[utoipa::path(
    delete, path = "/buckets/{bucket}", tag = "storage",
    operation_id = "delete_bucket",
    params(("bucket" = String, Path)),
    responses((status = 204, description = "Gone")),
)]
pub(crate) async fn delete(
    Shared(server): Shared,
    About(context): About,
    Segment(name): Segment,
) -> Result<StatusCode, Refusal> {
    let _patient = context.patience.begin();
    server.options.services.storage()?.delete_bucket(&name).await?;
    Ok(StatusCode::NO_CONTENT)
}
