//! Kinds of sources, targets and runtimes, as they describe themselves, and what the machine has.

use evoke_engine::Engine;
use evoke_ports::{Descriptor, Runs, runtime};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// All kinds this server knows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Kinds {
    /// Kinds of triggers.
    pub sources: Vec<Kind>,
    /// Kinds of targets.
    pub targets: Vec<Kind>,
    /// Languages.
    pub runtimes: Vec<Kind>,
}

/// A kind of source, target or runtime.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Kind {
    /// The word in manifests and in the API.
    #[serde(rename = "type")]
    pub kind: String,
    /// A name for people.
    pub title: String,
    /// One sentence: what it is for.
    pub summary: String,
    /// JSON Schema of its configuration.
    pub schema: Value,
    /// A configuration that works.
    pub example: Value,
    /// Page of the documentation.
    pub docs: String,
    /// `every_node` or `one_node`.
    pub runs: String,
}

/// An interpreter or tool that was looked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Found {
    /// What was looked for.
    pub name: String,
    /// Where it is; `null` when it is missing.
    pub path: Option<String>,
    /// The version it reports.
    pub version: Option<String>,
    /// What to do when it is missing.
    pub hint: Option<String>,
}

impl Kinds {
    /// All kinds an engine was started with.
    pub fn of(engine: &Engine) -> Self {
        let kinds =
            |descriptors: Vec<Descriptor>| descriptors.into_iter().map(Kind::from).collect();
        let all = engine.descriptors();
        Self {
            sources: kinds(all.sources),
            targets: kinds(all.targets),
            runtimes: kinds(all.runtimes),
        }
    }
}

impl From<Descriptor> for Kind {
    fn from(descriptor: Descriptor) -> Self {
        let runs = match descriptor.runs {
            Runs::EveryNode => "every_node",
            Runs::OneNode => "one_node",
        };
        Self {
            kind: descriptor.kind.to_owned(),
            title: descriptor.title.to_owned(),
            summary: descriptor.summary.to_owned(),
            schema: descriptor.schema,
            example: descriptor.example,
            docs: descriptor.docs.to_owned(),
            runs: runs.to_owned(),
        }
    }
}

impl From<runtime::Found> for Found {
    fn from(found: runtime::Found) -> Self {
        Self { name: found.name, path: found.path, version: found.version, hint: found.hint }
    }
}
