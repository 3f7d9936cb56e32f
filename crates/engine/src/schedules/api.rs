//! What people do with schedules: look when they fire, fire one now, fire what lies in the past.

use evoke_model::{
    Code, EventId, ExecutionId, Millis, Problem, Rejection, State, Timestamp, TriggerId,
};
use evoke_ports::store::Write;
use evoke_schedule::Occurrence;
use serde_json::{Value, json};

use super::Standing;
use super::fire::{draft, payload};
use crate::audit::{Actor, action};
use crate::draft::Draft;
use crate::record::unavailable;
use crate::start::{Engine, Inner};

/// Occurrences that one backfill fires at most.
pub const BACKFILL_MAX: u64 = 10_000;

/// Events in one commit of a backfill.
const BACKFILL_STEP: usize = 512;

/// The longest time a backfill looks back over.
const BACKFILL_SPAN_MAX: Millis = Millis::from_secs(10 * 366 * 86_400);

/// Where a schedule stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScheduleStatus {
    /// The next occurrence; `None` for one that is off or has ended.
    pub next: Option<Timestamp>,
    /// The instant of the occurrence that fired last.
    pub last: Option<Timestamp>,
    /// The execution of that occurrence.
    pub execution: Option<ExecutionId>,
    /// Whether it is off.
    pub is_paused: bool,
}

/// What was fired by hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fired {
    /// The event.
    pub event: EventId,
    /// The execution of the schedule's own target.
    pub execution: ExecutionId,
}

/// Occurrences of the past, or of any other time, that are to be fired now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backfill {
    /// The first instant.
    pub from: Timestamp,
    /// The first instant that is not meant any more.
    pub to: Timestamp,
    /// Only count.
    pub is_dry: bool,
}

/// What a backfill fired, or would.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backfilled {
    /// How many occurrences.
    pub count: u64,
    /// The first of them.
    pub first: Option<Timestamp>,
    /// The last of them.
    pub last: Option<Timestamp>,
}

impl Engine {
    /// Where a schedule stands; `None` for a trigger that is none.
    pub fn schedule_status(&self, id: TriggerId) -> Option<ScheduleStatus> {
        let standing = self.inner.timed.schedules.find(id)?;
        let last = standing.place.last;
        Some(ScheduleStatus {
            next: standing.place.next,
            last: last.map(|last| last.scheduled),
            execution: last.map(|last| ExecutionId { event: last.event, trigger: id }),
            is_paused: standing.place.is_paused,
        })
    }

    /// How the last occurrence of a schedule ended, or stands.
    ///
    /// # Errors
    /// ST_001.
    pub async fn last_status(&self, status: ScheduleStatus) -> Result<Option<State>, Rejection> {
        let Some(id) = status.execution else { return Ok(None) };
        let found = self.inner.store.executions().execution(id).await;
        let found = found.map_err(|error| unavailable(&error))?;
        let is_running = self.inner.running.get(id).is_some();
        Ok(found.map(|execution| if is_running { State::Running } else { execution.state }))
    }

    /// The next occurrences of a schedule after an instant, at most so many.
    ///
    /// # Errors
    /// TR_001 for a trigger that is no schedule.
    pub fn upcoming(
        &self,
        id: TriggerId,
        after: Timestamp,
        count: usize,
    ) -> Result<Vec<Timestamp>, Rejection> {
        let standing = self.inner.schedule(id)?;
        let mut upcoming = Vec::with_capacity(count.min(1_000));
        let mut at = after;
        while upcoming.len() < count
            && let Some(next) = standing.recurring.schedule.next_after(at, standing.place.anchor)
        {
            upcoming.push(next);
            at = next;
        }
        Ok(upcoming)
    }

    /// Fires a schedule now, beside its timetable, which it leaves as it is. `input` takes the
    /// place of its own.
    ///
    /// # Errors
    /// TR_001 for a trigger that is no schedule, TR_003 for one that is off, EV_003, ST_001.
    pub async fn fire_schedule(
        &self,
        id: TriggerId,
        input: Option<Value>,
        actor: &Actor,
    ) -> Result<Fired, Rejection> {
        let inner = &self.inner;
        let standing = inner.schedule(id)?;
        must_fire(&standing)?;
        let now = inner.clock.now();
        let mut data = payload(&standing, Occurrence { at: now, missed: 0 }, now);
        data["manual"] = true.into();
        if let Some(input) = input {
            data["input"] = input;
        }
        let draft = Draft { id: None, ..draft(&standing, (now, now), data) };
        let (ingest, planned) = inner.plan(vec![draft], &inner.catalog.load());
        let event = ingest.events[0].id;
        let detail = json!({ "event": event });
        let entry = inner.audit_entry(actor, action::FIRE_TRIGGER, id.to_string(), detail);
        let write = Write::All(vec![Write::Ingest(ingest), entry.into()]);
        inner.committer.send(write, planned).await?;
        inner.metrics.accepted("schedule", 1);
        Ok(Fired { event, execution: ExecutionId { event, trigger: id } })
    }

    /// Fires the occurrences a schedule has in a span of time, all at once: the policies of the
    /// trigger say how fast they are carried out. Those that fired before fire again.
    ///
    /// # Errors
    /// TR_001 for a trigger that is no schedule, TR_003 for one that is off, API_001 for a span
    /// that is empty, too long or has more than [`BACKFILL_MAX`] occurrences, EV_003, ST_001.
    pub async fn backfill(
        &self,
        id: TriggerId,
        asked: Backfill,
        actor: &Actor,
    ) -> Result<Backfilled, Rejection> {
        let inner = &self.inner;
        let standing = inner.schedule(id)?;
        let Backfill { from, to, is_dry } = asked;
        check(&standing, asked)?;
        let (schedule, anchor) = (&standing.recurring.schedule, standing.place.anchor);
        let all: Vec<_> = schedule.between(from, to, anchor).collect();
        let filled = Backfilled {
            count: all.len() as u64,
            first: all.first().copied(),
            last: all.last().copied(),
        };
        if is_dry || all.is_empty() {
            return Ok(filled);
        }
        must_fire(&standing)?;
        let now = inner.clock.now();
        let detail = json!({ "from": from, "to": to, "count": filled.count });
        let mut entry = Some(inner.audit_entry(actor, action::BACKFILL, id.to_string(), detail));
        for step in all.chunks(BACKFILL_STEP) {
            let drafts = step.iter().map(|at| {
                let mut data = payload(&standing, Occurrence { at: *at, missed: 0 }, now);
                data["backfill"] = true.into();
                Draft { id: None, ..draft(&standing, (*at, now), data) }
            });
            let (ingest, planned) = inner.plan(drafts.collect(), &inner.catalog.load());
            let entry = entry.take().map(Write::from);
            let write = std::iter::once(Write::Ingest(ingest)).chain(entry).collect();
            inner.committer.send(Write::All(write), planned).await?;
            inner.metrics.accepted("schedule", step.len() as u64);
        }
        Ok(filled)
    }
}

impl Inner {
    fn schedule(&self, id: TriggerId) -> Result<Standing, Rejection> {
        self.timed.schedules.find(id).ok_or_else(|| {
            Rejection::new(Code::TriggerNotFound, format!("there is no schedule {id}"))
        })
    }
}

fn must_fire(standing: &Standing) -> Result<(), Rejection> {
    if standing.trigger.is_active() {
        return Ok(());
    }
    let message = format!("schedule {:?} is off: enable it first", standing.trigger.name);
    Err(Rejection::new(Code::TriggerConflict, message))
}

fn check(standing: &Standing, asked: Backfill) -> Result<(), Rejection> {
    let Backfill { from, to, .. } = asked;
    let schedule = &standing.recurring.schedule;
    let problem = if to <= from {
        Problem::new("to", "must be later than `from`")
    } else if to > from.plus(BACKFILL_SPAN_MAX) {
        Problem::new("to", "must be within ten years of `from`")
    } else {
        let count = schedule.count(from, to, standing.place.anchor);
        if count <= BACKFILL_MAX {
            return Ok(());
        }
        let message = format!("{count} occurrences lie between; a backfill takes {BACKFILL_MAX}");
        Problem::new("to", message).suggest("take a part of it at a time")
    };
    Err(Rejection::of(Code::InvalidRequest, vec![problem]))
}
