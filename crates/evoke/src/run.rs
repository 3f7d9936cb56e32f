//! A server from its first line to its last: `dev` and `serve` differ in how strict they are and in
//! what they watch.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::bail;
use evoke_auth::Auth;
use evoke_database::Database;
use evoke_engine::Engine;
use evoke_ports::{NoTracer, Tracer};
use evoke_project::config::{FILE, Required};
use evoke_project::{Change, Desired, ProjectConfig, Watcher};
use evoke_server::{AuthMode, BoundServer, Doors, Limits, ServerOptions, Stacks};
use evoke_telemetry::Telemetry;
use tokio_util::sync::CancellationToken;

use crate::app::{App, Mode};
use crate::deploy::{self, Deployed, Project};

/// How long spans may take to be sent at the end.
const TELEMETRY_GRACE: std::time::Duration = std::time::Duration::from_secs(3);

/// What a command asks for beyond the configuration.
#[derive(Clone, Debug, Default)]
pub struct Wish {
    /// The project's folder.
    pub root: PathBuf,
    /// A port in place of the configured one.
    pub port: Option<u16>,
    /// An address in place of the configured one.
    pub host: Option<std::net::IpAddr>,
}

fn environment() -> BTreeMap<String, String> {
    let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        Some((name.into_string().ok()?, value.into_string().ok()?))
    };
    std::env::vars_os().filter_map(text).collect()
}

/// What a command begins with.
pub struct Given {
    /// The project's folder.
    pub root: PathBuf,
    /// The variables of this process.
    pub environment: BTreeMap<String, String>,
    /// What the project says, with what the command asks for in its place.
    pub config: ProjectConfig,
}

impl Given {
    /// Reads the configuration of a project and says everything that is wrong with it.
    ///
    /// # Errors
    /// All problems, one a line.
    pub fn read(wish: Wish) -> anyhow::Result<Self> {
        let Wish { root, port, host } = wish;
        if !root.is_dir() {
            bail!("{} is not a folder", root.display());
        }
        let environment = environment();
        let mut config =
            ProjectConfig::load(&root.join(FILE), &environment).map_err(|problems| {
                let lines: Vec<_> = problems.iter().map(ToString::to_string).collect();
                anyhow::anyhow!("the configuration is not valid:\n  {}", lines.join("\n  "))
            })?;
        config.server.port = port.unwrap_or(config.server.port);
        config.server.host = host.unwrap_or(config.server.host);
        Ok(Self { root, environment, config })
    }
}

/// A server with the project it serves.
pub struct Running {
    /// The wired parts.
    pub app: App,
    /// Base URL, with the real port.
    pub url: String,
    config: ProjectConfig,
    server: BoundServer,
    telemetry: Option<Telemetry>,
    auth: Option<Auth>,
    database: Option<Database>,
    project: Project,
    /// In dev mode.
    watcher: Option<Watcher>,
    /// What runs, or ran last where the folder is broken now.
    desired: Desired,
}

impl Running {
    /// Opens the doors, starts the engine, deploys the project and begins to work.
    ///
    /// # Errors
    /// What could not be opened or watched. A broken function does not stop the others.
    pub async fn start(given: Given, mode: Mode, stop: CancellationToken) -> anyhow::Result<Self> {
        let Given { root, environment, config } = given;
        // Watched before it is read, so that no change falls between the two.
        let watcher = match mode {
            Mode::Dev => Some(evoke_project::watch(&root, &config.functions)?),
            Mode::Serve => None,
        };
        let address = SocketAddr::new(config.server.host, config.server.port);
        let doors = Doors::open(&[address]).await?;
        let url = url_of(doors.addresses().first().copied().unwrap_or(address));
        let telemetry = crate::wiring::telemetry(&config, &environment)?;
        let tracer: Arc<dyn Tracer> = match &telemetry {
            Some(telemetry) => telemetry.tracer(),
            None => Arc::new(NoTracer),
        };
        let app = App::start(&root, &config, url.clone(), mode, tracer).await?;
        let services = crate::services::start(&root, &config, &app, mode).await?;
        let (database, auth) = (services.database.clone(), services.auth.clone());
        let options = ServerOptions { services, ..server_options(&config, mode) };
        if options.auth == AuthMode::Keys && app.engine.keys().is_empty() {
            tracing::warn!(
                "There is no API key yet: evoke keys create NAME --local makes the first"
            );
        }
        let server = evoke_server::serve(app.engine.clone(), doors, options, stop)?;
        let project = Project::new(&root, &app.runtimes, app.sources.clone(), environment);
        let desired = project.read(None);
        report(&desired);
        if let Some(database) = &database {
            deploy::declare(database, &desired).await;
        }
        say(&deploy::apply(&app.engine, &desired, None).await);
        app.engine.admit();
        Ok(Self { app, url, config, server, telemetry, database, auth, project, watcher, desired })
    }

    /// Serves until `stop`, and takes each change of the project's folder where it is watched.
    pub async fn follow(&mut self, stop: &CancellationToken) {
        while let Some(watcher) = &mut self.watcher {
            let change = tokio::select! {
                change = watcher.next() => change,
                () = stop.cancelled() => return,
            };
            match change {
                Ok(Change::Functions(changed)) => self.reload(Some(&changed)).await,
                Ok(Change::All) => self.reload(None).await,
                // One folder is lost, the others are still watched.
                Err(error) => tracing::error!("{:#}", anyhow::Error::from(error)),
            }
        }
        stop.cancelled().await;
    }

    async fn reload(&mut self, changed: Option<&BTreeSet<String>>) {
        let before = changed.map(|changed| (&self.desired, changed));
        let desired = self.project.read(before);
        report(&desired);
        if let Some(database) = &self.database {
            deploy::declare(database, &desired).await;
        }
        say(&deploy::apply(&self.app.engine, &desired, Some(&self.desired)).await);
        self.desired = desired;
    }

    /// Ends in order: the doors, what runs, the workers, the store.
    pub async fn end(self) {
        let unfinished = self.server.finished().await;
        // Mail that waits is written with a token, which needs the store.
        if let Some(auth) = &self.auth {
            auth.close(self.config.server.shutdown_grace).await;
        }
        let left = self.app.engine.stop(self.config.server.shutdown_grace).await;
        if unfinished.connections + left.running + left.waiting > 0 {
            tracing::info!(
                connections = unfinished.connections,
                executions.running = left.running,
                executions.waiting = left.waiting,
                "Stopped; what was left runs at the next start"
            );
        }
        if let Some(telemetry) = self.telemetry {
            let lost = telemetry.stop(TELEMETRY_GRACE).await.lost();
            if lost > 0 {
                tracing::warn!("{lost} spans were not sent");
            }
        }
        tracing::debug!("Ended");
    }

    /// The engine.
    pub fn engine(&self) -> &Engine {
        &self.app.engine
    }
}

/// Where a server that listens there is reached from this machine.
pub(crate) fn url_of(address: SocketAddr) -> String {
    let host =
        if address.ip().is_unspecified() { "127.0.0.1".into() } else { address.ip().to_string() };
    let host = if host.contains(':') { format!("[{host}]") } else { host };
    format!("http://{host}:{}", address.port())
}

fn server_options(config: &ProjectConfig, mode: Mode) -> ServerOptions {
    let is_local = config.server.host.is_loopback();
    let needs_keys = match config.auth.required {
        Required::Always => true,
        Required::Never => false,
        Required::Auto => mode == Mode::Serve || !is_local,
    };
    let client_address = config.server.client_address.parse().ok();
    let public_url = Some(config.users.url.clone()).filter(|url| !url.is_empty());
    ServerOptions {
        client_address,
        public_url,
        auth: match needs_keys {
            true => AuthMode::Keys,
            false => AuthMode::Open { hosts: Vec::new() },
        },
        stacks: match mode {
            Mode::Dev => Stacks::Shown,
            Mode::Serve => Stacks::Hidden,
        },
        function_schema: evoke_project::manifest_schema(),
        error_page: crate::pages::error_page,
        limits: Limits {
            body_bytes: usize::try_from(config.server.body_max.as_u64()).unwrap_or(usize::MAX),
            grace: config.server.shutdown_grace,
            ..Limits::default()
        },
        ..ServerOptions::default()
    }
}

fn report(desired: &Desired) {
    for problem in &desired.problems {
        tracing::error!("{problem}");
    }
    for warning in &desired.warnings {
        tracing::warn!("{warning}");
    }
}

fn say(deployed: &[Deployed]) {
    for Deployed { name, result } in deployed {
        match result {
            Ok(version) => tracing::info!(function = %name, version, "Function {name} is live"),
            Err(error) => {
                let stack = error.stack.as_deref().map(|stack| format!("\n{stack}"));
                let stack = stack.unwrap_or_default();
                tracing::error!(function = %name, "Function {name} was not deployed: {error}{stack}");
            }
        }
    }
}
