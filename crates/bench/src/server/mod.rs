//! The server under measurement: its process, its project, its REST surface, its store.

mod control;
mod copies;
mod metrics;
mod project;
mod record;
mod running;

pub(crate) use control::Control;
pub(crate) use copies::add_copies;
pub(crate) use metrics::Samples;
pub(crate) use project::{Function, Project};
pub(crate) use record::{Firing, Record};
pub(crate) use running::{Launch, Server, free_port};
