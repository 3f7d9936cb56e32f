//! What a kind says of itself. Validation, CLI, documentation and `doctor` read only this.

use serde_json::Value;

/// Where the work of a kind happens in a cluster.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Runs {
    /// On each node.
    EveryNode,
    /// On one node at a time, held by a lease.
    OneNode,
}

/// A kind of source, target or runtime.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Descriptor {
    /// The word in manifests and in the API.
    pub kind: &'static str,
    /// A name for people.
    pub title: &'static str,
    /// One sentence: what it is for.
    pub summary: &'static str,
    /// JSON Schema (2020-12) of the configuration.
    pub schema: Value,
    /// A configuration that works.
    pub example: Value,
    /// Page of the documentation, from the root of `docs/`.
    pub docs: &'static str,
    /// Where it runs.
    pub runs: Runs,
}
