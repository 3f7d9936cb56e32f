//! How a Bun worker is started.

use std::path::Path;

use crate::interpreter::Interpreter;
use crate::process::launch::CommandLine;

/// The command line of a worker.
pub fn command_line(interpreter: &Interpreter, shim: &Path) -> CommandLine {
    // A missing package is a mistake to be told of, not something to be fetched in the middle of a
    // call.
    let arguments = vec!["--no-install".into(), shim.into()];
    CommandLine { program: interpreter.path.clone(), arguments }
}
