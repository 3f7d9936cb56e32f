//! Triggers of every kind.

use axum::Json as Out;
use evoke_api::{
    ExecutionAccepted, FireBody, Fired, Page, PollStanding, TestBody, Trigger, TriggerBody,
};
use evoke_engine::Engine;
use evoke_engine::triggers::Enabled;
use evoke_model::Code;
use http::StatusCode;
use utoipa::IntoParams;

use super::schedules::{fired, standing};
use super::selection::running;
use crate::extract::{By, Json, JsonOrNothing, Segment, Shared};
use crate::query::{FromQuery, Params, Query, Window};
use crate::refusal::Refusal;

/// Which triggers.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Filter {
    /// Of this kind.
    #[param(rename = "type")]
    kind: Option<String>,
    /// That run this function.
    function: Option<String>,
}

impl FromQuery for Filter {
    fn read(query: &mut Query) -> Self {
        Self { kind: query.text("type"), function: query.text("function") }
    }
}

/// A trigger as it is shown: what was stored, but for secrets, and where it stands if it fires by
/// itself.
async fn shown(engine: &Engine, trigger: &evoke_model::Trigger) -> Result<Trigger, Refusal> {
    let poll = engine.poll_status(trigger.id).map(PollStanding::from);
    let shown = Trigger { config: engine.shown(trigger), poll, ..Trigger::from(trigger) };
    Ok(shown.standing(standing(engine, trigger.id).await?))
}

/// List triggers
///
/// All of them, by name.
#[utoipa::path(
    get, path = "/triggers", tag = "triggers",
    operation_id = "list_triggers",
    params(Filter, Window),
    responses((status = 200, description = "The triggers", body = Page<Trigger>)),
)]
pub(crate) async fn list(
    Shared(server): Shared,
    Params((filter, window)): Params<(Filter, Window)>,
) -> Result<Out<Page<Trigger>>, Refusal> {
    let runs_it = running(&server.engine, filter.function.as_deref())?;
    let mut wanted = server.engine.triggers();
    wanted.retain(|trigger| {
        filter.kind.as_ref().is_none_or(|kind| *kind == trigger.kind) && runs_it(trigger)
    });
    let Page { data, next_cursor } = window.page(wanted);
    let mut page = Page { data: Vec::with_capacity(data.len()), next_cursor };
    for trigger in data {
        page.data.push(shown(&server.engine, &trigger).await?);
    }
    Ok(Out(page))
}

/// Create a trigger
#[utoipa::path(
    post, path = "/triggers", tag = "triggers",
    operation_id = "create_trigger",
    request_body = TriggerBody,
    responses((status = 201, description = "The trigger", body = Trigger)),
)]
pub(crate) async fn create(
    Shared(server): Shared,
    By(actor): By,
    Json(body): Json,
) -> Result<(StatusCode, Out<Trigger>), Refusal> {
    let new = TriggerBody::read(body).map_err(Refusal::invalid_trigger)?;
    let trigger = server.engine.create_trigger(new, &actor).await?;
    Ok((StatusCode::CREATED, Out(shown(&server.engine, &trigger).await?)))
}

/// Show a trigger
#[utoipa::path(
    get, path = "/triggers/{id}", tag = "triggers",
    operation_id = "get_trigger",
    params(("id" = String, Path, description = "Id or name")),
    responses((status = 200, description = "The trigger", body = Trigger)),
)]
pub(crate) async fn show(
    Shared(server): Shared,
    Segment(id): Segment,
) -> Result<Out<Trigger>, Refusal> {
    let trigger = server.engine.trigger(&id)?;
    Ok(Out(shown(&server.engine, &trigger).await?))
}

/// Replace a trigger
///
/// What is left out takes its default. Only triggers made through the API can be replaced.
#[utoipa::path(
    put, path = "/triggers/{id}", tag = "triggers",
    operation_id = "replace_trigger",
    params(("id" = String, Path, description = "Id or name")), request_body = TriggerBody,
    responses((status = 200, description = "The trigger", body = Trigger)),
)]
pub(crate) async fn replace(
    Shared(server): Shared,
    By(actor): By,
    Segment(id): Segment,
    Json(body): Json,
) -> Result<Out<Trigger>, Refusal> {
    let old = server.engine.trigger(&id)?;
    let new = TriggerBody::read(body).map_err(Refusal::invalid_trigger)?;
    let trigger = server.engine.update_trigger(old.id, new, &actor).await?;
    Ok(Out(shown(&server.engine, &trigger).await?))
}

/// Change a trigger
///
/// What is left out stays (JSON Merge Patch). Only triggers made through the API can be changed.
#[utoipa::path(
    patch, path = "/triggers/{id}", tag = "triggers",
    operation_id = "change_trigger",
    params(("id" = String, Path, description = "Id or name")), request_body = TriggerBody,
    responses((status = 200, description = "The trigger", body = Trigger)),
)]
pub(crate) async fn change(
    Shared(server): Shared,
    By(actor): By,
    Segment(id): Segment,
    Json(body): Json,
) -> Result<Out<Trigger>, Refusal> {
    let old = server.engine.trigger(&id)?;
    let new = TriggerBody::patch(&old, body).map_err(Refusal::invalid_trigger)?;
    let trigger = server.engine.update_trigger(old.id, new, &actor).await?;
    Ok(Out(shown(&server.engine, &trigger).await?))
}

/// Delete a trigger
///
/// What waits for it is cancelled, its history stays.
#[utoipa::path(
    delete, path = "/triggers/{id}", tag = "triggers",
    operation_id = "delete_trigger",
    params(("id" = String, Path, description = "Id or name")),
    responses((status = 204, description = "Gone")),
)]
pub(crate) async fn delete(
    Shared(server): Shared,
    By(actor): By,
    Segment(id): Segment,
) -> Result<StatusCode, Refusal> {
    let old = server.engine.trigger(&id)?;
    server.engine.delete_trigger(old.id, &actor).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Enable a trigger
#[utoipa::path(
    post, path = "/triggers/{id}/enable", tag = "triggers",
    operation_id = "enable_trigger",
    params(("id" = String, Path, description = "Id or name")),
    responses((status = 200, description = "The trigger", body = Trigger)),
)]
pub(crate) async fn enable(
    Shared(server): Shared,
    By(actor): By,
    Segment(id): Segment,
) -> Result<Out<Trigger>, Refusal> {
    let old = server.engine.trigger(&id)?;
    let trigger = server.engine.set_trigger_enabled(old.id, Enabled::Yes, &actor).await?;
    Ok(Out(shown(&server.engine, &trigger).await?))
}

/// Disable a trigger
///
/// It no longer fires, and what waits keeps waiting.
#[utoipa::path(
    post, path = "/triggers/{id}/disable", tag = "triggers",
    operation_id = "disable_trigger",
    params(("id" = String, Path, description = "Id or name")),
    responses((status = 200, description = "The trigger", body = Trigger)),
)]
pub(crate) async fn disable(
    Shared(server): Shared,
    By(actor): By,
    Segment(id): Segment,
) -> Result<Out<Trigger>, Refusal> {
    let old = server.engine.trigger(&id)?;
    let trigger = server.engine.set_trigger_enabled(old.id, Enabled::No, &actor).await?;
    Ok(Out(shown(&server.engine, &trigger).await?))
}

/// Fire a schedule now
///
/// Beside its timetable, which stays as it is. Other kinds wait for something to happen: test them.
#[utoipa::path(
    post, path = "/triggers/{id}/fire", tag = "triggers",
    operation_id = "fire_trigger",
    params(("id" = String, Path, description = "Id or name")), request_body = FireBody,
    responses((status = 202, description = "Accepted, durable", body = Fired)),
)]
pub(crate) async fn fire(
    Shared(server): Shared,
    By(actor): By,
    Segment(id): Segment,
    JsonOrNothing(body): JsonOrNothing,
) -> Result<(StatusCode, Out<Fired>), Refusal> {
    let trigger = server.engine.trigger(&id)?;
    if trigger.kind != evoke_model::Trigger::SCHEDULE {
        let evoke_model::Trigger { name, kind, .. } = trigger.as_ref();
        let message = format!("only schedules are fired by hand: {name:?} is of kind {kind:?}");
        return Err(Refusal::new(Code::TriggerConflict, message));
    }
    fired(&server.engine, trigger.id, &body, &actor).await
}

/// Test a trigger
///
/// Runs its target exactly once, marked as a test run, with an event of your own. Nothing is
/// matched, no filter is asked, and no other trigger sees the event.
#[utoipa::path(
    post, path = "/triggers/{id}/test", tag = "triggers",
    operation_id = "test_trigger",
    params(("id" = String, Path, description = "Id or name")), request_body = TestBody,
    responses((status = 202, description = "Accepted, durable", body = ExecutionAccepted)),
)]
pub(crate) async fn test(
    Shared(server): Shared,
    Segment(id): Segment,
    Json(body): Json,
) -> Result<(StatusCode, Out<ExecutionAccepted>), Refusal> {
    let trigger = server.engine.trigger(&id)?;
    let event = TestBody::read(body).map_err(Refusal::invalid)?;
    let execution_id = server.engine.test_trigger(trigger.id, event).await?;
    Ok((StatusCode::ACCEPTED, Out(ExecutionAccepted { execution_id })))
}
