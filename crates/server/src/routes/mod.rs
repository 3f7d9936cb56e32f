//! The routes, one file a resource. Each is written down once: the router and the OpenAPI document
//! are made from the same list.

pub(crate) mod audit;
pub(crate) mod auth;
pub(crate) mod buckets;
pub(crate) mod claimed;
pub(crate) mod collections;
pub(crate) mod dead_letters;
pub(crate) mod docs;
pub(crate) mod events;
pub(crate) mod executions;
pub(crate) mod functions;
pub(crate) mod health;
pub(crate) mod invoke;
pub(crate) mod keys;
pub(crate) mod kinds;
pub(crate) mod logs;
pub(crate) mod operations;
pub(crate) mod replay;
pub(crate) mod retention;
pub(crate) mod schedules;
pub(crate) mod selection;
pub(crate) mod triggers;
pub(crate) mod webhooks;

use std::sync::Arc;

use axum::Router;
use axum::extract::{MatchedPath, Request};
use axum::middleware::{self, Next};
use axum::response::Response;
use evoke_model::Code;
use http::Uri;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::refusal::Refusal;
use crate::service::Route;

/// The route events are sent to.
pub(crate) const EVENTS: &str = "/api/events";

/// What stands under `/api`.
fn resources() -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(events::list, events::send))
        .routes(routes!(replay::replay))
        .routes(routes!(events::show))
        .routes(routes!(events::tree))
        .routes(routes!(executions::list))
        .routes(routes!(executions::show))
        .routes(routes!(executions::attempts))
        .routes(routes!(executions::explain))
        .routes(routes!(executions::cancel))
        .routes(routes!(executions::retry))
        .routes(routes!(dead_letters::list, dead_letters::purge))
        .routes(routes!(dead_letters::groups))
        .routes(routes!(dead_letters::redrive))
        .routes(routes!(dead_letters::show, dead_letters::edit))
        .routes(routes!(operations::list))
        .routes(routes!(operations::show))
        .routes(routes!(operations::cancel))
        .routes(routes!(operations::progress))
        .routes(routes!(audit::list))
        .routes(routes!(retention::show))
        .routes(routes!(retention::run))
        .routes(routes!(triggers::list, triggers::create))
        .routes(routes!(triggers::show, triggers::replace, triggers::change, triggers::delete))
        .routes(routes!(triggers::enable))
        .routes(routes!(triggers::disable))
        .routes(routes!(triggers::test))
        .routes(routes!(triggers::fire))
        .routes(routes!(schedules::list, schedules::create))
        .routes(routes!(schedules::show, schedules::change, schedules::delete))
        .routes(routes!(schedules::trigger))
        .routes(routes!(schedules::pause))
        .routes(routes!(schedules::resume))
        .routes(routes!(schedules::backfill))
        .routes(routes!(schedules::upcoming))
        .routes(routes!(webhooks::list, webhooks::create))
        .routes(routes!(webhooks::show, webhooks::change, webhooks::delete))
        .routes(routes!(functions::list))
        .routes(routes!(functions::show, invoke::invoke_by_name))
        .routes(routes!(invoke::invoke))
        .routes(routes!(functions::executions))
        .routes(routes!(functions::versions))
        .routes(routes!(functions::rollback))
        .routes(routes!(logs::list))
        .routes(routes!(keys::list, keys::create))
        .routes(routes!(keys::delete))
        .routes(routes!(kinds::list))
        .routes(routes!(kinds::doctor))
        .merge(data())
        .merge(users())
}

/// What the data services answer.
fn data() -> OpenApiRouter {
    use collections::{changes, documents, query, transactions};
    OpenApiRouter::new()
        .routes(routes!(collections::list))
        .routes(routes!(collections::show, collections::put, collections::delete))
        .routes(routes!(
            documents::list,
            documents::create,
            documents::update_all,
            documents::delete_all
        ))
        .routes(routes!(documents::show, documents::replace, documents::update, documents::delete))
        .routes(routes!(query::find))
        .routes(routes!(query::count))
        .routes(routes!(query::explain))
        .routes(routes!(changes::follow))
        .routes(routes!(transactions::transact))
        .merge(stored())
}

/// What storage answers.
fn stored() -> OpenApiRouter {
    use buckets::{file, files, links, uploads};
    OpenApiRouter::new()
        .routes(routes!(buckets::list))
        .routes(routes!(buckets::show, buckets::put, buckets::delete))
        .routes(routes!(files::list, files::upload, files::delete))
        .routes(routes!(file::put, file::get, file::change, file::delete))
        .routes(routes!(files::copy))
        .routes(routes!(links::sign))
        .routes(routes!(uploads::begin))
        .routes(routes!(uploads::show, uploads::abandon))
        .routes(routes!(uploads::put_part))
        .routes(routes!(uploads::complete))
}

/// What users ask, and what the operator does with them.
fn users() -> OpenApiRouter {
    use auth::{mails, users};
    OpenApiRouter::new()
        .routes(routes!(auth::signup))
        .routes(routes!(auth::login))
        .routes(routes!(auth::refresh))
        .routes(routes!(auth::logout))
        .routes(routes!(auth::verify_token))
        .routes(routes!(auth::me, auth::change_me))
        .routes(routes!(auth::jwks))
        .routes(routes!(mails::show_verification, mails::verify_email))
        .routes(routes!(mails::request_verification))
        .routes(routes!(mails::show_reset, mails::reset_password))
        .routes(routes!(mails::request_reset))
        .routes(routes!(users::list, users::create))
        .routes(routes!(users::show, users::change, users::delete))
        .routes(routes!(users::end_sessions))
}

/// What stands at the root.
fn root() -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(health::health))
        .routes(routes!(health::live))
        .routes(routes!(health::ready))
        .routes(routes!(health::metrics))
        .routes(routes!(docs::openapi_json))
        .routes(routes!(docs::page))
        .routes(routes!(docs::error_page))
        .routes(routes!(docs::function_schema))
        .routes(routes!(webhooks::receive))
        .routes(routes!(buckets::links::get, buckets::links::put))
        .routes(routes!(auth::well_known))
}

/// All routes as they are documented.
pub(crate) fn documented() -> OpenApiRouter {
    root().nest("/api", resources())
}

/// The router of everything that is not a function's.
pub(crate) fn router() -> Router {
    let (router, _) = documented().split_for_parts();
    // The same once more under the versioned path; the document names the short one.
    let (versioned, _) = resources().split_for_parts();
    router
        .nest("/api/v1", versioned)
        .method_not_allowed_fallback(method_not_allowed)
        .route_layer(middleware::from_fn(note_route))
        .fallback(not_found)
}

async fn note_route(request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map(|path| Arc::from(path.as_str()));
    let mut response = next.run(request).await;
    if let Some(route) = route {
        response.extensions_mut().insert(Route(route));
    }
    response
}

async fn method_not_allowed() -> Refusal {
    Refusal::new(Code::MethodNotAllowed, "the path is known, but not with this method")
}

async fn not_found(uri: Uri) -> Refusal {
    not_found_at(uri.path())
}

/// The refusal of a path nobody knows.
pub(crate) fn not_found_at(path: &str) -> Refusal {
    let shown: String = path.chars().take(200).collect();
    Refusal::new(Code::RouteNotFound, format!("there is nothing at {shown}"))
}
