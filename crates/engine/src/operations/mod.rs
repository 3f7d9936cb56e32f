//! Operations: what somebody asked for and what takes its time. A replay sends events of the log
//! again, a redrive runs dead letters again; both at a rate of their own, in the background, and on
//! from where they were after a restart.
//!
//! Reading order: [`request`] (what may be asked for), [`list`] (all there are, and what the engine
//! tells them), [`api`] (asking, looking, cancelling), [`run`] (the task of one), then [`redrive`]
//! and [`replay`] (what one sends next), [`pace`] (how fast), [`watch`] (what became of it).
//!
//! An operation's place is written in the commit that sends something, so that what was sent and
//! where it goes on never differ, whenever the process ends.

mod api;
mod list;
mod log;
mod pace;
mod redrive;
mod replay;
mod request;
mod run;
mod watch;

pub(crate) use list::Operations;
pub use request::{Redrive, Replay, ReplayCount, ReplayTo};

/// Events or dead letters sent in one commit, so that others wait a millisecond for it and no more.
const BATCH_MAX: usize = 100;
