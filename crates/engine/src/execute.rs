//! Execute: carries out one admitted call, of one execution or of a batch, and hands what happened
//! to the committer.

mod deliver;
mod running;
mod settle;

use std::sync::Arc;

use evoke_delivery::admission::{Dropped, Entry};
use evoke_model::{Attempt, Code, ExecutionId, Failure, Millis, State, Timestamp, Trigger};
use evoke_ports::Delivered;
use evoke_ports::store::{Change, Finish, Next, Spent, Write};
use tokio_util::sync::CancellationToken;

pub(crate) use running::{Beginning, Running, RunningTable};

use crate::call::took;
use crate::committer::Settles;
use crate::dispatch::{Berth, Item, Lane, Start};
use crate::feed::Notice;
use crate::logs::Lines;
use crate::start::Inner;

/// How long to wait when what a rate has spent could not be written.
const SPEND_AGAIN: Millis = Millis::from_secs(1);

/// One execution of a call under way.
struct Part {
    entry: Entry<Item>,
    running: Arc<Running>,
    /// How it ended, once it has.
    end: Option<Delivered>,
    /// When it comes again, if it does.
    again: Option<Timestamp>,
}

/// What listeners are told of an attempt.
pub(crate) fn notice(running: &Running, attempt: &Attempt, state: State) -> Notice {
    let error = attempt.outcome.failure();
    Notice::Execution {
        id: running.id,
        target: running.target.clone(),
        trigger: running.name.clone(),
        state,
        attempt: attempt.number,
        duration_us: took(attempt.started_at, attempt.finished_at).as_micros() as u64,
        error: error.map(|failure| format!("{}: {}", failure.code, failure.message).into()),
    }
}

impl Inner {
    /// Notes that an attempt begins.
    pub(crate) fn begin(&self, beginning: Beginning) -> Arc<Running> {
        let labels = self.labels(&beginning.trigger);
        let id = beginning.id;
        let lines = Arc::new(Lines::new(
            id,
            labels.target.clone(),
            self.feed.clone(),
            self.settings.log_bytes_max,
        ));
        let now = self.clock.now();
        let span = self.traces.follow(beginning.event.traceparent.as_deref(), now);
        let own = (now, self.tokens.mint(id), span);
        let running = Arc::new(Running::new(beginning, labels, lines, own));
        self.running.insert(running.clone());
        running
    }

    /// Carries out one attempt of what the lane has admitted.
    pub(crate) async fn execute(self: Arc<Self>, berth: Berth, start: Start) {
        let Start { call, trigger, endpoint } = start;
        // The executions of a call stop together.
        let cancel = CancellationToken::new();
        let mut parts: Vec<Part> = call
            .into_entries()
            .map(|entry| self.begin_part(&berth.lane, entry, &trigger, &cancel))
            .collect();
        let signal = self.deliver(&endpoint, &mut parts).await;
        self.settle(&berth, parts, signal).await;
    }

    fn begin_part(
        &self,
        lane: &Lane,
        entry: Entry<Item>,
        trigger: &Arc<Trigger>,
        cancel: &CancellationToken,
    ) -> Part {
        let running = self.begin(Beginning {
            id: entry.id,
            event: entry.payload.event.clone(),
            trigger: trigger.clone(),
            attempt: entry.attempts + 1,
            cancel: cancel.clone(),
        });
        if entry.attempts == 0 {
            if trigger.kind == Trigger::SCHEDULE {
                self.metrics.drifted(took(entry.due, running.started_at));
            }
            self.metrics.started(took(entry.due, running.started_at));
        }
        // Asked once it is among those that run: who cancels looks there after calling off.
        if lane.is_called_off(entry.id.event) {
            running.call_off();
        }
        Part { entry, running, end: None, again: None }
    }

    /// Records executions that admission took out of the queue for good.
    pub(crate) async fn drop_waiting(self: Arc<Self>, dropped: Vec<(Entry<Item>, Dropped)>) {
        let place = self.committer.place().await;
        let now = self.clock.now();
        let mut finishes = Vec::with_capacity(dropped.len());
        for (entry, why) in dropped {
            let attempt = Attempt::not_made(entry.attempts, now, why_dropped(&why));
            self.dispatcher.count_open(-1);
            if let Some(trigger) = self.catalog.load().triggers.get(&entry.id.trigger) {
                self.metrics.ended(&trigger.kind, State::Cancelled);
            }
            let next = Next::Done(State::Cancelled);
            finishes.push(Finish { id: entry.id, attempt: Some(attempt), next, cause: None });
            self.operations.ended(entry.id, Some(State::Cancelled), None);
        }
        place.finish(Write::Finish(finishes), Settles::default());
    }

    /// Stops an execution for a newer one of its trigger.
    pub(crate) fn make_room(&self, id: ExecutionId) {
        if let Some(running) = self.running.get(id) {
            let message = "a newer execution took its place (concurrency.overflow: cancel)";
            running.stop(Some(Failure::new(Code::ExecutionSkipped, message).for_good()));
        }
    }

    /// Makes what rates have spent durable. Nothing that spent it begins before, so that no restart
    /// lets more pass than the rate allows.
    pub(crate) async fn spend(&self, spent: Vec<Spent>) {
        loop {
            let write = Write::from(Change::Spend(spent.clone()));
            match self.committer.change(write).await {
                Ok(_) => return,
                Err(rejection) if rejection.code == Code::ShuttingDown => return,
                Err(rejection) => {
                    tracing::error!("What a rate has spent is not written: {rejection}");
                    self.clock.sleep_until(self.clock.now().plus(SPEND_AGAIN)).await;
                }
            }
        }
    }
}

fn why_dropped(dropped: &Dropped) -> Failure {
    let message = match dropped {
        Dropped::Superseded { by } => format!("{by} came after it and took its place"),
        Dropped::Overflow { limit, key } => match key {
            Some(key) => format!("{limit} with the key {key:?} were running, which is the limit"),
            None => format!("{limit} were running, which is the limit"),
        },
    };
    Failure::new(Code::ExecutionSkipped, message).for_good()
}
