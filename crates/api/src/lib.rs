//! What goes over the wire: the bodies of the REST API with their OpenAPI schemas, and the
//! CloudEvents HTTP binding. Nothing here listens or waits.
//!
//! One file a resource; each body is made from what the engine gives with `From`.

pub mod audit;
pub mod auth;
pub mod cloudevents;
pub mod dead_letter;
pub mod document;
pub mod error;
pub mod event;
pub mod execution;
pub mod feed;
pub mod function;
pub mod health;
pub mod key;
pub mod kind;
pub mod operation;
pub mod page;
mod payload;
pub mod retention;
pub mod schedule;
pub mod schemas;
pub mod storage;
pub mod trace;
pub mod tree;
pub mod trigger;
pub mod version;
pub mod webhook;

pub use audit::AuditEntry;
pub use auth::{
    EmailBody, LoginBody, LogoutBody, NewUserBody, PasswordResetBody, ProfileBody, RefreshBody,
    SignedIn, SignupBody, TokenBody, TokenUser, Tokens, User, UserBody, VerifiedToken,
};
pub use dead_letter::{DeadLetterEdit, DeadLetterGroup};
pub use error::{Error, ErrorBody};
pub use event::{Event, EventAccepted, EventsAccepted};
pub use execution::{Attempt, Execution, ExecutionAccepted, Explanation, Failure, LogLine};
pub use feed::{DeploymentNotice, ExecutionNotice, LogEntry};
pub use function::Function;
pub use health::{Check, Health};
pub use key::{Key, NewKey, NewKeyBody};
pub use kind::{Found, Kind, Kinds};
pub use operation::{Asked, Counted, Operation, RedriveBody, ReplayBody, ReplayCount};
pub use page::Page;
pub use retention::{Retained, Retention};
pub use schedule::{
    AskedSchedule, BackfillBody, Backfilled, FireBody, Fired, Schedule, ScheduleBody,
    ScheduleConfig, ScheduleStanding, ScheduleState, ScheduleWords, Upcoming,
};
pub use tree::Tree;
pub use trigger::{PollSkip, PollStanding, TestBody, Trigger, TriggerBody};
pub use version::{RollbackBody, Version};
pub use webhook::{Webhook, WebhookBody};
