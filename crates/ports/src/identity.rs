//! Who a token speaks for. Whoever takes requests asks; whoever knows the users answers.

use evoke_model::Timestamp;

/// A user as a function sees the one who calls it.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
pub struct User {
    /// The id; for users of another issuer whatever it calls them, which is never the id of a user
    /// of ours.
    pub id: String,
    /// The address, where it is known.
    pub email: Option<String>,
    /// Whether its owner proved to read mail there.
    pub email_verified: bool,
    /// The roles.
    pub roles: Vec<String>,
    /// Who knows the user, where that is another issuer.
    pub issuer: Option<String>,
}

/// Why a token speaks for nobody: a sentence its sender may read.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0}")]
pub struct Unidentified(pub String);

/// Tells whom a token speaks for. Pure and quick: nothing is waited for and nothing fetched.
pub trait Identify: Send + Sync {
    /// The user whose token this is.
    ///
    /// # Errors
    /// The token is forged, expired, revoked, or not one of ours.
    fn identify(&self, token: &str, now: Timestamp) -> Result<User, Unidentified>;
}

/// Knows no users: where there is no server behind what takes requests.
#[derive(Clone, Copy, Debug, Default)]
pub struct Nobody;

impl Identify for Nobody {
    fn identify(&self, _token: &str, _now: Timestamp) -> Result<User, Unidentified> {
        Err(Unidentified("no users are known here".to_owned()))
    }
}
