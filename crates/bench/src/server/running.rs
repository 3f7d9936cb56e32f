//! The server's process.

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use super::Control;
use crate::error::{Error, Result, Tried};
use crate::process;

/// A server with functions that need no installation is ready long before.
const READY_WAIT_MAX: Duration = Duration::from_secs(60);
/// What a server gets for its orderly end.
const STOP_GRACE: Duration = Duration::from_secs(20);

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
    /// From the start of the process to its line `ready`.
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
        let began = Instant::now();
        let mut child = Command::new(launch.binary)
            .arg("dev")
            .arg(launch.project)
            .args(["--port", &port.to_string(), "--quiet"])
            .env("EVOKE_LOG", "warn")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(stderr)
            .spawn()
            .tried(|| format!("start {}", launch.binary.display()))?;
        let is_ready = child.stdout.take().is_some_and(wait_for_ready);
        let ready_after = began.elapsed();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let server = Self { child, control: Control { address, key: None }, ready_after };
        if !is_ready {
            let said = std::fs::read_to_string(&log).unwrap_or_default();
            let from = said.len().saturating_sub(2_000);
            let said = said.get(from..).unwrap_or(&said).to_owned();
            let program = format!("{} dev", launch.binary.display());
            return Err(Error::NotReady { program, seconds: READY_WAIT_MAX.as_secs(), said });
        }
        server.control.until_ok("GET", "/health/ready", "")?;
        Ok(server)
    }

    /// Resident memory of the server's own process.
    pub(crate) fn rss_bytes(&self) -> u64 {
        process::rss_bytes(self.child.id())
    }

    /// Resident memory of the server and all processes below it.
    pub(crate) fn tree_rss_bytes(&self) -> u64 {
        let below = process::descendants(self.child.id());
        self.rss_bytes() + below.into_iter().map(process::rss_bytes).sum::<u64>()
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

/// Reads on until the line `ready ...`, then keeps the pipe empty for as long as the server lives.
fn wait_for_ready(stdout: ChildStdout) -> bool {
    let (tell, told) = mpsc::sync_channel(1);
    thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(std::io::Result::ok) {
            if line.starts_with("ready ") {
                // Nobody listens any more after the first.
                tell.try_send(()).ok();
            }
        }
    });
    told.recv_timeout(READY_WAIT_MAX).is_ok()
}
