//! A language run by worker processes, as the rest of the house sees it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use evoke_model::{Code, FunctionVersion, Problem};
use evoke_ports::runtime::{DeployError, Host};
use evoke_ports::{Descriptor, Found, Pool, Runtime};

use crate::install;
use crate::interpreter::{Inquiry, Interpreter, newest};
use crate::language::Language;
use crate::options::Options;
use crate::process::blank::Blanks;
use crate::process::launch::{Launcher, SOCKET_PATH_BYTES_MAX};
use crate::process::pool::ProcessPool;
use crate::process::start_error::StartError;
use crate::process::starter::{Recipe, Start, Starter};
use crate::process::state::Limits;
use crate::versions::{self, shown::Shown};

/// A socket's own name below its folder: process id, number, ending.
const SOCKET_NAME_BYTES: usize = 40;

/// Where the code of a version comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Origin {
    /// The function's folder as it is now.
    Folder,
    /// What was kept when the version was made.
    Kept,
}

/// A language and what it shares with the others.
pub struct ProcessRuntime<L> {
    language: Arc<L>,
    options: Arc<Options>,
    launcher: Arc<Launcher>,
    blanks: Arc<Blanks>,
    inquiry: Inquiry,
    tools: install::Tools,
}

impl<L: Language> ProcessRuntime<L> {
    /// A runtime for a language.
    pub fn new(language: L, options: Arc<Options>, launcher: Arc<Launcher>) -> Self {
        let count = if language.starts_ahead() { options.blanks } else { 0 };
        let blanks = Arc::new(Blanks::new(Arc::clone(&launcher), count));
        let language = Arc::new(language);
        let tools = install::Tools::new(&options);
        Self { language, options, launcher, blanks, inquiry: Inquiry::default(), tools }
    }

    async fn found(&self) -> Vec<Interpreter> {
        self.inquiry.ask(&self.language.candidates(&self.options)).await
    }

    /// The interpreter for a name: the one the options give, else the newest that fits.
    async fn interpreter(&self, name: &str) -> Result<Interpreter, DeployError> {
        if let Some(path) = self.options.interpreters.get(name) {
            let asked = self.inquiry.ask(std::slice::from_ref(path)).await;
            return asked.into_iter().next().ok_or_else(|| {
                let message = format!("{} is set for {name}, but does not run", path.display());
                misconfigured(message, "correct the path of the interpreter")
            });
        }
        let found = self.found().await;
        let fitting = found.iter().filter(|it| self.language.fits(name, it.version));
        newest(fitting).cloned().ok_or_else(|| {
            let versions: Vec<String> = found.iter().map(|it| it.version.to_string()).collect();
            let title = self.language.descriptor().title;
            let message = if versions.is_empty() {
                format!("{name} is not installed: no {title} was found")
            } else {
                format!("{name} is not installed: of {title} there is {}", versions.join(", "))
            };
            misconfigured(message, self.language.hint(name))
        })
    }

    /// Installs what the code asks for and keeps a copy of it, or finds the one that was kept;
    /// where it can be loaded from.
    async fn prepare(
        &self,
        version: &FunctionVersion,
        packages: install::Language,
        (scratch, host, from): (&Path, &Host, Origin),
    ) -> Result<PathBuf, DeployError> {
        let (language, scratch) = (Arc::clone(&self.language), scratch.to_path_buf());
        let (version, place) = (version.clone(), packages.place());
        if from == Origin::Folder {
            install::install_with(&self.tools, &version.code, packages, &*host.progress).await?;
        }
        let preparing = tokio::task::spawn_blocking(move || {
            let source = versions::Source {
                version: &version,
                scratch: &scratch,
                packages: place,
                compiler: language.compiler(),
            };
            match from {
                Origin::Folder => versions::keep(&source),
                Origin::Kept => versions::kept(&source),
            }
        });
        preparing.await.unwrap_or_else(|error| Err(broken("use", &io::Error::other(error))))
    }

    async fn pool(
        &self,
        version: Arc<FunctionVersion>,
        host: Host,
        from: Origin,
    ) -> Result<Arc<dyn Pool>, DeployError> {
        let interpreter = self.interpreter(&version.spec.runtime).await?;
        let scratch = std::path::absolute(&host.scratch).map_err(|e| broken("find", &e))?;
        let (shim, sockets) = self.furnish(&scratch).map_err(|e| broken("write to", &e))?;
        let packages = self.language.packages(&interpreter);
        let folder = std::path::absolute(&version.code).map_err(|e| broken("find", &e))?;
        let version =
            Arc::new(FunctionVersion { code: folder, ..FunctionVersion::clone(&version) });
        let code = self.prepare(&version, packages, (&scratch, &host, from)).await?;
        let handler = version.spec.handler.clone();
        let recipe = Recipe {
            shown: Shown::new(&code.to_string_lossy(), &version.code.to_string_lossy()),
            code,
            handler: handler.unwrap_or_else(|| self.language.handler_default().to_owned()),
            command_line: self.language.command_line(&interpreter, &shim),
            start: self.start(&version),
            url: host.url,
            sockets: Arc::new(sockets),
            stray: host.stray_logs,
            limit: self.options.cold_start,
            cold_start: host.cold_start,
            version,
        };
        let limits = self.limits(&recipe.version);
        let (launcher, blanks) = (Arc::clone(&self.launcher), Arc::clone(&self.blanks));
        let starter = Starter::new(recipe, launcher, blanks);
        let starter = starter.map_err(StartError::into_deploy_error)?;
        let pool = ProcessPool::open(limits, starter).await;
        let pool = pool.map_err(StartError::into_deploy_error)?;
        Ok(Arc::new(pool))
    }

    /// Writes the shim and what goes with it, and makes the folder for sockets.
    fn furnish(&self, scratch: &Path) -> io::Result<(PathBuf, PathBuf)> {
        let (name, text) = self.language.shim();
        let shim = scratch.join("shims").join(name);
        place(&shim, text)?;
        for (path, text) in self.language.library()? {
            place(&scratch.join(path), &text)?;
        }
        Ok((shim, self.sockets(scratch)?))
    }

    fn sockets(&self, scratch: &Path) -> io::Result<PathBuf> {
        use std::os::unix::fs::DirBuilderExt;
        let mut folder = scratch.join("sockets");
        if folder.as_os_str().len() + SOCKET_NAME_BYTES > SOCKET_PATH_BYTES_MAX {
            folder = self.options.temporary.join(format!("evoke-{}", std::process::id()));
        }
        // Only this user may connect.
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
        Ok(folder)
    }

    fn start(&self, version: &FunctionVersion) -> Start {
        let reads = |name: &String| self.language.reads_at_start(name);
        if version.environment.keys().any(reads) { Start::Fresh } else { Start::Blank }
    }

    fn limits(&self, version: &FunctionVersion) -> Limits {
        let scaling = &version.spec.scaling;
        let max = (scaling.max_instances as usize).max(1);
        Limits {
            concurrency: (scaling.target_concurrency as usize).max(1),
            min: (scaling.min_instances as usize).min(max),
            max,
            queue: self.options.queue,
            idle: self.options.idle,
            grace: self.options.grace,
            cancel_grace: self.options.cancel_grace,
        }
    }
}

#[async_trait]
impl<L: Language> Runtime for ProcessRuntime<L> {
    fn descriptor(&self) -> &Descriptor {
        self.language.descriptor()
    }

    fn names(&self) -> &[&'static str] {
        self.language.names()
    }

    fn handler_default(&self) -> &'static str {
        self.language.handler_default()
    }

    async fn probe(&self) -> Vec<Found> {
        let mut all = Vec::new();
        for name in self.language.names() {
            let interpreter = self.interpreter(name).await.ok();
            let hint = interpreter.is_none().then(|| self.language.hint(name));
            all.push(Found {
                name: (*name).to_owned(),
                path: interpreter.as_ref().map(|it| it.path.display().to_string()),
                version: interpreter.as_ref().map(|it| it.version.to_string()),
                hint,
            });
        }
        all
    }

    async fn open(
        &self,
        version: Arc<FunctionVersion>,
        host: Host,
    ) -> Result<Arc<dyn Pool>, DeployError> {
        self.pool(version, host, Origin::Folder).await
    }

    async fn reopen(
        &self,
        version: Arc<FunctionVersion>,
        host: Host,
    ) -> Result<Arc<dyn Pool>, DeployError> {
        self.pool(version, host, Origin::Kept).await
    }

    async fn retain(&self, function: &str, hashes: &[String], scratch: &Path) -> io::Result<()> {
        let (function, hashes) = (function.to_owned(), hashes.to_vec());
        let scratch = std::path::absolute(scratch)?;
        let removing =
            tokio::task::spawn_blocking(move || versions::retain(&scratch, &function, &hashes));
        removing.await.unwrap_or_else(|error| Err(io::Error::other(error)))
    }

    async fn close(&self) {
        self.blanks.close();
    }
}

/// Writes a file, unless it is so already.
fn place(path: &Path, text: &str) -> io::Result<()> {
    if std::fs::read(path).ok().as_deref() == Some(text.as_bytes()) {
        return Ok(());
    }
    let folder = path.parent().unwrap_or(path);
    std::fs::create_dir_all(folder)?;
    // A worker of another server may be reading it, so it changes in one step; two threads that
    // come at the same time each have a draft of their own.
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let (process, thread) = (std::process::id(), std::thread::current().id());
    let draft = folder.join(format!(".{name}.{process}.{thread:?}"));
    std::fs::write(&draft, text)?;
    std::fs::rename(&draft, path)
}

fn misconfigured(message: String, suggestion: impl Into<String>) -> DeployError {
    let problem = Problem::new("runtime", message.clone()).suggest(suggestion);
    let message = problem.suggestion.iter().fold(message, |all, hint| format!("{all}; {hint}"));
    DeployError { code: Code::InvalidConfiguration, message, stack: None, problems: vec![problem] }
}

fn broken(verb: &str, error: &io::Error) -> DeployError {
    DeployError {
        code: Code::DeploymentFailed,
        message: format!("cannot {verb} the server's scratch folder: {error}"),
        stack: None,
        problems: Vec::new(),
    }
}
