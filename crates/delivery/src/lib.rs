//! How executions are carried out. Pure: time and chance are arguments, nothing waits.
//!
//! Reading order: [`admission`] (which executions of a trigger may run now, and together with
//! whom), [`rate`] (so many per time), [`fair`] (whose turn it is among triggers that share a
//! target), [`batch`] (which executions of a call failed), [`retry`] (what comes after an attempt),
//! [`breaker`] (an endpoint that is down is left alone), [`grouping`] (dead letters with the same
//! cause).

pub mod admission;
pub mod batch;
pub mod breaker;
pub mod fair;
pub mod grouping;
pub mod rate;
pub mod retry;

pub use admission::{Admitted, Dropped, Entry, Head, Lane, LanePolicy, Verdict};
pub use breaker::Breaker;
pub use grouping::fingerprint;
pub use rate::Gcra;
