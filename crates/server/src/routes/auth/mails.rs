//! What links in mails lead to: a page that asks, and what it sends. A link that is only looked at,
//! as scanners of mail do, changes nothing.

use axum::Json as Out;
use axum::response::{IntoResponse, Response};
use evoke_api::{EmailBody, PasswordResetBody, TokenBody, User};
use http::StatusCode;
use serde_json::{Map, Value, json};
use utoipa::IntoParams;

use super::not_kept;
use crate::extract::{Json, JsonOrForm, Sent, Shared};
use crate::html;
use crate::query::{FromQuery, Params, Query};
use crate::refusal::Refusal;
use crate::visitor::Visiting;

/// What a link in a mail has in it.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Link {
    /// The token.
    token: Option<String>,
}

impl FromQuery for Link {
    fn read(query: &mut Query) -> Self {
        Self { token: query.text("token") }
    }
}

/// An answer to a person, in a page that neither leaves traces nor runs anything.
fn page(title: &str, body: &str) -> Response {
    let headers = [
        ("content-type", "text/html; charset=utf-8"),
        ("cache-control", "no-store"),
        ("referrer-policy", "same-origin"),
        ("x-frame-options", "DENY"),
        (
            "content-security-policy",
            "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'",
        ),
    ];
    (headers, html::form(title, body)).into_response()
}

/// The page of a verification mail
///
/// For a person: it asks before it verifies.
#[utoipa::path(
    get, path = "/auth/verify-email", tag = "users",
    operation_id = "show_verification",
    params(Link),
    responses((status = 200, description = "HTML", content_type = "text/html", body = String)),
)]
pub(crate) async fn show_verification(Params(link): Params<Link>) -> Response {
    let token = html::escaped(&link.token.unwrap_or_default());
    let body = format!(
        "<form method=\"post\"><input type=\"hidden\" name=\"token\" value=\"{token}\">\
         <button>Verify this address</button></form>"
    );
    page("Verify your address", &body)
}

/// Verify an address
///
/// With the token that was sent there. Hooks on `email_verify` may say no.
#[utoipa::path(
    post, path = "/auth/verify-email", tag = "users",
    operation_id = "verify_email",
    request_body = TokenBody,
    responses((status = 200, description = "The user", body = User)),
)]
pub(crate) async fn verify_email(
    Shared(server): Shared,
    Visiting(visitor): Visiting,
    JsonOrForm(body, sent): JsonOrForm,
) -> Result<Response, Refusal> {
    let token = TokenBody::read(&body).map_err(Refusal::invalid)?;
    let user = server.options.services.auth()?.verify_email(&token, &visitor).await?;
    Ok(match sent {
        Sent::Json => not_kept(StatusCode::OK, User::from(user)),
        Sent::Form => page("Your address is verified", ""),
    })
}

/// Ask for a verification mail
///
/// Answers the same whether or not there is such an account.
#[utoipa::path(
    post, path = "/auth/verify-email/request", tag = "users",
    operation_id = "request_verification",
    request_body = EmailBody,
    responses((status = 202, description = "A mail is sent, if it is needed", body = Value)),
)]
pub(crate) async fn request_verification(
    Shared(server): Shared,
    Json(body): Json,
) -> Result<(StatusCode, Out<Value>), Refusal> {
    let email = EmailBody::read(&body).map_err(Refusal::invalid)?;
    server.options.services.auth()?.request_verification(&email)?;
    Ok((StatusCode::ACCEPTED, Out(json!({}))))
}

/// The page of a reset mail
///
/// For a person: it asks for the new password.
#[utoipa::path(
    get, path = "/auth/password-reset", tag = "users",
    operation_id = "show_reset",
    params(Link),
    responses((status = 200, description = "HTML", content_type = "text/html", body = String)),
)]
pub(crate) async fn show_reset(Params(link): Params<Link>) -> Response {
    let token = html::escaped(&link.token.unwrap_or_default());
    let body = format!(
        "<form method=\"post\"><input type=\"hidden\" name=\"token\" value=\"{token}\">\
         <label>New password <input type=\"password\" name=\"password\" minlength=\"8\" \
         maxlength=\"128\" autocomplete=\"new-password\" required></label> \
         <button>Set password</button></form>"
    );
    page("Set your password", &body)
}

/// Set a password
///
/// With the token that was sent by mail. All sessions end, a lock too.
#[utoipa::path(
    post, path = "/auth/password-reset", tag = "users",
    operation_id = "reset_password",
    request_body = PasswordResetBody,
    responses((status = 200, description = "It is set", body = Value)),
)]
pub(crate) async fn reset_password(
    Shared(server): Shared,
    Visiting(visitor): Visiting,
    JsonOrForm(body, sent): JsonOrForm,
) -> Result<Response, Refusal> {
    let (token, password) = PasswordResetBody::read(&body).map_err(Refusal::invalid)?;
    server.options.services.auth()?.reset_password(&token, password, &visitor).await?;
    Ok(match sent {
        Sent::Json => not_kept(StatusCode::OK, Value::Object(Map::new())),
        Sent::Form => page("Your password is set", "<p>All sessions have ended.</p>"),
    })
}

/// Ask for a reset mail
///
/// Answers the same whether or not there is such an account.
#[utoipa::path(
    post, path = "/auth/password-reset/request", tag = "users",
    operation_id = "request_reset",
    request_body = EmailBody,
    responses((status = 202, description = "A mail is sent, if there is an account", body = Value)),
)]
pub(crate) async fn request_reset(
    Shared(server): Shared,
    Json(body): Json,
) -> Result<(StatusCode, Out<Value>), Refusal> {
    let email = EmailBody::read(&body).map_err(Refusal::invalid)?;
    server.options.services.auth()?.request_reset(&email)?;
    Ok((StatusCode::ACCEPTED, Out(json!({}))))
}
