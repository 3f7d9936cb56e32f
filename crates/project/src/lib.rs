//! A project's folder (manifests in four forms, code, configuration) read and watched into a
//! desired state. Called by `dev`, `serve` and the commands that work on files. It decides what the
//! user wants and says everything that is wrong; it never starts, stores or deploys anything.
//!
//! Reading order: [`desired`] (what comes out), [`read`], [`config`], [`document`], [`manifest`],
//! [`trigger`], [`policy`], [`alyx`], [`watch`], [`scaffold`], [`schema`].

pub mod desired;
pub mod read;

pub mod config;
mod document;
mod settings;

mod alyx;
mod declared;
mod environment;
mod filled;
mod folder;
mod hash;
mod language;
mod manifest;
mod policy;
mod poll;
mod routes;
mod schemas;
mod trigger;

mod reader;
mod values;

pub mod scaffold;
pub mod schema;
pub mod watch;

pub use config::ProjectConfig;
pub use desired::{Desired, DesiredFunction, DesiredTrigger, FileProblem, Written};
pub use environment::{Reference, fill_environment};
pub use read::{ReadContext, RuntimeName, read, reread, runtime_names};
pub use scaffold::scaffold;
pub use schema::manifest_schema;
pub use watch::{Change, Watcher, watch};

#[cfg(test)]
mod tests;
