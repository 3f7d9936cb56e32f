//! Why a worker could not be started, for the two who ask: whoever deploys, and whoever calls.

use evoke_model::{Code, Failure, Millis};
use evoke_ports::runtime::DeployError;

use super::control::Cause;

/// Why a worker could not be started.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum StartError {
    /// The function's code could not be loaded.
    Refused {
        /// What went wrong.
        message: String,
        /// Where.
        stack: Option<String>,
    },
    /// The process ended before the handler was there.
    Exited(String),
    /// It took too much memory before the handler was there.
    Memory(Cause),
    /// It said something that is not the protocol.
    Protocol(String),
    /// It took too long.
    TimedOut {
        /// What it may take.
        limit: Millis,
        /// What it printed on its standard error.
        words: String,
    },
    /// The machine did not let us.
    Machine(String),
}

impl StartError {
    /// What a deployment fails of.
    pub fn into_deploy_error(self) -> DeployError {
        let (message, stack) = self.into_parts();
        DeployError { code: Code::DeploymentFailed, message, stack, problems: Vec::new() }
    }

    /// What calls fail of that waited for the worker.
    pub fn into_failure(self) -> Failure {
        let code = match &self {
            Self::TimedOut { .. } => Code::ColdStartTimeout,
            Self::Memory(_) => Code::FunctionMemory,
            _ => Code::FunctionError,
        };
        let (message, stack) = self.into_parts();
        Failure { stack, ..Failure::new(code, message) }
    }

    fn into_parts(self) -> (String, Option<String>) {
        match self {
            Self::Refused { message, stack } => {
                (format!("the function could not be loaded: {message}"), stack)
            }
            Self::Exited(how) => (format!("before the function was loaded, {how}"), None),
            Self::Memory(cause) => {
                (format!("while the function was loaded, {}", cause.failure().message), None)
            }
            Self::Protocol(what) => (format!("the worker broke the protocol: {what}"), None),
            Self::TimedOut { limit, words } => {
                let message = format!("the function was not loaded within {limit}");
                let words = words.trim();
                let message =
                    if words.is_empty() { message } else { format!("{message}: {words}") };
                (message, None)
            }
            Self::Machine(what) => (format!("a worker could not be started: {what}"), None),
        }
    }
}
