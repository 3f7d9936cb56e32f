//! Workers that were started before anyone knows what they will run. Starting an interpreter takes
//! most of a cold start; a blank worker has that behind it.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::launch::{CommandLine, Launcher, Process};

/// An interpreter that has not said HELLO by then will not be a quick start.
const START_LIMIT: Duration = Duration::from_secs(10);

/// The blank workers of one language.
#[derive(Debug)]
pub struct Blanks {
    launcher: Arc<Launcher>,
    /// How many are kept for each command line.
    count: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    ready: HashMap<CommandLine, Vec<Process>>,
    /// Those being started, by command line.
    coming: HashMap<CommandLine, usize>,
    closed: bool,
}

impl Blanks {
    /// Keeps `count` for each command line that is used; 0 keeps none.
    pub fn new(launcher: Arc<Launcher>, count: usize) -> Self {
        Self { launcher, count, state: Mutex::default() }
    }

    /// One that is ready, if there is.
    pub fn take(&self, command_line: &CommandLine) -> Option<Process> {
        let mut state = self.state.lock();
        let ready = state.ready.get_mut(command_line)?;
        while let Some(process) = ready.pop() {
            if process.is_fresh() {
                return Some(process);
            }
        }
        None
    }

    /// Starts as many as are missing, in the background.
    pub fn refill(self: &Arc<Self>, command_line: &CommandLine, sockets: &Arc<PathBuf>) {
        let mut state = self.state.lock();
        if state.closed {
            return;
        }
        let ready = state.ready.get(command_line).map_or(0, Vec::len);
        let coming = state.coming.entry(command_line.clone()).or_default();
        let missing = self.count.saturating_sub(ready + *coming);
        *coming += missing;
        drop(state);
        for _ in 0..missing {
            let (blanks, command_line) = (Arc::clone(self), command_line.clone());
            let sockets = Arc::clone(sockets);
            tokio::spawn(async move { blanks.add(command_line, &sockets).await });
        }
    }

    /// Ends all of them and keeps none from now on.
    pub fn close(&self) {
        let mut state = self.state.lock();
        state.closed = true;
        state.ready.clear();
    }

    async fn add(&self, command_line: CommandLine, sockets: &Path) {
        let environment = BTreeMap::new();
        let starting = self.launcher.start(&command_line, &environment, sockets);
        let started = tokio::time::timeout(START_LIMIT, starting).await;
        let mut state = self.state.lock();
        if let Some(coming) = state.coming.get_mut(&command_line) {
            *coming = coming.saturating_sub(1);
        }
        match started {
            Ok(Ok(process)) if !state.closed => {
                state.ready.entry(command_line).or_default().push(process);
            }
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::warn!(?error, "No worker could be started ahead"),
            Err(_) => tracing::warn!("A worker to be started ahead did not come up in time"),
        }
    }
}
