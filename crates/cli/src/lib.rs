//! The command line: what can be typed, what is printed, and the commands that talk to a server.
//!
//! Data goes to stdout, talk to stderr. The exit code says whose fault it was ([`Failure`]). What
//! needs the inside of a server or a project ([`Hooks`]) is given by the caller: this crate knows
//! only the REST surface and the words of the engine's live feed.

pub mod args;
mod commands;
mod connect;
mod failure;
mod hooks;
mod input;
pub mod live;
mod output;
mod run;
pub mod test_run;

pub use args::command;
pub use failure::{Failure, Outcome};
pub use hooks::{Finding, Hooks};
pub use run::{run, run_with};
