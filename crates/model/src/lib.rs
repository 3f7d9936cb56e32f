//! The words everybody in the house speaks. Nothing here waits, reads a clock or touches a disk.
//!
//! Reading order: [`id`], [`time`], [`event`], [`trigger`], [`policy`], [`function`],
//! [`execution`], [`problem`].

pub mod data;
pub mod event;
pub mod execution;
pub mod function;
pub mod id;
pub mod policy;
pub mod problem;
pub mod suggest;
pub mod time;
pub mod trigger;
pub mod units;

pub use data::Data;
pub use event::{Event, Lineage};
pub use execution::{Attempt, Execution, Failure, LogLine, Outcome, State};
pub use function::{FunctionSpec, FunctionVersion, Scaling};
pub use id::{EventId, ExecutionId, FunctionId, IdSource, KeyId, TriggerId};
pub use policy::Policy;
pub use problem::{Code, Problem, Rejection};
pub use time::Timestamp;
pub use trigger::{Target, Trigger};
pub use units::{ByteSize, Millis};
