//! What is due in a pool: calls that ran out of time, workers that did not stop, workers nobody
//! needs. Called by the keeper, and only when something may be due.

use std::sync::Arc;
use std::time::Duration;

use evoke_model::{Code, Failure, Millis, Timestamp};

use super::control::Cause;
use super::scale::PATIENCE;
use super::state::{Effect, NEVER, Phase, Sentence, State, Worker};
use crate::protocol::messages::CancelReason;

/// A retired worker without calls has so long to exit by itself.
const EXIT_GRACE: Millis = Millis::from_secs(2);
/// How often a queue that more workers would not help is looked at again.
const RECHECK: Duration = Duration::from_millis(20);

impl State {
    /// Does what is due and says when something will be due next, [`NEVER`] if only a change can
    /// make it.
    pub fn tick(&mut self, now: Timestamp, effects: &mut Vec<Effect>) -> Timestamp {
        if now >= self.earliest {
            self.expire(now, effects);
        }
        self.shrink(now, effects);
        self.earliest.min(self.next_shrink(now)).min(self.next_scale(now))
    }

    /// Calls past their deadline are answered; calls past their grace take their worker with them.
    fn expire(&mut self, now: Timestamp, effects: &mut Vec<Effect>) {
        let grace = self.limits.grace;
        let mut earliest = NEVER;
        let mut waiting = std::mem::take(&mut self.queue);
        for order in waiting.drain(..) {
            if order.deadline <= now {
                let message = format!("no worker was free within {}", order.limit);
                let failure = Failure::new(Code::FunctionTimeout, message);
                effects.push(Effect::Answer(order.answer, Err(failure)));
            } else {
                earliest = earliest.min(order.deadline);
                self.queue.push_back(order);
            }
        }
        for worker in &mut self.workers {
            earliest = earliest.min(worker.expire(now, grace, effects));
        }
        self.earliest = earliest;
    }

    /// Workers that were idle for long go; so does one of several whenever fewer would have done.
    fn shrink(&mut self, now: Timestamp, effects: &mut Vec<Effect>) {
        let idle = self.limits.idle;
        let mut spare = self.live().saturating_sub(self.limits.min);
        let needed = self.peak.div_ceil(self.limits.concurrency.max(1));
        let mut surplus = 0;
        if now >= self.peak_since.plus(idle) {
            surplus = usize::from(self.live() > needed.max(1));
            self.peak = self.queue.len() + self.running();
            self.peak_since = now;
        }
        for worker in self.workers.iter_mut().rev() {
            if worker.retired_at.is_some() {
                if worker.is_stuck(now) {
                    effects.push(Effect::Kill(Arc::clone(&worker.control), Cause::Retired));
                }
                continue;
            }
            let is_idle = worker.calls.is_empty() && now >= worker.idle_since.plus(idle);
            if spare > 0 && (is_idle || surplus > 0) {
                spare -= 1;
                surplus = surplus.saturating_sub(1);
                worker.retire(now);
                effects.push(Effect::Wake(Arc::clone(&worker.outbox)));
            }
        }
    }

    /// Workers with calls are looked at again later, so that becoming idle needs no nudge.
    fn next_shrink(&self, now: Timestamp) -> Timestamp {
        let spare = self.live() > self.limits.min;
        let of_worker = |worker: &Worker| match (worker.retired_at, worker.calls.len()) {
            (Some(_), 0) => worker.exit_by(),
            (Some(_), _) => now.plus(EXIT_GRACE),
            (None, 0) if spare => worker.idle_since.plus(self.limits.idle),
            (None, _) if spare => now.plus(self.limits.idle),
            _ => NEVER,
        };
        self.workers.iter().map(of_worker).min().unwrap_or(NEVER)
    }

    fn next_scale(&self, now: Timestamp) -> Timestamp {
        let all = self.live() + self.starting;
        match self.queue.front() {
            Some(_) if all >= self.limits.max || (all == self.starting && all > 0) => NEVER,
            Some(_) if now < self.start_after => self.start_after,
            Some(head) => {
                let patience = Millis::new(PATIENCE.as_millis() as u64);
                head.since.plus(patience).max(now.plus(Millis::new(RECHECK.as_millis() as u64 / 4)))
            }
            None if all < self.limits.min => self.start_after.max(now),
            None => NEVER,
        }
    }

    /// How long the first call in the queue has waited.
    pub fn head_waited(&self, now: Timestamp) -> Duration {
        self.queue.front().map_or(Duration::ZERO, |head| now.since(head.since))
    }

    /// Whether a worker may be started after those that failed to.
    pub fn may_start(&self, now: Timestamp) -> bool {
        now >= self.start_after
    }
}

impl Worker {
    fn expire(&mut self, now: Timestamp, grace: Millis, effects: &mut Vec<Effect>) -> Timestamp {
        let mut earliest = NEVER;
        let mut late = Vec::new();
        let mut kill = None;
        for (call, running) in self.calls.iter_mut() {
            let due = match &running.phase {
                Phase::Abandoned(Some(sentence)) => {
                    if sentence.at <= now {
                        kill.get_or_insert_with(|| sentence.cause.clone());
                    }
                    sentence.at
                }
                _ if running.deadline <= now => {
                    late.push(call);
                    now.plus(grace)
                }
                _ => running.deadline,
            };
            earliest = earliest.min(due);
        }
        for call in late {
            self.overrun(call, now.plus(grace), effects);
        }
        if let Some(cause) = kill {
            effects.push(Effect::Kill(Arc::clone(&self.control), cause));
            return NEVER;
        }
        earliest
    }

    /// A call ran over its time: its caller is answered now, the worker gets a moment to stop.
    fn overrun(&mut self, call: u32, kill_at: Timestamp, effects: &mut Vec<Effect>) {
        let Some(running) = self.calls.get_mut(call) else { return };
        let abandoned = Phase::Abandoned(Some(Sentence { at: kill_at, cause: Cause::Timeout }));
        let phase = std::mem::replace(&mut running.phase, abandoned);
        self.overdue += 1;
        let failure = Failure::new(
            Code::FunctionTimeout,
            format!("the function did not end within its time limit of {}", running.limit),
        );
        match phase {
            Phase::Abandoned(_) => return,
            Phase::Open(answer) => effects.push(Effect::Answer(answer, Err(failure))),
            Phase::Streaming(pieces) => pieces.finish(Err(failure)),
        }
        self.cancel(call, CancelReason::Timeout);
        effects.push(Effect::Wake(Arc::clone(&self.outbox)));
    }

    fn exit_by(&self) -> Timestamp {
        let from = self.retired_at.unwrap_or(self.idle_since).max(self.idle_since);
        from.plus(EXIT_GRACE)
    }

    fn is_stuck(&self, now: Timestamp) -> bool {
        self.calls.is_empty() && now >= self.exit_by()
    }
}
