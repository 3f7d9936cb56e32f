//! Schedules: triggers of one kind, in the shape of the Alyx document.

use std::sync::Arc;

use axum::Json as Out;
use evoke_api::{
    BackfillBody, Backfilled, FireBody, Fired, Page, Schedule, ScheduleBody, ScheduleStanding,
    ScheduleState, Upcoming,
};
use evoke_engine::triggers::Enabled;
use evoke_engine::{Actor, Engine};
use evoke_model::{Timestamp, Trigger, TriggerId};
use http::StatusCode;
use serde_json::Value;
use utoipa::IntoParams;

use super::selection::{self, of_kind, running};
use crate::extract::{By, Json, JsonOrNothing, Segment, Shared};
use crate::query::{FromQuery, Params, Query, Window};
use crate::refusal::Refusal;

/// Which schedules.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Filter {
    /// That run this function.
    function: Option<String>,
    /// `active`, `paused` or `ended`.
    #[param(value_type = Option<String>, example = "active")]
    status: Option<ScheduleState>,
}

impl FromQuery for Filter {
    fn read(query: &mut Query) -> Self {
        let status = query.parsed("status", "active, paused or ended");
        Self { function: query.text("function"), status }
    }
}

/// Which occurrences that lie ahead.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Ahead {
    /// Later than this; than now if not given.
    #[param(value_type = Option<String>, format = DateTime)]
    after: Option<Timestamp>,
    /// How many at most.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 1000)]
    limit: u32,
}

impl FromQuery for Ahead {
    fn read(query: &mut Query) -> Self {
        Self { after: query.time("after"), limit: query.limit() }
    }
}

/// Where a trigger stands, if it is a schedule.
pub(crate) async fn standing(
    engine: &Engine,
    id: TriggerId,
) -> Result<Option<ScheduleStanding>, Refusal> {
    let Some(status) = engine.schedule_status(id) else { return Ok(None) };
    let last = engine.last_status(status).await?;
    Ok(Some(ScheduleStanding::new(status, last)))
}

/// A schedule by its id or name.
fn find(engine: &Engine, id_or_name: &str) -> Result<Arc<Trigger>, Refusal> {
    selection::find(engine, Trigger::SCHEDULE, id_or_name)
}

async fn shown(engine: &Engine, trigger: &Trigger) -> Result<Schedule, Refusal> {
    let standing = standing(engine, trigger.id).await?.unwrap_or(ScheduleStanding::GONE);
    Ok(Schedule::new(trigger, standing))
}

/// Fires a schedule as a body asks for it.
pub(super) async fn fired(
    engine: &Engine,
    id: TriggerId,
    body: &Value,
    actor: &Actor,
) -> Result<(StatusCode, Out<Fired>), Refusal> {
    let FireBody { input } = FireBody::read(body).map_err(Refusal::invalid)?;
    let fired = engine.fire_schedule(id, input, actor).await?;
    Ok((StatusCode::ACCEPTED, Out(Fired::from(fired))))
}

/// List schedules
///
/// All of them, by name.
#[utoipa::path(
    get, path = "/schedules", tag = "schedules",
    operation_id = "list_schedules",
    params(Filter, Window),
    responses((status = 200, description = "The schedules", body = Page<Schedule>)),
)]
pub(crate) async fn list(
    Shared(server): Shared,
    Params((filter, window)): Params<(Filter, Window)>,
) -> Result<Out<Page<Schedule>>, Refusal> {
    let engine = &server.engine;
    let runs_it = running(engine, filter.function.as_deref())?;
    let mut wanted = of_kind(engine, Trigger::SCHEDULE);
    wanted.retain(|schedule| {
        let state = || engine.schedule_status(schedule.id).as_ref().map(ScheduleState::from);
        runs_it(schedule) && filter.status.is_none_or(|wanted| state() == Some(wanted))
    });
    let Page { data, next_cursor } = window.page(wanted);
    let mut page = Page { data: Vec::with_capacity(data.len()), next_cursor };
    for schedule in data {
        page.data.push(shown(engine, &schedule).await?);
    }
    Ok(Out(page))
}

/// Create a schedule
///
/// One that has no occurrence left is refused.
#[utoipa::path(
    post, path = "/schedules", tag = "schedules",
    operation_id = "create_schedule",
    request_body = ScheduleBody,
    responses((status = 201, description = "The schedule", body = Schedule)),
)]
pub(crate) async fn create(
    Shared(server): Shared,
    By(actor): By,
    Json(body): Json,
) -> Result<(StatusCode, Out<Schedule>), Refusal> {
    let asked = ScheduleBody::read(body).map_err(Refusal::invalid_trigger)?;
    let made = server.engine.create_trigger(asked.new.clone(), &actor).await;
    let schedule = made.map_err(|refused| asked.told(refused))?;
    Ok((StatusCode::CREATED, Out(shown(&server.engine, &schedule).await?)))
}

/// Show a schedule
#[utoipa::path(
    get, path = "/schedules/{id}", tag = "schedules",
    operation_id = "get_schedule",
    params(("id" = String, Path, description = "Id or name")),
    responses((status = 200, description = "The schedule", body = Schedule)),
)]
pub(crate) async fn show(
    Shared(server): Shared,
    Segment(id): Segment,
) -> Result<Out<Schedule>, Refusal> {
    let schedule = find(&server.engine, &id)?;
    Ok(Out(shown(&server.engine, &schedule).await?))
}

/// Change a schedule
///
/// What is left out stays (JSON Merge Patch). A change bears on the future alone: what fired stays
/// fired. Only schedules made through the API can be changed.
#[utoipa::path(
    patch, path = "/schedules/{id}", tag = "schedules",
    operation_id = "change_schedule",
    params(("id" = String, Path, description = "Id or name")), request_body = ScheduleBody,
    responses((status = 200, description = "The schedule", body = Schedule)),
)]
pub(crate) async fn change(
    Shared(server): Shared,
    By(actor): By,
    Segment(id): Segment,
    Json(body): Json,
) -> Result<Out<Schedule>, Refusal> {
    let old = find(&server.engine, &id)?;
    let asked = ScheduleBody::patch(&old, body).map_err(Refusal::invalid_trigger)?;
    let made = server.engine.update_trigger(old.id, asked.new.clone(), &actor).await;
    let schedule = made.map_err(|refused| asked.told(refused))?;
    Ok(Out(shown(&server.engine, &schedule).await?))
}

/// Delete a schedule
///
/// What waits for it is cancelled, its history stays.
#[utoipa::path(
    delete, path = "/schedules/{id}", tag = "schedules",
    operation_id = "delete_schedule",
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

/// Fire a schedule now
///
/// Beside its timetable, which stays as it is.
#[utoipa::path(
    post, path = "/schedules/{id}/trigger", tag = "schedules",
    operation_id = "trigger_schedule",
    params(("id" = String, Path, description = "Id or name")), request_body = FireBody,
    responses((status = 202, description = "Accepted, durable", body = Fired)),
)]
pub(crate) async fn trigger(
    Shared(server): Shared,
    By(actor): By,
    Segment(id): Segment,
    JsonOrNothing(body): JsonOrNothing,
) -> Result<(StatusCode, Out<Fired>), Refusal> {
    let schedule = find(&server.engine, &id)?;
    fired(&server.engine, schedule.id, &body, &actor).await
}

/// Pause a schedule
///
/// It no longer fires, and what waits keeps waiting.
#[utoipa::path(
    post, path = "/schedules/{id}/pause", tag = "schedules",
    operation_id = "pause_schedule",
    params(("id" = String, Path, description = "Id or name")),
    responses((status = 200, description = "The schedule", body = Schedule)),
)]
pub(crate) async fn pause(
    Shared(server): Shared,
    By(actor): By,
    Segment(id): Segment,
) -> Result<Out<Schedule>, Refusal> {
    let old = find(&server.engine, &id)?;
    let schedule = server.engine.set_trigger_enabled(old.id, Enabled::No, &actor).await?;
    Ok(Out(shown(&server.engine, &schedule).await?))
}

/// Resume a schedule
///
/// It goes on from now: nothing of the time it was off is made up for.
#[utoipa::path(
    post, path = "/schedules/{id}/resume", tag = "schedules",
    operation_id = "resume_schedule",
    params(("id" = String, Path, description = "Id or name")),
    responses((status = 200, description = "The schedule", body = Schedule)),
)]
pub(crate) async fn resume(
    Shared(server): Shared,
    By(actor): By,
    Segment(id): Segment,
) -> Result<Out<Schedule>, Refusal> {
    let old = find(&server.engine, &id)?;
    let schedule = server.engine.set_trigger_enabled(old.id, Enabled::Yes, &actor).await?;
    Ok(Out(shown(&server.engine, &schedule).await?))
}

/// Fire the occurrences of a span of time
///
/// All at once, those that fired before too: the policies of the schedule say how fast they are
/// carried out. With `dry_run` they are only counted.
#[utoipa::path(
    post, path = "/schedules/{id}/backfill", tag = "schedules",
    operation_id = "backfill_schedule",
    params(("id" = String, Path, description = "Id or name")), request_body = BackfillBody,
    responses(
        (status = 200, description = "What would fire, of a dry run", body = Backfilled),
        (status = 202, description = "Accepted, durable", body = Backfilled),
    ),
)]
pub(crate) async fn backfill(
    Shared(server): Shared,
    By(actor): By,
    Segment(id): Segment,
    Json(body): Json,
) -> Result<(StatusCode, Out<Backfilled>), Refusal> {
    let schedule = find(&server.engine, &id)?;
    let asked = BackfillBody::read(&body).map_err(Refusal::invalid)?;
    let filled = server.engine.backfill(schedule.id, asked, &actor).await?;
    let status = if asked.is_dry { StatusCode::OK } else { StatusCode::ACCEPTED };
    Ok((status, Out(Backfilled::from(filled))))
}

/// List the next occurrences of a schedule
///
/// What its timetable has, whether it is paused or not, and without the jitter.
#[utoipa::path(
    get, path = "/schedules/{id}/upcoming", tag = "schedules",
    operation_id = "list_upcoming",
    params(("id" = String, Path, description = "Id or name"), Ahead),
    responses((status = 200, description = "The instants", body = Upcoming)),
)]
pub(crate) async fn upcoming(
    Shared(server): Shared,
    Segment(id): Segment,
    Params(ahead): Params<Ahead>,
) -> Result<Out<Upcoming>, Refusal> {
    let schedule = find(&server.engine, &id)?;
    let after = ahead.after.unwrap_or_else(|| server.options.clock.now());
    let data = server.engine.upcoming(schedule.id, after, ahead.limit as usize)?;
    Ok(Out(Upcoming { data, next_cursor: () }))
}
