//! Where files of buckets are kept: `[storage]`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::reader::{Report, Wrong};

/// Where files of buckets are kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Storage {
    /// `file:FOLDER` (relative to the project), or `s3://BUCKET/PREFIX?endpoint=URL&region=NAME`
    /// for S3 and what speaks its protocol, with the keys in `AWS_ACCESS_KEY_ID` and
    /// `AWS_SECRET_ACCESS_KEY`. Default: `file:.evoke/storage`.
    pub url: String,
}

impl Default for Storage {
    fn default() -> Self {
        Self { url: "file:.evoke/storage".to_owned() }
    }
}

impl Storage {
    /// Reports an address that cannot be one.
    pub(crate) fn check(&self, report: &mut Report) {
        let is_named = |rest: &str| !rest.is_empty() && !rest.starts_with(['/', '?']);
        let is_folder = self.url.strip_prefix("file:").is_some_and(|path| !path.is_empty());
        let is_bucket = self.url.strip_prefix("s3://").is_some_and(is_named);
        if !is_folder && !is_bucket {
            let wrong = Wrong::new(format!("{:?} is no place for files", self.url));
            report.problem("storage.url", wrong.suggest("file:FOLDER or s3://BUCKET?region=..."));
        }
    }
}
