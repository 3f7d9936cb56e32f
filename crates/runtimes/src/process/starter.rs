//! Starts workers of one function version: takes a blank one where there is, else a new process,
//! and has it load the function.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use evoke_model::{FunctionVersion, Millis};
use evoke_ports::LogSink;

use super::blank::Blanks;
use super::frames::line;
use super::launch::{CommandLine, Launcher, Process};
use super::start_error::StartError;
use crate::clock::now;
use crate::protocol::messages::Load;
use crate::versions::shown::Shown;

/// What it takes to start a worker of a version.
#[derive(Clone)]
pub struct Recipe {
    /// The version.
    pub version: Arc<FunctionVersion>,
    /// Folder of the code as the worker shall see it.
    pub code: PathBuf,
    /// How its paths are shown.
    pub shown: Shown,
    /// `file.export`.
    pub handler: String,
    /// How its process is started.
    pub command_line: CommandLine,
    /// Whether a worker may be used that was started without the function's variables.
    pub start: Start,
    /// Base URL of this server.
    pub url: Arc<str>,
    /// Folder of the sockets.
    pub sockets: Arc<PathBuf>,
    /// Takes what is printed outside of calls.
    pub stray: Arc<dyn LogSink>,
    /// LOAD to LOADED may take so long.
    pub limit: Millis,
    /// Told how long each start took.
    pub cold_start: Arc<dyn Fn(std::time::Duration) + Send + Sync>,
}

/// What kind of process will do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Start {
    /// A blank one, if there is.
    Blank,
    /// One of its own: the interpreter itself reads some of the function's variables.
    Fresh,
}

/// Starts workers of one version.
pub struct Starter {
    recipe: Recipe,
    load: Vec<u8>,
    environment: BTreeMap<String, String>,
    launcher: Arc<Launcher>,
    blanks: Arc<Blanks>,
}

impl Starter {
    /// For a recipe.
    ///
    /// # Errors
    /// The recipe cannot be written as JSON: a path that is not UTF-8.
    pub fn new(
        recipe: Recipe,
        launcher: Arc<Launcher>,
        blanks: Arc<Blanks>,
    ) -> Result<Self, StartError> {
        let spec = &recipe.version.spec;
        let code = recipe.code.to_str().ok_or_else(|| {
            StartError::Machine(format!("the path {} is not UTF-8", recipe.code.display()))
        })?;
        let directory = recipe.version.code.to_str().unwrap_or(code);
        let load = Load {
            function: &spec.name,
            version: recipe.version.number,
            code,
            directory,
            handler: &recipe.handler,
            environment: &recipe.version.environment,
            url: &recipe.url,
            timeout_ms: spec.timeout.as_u64(),
            memory_bytes: spec.memory.as_u64(),
        };
        let load = serde_json::to_vec(&load)
            .map_err(|error| StartError::Machine(format!("write LOAD: {error}")))?;
        let mut environment = recipe.version.environment.clone();
        environment.insert("EVOKE_URL".to_owned(), recipe.url.to_string());
        environment.insert("EVOKE_FUNCTION".to_owned(), spec.name.clone());
        Ok(Self { recipe, load, environment, launcher, blanks })
    }

    /// What is started.
    pub fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    /// What the workers are confined by.
    pub fn isolation(&self) -> Vec<String> {
        self.launcher.isolation()
    }

    /// Starts a worker and has it load the function.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn start(&self) -> Result<Process, StartError> {
        let limit = self.recipe.limit;
        let deadline = tokio::time::Instant::now() + limit.duration();
        let late = |words| StartError::TimedOut { limit, words };
        let mut process = match self.blank() {
            Some(mut blank) => match self.load(&mut blank, deadline).await {
                // Whatever befell the blank one before it knew the function is not the function's.
                Err(StartError::Exited(_) | StartError::Machine(_)) => None,
                Err(error) => return Err(error),
                Ok(()) => Some(blank),
            },
            None => None,
        };
        if process.is_none() {
            let Recipe { command_line, sockets, .. } = &self.recipe;
            let starting = self.launcher.start(command_line, &self.environment, sockets);
            let started = tokio::time::timeout_at(deadline, starting).await;
            let mut fresh = started.map_err(|_| late(String::new()))??;
            self.load(&mut fresh, deadline).await?;
            process = Some(fresh);
        }
        // Only now: while a worker loads, another interpreter's start would take its processor.
        if self.recipe.start == Start::Blank {
            self.blanks.refill(&self.recipe.command_line, &self.recipe.sockets);
        }
        process.ok_or_else(|| late(String::new()))
    }

    fn blank(&self) -> Option<Process> {
        match self.recipe.start {
            Start::Blank => self.blanks.take(&self.recipe.command_line),
            Start::Fresh => None,
        }
    }

    async fn load(
        &self,
        process: &mut Process,
        deadline: tokio::time::Instant,
    ) -> Result<(), StartError> {
        let Recipe { stray, shown, .. } = &self.recipe;
        let memory = self.recipe.version.spec.memory;
        process.output.show(shown.clone());
        let printed = |payload: &[u8]| {
            stray.log(line(shown.bytes(payload).as_deref().unwrap_or(payload), now()));
        };
        let loading = process.load(&self.load, memory, printed);
        match tokio::time::timeout_at(deadline, loading).await {
            Ok(Err(StartError::Refused { message, stack })) => Err(StartError::Refused {
                message: shown.text(message),
                stack: stack.map(|stack| shown.text(stack)),
            }),
            Ok(outcome) => outcome,
            Err(_) => {
                let words = process.output.tail();
                Err(StartError::TimedOut { limit: self.recipe.limit, words })
            }
        }
    }
}
