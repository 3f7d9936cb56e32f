//! How a Python worker is started.

use std::ffi::OsString;
use std::path::Path;

use crate::interpreter::Interpreter;
use crate::process::launch::CommandLine;

/// The command line of a worker.
pub fn command_line(interpreter: &Interpreter, shim: &Path) -> CommandLine {
    // Compiled modules are kept beside the shim: a change of the function's own folder would look
    // like a change of its code.
    let mut cache = OsString::from("pycache_prefix=");
    cache.push(shim.with_file_name("pycache"));
    // -u: what is printed past the shim is seen when it is printed, not when the worker ends.
    let arguments = vec!["-u".into(), "-X".into(), cache, shim.into()];
    CommandLine { program: interpreter.path.clone(), arguments }
}

/// Whether Python reads a variable when it starts.
pub fn reads_at_start(variable: &str) -> bool {
    let prefixes = ["PYTHON", "LD_", "MALLOC_"];
    prefixes.iter().any(|prefix| variable.starts_with(prefix))
        || ["TZ", "LANG", "LC_ALL"].contains(&variable)
}
