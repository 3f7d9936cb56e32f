//! Which triggers an event fires. Pure: no clock, no I/O, nothing waits.
//!
//! Reading order: [`pattern`] (one word against one rule), [`expression`] (one CEL expression over
//! one event), [`index`] (all rules, made once when triggers change), [`plan()`] (events against
//! the index).

mod check;
pub mod expression;
mod filter;
pub mod index;
mod json;
mod keys;
mod meter;
pub mod pattern;
mod plan;
mod regex;
mod shape;
mod value;

pub use check::contradictions;
pub use expression::{EvalError, Expression, Scope};
pub use filter::{Filter, filter};
pub use index::{Index, Rule, Unanswered, check};
pub use keys::Evaluated;
pub use pattern::{Pattern, Separator};
pub use plan::{LoopBreak, Plan, PlanLimits, Planned, Trouble, loop_break, plan};

#[cfg(test)]
mod testing;
