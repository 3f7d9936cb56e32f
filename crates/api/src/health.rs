//! Health.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Whether the server is well.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Health {
    /// `ok`, or `failing` when a check is not.
    #[schema(example = "ok")]
    pub status: String,
    /// What was checked. Each part is really asked.
    pub checks: Vec<Check>,
}

/// One thing that was checked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Check {
    /// What.
    pub name: String,
    /// Whether it is well.
    pub ok: bool,
    /// What was seen.
    pub detail: String,
}

impl Health {
    /// The health these checks make.
    pub fn new(checks: Vec<Check>) -> Self {
        let is_ok = checks.iter().all(|check| check.ok);
        Self { status: if is_ok { "ok" } else { "failing" }.to_owned(), checks }
    }

    /// Whether all checks are well.
    pub fn is_ok(&self) -> bool {
        self.checks.iter().all(|check| check.ok)
    }
}
