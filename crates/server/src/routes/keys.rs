//! API keys.

use axum::Json as Out;
use evoke_api::{Key, NewKey, NewKeyBody, Page};
use evoke_model::suggest::did_you_mean;
use evoke_model::{Code, Problem};
use http::StatusCode;
use serde_json::Value;

use crate::extract::{Json, Segment, Shared};
use crate::query::{Params, Window};
use crate::refusal::Refusal;

/// List API keys
///
/// Without the keys themselves: only their hashes are kept.
#[utoipa::path(
    get, path = "/keys", tag = "keys",
    operation_id = "list_keys",
    params(Window),
    responses((status = 200, description = "The keys, oldest first", body = Page<Key>)),
)]
pub(crate) async fn list(
    Shared(server): Shared,
    Params(window): Params<Window>,
) -> Result<Out<Page<Key>>, Refusal> {
    Ok(Out(window.page(server.engine.keys().into_iter().map(Key::from).collect())))
}

/// Create an API key
///
/// The key is shown this once.
#[utoipa::path(
    post, path = "/keys", tag = "keys",
    operation_id = "create_key",
    request_body = NewKeyBody,
    responses((status = 201, description = "The key", body = NewKey)),
)]
pub(crate) async fn create(
    Shared(server): Shared,
    Json(body): Json,
) -> Result<(StatusCode, Out<NewKey>), Refusal> {
    let name = read(body).map_err(Refusal::invalid)?;
    let (key, secret) = server.engine.create_key(name).await?;
    Ok((StatusCode::CREATED, Out(NewKey::new(key, secret))))
}

fn read(body: Value) -> Result<String, Vec<Problem>> {
    let Value::Object(mut body) = body else {
        return Err(vec![Problem::new("", "expected an object")]);
    };
    let name = body.remove("name");
    let mut problems: Vec<Problem> = body
        .keys()
        .map(|field| {
            Problem::new(field, "is not a field of a key").suggest(did_you_mean(field, ["name"]))
        })
        .collect();
    match name {
        Some(Value::String(name)) if problems.is_empty() => return Ok(name),
        Some(Value::String(_)) => {}
        Some(_) => problems.push(Problem::new("name", "expected a text")),
        None => problems.push(Problem::new("name", "is required")),
    }
    Err(problems)
}

/// Delete an API key
///
/// It stops working at once.
#[utoipa::path(
    delete, path = "/keys/{id}", tag = "keys",
    operation_id = "delete_key",
    params(("id" = String, Path)),
    responses((status = 204, description = "Gone")),
)]
pub(crate) async fn delete(
    Shared(server): Shared,
    Segment(id): Segment,
) -> Result<StatusCode, Refusal> {
    let id = id.parse().map_err(|error| {
        Refusal::new(Code::KeyNotFound, format!("there is no API key {id:?}: {error}"))
    })?;
    server.engine.remove_key(id).await?;
    Ok(StatusCode::NO_CONTENT)
}
