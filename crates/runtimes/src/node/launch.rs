//! How a Node worker is started.

use std::path::Path;

use crate::interpreter::Interpreter;
use crate::process::launch::CommandLine;

/// The command line of a worker.
pub fn command_line(interpreter: &Interpreter, shim: &Path) -> CommandLine {
    // Source maps lead stacks back to the lines of TypeScript files.
    let arguments = vec!["--enable-source-maps".into(), shim.into()];
    CommandLine { program: interpreter.path.clone(), arguments }
}

/// Whether Node reads a variable when it starts.
pub fn reads_at_start(variable: &str) -> bool {
    let prefixes = ["NODE_", "UV_", "LD_", "SSL_", "OPENSSL_"];
    // Read by libraries and frameworks when they are loaded, which is after LOAD.
    let later = ["NODE_ENV"];
    !later.contains(&variable)
        && (prefixes.iter().any(|prefix| variable.starts_with(prefix))
            || ["TZ", "LANG", "LC_ALL"].contains(&variable))
}
