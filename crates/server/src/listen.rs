//! The doors: listening, accepting, and closing in order. What comes through them is answered by
//! [`crate::service`].

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use evoke_engine::Engine;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::connection;
use crate::options::{AuthMode, ServerOptions};
use crate::service::Server;

/// How long to wait when the machine has no more files: they come free when connections close.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Why the server did not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address is taken or not ours.
    #[error("listen on {address}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What the machine says.
        #[source]
        source: io::Error,
    },
    /// Without keys everybody who reaches the machine could deploy and read everything.
    #[error("a server without API keys may only listen on loopback, not on {address}")]
    OpenBeyondLoopback {
        /// The address.
        address: SocketAddr,
    },
}

/// Addresses that are listened on but not yet served. They come before the engine, because
/// functions are told the address of their server.
#[derive(Debug)]
pub struct Doors {
    listeners: Vec<TcpListener>,
    addresses: Vec<SocketAddr>,
}

impl Doors {
    /// Listens on these addresses; port 0 takes a free one.
    ///
    /// # Errors
    /// [`Error::Bind`] for the first address that cannot be had.
    pub async fn open(addresses: &[SocketAddr]) -> Result<Self, Error> {
        let mut doors = Self { listeners: Vec::new(), addresses: Vec::new() };
        for &address in addresses {
            let failed = |source| Error::Bind { address, source };
            let listener = TcpListener::bind(address).await.map_err(failed)?;
            doors.addresses.push(listener.local_addr().map_err(failed)?);
            doors.listeners.push(listener);
        }
        Ok(doors)
    }

    /// Where it is listened, with real ports.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }
}

/// A server that runs.
#[derive(Debug)]
pub struct BoundServer {
    addresses: Vec<SocketAddr>,
    stop: CancellationToken,
    abort: CancellationToken,
    tasks: TaskTracker,
    grace: Duration,
}

/// What was cut off when the server stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unfinished {
    /// Connections with a request under way.
    pub connections: usize,
}

/// Serves what comes through the doors until `stop`.
///
/// # Errors
/// [`Error::OpenBeyondLoopback`].
pub fn serve(
    engine: Engine,
    doors: Doors,
    options: ServerOptions,
    stop: CancellationToken,
) -> Result<BoundServer, Error> {
    let Doors { listeners, addresses } = doors;
    if matches!(options.auth, AuthMode::Open { .. })
        && let Some(address) = addresses.iter().find(|address| !address.ip().is_loopback())
    {
        return Err(Error::OpenBeyondLoopback { address: *address });
    }
    let tasks = TaskTracker::new();
    let abort = CancellationToken::new();
    let grace = options.limits.grace.duration();
    let places = Arc::new(Semaphore::new(options.limits.connections));
    let server = Arc::new(Server::new(engine, options, &addresses, stop.clone()));
    for listener in listeners {
        let door = Door {
            server: server.clone(),
            places: places.clone(),
            stop: stop.clone(),
            abort: abort.clone(),
            tasks: tasks.clone(),
        };
        tasks.spawn(door.run(listener));
    }
    tasks.close();
    Ok(BoundServer { addresses, stop, abort, tasks, grace })
}

impl BoundServer {
    /// Where it is listened, with real ports.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Waits until the server was told to stop and every request is answered, or was cut off after
    /// the grace period.
    pub async fn finished(self) -> Unfinished {
        self.stop.cancelled().await;
        if tokio::time::timeout(self.grace, self.tasks.wait()).await.is_ok() {
            return Unfinished { connections: 0 };
        }
        let connections = self.tasks.len();
        self.abort.cancel();
        self.tasks.wait().await;
        Unfinished { connections }
    }
}

/// One listener and what its connections need.
struct Door {
    server: Arc<Server>,
    places: Arc<Semaphore>,
    stop: CancellationToken,
    abort: CancellationToken,
    tasks: TaskTracker,
}

impl Door {
    async fn run(self, listener: TcpListener) {
        loop {
            // Above the limit new connections wait in the backlog of the machine.
            let place = tokio::select! {
                () = self.stop.cancelled() => return,
                place = self.places.clone().acquire_owned() => place,
            };
            let Ok(place) = place else { return };
            let accepted = tokio::select! {
                () = self.stop.cancelled() => return,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, _)) => {
                    let connection = self.connection(stream);
                    self.tasks.spawn(async move {
                        connection.await;
                        drop(place);
                    });
                }
                // The client was gone before we came to it.
                Err(error) if is_of_one_client(&error) => {}
                Err(error) => {
                    tracing::warn!(%error, "A connection could not be accepted: {error}");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn connection(&self, stream: TcpStream) -> impl Future<Output = ()> + use<> {
        let server = self.server.clone();
        // A child token has a lock of its own, so that connections do not meet at one.
        let (stop, abort) = (self.stop.child_token(), self.abort.child_token());
        async move {
            // Answers are written whole; waiting for more to send would only delay them.
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!(%error, "TCP_NODELAY could not be set: {error}");
            }
            tokio::select! {
                () = connection::run(stream, server, stop) => {}
                () = abort.cancelled() => {}
            }
        }
    }
}

fn is_of_one_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
