//! What frames from a worker mean for its calls. A frame of a call that has ended is dropped; a
//! frame that cannot be meant at all is a violation, and the worker is ended for it.

use std::sync::Arc;

use bytes::Bytes;
use evoke_model::execution::{Level, RetryHint};
use evoke_model::{Code, Failure, LogLine, Millis, Timestamp};
use evoke_ports::LogSink;

use super::state::{Answered, Effect, Phase, State, Wants, Worker, end};
use super::stream::Pieces;
use crate::protocol::frame::{ANSWER_BYTES_MAX, WINDOW_BYTES};
use crate::protocol::messages::Thrown;
use crate::protocol::{Decoded, Frame, Kind};

/// Why a worker cannot be trusted any further.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Violation {
    /// A frame only the server may send, or one of another phase.
    #[error("it sent {0:?} where that makes no sense")]
    Kind(Kind),
    /// More than may be on the way.
    #[error("it sent more than {WINDOW_BYTES} bytes of a stream ahead")]
    Window,
    /// A frame larger than its kind may be.
    #[error("it sent {0:?} with {1} bytes")]
    Size(Kind, usize),
}

/// The level of a line by its number on the wire; unknown ones are taken as plain.
pub fn level(number: u8) -> Level {
    match number {
        0 => Level::Debug,
        2 => Level::Warn,
        3 => Level::Error,
        _ => Level::Info,
    }
}

/// The line of a LOG frame.
pub fn line(payload: &[u8], time: Timestamp) -> LogLine {
    let (number, text) = payload.split_first().unwrap_or((&1, &[]));
    let message = String::from_utf8_lossy(text).into_owned();
    LogLine { time, level: level(*number), message }
}

/// The failure of an ERROR frame.
pub fn thrown(payload: &[u8]) -> Failure {
    let thrown: Thrown = match serde_json::from_slice(payload) {
        Ok(thrown) => thrown,
        Err(error) => {
            let message = format!("the function failed, and its error cannot be read: {error}");
            return Failure::new(Code::FunctionError, message);
        }
    };
    let message = match thrown.class {
        Some(class) if class != "Error" && !thrown.message.starts_with(&class) => {
            format!("{class}: {}", thrown.message)
        }
        _ => thrown.message,
    };
    let retry = match (thrown.retry, thrown.retry_after_ms) {
        (Some(false), _) => RetryHint::Never,
        (_, Some(wait)) => RetryHint::After(Millis::new(wait)),
        _ => RetryHint::Policy,
    };
    Failure { code: Code::FunctionError, message, stack: thrown.stack, retry }
}

fn too_large(length: usize) -> Failure {
    let message =
        format!("the answer has {length} bytes, {ANSWER_BYTES_MAX} are allowed unless it streams");
    Failure::new(Code::ResponseTooLarge, message)
}

impl State {
    /// Takes what one read of a worker brought. `stray` takes lines of no call.
    ///
    /// # Errors
    /// The worker sent something impossible; what came before it still counts.
    pub fn receive(
        &mut self,
        from: (u64, Timestamp),
        batch: &mut Vec<Decoded>,
        stray: &Arc<dyn LogSink>,
        effects: &mut Vec<Effect>,
    ) -> Result<(), Violation> {
        let (id, now) = from;
        let Some(worker) = self.workers.iter_mut().find(|worker| worker.id == id) else {
            return Ok(());
        };
        let mut outcome = Ok(());
        let before = worker.calls.len();
        for decoded in batch.drain(..) {
            if outcome.is_ok() {
                outcome = match decoded {
                    Decoded::Frame(frame) => worker.frame(frame, now, stray, effects),
                    Decoded::Oversized { kind, call, length } => {
                        worker.oversized(kind, call, length, effects)
                    }
                };
            }
        }
        self.finished += (before - worker.calls.len()) as u64;
        if worker.calls.is_empty() {
            worker.idle_since = now;
        }
        self.feed(id, effects);
        outcome
    }
}

impl Worker {
    fn frame(
        &mut self,
        frame: Frame,
        now: Timestamp,
        stray: &Arc<dyn LogSink>,
        effects: &mut Vec<Effect>,
    ) -> Result<(), Violation> {
        let Frame { kind, call, payload } = frame;
        match kind {
            Kind::Result => self.answer(call, Wants::Value, Answered::Value(payload), effects),
            Kind::Response => {
                self.answer(call, Wants::Response, Answered::Response(payload), effects)
            }
            Kind::Error => {
                self.finish(call, Err(thrown(&payload)), effects);
                Ok(())
            }
            Kind::Log => {
                let running = self.calls.get_mut(call);
                let sink = running.map_or(stray, |running| &running.logs);
                effects.push(Effect::Log(Arc::clone(sink), line(&payload, now)));
                Ok(())
            }
            Kind::Head => self.head(call, payload, effects),
            Kind::Chunk => self.chunk(call, &payload),
            Kind::End => self.stream_end(call, effects),
            other => Err(Violation::Kind(other)),
        }
    }

    fn oversized(
        &mut self,
        kind: Kind,
        call: u32,
        length: usize,
        effects: &mut Vec<Effect>,
    ) -> Result<(), Violation> {
        match kind {
            Kind::Result | Kind::Response => {
                self.finish(call, Err(too_large(length)), effects);
                Ok(())
            }
            Kind::Error => {
                let message = format!("the function failed with an error of {length} bytes");
                self.finish(call, Err(Failure::new(Code::FunctionError, message)), effects);
                Ok(())
            }
            other => Err(Violation::Size(other, length)),
        }
    }

    fn answer(
        &mut self,
        call: u32,
        kind: Wants,
        answered: Answered,
        effects: &mut Vec<Effect>,
    ) -> Result<(), Violation> {
        match self.calls.get_mut(call) {
            None => return Ok(()),
            Some(running)
                if !running.wants.takes(kind) || matches!(running.phase, Phase::Streaming(_)) =>
            {
                return Err(Violation::Kind(match kind {
                    Wants::Value => Kind::Result,
                    Wants::Response => Kind::Response,
                }));
            }
            Some(_) => {}
        }
        self.finish(call, Ok(answered), effects);
        Ok(())
    }

    fn head(&mut self, call: u32, head: Bytes, effects: &mut Vec<Effect>) -> Result<(), Violation> {
        let Some(running) = self.calls.get_mut(call) else { return Ok(()) };
        if running.wants != Wants::Response {
            return Err(Violation::Kind(Kind::Head));
        }
        let pieces = Arc::new(Pieces::default());
        match std::mem::replace(&mut running.phase, Phase::Streaming(Arc::clone(&pieces))) {
            Phase::Open(answer) => {
                effects.push(Effect::Answer(answer, Ok(Answered::Stream { head, pieces })));
                Ok(())
            }
            Phase::Streaming(_) => Err(Violation::Kind(Kind::Head)),
            abandoned @ Phase::Abandoned(_) => {
                running.phase = abandoned;
                Ok(())
            }
        }
    }

    fn chunk(&mut self, call: u32, piece: &[u8]) -> Result<(), Violation> {
        match self.calls.get_mut(call).map(|running| &running.phase) {
            None | Some(Phase::Abandoned(_)) => Ok(()),
            Some(Phase::Streaming(pieces)) => pieces.push(piece).map_err(|_| Violation::Window),
            Some(Phase::Open(_)) => Err(Violation::Kind(Kind::Chunk)),
        }
    }

    fn stream_end(&mut self, call: u32, effects: &mut Vec<Effect>) -> Result<(), Violation> {
        match self.calls.get_mut(call).map(|running| &running.phase) {
            Some(Phase::Open(_)) => Err(Violation::Kind(Kind::End)),
            _ => {
                self.finish(call, Ok(Answered::Value(Bytes::new())), effects);
                Ok(())
            }
        }
    }

    /// Ends a call with its last frame.
    fn finish(&mut self, call: u32, outcome: Result<Answered, Failure>, effects: &mut Vec<Effect>) {
        let Some(running) = self.calls.remove(call) else { return };
        if matches!(running.phase, Phase::Abandoned(Some(_))) {
            self.overdue = self.overdue.saturating_sub(1);
        }
        end(running, outcome, effects);
    }
}
