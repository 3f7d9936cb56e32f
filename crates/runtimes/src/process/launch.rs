//! From a command line to a worker that has said HELLO, and from there to one that has loaded its
//! function. Dropping a worker at any point kills its whole process group.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use evoke_model::ByteSize;
use tokio::net::{UnixListener, UnixStream};
use tokio::process::{Child, Command};

use super::control::{Cause, Control};
use super::memory::{Guard, Limiter};
use super::output::Output;
use super::spawn::Spawner;
use super::start_error::StartError;
use crate::protocol::frame::encode;
use crate::protocol::messages::{Hello, LoadFailed, PROTOCOL};
use crate::protocol::{Decoded, Decoder, Frame, Kind};

/// A worker whose connection has ended is given so long to exit with a status of its own.
const EXIT_PATIENCE: Duration = Duration::from_millis(500);
/// What a dead worker printed last is waited for this long.
const WORDS_PATIENCE: Duration = Duration::from_millis(200);
/// What V8 prints when it gives up.
const HEAP_EXHAUSTED: &str = "JavaScript heap out of memory";
/// A Unix socket's path may not be longer (sun_path has 108 bytes).
pub const SOCKET_PATH_BYTES_MAX: usize = 100;

/// How the process of a worker is started.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct CommandLine {
    /// The interpreter.
    pub program: PathBuf,
    /// Its arguments, the shim included.
    pub arguments: Vec<OsString>,
}

/// Starts worker processes for all pools of a server.
#[derive(Debug)]
pub struct Launcher {
    spawner: Spawner,
    limiter: Limiter,
    base_environment: Vec<(String, OsString)>,
    sockets: AtomicU64,
}

/// A process that speaks the protocol.
#[derive(Debug)]
pub struct Process {
    /// The connection.
    pub stream: Arc<UnixStream>,
    /// What was read of it and not yet used.
    pub decoder: Decoder,
    /// The power over it.
    pub control: Arc<Control>,
    /// What it prints.
    pub output: Output,
    /// Its memory limit.
    pub memory: Guard,
    /// The process itself.
    pub child: Child,
}

impl Launcher {
    /// With what the machine has for memory limits, and the variables every worker gets.
    pub fn new(
        spawner: Spawner,
        limiter: Limiter,
        base_environment: Vec<(String, OsString)>,
    ) -> Self {
        Self { spawner, limiter, base_environment, sockets: AtomicU64::new(0) }
    }

    /// What workers are confined by.
    pub fn isolation(&self) -> Vec<String> {
        ["process-group", "clean-environment", self.limiter.name()].map(str::to_owned).to_vec()
    }

    /// Starts a process and waits for its HELLO.
    pub async fn start(
        &self,
        command_line: &CommandLine,
        environment: &BTreeMap<String, String>,
        sockets: &Path,
    ) -> Result<Process, StartError> {
        let number = self.sockets.fetch_add(1, Ordering::Relaxed);
        let path = SocketFile(sockets.join(format!("{}-{number}.sock", std::process::id())));
        let listener = UnixListener::bind(&path.0)
            .map_err(|error| StartError::Machine(format!("open {}: {error}", path.0.display())))?;
        let mut command = self.command(command_line, environment);
        command.env("EVOKE_SOCKET", &path.0).current_dir(sockets);
        let program = command_line.program.display();
        let mut child = self
            .spawner
            .spawn(command)
            .await
            .map_err(|error| StartError::Machine(format!("start {program}: {error}")))?;
        let leader = child.id().ok_or_else(|| StartError::Machine("no process id".to_owned()))?;
        let control = Arc::new(Control::new(leader));
        let mut output = Output::read(child.stdout.take(), child.stderr.take());
        let killer = KillOnDrop(Some(Arc::clone(&control)));
        let admitted = self.limiter.admit(&control);
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            status = child.wait() => {
                let words = output.last_words(WORDS_PATIENCE).await;
                return Err(StartError::Exited(describe(status, &words)));
            }
        };
        // A process that ended at once cannot be admitted, and how it ended says more than that.
        let memory =
            admitted.map_err(|error| StartError::Machine(format!("make a cgroup: {error}")))?;
        let (stream, _) =
            accepted.map_err(|error| StartError::Machine(format!("accept: {error}")))?;
        killer.disarm();
        let stream = Arc::new(stream);
        let decoder = Decoder::default();
        let mut process = Process { stream, decoder, control, output, memory, child };
        process.greet().await?;
        Ok(process)
    }

    fn command(
        &self,
        command_line: &CommandLine,
        environment: &BTreeMap<String, String>,
    ) -> Command {
        let mut command = Command::new(&command_line.program);
        command
            .args(&command_line.arguments)
            .env_clear()
            .envs(self.base_environment.iter().map(|(name, value)| (name, value)))
            .envs(environment)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        command
    }
}

impl Process {
    /// Makes it the worker of a function: LOAD until LOADED. `printed` takes what it prints
    /// meanwhile.
    pub async fn load(
        &mut self,
        message: &[u8],
        limit: ByteSize,
        mut printed: impl FnMut(&[u8]),
    ) -> Result<(), StartError> {
        self.memory
            .limit(limit)
            .map_err(|error| StartError::Machine(format!("set the memory limit: {error}")))?;
        self.send(&encode(Kind::Load, 0, message)).await?;
        loop {
            let Frame { kind, payload, .. } = self.frame().await?;
            match kind {
                Kind::Loaded => return Ok(()),
                Kind::LoadFailed => {
                    let failed: LoadFailed = serde_json::from_slice(&payload)
                        .map_err(|error| StartError::Protocol(format!("LOAD_FAILED: {error}")))?;
                    let LoadFailed { message, stack } = failed;
                    return Err(StartError::Refused { message, stack });
                }
                Kind::Log => printed(&payload),
                other => {
                    return Err(StartError::Protocol(format!("{other:?} instead of LOADED")));
                }
            }
        }
    }

    /// Whether it can still be used: nothing was said since HELLO and the connection stands.
    pub fn is_fresh(&self) -> bool {
        let mut byte = [0];
        let read = self.stream.try_read(&mut byte);
        matches!(read, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }

    /// Waits for its end, ends the children it left behind, and says how it ended.
    pub async fn end(&mut self) -> Cause {
        let status = tokio::time::timeout(EXIT_PATIENCE, self.child.wait()).await;
        let status = match status {
            Ok(status) => status,
            Err(_) => {
                let gone = "the worker closed its connection without exiting".to_owned();
                self.control.kill(Cause::Exited(gone));
                self.child.wait().await
            }
        };
        // The kernel's count is looked at before the group is removed.
        if let Some(breach) = self.memory.breach() {
            self.control.explain(breach);
        }
        self.control.bury();
        let words = self.output.last_words(WORDS_PATIENCE).await;
        // The interpreter's own limit may be below the worker's: it gives up by itself then.
        if words.contains(HEAP_EXHAUSTED)
            && let Some(limit) = self.memory.limited_to()
        {
            self.control.explain(Cause::Memory { limit, measured: None });
        }
        let cause = self.control.cause();
        cause.unwrap_or_else(|| Cause::Exited(describe(status, &words)))
    }

    async fn greet(&mut self) -> Result<(), StartError> {
        let Frame { kind, payload, .. } = self.frame().await?;
        let hello: Hello = match kind {
            Kind::Hello => serde_json::from_slice(&payload)
                .map_err(|error| StartError::Protocol(format!("HELLO: {error}")))?,
            other => return Err(StartError::Protocol(format!("{other:?} instead of HELLO"))),
        };
        if hello.protocol != PROTOCOL {
            let message = format!("version {} of the protocol", hello.protocol);
            return Err(StartError::Protocol(message));
        }
        let Hello { runtime, version, .. } = hello;
        tracing::debug!(worker.pid = self.control.group(), runtime, version, "Worker is there");
        Ok(())
    }

    /// The next frame, for as long as no calls are under way.
    async fn frame(&mut self) -> Result<Frame, StartError> {
        loop {
            let next = self.decoder.decode();
            match next.map_err(|error| StartError::Protocol(error.to_string()))? {
                Some(Decoded::Frame(frame)) => return Ok(frame),
                Some(Decoded::Oversized { kind, length, .. }) => {
                    return Err(StartError::Protocol(format!("{kind:?} of {length} bytes")));
                }
                None => {}
            }
            let read = match self.stream.readable().await {
                Ok(()) => self.stream.try_read_buf(self.decoder.buffer()),
                Err(error) => Err(error),
            };
            match read {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Ok(read) if read > 0 => {}
                _ => return Err(self.broken().await),
            }
        }
    }

    async fn send(&mut self, mut bytes: &[u8]) -> Result<(), StartError> {
        while !bytes.is_empty() {
            let written = match self.stream.writable().await {
                Ok(()) => self.stream.try_write(bytes),
                Err(error) => Err(error),
            };
            match written {
                Ok(written) => bytes = &bytes[written..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return Err(self.broken().await),
            }
        }
        Ok(())
    }

    async fn broken(&mut self) -> StartError {
        match self.end().await {
            Cause::Memory { limit, measured } => {
                StartError::Memory(Cause::Memory { limit, measured })
            }
            Cause::Exited(how) => StartError::Exited(how),
            other => StartError::Exited(other.failure().message),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.control.kill(Cause::Closing);
    }
}

/// Kills a process that never came as far as to be a [`Process`].
struct KillOnDrop(Option<Arc<Control>>);

impl KillOnDrop {
    fn disarm(mut self) {
        self.0 = None;
    }
}

impl Drop for KillOnDrop {
    fn drop(&mut self) {
        if let Some(control) = &self.0 {
            control.kill(Cause::Closing);
        }
    }
}

/// The file of a listening socket, removed once its worker is connected or has failed to.
struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.0) {
            tracing::debug!(path = %self.0.display(), %error, "Socket file is left");
        }
    }
}

/// How a worker ended, with its last words.
fn describe(status: io::Result<ExitStatus>, words: &str) -> String {
    use std::os::unix::process::ExitStatusExt;
    let how = match status {
        Ok(status) => match (status.code(), status.signal()) {
            (Some(code), _) => format!("the worker exited with code {code}"),
            (None, Some(signal)) => match nix::sys::signal::Signal::try_from(signal) {
                Ok(signal) => format!("the worker was ended by {signal}"),
                Err(_) => format!("the worker was ended by signal {signal}"),
            },
            (None, None) => "the worker ended".to_owned(),
        },
        Err(error) => format!("the worker ended, how is unknown: {error}"),
    };
    if words.is_empty() { how } else { format!("{how}: {words}") }
}
