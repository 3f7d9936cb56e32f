//! What users ask: to sign up and in, for the next tokens, to leave, and for themselves. Nobody
//! needs a key for this: what is asked for is proved by a password or a token.

pub(crate) mod mails;
pub(crate) mod users;

use axum::Json as Out;
use axum::response::{IntoResponse, Response};
use evoke_api::{
    LoginBody, LogoutBody, ProfileBody, RefreshBody, SignedIn, SignupBody, TokenBody, User,
    VerifiedToken,
};
use evoke_auth::Leaving;
use evoke_model::Code;
use http::header::{CACHE_CONTROL, HeaderName};
use http::{HeaderValue, StatusCode};
use serde_json::Value;

use crate::extract::{Json, JsonOrNothing, Shared};
use crate::refusal::Refusal;
use crate::visitor::{Bearer, Visiting};

/// What holds tokens is kept by nobody on the way.
const NOT_KEPT: [(HeaderName, HeaderValue); 1] =
    [(CACHE_CONTROL, HeaderValue::from_static("no-store"))];

/// How long others may keep our keys: shorter than a new one is published before it signs.
const KEYS_KEPT: [(HeaderName, HeaderValue); 1] =
    [(CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"))];

/// A body nobody keeps.
fn not_kept<T: serde::Serialize>(status: StatusCode, body: T) -> Response {
    (status, NOT_KEPT, Out(body)).into_response()
}

/// A user who showed no token.
fn nobody() -> Refusal {
    let message = "log in first: send Authorization: Bearer with an access token";
    Refusal::new(Code::TokenInvalid, message).with_challenge(Some("Bearer"))
}

/// Sign up
///
/// Makes an account and begins a session. Hooks on `signup` may say no. Where addresses have to be
/// verified first there are no tokens in the answer.
#[utoipa::path(
    post, path = "/auth/signup", tag = "users",
    operation_id = "sign_up",
    request_body = SignupBody,
    responses((status = 201, description = "The user, and tokens", body = SignedIn)),
)]
pub(crate) async fn signup(
    Shared(server): Shared,
    Visiting(visitor): Visiting,
    Json(body): Json,
) -> Result<Response, Refusal> {
    let wanted = SignupBody::read(&body).map_err(Refusal::invalid)?;
    let signed_up = server.options.services.auth()?.signup(wanted, &visitor).await?;
    Ok(not_kept(StatusCode::CREATED, SignedIn::from(signed_up)))
}

/// Log in
///
/// Begins a session. Hooks on `login` may say no. Too many wrong passwords lock the account for a
/// while.
#[utoipa::path(
    post, path = "/auth/login", tag = "users",
    operation_id = "log_in",
    request_body = LoginBody,
    responses((status = 200, description = "The user, and tokens", body = SignedIn)),
)]
pub(crate) async fn login(
    Shared(server): Shared,
    Visiting(visitor): Visiting,
    Json(body): Json,
) -> Result<Response, Refusal> {
    let credentials = LoginBody::read(&body).map_err(Refusal::invalid)?;
    let logged_in = server.options.services.auth()?.login(credentials, &visitor).await?;
    Ok(not_kept(StatusCode::OK, SignedIn::from(logged_in)))
}

/// Get the next tokens
///
/// A refresh token is good for one use. One that is used again ends its session; only the one
/// before gives the same next one once more for ten seconds, where the answer was lost.
#[utoipa::path(
    post, path = "/auth/refresh", tag = "users",
    operation_id = "refresh_tokens",
    request_body = RefreshBody,
    responses((status = 200, description = "The user, and tokens", body = SignedIn)),
)]
pub(crate) async fn refresh(
    Shared(server): Shared,
    Visiting(visitor): Visiting,
    Json(body): Json,
) -> Result<Response, Refusal> {
    let token = RefreshBody::read(&body).map_err(Refusal::invalid)?;
    let next = server.options.services.auth()?.refresh(&token, &visitor).await?;
    Ok(not_kept(StatusCode::OK, SignedIn::from(next)))
}

/// Log out
///
/// Ends the session of the access token in the header, or of the refresh token in the body; with
/// `all` every session of the user. Access tokens of an ended session are refused at once.
#[utoipa::path(
    post, path = "/auth/logout", tag = "users",
    operation_id = "log_out",
    request_body = LogoutBody,
    responses((status = 204, description = "Gone")),
)]
pub(crate) async fn logout(
    Shared(server): Shared,
    Visiting(visitor): Visiting,
    Bearer(access): Bearer,
    JsonOrNothing(body): JsonOrNothing,
) -> Result<StatusCode, Refusal> {
    let (refresh, scope) = LogoutBody::read(&body).map_err(Refusal::invalid)?;
    if access.is_none() && refresh.is_none() {
        return Err(nobody());
    }
    // The one that is named in so many words comes first.
    let access = if refresh.is_some() { None } else { access };
    let leaving = Leaving { access, refresh, scope };
    server.options.services.auth()?.logout(leaving, &visitor).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Verify a token
///
/// Whom an access token speaks for, if it holds: of this server, or of an issuer it trusts. With or
/// without `Bearer` in front.
#[utoipa::path(
    post, path = "/auth/verify-token", tag = "users",
    operation_id = "verify_token",
    request_body = TokenBody,
    responses((status = 200, description = "Whom it speaks for", body = VerifiedToken)),
)]
pub(crate) async fn verify_token(
    Shared(server): Shared,
    Json(body): Json,
) -> Result<Out<VerifiedToken>, Refusal> {
    let token = TokenBody::read(&body).map_err(Refusal::invalid)?;
    Ok(Out(server.options.services.auth()?.verify_token(&token)?.into()))
}

/// Show myself
#[utoipa::path(
    get, path = "/auth/me", tag = "users",
    operation_id = "get_me",
    responses((status = 200, description = "The user of the access token", body = User)),
)]
pub(crate) async fn me(
    Shared(server): Shared,
    Bearer(access): Bearer,
) -> Result<Response, Refusal> {
    let access = access.ok_or_else(nobody)?;
    let user = server.options.services.auth()?.me(&access).await?;
    Ok(not_kept(StatusCode::OK, User::from(user)))
}

/// Change myself
///
/// `data` is merged (JSON Merge Patch). A new password needs the one so far, and ends all other
/// sessions.
#[utoipa::path(
    patch, path = "/auth/me", tag = "users",
    operation_id = "change_me",
    request_body = ProfileBody,
    responses((status = 200, description = "The user", body = User)),
)]
pub(crate) async fn change_me(
    Shared(server): Shared,
    Visiting(visitor): Visiting,
    Bearer(access): Bearer,
    Json(body): Json,
) -> Result<Response, Refusal> {
    let access = access.ok_or_else(nobody)?;
    let change = ProfileBody::read(&body).map_err(Refusal::invalid)?;
    let user = server.options.services.auth()?.change_me(&access, change, &visitor).await?;
    Ok(not_kept(StatusCode::OK, User::from(user)))
}

fn keys(server: &crate::service::Server) -> Result<Response, Refusal> {
    let keys: Value = server.options.services.auth()?.jwks()?;
    Ok((KEYS_KEPT, Out(keys)).into_response())
}

/// Show the public keys
///
/// A JWKS with which others verify access tokens. The next key is in it a day before it signs.
#[utoipa::path(
    get, path = "/auth/jwks", tag = "users",
    operation_id = "get_jwks",
    responses((status = 200, description = "The keys", body = Value)),
)]
pub(crate) async fn jwks(Shared(server): Shared) -> Result<Response, Refusal> {
    keys(&server)
}

/// Show the public keys at the usual place
///
/// The same as `/api/auth/jwks`.
#[utoipa::path(
    get, path = "/.well-known/jwks.json", tag = "users",
    operation_id = "get_well_known_jwks",
    responses((status = 200, description = "The keys", body = Value)),
)]
pub(crate) async fn well_known(Shared(server): Shared) -> Result<Response, Refusal> {
    keys(&server)
}
