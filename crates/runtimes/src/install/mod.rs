//! Installs what a function's code asks for, before it is loaded. Called when a version is made
//! ready. It never touches what is installed until all of the new is there: a failed install leaves
//! the old one as it was.
//!
//! Reading order: [`Tools`], [`javascript`], [`python`], [`staging`], [`tool`].

mod javascript;
mod python;
mod staging;
mod tool;
mod tools;

use std::path::{Path, PathBuf};
use std::time::Duration;

use evoke_model::Code;
use evoke_ports::runtime::DeployError;

pub(crate) use staging::{aside, installed_key};
pub use tools::Tools;

/// An install may take so long. A slow registry gives an answer within it, a dead one does not hold
/// a deployment for ever.
const LIMIT: Duration = Duration::from_secs(5 * 60);

/// Whose packages are meant.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Language {
    /// `package.json`, installed into `node_modules`.
    JavaScript,
    /// `requirements.txt`, installed into `.evoke/python`.
    Python {
        /// The interpreter that will import the packages.
        interpreter: PathBuf,
    },
}

impl Language {
    /// Where its packages are in a folder of code.
    pub fn place(&self) -> &'static str {
        match self {
            Self::JavaScript => "node_modules",
            Self::Python { .. } => ".evoke/python",
        }
    }
}

/// Told what takes time, line by line.
pub type Progress<'a> = &'a (dyn Fn(&str) + Send + Sync);

/// Installs the dependencies of the code in a folder where they are missing or have changed, with
/// the tools this process would find. Installs of one folder wait for each other.
///
/// # Errors
/// FN_005 with the last lines of the tool's own words.
pub async fn install(
    code: &Path,
    language: Language,
    progress: Progress<'_>,
) -> Result<(), DeployError> {
    install_with(&Tools::from_environment(), code, language, progress).await
}

/// Does what [`install`] does with given tools.
///
/// # Errors
/// FN_005 with the last lines of the tool's own words.
pub async fn install_with(
    tools: &Tools,
    code: &Path,
    language: Language,
    progress: Progress<'_>,
) -> Result<(), DeployError> {
    let job = Job { tools, code, progress, limit: LIMIT };
    match language {
        Language::JavaScript => javascript::install(&job).await,
        Language::Python { interpreter } => python::install(&job, &interpreter).await,
    }
}

/// What both languages are given.
struct Job<'a> {
    tools: &'a Tools,
    code: &'a Path,
    progress: Progress<'a>,
    limit: Duration,
}

/// FN_005.
fn failed(message: impl Into<String>) -> DeployError {
    DeployError {
        code: Code::DeploymentFailed,
        message: message.into(),
        stack: None,
        problems: Vec::new(),
    }
}

/// FN_005 for a file or folder that could not be read or written.
fn unusable(what: &str, path: &Path, error: &std::io::Error) -> DeployError {
    failed(format!("cannot {what} {}: {error}", path.display()))
}

#[cfg(test)]
mod tests;
