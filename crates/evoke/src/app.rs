//! The house put together: configuration in, a running engine out. All wiring is here and no
//! decision.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};
use evoke_auth::Identities;
use evoke_engine::{Engine, Parts, Registry};
use evoke_ports::{Identify, Nobody, Runtime, Source, Store, SystemClock, Tracer};
use evoke_project::ProjectConfig;
use evoke_runtimes::Options as RuntimeOptions;
use evoke_stores::memory::MemoryStore;
use evoke_stores::sqlite::{SqliteOptions, SqliteStore, Synchronous};
use evoke_targets::TargetOptions;

/// Where a project keeps what is made while it runs.
pub const STATE_FOLDER: &str = ".evoke";

/// Variable with further folders of interpreters, in the form of `PATH`.
const TOOLS: &str = "EVOKE_TOOLS";

/// How strict the outside is taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// On a laptop: private addresses may be reached, stacks are shown.
    Dev,
    /// In production.
    Serve,
}

/// A running engine with what the commands around it need.
pub struct App {
    /// The engine.
    pub engine: Engine,
    /// The store, also part of the engine.
    pub store: Arc<dyn Store>,
    /// The runtimes, also part of the engine.
    pub runtimes: Vec<Arc<dyn Runtime>>,
    /// The sources by kind.
    pub sources: BTreeMap<String, Arc<dyn Source>>,
    /// Whom sources ask who calls; it knows the users once their service has started.
    pub identities: Arc<Identities>,
    /// Where functions reach the server.
    pub url: String,
}

/// Makes an absolute path of one that is relative to the project.
pub fn within(root: &Path, path: &str) -> PathBuf {
    let path = root.join(path);
    // Workers start in folders of their own, where a relative path would lead nowhere.
    std::path::absolute(&path).unwrap_or(path)
}

/// Opens the store an address names: `sqlite:PATH` or `memory:`.
///
/// # Errors
/// The address is of no known kind, or the store cannot be opened.
pub fn open_store(root: &Path, config: &ProjectConfig) -> anyhow::Result<Arc<dyn Store>> {
    let url = &config.store.url;
    if url == "memory:" {
        return Ok(Arc::new(MemoryStore::new()));
    }
    let Some(path) = url.strip_prefix("sqlite:") else {
        bail!("[store] url is {url:?}; expected sqlite:PATH or memory:");
    };
    let options = SqliteOptions {
        synchronous: match config.store.synchronous {
            evoke_project::config::Synchronous::Full => Synchronous::Full,
            evoke_project::config::Synchronous::Normal => Synchronous::Normal,
        },
        ..SqliteOptions::at(within(root, path.trim_start_matches("//")))
    };
    Ok(Arc::new(SqliteStore::open(options)?))
}

/// What the runtimes of a project are given.
fn runtime_options(root: &Path, config: &ProjectConfig) -> RuntimeOptions {
    let mut options = RuntimeOptions::from_environment();
    let configured = config.runtimes.tools.iter().map(|path| within(root, path));
    let given = std::env::var_os(TOOLS).unwrap_or_default();
    options.tools = configured.chain(std::env::split_paths(&given)).collect();
    options.idle = config.runtimes.idle;
    options
}

/// The runtimes of a project.
///
/// # Errors
/// The machine gives no thread to start processes from.
pub fn runtimes(root: &Path, config: &ProjectConfig) -> anyhow::Result<Vec<Arc<dyn Runtime>>> {
    evoke_runtimes::builtin(runtime_options(root, config)).context("prepare the runtimes")
}

/// The sources of this version by kind, where no users are known.
pub fn sources() -> BTreeMap<String, Arc<dyn Source>> {
    sources_of(Arc::new(Nobody))
}

/// The sources of this version by kind; `identify` tells who calls a route.
fn sources_of(identify: Arc<dyn Identify>) -> BTreeMap<String, Arc<dyn Source>> {
    let by_kind = |source: Arc<dyn Source>| (source.descriptor().kind.to_owned(), source);
    evoke_sources::with_users(identify).into_iter().map(by_kind).collect()
}

impl App {
    /// Opens the store and starts the engine. `url` is where functions reach the server, `tracer`
    /// takes its spans.
    ///
    /// # Errors
    /// What could not be opened.
    pub async fn start(
        root: &Path,
        config: &ProjectConfig,
        url: String,
        mode: Mode,
        tracer: Arc<dyn Tracer>,
    ) -> anyhow::Result<Self> {
        let scratch = root.join(STATE_FOLDER);
        std::fs::create_dir_all(&scratch)
            .with_context(|| format!("make the folder {}", scratch.display()))?;
        let scratch = scratch.canonicalize().context("find the state folder")?;
        let clock = Arc::new(SystemClock);
        let registry = Registry::new();
        let options = TargetOptions {
            allow_private: mode == Mode::Dev || config.targets.allow_private,
            clock: clock.clone(),
        };
        let targets = evoke_targets::builtin(&options, registry.clone());
        let runtimes = runtimes(root, config)?;
        let identities = Arc::new(Identities::default());
        let sources = sources_of(identities.clone());
        let store = open_store(root, config)?;
        let engine = Engine::start(Parts {
            store: store.clone(),
            sources: sources.values().cloned().collect(),
            targets,
            runtimes: runtimes.clone(),
            clock,
            registry,
            tracer,
            settings: crate::wiring::engine(config, url.clone(), scratch)?,
        })
        .await?;
        Ok(Self { engine, store, runtimes, sources, identities, url })
    }
}
