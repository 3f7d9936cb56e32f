//! Users: what they send to sign up and in, what they get, and what the operator sees of them.

mod read;

use evoke_auth as auth;
use evoke_auth::logout::Scope;
use evoke_model::{Problem, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::schemas;

/// A user.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct User {
    /// The id.
    #[schema(example = "usr_01j9z3k5m7n8p")]
    pub id: String,
    /// The address as its owner writes it.
    pub email: String,
    /// Whether its owner proved to read mail there.
    pub email_verified: bool,
    /// The roles.
    pub roles: Vec<String>,
    /// What the application keeps with the user.
    #[schema(value_type = Object)]
    pub data: Map<String, Value>,
    /// When the account was made.
    #[schema(schema_with = schemas::time)]
    pub created_at: Timestamp,
    /// When it was last changed.
    #[schema(schema_with = schemas::time)]
    pub updated_at: Timestamp,
    /// When its owner last logged in.
    #[schema(schema_with = schemas::time_or_null)]
    pub last_login_at: Option<Timestamp>,
    /// Until when nobody may log in, after too many wrong passwords.
    #[schema(schema_with = schemas::time_or_null)]
    pub locked_until: Option<Timestamp>,
}

impl From<auth::User> for User {
    fn from(user: auth::User) -> Self {
        Self {
            id: user.id,
            email: user.email,
            email_verified: user.verified_at.is_some(),
            roles: user.roles,
            data: user.data,
            created_at: user.created_at,
            updated_at: user.updated_at,
            last_login_at: user.last_login_at,
            locked_until: user.locked_until,
        }
    }
}

/// What somebody gets who got in. Without tokens where the address has to be verified first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SignedIn {
    /// Who.
    pub user: User,
    /// The tokens.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<Tokens>,
}

/// The tokens of a session.
#[derive(Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Tokens {
    /// The session.
    #[schema(example = "ses_01j9z3k5m7n8p")]
    pub session_id: String,
    /// A JWT, signed with EdDSA; `/.well-known/jwks.json` has the keys.
    #[schema(example = "eyJ...")]
    pub access_token: String,
    /// Always `Bearer`.
    #[schema(example = "Bearer")]
    pub token_type: String,
    /// Seconds the access token holds.
    #[schema(example = 900)]
    pub expires_in: u64,
    /// What the next tokens are got with, once.
    #[schema(example = "evr_...")]
    pub refresh_token: String,
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokens").field("session_id", &self.session_id).finish_non_exhaustive()
    }
}

impl From<auth::SignedIn> for SignedIn {
    fn from(signed_in: auth::SignedIn) -> Self {
        let tokens = signed_in.tokens.map(|tokens| Tokens {
            session_id: tokens.session,
            access_token: tokens.access,
            token_type: "Bearer".to_owned(),
            expires_in: tokens.holds.as_u64() / 1_000,
            refresh_token: tokens.refresh,
        });
        Self { user: signed_in.user.into(), tokens }
    }
}

/// A token that holds, and whom it speaks for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct VerifiedToken {
    /// The user.
    pub user: TokenUser,
    /// Who made the token.
    #[schema(example = "evoke")]
    pub issuer: String,
    /// The session, for tokens of this server.
    pub session_id: Option<String>,
    /// Until when it holds.
    #[schema(schema_with = schemas::time)]
    pub expires_at: Timestamp,
}

/// A user as a token names it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TokenUser {
    /// The id; for users of another issuer whatever it calls them.
    pub id: String,
    /// The address, where the token has it.
    pub email: Option<String>,
    /// Whether its owner proved to read mail there, as the token has it.
    pub email_verified: bool,
    /// The roles when the token was made.
    pub roles: Vec<String>,
    /// Who knows the user, where that is another issuer.
    pub issuer: Option<String>,
}

impl From<auth::Verified> for VerifiedToken {
    fn from(verified: auth::Verified) -> Self {
        let auth::Verified { user, issuer, session, expires_at } = verified;
        let user = TokenUser {
            id: user.id,
            email: user.email,
            email_verified: user.email_verified,
            roles: user.roles,
            issuer: user.issuer,
        };
        Self { user, issuer, session_id: session, expires_at }
    }
}

/// What an account is made from by its owner.
#[derive(ToSchema)]
pub struct SignupBody {
    /// The address.
    #[schema(example = "ada@example.com")]
    pub email: String,
    /// The password, 8 to 128 characters.
    pub password: String,
    /// What the application keeps with the user, up to 16 KiB.
    #[schema(value_type = Option<Object>)]
    pub data: Option<Map<String, Value>>,
}

impl SignupBody {
    /// Reads a body.
    ///
    /// # Errors
    /// Everything that is wrong with its form.
    pub fn read(body: &Value) -> Result<auth::NewAccount, Vec<Problem>> {
        read::signup(body)
    }
}

/// What somebody logs in with.
#[derive(ToSchema)]
pub struct LoginBody {
    /// The address.
    #[schema(example = "ada@example.com")]
    pub email: String,
    /// The password.
    pub password: String,
}

impl LoginBody {
    /// Reads a body.
    ///
    /// # Errors
    /// Everything that is wrong with its form.
    pub fn read(body: &Value) -> Result<auth::Credentials, Vec<Problem>> {
        read::login(body)
    }
}

/// What the next tokens are got with.
#[derive(ToSchema)]
pub struct RefreshBody {
    /// The refresh token.
    pub refresh_token: String,
}

impl RefreshBody {
    /// Reads a body.
    ///
    /// # Errors
    /// Everything that is wrong with its form.
    pub fn read(body: &Value) -> Result<String, Vec<Problem>> {
        read::one(body, "refresh_token")
    }
}

/// What ends.
#[derive(ToSchema)]
pub struct LogoutBody {
    /// The refresh token of the session, in place of an access token in the header.
    pub refresh_token: Option<String>,
    /// Whether all sessions of the user end.
    pub all: Option<bool>,
}

impl LogoutBody {
    /// Reads a body.
    ///
    /// # Errors
    /// Everything that is wrong with its form.
    pub fn read(body: &Value) -> Result<(Option<String>, Scope), Vec<Problem>> {
        read::logout(body)
    }
}

/// A token: one that came by mail, or one to be verified.
#[derive(ToSchema)]
pub struct TokenBody {
    /// The token.
    pub token: String,
}

impl TokenBody {
    /// Reads a body.
    ///
    /// # Errors
    /// Everything that is wrong with its form.
    pub fn read(body: &Value) -> Result<String, Vec<Problem>> {
        read::one(body, "token")
    }
}

/// Where a mail is to go.
#[derive(ToSchema)]
pub struct EmailBody {
    /// The address.
    #[schema(example = "ada@example.com")]
    pub email: String,
}

impl EmailBody {
    /// Reads a body.
    ///
    /// # Errors
    /// Everything that is wrong with its form.
    pub fn read(body: &Value) -> Result<String, Vec<Problem>> {
        read::one(body, "email")
    }
}

/// A new password, with the token that came by mail.
#[derive(ToSchema)]
pub struct PasswordResetBody {
    /// The token.
    pub token: String,
    /// The password, 8 to 128 characters.
    pub password: String,
}

impl PasswordResetBody {
    /// Reads a body: token and password.
    ///
    /// # Errors
    /// Everything that is wrong with its form.
    pub fn read(body: &Value) -> Result<(String, String), Vec<Problem>> {
        read::reset(body)
    }
}

/// What a user changes of itself.
#[derive(ToSchema)]
pub struct ProfileBody {
    /// What the application keeps with the user. What is left out stays, `null` removes (JSON Merge
    /// Patch).
    #[schema(value_type = Option<Object>)]
    pub data: Option<Map<String, Value>>,
    /// A new password; all other sessions end.
    pub password: Option<String>,
    /// The password so far; a new one needs it.
    pub current_password: Option<String>,
}

impl ProfileBody {
    /// Reads a body.
    ///
    /// # Errors
    /// Everything that is wrong with its form.
    pub fn read(body: &Value) -> Result<auth::ProfileChange, Vec<Problem>> {
        read::profile(body)
    }
}

/// What an account is made from by the operator.
#[derive(ToSchema)]
pub struct NewUserBody {
    /// The address.
    #[schema(example = "ada@example.com")]
    pub email: String,
    /// The password; without one its owner sets it by mail.
    pub password: Option<String>,
    /// The roles.
    pub roles: Option<Vec<String>>,
    /// What the application keeps with the user.
    #[schema(value_type = Option<Object>)]
    pub data: Option<Map<String, Value>>,
    /// Whether the address is known to be its owner's.
    pub email_verified: Option<bool>,
}

impl NewUserBody {
    /// Reads a body.
    ///
    /// # Errors
    /// Everything that is wrong with its form.
    pub fn read(body: &Value) -> Result<auth::NewAccount, Vec<Problem>> {
        read::new_user(body)
    }
}

/// What the operator changes of a user; what is left out stays.
#[derive(ToSchema)]
pub struct UserBody {
    /// All roles from now on. Access tokens have new ones once they are refreshed; those that say
    /// one that was taken away are refused at once.
    pub roles: Option<Vec<String>>,
    /// What the application keeps with the user, as a JSON Merge Patch.
    #[schema(value_type = Option<Object>)]
    pub data: Option<Map<String, Value>>,
    /// Whether the address counts as verified.
    pub email_verified: Option<bool>,
    /// `null` ends a lock.
    #[schema(schema_with = schemas::time_or_null)]
    pub locked_until: Option<Timestamp>,
}

impl UserBody {
    /// Reads a body.
    ///
    /// # Errors
    /// Everything that is wrong with its form.
    pub fn read(body: &Value) -> Result<auth::UserChange, Vec<Problem>> {
        read::user(body)
    }
}
