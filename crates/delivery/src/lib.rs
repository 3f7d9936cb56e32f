//! How executions are carried out. Pure: time and chance are arguments, nothing waits.
//!
//! Reading order: [`admission`] (which execution of a trigger may run now), [`retry`] (what comes
//! after an attempt), [`breaker`] (an endpoint that is down is left alone), [`grouping`] (dead
//! letters with the same cause).

pub mod admission;
pub mod breaker;
pub mod grouping;
pub mod retry;

pub use admission::{Entry, Lane, LanePolicy, Verdict};
pub use breaker::Breaker;
pub use grouping::fingerprint;
