//! Webhooks: the same triggers as under `/triggers`, in a form of their own.

use std::sync::Arc;

use axum::Json as Out;
use evoke_api::webhook::KIND;
use evoke_api::{EventAccepted, Page, Webhook, WebhookBody};
use evoke_engine::Engine;
use evoke_model::{Rejection, Trigger};
use http::{HeaderMap, StatusCode, Uri};
use utoipa::IntoParams;

use super::not_found_at;
use super::selection::{self, of_kind, running};
use crate::context::authority;
use crate::extract::{By, Json, Segment, Shared};
use crate::query::{FromQuery, Params, Query, Window};
use crate::refusal::Refusal;
use crate::service::Server;

/// Which webhooks.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Filter {
    /// That run this function.
    function: Option<String>,
}

impl FromQuery for Filter {
    fn read(query: &mut Query) -> Self {
        Self { function: query.text("function") }
    }
}

/// A refusal of the engine in the words of these routes.
fn placed(rejection: Rejection) -> Refusal {
    WebhookBody::place(rejection).into()
}

fn shown(server: &Server, trigger: &Trigger, (uri, headers): (&Uri, &HeaderMap)) -> Webhook {
    let host = authority(uri, headers).unwrap_or(&server.address);
    Webhook::new(trigger, &server.engine.shown(trigger), &format!("http://{host}"))
}

/// A webhook by its id or name.
fn find(engine: &Engine, id_or_name: &str) -> Result<Arc<Trigger>, Refusal> {
    selection::find(engine, KIND, id_or_name)
}

/// List webhooks
///
/// All triggers that take webhooks, by name.
#[utoipa::path(
    get, path = "/webhooks", tag = "webhooks",
    operation_id = "list_webhooks",
    params(Filter, Window),
    responses((status = 200, description = "The webhooks", body = Page<Webhook>)),
)]
pub(crate) async fn list(
    Shared(server): Shared,
    Params((filter, window)): Params<(Filter, Window)>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Out<Page<Webhook>>, Refusal> {
    let runs_it = running(&server.engine, filter.function.as_deref())?;
    let mut wanted = of_kind(&server.engine, KIND);
    wanted.retain(|webhook| runs_it(webhook));
    let Page { data, next_cursor } = window.page(wanted);
    let data = data.iter().map(|webhook| shown(&server, webhook, (&uri, &headers))).collect();
    Ok(Out(Page { data, next_cursor }))
}

/// Create a webhook
#[utoipa::path(
    post, path = "/webhooks", tag = "webhooks",
    operation_id = "create_webhook",
    request_body = WebhookBody,
    responses((status = 201, description = "The webhook", body = Webhook)),
)]
pub(crate) async fn create(
    Shared(server): Shared,
    By(actor): By,
    uri: Uri,
    headers: HeaderMap,
    Json(body): Json,
) -> Result<(StatusCode, Out<Webhook>), Refusal> {
    let new = WebhookBody::read(body).map_err(Refusal::invalid_trigger)?;
    let trigger = server.engine.create_trigger(new, &actor).await.map_err(placed)?;
    Ok((StatusCode::CREATED, Out(shown(&server, &trigger, (&uri, &headers)))))
}

/// Show a webhook
#[utoipa::path(
    get, path = "/webhooks/{id}", tag = "webhooks",
    operation_id = "get_webhook",
    params(("id" = String, Path, description = "Id or name")),
    responses((status = 200, description = "The webhook", body = Webhook)),
)]
pub(crate) async fn show(
    Shared(server): Shared,
    Segment(id): Segment,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Out<Webhook>, Refusal> {
    let trigger = find(&server.engine, &id)?;
    Ok(Out(shown(&server, &trigger, (&uri, &headers))))
}

/// Change a webhook
///
/// What is left out stays (JSON Merge Patch), and so does a secret that is sent as it was shown.
/// Only webhooks made through the API can be changed.
#[utoipa::path(
    patch, path = "/webhooks/{id}", tag = "webhooks",
    operation_id = "change_webhook",
    params(("id" = String, Path, description = "Id or name")), request_body = WebhookBody,
    responses((status = 200, description = "The webhook", body = Webhook)),
)]
pub(crate) async fn change(
    Shared(server): Shared,
    By(actor): By,
    Segment(id): Segment,
    uri: Uri,
    headers: HeaderMap,
    Json(body): Json,
) -> Result<Out<Webhook>, Refusal> {
    let old = find(&server.engine, &id)?;
    let new = WebhookBody::patch(&old, body).map_err(Refusal::invalid_trigger)?;
    let trigger = server.engine.update_trigger(old.id, new, &actor).await.map_err(placed)?;
    Ok(Out(shown(&server, &trigger, (&uri, &headers))))
}

/// Delete a webhook
///
/// What waits for it is cancelled, its history stays.
#[utoipa::path(
    delete, path = "/webhooks/{id}", tag = "webhooks",
    operation_id = "delete_webhook",
    params(("id" = String, Path, description = "Id or name")),
    responses((status = 204, description = "Gone")),
)]
pub(crate) async fn delete(
    Shared(server): Shared,
    By(actor): By,
    Segment(id): Segment,
) -> Result<StatusCode, Refusal> {
    let old = find(&server.engine, &id)?;
    server.engine.delete_trigger(old.id, &actor).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Receive a webhook
///
/// Public: who may call is decided by the verification of the webhook. At the root, and with any
/// method the webhook takes; also at `/webhooks/{name}`, at its `path` and at
/// `/api/v1/webhook/{id}`. With `mode: sync` the answer is the function's.
#[utoipa::path(
    post, path = "/webhooks/{id}", tag = "webhooks",
    operation_id = "receive_webhook",
    params(("id" = String, Path, description = "Id, name, or the rest of its path")),
    request_body(content = serde_json::Value, description = "Whatever its sender sends"),
    responses((status = 202, description = "Accepted, durable", body = EventAccepted)),
)]
pub(crate) async fn receive(uri: Uri) -> Refusal {
    // Answered before the router is asked; the route stands here for the document.
    not_found_at(uri.path())
}
