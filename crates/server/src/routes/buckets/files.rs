//! The files of a bucket: listed, uploaded by a form, copied, removed by prefix.

use axum::Json as Out;
use evoke_api::storage::{CopyBody, DeletedFiles, File, FileList, WrittenFiles};
use evoke_model::{Code, Problem};
use evoke_storage::ListQuery;
use http::{HeaderMap, StatusCode};
use utoipa::{IntoParams, ToSchema};

use super::{conditions, form, headers};
use crate::extract::{About, Json, Segment, Shared};
use crate::flow::Flow;
use crate::query::{FromQuery, Paging, Params, Query};
use crate::refusal::Refusal;

/// Which files.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Filter {
    /// Whose name begins so.
    #[param(value_type = Option<String>)]
    prefix: String,
    /// Fold what has this behind the prefix: with `/` a list of folders.
    delimiter: Option<String>,
}

impl FromQuery for Filter {
    fn read(query: &mut Query) -> Self {
        Self {
            prefix: query.text("prefix").unwrap_or_default(),
            delimiter: query.text("delimiter"),
        }
    }
}

/// List files
#[utoipa::path(
    get, path = "/buckets/{bucket}/files", tag = "storage",
    operation_id = "list_files",
    params(("bucket" = String, Path), Filter, Paging),
    responses((status = 200, description = "The files, by name", body = FileList)),
)]
pub(crate) async fn list(
    Shared(server): Shared,
    Segment(bucket): Segment,
    Params((filter, paging)): Params<(Filter, Paging)>,
) -> Result<Out<FileList>, Refusal> {
    let Filter { prefix, delimiter } = filter;
    let Paging { limit, cursor } = paging;
    let query = ListQuery { prefix, delimiter, limit, cursor };
    let listing = server.options.services.storage()?.list(&bucket, &query).await?;
    Ok(Out(FileList::from(&listing)))
}

/// In front of the names of files of a form.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Below {
    /// In front of the name of each file.
    #[param(value_type = Option<String>)]
    prefix: String,
}

impl FromQuery for Below {
    fn read(query: &mut Query) -> Self {
        Self { prefix: query.text("prefix").unwrap_or_default() }
    }
}

/// A form with files.
#[derive(ToSchema)]
#[expect(dead_code, reason = "stands for the document alone: forms are read as they come")]
pub(crate) struct Form {
    /// The files; each is called by its file name.
    #[schema(value_type = Vec<String>, format = Binary)]
    file: Vec<u8>,
    /// What is kept with the files behind it: a JSON object of texts.
    metadata: Option<String>,
}

/// Upload files by a form
///
/// One or more, up to 100, streamed: all of them become visible together, or none.
#[utoipa::path(
    post, path = "/buckets/{bucket}/files", tag = "storage",
    operation_id = "upload_files",
    params(("bucket" = String, Path), Below),
    request_body(content = Form, content_type = "multipart/form-data"),
    responses((status = 201, description = "The files, as they came", body = WrittenFiles)),
)]
pub(crate) async fn upload(
    Shared(server): Shared,
    About(context): About,
    Segment(bucket): Segment,
    Params(Below { prefix }): Params<Below>,
    headers: HeaderMap,
    mut flow: Flow,
) -> Result<(StatusCode, Out<WrittenFiles>), Refusal> {
    let storage = server.options.services.storage()?;
    let boundary = headers::content_type(&headers)?
        .and_then(|given| multer::parse_boundary(given).ok())
        .ok_or_else(|| {
            let problem = Problem::new("Content-Type", "is no multipart/form-data with a boundary");
            Refusal::of(Code::MediaType, vec![problem.suggest("PUT a single file as it is")])
        })?;
    let mut batch = storage.batch();
    let read = form::read(&mut flow, boundary, (&bucket, &prefix), &mut batch).await;
    read.map_err(Flow::refused)?;
    let written = batch.publish(&context.origin()).await?;
    let data = written.iter().map(|written| File::from(&written.file)).collect();
    Ok((StatusCode::CREATED, Out(WrittenFiles { data })))
}

/// Which files are deleted.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Doomed {
    /// Whose name begins so.
    #[param(value_type = String, required)]
    prefix: String,
}

impl FromQuery for Doomed {
    fn read(query: &mut Query) -> Self {
        let prefix = query.text("prefix");
        if prefix.is_none() {
            let problem = Problem::new("prefix", "is required: nobody deletes all by mistake");
            query.problem(problem);
        }
        Self { prefix: prefix.unwrap_or_default() }
    }
}

/// Delete files
///
/// All whose names begin so, each with its event and its hooks, a hundred in a commit. What was
/// deleted stays so where a hook refuses a later one.
#[utoipa::path(
    delete, path = "/buckets/{bucket}/files", tag = "storage",
    operation_id = "delete_files",
    params(("bucket" = String, Path), Doomed),
    responses((status = 200, description = "How many", body = DeletedFiles)),
)]
pub(crate) async fn delete(
    Shared(server): Shared,
    About(context): About,
    Segment(bucket): Segment,
    Params(Doomed { prefix }): Params<Doomed>,
) -> Result<Out<DeletedFiles>, Refusal> {
    let storage = server.options.services.storage()?;
    let _patient = context.patience.begin();
    let (deleted, has_more) = storage.delete_all(&bucket, &prefix, &context.origin()).await?;
    Ok(Out(DeletedFiles { deleted: deleted as u64, has_more }))
}

/// Copy a file
///
/// Within the bucket or into another one. No bytes are moved.
#[utoipa::path(
    post, path = "/buckets/{bucket}/copy", tag = "storage",
    operation_id = "copy_file",
    params(("bucket" = String, Path)), request_body = CopyBody,
    responses(
        (status = 200, description = "The copy, in place of another file", body = File),
        (status = 201, description = "The copy, which is new", body = File),
    ),
)]
pub(crate) async fn copy(
    Shared(server): Shared,
    About(context): About,
    Segment(bucket): Segment,
    headers: HeaderMap,
    Json(body): Json,
) -> Result<(StatusCode, Out<File>), Refusal> {
    let storage = server.options.services.storage()?;
    let (from, to) = CopyBody::read(body, &bucket).map_err(Refusal::invalid)?;
    let conditions = conditions::of_change(&headers)?;
    let _patient = context.patience.begin();
    let copy = storage.copy(&from, &to, &conditions, &context.origin()).await?;
    let status = if copy.is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Out(File::from(&copy.file))))
}
