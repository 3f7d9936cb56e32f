//! The server's process.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::Control;
use crate::error::{Error, Result, Tried};
use crate::process;

/// A server with functions that need no installation is ready long before.
const READY_WAIT_MAX: Duration = Duration::from_secs(60);
/// What a server gets for its orderly end.
const STOP_GRACE: Duration = Duration::from_secs(20);
/// A server has nothing to do once it used less than a twentieth of a core for so long.
const IDLE_STEP: Duration = Duration::from_secs(1);
const IDLE_STEP_CPU_MS: u64 = 50;

/// How a server is started.
#[derive(Clone, Copy)]
pub(crate) struct Launch<'a> {
    pub(crate) binary: &'a Path,
    pub(crate) project: &'a Path,
}

/// A server that answers.
pub(crate) struct Server {
    child: Child,
    pub(crate) control: Control,
    /// From the start of the process to the first yes of `/health/ready`.
    pub(crate) ready_after: Duration,
}

/// A port nobody listens on.
pub(crate) fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).tried(|| "find a port".into())?;
    Ok(listener.local_addr().tried(|| "find a port".into())?.port())
}

impl Server {
    /// Starts `evoke dev` on a project, without its live output, and waits until it is ready.
    pub(crate) fn start(launch: Launch<'_>) -> Result<Self> {
        let port = free_port()?;
        let log = launch.project.join("server.log");
        let stderr = std::fs::File::options()
            .create(true)
            .append(true)
            .open(&log)
            .tried(|| format!("write {}", log.display()))?;
        let program = format!("{} dev", launch.binary.display());
        let began = Instant::now();
        let child = Command::new(launch.binary)
            .arg("dev")
            .arg(launch.project)
            .args(["--port", &port.to_string(), "--quiet"])
            .env("EVOKE_LOG_LEVEL", "warn")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(stderr)
            .spawn()
            .tried(|| format!("start {program}"))?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let control = Control { address, key: None };
        let mut server = Self { child, control, ready_after: Duration::ZERO };
        while !server.is_ready() {
            let is_gone = !matches!(server.child.try_wait(), Ok(None));
            if is_gone || began.elapsed() > READY_WAIT_MAX {
                let said = tail_of(&log);
                return Err(Error::NotReady { program, seconds: began.elapsed().as_secs(), said });
            }
            thread::sleep(Duration::from_millis(2));
        }
        server.ready_after = began.elapsed();
        Ok(server)
    }

    fn is_ready(&self) -> bool {
        process::listens(self.child.id(), self.control.address.port())
            && matches!(self.control.request("GET", "/health/ready", ""), Ok((200, _)))
    }

    /// Resident memory of the server's own process.
    pub(crate) fn rss_bytes(&self) -> u64 {
        process::rss_bytes(self.child.id())
    }

    /// The same in megabytes.
    pub(crate) fn rss_megabytes(&self) -> f64 {
        self.rss_bytes() as f64 / 1_048_576.0
    }

    /// Resident memory of the server and all processes below it.
    pub(crate) fn tree_rss_bytes(&self) -> u64 {
        let below = process::descendants(self.child.id());
        self.rss_bytes() + below.into_iter().map(process::rss_bytes).sum::<u64>()
    }

    /// Waits until the server has nothing to do, but no longer than this; for how long it had.
    pub(crate) fn settle(&self, at_most: Duration) -> Duration {
        let began = Instant::now();
        let mut used = self.cpu_ms().0;
        while began.elapsed() < at_most {
            let busy = began.elapsed();
            thread::sleep(IDLE_STEP);
            let now = self.cpu_ms().0;
            if now - used < IDLE_STEP_CPU_MS {
                return busy;
            }
            used = now;
        }
        began.elapsed()
    }

    /// CPU time of the server's own process, and of the processes below it.
    pub(crate) fn cpu_ms(&self) -> (u64, u64) {
        let below = process::descendants(self.child.id());
        (process::cpu_ms(self.child.id()), below.into_iter().map(process::cpu_ms).sum())
    }

    /// Ends the server in order.
    pub(crate) fn stop(mut self) -> Result<()> {
        process::stop(&mut self.child, STOP_GRACE).tried(|| "stop the server".into())
    }

    /// Ends the server as a power cut would end its process.
    pub(crate) fn kill(mut self) -> Result<()> {
        self.child.kill().tried(|| "kill the server".into())?;
        self.child.wait().tried(|| "kill the server".into()).map(drop)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // After `stop` and `kill` the process is gone and there is nothing left to end.
        if matches!(self.child.try_wait(), Ok(None)) && self.child.kill().is_ok() {
            drop(self.child.wait());
        }
    }
}

/// The end of what a server wrote to its log.
fn tail_of(log: &Path) -> String {
    let said = std::fs::read(log).unwrap_or_default();
    String::from_utf8_lossy(&said[said.len().saturating_sub(2_000)..]).into_owned()
}
