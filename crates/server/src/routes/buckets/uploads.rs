//! Uploads in parts.

use axum::Json as Out;
use axum::response::{IntoResponse, Response};
use evoke_api::storage::{File, Upload, UploadBody, UploadPart, metadata};
use evoke_model::Problem;
use evoke_storage::{Checksums, NewFile};
use http::header::ETAG;
use http::{HeaderMap, StatusCode};

use super::{conditions, headers};
use crate::extract::{About, Json, Pair, Segment, Shared, Triple};
use crate::flow::Flow;
use crate::refusal::Refusal;

/// Begin an upload in parts
///
/// For files that are large or lines that break: parts come in any order, as often as it takes, and
/// become a file at the end. One that is not completed within 24 hours is given up.
#[utoipa::path(
    post, path = "/buckets/{bucket}/uploads", tag = "storage",
    operation_id = "begin_upload",
    params(("bucket" = String, Path)), request_body = UploadBody,
    responses((status = 201, description = "The upload", body = Upload)),
)]
pub(crate) async fn begin(
    Shared(server): Shared,
    About(context): About,
    Segment(bucket): Segment,
    Json(body): Json,
) -> Result<(StatusCode, Out<Upload>), Refusal> {
    let UploadBody { name, content_type, metadata: given, size } =
        UploadBody::read(body).map_err(Refusal::invalid)?;
    let metadata = metadata(given).map_err(Refusal::invalid)?;
    let checksums = Checksums { size, ..Checksums::default() };
    let new = NewFile { bucket, name, content_type, metadata, checksums, ..NewFile::default() };
    let _patient = context.patience.begin();
    let upload = server.options.services.storage()?.begin_upload(new).await?;
    Ok((StatusCode::CREATED, Out(Upload::new(&upload, &[]))))
}

/// Show an upload
///
/// With the parts that are there: who was interrupted goes on with the others.
#[utoipa::path(
    get, path = "/buckets/{bucket}/uploads/{id}", tag = "storage",
    operation_id = "get_upload",
    params(("bucket" = String, Path), ("id" = String, Path)),
    responses((status = 200, description = "The upload", body = Upload)),
)]
pub(crate) async fn show(
    Shared(server): Shared,
    Pair(bucket, id): Pair,
) -> Result<Out<Upload>, Refusal> {
    let (upload, parts) = server.options.services.storage()?.find_upload(&bucket, &id).await?;
    Ok(Out(Upload::new(&upload, &parts)))
}

/// Put a part
///
/// From 1 to 1000, in place of the one of this number where there is one. `Content-MD5`,
/// `Content-Digest` (SHA-256) and `X-Content-SHA256` are checked.
#[utoipa::path(
    put, path = "/buckets/{bucket}/uploads/{id}/parts/{number}", tag = "storage",
    operation_id = "put_part",
    params(("bucket" = String, Path), ("id" = String, Path), ("number" = u32, Path)),
    request_body(content = String, content_type = "application/octet-stream"),
    responses((status = 200, description = "The part, durable", body = UploadPart)),
)]
pub(crate) async fn put_part(
    Shared(server): Shared,
    Triple(bucket, id, number): Triple,
    headers: HeaderMap,
    mut flow: Flow,
) -> Result<Response, Refusal> {
    let storage = server.options.services.storage()?;
    let number: u32 = number.parse().map_err(|_| {
        let problem = Problem::new("number", "is no number of a part");
        Refusal::invalid(vec![problem.suggest("1 to 1000")])
    })?;
    headers::must_be_whole(&headers)?;
    let checksums = headers::checksums(&headers, flow.size())?;
    let pieces = std::pin::pin!(flow.pieces());
    let part = storage.put_part((&bucket, &id), number, checksums, pieces).await;
    let part = part.map_err(Flow::refused)?;
    let tag = format!("\"{}\"", part.etag);
    Ok(([(ETAG, tag)], Out(UploadPart::from(&part))).into_response())
}

/// Complete an upload
///
/// Its parts become a file, without being moved again. A hook may refuse it; the upload stays then.
#[utoipa::path(
    post, path = "/buckets/{bucket}/uploads/{id}/complete", tag = "storage",
    operation_id = "complete_upload",
    params(
        ("bucket" = String, Path), ("id" = String, Path),
        ("If-None-Match" = Option<String>, Header, description = "`*`: only where there is none"),
    ),
    responses(
        (status = 200, description = "The file, in place of another", body = File),
        (status = 201, description = "The file, which is new", body = File),
    ),
)]
pub(crate) async fn complete(
    Shared(server): Shared,
    About(context): About,
    Pair(bucket, id): Pair,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let storage = server.options.services.storage()?;
    let conditions = conditions::of_change(&headers)?;
    let _patient = context.patience.begin();
    let origin = context.origin();
    let written = storage.complete_upload((&bucket, &id), &conditions, &origin).await?;
    let status = if written.is_new { StatusCode::CREATED } else { StatusCode::OK };
    let tag = format!("\"{}\"", written.file.etag());
    Ok((status, [(ETAG, tag)], Out(File::from(&written.file))).into_response())
}

/// Give up an upload
#[utoipa::path(
    delete, path = "/buckets/{bucket}/uploads/{id}", tag = "storage",
    operation_id = "abandon_upload",
    params(("bucket" = String, Path), ("id" = String, Path)),
    responses((status = 204, description = "Gone, with its parts")),
)]
pub(crate) async fn abandon(
    Shared(server): Shared,
    About(context): About,
    Pair(bucket, id): Pair,
) -> Result<StatusCode, Refusal> {
    let _patient = context.patience.begin();
    server.options.services.storage()?.abandon_upload(&bucket, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}
