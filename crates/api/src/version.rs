//! Versions of functions.

use evoke_engine::VersionView;
use evoke_model::{Problem, Timestamp};
use evoke_ports::fields::Fields;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::schemas;

/// A version of a function that can be run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Version {
    /// Its number.
    pub version: u32,
    /// Whether it is the current one.
    pub is_current: bool,
    /// SHA-256 over its code and manifest.
    pub hash: String,
    /// The runtime as its manifest asks for it.
    pub runtime: String,
    /// The version whose code it has, where it was made by a rollback.
    pub rollback_to: Option<u32>,
    /// When it was made.
    #[schema(schema_with = schemas::time)]
    pub created_at: Timestamp,
}

impl From<VersionView> for Version {
    fn from(VersionView { record, is_current }: VersionView) -> Self {
        Self {
            version: record.number,
            is_current,
            hash: record.hash,
            runtime: record.spec.runtime,
            rollback_to: record.rollback_to,
            created_at: record.created_at,
        }
    }
}

/// Which version a function goes back to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ToSchema)]
pub struct RollbackBody {
    /// Its number; without it, the newest of other code than the current one has.
    #[schema(minimum = 1)]
    pub version: Option<u32>,
}

impl RollbackBody {
    /// Reads it.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn read(body: &Value) -> Result<Self, Vec<Problem>> {
        let mut fields = Fields::new(body, &["version"]);
        let version = fields.read("version");
        fields.finish(Self { version })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_version_is_a_number_or_not_given() {
        for (body, expected) in [
            (json!({}), Ok(None)),
            (json!({ "version": 3 }), Ok(Some(3))),
            (json!({ "version": "3" }), Err("version")),
            (json!({ "version": -1 }), Err("version")),
            (json!({ "version": 1.5 }), Err("version")),
            (json!({ "version": 4_294_967_296_u64 }), Err("version")),
            (json!({ "to": 3 }), Err("to")),
        ] {
            let read = RollbackBody::read(&body).map(|body| body.version);
            let read = read.map_err(|problems| problems[0].field.clone());
            assert_eq!(read, expected.map_err(str::to_owned), "{body}");
        }
    }
}
