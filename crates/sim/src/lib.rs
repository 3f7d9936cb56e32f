//! A seeded simulation of the engine on the memory store and a clock that is moved by hand. One
//! number decides everything that happens in a run: which triggers there are, what is sent and
//! when, how long targets take and how they answer, in which order calls end, which commits and
//! reads fail, and where the process dies. So a run that shows a fault shows it again.
//!
//! Beside the engine runs a small model of what must hold ([`book`], [`calls`]): it looks at each
//! call as it begins, at the record whenever nothing moves ([`rest`]), and at all of it in the end
//! ([`record`]).
//!
//! Reading order: [`run`] (one seed from its beginning to its end), [`plan`] (which triggers),
//! [`life`] (one life of the process), [`step`] (what may happen in it), [`world`] (what outlives
//! it), [`store`], [`target`] and [`source`] (the plug-ins), then the model.
//!
//! `cargo xtask sim --seed N` prints what happened in a run.

mod answer;
mod book;
mod calls;
mod life;
mod ops;
mod plan;
mod record;
mod rest;
mod run;
mod source;
mod step;
mod store;
mod target;
mod trace;
mod world;

pub use run::{Options, Report, run};
