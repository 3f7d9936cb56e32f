//! Signals: the first asks for an orderly end, the second ends at once.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Exit code of a process that was told twice to stop.
const IMPATIENT: i32 = 130;

/// A token that fires at the first SIGINT or SIGTERM. The user who asks twice is impatient: the
/// process then ends at once; what was accepted is on disk and runs again at the next start.
///
/// # Errors
/// The system does not let the process hear its signals.
pub fn stop() -> std::io::Result<CancellationToken> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let stop = CancellationToken::new();
    let token = stop.clone();
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if token.is_cancelled() {
                std::process::exit(IMPATIENT);
            }
            token.cancel();
        }
    });
    Ok(stop)
}
