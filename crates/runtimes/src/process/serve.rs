//! The life of a loaded worker: its frames are read and its frames are written until it ends, and
//! then its calls are told.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::net::UnixStream;

use super::control::{Cause, Control};
use super::frames::Violation;
use super::launch::Process;
use super::memory::{Guard, procfs};
use super::outbox::Outbox;
use super::output::Output;
use super::shared::Shared;
use super::state::Effect;
use crate::clock::now;
use crate::protocol::{Decoded, Decoder, Frame, FrameError, Kind};

/// A function that throws thousands of times a second does not make us ask the kernel as often.
const BREACH_PAUSE: Duration = Duration::from_millis(50);

/// Why no more frames are read.
enum End {
    /// The worker closed the connection.
    Closed,
    /// It sent something impossible.
    Broken(String),
}

/// Serves a worker to its end.
pub async fn run(shared: Arc<Shared>, id: u64, mut process: Process, outbox: Arc<Outbox>) {
    converse(&shared, id, &mut process, &outbox).await;
    let group = process.control.group();
    let spent = procfs::usage(&[group]).get(&group).map_or(0, |usage| usage.cpu.as_millis() as u64);
    shared.cpu_ms_gone.fetch_add(spent, Ordering::Relaxed);
    let cause = process.end().await;
    report(&shared, id, &cause);
}

async fn converse(shared: &Shared, id: u64, process: &mut Process, outbox: &Outbox) {
    let Process { stream, decoder, control, memory, output, child } = process;
    let mut reader = Reader {
        shared,
        id,
        stream,
        decoder,
        control,
        memory,
        output,
        looked_at: None,
        batch: Vec::new(),
        effects: Vec::new(),
    };
    let end = tokio::select! {
        end = reader.read() => Some(end),
        // The worker no longer reads; what it has still to say is read below.
        _ = outbox.run() => None,
        _ = child.wait() => None,
        () = shared.closed.cancelled() => {
            control.kill(Cause::Closing);
            None
        }
    };
    let end = end.unwrap_or_else(|| reader.rest());
    if let End::Broken(what) = end {
        control.kill(Cause::Protocol(what));
    }
}

fn report(shared: &Shared, id: u64, cause: &Cause) {
    let failure = cause.failure();
    let was_retired = {
        let state = shared.state.lock();
        state.workers().iter().any(|worker| worker.id == id && worker.retired_at.is_some())
    };
    if !was_retired && !cause.is_planned() {
        shared.deaths.fetch_add(1, Ordering::Relaxed);
        let function = &shared.starter.recipe().version.spec.name;
        tracing::warn!(function, "Worker of {function} ended: {}", failure.message);
    }
    shared.change(|state, effects| state.worker_down(id, &failure, effects));
    shared.nudge.notify_one();
    shared.quiet.notify_one();
}

/// Whether a call failed in the function.
fn is_error(decoded: &Decoded) -> bool {
    matches!(decoded, Decoded::Frame(Frame { kind: Kind::Error, .. }))
}

/// Shows the paths in errors and log lines as they are shown to people.
fn show(decoded: &mut Decoded, shared: &Shared) {
    if let Decoded::Frame(Frame { kind: Kind::Error | Kind::Log, payload, .. }) = decoded
        && let Some(shown) = shared.starter.recipe().shown.bytes(payload)
    {
        *payload = shown.into();
    }
}

/// What a LOG frame of the highest level says.
fn error_line(decoded: &Decoded) -> Option<&[u8]> {
    match decoded {
        Decoded::Frame(Frame { kind: Kind::Log, payload, .. }) => payload.strip_prefix(&[3]),
        _ => None,
    }
}

/// Reads the frames of one worker. Everything one read brought is handled under one lock.
struct Reader<'a> {
    shared: &'a Shared,
    id: u64,
    stream: &'a UnixStream,
    decoder: &'a mut Decoder,
    control: &'a Control,
    memory: &'a Guard,
    output: &'a Output,
    looked_at: Option<Instant>,
    batch: Vec<Decoded>,
    effects: Vec<Effect>,
}

impl Reader<'_> {
    async fn read(&mut self) -> End {
        loop {
            if let Some(end) = self.handle() {
                return end;
            }
            // A worker that never stops sending shall not keep the thread.
            tokio::task::consume_budget().await;
            if self.stream.readable().await.is_err() {
                return End::Closed;
            }
            match self.stream.try_read_buf(self.decoder.buffer()) {
                Ok(0) => return End::Closed,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return End::Closed,
            }
        }
    }

    /// What lies in the socket of a worker that has ended already.
    fn rest(&mut self) -> End {
        loop {
            if let Some(end) = self.handle() {
                return end;
            }
            match self.stream.try_read_buf(self.decoder.buffer()) {
                Ok(read) if read > 0 => {}
                _ => return End::Closed,
            }
        }
    }

    fn handle(&mut self) -> Option<End> {
        let mut broken: Option<FrameError> = None;
        loop {
            match self.decoder.decode() {
                Ok(Some(decoded)) => self.batch.push(decoded),
                Ok(None) => break,
                Err(error) => {
                    broken = Some(error);
                    break;
                }
            }
        }
        if self.batch.iter().any(is_error) {
            self.blame_memory();
        }
        self.batch.iter_mut().for_each(|decoded| show(decoded, self.shared));
        for text in self.batch.iter().filter_map(error_line) {
            self.output.remember(&String::from_utf8_lossy(text));
        }
        if !self.batch.is_empty() {
            let outcome = self.receive();
            self.shared.apply(&mut self.effects);
            if let Err(violation) = outcome {
                return Some(End::Broken(violation.to_string()));
            }
        }
        broken.map(|error| End::Broken(format!("it sent {error}")))
    }

    /// The kernel may have killed a child of the worker for its memory, which the function sees as
    /// an error like any other. Its calls are told the real reason, with the end of the worker.
    fn blame_memory(&mut self) {
        if self.looked_at.is_some_and(|at| at.elapsed() < BREACH_PAUSE) {
            return;
        }
        self.looked_at = Some(Instant::now());
        if let Some(breach) = self.memory.breach() {
            self.control.kill(breach);
            self.batch.retain(|decoded| !is_error(decoded));
        }
    }

    fn receive(&mut self) -> Result<(), Violation> {
        let from = (self.id, now());
        let stray = &self.shared.starter.recipe().stray;
        let mut state = self.shared.state.lock();
        let outcome = state.receive(from, &mut self.batch, stray, &mut self.effects);
        let is_quiet = state.closing && state.running() + state.waiting() == 0;
        drop(state);
        if is_quiet {
            self.shared.quiet.notify_one();
        }
        outcome
    }
}
