//! What the runtimes are told once, by whoever wires the server.

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;
use std::path::PathBuf;

use evoke_model::Millis;

use crate::process::memory::MemoryControl;

/// The variables of the server that workers get, beside their function's own. Everything else may
/// be a secret of the server.
const INHERITED: [&str; 5] = ["PATH", "HOME", "LANG", "TZ", "TMPDIR"];

/// A function that was cancelled has so long to stop. Enough to close what is open and to undo what
/// is half done; whoever cancels waits for no answer.
pub const CANCEL_GRACE: Millis = Millis::from_secs(5);

/// Options of all runtimes.
#[derive(Clone, Debug)]
pub struct Options {
    /// Interpreters by the name of their runtime (`nodejs22`); they are taken before any that is
    /// found.
    pub interpreters: BTreeMap<String, PathBuf>,
    /// Folders that hold tools as npm installs them (`node_modules/node22/bin/node`,
    /// `node_modules/.bin/bun`), or executables themselves.
    pub tools: Vec<PathBuf>,
    /// Folders of executables, in the order of `PATH`.
    pub path: Vec<PathBuf>,
    /// The home folder: version managers keep interpreters there.
    pub home: Option<PathBuf>,
    /// Variables every worker gets.
    pub environment: Vec<(String, OsString)>,
    /// Folder for sockets where the scratch folder's path is too long for one.
    pub temporary: PathBuf,
    /// A worker without calls for so long is ended; default 5 minutes.
    pub idle: Millis,
    /// A worker has to have loaded its function within this; default 10 seconds.
    pub cold_start: Millis,
    /// Calls that may wait beyond what all workers of a pool could take; default 1,000.
    pub queue: usize,
    /// Workers started ahead for each interpreter where that pays; default 1.
    pub blanks: usize,
    /// Time between the deadline of a call and the end of its worker; default 100 milliseconds.
    pub grace: Millis,
    /// Time between the cancellation of a call and the end of its worker, if the function does not
    /// stop; default [`CANCEL_GRACE`].
    pub cancel_grace: Millis,
    /// How memory limits are kept.
    pub memory: MemoryControl,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            interpreters: BTreeMap::new(),
            tools: Vec::new(),
            path: Vec::new(),
            home: None,
            environment: Vec::new(),
            temporary: PathBuf::from("/tmp"),
            idle: Millis::from_secs(300),
            cold_start: Millis::from_secs(10),
            queue: 1_000,
            blanks: 1,
            grace: Millis::new(100),
            cancel_grace: CANCEL_GRACE,
            memory: MemoryControl::Auto,
        }
    }
}

impl Options {
    /// The defaults, with search paths and inherited variables of this process.
    pub fn from_environment() -> Self {
        let inherited = |name: &str| env::var_os(name).map(|value| (name.to_owned(), value));
        let path = env::var_os("PATH").unwrap_or_default();
        Self {
            path: env::split_paths(&path).collect(),
            home: env::home_dir(),
            environment: INHERITED.iter().filter_map(|name| inherited(name)).collect(),
            temporary: env::temp_dir(),
            ..Self::default()
        }
    }
}
