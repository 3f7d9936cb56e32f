//! The engine: everything between the doors and the targets. It knows the contracts and never a
//! database, a web server, a broker or a language.
//!
//! The way of an event: [`ingest`] plans it, the [`committer`] writes it durably together with what
//! else waits, the [`dispatch`]er admits its executions, [`execute`] carries them out and hands
//! what happened back to the committer. [`call`] is the short way for callers who wait for the
//! answer.

pub mod call;
mod catalog;
mod committer;
mod declared;
mod dispatch;
mod draft;
mod execute;
pub mod feed;
pub mod functions;
mod gates;
mod ingest;
pub mod keys;
mod logs;
pub mod metrics;
pub mod record;
mod registry;
mod settings;
mod start;
mod test_run;
mod token;
mod traces;
pub mod triggers;

pub use call::{HttpCallMeta, Invocation, Invoked};
pub use declared::NotDeclared;
pub use draft::{Draft, Emitted};
pub use feed::Notice;
pub use functions::{Deployment, FunctionView};
pub use metrics::Metrics;
pub use record::ExecutionView;
pub use registry::Registry;
pub use settings::Settings;
pub use start::{Engine, Parts, StartError};
pub use test_run::TestEvent;
pub use triggers::NewTrigger;
