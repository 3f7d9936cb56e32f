//! What goes over the wire: the bodies of the REST API with their OpenAPI schemas, and the
//! CloudEvents HTTP binding. Nothing here listens or waits.
//!
//! One file a resource; each body is made from what the engine gives with `From`.

pub mod cloudevents;
pub mod error;
pub mod event;
pub mod execution;
pub mod feed;
pub mod function;
pub mod health;
pub mod key;
pub mod kind;
pub mod page;
mod payload;
pub mod schemas;
pub mod trace;
pub mod trigger;

pub use error::{Error, ErrorBody};
pub use event::{Event, EventsAccepted};
pub use execution::{Attempt, Execution, ExecutionAccepted, Explanation, Failure, LogLine};
pub use feed::{DeploymentNotice, ExecutionNotice, LogEntry};
pub use function::Function;
pub use health::{Check, Health};
pub use key::{Key, NewKey, NewKeyBody};
pub use kind::{Found, Kind, Kinds};
pub use page::Page;
pub use trigger::{TestBody, Trigger, TriggerBody};
