//! Starting processes, on one thread of its own. The kernel kills a child when the thread that
//! started it ends, so that no worker outlives the server, whatever ends the server; for that the
//! thread has to live as long as the workers may, which no thread of an async runtime promises.

#![expect(
    unsafe_code,
    reason = "a hook between fork and exec is the only way to ask for a signal \
                                 at the parent's death"
)]

use std::io;
use std::sync::mpsc;

use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;
use nix::unistd::{Pid, getppid};
use tokio::process::{Child, Command};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

/// Starts may wait for one another; more than this never do.
const REQUESTS_MAX: usize = 256;

struct Request {
    command: Command,
    runtime: Handle,
    answer: oneshot::Sender<io::Result<Child>>,
}

/// The thread that starts processes. When it is dropped, all of them are killed.
#[derive(Debug)]
pub struct Spawner {
    requests: mpsc::SyncSender<Request>,
}

impl Spawner {
    /// Starts the thread.
    ///
    /// # Errors
    /// The machine gives no thread.
    pub fn new() -> io::Result<Self> {
        let (requests, incoming) = mpsc::sync_channel::<Request>(REQUESTS_MAX);
        std::thread::Builder::new().name("evoke-spawner".to_owned()).spawn(move || {
            for Request { mut command, runtime, answer } in incoming {
                let _inside = runtime.enter();
                // Whoever asked may have gone; the child dies with the dropped answer.
                drop(answer.send(command.spawn()));
            }
        })?;
        Ok(Self { requests })
    }

    /// Starts a process that is killed with the server.
    ///
    /// # Errors
    /// The process could not be started.
    pub async fn spawn(&self, mut command: Command) -> io::Result<Child> {
        let server = Pid::this();
        let hook = move || {
            set_pdeathsig(Signal::SIGKILL)?;
            // The server may have died before the line above; nobody would be told then.
            if getppid() == server { Ok(()) } else { Err(io::ErrorKind::BrokenPipe.into()) }
        };
        // SAFETY: between fork and exec only async-signal-safe functions may be called; `prctl` and
        // `getppid` are plain system calls and the hook neither allocates nor locks.
        unsafe { command.pre_exec(hook) };
        let (answer, answered) = oneshot::channel();
        let request = Request { command, runtime: Handle::current(), answer };
        self.requests.try_send(request).map_err(|error| io::Error::other(error.to_string()))?;
        answered
            .await
            .map_err(|_| io::Error::other("the thread that starts processes has ended"))?
    }
}
