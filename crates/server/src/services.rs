//! The data services a server offers, as far as it has them.

use evoke_auth::Auth;
use evoke_database::Database;
use evoke_model::Code;
use evoke_storage::Storage;

use crate::refusal::Refusal;

/// The data services.
#[derive(Clone, Default)]
pub struct Services {
    /// Collections of documents.
    pub database: Option<Database>,
    /// Buckets and files.
    pub storage: Option<Storage>,
    /// Users.
    pub auth: Option<Auth>,
}

impl Services {
    /// The database.
    pub(crate) fn database(&self) -> Result<&Database, Refusal> {
        self.database.as_ref().ok_or_else(|| missing("database"))
    }

    /// Buckets and files.
    pub(crate) fn storage(&self) -> Result<&Storage, Refusal> {
        self.storage.as_ref().ok_or_else(|| missing("storage"))
    }

    /// The users.
    pub(crate) fn auth(&self) -> Result<&Auth, Refusal> {
        self.auth.as_ref().ok_or_else(|| missing("users"))
    }

    /// Whether everybody may read the files of a bucket.
    pub(crate) fn is_public(&self, bucket: &str) -> bool {
        self.storage.as_ref().is_some_and(|storage| storage.is_public(bucket))
    }
}

/// A service this server does not have.
fn missing(name: &str) -> Refusal {
    Refusal::new(Code::RouteNotFound, format!("this server has no {name}"))
}
