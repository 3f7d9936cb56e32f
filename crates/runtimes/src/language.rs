//! What a language has to say of itself so that its functions can be run by worker processes. Each
//! folder `node`, `bun`, `python` says it in the same files.

use std::borrow::Cow;
use std::io;
use std::path::{Path, PathBuf};

use evoke_ports::Descriptor;
use evoke_ports::runtime::DeployError;

use crate::install;
use crate::interpreter::{Interpreter, Version};
use crate::options::Options;
use crate::process::launch::CommandLine;

/// A language.
pub trait Language: Send + Sync + 'static {
    /// What the kind says of itself.
    fn descriptor(&self) -> &Descriptor;

    /// The names a manifest may use, aliases last.
    fn names(&self) -> &'static [&'static str];

    /// The handler where the manifest names none.
    fn handler_default(&self) -> &'static str;

    /// Where interpreters may be, the most wanted first.
    fn candidates(&self, options: &Options) -> Vec<PathBuf>;

    /// Whether a version is meant by a name.
    fn fits(&self, name: &str, version: Version) -> bool;

    /// What to do when no interpreter fits a name.
    fn hint(&self, name: &str) -> String;

    /// The program that makes an interpreter a worker: file name and text.
    fn shim(&self) -> (&'static str, &'static str);

    /// Files that workers find beside the shim's folder: paths from the folder that is above it,
    /// and texts.
    ///
    /// # Errors
    /// They cannot be made.
    fn library(&self) -> io::Result<Vec<(String, Cow<'static, str>)>> {
        Ok(Vec::new())
    }

    /// How a worker is started.
    fn command_line(&self, interpreter: &Interpreter, shim: &Path) -> CommandLine;

    /// Whose packages a function's code may ask for.
    fn packages(&self, interpreter: &Interpreter) -> install::Language;

    /// Whether starting the interpreter takes so long that workers are started ahead.
    fn starts_ahead(&self) -> bool {
        false
    }

    /// Whether the interpreter itself reads a variable when it starts, so that a worker that was
    /// started ahead would miss it.
    fn reads_at_start(&self, variable: &str) -> bool {
        variable.starts_with("LD_") || variable == "TZ" || variable == "LANG"
    }

    /// Makes what the interpreter can read of what it cannot.
    fn compiler(&self) -> Option<&dyn Compiler> {
        None
    }
}

/// Makes files that an interpreter can read of those it cannot.
pub trait Compiler: Send + Sync {
    /// Whether the interpreter needs something else in the place of this file.
    fn takes(&self, file: &Path) -> bool;

    /// What stands in the place of `file`, as paths relative to the folder of the code, as `file`
    /// is. `path` is where it lies, `text` what is in it.
    ///
    /// # Errors
    /// FN_005 with file and line where it cannot be read.
    fn compile(
        &self,
        file: &Path,
        path: &Path,
        text: &str,
    ) -> Result<Vec<(PathBuf, String)>, DeployError>;

    /// Adds what is needed beside, where a file was compiled: `code` is the folder of the code,
    /// `target` its copy.
    ///
    /// # Errors
    /// It cannot be written.
    fn complete(&self, code: &Path, target: &Path) -> io::Result<()>;
}
