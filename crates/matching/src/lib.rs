//! Which triggers an event fires. Pure: no clock, no I/O, nothing waits.
//!
//! Reading order: [`pattern`] (one word against one rule), [`expression`] (CEL filters and keys),
//! [`index`] (all rules, made once when triggers change), [`plan()`] (events against the index).

pub mod expression;
pub mod index;
pub mod pattern;
mod plan;
mod regex;
mod shape;
mod value;

pub use expression::{EvalError, Expression, Scope};
pub use index::{Index, Rule, check};
pub use pattern::{Pattern, Separator};
pub use plan::{Keys, LoopBreak, Plan, PlanLimits, Planned, Trouble, loop_break, plan};
