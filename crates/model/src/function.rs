//! Functions and their immutable versions.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::id::FunctionId;
use crate::time::Timestamp;
use crate::units::{ByteSize, Millis};

/// How a function's workers are scaled.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Scaling {
    /// Workers kept when nothing is called; default 0.
    pub min_instances: u32,
    /// Workers at most; default 100.
    pub max_instances: u32,
    /// Calls one worker takes at once; default 10.
    pub target_concurrency: u32,
}

impl Default for Scaling {
    fn default() -> Self {
        Self { min_instances: 0, max_instances: 100, target_concurrency: 10 }
    }
}

/// What a manifest says of a function, checked and with its defaults filled in.
#[derive(Clone, PartialEq, Debug, serde::Serialize, serde::Deserialize)]
pub struct FunctionSpec {
    /// The name, unique in a project: letters, digits, `-` and `_`, at most 64.
    pub name: String,
    /// The runtime as asked for: `nodejs20`, `node`, `bun`, `python3.12`, ...
    pub runtime: String,
    /// `file.export`; `None` takes the runtime's default.
    pub handler: Option<String>,
    /// Limit of the memory of one worker.
    pub memory: ByteSize,
    /// Limit of one attempt.
    pub timeout: Millis,
    /// Variables as written in the manifest: references to secrets are not yet filled in.
    pub environment: BTreeMap<String, String>,
    /// Number of workers.
    pub scaling: Scaling,
}

impl FunctionSpec {
    /// Memory of one worker where the manifest says nothing.
    pub const MEMORY_DEFAULT: ByteSize = ByteSize::from_mb(256);
    /// Time of one attempt where the manifest says nothing.
    pub const TIMEOUT_DEFAULT: Millis = Millis::from_secs(30);
    /// A name may not be longer.
    pub const NAME_LEN_MAX: usize = 64;
}

/// One immutable version of a function.
#[derive(Clone, PartialEq, Debug)]
pub struct FunctionVersion {
    /// The function.
    pub function: FunctionId,
    /// 1, 2, 3, ...
    pub number: u32,
    /// What the manifest said.
    pub spec: FunctionSpec,
    /// The environment with secrets and references filled in; never stored.
    pub environment: BTreeMap<String, String>,
    /// Where the code of the version lies.
    pub code: PathBuf,
    /// SHA-256 over code and manifest, in hex.
    pub hash: String,
    /// When it was made.
    pub created_at: Timestamp,
}

/// What a store keeps of a version that can be run again.
#[derive(Clone, PartialEq, Debug, serde::Serialize, serde::Deserialize)]
pub struct VersionRecord {
    /// 1, 2, 3, ...
    pub number: u32,
    /// SHA-256 over code and manifest, in hex.
    pub hash: String,
    /// What its manifest says.
    pub spec: FunctionSpec,
    /// When it was made.
    pub created_at: Timestamp,
    /// The version whose code it has, where it was made by a rollback.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollback_to: Option<u32>,
}

/// What a store keeps of a function: its current version, and which others can be run.
#[derive(Clone, PartialEq, Debug, serde::Serialize, serde::Deserialize)]
pub struct FunctionRecord {
    /// The id.
    pub id: FunctionId,
    /// The number of the current version.
    pub version: u32,
    /// The hash of the current version.
    pub hash: String,
    /// What its manifest says.
    pub spec: FunctionSpec,
    /// Where its code lies.
    pub code: PathBuf,
    /// When the function first came.
    pub created_at: Timestamp,
    /// When the current version was made.
    pub updated_at: Timestamp,
    /// When it was deleted.
    pub deleted_at: Option<Timestamp>,
    /// The versions that can be run, oldest first, the current one included.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub versions: Vec<VersionRecord>,
    /// The hash of what the function's folder held when it was rolled back: as long as it holds
    /// that, the folder is not deployed again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rolled_back: Option<String>,
}

impl FunctionRecord {
    /// A version that can be run.
    pub fn kept(&self, number: u32) -> Option<&VersionRecord> {
        self.versions.iter().find(|version| version.number == number)
    }
}
