//! The words everybody in the house speaks. Nothing here waits, reads a clock or touches a disk.
//!
//! Reading order: [`id`], [`time`], [`event`], [`trigger`], [`policy`], [`function`],
//! [`execution`], [`problem`].

pub mod alyx;
pub mod data;
pub mod event;
pub mod execution;
pub mod function;
pub mod id;
pub mod keys;
pub mod operation;
pub mod overlap;
pub mod policy;
pub mod problem;
pub mod suggest;
pub mod time;
pub mod trace;
pub mod trigger;
pub mod units;

pub use data::Data;
pub use event::{Event, Lineage};
pub use execution::{Attempt, Cause, Execution, Failure, LogLine, Outcome, Redirect, State};
pub use function::{FunctionSpec, FunctionVersion, Scaling};
pub use id::{
    AuditId, EventId, ExecutionId, FunctionId, IdSource, KeyId, OperationId, SegmentId, TriggerId,
};
pub use keys::{KeySet, Keys};
pub use operation::Operation;
pub use policy::Policy;
pub use problem::{Code, Problem, Rejection};
pub use time::Timestamp;
pub use trigger::{Target, Trigger};
pub use units::{ByteSize, Millis};
