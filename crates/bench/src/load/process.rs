//! The generator as a process of its own: the load comes in on stdin, the report goes out on
//! stdout, both as one line of JSON.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use super::spec::{LoadReport, LoadSpec};

/// How to start the generator.
#[derive(Clone, Debug)]
pub struct Generator {
    /// The program.
    pub program: PathBuf,
    /// The arguments that make it serve as the generator.
    pub args: Vec<OsString>,
}

/// A load that is under way.
pub struct Running(Child);

impl Generator {
    /// Starts a load and does not wait for its end.
    ///
    /// # Errors
    /// The program cannot be started.
    pub fn start(&self, spec: &LoadSpec) -> io::Result<Running> {
        let mut child = Command::new(&self.program)
            .args(&self.args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            serde_json::to_writer(&mut stdin, spec)?;
        }
        Ok(Running(child))
    }

    /// Carries out a load.
    ///
    /// # Errors
    /// The program cannot be started, or could not reach the server.
    pub fn run(&self, spec: &LoadSpec) -> io::Result<LoadReport> {
        self.start(spec)?.wait()
    }
}

impl Running {
    /// Waits for the end.
    ///
    /// # Errors
    /// What the generator said when it could not do its work.
    pub fn wait(mut self) -> io::Result<LoadReport> {
        let mut text = String::new();
        if let Some(mut stdout) = self.0.stdout.take() {
            stdout.read_to_string(&mut text)?;
        }
        let status = self.0.wait()?;
        if !status.success() {
            return Err(io::Error::other(format!("the load generator ended with {status}")));
        }
        Ok(serde_json::from_str(&text)?)
    }
}

/// The other side: what the hidden subcommand does.
///
/// # Errors
/// No load on stdin, or the server cannot be reached.
pub fn serve() -> io::Result<()> {
    let spec: LoadSpec = serde_json::from_reader(io::stdin().lock())?;
    let report = super::run(&spec)?;
    let mut stdout = io::stdout().lock();
    serde_json::to_writer(&mut stdout, &report)?;
    stdout.flush()
}
