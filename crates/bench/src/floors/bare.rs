//! The bare language servers: the same handler on `node:http` and on `Bun.serve`.

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::error::{Error, Result, Tried};
use crate::machine;
use crate::process;
use crate::server::{Control, free_port};

/// A language with a server of its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Language {
    Node,
    Bun,
}

impl Language {
    pub(crate) const fn program(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Bun => "bun",
        }
    }

    /// What a row calls the bare server.
    pub(crate) const fn server(self) -> &'static str {
        match self {
            Self::Node => "node:http",
            Self::Bun => "Bun.serve",
        }
    }

    const fn code(self) -> &'static str {
        match self {
            Self::Node => include_str!("../../assets/node_http.mjs"),
            Self::Bun => include_str!("../../assets/bun_serve.mjs"),
        }
    }

    /// The runtime that runs functions with the very same program: the installed version.
    pub(crate) fn runtime(self) -> Result<String> {
        let program = self.program();
        let version = machine::version(program).ok_or_else(|| {
            let install = match self {
                Self::Node => "install Node 18, 20 or 22",
                Self::Bun => "install it with `npm install -g bun`",
            };
            Error::Missing(format!("{program} is not on the path: {install}"))
        })?;
        let major = version.split([' ', '.']).nth(1).unwrap_or_default();
        Ok(match (self, major) {
            (Self::Node, "18" | "20" | "22") => format!("nodejs{major}"),
            (Self::Node, _) => "node".into(),
            (Self::Bun, _) => "bun".into(),
        })
    }
}

/// A bare server that answers.
pub(crate) struct Bare {
    child: Child,
    pub(crate) control: Control,
}

impl Bare {
    /// Starts the bare server of a language; its code is written to `folder`.
    pub(crate) fn start(language: Language, folder: &Path) -> Result<Self> {
        language.runtime()?;
        let file = folder.join(format!("bare-{}.mjs", language.program()));
        std::fs::write(&file, language.code()).tried(|| format!("write {}", file.display()))?;
        let port = free_port()?;
        let mut child = Command::new(language.program())
            .arg(&file)
            .arg(port.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .tried(|| format!("start {}", language.program()))?;
        let mut line = String::new();
        if let Some(stdout) = child.stdout.take() {
            let mut stdout = BufReader::new(stdout);
            stdout.read_line(&mut line).tried(|| "read what it says".into())?;
        }
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let bare = Self { child, control: Control { address, key: None } };
        match line.trim() {
            "ready" => Ok(bare),
            said => Err(Error::NotReady {
                program: language.server().into(),
                seconds: 0,
                said: said.into(),
            }),
        }
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        // It may have ended by itself; there is nothing left to do then.
        process::stop(&mut self.child, Duration::from_secs(5)).ok();
    }
}

/// From the start of the process to the first answer.
pub(crate) fn spawn_to_answer(language: Language, folder: &Path) -> Result<Duration> {
    let began = Instant::now();
    let bare = Bare::start(language, folder)?;
    bare.control.json("POST", "/", r#"{"name":"cold"}"#)?;
    Ok(began.elapsed())
}
