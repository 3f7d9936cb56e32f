//! Accounts, for whoever runs the server.

use axum::Json as Out;
use evoke_api::{NewUserBody, Page, User, UserBody};
use evoke_auth::UserQuery;
use http::StatusCode;
use utoipa::IntoParams;

use crate::extract::{By, Json, Segment, Shared};
use crate::query::{FromQuery, Paging, Params, Query};
use crate::refusal::Refusal;
use crate::visitor::Visiting;

/// Which users.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Filter {
    /// With this address.
    email: Option<String>,
    /// With this role.
    role: Option<String>,
}

impl FromQuery for Filter {
    fn read(query: &mut Query) -> Self {
        Self { email: query.text("email"), role: query.text("role") }
    }
}

/// List users
#[utoipa::path(
    get, path = "/auth/users", tag = "users",
    operation_id = "list_users",
    params(Filter, Paging),
    responses((status = 200, description = "The users, oldest first", body = Page<User>)),
)]
pub(crate) async fn list(
    Shared(server): Shared,
    Params((filter, paging)): Params<(Filter, Paging)>,
) -> Result<Out<Page<User>>, Refusal> {
    let Filter { email, role } = filter;
    let Paging { limit, cursor } = paging;
    let query = UserQuery { email, role, limit, cursor };
    let page = server.options.services.auth()?.users(query).await?;
    Ok(Out(Page::of(page, User::from)))
}

/// Create a user
///
/// As a signup, without a session; hooks on `signup` are asked. Without a password its owner sets
/// one by mail (`POST /auth/password-reset/request`).
#[utoipa::path(
    post, path = "/auth/users", tag = "users",
    operation_id = "create_user",
    request_body = NewUserBody,
    responses((status = 201, description = "The user", body = User)),
)]
pub(crate) async fn create(
    Shared(server): Shared,
    Visiting(visitor): Visiting,
    By(actor): By,
    Json(body): Json,
) -> Result<(StatusCode, Out<User>), Refusal> {
    let wanted = NewUserBody::read(&body).map_err(Refusal::invalid)?;
    let user = server.options.services.auth()?.create_user(wanted, &visitor).await?;
    tracing::info!(user.id, actor = %actor.0, "User {} was created", user.id);
    Ok((StatusCode::CREATED, Out(user.into())))
}

/// Show a user
#[utoipa::path(
    get, path = "/auth/users/{id}", tag = "users",
    operation_id = "get_user",
    params(("id" = String, Path)),
    responses((status = 200, description = "The user", body = User)),
)]
pub(crate) async fn show(
    Shared(server): Shared,
    Segment(id): Segment,
) -> Result<Out<User>, Refusal> {
    Ok(Out(server.options.services.auth()?.user(&id).await?.into()))
}

/// Change a user
///
/// What is left out stays. `roles` are all roles from now on; access tokens have new ones once they
/// are refreshed, and those that say one that was taken away are refused at once.
#[utoipa::path(
    patch, path = "/auth/users/{id}", tag = "users",
    operation_id = "change_user",
    params(("id" = String, Path)), request_body = UserBody,
    responses((status = 200, description = "The user", body = User)),
)]
pub(crate) async fn change(
    Shared(server): Shared,
    By(actor): By,
    Segment(id): Segment,
    Json(body): Json,
) -> Result<Out<User>, Refusal> {
    let change = UserBody::read(&body).map_err(Refusal::invalid)?;
    let user = server.options.services.auth()?.change_user(&id, change).await?;
    tracing::info!(user.id, actor = %actor.0, "User {} was changed", user.id);
    Ok(Out(user.into()))
}

/// Delete a user
///
/// With all sessions, which end at once. What collections say of the user stays.
#[utoipa::path(
    delete, path = "/auth/users/{id}", tag = "users",
    operation_id = "delete_user",
    params(("id" = String, Path)),
    responses((status = 204, description = "Gone")),
)]
pub(crate) async fn delete(
    Shared(server): Shared,
    By(actor): By,
    Segment(id): Segment,
) -> Result<StatusCode, Refusal> {
    server.options.services.auth()?.delete_user(&id).await?;
    tracing::info!(user.id = id, actor = %actor.0, "User {id} was deleted");
    Ok(StatusCode::NO_CONTENT)
}

/// End all sessions of a user
///
/// Access tokens of them are refused at once. The user may log in again.
#[utoipa::path(
    delete, path = "/auth/users/{id}/sessions", tag = "users",
    operation_id = "end_sessions_of_user",
    params(("id" = String, Path)),
    responses((status = 204, description = "They have ended")),
)]
pub(crate) async fn end_sessions(
    Shared(server): Shared,
    By(actor): By,
    Segment(id): Segment,
) -> Result<StatusCode, Refusal> {
    server.options.services.auth()?.end_sessions_of(&id).await?;
    tracing::info!(user.id = id, actor = %actor.0, "All sessions of user {id} were ended");
    Ok(StatusCode::NO_CONTENT)
}
