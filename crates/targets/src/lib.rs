//! Where executions go. One folder a kind: `mod.rs` describes it, `config.rs` reads what a trigger
//! says, `target.rs` does it.

mod answer;
mod function;
mod http;
#[cfg(test)]
mod testing;

use std::sync::Arc;

use evoke_ports::{Clock, Functions, Target};

/// What the server says to all targets.
#[derive(Clone)]
pub struct TargetOptions {
    /// Deadlines are counted with it.
    pub clock: Arc<dyn Clock>,
    /// HTTP targets may reach loopback, private and link-local addresses. Only for development: an
    /// event's sender could otherwise make the server call what only the server can reach.
    pub allow_private: bool,
}

/// All kinds of this crate.
pub fn builtin(options: &TargetOptions, functions: Arc<dyn Functions>) -> Vec<Arc<dyn Target>> {
    vec![
        Arc::new(function::FunctionTarget::new(options.clock.clone(), functions)),
        Arc::new(http::HttpTarget::new(options.clone())),
    ]
}
