//! The benchmarks B1 to B17: `evoke bench`.
//!
//! Machines differ and are noisy, so nothing is judged by an absolute figure. Each thing is
//! measured alternately with its floor (the raw store doing the same writes, the bare language
//! server doing the same calls, a peer) in one run, and what counts is the ratio; the figures are
//! printed beside it. The server is the built binary in a process of its own with an fsync on every
//! commit, and the [`load`] comes from a third process.
//!
//! This crate knows the server only from outside: its command line, its REST surface and its
//! metrics.

mod error;
mod floors;
mod histogram;
pub mod load;
mod machine;
mod measures;
mod options;
mod process;
mod report;
mod run;
mod server;

pub use error::Error;
pub use histogram::{Histogram, Latency};
pub use machine::Machine;
pub use options::{Form, Id, Options};
pub use report::{Figure, Goal, Report, Row, Score, Unit, Verdict};
pub use run::run;
