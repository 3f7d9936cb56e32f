//! The function in a worker of its own, started for one call as a server would start it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use evoke_cli::test_run::{Tell, Told};
use evoke_cli::{Failure, Outcome};
use evoke_client::Class;
use evoke_engine::LOG_BYTES_MAX;
use evoke_model::{FunctionId, FunctionVersion, LogLine, Timestamp};
use evoke_ports::runtime::{DeployError, Deployed, Host};
use evoke_ports::{Functions, LogSink, Runtime};
use evoke_project::DesiredFunction;
use parking_lot::Mutex;

use crate::app::STATE_FOLDER;

/// What the folder of a run begins with; the id of its process follows.
const OWN: &str = "test-";

/// Removes what runs have left that were killed. Where the system does not show which processes
/// there are, it stays.
fn sweep(state: &Path) {
    let processes = Path::new("/proc");
    if !processes.join(std::process::id().to_string()).exists() {
        return;
    }
    for entry in std::fs::read_dir(state).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let process = name.to_str().and_then(|name| name.strip_prefix(OWN)?.parse::<u32>().ok());
        if process.is_some_and(|id| !processes.join(id.to_string()).exists()) {
            std::fs::remove_dir_all(entry.path()).ok();
        }
    }
}

/// A folder for one run below the project, where imports lead to the same packages as in that of a
/// server. Dropping it removes it.
pub(super) struct Scratch {
    state: PathBuf,
    own: PathBuf,
}

impl Scratch {
    pub(super) fn make(root: &Path) -> Outcome<Self> {
        let state = root.join(STATE_FOLDER);
        sweep(&state);
        let own = state.join(format!("{OWN}{}", std::process::id()));
        let made = std::fs::create_dir_all(&own).and_then(|()| state.canonicalize());
        let state = made.map_err(|error| {
            Failure::new(Class::Mistake, format!("make the folder {}: {error}", own.display()))
        })?;
        let own = state.join(own.file_name().unwrap_or_default());
        Ok(Self { state, own })
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed is in nobody's way, and the state of a server is left alone: its
        // folder is removed only if nothing is in it.
        std::fs::remove_dir_all(&self.own).ok();
        std::fs::remove_dir(&self.state).ok();
    }
}

/// Takes the lines of the function: tells them at once and keeps as many as a record would.
pub(super) struct Lines {
    tell: Tell,
    kept: Mutex<(Vec<LogLine>, u64)>,
}

impl Lines {
    pub(super) fn new(tell: Tell) -> Self {
        Self { tell, kept: Mutex::default() }
    }

    pub(super) fn take(&self) -> Vec<LogLine> {
        std::mem::take(&mut self.kept.lock().0)
    }
}

impl LogSink for Lines {
    fn log(&self, line: LogLine) {
        (self.tell)(Told::Log(&line));
        let mut kept = self.kept.lock();
        kept.1 = kept.1.saturating_add(line.message.len() as u64);
        if kept.1 <= LOG_BYTES_MAX.as_u64() {
            kept.0.push(line);
        }
    }
}

/// The one function there is.
pub(super) struct Only(pub(super) Deployed);

impl Functions for Only {
    fn current(&self, _name: &str) -> Result<Deployed, evoke_model::Failure> {
        Ok(self.0.clone())
    }
}

/// What a worker needs to start.
pub(super) struct Start<'a> {
    pub(super) function: DesiredFunction,
    pub(super) scratch: &'a Scratch,
    /// Where the function would reach a server.
    pub(super) url: &'a str,
    pub(super) lines: Arc<Lines>,
    pub(super) now: Timestamp,
}

/// Makes the function ready to be called.
///
/// # Errors
/// FN_005, FN_006: it cannot be loaded, or nothing on this machine runs it.
pub(super) async fn start(runtimes: &[Arc<dyn Runtime>], start: Start<'_>) -> Outcome<Deployed> {
    let Start { function, scratch, url, lines, now } = start;
    let DesiredFunction { spec, code, hash, environment, .. } = function;
    let name = spec.runtime.clone();
    let runtime = runtimes.iter().find(|runtime| runtime.names().contains(&name.as_str()));
    let runtime = runtime
        .ok_or_else(|| Failure::mistake(format!("runtime {name:?} is not in this version")))?;
    let version = Arc::new(FunctionVersion {
        function: FunctionId::from_u64(1),
        number: 1,
        spec,
        environment,
        code,
        hash,
        created_at: now,
    });
    let tell = lines.tell.clone();
    let progress = lines.tell.clone();
    let host = Host {
        url: url.into(),
        scratch: scratch.own.as_path().into(),
        progress: Arc::new(move |line| progress(Told::Note(line))),
        stray_logs: lines,
        cold_start: Arc::new(|_| {}),
    };
    let pool = runtime.open(version.clone(), host).await.map_err(|error| {
        if let Some(stack) = &error.stack {
            tell(Told::Note(stack.trim_end()));
        }
        not_started(error)
    })?;
    Ok(Deployed { version, pool })
}

fn not_started(error: DeployError) -> Failure {
    let mut failure = Failure::mistake(error.message);
    failure.code = Some(error.code.as_str().into());
    failure.problems(error.problems)
}
