//! What the record shows where no attempt was made.

use evoke_model::{Attempt, Failure, Outcome, Timestamp};

/// What the record shows of an execution that was given up: no further attempt was made, so that
/// none is counted, and the reason stands where the last attempt's failure stands.
pub(crate) fn abandoned(attempts: u32, at: Timestamp, why: &Failure) -> Attempt {
    Attempt {
        number: attempts,
        started_at: at,
        finished_at: at,
        outcome: Outcome::Failure(why.clone()),
        logs: Vec::new(),
        version: 0,
    }
}
