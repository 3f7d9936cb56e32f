//! The tools that install packages, and what they are told of this machine.

use std::env;
use std::ffi::{OsStr, OsString};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::options::Options;

/// Variables that tools get. Everything else may be a secret of the server, and installing runs
/// scripts of strangers.
const PASSED: [&str; 16] = [
    "HOME",
    "USER",
    "LANG",
    "LC_ALL",
    "TZ",
    "TMPDIR",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "ALL_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "all_proxy",
    "NODE_EXTRA_CA_CERTS",
    "NODE_ENV",
];
/// Variables with these beginnings are the tools' own settings: registries, caches, certificates.
const PASSED_PREFIXES: [&str; 8] =
    ["npm_config_", "NPM_CONFIG_", "BUN_", "PIP_", "UV_", "XDG_", "SSL_CERT_", "REQUESTS_CA_"];

/// Where tools are looked for and which variables they get.
#[derive(Clone, Debug, Default)]
pub struct Tools {
    /// Folders of executables, in the order they are searched.
    pub folders: Vec<PathBuf>,
    /// Variables beside `PATH`.
    pub environment: Vec<(OsString, OsString)>,
}

impl Tools {
    /// Those on the `PATH` of this process.
    pub fn from_environment() -> Self {
        Self::new(&Options::from_environment())
    }

    /// Those in the folders the runtimes are told of, with what this process knows of registries.
    pub fn new(options: &Options) -> Self {
        let beside = options.tools.iter().flat_map(|tools| [tools.join(".bin"), tools.join("bin")]);
        Self {
            folders: beside.chain(options.path.iter().cloned()).collect(),
            environment: env::vars_os().filter(|(name, _)| is_passed(name)).collect(),
        }
    }

    /// The executable of this name.
    pub(super) fn find(&self, name: &str) -> Option<PathBuf> {
        self.folders.iter().map(|folder| folder.join(name)).find(|path| is_executable(path))
    }

    /// `PATH` for the tools, which start others.
    pub(super) fn path(&self) -> OsString {
        env::join_paths(&self.folders).unwrap_or_default()
    }
}

fn is_passed(name: &OsStr) -> bool {
    name.to_str().is_some_and(|name| {
        PASSED.contains(&name) || PASSED_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
    })
}

fn is_executable(path: &Path) -> bool {
    path.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}
