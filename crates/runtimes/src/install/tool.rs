//! Runs a tool to its end, passes on what it prints and ends it with all its children when it takes
//! too long or nobody waits for it any more.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use evoke_ports::runtime::DeployError;
use nix::errno::Errno;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;

use super::{Job, failed};

/// Lines of a failed tool that go into the error: enough for npm's summary and pip's last resort.
const TAIL_LINES: usize = 20;
/// Bytes of a line that are kept; tools print whole files when a compiler fails.
const LINE_BYTES_MAX: usize = 2_000;
/// Bytes read at once.
const READ_BYTES: usize = 8 * 1024;

/// What to run.
pub(super) struct Invocation {
    /// The tool as users know it: `npm`.
    pub name: &'static str,
    /// Its executable.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
}

impl Invocation {
    /// A tool with its arguments.
    pub fn new(name: &'static str, program: PathBuf, arguments: &[&str]) -> Self {
        let arguments = arguments.iter().map(|&argument| argument.to_owned()).collect();
        Self { name, program, arguments }
    }
}

/// Runs a tool in a folder.
pub(super) async fn run(job: &Job<'_>, it: Invocation, folder: &Path) -> Result<(), DeployError> {
    let mut child = Command::new(&it.program)
        .args(&it.arguments)
        .current_dir(folder)
        .env_clear()
        .envs(job.tools.environment.iter().map(|(name, value)| (name, value)))
        .env("PATH", job.tools.path())
        .env("NO_COLOR", "1")
        .env("CI", "1")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| failed(format!("{} cannot be started: {error}", it.name)))?;
    let _group = Group(child.id());
    let (mut said, mut complained) = (Lines::new(job.progress), Lines::new(job.progress));
    let streams = (child.stdout.take(), child.stderr.take());
    let ended = async {
        let (_, _, status) =
            tokio::join!(said.follow(streams.0), complained.follow(streams.1), child.wait());
        status
    };
    let status = match tokio::time::timeout(job.limit, ended).await {
        Ok(status) => status,
        Err(_) => {
            let limit = job.limit.as_secs_f64();
            let told = tail(&said, &complained);
            return Err(failed(format!(
                "{} took longer than {limit} s and was ended{told}",
                it.name
            )));
        }
    };
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => {
            let told = tail(&said, &complained);
            Err(failed(format!("installing with {} failed ({status}){told}", it.name)))
        }
        Err(error) => Err(failed(format!("{} was lost: {error}", it.name))),
    }
}

/// The last lines: what a tool complains of, else what it says.
fn tail(said: &Lines<'_>, complained: &Lines<'_>) -> String {
    let lines = if complained.last.is_empty() { &said.last } else { &complained.last };
    lines.iter().map(|line| format!("\n{line}")).collect()
}

/// A process group that ends with this.
struct Group(Option<u32>);

impl Drop for Group {
    fn drop(&mut self) {
        // What a tool leaves behind after its end goes too.
        let Some(leader) = self.0.and_then(|id| i32::try_from(id).ok()) else { return };
        match killpg(Pid::from_raw(leader), Signal::SIGKILL) {
            Ok(()) | Err(Errno::ESRCH) => {}
            Err(error) => tracing::warn!(%error, "Processes of group {leader} stay"),
        }
    }
}

/// Splits what comes into lines, tells them and keeps the last.
struct Lines<'a> {
    progress: super::Progress<'a>,
    open: Vec<u8>,
    last: VecDeque<String>,
}

impl<'a> Lines<'a> {
    fn new(progress: super::Progress<'a>) -> Self {
        Self { progress, open: Vec::new(), last: VecDeque::new() }
    }

    async fn follow(&mut self, stream: Option<impl AsyncRead + Unpin>) {
        let Some(mut stream) = stream else { return };
        let mut piece = vec![0; READ_BYTES];
        // A stream that cannot be read has ended as well; the tool's status says the rest.
        while let Ok(count @ 1..) = stream.read(&mut piece).await {
            self.take(&piece[..count]);
        }
        self.end_line();
    }

    fn take(&mut self, piece: &[u8]) {
        for &byte in piece {
            match byte {
                b'\n' | b'\r' => self.end_line(),
                _ if self.open.len() < LINE_BYTES_MAX => self.open.push(byte),
                _ => {}
            }
        }
    }

    fn end_line(&mut self) {
        let line = String::from_utf8_lossy(&self.open).trim_end().to_owned();
        self.open.clear();
        if line.is_empty() {
            return;
        }
        (self.progress)(&line);
        if self.last.len() == TAIL_LINES {
            self.last.pop_front();
        }
        self.last.push_back(line);
    }
}
