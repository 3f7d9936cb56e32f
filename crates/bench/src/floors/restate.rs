//! A peer: Restate's one-way calls to the same handler, on the same machine in the same minute.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::error::{Error, Result, Tried};
use crate::histogram::{Histogram, Latency};
use crate::measures::{Amount, Bench, event, post};
use crate::process::{self, unix_us};
use crate::server::{Control, free_port};

const PROGRAM: &str = "node_modules/.bin/restate-server";
/// Both processes listen long before.
const LISTEN_WAIT_MAX: Duration = Duration::from_secs(30);
/// The longest a load may take until the last call is handled.
const HANDLED_WAIT_MAX: Duration = Duration::from_secs(120);

/// A Restate server with the benchmark's service.
pub(crate) struct Restate {
    ingress: Control,
    door: Control,
    children: Vec<Child>,
}

impl Restate {
    /// What to do when it is missing.
    pub(crate) const HOW_TO_INSTALL: &'static str = "to measure against Restate: mkdir restate && cd restate && npm install \
         @restatedev/restate-server @restatedev/restate-sdk node@22, then give --restate restate";

    /// Starts the server and the service; `installed` holds their `node_modules`.
    pub(crate) fn start(installed: &Path, folder: &Path) -> Result<Self> {
        let installed = installed.canonicalize().unwrap_or_else(|_| installed.to_owned());
        if !installed.join(PROGRAM).exists() {
            return Err(Error::Missing(Self::HOW_TO_INSTALL.into()));
        }
        let control = || -> Result<Control> {
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?));
            Ok(Control { address, key: None })
        };
        let (ingress, admin, door, service) = (control()?, control()?, control()?, free_port()?);
        let mut restate = Self { ingress, door, children: Vec::new() };
        restate.children.push(start_service(&installed, folder, (service, &restate.door))?);
        restate.wait_for(0, restate.door.address.port())?;
        let base = tempfile::Builder::new()
            .prefix("restate-")
            .tempdir_in(folder)
            .tried(|| "make a folder for Restate".into())?
            .keep();
        let server = Command::new(installed.join(PROGRAM))
            .env("RESTATE_BASE_DIR", &base)
            .env("RESTATE_INGRESS__BIND_ADDRESS", restate.ingress.address.to_string())
            .env("RESTATE_ADMIN__BIND_ADDRESS", admin.address.to_string())
            .env("RESTATE_BIND_ADDRESS", format!("127.0.0.1:{}", free_port()?))
            .env("RESTATE_DISABLE_TELEMETRY", "true")
            .env("RESTATE_LOG_FILTER", "error")
            .current_dir(&base)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .tried(|| "start Restate".into())?;
        restate.children.push(server);
        restate.wait_for(1, admin.address.port())?;
        restate.wait_for(1, restate.ingress.address.port())?;
        let deployment = format!(r#"{{"uri":"http://127.0.0.1:{service}"}}"#);
        admin.until_ok("POST", "/deployments", &deployment)?;
        restate.ingress.until_ok("POST", "/bench/tick/send", &event("bench.tick"))?;
        restate.wait(1)?;
        Ok(restate)
    }

    /// Handled calls per second.
    pub(crate) fn send(&self, bench: &Bench<'_>, connections: u32, count: u64) -> Result<f64> {
        self.forget()?;
        let request = post(&self.ingress, "/bench/tick/send", event("bench.tick"));
        let load = bench.closed(&self.ingress, request, Amount::requests(connections, count))?;
        self.wait(load.ok)?;
        let seconds = unix_us().saturating_sub(load.began_us).max(1) as f64 / 1e6;
        Ok(load.ok as f64 / seconds)
    }

    /// One call at a time, from sending it to the first line of the handler.
    pub(crate) fn alone(&self, count: u64) -> Result<Latency> {
        let mut waits = Histogram::default();
        for round in 0..count + 20 {
            self.forget()?;
            let sent = unix_us();
            self.ingress.json("POST", "/bench/tick/send", &event("bench.tick"))?;
            self.wait(1)?;
            let starts = self.door.json("GET", "/starts", "")?;
            let start = starts["starts"][0].as_u64().unwrap_or(sent);
            // The first calls warm it up.
            if round >= 20 {
                waits.record(start.saturating_sub(sent) * 1_000);
            }
        }
        Ok(waits.summary())
    }

    /// Waits until a process that was started here listens on its port.
    fn wait_for(&self, child: usize, port: u16) -> Result<()> {
        let until = Instant::now() + LISTEN_WAIT_MAX;
        // The package's program is a launcher: the server is a process below it.
        let listens = |child: &Child| {
            let mut own = process::descendants(child.id());
            own.push(child.id());
            own.into_iter().any(|pid| process::listens(pid, port))
        };
        while !self.children.get(child).is_some_and(listens) {
            if Instant::now() > until {
                return Err(Error::NotReady {
                    program: "Restate".into(),
                    seconds: LISTEN_WAIT_MAX.as_secs(),
                    said: format!("nothing of ours listens on port {port}"),
                });
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    fn forget(&self) -> Result<()> {
        self.door.json("POST", "/handled", "").map(drop)
    }

    fn wait(&self, count: u64) -> Result<()> {
        let until = Instant::now() + HANDLED_WAIT_MAX;
        loop {
            let handled = self.door.json("GET", "/handled", "")?["handled"].as_u64().unwrap_or(0);
            if handled >= count {
                return Ok(());
            }
            if Instant::now() > until {
                return Err(Error::Wrong(format!("Restate handled {handled} of {count}")));
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

fn start_service(
    installed: &Path,
    folder: &Path,
    (service, door): (u16, &Control),
) -> Result<Child> {
    // The module is looked for beside the file: so the file lies in a folder that points there.
    let home = folder.join("restate-service");
    let file = home.join("service.mjs");
    let write = || -> std::io::Result<()> {
        std::fs::create_dir_all(&home)?;
        let modules = home.join("node_modules");
        if !modules.exists() {
            std::os::unix::fs::symlink(installed.join("node_modules"), modules)?;
        }
        std::fs::write(&file, include_str!("../../assets/restate.mjs"))
    };
    write().tried(|| "write the service for Restate".into())?;
    // The SDK needs a newer Node than functions do; it may be installed beside it.
    let own = installed.join("node_modules/.bin/node");
    let node = if own.exists() { own } else { PathBuf::from("node") };
    let child = Command::new(node)
        .arg(&file)
        .args([service.to_string(), door.address.port().to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .tried(|| "start node".into())?;
    Ok(child)
}

impl Drop for Restate {
    fn drop(&mut self) {
        for child in self.children.iter_mut().rev() {
            // It may have ended by itself; there is nothing left to do then.
            process::stop(child, Duration::from_secs(5)).ok();
        }
    }
}
