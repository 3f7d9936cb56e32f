//! Collections of documents: what may be written, and what is told of it. Called by the faces; it
//! commits through the journal, together with the news, and never knows where documents are kept
//! or who listens.
//!
//! Reading order: [`database`] (the handle), [`operation`] (what is asked for), `plan` (what
//! becomes of it, pure), `write` (rounds of plan, ask and commit), [`changes`] (what happened, in
//! order).

pub mod changes;
mod collections;
pub mod database;
pub mod operation;

mod by_query;
mod data;
mod ongoing;
mod plan;
mod refusal;
mod turns;
mod write;

pub use changes::{Changes, OldEvents, Told};
pub use collections::Definition;
pub use database::{Database, OPERATIONS_MAX, Parts, Unknown};
pub use operation::{Action, Asked, Operation, Outcome, Tally, Wanted};

#[cfg(test)]
mod tests;
