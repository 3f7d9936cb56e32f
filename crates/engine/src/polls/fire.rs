//! Asking what is due, and what follows from the answers.

use std::sync::{Arc, Weak};

use evoke_model::{Code, Data, ExecutionId, Failure, Millis, Rejection, Timestamp, TriggerId};
use evoke_ports::Repeats;
use evoke_ports::store::{Change, Cursor, Write};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::answer::{self, Answer, Context};
use super::place::Open;
use super::{Question, Skip, SkipReason, Standing};
use crate::draft::Draft;
use crate::feed::Notice;
use crate::record::unavailable;
use crate::start::Inner;

/// Where the events of polls come from.
pub(super) const ORIGIN: &str = "/polls";

/// How often it is looked in any case: whoever waits for an instant does not see that the clock is
/// set back.
const TICK: Millis = Millis::from_secs(10);

/// How often the cursor of a poll is written that keeps nothing and does not fire. A crash loses
/// this much of what is counted, and nothing else.
const WRITE_PERIOD: Millis = Millis::from_secs(30);

/// Firings of one poll that are not done. They are written with each one that comes, so there is
/// an end to them; a target that far behind gains nothing from more.
const OPEN_MAX: usize = 256;

/// Asks what is due, until it is stopped or the engine is gone.
pub(crate) async fn run(inner: Weak<Inner>, stop: CancellationToken) {
    let parts = inner.upgrade().map(|inner| (inner.timed.polls.nudge.clone(), inner.clock.clone()));
    let Some((nudge, clock)) = parts else { return };
    loop {
        // It listens before it looks.
        let nudged = nudge.notified();
        let Some(wake) = inner.upgrade().map(|inner| inner.ask_due()) else { return };
        let sleep = async {
            match wake {
                Some(wake) => clock.sleep_until(wake.min(clock.now().plus(TICK))).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            () = nudged => {}
            () = sleep => {}
        }
    }
    if let Some(inner) = inner.upgrade() {
        inner.write_stale().await;
    }
}

/// What a question came to.
enum Verdict {
    /// It fires.
    Fire { context: Context, state: Option<Value> },
    /// It does not.
    Skip { reason: SkipReason, message: Option<String>, state: Option<Value> },
}

impl Verdict {
    const fn because(reason: SkipReason, message: String) -> Self {
        Self::Skip { reason, message: Some(message), state: None }
    }

    fn of_failure(failure: Failure) -> Self {
        let reason = match failure.code {
            Code::FunctionTimeout => SkipReason::Timeout,
            _ => SkipReason::Error,
        };
        Self::because(reason, format!("{}: {}", failure.code, failure.message))
    }

    fn of_answer(answer: Result<Answer, String>) -> Self {
        match answer {
            Ok(Answer { fire: Some(context), state, .. }) => Self::Fire { context, state },
            Ok(Answer { fire: None, state, reason }) => {
                Self::Skip { reason: SkipReason::No, message: reason, state }
            }
            Err(wrong) => Self::because(SkipReason::Error, wrong),
        }
    }
}

/// Lets a poll be asked again, whatever became of its question.
struct Release<'i>(&'i Inner, TriggerId);

impl Drop for Release<'_> {
    fn drop(&mut self) {
        self.0.timed.polls.change(self.1, |standing| standing.is_asked = false);
    }
}

impl Inner {
    /// Begins all questions that are due. Gives back when the next is.
    pub(crate) fn ask_due(self: &Arc<Self>) -> Option<Timestamp> {
        let (questions, next) = self.timed.polls.due(self.clock.now());
        for question in questions {
            let inner = self.clone();
            self.tasks.spawn(async move { inner.answer(question).await });
        }
        next
    }

    /// Asks, and does what the answer says.
    async fn answer(&self, question: Question) {
        let _release = Release(self, question.trigger.id);
        let Some(reply) = self.ask(&question).await else { return };
        let verdict = match reply {
            Ok(reply) => Verdict::of_answer(answer::read(&reply)),
            Err(failure) => Verdict::of_failure(failure),
        };
        match verdict {
            Verdict::Skip { reason, message, state } => {
                self.skip(&question, (reason, message), state).await;
            }
            Verdict::Fire { context, state } => {
                if let Err(verdict) = self.try_to_fire(&question, context, state).await
                    && let Verdict::Skip { reason, message, .. } = verdict
                {
                    self.skip(&question, (reason, message), None).await;
                }
            }
        }
    }

    /// Fires, or says why it does not.
    async fn try_to_fire(
        &self,
        question: &Question,
        context: Context,
        state: Option<Value>,
    ) -> Result<(), Verdict> {
        let failed = |rejection: Rejection| {
            Verdict::because(SkipReason::Error, format!("it could not be fired: {rejection}"))
        };
        let open = self.still_open(question).await.map_err(failed)?;
        if let Some(same) = open.iter().find(|open| open.hash == context.hash) {
            let id = ExecutionId { event: same.event, trigger: question.trigger.id };
            let message = format!("{id} has the same context and is still open");
            return Err(Verdict::because(SkipReason::SameContext, message));
        }
        if open.len() >= OPEN_MAX {
            let message = format!("{OPEN_MAX} of its executions are still open");
            return Err(Verdict::because(SkipReason::Busy, message));
        }
        self.fire_poll(question, (context, state), open).await.map_err(failed)
    }

    /// What this poll fired and is not done. It is the executions that are looked at: that an event
    /// was taken says nothing of them.
    async fn still_open(&self, question: &Question) -> Result<Vec<Open>, Rejection> {
        let trigger = question.trigger.id;
        let standing = self.timed.polls.find(trigger);
        let Some(standing) = standing.filter(|_| question.poll.repeats == Repeats::Skip) else {
            return Ok(Vec::new());
        };
        let executions = self.store.executions();
        let mut still = Vec::with_capacity(standing.place.open.len() + 1);
        for open in standing.place.open {
            let id = ExecutionId { event: open.event, trigger };
            let found = executions.execution(id).await.map_err(|error| unavailable(&error))?;
            if found.is_some_and(|execution| !execution.state.is_final()) {
                still.push(open);
            }
        }
        Ok(still)
    }

    /// The event of a firing, its executions and where the poll stands then, in one commit.
    async fn fire_poll(
        &self,
        question: &Question,
        (context, state): (Context, Option<Value>),
        mut open: Vec<Open>,
    ) -> Result<(), Rejection> {
        let polls = &self.timed.polls;
        let id = question.trigger.id;
        let _turn = self.timed.turn.read().await;
        let Some(mut standing) = polls.still(question) else { return Ok(()) };
        let now = self.clock.now();
        let (ingest, planned) =
            self.plan(vec![firing(&standing, question, &context)], &self.catalog.load());
        let event = ingest.events[0].clone();
        if question.poll.repeats == Repeats::Skip {
            open.push(Open { hash: context.hash, event: event.id });
        }
        let fired = Fired { at: now, open, state };
        fired.settle(&mut standing);
        let cursors = Change::Cursors(vec![standing.cursor()]);
        let write = Write::All(vec![Write::Ingest(ingest), cursors.into()]);
        self.committer.send(write, planned).await?;
        polls.change(id, |live| fired.settle(live));
        self.metrics.accepted(self.catalog.kind(&question.trigger.kind), 1);
        self.feed.tell(|| Notice::Event(event));
        Ok(())
    }

    /// Counts a question that did not fire, and writes what its function wants to be kept.
    async fn skip(
        &self,
        question: &Question,
        (reason, message): (SkipReason, Option<String>),
        state: Option<Value>,
    ) {
        let polls = &self.timed.polls;
        let id = question.trigger.id;
        let now = self.clock.now();
        polls.counters.skipped(reason);
        let skip = Skip { at: now, reason, message };
        tell(question, &skip, polls.find(id).and_then(|standing| standing.place.tally.last_skip));
        polls.change(id, |standing| standing.place.tally.skipped(skip));
        let Some(standing) = polls.still(question) else { return };
        let is_changed = state.as_ref().is_some_and(|state| *state != standing.place.state);
        if !is_changed && now < standing.written.plus(WRITE_PERIOD) {
            return;
        }
        let _turn = self.timed.turn.read().await;
        let Some(mut standing) = polls.still(question) else { return };
        if let Some(state) = state {
            standing.place.state = state;
        }
        match self.committer.change(Change::Cursors(vec![standing.cursor()]).into()).await {
            Ok(_) => polls.change(id, |live| {
                live.place.state = standing.place.state;
                live.written(now);
            }),
            Err(rejection) => {
                tracing::warn!(trigger.id = %id, "Where a poll stands is not written: {rejection}");
            }
        }
    }

    /// Writes what the cursors do not say yet. What is being fired is written first: it says more.
    async fn write_stale(&self) {
        let _turn = self.timed.turn.write().await;
        let cursors: Vec<Cursor> = self.timed.polls.stale();
        if cursors.is_empty() {
            return;
        }
        if let Err(rejection) = self.committer.change(Change::Cursors(cursors).into()).await {
            tracing::warn!("Where polls stand is not written: {rejection}");
        }
    }
}

/// What a firing changes of its poll.
struct Fired {
    at: Timestamp,
    open: Vec<Open>,
    state: Option<Value>,
}

impl Fired {
    fn settle(&self, standing: &mut Standing) {
        let place = &mut standing.place;
        place.tally.fired += 1;
        place.tally.last_fired = Some(self.at);
        place.open.clone_from(&self.open);
        if let Some(state) = &self.state {
            place.state.clone_from(state);
        }
        standing.written(self.at);
    }
}

impl Standing {
    /// Its cursor says everything now.
    fn written(&mut self, now: Timestamp) {
        self.written = now;
        self.is_stale = false;
    }
}

/// The event of a firing. Its subject is the hash of what it carries.
fn firing(standing: &Standing, question: &Question, context: &Context) -> Draft {
    Draft {
        source: Some(format!("{ORIGIN}/{}", question.trigger.id).into()),
        kind: format!("poll.{}", standing.trigger.name).into(),
        subject: Some(format!("sha256:{}", context.hash).into()),
        data: Data::Json(context.json.clone()),
        ..Draft::default()
    }
}

/// A function that fails is seen in the log, once for each thing it fails of.
fn tell(question: &Question, skip: &Skip, before: Option<Skip>) {
    if !matches!(skip.reason, SkipReason::Timeout | SkipReason::Error) {
        return;
    }
    let (name, message) = (&question.trigger.name, skip.message.as_deref().unwrap_or_default());
    let is_known =
        before.is_some_and(|before| before.reason == skip.reason && before.message == skip.message);
    let id = question.trigger.id;
    if is_known {
        tracing::debug!(trigger.id = %id, "Poll {name:?} failed again: {message}");
    } else {
        tracing::warn!(trigger.id = %id, "Poll {name:?} failed: {message}");
    }
}
