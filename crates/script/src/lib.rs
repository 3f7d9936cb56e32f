//! Scripts: TypeScript made into JavaScript, and configuration written as a script evaluated to a
//! value. Called by the runtimes (before a function is run by Node) and by the project (for
//! `function.config.ts`). It runs no function code and opens no connection.
//!
//! Reading order: [`error`], [`mod@strip`], [`config`].

pub mod config;
pub mod error;
mod modules;
mod stack;
pub mod strip;

pub use config::evaluate_config;
pub use error::{ScriptError, SyntaxProblem};
pub use strip::{Stripped, javascript_path, strip};
