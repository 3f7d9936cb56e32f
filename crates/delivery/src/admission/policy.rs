//! What a lane keeps to: the part of a trigger's policy that says when its executions run.

use evoke_model::Policy;
use evoke_model::policy::{Batch, Concurrency, Debounce, Rate};

/// Executions of one order key kept in memory where nothing else is said. A key runs one at a time,
/// so even at a millisecond each this bridges more than one read of the store.
pub const KEY_WINDOW_DEFAULT: usize = 64;

/// What a lane keeps to.
#[derive(Clone, Debug, PartialEq)]
pub struct LanePolicy {
    /// How many calls run at once, in all or per key.
    pub concurrency: Option<Concurrency>,
    /// Executions with an order key run one after the other.
    pub ordered: bool,
    /// Executions of one order key kept in memory.
    pub key_window: usize,
    /// Several executions in one call.
    pub batch: Option<Batch>,
    /// First attempts wait for a quiet time.
    pub debounce: Option<Debounce>,
    /// So many calls per time, in all or per key.
    pub rate: Option<Rate>,
}

impl LanePolicy {
    /// What the policy of a trigger means for its lane.
    pub fn of(policy: &Policy) -> Self {
        Self {
            concurrency: policy.concurrency.clone(),
            ordered: policy.order_by.is_some(),
            key_window: KEY_WINDOW_DEFAULT,
            batch: policy.batch.clone(),
            debounce: policy.debounce.clone(),
            rate: policy.rate.clone(),
        }
    }
}

impl Default for LanePolicy {
    fn default() -> Self {
        Self::of(&Policy::default())
    }
}
