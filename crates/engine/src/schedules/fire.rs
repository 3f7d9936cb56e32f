//! Firing: occurrences whose time has come become events, in one commit with the occurrences that
//! come after them.

use std::sync::Weak;

use evoke_model::{Data, EventId, Millis, Rejection, Timestamp, TriggerId};
use evoke_ports::store::{Change, Receipt, Write};
use evoke_schedule::{LATE_MAX, Occurrence};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{Last, Place, Schedules, Standing};
use crate::draft::Draft;
use crate::feed::Notice;
use crate::start::Inner;

/// Events that one commit fires; the schedules that are due then come in the next. What begins
/// after one is carried out while the next is written: with a thousand at once the first of them
/// would wait for the last.
const FIRE_MAX: usize = 128;

/// How long to wait when what is due could not be written.
const AGAIN: Millis = Millis::from_secs(1);

/// Where the events of schedules come from.
pub(super) const ORIGIN: &str = "/schedules";

/// Fires what is due, until it is stopped or the engine is gone.
pub(crate) async fn run(inner: Weak<Inner>, stop: CancellationToken) {
    let Some((nudge, clock)) =
        inner.upgrade().map(|inner| (inner.timed.schedules.nudge.clone(), inner.clock.clone()))
    else {
        return;
    };
    loop {
        // It listens before it looks.
        let nudged = nudge.notified();
        let Some(wake) = look(&inner).await else { return };
        let sleep = async {
            match wake {
                Some(wake) => clock.watch_until(wake).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            () = nudged => {}
            () = sleep => {}
        }
    }
}

/// Fires what is due, and says when the next is; `None` when the engine is gone.
async fn look(inner: &Weak<Inner>) -> Option<Option<Timestamp>> {
    let inner = inner.upgrade()?;
    Some(inner.fire_due().await.unwrap_or_else(|rejection| {
        tracing::error!("Schedules that are due did not fire: {rejection}");
        Some(inner.clock.now().plus(AGAIN))
    }))
}

/// What a commit fires.
#[derive(Default)]
struct Batch {
    drafts: Vec<Draft>,
    /// The schedules, moved on, with the place of the last of their drafts.
    moved: Vec<(Standing, Option<(usize, Timestamp)>)>,
}

impl Inner {
    /// Fires all that is due. Gives back when the next is.
    pub(crate) async fn fire_due(&self) -> Result<Option<Timestamp>, Rejection> {
        loop {
            let _turn = self.timed.turn.read().await;
            let now = self.clock.now();
            let batch = self.timed.schedules.batch(now);
            if batch.moved.is_empty() {
                return Ok(self.timed.schedules.next());
            }
            self.fire(batch, now).await?;
        }
    }

    async fn fire(&self, batch: Batch, now: Timestamp) -> Result<(), Rejection> {
        let Batch { drafts, mut moved } = batch;
        let (ingest, planned) = self.plan(drafts, &self.catalog.load());
        let events = ingest.events.clone();
        for (standing, last) in &mut moved {
            if let Some((draft, scheduled)) = *last {
                let event = events.get(draft).map_or(EventId::from_u64(0), |event| event.id);
                standing.place.last = Some(Last { scheduled, fired: now, event });
            }
        }
        let cursors = moved.iter().map(|(standing, _)| standing.cursor()).collect();
        let write = Write::All(vec![Write::Ingest(ingest), Change::Cursors(cursors).into()]);
        let receipt = self.committer.send(write, planned).await?;
        let known = match &receipt {
            Receipt::All(receipts) => match receipts.first() {
                Some(Receipt::Ingested { duplicates, .. }) => duplicates.as_slice(),
                _ => &[],
            },
            _ => &[],
        };
        self.metrics.accepted("schedule", (events.len() - known.len()) as u64);
        for (standing, _) in moved {
            self.timed.schedules.take(standing);
        }
        let is_new = |place: &usize| !known.iter().any(|(known, _)| known == place);
        for (_, event) in events.into_iter().enumerate().filter(|(place, _)| is_new(place)) {
            self.feed.tell(|| Notice::Event(event));
        }
        Ok(())
    }
}

impl Schedules {
    /// When the first one is due.
    pub(crate) fn next(&self) -> Option<Timestamp> {
        self.state.lock().due.first().map(|(due, _)| *due)
    }

    /// The schedules that are due, as many as one commit takes. They stay where they are until
    /// they have fired.
    fn batch(&self, now: Timestamp) -> Batch {
        let mut state = self.state.lock();
        state.see(now);
        let mut batch = Batch::default();
        let due = state.due.iter().take_while(|(due, _)| *due <= now);
        for standing in due.filter_map(|(_, id)| state.standing.get(id)) {
            if batch.drafts.len() >= FIRE_MAX || batch.moved.len() >= FIRE_MAX {
                break;
            }
            batch.add(standing, now);
        }
        batch
    }
}

impl Batch {
    fn add(&mut self, standing: &Standing, now: Timestamp) {
        let Some(pending) = standing.place.next else { return };
        // By a clock that goes behind by the jitter, so that an occurrence whose instant has come
        // waits for its own share of it.
        let clock = now.minus(standing.offset(pending));
        let due = standing.recurring.schedule.due(pending, clock, standing.place.anchor);
        let (id, name) = (standing.trigger.id, &standing.trigger.name);
        if due.skipped > 0 {
            tracing::warn!(trigger.id = %id, "{} occurrences of {name:?} were missed", due.skipped);
        }
        let last = due.fire.last().map(|last| (self.drafts.len() + due.fire.len() - 1, last.at));
        for occurrence in due.fire {
            let on_time = occurrence.at.plus(LATE_MAX) >= clock;
            let from =
                if on_time { occurrence.at.plus(standing.offset(occurrence.at)) } else { now };
            let payload = payload(standing, occurrence, now);
            self.drafts.push(draft(standing, (occurrence.at, from.min(now)), payload));
        }
        let place = Place { next: due.next, ..standing.place.clone() };
        self.moved.push((Standing { place, ..standing.clone() }, last));
    }
}

/// What an occurrence tells.
pub(super) fn payload(standing: &Standing, occurrence: Occurrence, fired: Timestamp) -> Value {
    let schedule = &standing.recurring.schedule;
    json!({
        "schedule_id": standing.trigger.id,
        "name": standing.trigger.name,
        "scheduled_time": occurrence.at,
        "fired_at": fired,
        "timezone": schedule.zone().name(),
        "expression": schedule.to_string(),
        "missed": occurrence.missed,
        "input": standing.recurring.input,
    })
}

/// The event of an occurrence. Its id is made of the schedule and the instant, so that it is taken
/// only once whoever fires it.
pub(super) fn draft(standing: &Standing, at: (Timestamp, Timestamp), payload: Value) -> Draft {
    let (scheduled, due) = at;
    let id: TriggerId = standing.trigger.id;
    Draft {
        id: Some(scheduled.to_string().into()),
        source: Some(format!("{ORIGIN}/{id}").into()),
        kind: kind(&standing.trigger.name),
        time: Some(scheduled),
        due: Some(due),
        data: Data::Json(payload.to_string().into()),
        ..Draft::default()
    }
}

/// The type of the events of a schedule.
pub(super) fn kind(name: &str) -> Box<str> {
    format!("schedule.{name}").into()
}
