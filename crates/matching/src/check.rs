//! Numbers of a policy that make no sense, and parts of it that do not go together. Expressions are
//! checked where they are compiled.

use evoke_model::{Policy, Problem};

/// Everything that is wrong, with fields relative to the policy.
pub(crate) fn check(policy: &Policy) -> Vec<Problem> {
    let _ = policy;
    Vec::new()
}
