//! Documents.

use axum::Json as Out;
use axum::response::{IntoResponse, Response};
use evoke_api::Page;
use evoke_api::document::{Document, DocumentBody, Tally, UpdateBody};
use evoke_database::{Action, Asked, Operation, Wanted};
use evoke_document::{Document as Stored, parse_filter};
use evoke_model::{Code, Problem};
use http::header::{ETAG, IF_MATCH, IF_NONE_MATCH};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde_json::Value;
use utoipa::IntoParams;

use super::query::{Doomed, List, invalid};
use super::{origin, pages};
use crate::context::text;
use crate::extract::{About, Json, Pair, Segment, Shared};
use crate::query::{FromQuery, Params, Query};
use crate::refusal::Refusal;

/// List documents
///
/// With conditions, an order and pages; the same as a query, for what fits into an address.
#[utoipa::path(
    get, path = "/collections/{name}/documents", tag = "database",
    operation_id = "list_documents",
    params(("name" = String, Path), List),
    responses((status = 200, description = "The documents", body = Page<Document>)),
)]
pub(crate) async fn list(
    Shared(server): Shared,
    Segment(name): Segment,
    Params(list): Params<List>,
) -> Result<Response, Refusal> {
    let found = server.options.services.database()?.find(&name, list.query()?).await?;
    Ok(pages::page(&found))
}

/// Create documents
///
/// One, or a list of up to 1,000: all of them or none.
#[utoipa::path(
    post, path = "/collections/{name}/documents", tag = "database",
    operation_id = "create_documents",
    params(("name" = String, Path)),
    request_body(content = DocumentBody, description = "A document, or a list of them"),
    responses(
        (status = 201, description = "The document, or of a list `{data: [...]}`; durable",
         body = Document),
    ),
)]
pub(crate) async fn create(
    Shared(server): Shared,
    About(context): About,
    Segment(name): Segment,
    Json(body): Json,
) -> Result<Response, Refusal> {
    let database = server.options.services.database()?;
    let _patient = context.patience.begin();
    let Value::Array(list) = body else {
        let operation = Operation::new(&name, None, Wanted::Create(body));
        let outcome = database.change(operation, &origin(&context)).await?;
        return Ok(pages::one(StatusCode::CREATED, &outcome.document));
    };
    let create = |document| Operation::new(&name, None, Wanted::Create(document));
    let operations: Vec<Operation> = list.into_iter().map(create).collect();
    let outcomes = database.transact(&operations, Asked::List, &origin(&context)).await?;
    Ok(pages::created(outcomes.iter().flatten().map(|outcome| &outcome.document)))
}

/// Change all documents that meet conditions
///
/// In portions of 100, each in a commit of its own, each document with its event and its hooks.
/// What was changed stays so where a later portion is refused.
#[utoipa::path(
    patch, path = "/collections/{name}/documents", tag = "database",
    operation_id = "update_documents",
    params(("name" = String, Path)), request_body = UpdateBody,
    responses((status = 200, description = "How many", body = Tally)),
)]
pub(crate) async fn update_all(
    Shared(server): Shared,
    About(context): About,
    Segment(name): Segment,
    Json(body): Json,
) -> Result<Out<Tally>, Refusal> {
    let database = server.options.services.database()?;
    let (filter, set) = UpdateBody::read(body).map_err(Refusal::invalid)?;
    let filter = parse_filter(&filter, "where").map_err(invalid)?;
    let _patient = context.patience.begin();
    Ok(Out(database.update_all(&name, &filter, set, &origin(&context)).await?.into()))
}

/// Delete all documents that meet conditions
///
/// In portions of 100, each in a commit of its own, each document with its event and its hooks.
/// What was deleted stays so where a later portion is refused.
#[utoipa::path(
    delete, path = "/collections/{name}/documents", tag = "database",
    operation_id = "delete_documents",
    params(("name" = String, Path), Doomed),
    responses((status = 200, description = "How many", body = Tally)),
)]
pub(crate) async fn delete_all(
    Shared(server): Shared,
    About(context): About,
    Segment(name): Segment,
    Params(doomed): Params<Doomed>,
) -> Result<Out<Tally>, Refusal> {
    let database = server.options.services.database()?;
    let filter = doomed.conditions()?;
    let _patient = context.patience.begin();
    Ok(Out(database.delete_all(&name, &filter, &origin(&context)).await?.into()))
}

/// Show a document
#[utoipa::path(
    get, path = "/collections/{name}/documents/{id}", tag = "database",
    operation_id = "get_document",
    params(
        ("name" = String, Path), ("id" = String, Path),
        ("If-None-Match" = Option<String>, Header, description = "The revision that is known."),
    ),
    responses(
        (status = 200, description = "The document", body = Document),
        (status = 304, description = "It is the one that is known"),
    ),
)]
pub(crate) async fn show(
    Shared(server): Shared,
    Pair(name, id): Pair,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let document = server.options.services.database()?.get(&name, &id).await?;
    let known = text(&headers, &IF_NONE_MATCH).unwrap_or_default();
    if known.split(',').any(|known| Stored::revision_of(known.trim()) == Some(document.revision)) {
        return Ok((StatusCode::NOT_MODIFIED, [(ETAG, pages::tag(&document))]).into_response());
    }
    Ok(pages::one(StatusCode::OK, &document))
}

/// What is to be done where there is no such document.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Put {
    /// Create it where it is not there.
    #[param(value_type = Option<bool>)]
    upsert: bool,
}

impl FromQuery for Put {
    fn read(query: &mut Query) -> Self {
        Self { upsert: query.flag("upsert").unwrap_or(false) }
    }
}

/// Replace a document
///
/// With `upsert=true` it is created where it is not there, with `If-None-Match: *` only then.
#[utoipa::path(
    put, path = "/collections/{name}/documents/{id}", tag = "database",
    operation_id = "replace_document",
    params(
        ("name" = String, Path), ("id" = String, Path), Put,
        ("If-Match" = Option<String>, Header, description = "The revision it must have."),
        ("If-None-Match" = Option<String>, Header, description = "`*`: it may not be there."),
    ),
    request_body = DocumentBody,
    responses(
        (status = 200, description = "The document", body = Document),
        (status = 201, description = "The document, which is new", body = Document),
    ),
)]
pub(crate) async fn replace(
    About(context): About,
    Pair(name, id): Pair,
    Params(put): Params<Put>,
    parts: (Shared, HeaderMap),
    Json(body): Json,
) -> Result<Response, Refusal> {
    let (Shared(server), headers) = parts;
    let database = server.options.services.database()?;
    let expected = Expected::of(&headers)?;
    let wanted = match (is_create_only(&headers)?, put.upsert) {
        (true, _) if expected != Expected::Anything => {
            let message = format!("the document {id:?} cannot be there and not be there");
            return Err(Refusal::new(Code::DocumentChanged, message));
        }
        (true, _) => Wanted::Create(body),
        (false, true) if expected == Expected::Anything => Wanted::Upsert(body),
        (false, _) => Wanted::Replace(body),
    };
    let operation = Operation { revision: expected.revision(), ..on(&name, &id, wanted) };
    let _patient = context.patience.begin();
    let outcome = database.change(operation, &origin(&context)).await;
    let outcome = outcome.map_err(|rejection| match rejection.code {
        // It would have been created, had it not been expected to be there.
        Code::DocumentNotFound if put.upsert => {
            Refusal::new(Code::DocumentChanged, rejection.message)
        }
        _ => rejection.into(),
    })?;
    let status = match outcome.action {
        Some(Action::Create) => StatusCode::CREATED,
        _ => StatusCode::OK,
    };
    Ok(pages::one(status, &outcome.document))
}

/// Change a document
///
/// What is left out stays, `null` takes a field away (JSON Merge Patch).
#[utoipa::path(
    patch, path = "/collections/{name}/documents/{id}", tag = "database",
    operation_id = "update_document",
    params(
        ("name" = String, Path), ("id" = String, Path),
        ("If-Match" = Option<String>, Header, description = "The revision it must have."),
    ),
    request_body = DocumentBody,
    responses((status = 200, description = "The document", body = Document)),
)]
pub(crate) async fn update(
    Shared(server): Shared,
    About(context): About,
    Pair(name, id): Pair,
    headers: HeaderMap,
    Json(body): Json,
) -> Result<Response, Refusal> {
    let database = server.options.services.database()?;
    let revision = Expected::of(&headers)?.revision();
    let operation = Operation { revision, ..on(&name, &id, Wanted::Merge(body)) };
    let _patient = context.patience.begin();
    let outcome = database.change(operation, &origin(&context)).await?;
    Ok(pages::one(StatusCode::OK, &outcome.document))
}

/// Delete a document
#[utoipa::path(
    delete, path = "/collections/{name}/documents/{id}", tag = "database",
    operation_id = "delete_document",
    params(
        ("name" = String, Path), ("id" = String, Path),
        ("If-Match" = Option<String>, Header, description = "The revision it must have."),
    ),
    responses((status = 204, description = "Gone")),
)]
pub(crate) async fn delete(
    Shared(server): Shared,
    About(context): About,
    Pair(name, id): Pair,
    headers: HeaderMap,
) -> Result<StatusCode, Refusal> {
    let database = server.options.services.database()?;
    let revision = Expected::of(&headers)?.revision();
    let operation = Operation { revision, ..on(&name, &id, Wanted::Delete) };
    let _patient = context.patience.begin();
    database.change(operation, &origin(&context)).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn on(name: &str, id: &str, wanted: Wanted) -> Operation {
    Operation::new(name, Some(id), wanted)
}

/// What a document must be like.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Expected {
    /// Whatever it is, be it that it is not there.
    Anything,
    /// It is there.
    There,
    /// It has this revision.
    Revision(u64),
}

impl Expected {
    /// From `If-Match`.
    ///
    /// # Errors
    /// API_001 for what is no revision, or several.
    fn of(headers: &HeaderMap) -> Result<Self, Refusal> {
        Ok(match one(headers, &IF_MATCH)? {
            None => Self::Anything,
            Some("*") => Self::There,
            // What is no revision of ours is none the document has.
            Some(given) => Self::Revision(Stored::revision_of(given).unwrap_or(0)),
        })
    }

    /// The revision; what is there otherwise is looked at anyway.
    fn revision(self) -> Option<u64> {
        match self {
            Self::Revision(revision) => Some(revision),
            Self::Anything | Self::There => None,
        }
    }
}

/// Whether a document may only be created.
///
/// # Errors
/// API_001 for other forms of the header.
fn is_create_only(headers: &HeaderMap) -> Result<bool, Refusal> {
    match one(headers, &IF_NONE_MATCH)? {
        None => Ok(false),
        Some("*") => Ok(true),
        Some(_) => {
            let problem = Problem::new("If-None-Match", "only * is known where something is put");
            Err(Refusal::invalid(vec![problem]))
        }
    }
}

/// A header that is given once and is readable.
fn one<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, Refusal> {
    let mut lines = headers.get_all(name).iter();
    match (lines.next().map(HeaderValue::to_str), lines.next()) {
        (None, _) => Ok(None),
        (Some(Ok(text)), None) if !text.contains(',') => Ok(Some(text.trim())),
        _ => {
            let problem = Problem::new(name.as_str(), "expected one revision");
            Err(Refusal::invalid(vec![problem.suggest("the ETag of the document")]))
        }
    }
}
