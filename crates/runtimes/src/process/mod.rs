//! Worker processes and the pools they are in, whatever language they speak.
//!
//! Reading order: [`pool`] (what callers see), [`state`] with [`frames`] and [`tick`] (all
//! decisions, under one lock), [`keeper`] (the timer), [`serve`] (the life of a worker),
//! [`starter`] and [`launch`] (how it begins), [`memory`] and [`control`] (how it ends).

pub mod blank;
pub mod control;
pub mod frames;
pub mod keeper;
pub mod launch;
pub mod memory;
pub mod meter;
pub mod outbox;
pub mod output;
pub mod pool;
pub mod reply;
pub mod scale;
pub mod serve;
pub mod shared;
pub mod slab;
pub mod spawn;
pub mod start_error;
pub mod starter;
pub mod state;
pub mod stream;
pub mod tick;

#[cfg(test)]
mod state_tests;
