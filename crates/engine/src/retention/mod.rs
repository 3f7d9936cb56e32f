//! Retention: what becomes of the record as it grows old. Events and executions stay in the record
//! while they are young (the active tier), then move to the archive (compressed segments that are
//! still listed), and are removed by age and by size.
//!
//! Reading order: [`policy`] says how long what is kept, [`judge`] decides for one event, [`run`]
//! goes through the record and the archive with the rhythm of [`pace`]; [`read`] lists the archive.
//! Nothing that is open is ever touched, and a dead letter only when its own time is over.

mod judge;
mod load;
mod metrics;
mod pace;
mod policy;
mod read;
mod record;
mod room;
mod run;
mod segment;
mod shelf;
mod stored;
mod view;

#[cfg(test)]
mod tests;

pub use policy::{KindPattern, RetentionPolicy, Rule};
pub use run::Retained;
pub use view::RetentionView;

pub(crate) use metrics::Gauges;
pub(crate) use run::Retention;
pub(crate) use shelf::Shelf;
