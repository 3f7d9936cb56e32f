//! How time passes: from one instant at which something is due to the next.

use std::collections::HashMap;
use std::sync::Arc;

use evoke_engine::{
    Actor, CommitterRuns, Engine, NewTrigger, Notice, Parts, Registry, RetentionRuns, Settings,
    StartError,
};
use evoke_model::{Event, ExecutionId, Millis, Outcome, Rejection, State, Timestamp, TriggerId};
use evoke_ports::store::{ExecutionQuery, Order};
use evoke_ports::{Clock, NoTracer, Source, Store};
use evoke_virtual_time::{Idle, ManualClock};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::TryRecvError;

use crate::entry::{Entry, Total, What};
use crate::target::{self, Seen, Simulated, Stage};

/// A timeline ends where it would tell more than this.
pub const ENTRIES_MAX: usize = 200_000;

/// What is asked.
pub struct Simulation {
    /// The schedules, each with how its target behaves. Their own targets are not called.
    pub triggers: Vec<(NewTrigger, Behaviour)>,
    /// The kinds of triggers.
    pub sources: Vec<Arc<dyn Source>>,
    /// An empty store in memory.
    pub store: Arc<dyn Store>,
    /// When it begins.
    pub from: Timestamp,
    /// When it ends.
    pub until: Timestamp,
}

/// How a target behaves.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Behaviour {
    /// How long an attempt takes.
    pub takes: Millis,
    /// How many attempts of each execution fail before one succeeds.
    pub fail_first: u32,
    /// Every so many attempts one fails.
    pub fail_every: Option<u64>,
}

/// What is told.
#[derive(Clone, PartialEq, Debug, Default, serde::Serialize)]
pub struct Timeline {
    /// What happened, in the order in which it did.
    pub entries: Vec<Entry>,
    /// What happened in all, by trigger.
    pub totals: Vec<Total>,
    /// It stops before its end, at [`ENTRIES_MAX`].
    pub is_cut: bool,
}

/// Why there is no timeline.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The runtime did not start.
    #[error("start the runtime")]
    Runtime(#[source] std::io::Error),
    /// The engine did not start.
    #[error("start the engine")]
    Start(#[from] StartError),
    /// A schedule was not taken, or the record could not be read.
    #[error("{0}")]
    Refused(Rejection),
    /// More happens at one instant than can be followed.
    #[error("more than 1,024 things happen at {0}: look at fewer schedules at a time")]
    TooMany(Timestamp),
}

impl From<Rejection> for Error {
    fn from(rejection: Rejection) -> Self {
        Self::Refused(rejection)
    }
}

/// Lets time pass from the beginning to the end, in a runtime of its own: not to be called from
/// within another.
///
/// # Errors
/// See [`Error`].
pub fn simulate(asked: Simulation) -> Result<Timeline, Error> {
    let idle = Arc::new(Idle::default());
    let runtime = evoke_virtual_time::runtime(&idle).map_err(Error::Runtime)?;
    runtime.block_on(async {
        let mut run = Run::begin(asked).await?;
        run.pass(&idle).await?;
        run.end(&idle).await
    })
}

struct Run {
    engine: Engine,
    stage: Arc<Stage>,
    feed: Receiver<Notice>,
    until: Timestamp,
    timeline: Timeline,
    /// Where the total of each trigger stands.
    totals: HashMap<TriggerId, usize>,
    running: HashMap<TriggerId, usize>,
    /// The occurrences of attempts under way.
    begun: HashMap<ExecutionId, Timestamp>,
}

impl Run {
    async fn begin(asked: Simulation) -> Result<Self, Error> {
        let Simulation { triggers, sources, store, from, until } = asked;
        let behaviours = triggers.iter().map(|(_, behaviour)| *behaviour).collect();
        let stage = Stage::new(ManualClock::at(from), behaviours);
        let engine = Engine::start(parts(&stage, sources, store)).await?;
        let feed = engine.subscribe();
        engine.admit();
        let (mut timeline, mut totals) = (Timeline::default(), HashMap::new());
        for (place, (mut new, _)) in triggers.into_iter().enumerate() {
            new.target = target::config(place);
            let trigger = engine.create_trigger(new, &Actor::local()).await?;
            totals.insert(trigger.id, place);
            timeline.totals.push(Total { trigger: trigger.name.clone(), ..Total::default() });
        }
        let (running, begun) = (HashMap::new(), HashMap::new());
        Ok(Self { engine, stage, feed, until, timeline, totals, running, begun })
    }

    async fn pass(&mut self, idle: &Idle) -> Result<(), Error> {
        loop {
            idle.reached().await;
            self.look().await?;
            if self.timeline.entries.len() > ENTRIES_MAX {
                self.timeline.is_cut = true;
                return Ok(());
            }
            let moments = [self.engine.next_moment(), self.stage.next_end()];
            let next = moments.into_iter().flatten().min();
            let Some(next) = next.filter(|next| *next < self.until) else { return Ok(()) };
            // What is due already and does not begin waits for something later.
            let now = self.stage.clock.now();
            self.stage.clock.advance_to(next.max(now.plus(Millis::new(1))));
        }
    }

    /// Takes down what happened since it looked last.
    async fn look(&mut self) -> Result<(), Error> {
        let now = self.stage.clock.now();
        loop {
            match self.feed.try_recv() {
                Ok(Notice::Event(event)) => self.fired(&event, now),
                Ok(_) => {}
                Err(TryRecvError::Lagged(_)) => return Err(Error::TooMany(now)),
                Err(TryRecvError::Empty | TryRecvError::Closed) => break,
            }
        }
        for (at, seen) in self.stage.take() {
            match seen {
                Seen::Began { job: (id, attempt), scheduled } => {
                    self.begun.insert(id, scheduled);
                    let running = self.running.entry(id.trigger).or_default();
                    *running += 1;
                    let running = *running;
                    let most = &mut self.total(id.trigger).most_at_once;
                    *most = running.max(*most);
                    self.tell(at, id.trigger, What::Started { scheduled, attempt, running });
                }
                Seen::Ended { job, outcome } => self.ended(at, job, &outcome).await?,
            }
        }
        Ok(())
    }

    fn fired(&mut self, event: &Event, now: Timestamp) {
        let id = event.source.rsplit('/').next().and_then(|id| id.parse::<TriggerId>().ok());
        let Some(id) = id.filter(|id| self.totals.contains_key(id)) else { return };
        self.total(id).fired += 1;
        self.tell(now, id, What::Fired { scheduled: event.time });
    }

    async fn ended(
        &mut self,
        at: Timestamp,
        (id, attempt): (ExecutionId, u32),
        outcome: &Outcome,
    ) -> Result<(), Error> {
        if let Some(running) = self.running.get_mut(&id.trigger) {
            *running = running.saturating_sub(1);
        }
        let Some(scheduled) = self.begun.remove(&id) else { return Ok(()) };
        let what = match outcome {
            Outcome::Success(_) => {
                self.total(id.trigger).succeeded += 1;
                What::Succeeded { scheduled, attempt }
            }
            // Told in the end, with the reason.
            Outcome::Cancelled => return Ok(()),
            Outcome::Failure(_) | Outcome::TimedOut(_) => {
                let execution = self.engine.execution(id).await?.execution;
                let retry_at = (!execution.state.is_final()).then_some(execution.due);
                let total = self.total(id.trigger);
                total.failed_attempts += 1;
                total.failed += u64::from(retry_at.is_none());
                What::Failed { scheduled, attempt, retry_at }
            }
        };
        self.tell(at, id.trigger, what);
        Ok(())
    }

    /// What was not carried out is told from the record, and where each schedule stands.
    async fn end(mut self, idle: &Idle) -> Result<Timeline, Error> {
        idle.reached().await;
        let mut query = ExecutionQuery {
            states: vec![State::Cancelled],
            order: Order::OldestFirst,
            limit: 1_000,
            ..ExecutionQuery::default()
        };
        loop {
            let page = self.engine.executions(query.clone()).await?;
            for view in page.items {
                let id = view.execution.id;
                let Some(last) = view.execution.last else { continue };
                let scheduled = self.engine.event(&id.event.to_string()).await?.time;
                let why = last.outcome.failure().map(|failure| failure.message.clone());
                let why = why.unwrap_or_else(|| "it was cancelled".to_owned());
                self.total(id.trigger).skipped += 1;
                self.tell(last.finished_at, id.trigger, What::Skipped { scheduled, why });
            }
            match page.next {
                Some(next) => query.cursor = Some(next),
                None => break,
            }
        }
        let places: Vec<_> = self.totals.iter().map(|(id, place)| (*id, *place)).collect();
        for (id, place) in places {
            let status = self.engine.schedule_status(id);
            self.timeline.totals[place].next_run = status.and_then(|status| status.next);
        }
        self.timeline.entries.sort_by_key(|entry| entry.at);
        Ok(self.timeline)
    }

    fn total(&mut self, trigger: TriggerId) -> &mut Total {
        let place = self.totals.get(&trigger).copied().unwrap_or_default();
        &mut self.timeline.totals[place]
    }

    fn tell(&mut self, at: Timestamp, trigger: TriggerId, what: What) {
        let trigger = self.total(trigger).trigger.clone();
        self.timeline.entries.push(Entry { at, trigger, what });
    }
}

fn parts(stage: &Arc<Stage>, sources: Vec<Arc<dyn Source>>, store: Arc<dyn Store>) -> Parts {
    Parts {
        store,
        sources,
        targets: vec![Arc::new(Simulated::new(stage.clone()))],
        runtimes: Vec::new(),
        clock: stage.clock.clone(),
        registry: Registry::new(),
        tracer: Arc::new(NoTracer),
        settings: Settings {
            retention_runs: RetentionRuns::WhenAsked,
            committer: CommitterRuns::Task,
            ..Settings::default()
        },
    }
}
