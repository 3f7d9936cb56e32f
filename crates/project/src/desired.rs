//! What a project's folder asks for.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use evoke_document::Collection;
use evoke_model::{FunctionSpec, Policy, Problem, Target};
use serde_json::Value;

use crate::config::ProjectConfig;
use crate::folder::FolderReport;

/// A project as its folder describes it, and everything that is wrong with the folder.
#[derive(Debug, Clone, Default)]
pub struct Desired {
    /// The settings; the defaults where `evoke.toml` is broken.
    pub config: ProjectConfig,
    /// The functions without problems, by name.
    pub functions: Vec<DesiredFunction>,
    /// Names (of manifests and of folders) whose function is there but has problems; see
    /// [`Desired::keeps`].
    pub broken: BTreeSet<String>,
    /// The absolute folders of those functions.
    pub broken_code: BTreeSet<PathBuf>,
    /// Whether the project as a whole could be read. When it could not, nothing is known of what
    /// is wanted, and everything that runs should go on as it is.
    pub is_usable: bool,
    /// The triggers without problems that belong to no function, in the order of their files.
    pub triggers: Vec<DesiredTrigger>,
    /// Names of such triggers that are there but have problems, or cannot be had in this version.
    pub broken_triggers: BTreeSet<String>,
    /// The collections without problems, by name.
    pub collections: Vec<Collection>,
    /// What has to be put right.
    pub problems: Vec<FileProblem>,
    /// What will not do what it says, without stopping the rest.
    pub warnings: Vec<FileProblem>,
    /// What each folder gave, so that a reread looks only at those that changed.
    pub(crate) reports: BTreeMap<OsString, FolderReport>,
}

impl Desired {
    /// Whether a function that runs should go on as it is although it is not among the functions:
    /// it is there, but broken. A manifest that cannot be read does not tell its name, so the
    /// folder of the code counts too.
    pub fn keeps(&self, name: &str, code: &Path) -> bool {
        !self.is_usable || self.broken.contains(name) || self.broken_code.contains(code)
    }

    /// The function with this name.
    pub fn function(&self, name: &str) -> Option<&DesiredFunction> {
        self.functions.iter().find(|function| function.spec.name == name)
    }
}

/// One function as its folder describes it.
#[derive(Debug, Clone, PartialEq)]
pub struct DesiredFunction {
    /// What the manifest says, with defaults filled in.
    pub spec: FunctionSpec,
    /// The absolute folder of the code.
    pub code: PathBuf,
    /// SHA-256 in hex over the files of the folder and the spec; installed packages and caches do
    /// not count.
    pub hash: String,
    /// The triggers, their names unique in the function.
    pub triggers: Vec<DesiredTrigger>,
    /// The environment with references filled in; never stored or logged.
    pub environment: BTreeMap<String, String>,
}

/// One trigger as a manifest describes it.
#[derive(Clone, PartialEq)]
pub struct DesiredTrigger {
    /// Given, or made of what the trigger listens to, so that it stays the same when others come
    /// and go.
    pub name: String,
    /// The kind of source.
    pub kind: String,
    /// The configuration in the canonical form of its source, with references filled in: it may
    /// hold secrets.
    pub config: Value,
    /// The function of the manifest; in a file of its own, whatever it says, with references filled
    /// in.
    pub target: Target,
    /// How executions are carried out.
    pub policy: Policy,
    /// Whether it fires.
    pub enabled: bool,
    /// Configuration and target as they were written, where something was filled in: what may be
    /// stored and shown.
    pub written: Option<Box<Written>>,
}

/// The parts of a trigger that may refer to secrets, with their references.
#[derive(Debug, Clone, PartialEq)]
pub struct Written {
    /// The configuration.
    pub config: Value,
    /// The target.
    pub target: Target,
}

/// What was filled in is not shown.
impl fmt::Debug for DesiredTrigger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (config, target) = match &self.written {
            Some(written) => (&written.config, &written.target),
            None => (&self.config, &self.target),
        };
        f.debug_struct("DesiredTrigger")
            .field("name", &self.name)
            .field("kind", &self.kind)
            .field("config", config)
            .field("target", target)
            .field("policy", &self.policy)
            .field("enabled", &self.enabled)
            .finish_non_exhaustive()
    }
}

/// Something wrong in a file of the project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileProblem {
    /// The file or folder, relative to the project.
    pub path: PathBuf,
    /// What is wrong.
    pub problem: Problem,
}

impl fmt::Display for FileProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.problem)
    }
}
