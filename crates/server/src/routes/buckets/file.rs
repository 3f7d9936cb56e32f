//! One file: written, read, described anew, removed.

use axum::Json as Out;
use axum::response::{IntoResponse, Response};
use evoke_api::storage::{File, FileChange};
use evoke_model::{Code, Rejection};
use evoke_storage::{NewFile, Place, Uploaded};
use http::header::ETAG;
use http::{HeaderMap, Method, StatusCode};
use utoipa::IntoParams;

use super::content::Asked;
use super::{conditions, headers};
use crate::context::Context;
use crate::extract::{About, Json, Pair, Shared};
use crate::flow::Flow;
use crate::query::{FromQuery, Params, Query};
use crate::refusal::Refusal;
use crate::service::Server;

/// What is wanted of a file.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct View {
    /// Send it to be stored and not shown, under this name or, where it is empty, its own.
    pub(crate) download: Option<String>,
    /// Only what is known of it, as JSON.
    #[param(value_type = Option<bool>)]
    info: bool,
}

impl FromQuery for View {
    fn read(query: &mut Query) -> Self {
        Self { download: query.texts("download").pop(), info: query.flag("info").unwrap_or(false) }
    }
}

/// Writes a file of the bytes of a request.
///
/// # Errors
/// See [`evoke_storage::Batch::add`] and [`evoke_storage::Batch::publish`].
pub(crate) async fn write(
    server: &Server,
    context: &Context,
    (bucket, name): (String, String),
    (headers, mut flow): (&HeaderMap, Flow),
) -> Result<Response, Refusal> {
    let storage = server.options.services.storage()?;
    headers::must_be_whole(headers)?;
    let new = NewFile {
        bucket,
        name,
        content_type: headers::content_type(headers)?,
        metadata: headers::metadata(headers)?,
        conditions: conditions::of_change(headers)?,
        checksums: headers::checksums(headers, flow.size())?,
    };
    let mut batch = storage.batch();
    let added = batch.add(new, std::pin::pin!(flow.pieces())).await;
    added.map_err(Flow::refused)?;
    let written = batch.publish(&context.origin()).await?;
    match written.first() {
        Some(Uploaded { file, is_new }) => {
            let status = if *is_new { StatusCode::CREATED } else { StatusCode::OK };
            let tag = format!("\"{}\"", file.etag());
            Ok((status, [(ETAG, tag)], Out(File::from(file))).into_response())
        }
        None => Ok(StatusCode::NO_CONTENT.into_response()),
    }
}

/// Upload a file
///
/// The body is the file, of any size up to the bucket's limit. It is visible once all of it is on
/// the disk and every hook agreed; until then the one it replaces is. `X-Meta-NAME` headers
/// are kept with it. `Content-MD5`, `Content-Digest` (SHA-256) and `X-Content-SHA256` are checked.
#[utoipa::path(
    put, path = "/buckets/{bucket}/files/{*name}", tag = "storage",
    operation_id = "put_file",
    params(
        ("bucket" = String, Path), ("name" = String, Path, description = "With its slashes"),
        ("If-Match" = Option<String>, Header, description = "Only where it has this ETag"),
        ("If-None-Match" = Option<String>, Header, description = "`*`: only where there is none"),
    ),
    request_body(content = String, content_type = "application/octet-stream"),
    responses(
        (status = 200, description = "The file, in place of another", body = File),
        (status = 201, description = "The file, which is new", body = File),
    ),
)]
pub(crate) async fn put(
    Shared(server): Shared,
    About(context): About,
    Pair(bucket, name): Pair,
    headers: HeaderMap,
    flow: Flow,
) -> Result<Response, Refusal> {
    write(&server, &context, (bucket, name), (&headers, flow)).await
}

/// Download a file
///
/// Whole or one range of it. Also with HEAD. Of a public bucket without a key.
#[utoipa::path(
    get, path = "/buckets/{bucket}/files/{*name}", tag = "storage",
    operation_id = "get_file",
    params(
        ("bucket" = String, Path), ("name" = String, Path, description = "With its slashes"),
        View,
        ("Range" = Option<String>, Header, description = "`bytes=0-99`, `bytes=100-`, `bytes=-10`"),
        ("If-None-Match" = Option<String>, Header, description = "The ETag that is known"),
    ),
    responses(
        (status = 200, description = "The bytes, or with `info` a `File`", content_type = "*/*"),
        (status = 206, description = "A range of them", content_type = "*/*"),
        (status = 304, description = "It is the one that is known"),
    ),
)]
pub(crate) async fn get(
    Shared(server): Shared,
    Pair(bucket, name): Pair,
    Params(view): Params<View>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let storage = server.options.services.storage()?;
    if view.info {
        let file = storage.file(&bucket, &name).await?;
        return Ok(Out(File::from(&file)).into_response());
    }
    let (method, headers) = (&method, &headers);
    let asked = Asked { bucket: &bucket, name: &name, method, headers, download: view.download };
    asked.answer(storage).await
}

/// Change what is known of a file
///
/// Its media type and what is kept with it (JSON Merge Patch). Its bytes stay. Another media type
/// is an upload to triggers and hooks; of what is kept with it no event tells.
#[utoipa::path(
    patch, path = "/buckets/{bucket}/files/{*name}", tag = "storage",
    operation_id = "change_file",
    params(
        ("bucket" = String, Path), ("name" = String, Path, description = "With its slashes"),
        ("If-Match" = Option<String>, Header, description = "Only where it has this ETag"),
    ),
    request_body = FileChange,
    responses((status = 200, description = "The file", body = File)),
)]
pub(crate) async fn change(
    Shared(server): Shared,
    About(context): About,
    Pair(bucket, name): Pair,
    headers: HeaderMap,
    Json(body): Json,
) -> Result<Out<File>, Refusal> {
    let storage = server.options.services.storage()?;
    let conditions = conditions::of_change(&headers)?;
    let _patient = context.patience.begin();
    let change = |file: &evoke_storage::File| {
        FileChange::read(body.clone(), &file.metadata)
            .map_err(|problems| Rejection::of(Code::InvalidRequest, problems))
    };
    let (place, origin) = (Place { bucket, name }, context.origin());
    let file = storage.describe(&place, &conditions, &origin, change).await?;
    Ok(Out(File::from(&file)))
}

/// Delete a file
#[utoipa::path(
    delete, path = "/buckets/{bucket}/files/{*name}", tag = "storage",
    operation_id = "delete_file",
    params(
        ("bucket" = String, Path), ("name" = String, Path, description = "With its slashes"),
        ("If-Match" = Option<String>, Header, description = "Only where it has this ETag"),
    ),
    responses((status = 204, description = "Gone")),
)]
pub(crate) async fn delete(
    Shared(server): Shared,
    About(context): About,
    Pair(bucket, name): Pair,
    headers: HeaderMap,
) -> Result<StatusCode, Refusal> {
    let storage = server.options.services.storage()?;
    let conditions = conditions::of_change(&headers)?;
    let _patient = context.patience.begin();
    storage.delete(&Place { bucket, name }, &conditions, &context.origin()).await?;
    Ok(StatusCode::NO_CONTENT)
}
