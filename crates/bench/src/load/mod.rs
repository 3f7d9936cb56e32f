//! The load generator. It runs as a process of its own, so that its work is neither scheduled by
//! the thing it measures nor counted as its memory, and it is lean enough that on two cores most of
//! the machine is left to the server: requests are made once and only their numbers are changed,
//! answers are looked at, not parsed.

mod answer;
mod blocking;
mod closed;
mod paced;
mod process;
mod spec;
mod template;
mod wire;

pub use process::{Generator, serve};
pub use spec::{LoadReport, LoadSpec, PLACEHOLDER, Pace, Request};

pub(crate) use answer::{Answer, look};
pub(crate) use wire::Wire;

use std::io;

/// Carries out a load in this process.
///
/// # Errors
/// When nothing could be sent at all; single broken connections are counted instead.
pub fn run(spec: &LoadSpec) -> io::Result<LoadReport> {
    match spec.pace {
        Pace::Closed if spec.connections == 1 => blocking::run(spec),
        Pace::Closed => closed::run(spec),
        Pace::Open { per_second } => paced::run(spec, per_second),
    }
}
