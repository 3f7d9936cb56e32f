//! Time that passes when it is told to, and a runtime that tells when nothing is left to do: what
//! tests, simulations and previews of schedules run on.

mod clock;
mod idle;

pub use clock::ManualClock;
pub use idle::{Idle, runtime};
