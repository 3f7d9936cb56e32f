//! The engine: everything between the doors and the targets. It knows the contracts and never a
//! database, a web server, a broker or a language.
//!
//! The way of an event: [`ingest`] plans it, the [`committer`] writes it durably together with what
//! else waits, the [`dispatch`]er admits its executions, [`execute`] carries them out and hands
//! what happened back to the committer. [`call`] is the short way for callers who wait for the
//! answer.

mod audit;
pub mod call;
mod catalog;
mod committer;
pub mod dead_letters;
mod declared;
mod dispatch;
mod draft;
mod execute;
pub mod feed;
pub mod functions;
mod gates;
mod hooks;
mod ingest;
mod journal;
pub mod keys;
mod logs;
pub mod metrics;
pub mod operations;
mod polls;
pub mod record;
mod registry;
pub mod retention;
pub mod schedules;
mod settings;
mod start;
mod test_run;
mod timed;
mod token;
mod traces;
pub mod tree;
pub mod triggers;
mod turns;
pub mod versions;

pub use audit::Actor;
pub use call::{HttpCallMeta, Invocation, Invoked};
pub use dead_letters::{DeadLetterFilter, DeadLetterGroup};
pub use declared::NotDeclared;
pub use draft::{Draft, Emitted};
pub use feed::Notice;
pub use functions::{Deployment, FunctionView};
pub use metrics::Metrics;
pub use operations::{Redrive, Replay, ReplayCount, ReplayTo};
pub use polls::{PollStatus, Skip, SkipReason};
pub use record::ExecutionView;
pub use registry::Registry;
pub use retention::{KindPattern, Retained, RetentionPolicy, RetentionView, Rule};
pub use schedules::{Backfill, Backfilled, Fired, ScheduleStatus};
pub use settings::{CommitterRuns, Fill, LOG_BYTES_MAX, RetentionRuns, Settings};
pub use start::{Engine, Parts, StartError};
pub use test_run::TestEvent;
pub use tree::{Tree, TreeEvent, TreeExecution};
pub use triggers::{Declared, NewTrigger};
pub use versions::VersionView;
